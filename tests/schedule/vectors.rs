//! Compares with the vectors that tests/oracle/make_schedule_vectors.py has written; see there for their form.

use jiff::{SignedDuration, Timestamp};
use tickward::schedule::{Schedule, parse_zone};

use crate::{at, schedule};

const UTC_VECTORS: &str = include_str!("utc.txt");
const ZONE_VECTORS: &str = include_str!("zones.txt");
const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn random_expressions_in_utc_come_due_as_in_cronsim() {
    let mut compared = 0;
    for row in UTC_VECTORS.lines().filter(|row| !row.starts_with('#') && !row.starts_with("refused")) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [text, start, before, following] = columns[..] else { panic!("not four columns: {row}") };
        let schedule = schedule(text, "UTC");
        assert_eq!(schedule.previous_at_or_before(at(start) - SECOND), Some(at(before)), "{row}");
        let mut instant = at(start);
        for expected in following.split(' ').map(at) {
            assert_eq!(schedule.next_after(instant), Some(expected), "{row}");
            assert_eq!(schedule.previous_at_or_before(expected), Some(expected), "{row}");
            instant = expected;
        }
        compared += 1;
    }
    assert!(compared >= 20_000, "only {compared} expressions");
}

#[test]
fn dates_that_never_come_are_refused_as_by_cronsim() {
    let texts: Vec<&str> = UTC_VECTORS.lines().filter_map(|row| row.strip_prefix("refused | ")).collect();
    for text in &texts {
        let error = Schedule::parse(&[text], jiff::tz::TimeZone::UTC).expect_err(text);
        assert!(error.message.contains("never comes"), "{text}: {error}");
    }
    assert!(texts.len() >= 14, "only {} texts", texts.len());
}

// Two tests, so that two threads share the work.

#[test]
fn lines_around_every_shift_of_the_clock_come_due_as_in_cronsim() {
    compare_zones(0);
}

#[test]
fn lines_around_every_shift_of_the_clock_come_due_as_in_cronsim_in_the_other_zones() {
    compare_zones(1);
}

/// Compares every second zone, beginning with `first`; counts them all.
fn compare_zones(first: usize) {
    let (mut zones, mut shifts, mut cases) = (0, Vec::new(), 0);
    let (mut zone, mut current) = (None, None);
    for row in ZONE_VECTORS.lines().filter(|row| !row.starts_with('#') && !row.starts_with("cronsim:")) {
        if let Some(name) = row.strip_prefix("zone ") {
            zone = Some(parse_zone(name).unwrap());
            (zones, shifts) = (zones + 1, Vec::new());
        } else if let Some(line) = row.strip_prefix("line ") {
            current = Some(Schedule::parse(&[line], zone.clone().unwrap()).unwrap());
        } else if let Some((numbers, minutes)) = row.split_once(": ") {
            let (schedule, expected) = (current.as_ref().unwrap(), numbers_of(minutes));
            let numbers = ranges_of(numbers);
            cases += numbers.len();
            for number in numbers.into_iter().filter(|_| zones % 2 == first) {
                compare_around(schedule, shifts[number - 1], &expected);
            }
        } else {
            shifts.push(at(row.split(' ').nth(1).unwrap()));
        }
    }
    assert!(zones >= 40, "only {zones} zones");
    assert!(cases >= 40_000, "only {cases} cases");
}

/// Checks each pair of neighbours in the eight hours around `shift`, both ways; what lies beyond their ends as well.
///
/// Of a line with very many instants it checks those within ten minutes of the shift, and every 16th of the others.
fn compare_around(schedule: &Schedule, shift: Timestamp, minutes: &[i64]) {
    let instant = |minutes: i64| shift + SignedDuration::from_mins(minutes);
    let (start, end) = (instant(-240), instant(240));
    let earlier = [None].into_iter().chain(minutes.iter().copied().map(Some));
    let later = minutes.iter().copied().map(Some).chain([None]);
    for (place, (earlier, later)) in earlier.zip(later).enumerate() {
        let is_near = earlier.is_none_or(|earlier| earlier.abs() <= 10);
        if minutes.len() > 40 && !is_near && place % 16 != 0 {
            continue;
        }
        let (earlier, later) = (earlier.map(instant), later.map(instant));
        let next = schedule.next_after(earlier.unwrap_or(start - SECOND)).filter(|&next| next < end);
        assert_eq!(next, later, "{schedule} at {shift}: after {earlier:?}");
        let previous = schedule.previous_at_or_before(later.unwrap_or(end) - SECOND).filter(|&t| t >= start);
        assert_eq!(previous, earlier, "{schedule} at {shift}: before {later:?}");
    }
}

/// `-`, `5 10..20/5` as the numbers they stand for.
fn numbers_of(text: &str) -> Vec<i64> {
    let mut numbers = Vec::new();
    for entry in text.split(' ').filter(|&entry| entry != "-") {
        match entry.split_once("..").and_then(|(first, rest)| Some((first, rest.split_once('/')?))) {
            Some((first, (last, step))) => {
                let (first, last): (i64, i64) = (first.parse().unwrap(), last.parse().unwrap());
                numbers.extend((first..=last).step_by(step.parse().unwrap()));
            }
            None => numbers.push(entry.parse().unwrap()),
        }
    }
    numbers
}

/// `1-3,7` as the numbers it stands for.
fn ranges_of(text: &str) -> Vec<usize> {
    let range = |entry: &str| {
        let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
        first.parse::<usize>().unwrap()..=last.parse().unwrap()
    };
    text.split(',').flat_map(range).collect()
}
