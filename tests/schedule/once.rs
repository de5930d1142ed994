//! `at`, which comes once, and `every 1 day at`, which is a crontab line in other words.

use jiff::tz::TimeZone;
use tickward::schedule::{Schedule, parse_zone};

use crate::{at, between, schedule};

/// zone | text | instant
const INSTANTS: &str = "
UTC | at 2026-12-01T09:00Z | 2026-12-01T09:00:00Z
Asia/Tokyo | at 2026-12-01T09:00Z | 2026-12-01T09:00:00Z
Asia/Tokyo | AT 2026-12-01t09:00:30z | 2026-12-01T09:00:30Z
Asia/Tokyo | at 2026-12-01 09:00+01:00 | 2026-12-01T08:00:00Z
Asia/Tokyo | at 2026-12-01T09:00-0330 | 2026-12-01T12:30:00Z
Asia/Tokyo | at 2026-12-01T09:00+02 | 2026-12-01T07:00:00Z
Europe/Berlin | at 2026-12-01 09:00 | 2026-12-01T08:00:00Z
Europe/Berlin |  at   2026-07-01T09:00:01 | 2026-07-01T07:00:01Z
Europe/Berlin | at 2026-12-01 09:00 America/New_York | 2026-12-01T14:00:00Z
Europe/Berlin | at 2026-12-01 09:00 utc | 2026-12-01T09:00:00Z
# 02:30 is skipped on 2026-03-29: it comes right after the gap. On 2026-10-25 it is repeated: it comes on the first pass.
Europe/Berlin | at 2026-03-29 02:30 | 2026-03-29T01:00:00Z
Europe/Berlin | at 2026-10-25 02:30 | 2026-10-25T00:30:00Z
Europe/Berlin | at 2026-10-25T02:30+01:00 | 2026-10-25T01:30:00Z
America/Santiago | at 2026-09-06 00:00 | 2026-09-06T04:00:00Z
# A day that was lived twice: the first.
Pacific/Kwajalein | at 1970-01-01 00:00 | 1970-01-01T12:00:00Z
UTC | at 1970-01-01T00:00Z | 1970-01-01T00:00:00Z
UTC | at 2199-12-31T23:59:59Z | 2199-12-31T23:59:59Z
";

#[test]
fn an_instant_comes_once_and_then_never_again() {
    for row in INSTANTS.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [zone, text, instant] = columns[..] else { panic!("not three columns: {row}") };
        let schedule = schedule(text, zone);
        let instant = at(instant);
        let before = instant - jiff::SignedDuration::from_nanos(1);
        assert_eq!(schedule.next_after(before), Some(instant), "{row}");
        assert_eq!(schedule.next_after(instant), None, "{row}");
        assert_eq!(schedule.previous_at_or_before(instant), Some(instant), "{row}");
        assert_eq!(schedule.previous_at_or_before(before), None, "{row}");
        assert_eq!(schedule.canonical(), format!("at {instant} [{zone}]"), "{row}");
        assert_eq!(crate::schedule(&format!("at {instant}"), zone).canonical(), schedule.canonical(), "{row}");
    }
}

#[test]
fn what_a_zone_left_out_is_refused() {
    let error = Schedule::parse(&["at 2011-12-30 12:00"], parse_zone("Pacific/Apia").unwrap()).unwrap_err();
    assert_eq!(error.message, "this date and time never come: the clock of the zone left them out");
    assert_eq!(error.span, 0..19);
    let error = Schedule::parse(&["2026-03-29 02:30"], parse_zone("Europe/Berlin").unwrap()).unwrap_err();
    assert_eq!(error.message, "`2026-03-29 02:30` never comes in Europe/Berlin");
    assert!(Schedule::parse(&["2026-03-29 02:30"], TimeZone::UTC).is_ok());
    assert!(Schedule::parse(&["2026-03-29 02:30 Europe/Berlin"], TimeZone::UTC).is_err());
    assert!(Schedule::parse(&["2026..2027-03-29 02:30"], parse_zone("Europe/Berlin").unwrap()).is_ok());
}

#[test]
fn every_day_at_a_time_is_a_crontab_line() {
    for text in
        ["every 1 day at 02:05", "every 1d at 02:05", "every day at 2:05", "Every 1.day AT  02:5", "@every 1d at 02:05"]
    {
        assert_eq!(schedule(text, "UTC").canonical(), "5 2 * * * [UTC]", "{text}");
    }
    // So it is made up for where the clock skips it.
    let daily = schedule("every 1 day at 02:30", "Europe/Berlin");
    let found = between(&daily, "2026-03-28T12:00", "2026-03-30T12:00");
    assert_eq!(found, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_dot_may_stand_between_number_and_unit() {
    for (text, minutes) in
        [("every 1.hour", 60), ("every 4.hours", 240), ("every 1.day", 1440), ("every 2.h 30.min", 150)]
    {
        assert_eq!(schedule(text, "UTC").canonical(), format!("every {minutes}m [UTC]"), "{text}");
    }
}
