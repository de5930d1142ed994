//! Turns any clock into a reliable orchestrator.

pub mod cli;
pub mod clock;
pub mod executor;
pub mod occurrence;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod runlog;
pub mod schedule;
pub mod scheme;
pub mod template;
pub mod tick;
