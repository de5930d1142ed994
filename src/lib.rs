//! x

pub mod clock;
pub mod config;
pub mod occurrence;
pub mod pipeline;
pub mod schedule;
