//! Folds the end of an attempt into what the run-log knows: terminal, or another attempt at a stored instant.
//!
//! Holds always: an attempt takes one end; what a worker reports after it was declared lost stays on it as
//! its late outcome; what follows is decided by the policy stored with the attempt, so that no configuration is needed.

use super::backoff;
use crate::pipeline::{OnGaveUp, OnInterrupt};
use crate::run::{Attempt, Completion, Done, Held, LastEnd, Outcome, Row};

/// How often an interruption may be without costing an attempt.
const FREE_INTERRUPTIONS: u32 = 3;

/// How many attempts beyond the policy a lost run may have that may be done twice.
const MORE_AFTER_LOSS: u32 = 3;

/// What an end did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Folded {
    /// The attempt has ended by it.
    Ended,
    /// The attempt had been declared lost before; the outcome is kept beside that.
    Late,
    /// The attempt had this end, or another one, already; nothing has changed.
    Already,
}

/// Changes `row` and `attempt` by `end`. The caller has matched the token.
pub fn fold(row: &mut Row, attempt: &mut Attempt, end: &Completion) -> Folded {
    match attempt.outcome() {
        None => {}
        // Who says of a lost attempt that it was lost, or never started, may have taken it over on an older look.
        Some(Outcome::Lost)
            if !matches!(end.outcome, Outcome::Lost | Outcome::Released) && attempt.late_outcome.is_none() =>
        {
            attempt.late_outcome = Some(end.outcome);
            if end.outcome.is_success() || end.fatal || end.outcome == Outcome::Cancelled {
                attempt.retry_at = None;
            }
            note_success(row, attempt, end);
            return Folded::Late;
        }
        Some(_) => return Folded::Already,
    }
    attempt.end = Some(end.clone());
    attempt.retry_at = next_at(attempt, end);
    let wanted_to_end = end.outcome == Outcome::Cancelled || attempt.stop.is_some();
    attempt.gave_up = attempt.retry_at.is_none() && !end.outcome.is_success() && !wanted_to_end;
    note_success(row, attempt, end);
    if attempt.gave_up && attempt.policy.on_gave_up == OnGaveUp::Hold {
        let held = Held { since: end.ended_at, scheduled_for: attempt.run.scheduled_for };
        row.standing.held.get_or_insert(held);
    }
    if end.started_at.is_some() {
        row.standing.durations.get_or_insert_default().observe(end.duration);
    }
    let total = row.totals.entry(end.outcome.word().into()).or_default();
    *total = total.saturating_add(1);
    row.failures_in_a_row = match end.outcome {
        outcome if outcome.is_success() => 0,
        Outcome::Released => row.failures_in_a_row,
        _ => row.failures_in_a_row.saturating_add(1),
    };
    if end.outcome != Outcome::Released {
        row.last = Some(LastEnd {
            scheduled_for: attempt.run.scheduled_for,
            attempt: attempt.number,
            outcome: end.outcome,
            ended_at: end.ended_at,
        });
    }
    Folded::Ended
}

/// Whether an interruption of this attempt costs nothing of its policy.
pub fn reruns(attempt: &Attempt) -> bool {
    attempt.policy.on_interrupt == OnInterrupt::Rerun && attempt.interruptions < FREE_INTERRUPTIONS
}

/// A success is kept for those that depend on it; a pipeline that was held for this run goes on.
fn note_success(row: &mut Row, attempt: &Attempt, end: &Completion) {
    let standing = &mut row.standing;
    let newest = match end.outcome {
        Outcome::Succeeded => &mut standing.succeeded,
        Outcome::Partial => &mut standing.partial,
        _ => return,
    };
    let done = Done { scheduled_for: attempt.run.scheduled_for, ended_at: end.ended_at };
    if newest.is_none_or(|newest| newest.scheduled_for <= done.scheduled_for) {
        *newest = Some(done);
    }
    if standing.held.as_ref().is_some_and(|held| held.scheduled_for == attempt.run.scheduled_for) {
        standing.held = None;
    }
}

fn next_at(attempt: &Attempt, end: &Completion) -> Option<jiff::Timestamp> {
    // What may be done twice is not given up because a host was lost.
    let may_be_done_twice = end.outcome == Outcome::Lost
        && attempt.policy.idempotent == Some(true)
        && attempt.tries < attempt.policy.retry.max_attempts + MORE_AFTER_LOSS;
    let by_policy = || {
        let left = attempt.tries < attempt.policy.retry.max_attempts && !end.fatal;
        let wait = backoff::wait(&attempt.policy.retry, attempt.tries, &attempt.run, attempt.number);
        (left || may_be_done_twice)
            .then(|| end.ended_at.checked_add(wait).map(crate::occurrence::whole_micros).ok())
            .flatten()
    };
    match end.outcome {
        Outcome::Succeeded | Outcome::Partial | Outcome::Cancelled => None,
        // Somebody wanted it to end: whatever it came to, it is not tried again.
        _ if attempt.stop.is_some() => None,
        Outcome::Released => Some(end.ended_at),
        Outcome::Interrupted if reruns(attempt) => Some(end.ended_at),
        Outcome::Lost if attempt.policy.idempotent == Some(false) => None,
        Outcome::Failed | Outcome::TimedOut | Outcome::Lost | Outcome::Interrupted => by_policy(),
    }
}
