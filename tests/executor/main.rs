//! Runs real bodies through a real supervisor and looks at what the kernel says about them.
//!
//! No test waits for a fixed time: conditions are polled, with a deadline that only a failure reaches.

#![allow(clippy::unwrap_used, reason = "what the tests share is outside of #[test] functions")]

mod descendants;
mod ending;
mod figures;
mod isolation;
mod limits;
mod loss;
mod output;
mod sandbox;
mod start;
mod surround;
