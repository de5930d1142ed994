//! Moves a pipeline's cursors: the one of the schedule that decides, and the pipeline's own.
//!
//! Holds always: a cursor moves forward only, but for one that a wrong clock has put ahead; each move is past what the same
//! decision claims or accounts for.

use jiff::Timestamp;

use super::due::Stretch;
use super::sight::Sight;
use super::{Decision, Note, Situation, upstream};
use crate::lease::AHEAD;
use crate::run::{NotRun, Reason};

/// The occurrence, and all before it, are decided.
pub fn advance(situation: &Situation<'_>, sight: &Sight, decision: &mut Decision, instant: Timestamp) {
    if situation.pipeline.schedule.is_none() {
        upstream::follow(situation, &mut decision.row);
    }
    let row = &mut decision.row;
    row.cursor = row.cursor.max(Some(instant));
    row.standing.skips.retain(|skipped| *skipped > instant.as_microsecond());
    if let Some(known) = row.schedules.get_mut(sight.index) {
        known.cursor = known.cursor.max(Some(instant));
    }
    decision.changed = true;
}

/// Records a stretch of occurrences as not run.
pub fn pass_over(situation: &Situation<'_>, sight: &Sight, decision: &mut Decision, stretch: Stretch, reason: Reason) {
    let cursor = decision.row.schedules.get(sight.index).and_then(|known| known.cursor);
    decision.not_run.push(NotRun {
        pipeline: situation.pipeline.id.clone(),
        first: stretch.first,
        last: stretch.last,
        count: stretch.count,
        at_least: stretch.at_least,
        reason,
        decided_at: situation.now,
        after: cursor.or(decision.row.cursor),
    });
    advance(situation, sight, decision, stretch.last);
}

/// What a clock that was wrong once has written counts from now on: else nothing would be due until then.
pub fn set_back_what_is_ahead(situation: &Situation<'_>, decision: &mut Decision) {
    if situation.pipeline.schedule.is_none() {
        return;
    }
    let now = situation.now;
    let is_ahead = |instant: Timestamp| instant.duration_since(now) > AHEAD;
    let Decision { row, notes, changed, .. } = decision;
    let cursor = row.cursor.iter_mut();
    let known = row
        .schedules
        .iter_mut()
        .flat_map(|known| [Some(&mut known.since), known.cursor.as_mut(), known.replaced_at.as_mut()]);
    let mut ahead: Vec<&mut Timestamp> = cursor.chain(known.flatten()).filter(|instant| is_ahead(**instant)).collect();
    let Some(first) = ahead.first() else { return };
    notes.push(Note::CursorAhead(**first));
    ahead.iter_mut().for_each(|instant| **instant = now);
    row.backlog_until = None;
    *changed = true;
}
