//! Keeps a pipeline from starting that is paused or held.
//!
//! Holds always: what falls due meanwhile is recorded as not run, so that nothing floods when it goes on; a pause that has
//! an end forbids nothing that is due at that instant, or after it.

use jiff::Timestamp;

use super::decide::listed;
use super::due::{self, Due, MICROSECOND, Stretch};
use super::progress::{advance, pass_over};
use super::sight::Sight;
use super::{Decision, Situation, WaitsFor};
use crate::run::Reason;

/// What keeps the pipeline from starting now.
pub fn closed(situation: &Situation<'_>) -> Option<WaitsFor> {
    let standing = &situation.row.standing;
    let is_paused = standing.paused.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| situation.now < until));
    if is_paused { Some(WaitsFor::Resume) } else { standing.held.as_ref().map(|_| WaitsFor::Reset) }
}

/// Ends a pause whose time is over.
pub fn open(situation: &Situation<'_>, decision: &mut Decision) {
    let until = situation.row.standing.paused.as_ref().and_then(|pause| pause.until);
    if until.is_some_and(|until| situation.now >= until) {
        decision.row.standing.paused = None;
        decision.changed = true;
    }
}

/// Records as not run what the schedule had until the end of a pause that is over: what is due goes on from there. Returns the
/// newest of it.
pub fn pass_over_what_a_pause_forbade(
    situation: &Situation<'_>,
    sight: &mut Sight,
    until: Timestamp,
    decision: &mut Decision,
) -> Option<Timestamp> {
    let schedule = situation.pipeline.schedule.as_ref()?;
    let end = situation.row.standing.paused.as_ref()?.until?;
    if end <= sight.after || end > until {
        return None;
    }
    let before = end.checked_sub(MICROSECOND).unwrap_or(end);
    let due = due::find(schedule, sight.after, before, listed(situation));
    let newest = due.newest.last().copied();
    pass_over_until(end, Reason::Paused, situation, sight, due, decision);
    sight.after = before;
    newest
}

/// Records what is forbidden as not run, and gives back what is not.
pub fn pass_over_what_was_forbidden(
    situation: &Situation<'_>,
    sight: &Sight,
    due: Due,
    decision: &mut Decision,
) -> Due {
    let standing = &situation.row.standing;
    let mut due = due;
    if let Some(pause) = &standing.paused {
        // Not at its end yet, or without one: all that is due was due meanwhile.
        let end = pause.until.filter(|until| situation.now >= *until).unwrap_or(Timestamp::MAX);
        due = pass_over_until(end, Reason::Paused, situation, sight, due, decision);
    }
    if standing.held.is_some() {
        due = pass_over_until(Timestamp::MAX, Reason::Held, situation, sight, due, decision);
    }
    open(situation, decision);
    due
}

fn pass_over_until(
    end: Timestamp,
    reason: Reason,
    situation: &Situation<'_>,
    sight: &Sight,
    due: Due,
    decision: &mut Decision,
) -> Due {
    let count = due.newest.partition_point(|instant| *instant < end);
    let (forbidden, allowed) = due.newest.split_at(count);
    // Those that are not listed came all before the end, or all after it.
    let (older, missed) = due.older.map_or((None, None), |older| match older.last >= end {
        true => (None, Some(older)),
        false => (Some(older), None),
    });
    // What has attempts although the cursor is before it is decided already.
    let undecided: Vec<Timestamp> =
        forbidden.iter().copied().filter(|instant| !situation.decided.contains(instant)).collect();
    if let Some(stretch) = Stretch::of(older, &undecided) {
        pass_over(situation, sight, decision, stretch, reason);
    }
    if let Some(last) = forbidden.last().filter(|last| situation.decided.contains(last)) {
        advance(situation, sight, decision, *last);
    }
    Due { newest: allowed.to_vec(), older: missed }
}
