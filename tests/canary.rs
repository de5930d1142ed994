//! A secret of every kind in every place, through every command and every failure: none of it is in any byte that we emit.
//!
//! Each secret is a canary, random and told apart from all others, so that a leak names itself. What a body prints, and what
//! a body is given as arguments, is for the one who wrote the pipeline; the bodies here print nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

#[path = "canary/addresses.rs"]
mod addresses;
#[path = "canary/files.rs"]
mod files;
#[path = "canary/mine.rs"]
mod mine;
#[path = "canary/runs.rs"]
mod runs;
#[path = "cli/sandbox.rs"]
#[allow(dead_code, reason = "made for the tests of the command line, which need more of it")]
mod sandbox;
#[path = "canary/scan.rs"]
mod scan;
#[path = "canary/secrets.rs"]
mod secrets;
#[path = "canary/watch.rs"]
mod watch;
