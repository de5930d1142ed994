//! Finds the changes of wall clocks within a span, and what becomes of occurrences in the hours that they skip or repeat.
//!
//! What the schedule wants is told by its own texts, read by a clock that does not change.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::pipeline::Pipeline;
use crate::schedule::Schedule;

/// A schedule that comes as often as this in a day follows real time: nothing is to be told of it.
const OFTEN: usize = 24;

/// A pipeline whose occurrences meet a change of its wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// Its full name.
    pub pipeline: String,
    /// The zone's name.
    pub zone: String,
    /// When the clock changes.
    pub at: Timestamp,
    /// The hours that come twice or never, as the clock shows them: begin and end.
    pub hours: (String, String),
    /// Whether they are skipped; else they come twice.
    pub is_skipped: bool,
    /// How many occurrences the schedule has in them.
    pub wanted: usize,
    /// When it runs instead, by the wall clock.
    pub runs: Vec<String>,
}

/// What changes in `[from, to)` mean for these pipelines, by instant.
pub fn find<'p>(pipelines: impl Iterator<Item = &'p Pipeline>, from: Timestamp, to: Timestamp) -> Vec<ClockChange> {
    let mut found: Vec<ClockChange> = pipelines.flat_map(|pipeline| of_pipeline(pipeline, from, to)).collect();
    found.sort_by(|a, b| (a.at, &a.pipeline).cmp(&(b.at, &b.pipeline)));
    found
}

fn of_pipeline(pipeline: &Pipeline, from: Timestamp, to: Timestamp) -> Vec<ClockChange> {
    let Some(schedule) = &pipeline.schedule else { return Vec::new() };
    let zone = schedule.zone();
    let just_before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
    let changes = zone.following(just_before).map(|change| (change.timestamp(), change.offset()));
    let changes = changes.take_while(|(at, _)| *at < to);
    changes.filter_map(|(at, after)| change(pipeline, schedule, at, after)).collect()
}

fn change(pipeline: &Pipeline, schedule: &Schedule, at: Timestamp, after: Offset) -> Option<ClockChange> {
    let zone = schedule.zone();
    let before = zone.to_offset(at.checked_sub(SignedDuration::from_secs(1)).ok()?);
    let shift = SignedDuration::from_secs(i64::from(after.seconds()) - i64::from(before.seconds()));
    let day_before = at.checked_sub(SignedDuration::from_hours(24)).ok()?;
    if shift.is_zero() || schedule.occurrences_between(day_before, at).take(OFTEN).count() == OFTEN {
        return None;
    }
    let is_skipped = shift.is_positive();
    // By the clock of before, the skipped hours come after the change; those that come twice, before it.
    let begin = if is_skipped { at } else { at.checked_add(shift).ok()? };
    let end = begin.checked_add(shift.abs()).ok()?;
    let texts: Vec<&str> = schedule.texts().iter().map(String::as_str).collect();
    let unchanging = Schedule::parse(&texts, TimeZone::fixed(before)).ok()?;
    let wanted = within(&unchanging, begin, end).count();
    // What is made up for comes at once; what comes twice, until the second pass is over.
    let until = if is_skipped { at.checked_add(SignedDuration::from_secs(1)) } else { at.checked_add(shift.abs()) };
    let local = |instant: Timestamp| instant.to_zoned(zone.clone()).strftime("%H:%M:%S %Z").to_string();
    let by_the_old_clock = |instant: Timestamp| before.to_datetime(instant).strftime("%H:%M").to_string();
    let runs: Vec<String> = within(schedule, begin, until.ok()?).take(OFTEN).map(local).collect();
    (wanted > 0).then(|| ClockChange {
        pipeline: pipeline.id.to_string(),
        zone: zone.iana_name().unwrap_or("UTC").into(),
        at,
        hours: (by_the_old_clock(begin), by_the_old_clock(end)),
        is_skipped,
        wanted,
        runs,
    })
}

/// The occurrences in `[begin, end)`.
fn within(schedule: &Schedule, begin: Timestamp, end: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
    let tiny = SignedDuration::from_micros(1);
    let before = |instant: Timestamp| instant.checked_sub(tiny).unwrap_or(Timestamp::MIN);
    schedule.occurrences_between(before(begin), before(end))
}
