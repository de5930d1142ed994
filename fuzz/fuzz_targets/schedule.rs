//! Any texts as schedules in any zone and language: what is accepted has an instant and reads as itself when it is
//! printed, the next instant is later, the previous one is not, and both walk the same set.

#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use tickward::schedule::{Schedule, parse_zone};

/// Around a leap day, daylight saving on both hemispheres, the epoch and the ends of the calendar.
const INSTANTS: [&str; 10] = [
    "2026-10-25T01:29:59Z",
    "2199-12-31T23:59:59Z",
    "2026-03-29T00:59:59.5Z",
    "2026-10-25T00:30:00Z",
    "2026-04-04T15:59:59Z",
    "2028-02-29T23:59:00Z",
    "1970-01-01T00:00:00Z",
    "1900-02-28T12:00:00Z",
    "-009999-01-03T00:00:00Z",
    "9999-12-29T00:00:00Z",
];

// The zone is the first line, each further one is a schedule.
fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let zone = parse_zone(lines.next().unwrap_or_default()).unwrap_or(TimeZone::UTC);
    let texts: Vec<&str> = lines.take(8).collect();
    let schedule = match Schedule::parse(&texts, zone.clone()) {
        Ok(schedule) => schedule,
        Err(error) => {
            let about = texts.get(error.index).copied().unwrap_or_default();
            assert!(about.get(error.span.clone()).is_some(), "{error:?} of {about:?}");
            return;
        }
    };
    assert_eq!(schedule.texts(), texts);
    let canonical = schedule.canonical();
    let (rules, _) = canonical.rsplit_once(" [").expect("the zone stands behind the rules");
    let again = Schedule::parse(&rules.split("; ").collect::<Vec<_>>(), zone).expect("what is printed is read");
    assert_eq!(again.canonical(), canonical);
    assert!(schedule.next_after(Timestamp::MIN).is_some(), "{canonical} has no instant");
    for instant in INSTANTS.iter().filter_map(|text| text.parse().ok()) {
        walks_both_ways(&schedule, instant);
        assert_eq!(again.next_after(instant), schedule.next_after(instant), "{canonical} after {instant}");
    }
});

fn walks_both_ways(schedule: &Schedule, instant: Timestamp) {
    let next = schedule.next_after(instant);
    if let Some(next) = next {
        assert!(next > instant && next.subsec_nanosecond() == 0, "{schedule}: {next} after {instant}");
        assert_eq!(schedule.previous_at_or_before(next), Some(next), "{schedule}");
    }
    if let Some(previous) = schedule.previous_at_or_before(instant) {
        assert!(previous <= instant, "{schedule}: {previous} before {instant}");
        assert_eq!(schedule.next_after(previous), next, "{schedule} between {previous} and {instant}");
    }
}
