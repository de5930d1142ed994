//! Decides about an occurrence that is due while runs of its pipeline are still going.
//!
//! Holds always: no more runs of a pipeline are active than its policy allows; among runs that are caught up in order,
//! one follows the other whatever the policy.

use jiff::Timestamp;

use super::decide::wait;
use super::due::Stretch;
use super::progress::pass_over;
use super::sight::Sight;
use super::{Decision, Situation, WaitsFor};
use crate::pipeline::{CatchUp, Overlap};
use crate::run::{Reason, StopRequest, Trigger};

/// Whether no further attempt may start beside those that are active.
pub fn is_full(situation: &Situation<'_>) -> bool {
    let active = situation.open.iter().filter(|attempt| attempt.is_active()).count();
    match situation.pipeline.overlap {
        Overlap::Allow(most) if situation.row.backlog_until.is_none() => active >= most as usize,
        _ => active > 0,
    }
}

/// What is caught up in order waits, and what falls due meanwhile joins it; all else meets the policy. `due` is not empty.
/// Returns whether any of it waits.
pub fn meet(situation: &Situation<'_>, sight: &Sight, decision: &mut Decision, due: &[Timestamp]) -> bool {
    // A claim that follows one that never started is itself a part of what is caught up.
    let again = decision.claim.as_ref().is_some_and(|draft| draft.follows.is_some() && draft.trigger != Trigger::Retry);
    let queues = situation.pipeline.overlap == Overlap::Queue;
    let in_order = situation.row.backlog_until.is_some() || again || queues;
    if in_order && matches!(situation.pipeline.catch_up, CatchUp::All { .. }) {
        if again {
            decision.row.backlog_until = decision.row.backlog_until.max(due.last().copied());
        }
        wait(situation, decision, due[0], WaitsFor::EarlierRun);
        decision.more_is_due = true;
        return true;
    }
    // What has attempts although the cursor is before it is decided already.
    let due: Vec<Timestamp> = due.iter().copied().filter(|instant| !situation.decided.contains(instant)).collect();
    let Some((&newest, older)) = due.split_last() else { return false };
    match situation.pipeline.overlap {
        Overlap::Skip => {
            if let Some(all) = Stretch::of(None, &due) {
                pass_over(situation, sight, decision, all, Reason::Overlap);
            }
            return false;
        }
        Overlap::Queue | Overlap::Replace => {
            if let Some(older) = Stretch::of(None, older) {
                pass_over(situation, sight, decision, older, Reason::Superseded);
            }
            wait(situation, decision, newest, WaitsFor::EarlierRun);
        }
        Overlap::Allow(_) => wait(situation, decision, due[0], WaitsFor::EarlierRun),
    }
    decision.more_is_due = true;
    if situation.pipeline.overlap == Overlap::Replace {
        let why = format!("the run of {newest} takes its place");
        let active = situation.open.iter().filter(|attempt| attempt.is_active() && attempt.stop.is_none());
        let stops: Vec<_> =
            active.map(|attempt| (attempt.token, StopRequest { at: situation.now, why: why.clone() })).collect();
        decision.changed |= !stops.is_empty();
        decision.stops.extend(stops);
    }
    true
}
