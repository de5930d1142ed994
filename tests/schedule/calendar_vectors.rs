//! Compares with the vectors that tests/oracle/make_calendar_vectors.py has written; see there for their form.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tickward::schedule::{Error, Schedule};

use crate::{at, schedule};

const VECTORS: &str = include_str!("calendar_utc.txt");
const ZONE_VECTORS: &str = include_str!("calendar_zones.txt");
const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn random_expressions_come_due_as_in_systemd() {
    let mut compared = 0;
    for row in rows(VECTORS).filter(|row| !row.starts_with("refused") && !row.starts_with("never")) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [text, start, following, ref theirs @ ..] = columns[..] else { panic!("not three columns: {row}") };
        let schedule = schedule(text, "UTC");
        let mut instant = at(start);
        for expected in following.split(' ').filter(|&following| following != "-").map(at) {
            assert_eq!(schedule.next_after(instant), Some(expected), "{row}");
            assert!(schedule.previous_at_or_before(expected - SECOND).is_none_or(|t| t <= instant), "{row}");
            assert_eq!(schedule.previous_at_or_before(expected), Some(expected), "{row}");
            instant = expected;
        }
        // Past the last year that systemd knows only what names its years has an end.
        if following.split(' ').count() < 3 || following == "-" {
            assert!(schedule.next_after(instant).is_none_or(|next| next >= at("2199-12-31T00:00")), "{row}");
        }
        assert!(theirs.len() <= 1, "{row}");
        compared += 1;
    }
    assert!(compared >= 3_300, "only {compared} expressions");
}

#[test]
fn what_names_no_instant_is_refused() {
    let texts: Vec<&str> = rows(VECTORS).filter_map(|row| row.strip_prefix("never | ")).collect();
    for text in &texts {
        let error = refused(text);
        assert!(error.message.contains("never comes"), "{text}: {error}");
    }
    assert!(!texts.is_empty());
}

#[test]
fn what_systemd_refuses_is_refused_but_for_lists_of_days_from_the_end() {
    let texts: Vec<&str> = rows(VECTORS).filter_map(|row| row.strip_prefix("refused | ")).collect();
    for text in &texts {
        match Schedule::parse(&[text], TimeZone::UTC) {
            // systemd allows the second of them three days less than the first, the third again three less.
            Ok(schedule) => assert!(text.contains('~') && text.contains(','), "{schedule} is read"),
            Err(error) => assert!(error.message.contains("leads past the end"), "{text}: {error}"),
        }
    }
    assert!(texts.len() >= 100, "only {}", texts.len());
}

#[test]
fn expressions_around_shifts_of_the_clock_come_due_as_in_systemd() {
    let mut compared = 0;
    for row in rows(ZONE_VECTORS) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [zone, shift, text, minutes, ..] = columns[..] else { panic!("not four columns: {row}") };
        let (schedule, shift) = (schedule(text, zone), at(shift));
        let instant = |minutes: i64| shift + SignedDuration::from_mins(minutes);
        let expected = minutes.split(' ').filter(|&minutes| minutes != "-");
        let expected: Vec<Timestamp> = expected.map(|minutes| instant(minutes.parse().unwrap())).collect();
        let (start, end) = (instant(-240), instant(240) - SECOND);
        assert_eq!(schedule.occurrences_between(start, end).collect::<Vec<_>>(), expected, "{row}");
        // Backwards the same ones are met.
        let back = |t: &Timestamp| schedule.previous_at_or_before(*t - SECOND);
        let backwards = std::iter::successors(schedule.previous_at_or_before(end), back).take_while(|&t| t > start);
        let mut backwards: Vec<Timestamp> = backwards.collect();
        backwards.reverse();
        assert_eq!(backwards, expected, "{row}: backwards");
        compared += 1;
    }
    assert!(compared >= 1_000, "only {compared} cases");
}

fn rows(vectors: &'static str) -> impl Iterator<Item = &'static str> {
    vectors.lines().filter(|row| !row.starts_with('#'))
}

fn refused(text: &str) -> Error {
    Schedule::parse(&[text], TimeZone::UTC).expect_err(text)
}
