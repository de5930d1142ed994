//! Decides about retries that are pending: make one, give it up for a newer occurrence, or wait.
//!
//! The instant of a retry was computed at the failure and stored (`fold`); any later tick makes it when its time has
//! come, whatever the schedule says.
//!
//! Holds always: a retry that is not made and not waited for is returned as superseded, unless its run has succeeded after all.

use jiff::Timestamp;

use super::{Decision, Draft, Note, Situation, Waiting, WaitsFor, backoff, gate, jitter, overlap};
use crate::lease::AHEAD;
use crate::pipeline::{CatchUp, Overlap, WhenNextDue};
use crate::run::{Attempt, NotRun, Outcome, Reason, Trigger};

/// What pending retries mean for what is due.
#[derive(Default)]
pub struct Settled<'a> {
    /// Whether a scheduled run holds the pipeline: its retry is waited for.
    pub holds: bool,
    /// The retry of a run that a person asked for: due, and made unless an occurrence has its turn now.
    pub gives_way: Option<&'a Attempt>,
}

/// Handles the pipeline's pending retries; `newest_due` is the newest due occurrence of the schedule, if any.
pub fn settle<'a>(situation: &Situation<'a>, newest_due: Option<Timestamp>, decision: &mut Decision) -> Settled<'a> {
    let busy = overlap::is_full(situation);
    let closed = gate::closed(situation);
    let beside = matches!(situation.pipeline.overlap, Overlap::Allow(_));
    let (mut holds, mut gives_way) = (false, None);
    for attempt in situation.open {
        let Some(stored) = attempt.retry_at else { continue };
        if !attempt.by_hand && situation.row.standing.has_succeeded(attempt.run.scheduled_for) {
            // An earlier attempt, given up for lost, has told of its success since.
            decision.closed.push(attempt.token);
            decision.changed = true;
            continue;
        }
        let retry_at = in_reach(attempt, stored, situation, decision);
        if is_superseded(attempt, situation, newest_due, decision) {
            close(attempt, Reason::Superseded, situation, decision);
        } else if let Some(closed) = &closed {
            // Nothing that is due starts then anyway.
            decision.waiting = Some(Waiting { run: attempt.run.clone(), for_what: closed.clone() });
        } else if retry_at <= situation.now && !busy && decision.claim.is_none() {
            if newest_due.is_some() && gives_way.is_none() && would_cost_a_turn(attempt, retry_at, situation) {
                gives_way = Some(*attempt);
                continue;
            }
            decision.claim = Some(next_attempt(attempt));
            decision.changed = true;
        } else {
            let for_what = if retry_at > situation.now {
                decision.wake_at = Some(decision.wake_at.map_or(retry_at, |earlier| earlier.min(retry_at)));
                WaitsFor::Backoff(retry_at)
            } else {
                WaitsFor::EarlierRun
            };
            decision.waiting = Some(Waiting { run: attempt.run.clone(), for_what });
            holds |= !attempt.by_hand && !beside;
        }
    }
    Settled { holds, gives_way }
}

/// Whether this retry of a run by hand would take an occurrence's turn if it went first. Where occurrences wait it takes
/// none; and it gives way once: after an occurrence that was decided since it was due, it is its own turn.
fn would_cost_a_turn(attempt: &Attempt, retry_at: Timestamp, situation: &Situation<'_>) -> bool {
    let waits = !matches!(situation.pipeline.overlap, Overlap::Skip | Overlap::Replace);
    let gave_way = situation.row.cursor.is_some_and(|cursor| cursor >= retry_at);
    attempt.by_hand && !waits && !gave_way && situation.row.backlog_until.is_none()
}

/// Makes the retry that has given way if no occurrence is `left` that starts or waits; else it waits its turn.
pub fn after_what_is_due(attempt: &Attempt, left: &[Timestamp], decision: &mut Decision) {
    if decision.claim.is_none() && left.is_empty() {
        decision.claim = Some(next_attempt(attempt));
        decision.changed = true;
        return;
    }
    decision.more_is_due |= decision.claim.is_some();
    decision.waiting.get_or_insert(Waiting { run: attempt.run.clone(), for_what: WaitsFor::EarlierRun });
}

/// When the retry is due: now, where a clock that was wrong at the failure has put it further off than its wait can be.
fn in_reach(attempt: &Attempt, stored: Timestamp, situation: &Situation<'_>, decision: &mut Decision) -> Timestamp {
    let wait = backoff::wait(&attempt.policy.retry, attempt.tries, &attempt.run, attempt.number);
    let farthest = situation.now.saturating_add(AHEAD).and_then(|hour| hour.saturating_add(wait));
    if farthest.is_ok_and(|farthest| stored > farthest) {
        decision.notes.push(Note::RetryAhead(stored));
        return situation.now;
    }
    stored
}

/// The attempt after `attempt`.
pub fn next_attempt(attempt: &Attempt) -> Draft {
    let outcome = attempt.outcome();
    let started = outcome == Some(Outcome::Lost) || attempt.end.as_ref().is_some_and(|end| end.started_at.is_some());
    let rerun = outcome == Some(Outcome::Interrupted) && super::fold::reruns(attempt);
    let burned = !rerun && outcome != Some(Outcome::Released);
    Draft {
        run: attempt.run.clone(),
        number: attempt.number + 1,
        tries: attempt.tries + u32::from(burned),
        earlier_starts: attempt.earlier_starts + u32::from(started),
        interruptions: attempt.interruptions + u32::from(rerun),
        trigger: if outcome == Some(Outcome::Released) { attempt.trigger } else { Trigger::Retry },
        by_hand: attempt.by_hand,
        follows: Some(attempt.token),
    }
}

fn is_superseded(
    attempt: &Attempt,
    situation: &Situation<'_>,
    newest_due: Option<Timestamp>,
    decision: &Decision,
) -> bool {
    // One may have been decided by a host that did not know of the retry. What fell due before the failure is none of those.
    let newest_decided = decision.row.cursor.filter(|cursor| *cursor > attempt.run.scheduled_for);
    let spread = jitter::constant_delay(&situation.pipeline.id, situation.pipeline.jitter);
    let fell_due = newest_decided.and_then(|cursor| cursor.checked_add(spread).ok());
    let was_decided_since = fell_due.zip(attempt.end.as_ref()).is_some_and(|(due, end)| due >= end.ended_at);
    let next_is_due = was_decided_since || newest_due.is_some_and(|due| due > attempt.run.scheduled_for);
    let caught_up_in_order = matches!(situation.pipeline.catch_up, CatchUp::All { .. })
        && situation.row.backlog_until.is_some_and(|until| attempt.run.scheduled_for <= until);
    let never_started =
        attempt.outcome() == Some(Outcome::Released) && matches!(situation.pipeline.catch_up, CatchUp::All { .. });
    let finish_first = attempt.policy.retry.when_next_due == WhenNextDue::FinishFirst;
    next_is_due && !attempt.by_hand && !finish_first && !caught_up_in_order && !never_started
}

/// No further attempt of the run is made.
pub fn close(attempt: &Attempt, reason: Reason, situation: &Situation<'_>, decision: &mut Decision) {
    let scheduled_for = attempt.run.scheduled_for;
    decision.closed.push(attempt.token);
    decision.not_run.push(NotRun {
        pipeline: attempt.run.pipeline.clone(),
        first: scheduled_for,
        last: scheduled_for,
        count: 1,
        at_least: false,
        reason,
        decided_at: situation.now,
        after: None,
    });
    decision.changed = true;
}
