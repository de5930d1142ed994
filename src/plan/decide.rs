//! Decides what a tick does about one pipeline.
//!
//! Brings the rules together: schedule sight, due occurrences, pause and hold, pending retries, catch-up, deadline, what it
//! depends on, overlap. A run that waits leaves the cursor before it; what waits for what is said, never stored.
//!
//! Holds always: deciding twice on the same row and time gives the same answer; nothing due and nothing new means
//! nothing to commit.

use std::iter::successors;

use jiff::{SignedDuration, Timestamp};

use super::catch_up::Kept;
use super::due::{Due, MICROSECOND, Stretch};
use super::progress::{advance, pass_over, set_back_what_is_ahead};
use super::sight::Sight;
use super::{
    Decision, Draft, Situation, Waiting, WaitsFor, alerts, catch_up, due, gate, jitter, overlap, retry, upstream,
};
use crate::occurrence::Run;
use crate::pipeline::Overlap;
use crate::run::{Reason, Trigger};

/// What to do about the pipeline now.
pub fn decide(situation: &Situation<'_>) -> Decision {
    let (mut decision, seen) = look(situation);
    let Some(Seen { sight, until, newest, due, skipped }) = seen else {
        retry::settle(situation, None, &mut decision);
        return decision;
    };
    let settled = retry::settle(situation, newest, &mut decision);
    let mut kept = catch_up::apply(situation.pipeline.catch_up, due, until, situation.interval);
    let blocked = what_blocks(situation, &kept, settled.holds, &decision);
    if let Some(missed) = kept.missed {
        miss(situation, &sight, &mut decision, missed, blocked.as_ref());
    }
    // One that lies after what may have to wait is passed over when that has run.
    for instant in skipped.into_iter().filter(|instant| kept.run.first().is_none_or(|first| instant < first)) {
        pass_over(situation, &sight, &mut decision, Stretch::one(instant), Reason::Skipped);
    }
    leave_out(situation, &sight, until, &mut decision, &mut kept.run);
    let mut left = kept.run.as_slice();
    match (left, blocked) {
        ([], _) => {}
        (due, Some(Blocked::Busy)) => {
            if !overlap::meet(situation, &sight, &mut decision, due) {
                left = &[];
            }
        }
        (due, Some(Blocked::TooSoon(at))) => {
            decision.wake_at = Some(decision.wake_at.map_or(at, |earlier| earlier.min(at)));
            wait(situation, &mut decision, due[0], WaitsFor::MinInterval(at));
        }
        (due, None) => match upstream::unmet(situation, due[0]) {
            Some(upstream) => wait(situation, &mut decision, due[0], WaitsFor::Upstream(upstream.clone())),
            None => claim_oldest(situation, &sight, &mut decision, due),
        },
    }
    if let Some(retry) = settled.gives_way {
        retry::after_what_is_due(retry, left, &mut decision);
    }
    sight.note_use(situation, &mut decision);
    alerts::of_decision(situation, &mut decision);
    decision
}

/// Notes what an occurrence waits for, if nothing else of the pipeline waits.
pub fn wait(situation: &Situation<'_>, decision: &mut Decision, scheduled_for: Timestamp, for_what: WaitsFor) {
    let run = Run { pipeline: situation.pipeline.id.clone(), scheduled_for };
    decision.waiting.get_or_insert(Waiting { run, for_what });
}

/// What is due, without what a pause or a hold forbids.
struct Seen {
    sight: Sight,
    /// What is scheduled until this instant may be due.
    until: Timestamp,
    /// The newest that is due, forbidden or not.
    newest: Option<Timestamp>,
    due: Due,
    /// What of it a person does not want, oldest first.
    skipped: Vec<Timestamp>,
}

