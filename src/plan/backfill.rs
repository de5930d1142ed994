//! Decides about one occurrence of a span of the past that a person wants done.
//!
//! What was done is left as it is, unless it is wanted again; a retry that is pending is waited for and made, not doubled.
//! The schedule's cursor does not move. Which occurrences a span has, and their order, is for the caller.
//!
//! Holds always: nothing is claimed beside an active attempt of the same occurrence, nor beside as many active runs of the
//! pipeline as may be at once.

use jiff::Timestamp;

use super::{Busy, Decision, Draft, Situation, retry};
use crate::occurrence::Run;
use crate::run::{Attempt, Outcome, Trigger};

/// What to do about an occurrence now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backfill {
    /// Claim an attempt.
    Claim(Box<Decision>),
    /// Nothing: it was done, in full or partly.
    Done,
    /// Nothing: an attempt of it is active.
    Active,
    /// Wait: as many runs of the pipeline are active as may be; one of them.
    Busy(Busy),
    /// Wait: its next attempt is due at this instant.
    Later(Timestamp),
}

/// Decides about the run of `scheduled_for`, which has had `attempts`, in any order; `at_once` runs of the pipeline may be
/// active, at least 1; `again`: also if it was done.
pub fn backfill(
    situation: &Situation<'_>,
    scheduled_for: Timestamp,
    attempts: &[Attempt],
    at_once: usize,
    again: bool,
) -> Backfill {
    let latest = attempts.iter().max_by_key(|attempt| attempt.number);
    if !again && was_done(attempts) {
        return Backfill::Done;
    }
    if latest.is_some_and(Attempt::is_active) {
        return Backfill::Active;
    }
    if let Some(at) = latest.and_then(|latest| latest.retry_at).filter(|at| *at > situation.now) {
        return Backfill::Later(at);
    }
    let mut active = situation.open.iter().filter(|attempt| attempt.is_active());
    if let Some(other) = active.nth(at_once.max(1) - 1) {
        return Backfill::Busy(Busy(other.run.clone()));
    }
    let mut decision = Decision::unchanged(situation.row);
    decision.claim = Some(draft(Run { pipeline: situation.pipeline.id.clone(), scheduled_for }, latest));
    decision.changed = true;
    Backfill::Claim(Box::new(decision))
}

/// Whether one of these attempts has done the work, in full or partly, in time or late.
pub fn was_done(attempts: &[Attempt]) -> bool {
    let is_success =
        |attempt: &Attempt| [attempt.outcome(), attempt.late_outcome].into_iter().flatten().any(Outcome::is_success);
    attempts.iter().any(is_success)
}

/// A pending retry is made as it is. All else is asked for anew: the retry policy applies from here on.
fn draft(run: Run, latest: Option<&Attempt>) -> Draft {
    let first = Draft {
        run,
        number: 1,
        tries: 1,
        earlier_starts: 0,
        interruptions: 0,
        trigger: Trigger::Backfill,
        by_hand: true,
        follows: None,
    };
    match latest.map(|latest| (latest.retry_at, retry::next_attempt(latest))) {
        None => first,
        Some((Some(_), pending)) => pending,
        Some((None, next)) => Draft { number: next.number, earlier_starts: next.earlier_starts, ..first },
    }
}
