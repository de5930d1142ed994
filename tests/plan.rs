//! What is decided about a pipeline, played as scripts and held to a law on random lives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "plan/alerts.rs"]
mod alerts;
#[path = "plan/asked.rs"]
mod asked;
#[path = "plan/backfill.rs"]
mod backfill;
#[path = "plan/by_hand.rs"]
mod by_hand;
#[path = "plan/catch_up.rs"]
mod catch_up;
#[path = "plan/clocks.rs"]
mod clocks;
#[path = "plan/endings.rs"]
mod endings;
#[path = "plan/law.rs"]
mod law;
#[path = "plan/overlap.rs"]
mod overlap;
#[path = "plan/policies.rs"]
mod policies;
#[path = "plan/retries.rs"]
mod retries;
#[path = "plan/sight.rs"]
mod sight;
#[path = "plan/story.rs"]
mod story;