/// Sees what is due, and records as not run what a pause or a hold forbids; nothing is seen where nothing but a person
/// makes the pipeline due.
fn look(situation: &Situation<'_>) -> (Decision, Option<Seen>) {
    let mut decision = Decision::unchanged(situation.row);
    set_back_what_is_ahead(situation, &mut decision);
    let spread = jitter::constant_delay(&situation.pipeline.id, situation.pipeline.jitter);
    let until = situation.now.checked_sub(spread).unwrap_or(Timestamp::MIN);
    let Some(mut sight) = Sight::of(situation, &mut decision) else {
        gate::open(situation, &mut decision);
        return (decision, None);
    };
    let forbidden = gate::pass_over_what_a_pause_forbade(situation, &mut sight, until, &mut decision);
    let due = due_until(until, &sight, situation, &decision);
    let newest = due.newest.last().copied().or(forbidden);
    let mut due = gate::pass_over_what_was_forbidden(situation, &sight, due, &mut decision);
    let wanted = |instant: &Timestamp| !situation.row.standing.skips.contains(&instant.as_microsecond());
    let skipped = due.leave_out(wanted, catch_up::keep(situation.pipeline.catch_up));
    (decision, Some(Seen { sight, until, newest, due, skipped }))
}

/// Records as not run what a pause or a hold has forbidden until now, and decides nothing else.
pub fn pass_over_what_was_forbidden(situation: &Situation<'_>) -> Decision {
    look(situation).0
}

/// What keeps the oldest due occurrence from starting.
enum Blocked {
    /// Runs of the pipeline.
    Busy,
    /// The start of the last one.
    TooSoon(Timestamp),
}

fn what_blocks(situation: &Situation<'_>, kept: &Kept, held: bool, decision: &Decision) -> Option<Blocked> {
    if held || decision.claim.is_some() || overlap::is_full(situation) {
        return Some(Blocked::Busy);
    }
    let earliest = earliest_start(situation)?;
    (earliest > situation.now && !kept.run.is_empty()).then_some(Blocked::TooSoon(earliest))
}

/// When the shortest interval after the last start is over; none where nothing has started.
fn earliest_start(situation: &Situation<'_>) -> Option<Timestamp> {
    // A clock that was wrong once holds nothing up for longer than the interval itself.
    let last = situation.row.standing.claimed_at.filter(|last| *last <= situation.now)?;
    last.checked_add(SignedDuration::try_from(situation.pipeline.min_interval).ok()?).ok()
}

/// How many occurrences are looked at one by one: what a person does not want costs nothing else its run.
pub fn listed(situation: &Situation<'_>) -> usize {
    catch_up::keep(situation.pipeline.catch_up) + situation.row.standing.skips.len()
}

fn due_until(until: Timestamp, sight: &Sight, situation: &Situation<'_>, decision: &Decision) -> Due {
    match &situation.pipeline.schedule {
        Some(schedule) => due::find(schedule, sight.after, until, listed(situation)),
        None => upstream::due(situation, &decision.row),
    }
}

/// Leaves out what needs no decision any more, or can't have a good one: occurrences that have attempts although the cursor
/// is before them (it was set back, or somebody ran them by hand), those that are too late, and those whose upstreams did
/// not succeed before the next one was due.
fn leave_out(
    situation: &Situation<'_>,
    sight: &Sight,
    until: Timestamp,
    decision: &mut Decision,
    due: &mut Vec<Timestamp>,
) {
    let deadline = situation.pipeline.start_deadline.and_then(|deadline| SignedDuration::try_from(deadline).ok());
    while let Some(&first) = due.first() {
        let reason = if situation.decided.contains(&first) {
            None
        } else if deadline.is_some_and(|deadline| until.duration_since(first) > deadline) {
            Some(Reason::Deadline)
        } else if due.len() > 1 && upstream::unmet(situation, first).is_some() {
            Some(Reason::Upstream)
        } else {
            return;
        };
        match reason {
            Some(reason) => pass_over(situation, sight, decision, Stretch::one(first), reason),
            None => advance(situation, sight, decision, first),
        }
        due.remove(0);
    }
}

fn claim_oldest(situation: &Situation<'_>, sight: &Sight, decision: &mut Decision, due: &[Timestamp]) {
    let scheduled_for = due[0];
    let late = situation.now.duration_since(scheduled_for);
    let in_time = late <= SignedDuration::try_from(situation.interval + situation.pipeline.jitter).unwrap_or(late);
    let follows_others = situation.pipeline.schedule.is_none();
    decision.claim = Some(Draft {
        run: Run { pipeline: situation.pipeline.id.clone(), scheduled_for },
        number: 1,
        tries: 1,
        earlier_starts: 0,
        interruptions: 0,
        trigger: if in_time || follows_others { Trigger::Schedule } else { Trigger::CatchUp },
        by_hand: false,
        follows: None,
    });
    if !situation.pipeline.min_interval.is_zero() {
        decision.row.standing.claimed_at = Some(situation.now);
    }
    advance(situation, sight, decision, scheduled_for);
    decision.row.backlog_until = due.last().copied().filter(|last| *last > scheduled_for);
    decision.more_is_due = due.len() > 1;
}

