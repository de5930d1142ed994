//! What becomes of an attempt that was claimed and run while the run-log could not be used.
//!
//! Values only: reading and writing them is for each backend, the files that they come from are for `spool`.
//!
//! Holds always: an attempt is known by its token, so that the same records may come any number of times; nothing takes
//! the place of an attempt that is there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::again;
use crate::alert::Alert;
use crate::plan::{Folded, alerts, fold, next_attempt};
use crate::run::{Attempt, Completion, Outcome, Row};

/// An attempt that was claimed on its host alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spooled {
    /// The attempt, ended or not.
    pub attempt: Attempt,
    /// The cursor from which the claim moved it, with nothing left out in between; none where the schedule has to be asked
    /// what lies in between.
    pub after: Option<Timestamp>,
    /// Hash of the schedule that says so; empty where nobody knows.
    #[serde(default)]
    pub schedule: String,
}

/// More attempts than anybody makes of a run: there is room for many after it.
const MOST_ATTEMPTS: u32 = 1_000_000;
/// A higher fence than anybody comes to: there is room for many after it.
const HIGHEST_FENCE: u64 = 1 << 62;

impl Spooled {
    /// Why no tick can have written it, where that is so: what follows it could not be counted, and it would keep all that comes with
    /// it from being taken in.
    pub fn flaw(&self) -> Option<String> {
        let Attempt { number, tries, earlier_starts, interruptions, fence, .. } = self.attempt;
        if !(1..=MOST_ATTEMPTS).contains(&number) {
            return Some(format!("its attempt number, {number}, is none"));
        }
        let most = tries.max(earlier_starts).max(interruptions);
        if most > MOST_ATTEMPTS {
            return Some(format!("{most} attempts before it are too many"));
        }
        (fence > HIGHEST_FENCE).then(|| format!("its fence, {fence}, is none"))
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is in the run-log now.
    Taken,
    /// It was there before; its end or lease may be new.
    Known,
    /// Another host, or this one before, had made the same attempt: it ran twice, and is kept under this number.
    Duplicate(u32),
    /// Another attempt has its key, and it has not ended yet: it comes again.
    Waits,
}

/// Takes `spooled` in. `there` is the attempt that has its token already, `others` are all attempts of its run. Changes the
/// row, and returns the attempts to be stored, the imported one first, if anything is new, and what people are told.
pub fn take_in(
    row: &mut Row,
    there: Option<Attempt>,
    others: &[Attempt],
    spooled: &Spooled,
) -> (Imported, Vec<Attempt>, Vec<Alert>) {
    let new = &spooled.attempt;
    if let Some(known) = there {
        let (changed, alerts) = brought_up_to_date(row, known, new, others);
        return (Imported::Known, changed, alerts);
    }
    let is_taken = others.iter().any(|other| other.number == new.number || other.is_active());
    let is_twice = is_taken && !is_in_place_of_what_was_given_back(new, others);
    let number = match is_taken {
        false => new.number,
        true if new.is_active() => return (Imported::Waits, Vec::new(), Vec::new()),
        true => others.iter().map(|other| other.number).max().unwrap_or(0).max(new.number).saturating_add(1),
    };
    let unended = Attempt { end: None, late_outcome: None, retry_at: None, gave_up: false, ..new.clone() };
    let mut attempt = Attempt { number, degraded: true, ..unended };
    row.fence = row.fence.max(new.fence);
    // By another schedule something may lie in between: that one has to be asked.
    let in_force = row.schedules.first_mut().filter(|known| known.hash == spooled.schedule);
    if let Some(known) = in_force
        && spooled.after.is_some()
        && row.cursor == spooled.after
        && !new.by_hand
    {
        row.cursor = Some(new.run.scheduled_for);
        if known.cursor == spooled.after {
            known.cursor = row.cursor;
        }
    }
    let (mut given_up, mut alerts) = (Vec::new(), Vec::new());
    if let Some(end) = &new.end {
        let mut end = end.clone();
        if is_twice {
            let ran_twice = format!("ran twice: attempt {} was made elsewhere too", new.number);
            end.error = Some(end.error.map_or(ran_twice.clone(), |error| format!("{error}; {ran_twice}")));
        }
        let folded = fold(row, &mut attempt, &end);
        close_what_was_closed(&mut attempt, new, is_twice);
        let (_, of_late) = fold_late(row, &mut attempt, new);
        given_up = again::give_up(&mut attempt, others);
        alerts = alerts::of_end(row, &attempt, &end, folded);
        alerts.extend(of_late);
    }
    if !is_taken {
        let made = others.iter().filter(|other| is_followed_by(other, new)).cloned();
        let made = made.map(|other| Attempt { retry_at: None, ..other });
        return (Imported::Taken, [attempt].into_iter().chain(given_up).chain(made).collect(), alerts);
    }
    let pending = others.iter().find(|other| other.retry_at.is_some());
    let closed = pending.map(|other| match is_twice {
        true => hand_on(other, &mut attempt),
        false => Attempt { retry_at: None, ..other.clone() },
    });
    let imported = if is_twice { Imported::Duplicate(number) } else { Imported::Taken };
    (imported, [attempt].into_iter().chain(closed).collect(), alerts)
}

/// Whether `new` is, or comes after, the attempt that was to follow what its host had given back before.
fn is_followed_by(other: &Attempt, new: &Attempt) -> bool {
    let is_of_this_host = other.degraded && other.owner.host == new.owner.host;
    other.retry_at.is_some() && is_of_this_host && other.number < new.number
}

/// Whether its key is taken only because somebody else gave the run back before its start: then nothing ran twice. What the same
/// host made of the run before comes first, under the numbers after that.
fn is_in_place_of_what_was_given_back(new: &Attempt, others: &[Attempt]) -> bool {
    let was_given_back = |other: &Attempt| other.outcome() == Some(Outcome::Released);
    let is_of_this_host = |other: &Attempt| other.degraded && other.owner.host == new.owner.host;
    others.iter().any(was_given_back) && others.iter().all(|other| was_given_back(other) || is_of_this_host(other))
}

/// The attempt of a run, among all of them, that has the number after `attempt` and ended while the run-log was away.
pub fn newer<'a>(attempt: &Attempt, all: impl IntoIterator<Item = &'a Attempt>) -> Option<Attempt> {
    let newest = all.into_iter().filter(|other| other.number > attempt.number).max_by_key(|other| other.number);
    newest.filter(|newest| attempt.retry_at.is_some() && !newest.is_active()).cloned()
}

