//! Where the `cron` crate answers otherwise than crontab(5): the reason that the evaluator is our own. See
//! docs/decisions/0001-our-own-schedule-evaluator.md.
//!
//! A test that fails here after an update of the crate is good news: look at the decision again.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use cron::TimeUnitSpec;
use jiff::civil::Weekday;

use crate::{at, schedule};

#[test]
fn cron_refuses_the_five_fields_of_a_crontab_line() {
    assert!(cron::Schedule::from_str("30 2 * * *").is_err());
    assert!(cron::Schedule::from_str("0 30 2 * * *").is_ok());
}

#[test]
fn cron_runs_on_sunday_what_crontab_runs_on_monday() {
    // The crate counts weekdays from 1, and its names agree with that: 1 is Sunday.
    let by_number = cron::Schedule::from_str("0 0 12 * * 1").unwrap();
    let by_name = cron::Schedule::from_str("0 0 12 * * Sun").unwrap();
    assert_eq!(by_number.days_of_week().iter().collect::<Vec<_>>(), by_name.days_of_week().iter().collect::<Vec<_>>());
    assert!(by_number.timeunitspec_eq(&by_name));

    let ours = schedule("0 12 * * 1", "UTC").next_after(at("2026-02-01T00:00")).unwrap();
    assert_eq!(ours.to_zoned(jiff::tz::TimeZone::UTC).weekday(), Weekday::Monday);
}

/// six fields for `cron` | zone | after | what `cron` answers | what crontab(5) says
const ANSWERS: &str = "
# Both days restricted: only a Friday that is a 13th, instead of each of them.
0 0 0 13 * Fri | UTC | 2026-02-01T00:00 | 2026-02-13T00:00 2026-03-13T00:00 | 2026-02-06T00:00 2026-02-13T00:00
# Spring in Berlin: the run of 2026-03-29 is lost.
0 30 2 * * * | Europe/Berlin | 2026-03-28T12:00 | 2026-03-30T00:30 2026-03-31T00:30 | 2026-03-29T01:00 2026-03-30T00:30
# Autumn in Berlin: a fixed time runs twice.
0 30 2 * * * | Europe/Berlin | 2026-10-24T12:00 | 2026-10-25T00:30 2026-10-25T01:30 | 2026-10-25T00:30 2026-10-26T01:30
# And the answers run backwards in time.
0 */30 2 * * * | Europe/Berlin | 2026-10-24T12:00 | 2026-10-25T00:00 2026-10-25T01:00 2026-10-25T00:30 | \
    2026-10-25T00:00 2026-10-25T00:30 2026-10-25T01:00
";

#[test]
fn cron_answers_otherwise_on_days_and_around_shifts_of_the_clock() {
    for row in ANSWERS.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [line, zone, after, theirs, ours] = columns[..] else { panic!("not five columns: {row}") };
        let after_chrono: DateTime<Utc> = format!("{after}:00Z").parse().unwrap();
        let answers = cron::Schedule::from_str(line).unwrap();
        let answers = answers.after_owned(after_chrono.with_timezone(&zone.parse::<Tz>().unwrap()));
        let answers = answers.map(|t| t.to_utc().format("%Y-%m-%dT%H:%M").to_string());
        let expected: Vec<&str> = theirs.split(' ').collect();
        assert_eq!(answers.take(expected.len()).collect::<Vec<_>>(), expected, "{row}");

        let schedule = schedule(line.strip_prefix("0 ").unwrap(), zone);
        let mut instant = at(after);
        for expected in ours.split(' ').map(at) {
            instant = schedule.next_after(instant).unwrap();
            assert_eq!(instant, expected, "{row}");
        }
    }
}
