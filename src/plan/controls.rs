//! Decides about what people ask for: pause, resume, reset, skip, cancel.
//!
//! Each is a change of the pipeline's row like any other, committed by compare-and-swap.
//!
//! Holds always: none of them claims anything.

use jiff::Timestamp;

use super::decide::{decide, pass_over_what_was_forbidden};
use super::retry::close;
use super::{Decision, Situation, WaitsFor, gate};
use crate::run::{Paused, Reason, StopRequest};

/// Nothing of the pipeline starts from now on: until `until`, or until it is resumed.
pub fn pause(situation: &Situation<'_>, until: Option<Timestamp>, note: &str) -> Decision {
    let mut decision = Decision::unchanged(situation.row);
    let since = situation.row.standing.paused.as_ref().map_or(situation.now, |before| before.since);
    decision.row.standing.paused = Some(Paused { since, until, note: note.into() });
    decision.changed = decision.row != *situation.row;
    decision
}

/// It goes on; what fell due meanwhile is recorded as not run.
pub fn resume(situation: &Situation<'_>) -> Decision {
    // What fell due after a pause that is over already is no part of it, and the next tick's to decide.
    if !matches!(gate::closed(situation), Some(WaitsFor::Resume)) {
        return Decision::unchanged(situation.row);
    }
    let mut decision = pass_over_what_was_forbidden(situation);
    decision.row.standing.paused = None;
    decision.row.standing.moved_to = None;
    decision.changed = true;
    decision
}

/// A pipeline that was held goes on; what fell due meanwhile is recorded as not run.
pub fn reset(situation: &Situation<'_>) -> Decision {
    if situation.row.standing.held.is_none() {
        return Decision::unchanged(situation.row);
    }
    let mut decision = pass_over_what_was_forbidden(situation);
    decision.row.standing.held = None;
    decision.changed = true;
    decision
}

/// What would run next does not: a pending retry, or else the next occurrence. Returns which instant that is; none where
/// nothing is to come.
pub fn skip(situation: &Situation<'_>) -> (Decision, Option<Timestamp>) {
    let mut decision = Decision::unchanged(situation.row);
    if let Some(pending) = situation.open.iter().find(|attempt| attempt.retry_at.is_some()) {
        close(pending, Reason::Skipped, situation, &mut decision);
        return (decision, Some(pending.run.scheduled_for));
    }
    let skips = &mut decision.row.standing.skips;
    let decided = decide(situation);
    let first = decided.claim.filter(|draft| draft.follows.is_none()).map(|draft| draft.run);
    let due = decided.waiting.map(|waiting| waiting.run).or(first).map(|run| run.scheduled_for);
    let after = skips.last().and_then(|last| Timestamp::from_microsecond(*last).ok());
    let after = after.max(situation.row.cursor).map_or(situation.now, |after| after.max(situation.now));
    let next = || situation.pipeline.schedule.as_ref().and_then(|schedule| schedule.next_after(after));
    let instant = due.filter(|due| !skips.contains(&due.as_microsecond())).or_else(next);
    if let Some(instant) = instant {
        skips.push(instant.as_microsecond());
        decision.changed = true;
    }
    (decision, instant)
}

/// What keeps an occurrence from being skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSkip {
    /// The schedule has no such instant.
    NoOccurrence,
    /// It ran, runs, or was recorded as not run.
    Decided,
}

/// The occurrence of `at` is not to run; nothing changes where that is so already.
///
/// # Errors
/// Where there is nothing to be skipped.
pub fn skip_at(situation: &Situation<'_>, at: Timestamp) -> (Decision, Result<(), NoSkip>) {
    let mut decision = Decision::unchanged(situation.row);
    let schedule = situation.pipeline.schedule.as_ref();
    if schedule.and_then(|schedule| schedule.previous_at_or_before(at)) != Some(at) {
        return (decision, Err(NoSkip::NoOccurrence));
    }
    if situation.decided.contains(&at) || situation.row.cursor.is_some_and(|cursor| cursor >= at) {
        return (decision, Err(NoSkip::Decided));
    }
    let skips = &mut decision.row.standing.skips;
    if !skips.contains(&at.as_microsecond()) {
        skips.push(at.as_microsecond());
        skips.sort_unstable();
        decision.changed = true;
    }
    (decision, Ok(()))
}

/// An occurrence that was skipped is to run after all: that of `at`, or else the last one. Returns which; none where
/// nothing of that is skipped.
pub fn unskip(situation: &Situation<'_>, at: Option<Timestamp>) -> (Decision, Option<Timestamp>) {
    let mut decision = Decision::unchanged(situation.row);
    let skips = &mut decision.row.standing.skips;
    let index = match at {
        Some(at) => skips.iter().position(|skipped| *skipped == at.as_microsecond()),
        None => skips.len().checked_sub(1),
    };
    let Some(index) = index else { return (decision, None) };
    let instant = Timestamp::from_microsecond(skips.remove(index)).ok();
    decision.changed = true;
    (decision, instant)
}

/// What runs is to end, and what would follow it does not start. Returns how many attempts are told to end.
pub fn cancel(situation: &Situation<'_>, why: &str) -> (Decision, usize) {
    let mut decision = Decision::unchanged(situation.row);
    for attempt in situation.open {
        if attempt.is_active() && attempt.stop.is_some() {
            // It is told already.
        } else if attempt.is_active() {
            decision.stops.push((attempt.token, StopRequest { at: situation.now, why: why.into() }));
            decision.changed = true;
        } else {
            close(attempt, Reason::Skipped, situation, &mut decision);
        }
    }
    let count = decision.stops.len();
    (decision, count)
}