/// Passes over what is missed, but for what has attempts although the cursor was before it.
fn miss(situation: &Situation<'_>, sight: &Sight, decision: &mut Decision, missed: Stretch, blocked: Option<&Blocked>) {
    let schedule = situation.pipeline.schedule.as_ref();
    let is_occurrence =
        |instant: Timestamp| schedule.and_then(|schedule| schedule.previous_at_or_before(instant)) == Some(instant);
    let within = |instant: &&Timestamp| (missed.first..=missed.last).contains(*instant) && is_occurrence(**instant);
    let mut decided = situation.decided.iter().filter(within).count() as u64;
    let waited_for_turn = match blocked {
        Some(Blocked::Busy) => situation.pipeline.overlap != Overlap::Skip,
        Some(Blocked::TooSoon(_)) => true,
        None => waited(situation, missed),
    };
    let reason = match missed.count {
        _ if waited_for_turn => Reason::Superseded,
        1 if upstream::unmet(situation, missed.first).is_some() => Reason::Upstream,
        _ => Reason::Missed,
    };
    for skipped in situation.row.standing.skips.iter().filter_map(|skipped| Timestamp::from_microsecond(*skipped).ok())
    {
        if within(&&skipped) {
            pass_over(situation, sight, decision, Stretch::one(skipped), Reason::Skipped);
            decided += 1;
        }
    }
    // One that waited for others until its next one was due, and then more of them.
    let second = schedule.and_then(|schedule| schedule.next_after(missed.first));
    if let Some(second) = second.filter(|_| reason == Reason::Missed && decided == 0 && missed.count > 1)
        && upstream::unmet(situation, missed.first).is_some()
    {
        pass_over(situation, sight, decision, Stretch::one(missed.first), Reason::Upstream);
        let rest = Stretch { first: second, count: missed.count - 1, ..missed };
        return pass_over(situation, sight, decision, rest, reason);
    }
    if decided < missed.count {
        let (first, last) = without_what_ran(situation, missed);
        let count = missed.count - decided;
        pass_over(situation, sight, decision, Stretch { first, last, count, ..missed }, reason);
    }
    advance(situation, sight, decision, missed.last);
}

/// Whether all of it fell due while the last run went on, or the interval after its start, and so waited for its turn.
fn waited(situation: &Situation<'_>, missed: Stretch) -> bool {
    let lies_in = |begin: Timestamp, end: Timestamp| begin < missed.first && missed.last < end && end <= situation.now;
    let queues = situation.pipeline.overlap != Overlap::Skip;
    let last = situation.row.last.as_ref().filter(|_| queues);
    let interval = situation.row.standing.claimed_at.zip(earliest_start(situation));
    last.is_some_and(|last| lies_in(last.scheduled_for, last.ended_at))
        || interval.is_some_and(|(start, end)| lies_in(start, end))
}

/// The ends of a stretch in which something is missed; what was run within it is counted, and not told apart.
fn without_what_ran(situation: &Situation<'_>, missed: Stretch) -> (Timestamp, Timestamp) {
    let schedule = situation.pipeline.schedule.as_ref();
    let ran = |instant: &Timestamp| situation.decided.contains(instant);
    let after = |instant: &Timestamp| schedule.and_then(|schedule| schedule.next_after(*instant));
    let before = |instant: &Timestamp| {
        schedule.and_then(|schedule| schedule.previous_at_or_before(instant.checked_sub(MICROSECOND).ok()?))
    };
    let first = successors(Some(missed.first), after).find(|instant| !ran(instant));
    let last = successors(Some(missed.last), before).find(|instant| !ran(instant));
    (first.unwrap_or(missed.first), last.unwrap_or(missed.last))
}
