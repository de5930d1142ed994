//! Turns any clock into a reliable orchestrator: one tick claims, runs, retries and records what is due.
//!
//! The program `tickward` is a thin shell over this crate. ARCHITECTURE.md draws the house; data flows one way:
//! `config → schedule → plan (pure) → claim → execute → record → report`.

pub mod alert;
pub mod alerter;
pub mod cli;
pub mod clock;
pub mod config;
pub mod executor;
pub mod failpoint;
pub mod http;
pub mod lease;
pub mod metrics;
pub mod occurrence;
pub mod owner;
pub mod pipeline;
pub mod plan;
pub mod rare;
pub mod registry;
pub mod run;
pub mod runlog;
pub mod schedule;
pub mod scheme;
pub mod sink;
mod small_file;
pub mod template;
pub mod tick;

pub use registry::{Outcome, Registry};

/// The snippets of docs/library.md are compiled, and run where they can be.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct Library;
