//! Decides what a tick does about one pipeline.
//!
//! Brings the rules together: schedule sight, due occurrences, pending retries, catch-up, overlap.
//!
//! Holds always: deciding twice on the same row and time gives the same answer; nothing due and nothing new means
//! nothing to commit.

use jiff::Timestamp;

use super::due::Stretch;
use super::{Decision, Draft, Note, Situation, Waiting, WaitsFor, catch_up, due, jitter, retry, sight};
use crate::lease::AHEAD;
use crate::occurrence::Run;
use crate::pipeline::{CatchUp, Overlap};
use crate::run::{NotRun, Reason, Trigger};

/// What to do about the pipeline now.
pub fn decide(situation: &Situation<'_>) -> Decision {
    let mut decision = Decision::unchanged(situation.row);
    let spread = jitter::constant_delay(&situation.pipeline.id, situation.pipeline.jitter);
    let until = situation.now.checked_sub(spread).unwrap_or(Timestamp::MIN);
    let due = due_until(until, situation, &mut decision);
    let held = retry::settle(situation, due.newest.last().copied(), &mut decision);
    let active = situation.open.iter().any(|attempt| attempt.is_active());
    let mut kept = catch_up::apply(situation.pipeline.catch_up, due, until, situation.interval);
    if let Some(missed) = kept.missed {
        miss(situation, &mut decision, missed);
    }
    leave_out_decided(situation, &mut decision, &mut kept.run);
    match (kept.run.as_slice(), active || held || decision.claim.is_some()) {
        ([], _) => {}
        (due, true) => meet_overlap(situation, &mut decision, due),
        (due, false) => claim_oldest(situation, &mut decision, due),
    }
    decision
}

fn due_until(until: Timestamp, situation: &Situation<'_>, decision: &mut Decision) -> due::Due {
    let Some(schedule) = &situation.pipeline.schedule else { return due::Due::default() };
    set_back_what_is_ahead(situation, decision);
    let since = sight::recognise(schedule, situation, decision);
    let after = decision.row.cursor.unwrap_or(since).max(since);
    due::find(schedule, after, until, catch_up::keep(situation.pipeline.catch_up))
}

/// Occurrences that have attempts although the cursor is before them (it was set back, or somebody ran them by hand).
fn leave_out_decided(situation: &Situation<'_>, decision: &mut Decision, due: &mut Vec<Timestamp>) {
    while let Some(first) = due.first().filter(|first| situation.decided.contains(first)) {
        decision.row.cursor = Some(*first);
        decision.changed = true;
        due.remove(0);
    }
}

/// What a clock that was wrong once has written counts from now on: else nothing would be due until then.
fn set_back_what_is_ahead(situation: &Situation<'_>, decision: &mut Decision) {
    let now = situation.now;
    let is_ahead = |instant: Timestamp| instant.duration_since(now) > AHEAD;
    let Decision { row, notes, changed, .. } = decision;
    let cursor = row.cursor.iter_mut();
    let known = row.schedules.iter_mut().flat_map(|known| [Some(&mut known.since), known.replaced_at.as_mut()]);
    let mut ahead: Vec<&mut Timestamp> = cursor.chain(known.flatten()).filter(|instant| is_ahead(**instant)).collect();
    let Some(first) = ahead.first() else { return };
    notes.push(Note::CursorAhead(**first));
    ahead.iter_mut().for_each(|instant| **instant = now);
    row.backlog_until = None;
    *changed = true;
}

fn claim_oldest(situation: &Situation<'_>, decision: &mut Decision, due: &[Timestamp]) {
    let scheduled_for = due[0];
    let late = situation.now.duration_since(scheduled_for);
    let in_time =
        late <= jiff::SignedDuration::try_from(situation.interval + situation.pipeline.jitter).unwrap_or(late);
    decision.claim = Some(Draft {
        run: Run { pipeline: situation.pipeline.id.clone(), scheduled_for },
        number: 1,
        tries: 1,
        earlier_starts: 0,
        interruptions: 0,
        trigger: if in_time { Trigger::Schedule } else { Trigger::CatchUp },
        by_hand: false,
        follows: None,
    });
    decision.row.cursor = Some(scheduled_for);
    decision.row.backlog_until = due.last().copied().filter(|last| *last > scheduled_for);
    decision.more_is_due = due.len() > 1;
    decision.changed = true;
}

/// Something of the pipeline is still going: what is caught up in order waits, and what falls due meanwhile joins it; all
/// else meets the overlap policy.
fn meet_overlap(situation: &Situation<'_>, decision: &mut Decision, due: &[Timestamp]) {
    // A claim that follows one that never started is itself a part of what is caught up.
    let again = decision.claim.as_ref().is_some_and(|draft| draft.follows.is_some() && draft.trigger != Trigger::Retry);
    let in_order = situation.row.backlog_until.is_some() || again;
    if in_order && matches!(situation.pipeline.catch_up, CatchUp::All { .. }) {
        if again {
            decision.row.backlog_until = decision.row.backlog_until.max(due.last().copied());
        }
        let run = Run { pipeline: situation.pipeline.id.clone(), scheduled_for: due[0] };
        decision.waiting.get_or_insert(Waiting { run, for_what: WaitsFor::EarlierRun });
        decision.more_is_due = true;
        return;
    }
    match situation.pipeline.overlap {
        Overlap::Skip => {
            // What has attempts although the cursor is before it is decided already.
            let due: Vec<_> = due.iter().filter(|instant| !situation.decided.contains(instant)).collect();
            let Some((first, others)) = due.split_first() else { return };
            let stretch = others.iter().fold(Stretch::one(**first), |stretch, next| stretch.then(**next));
            pass_over(situation, decision, stretch, Reason::Overlap);
        }
    }
}

/// Passes over what is missed, but for what has attempts although the cursor was before it.
fn miss(situation: &Situation<'_>, decision: &mut Decision, missed: Stretch) {
    let schedule = situation.pipeline.schedule.as_ref();
    let is_occurrence =
        |instant: Timestamp| schedule.and_then(|schedule| schedule.previous_at_or_before(instant)) == Some(instant);
    let within = |instant: &&Timestamp| (missed.first..=missed.last).contains(*instant) && is_occurrence(**instant);
    let decided = situation.decided.iter().filter(within).count() as u64;
    if decided < missed.count {
        pass_over(situation, decision, Stretch { count: missed.count - decided, ..missed }, Reason::Missed);
    } else {
        decision.row.cursor = decision.row.cursor.max(Some(missed.last));
        decision.changed = true;
    }
}

fn pass_over(situation: &Situation<'_>, decision: &mut Decision, stretch: Stretch, reason: Reason) {
    decision.not_run.push(NotRun {
        pipeline: situation.pipeline.id.clone(),
        first: stretch.first,
        last: stretch.last,
        count: stretch.count,
        at_least: stretch.at_least,
        reason,
        decided_at: situation.now,
        after: decision.row.cursor,
    });
    decision.row.cursor = decision.row.cursor.max(Some(stretch.last));
    decision.changed = true;
}
