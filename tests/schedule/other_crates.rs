//! Where the `cron` crate answers otherwise than crontab(5): the reason that the evaluator is our own. See
//! docs/decisions/0001-our-own-schedule-evaluator.md.
//!
//! A test that fails here after an update of the crate is good news: look at the decision again.

use std::str::FromStr;

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
