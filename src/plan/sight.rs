//! Recognises a pipeline's schedule: known, edited, or seen beside another one in a roll-out.
//!
//! Holds always: a schedule that is new to the store reaches back by the tick's interval at most, so that neither a new
//! pipeline nor an edit fires its past; two hosts with different files keep their own `since` for an hour.

use std::time::Duration;

use jiff::Timestamp;

use super::jitter::stable_hash;
use super::{Decision, Note, Situation};
use crate::run::KnownSchedule;
use crate::schedule::Schedule;

/// How many schedules a row remembers.
const REMEMBERED: usize = 4;
/// How long a replaced schedule is still taken for another host's, and not for an edit that was taken back.
const ROLL_OUT: Duration = Duration::from_secs(3600);

/// The instant after which occurrences of `schedule` count; notes what is new in the decision's row.
pub fn recognise(schedule: &Schedule, situation: &Situation<'_>, decision: &mut Decision) -> Timestamp {
    let hash = format!("{:016x}", stable_hash(&schedule.canonical()));
    let known = decision.row.schedules.iter().position(|known| known.hash == hash);
    match known {
        Some(0) => return decision.row.schedules[0].since,
        Some(other) if is_roll_out(&decision.row.schedules[other], situation.now) => {
            decision.notes.push(Note::ConfigSplit);
            return decision.row.schedules[other].since;
        }
        _ => {}
    }
    let since = situation.now.checked_sub(situation.interval).unwrap_or(Timestamp::MIN);
    let schedules = &mut decision.row.schedules;
    schedules.retain(|known| known.hash != hash);
    if let Some(before) = schedules.first_mut() {
        before.replaced_at.get_or_insert(situation.now);
    }
    schedules.insert(0, KnownSchedule { hash, since, replaced_at: None, rest: serde_json::Map::new() });
    schedules.truncate(REMEMBERED);
    decision.row.cursor.get_or_insert(since);
    decision.changed = true;
    since
}

fn is_roll_out(known: &KnownSchedule, now: Timestamp) -> bool {
    known
        .replaced_at
        .is_some_and(|at| now.duration_since(at) < jiff::SignedDuration::try_from(ROLL_OUT).unwrap_or_default())
}
