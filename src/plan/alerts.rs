//! Says what people are told: of the end of an attempt, and of a decision.
//!
//! A store puts what `of_end` returns into its outbox in the commit that takes the end; what a decision tells goes with its
//! transition. How it is delivered is for `tick`.
//!
//! Holds always: the same event has the same id, whoever tells it; `recovered` follows a failure that was told, once.

use jiff::{SignedDuration, Timestamp};

use super::fold::reruns;
use super::{Decision, Folded, Note, Situation};
use crate::alert::{Alert, Kind};
use crate::pipeline::OnGaveUp;
use crate::run::{Attempt, Completion, NotRun, Outcome, Reason, Row};

/// Bytes of an error's words that an alert keeps.
const ERROR_BYTES: usize = 500;

/// How long a pipeline whose hosts disagree is not told again.
const SPLIT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What people are told after `fold` has changed row and attempt by `end`; the row remembers it.
pub fn of_end(row: &mut Row, attempt: &Attempt, end: &Completion, folded: Folded) -> Vec<Alert> {
    let told = |kind| of_attempt(kind, attempt, end);
    let told_failure = &mut row.standing.told.failure;
    match (folded, end.outcome) {
        (Folded::Already, _) | (Folded::Ended, Outcome::Cancelled | Outcome::Released) => Vec::new(),
        (Folded::Late, _) => vec![told(Kind::LateOutcome)],
        (Folded::Ended, Outcome::Succeeded | Outcome::Partial) => {
            let partial = (end.outcome == Outcome::Partial).then(|| told(Kind::Partial));
            let recovered = std::mem::take(told_failure).then(|| told(Kind::Recovered));
            partial.into_iter().chain(recovered).collect()
        }
        // It costs nothing of the policy: the run goes on as if nothing had been.
        (Folded::Ended, Outcome::Interrupted) if !attempt.gave_up && reruns(attempt) => Vec::new(),
        (Folded::Ended, outcome) => {
            *told_failure = true;
            let mut alert = told(match (outcome, attempt.gave_up) {
                (Outcome::Lost, _) => Kind::Lost,
                (_, true) => Kind::GaveUp,
                (_, false) => Kind::Failed,
            });
            if attempt.gave_up && attempt.policy.on_gave_up == OnGaveUp::Hold {
                let held = format!("held until `tickward reset {}`", attempt.run.pipeline);
                alert.error = Some(alert.error.map_or(held.clone(), |error| format!("{error}; {held}")));
            }
            vec![alert]
        }
    }
}

fn of_attempt(kind: Kind, attempt: &Attempt, end: &Completion) -> Alert {
    let fails = !end.outcome.is_success();
    Alert {
        max_attempts: Some(attempt.policy.retry.max_attempts),
        outcome: Some(end.outcome.word().into()),
        error: end.error.as_deref().map(bounded),
        exit_code: end.exit_code.filter(|_| fails),
        next_attempt_at: attempt.retry_at,
        host: attempt.owner.host.clone(),
        ..Alert::of_attempt(kind, &attempt.run, attempt.number, end.ended_at)
    }
}

fn bounded(text: &str) -> String {
    let whole = (0..=ERROR_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..whole.unwrap_or_default()].into()
}

/// Adds to a decision what people are told of it. A stretch that goes on is told where it began; hosts that disagree are told
/// of once an hour; what a wrong clock has written is told when it is put right.
pub(super) fn of_decision(situation: &Situation<'_>, decision: &mut Decision) {
    let told = &mut decision.row.standing.told;
    for missed in decision.not_run.iter().filter(|entry| entry.reason == Reason::Missed) {
        let goes_on = missed.after.is_some() && told.missed_until == missed.after;
        if !goes_on {
            decision.alerts.push(of_missed(missed));
        }
        told.missed_until = Some(missed.last);
    }
    for note in &decision.notes {
        let (ahead, what_was) = match note {
            Note::ConfigSplit => continue,
            Note::CursorAhead(until) => {
                (until, format!("occurrences up to {until} counted as decided; goes on from now"))
            }
            Note::RetryAhead(until) => (until, format!("its retry was put off to {until}; it is due now")),
        };
        let what = crate::occurrence::compact(*ahead);
        decision.alerts.push(Alert {
            error: Some(what_was),
            ..Alert::of_pipeline(Kind::ClockWrong, &situation.pipeline.id, &what, situation.now)
        });
    }
    let is_due = |at: Timestamp| situation.now.duration_since(at) >= SPLIT_EVERY || at > situation.now;
    if decision.notes.contains(&Note::ConfigSplit) && told.split_at.is_none_or(is_due) {
        let what = crate::occurrence::compact(situation.now);
        decision.alerts.push(Alert::of_pipeline(Kind::ConfigSplit, &situation.pipeline.id, &what, situation.now));
        told.split_at = Some(situation.now);
        decision.changed = true;
    }
}

fn of_missed(missed: &NotRun) -> Alert {
    let what = crate::occurrence::compact(missed.first);
    Alert {
        scheduled_for: Some(missed.first),
        last_scheduled_for: Some(missed.last),
        count: Some(missed.count),
        at_least: missed.at_least,
        ..Alert::of_pipeline(Kind::Missed, &missed.pipeline, &what, missed.decided_at)
    }
}