/// The number of a retry follows that of its attempt, and is taken by now: it is made after the duplicate instead, and not at
/// all where that has succeeded. What was given back before its start allows no other start: the duplicate has been the first.
pub fn hand_on(pending: &Attempt, duplicate: &mut Attempt) -> Attempt {
    let was_last = duplicate.gave_up || duplicate.stop.is_some() || duplicate.outcome() == Some(Outcome::Cancelled);
    let is_done = again::has_succeeded(duplicate) || pending.outcome() == Some(Outcome::Released) && was_last;
    if !is_done {
        (duplicate.retry_at, duplicate.gave_up) = (pending.retry_at, false);
        count_on(pending, duplicate);
    }
    Attempt { retry_at: None, ..pending.clone() }
}

/// Counts the duplicate so that the attempt after it is counted as it would have been after the one that has it pending.
fn count_on(pending: &Attempt, duplicate: &mut Attempt) {
    let next = next_attempt(pending);
    duplicate.interruptions = duplicate.interruptions.max(next.interruptions);
    let costs = next_attempt(duplicate).tries - duplicate.tries;
    duplicate.tries = next.tries.saturating_sub(costs);
}

fn brought_up_to_date(
    row: &mut Row,
    mut known: Attempt,
    new: &Attempt,
    others: &[Attempt],
) -> (Vec<Attempt>, Vec<Alert>) {
    let Some(end) = &new.end else {
        // The same end, counted anew by the store's clock, is no renewal.
        let renewed = known.is_active() && new.lease.until_boot > known.lease.until_boot;
        return (renewed.then(|| Attempt { lease: new.lease, ..known }).into_iter().collect(), Vec::new());
    };
    let duplicate = known.number != new.number;
    let folded = fold(row, &mut known, end);
    close_what_was_closed(&mut known, new, duplicate);
    let (late, of_late) = fold_late(row, &mut known, new);
    let mut changed = again::give_up(&mut known, others);
    let mut alerts = alerts::of_end(row, &known, end, folded);
    alerts.extend(of_late);
    if [folded, late].iter().all(|folded| *folded == Folded::Already) {
        return (Vec::new(), alerts);
    }
    if let Some(mut newer) = newer(&known, others) {
        known = hand_on(&known, &mut newer);
        changed.push(newer);
    }
    changed.insert(0, known);
    (changed, alerts)
}

/// Folds what `new` came to after it had been declared lost on its host: its worker stood still meanwhile.
fn fold_late(row: &mut Row, attempt: &mut Attempt, new: &Attempt) -> (Folded, Vec<Alert>) {
    let late = new.end.as_ref().zip(new.late_outcome).map(|(end, outcome)| Completion { outcome, ..end.clone() });
    let Some(late) = late else { return (Folded::Already, Vec::new()) };
    let folded = fold(row, attempt, &late);
    (folded, alerts::of_end(row, attempt, &late, folded))
}

/// A retry that was made or given up on its host is not made again, nor is one of what ran twice.
fn close_what_was_closed(attempt: &mut Attempt, new: &Attempt, is_duplicate: bool) {
    let released = attempt.outcome() == Some(Outcome::Released);
    if is_duplicate || (new.retry_at.is_none() && !released) {
        attempt.retry_at = None;
    }
}

/// By what records are sorted before they are taken in: earlier runs and attempts first.
pub fn order(record: &Spooled) -> (Timestamp, u32) {
    (record.attempt.run.scheduled_for, record.attempt.number)
}
