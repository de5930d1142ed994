//! Ends, freezes and traces a tick at every named moment between two lasting effects.
//!
//! Needs the feature `failpoints`: `cargo test --features failpoints --test failpoints`. The moments are rows of one table
//! (src/failpoint.rs); `traced` shows against strace(1) that the table lacks none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

#[path = "failpoints/apart.rs"]
mod apart;
#[path = "failpoints/frozen.rs"]
mod frozen;
#[path = "failpoints/killed.rs"]
mod killed;
#[path = "cli/sandbox.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod sandbox;
#[path = "failpoints/scene.rs"]
mod scene;
#[path = "failpoints/trace.rs"]
mod trace;
#[path = "failpoints/traced.rs"]
mod traced;
