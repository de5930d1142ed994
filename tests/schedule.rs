//! When schedules come due: against vectors of another implementation, tables of cases, and laws that hold for all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "schedule/calendar.rs"]
mod calendar;
#[path = "schedule/calendar_errors.rs"]
mod calendar_errors;
#[path = "schedule/calendar_laws.rs"]
mod calendar_laws;
#[path = "schedule/calendar_vectors.rs"]
mod calendar_vectors;
#[path = "schedule/daylight_saving.rs"]
mod daylight_saving;
#[path = "schedule/errors.rs"]
mod errors;
#[path = "schedule/laws.rs"]
mod laws;
#[path = "schedule/once.rs"]
mod once;
#[path = "schedule/other_crates.rs"]
mod other_crates;
#[path = "schedule/texts.rs"]
mod texts;
#[path = "schedule/vectors.rs"]
mod vectors;

use jiff::Timestamp;
use tickward::schedule::{Schedule, parse_zone};

/// Reads an instant, with or without seconds, of which `Z` may be left out.
fn at(text: &str) -> Timestamp {
    let text = text.trim_end_matches('Z');
    let seconds = if text.len() == "2026-01-01T00:00".len() { ":00" } else { "" };
    format!("{text}{seconds}Z").parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Reads one expression in a zone.
fn schedule(text: &str, zone: &str) -> Schedule {
    let zone = parse_zone(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
    Schedule::parse(&[text], zone).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The instants after `after` up to `until`, written as UTC to the second.
fn between(schedule: &Schedule, after: &str, until: &str) -> Vec<String> {
    schedule.occurrences_between(at(after), at(until)).map(|instant| instant.to_string()).collect()
}
