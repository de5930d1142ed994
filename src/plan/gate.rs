//! Keeps a pipeline from starting that is paused or held.
//!
//! Holds always: what falls due meanwhile is recorded as not run, so that nothing floods when it goes on; a pause that has
//! an end forbids nothing that is due after it.

use jiff::Timestamp;

use super::due::{Due, Stretch};
use super::progress::pass_over;
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

/// Records what is forbidden as not run, and gives back what is not.
pub fn pass_over_what_was_paused(situation: &Situation<'_>, sight: &Sight, due: Due, decision: &mut Decision) -> Due {
    let standing = &situation.row.standing;
    let (reason, until) = match (&standing.paused, &standing.held) {
        (Some(pause), _) => (Reason::Paused, pause.until),
        (None, Some(_)) => (Reason::Held, None),
        (None, None) => return due,
    };
    open(situation, decision);
    // Held or paused without an end, or not yet at its end: all that is due was due meanwhile.
    let end = until.filter(|until| situation.now >= *until).unwrap_or(Timestamp::MAX);
    let count = due.newest.partition_point(|instant| *instant <= end);
    let (forbidden, allowed) = due.newest.split_at(count);
    let ends_inside_older = due.older.is_some_and(|older| older.last > end);
    // Which of those that are not listed came after the pause nobody counts: they are missed either way.
    let older = due.older.filter(|_| !ends_inside_older);
    let stretch = Stretch::of(older, forbidden);
    if let Some(stretch) = stretch {
        pass_over(situation, sight, decision, stretch, reason);
    }
    Due { newest: allowed.to_vec(), older: due.older.filter(|_| ends_inside_older) }
}
