//! Decides about a run that a person asks for.
//!
//! Such a run is for the instant of the request, or repeats the run of an earlier one. The schedule's cursor does not
//! move, and the retry policy applies from the first attempt on.
//!
//! Holds always: while an attempt of the pipeline is active, none is claimed by hand.

use jiff::Timestamp;

use super::{Decision, Draft, Situation};
use crate::occurrence::Run;
use crate::run::{Attempt, Trigger};

/// Another attempt of the pipeline is active: its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy(pub Run);

/// Claims a run of `scheduled_for`; `latest` is the last attempt of that run, if it has any.
///
/// # Errors
/// `Busy` while an attempt of the pipeline is active.
pub fn by_hand(
    situation: &Situation<'_>,
    scheduled_for: Timestamp,
    latest: Option<&Attempt>,
) -> Result<Decision, Busy> {
    if let Some(active) = situation.open.iter().find(|attempt| attempt.is_active()) {
        return Err(Busy(active.run.clone()));
    }
    let mut decision = Decision::unchanged(situation.row);
    let first = Draft {
        run: Run { pipeline: situation.pipeline.id.clone(), scheduled_for },
        number: 1,
        tries: 1,
        earlier_starts: 0,
        interruptions: 0,
        trigger: Trigger::Manual,
        by_hand: true,
        follows: None,
    };
    decision.claim = Some(match latest {
        None => first,
        Some(latest) => {
            let next = super::retry::next_attempt(latest);
            let follows = latest.retry_at.map(|_| latest.token);
            Draft { number: next.number, earlier_starts: next.earlier_starts, follows, ..first }
        }
    });
    decision.changed = true;
    Ok(decision)
}
