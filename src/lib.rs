//! x

pub mod schedule;
