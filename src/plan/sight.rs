//! Recognises what makes a pipeline due: known, edited, or seen beside another one in a roll-out.
//!
//! Each schedule that the store knows has a cursor of its own, so that two hosts with different files lose nothing of
//! each other's.
//!
//! Holds always: a schedule that is new to the store reaches back by the tick's interval at most, so that neither a new
//! pipeline nor an edit fires its past; two hosts with different files keep their own `since` for an hour.

use jiff::Timestamp;

use super::jitter::stable_hash;
use super::{Decision, Note, Situation, upstream};
use crate::rare::Rare;
use crate::run::{KnownSchedule, ROLL_OUT, Row};

/// How many schedules a row remembers.
const REMEMBERED: usize = 4;

/// A schedule, as the store knows it.
pub struct Sight {
    /// Its place among the row's.
    pub index: usize,
    /// Occurrences after this instant are to be decided.
    pub after: Timestamp,
}

impl Sight {
    /// That of the pipeline as it is configured; notes what is new in the decision's row. None where nothing but a person
    /// makes it due.
    pub fn of(situation: &Situation<'_>, decision: &mut Decision) -> Option<Sight> {
        let hash = format!("{:016x}", stable_hash(&canonical(situation)?));
        let known = decision.row.schedules.iter().position(|known| known.hash == hash);
        let index = match known {
            Some(0) => 0,
            Some(other) if decision.row.schedules[other].is_rolled_out(situation.now) => {
                decision.notes.push(Note::ConfigSplit);
                other
            }
            _ => first_sight(hash, situation, decision),
        };
        let known = &decision.row.schedules[index];
        let after = known.cursor.or(decision.row.cursor).unwrap_or(known.since).max(known.since);
        Some(Sight { index, after })
    }
}

impl Sight {
    /// A schedule that is in use beside the one in force stays known: its hour begins anew with each decision, and at half
    /// of it.
    pub fn note_use(&self, situation: &Situation<'_>, decision: &mut Decision) {
        let Some(known) = decision.row.schedules.get_mut(self.index).filter(|_| self.index > 0) else { return };
        let is_old = known.replaced_at.is_some_and(|at| situation.now.duration_since(at) >= ROLL_OUT / 2);
        if decision.changed || is_old {
            known.replaced_at = Some(situation.now);
            decision.changed = true;
        }
    }
}

/// What is hashed to recognise it.
fn canonical(situation: &Situation<'_>) -> Option<String> {
    match &situation.pipeline.schedule {
        Some(schedule) => Some(schedule.canonical()),
        None if situation.pipeline.depends_on.is_empty() => None,
        None => {
            let names = situation.pipeline.depends_on.iter().map(|upstream| upstream.pipeline.to_string());
            let mut names: Vec<String> = names.collect();
            names.sort_unstable();
            Some(format!("after {}", names.join(", ")))
        }
    }
}

/// Takes into `row` a schedule that a host saw first while it had no run-log, as if it had been noted then; returns whether
/// it is new to the row.
pub fn note_seen(row: &mut Row, seen: &KnownSchedule, now: Timestamp) -> bool {
    let since = seen.since.min(now);
    let is_older = row.schedules.first().is_some_and(|known| known.since > since);
    if is_older || row.schedules.iter().any(|known| known.hash == seen.hash) {
        return false;
    }
    if let Some(before) = row.schedules.first_mut() {
        before.replaced_at.get_or_insert(now);
    }
    // As for any first sight: what is decided already is not decided again.
    let since = since.max(*row.cursor.get_or_insert(since));
    row.schedules.insert(0, KnownSchedule { since, cursor: Some(since), ..seen.clone() });
    row.schedules.truncate(REMEMBERED);
    true
}

fn first_sight(hash: String, situation: &Situation<'_>, decision: &mut Decision) -> usize {
    let since = situation.now.checked_sub(situation.interval).unwrap_or(Timestamp::MIN);
    let row = &mut decision.row;
    row.schedules.retain(|known| known.hash != hash);
    if let Some(before) = row.schedules.first_mut() {
        before.replaced_at.get_or_insert(situation.now);
    }
    if situation.pipeline.schedule.is_some() {
        row.cursor.get_or_insert(since);
    } else {
        upstream::follow_until(situation, row, since);
    }
    let cursor = row.cursor.map(|cursor| cursor.max(since));
    // What the one before has decided is not decided again, though a wrong clock may have put that ahead of now.
    let since = cursor.unwrap_or(since);
    row.schedules.insert(0, KnownSchedule { hash, since, cursor, replaced_at: None, rest: Rare::default() });
    row.schedules.truncate(REMEMBERED);
    decision.changed = true;
    0
}
