//! Turns any clock into a reliable orchestrator.

pub mod clock;
pub mod config;
pub mod occurrence;
pub mod pipeline;
pub mod schedule;
pub mod template;
