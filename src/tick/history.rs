//! Removes old history now and then, as the configuration says how long it is kept.
//!
//! A pipeline's history grows with its claims, so a part of these clears it: each one whose fence is a multiple of `EVERY`.
//!
//! Holds always: a tick that has ended nothing removes nothing; a tick removes at most `MOST` rows; a store that fails at it
//! hinders nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::env::Env;
use super::report::Report;
use crate::config;
use crate::occurrence::PipelineId;
use crate::runlog::contract::{Pruning, Retention, Scope};

/// One claim of so many of a pipeline is followed by a look at its history.
const EVERY: u64 = 32;
/// At most so many rows are removed by one tick.
const MOST: usize = 2000;

/// What goes at `now`.
pub fn retention(kept: &config::Retention, now: Timestamp) -> Retention {
    let before = |age: Duration| {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        now.checked_sub(age).unwrap_or(Timestamp::MIN)
    };
    Retention { before: kept.max_age.map(before), failed_before: kept.failed_max_age.map(before), keep: kept.max_runs }
}

/// Removes what is too old or too many of the pipelines whose turn it is.
pub async fn prune(env: &Env, kept: Option<&config::Retention>, report: &Report) {
    let is_calm = report.unrecorded.is_none() && report.degraded.is_none() && !env.must_end_now();
    let Some(kept) = kept.filter(|_| is_calm) else { return };
    let is_turn = |fence: u64| fence.is_multiple_of(EVERY);
    let turns = report.ended.iter().filter(|attempt| !attempt.is_active() && is_turn(attempt.fence));
    let ids: BTreeSet<PipelineId> = turns.map(|attempt| attempt.run.pipeline.clone()).collect();
    if ids.is_empty() {
        return;
    }
    let scope = Scope::Only(ids.into_iter().collect());
    let pruning = env.run_log.prune(scope, retention(kept, report.ended_at), MOST, Pruning::Remove);
    match env.in_time(pruning).await {
        Ok(pruned) => tracing::debug!(attempts = pruned.attempts, not_run = pruned.not_run, "old history removed"),
        Err(error) => tracing::debug!(%error, "old history stays"),
    }
}
