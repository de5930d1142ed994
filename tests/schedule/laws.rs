//! Laws that hold for every schedule, zone and instant, tried on random ones.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tickward::schedule::{Schedule, parse_zone};

use crate::schedule;

/// Zones with shifts of every kind; `every_zone` has the others.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Africa/Casablanca",
    "America/Santiago",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Asia/Kolkata",
    "Africa/Monrovia",
];

/// An entry of a field with values from `low` to `high`.
fn entry(low: u32, high: u32) -> impl Strategy<Value = String> {
    let pair = (low..=high, low..=high).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => pair.clone().prop_map(|(a, b)| format!("{a}-{b}")),
        1 => (pair, 1..=high + 3).prop_map(|((a, b), step)| format!("{a}-{b}/{step}")),
        1 => (low..=high, 1..=high + 3).prop_map(|(value, step)| format!("{value}/{step}")),
        1 => (1..=high + 3).prop_map(|step| format!("*/{step}")),
    ]
}

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        3 => prop::collection::vec(entry(low, high), 1..4).prop_map(|entries| entries.join(",")),
    ]
}

fn line() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
        .prop_filter("a date that comes", |text| Schedule::parse(&[text], TimeZone::UTC).is_ok())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => line(), 1 => (1..5_000).prop_map(|minutes| format!("every {minutes}m"))]
}

pub fn zone() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ZONES[..])
}

/// Any instant of the years 1900 to 2150, to the nanosecond.
pub fn instant() -> impl Strategy<Value = Timestamp> {
    (-2_208_988_800_i64..5_680_281_600, 0..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

/// An instant within four hours of a shift of the zone's clock, or any if it has none.
fn instant_near_shift(zone: &'static str) -> impl Strategy<Value = Timestamp> {
    (instant(), -14_400..14_400_i64).prop_map(move |(t, distance)| {
        let zone = parse_zone(zone).unwrap();
        let shift = zone.following(t).next().map_or(t, |shift| shift.timestamp());
        shift + SignedDuration::from_secs(distance)
    })
}

/// Any name of the database, which is also that of a zone without shifts.
fn every_zone() -> impl Strategy<Value = String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    prop::sample::select(names).prop_filter("a known zone", |name| parse_zone(name).is_ok())
}

/// The instants of a crontab line in the four hours on each side of a shift, by its definition: minute by minute.
///
/// A line in UTC says which minutes are named. None if the clock is off by seconds there.
fn by_definition(text: &str, zone: &TimeZone, shift: Timestamp) -> Option<Vec<Timestamp>> {
    let named = schedule(text, "UTC");
    let is_named = |wall: i64| {
        let wall = Timestamp::from_second(wall * 60).unwrap();
        named.previous_at_or_before(wall) == Some(wall)
    };
    let is_fixed = !text.split(' ').take(2).any(|field| field.starts_with('*'));
    let (start, end) = (shift.as_second() / 60 - 240, shift.as_second() / 60 + 240);
    let offset = |minute: i64| zone.to_offset(Timestamp::from_second(minute * 60).unwrap()).seconds();
    if shift.as_second() % 60 != 0 || offset(start) % 60 != 0 || offset(end) % 60 != 0 {
        return None;
    }
    let mut found = Vec::new();
    // The minutes of the wall clock up to this one have had their turn.
    let mut done = start - 1 + i64::from(offset(start - 1)) / 60;
    for minute in start..=end {
        let wall = minute + i64::from(offset(minute)) / 60;
        let is_smoothed = is_fixed && (offset(minute) - offset(minute - 1)).abs() <= 3 * 60 * 60;
        let first = if is_smoothed { done + 1 } else { wall };
        let had_its_turn = is_fixed && is_smoothed && wall <= done;
        if !had_its_turn && (first..=wall).any(is_named) {
            found.push(Timestamp::from_second(minute * 60).unwrap());
        }
        done = if is_smoothed { done.max(wall) } else { wall };
    }
    Some(found)
}

pub fn zone_and_instant() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let near = zone().prop_flat_map(|zone| (Just(zone), instant_near_shift(zone)));
    prop_oneof![(zone(), instant()), near]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_instant_is_later_and_the_previous_one_is_not(text in text(), (zone, t) in zone_and_instant()) {
        let schedule = schedule(&text, zone);
        let next = schedule.next_after(t).unwrap();
        let previous = schedule.previous_at_or_before(t).unwrap();
        prop_assert!(previous <= t && t < next, "{previous} {t} {next}");
        prop_assert_eq!(next.subsec_nanosecond(), 0);
        // There is nothing between them, from whichever side one looks.
        prop_assert_eq!(schedule.previous_at_or_before(next), Some(next));
        prop_assert_eq!(schedule.previous_at_or_before(next - SignedDuration::from_nanos(1)), Some(previous));
        prop_assert_eq!(schedule.next_after(previous), Some(next));
        prop_assert_eq!(schedule.next_after(previous - SignedDuration::from_nanos(1)), Some(previous));
    }

    #[test]
    fn a_list_is_the_union_of_its_parts(a in text(), b in text(), (zone, t) in zone_and_instant()) {
        let both = Schedule::parse(&[&a, &b], parse_zone(zone).unwrap()).unwrap();
        let (a, b) = (schedule(&a, zone), schedule(&b, zone));
        prop_assert_eq!(both.next_after(t), a.next_after(t).min(b.next_after(t)));
        prop_assert_eq!(both.previous_at_or_before(t), a.previous_at_or_before(t).max(b.previous_at_or_before(t)));
    }

    #[test]
    fn occurrences_between_are_the_next_ones_up_to_the_end(text in text(), (zone, t) in zone_and_instant()) {
        let schedule = schedule(&text, zone);
        let (second, fourth) = {
            let mut following = std::iter::successors(schedule.next_after(t), |&t| schedule.next_after(t));
            (following.nth(1).unwrap(), following.nth(1).unwrap())
        };
        let found: Vec<Timestamp> = schedule.occurrences_between(t, fourth).collect();
        prop_assert_eq!((found.len(), found[1], found[3]), (4, second, fourth));
        prop_assert_eq!(schedule.occurrences_between(t, fourth - SignedDuration::from_nanos(1)).count(), 3);
        prop_assert_eq!(schedule.occurrences_between(t, t).count(), 0);
    }

    #[test]
    fn the_canonical_text_means_the_same(text in text(), (zone, t) in zone_and_instant()) {
        let schedule = schedule(&text, zone);
        let canonical = schedule.canonical();
        let read_again = crate::schedule(canonical.split(" [").next().unwrap(), zone);
        prop_assert_eq!(read_again.canonical(), canonical);
        prop_assert_eq!(read_again.next_after(t), schedule.next_after(t));
        prop_assert_eq!(read_again.previous_at_or_before(t), schedule.previous_at_or_before(t));
    }

    #[test]
    fn around_a_shift_the_definition_holds(text in line(), name in every_zone(), t in instant()) {
        let schedule = schedule(&text, &name);
        let Some(shift) = schedule.zone().following(t).next().map(|shift| shift.timestamp()) else { return Ok(()) };
        let Some(expected) = by_definition(&text, schedule.zone(), shift) else { return Ok(()) };
        let (start, end) = (shift - SignedDuration::from_hours(4), shift + SignedDuration::from_hours(4));
        let found: Vec<Timestamp> = schedule.occurrences_between(start - SignedDuration::from_secs(1), end).collect();
        prop_assert_eq!(found, expected, "{} at {}", schedule, shift);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_inside_it(text in "[0-9*,/@a-zLW#? .:~é-]{0,30}|\\PC{0,20}") {
        if let Err(error) = Schedule::parse(&[&text], TimeZone::UTC) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn instants_at_the_ends_of_time_have_no_neighbour_beyond(text in text(), zone in zone(), s in 0..4_000_000_i64) {
        let schedule = schedule(&text, zone);
        for t in [Timestamp::MIN, Timestamp::MIN + SignedDuration::from_secs(s), Timestamp::UNIX_EPOCH] {
            prop_assert!(schedule.previous_at_or_before(t).is_none_or(|previous| previous <= t));
            prop_assert!(schedule.next_after(t).unwrap() > t);
        }
        for t in [Timestamp::MAX, Timestamp::MAX - SignedDuration::from_secs(s)] {
            prop_assert!(schedule.next_after(t).is_none_or(|next| next > t));
            prop_assert!(schedule.previous_at_or_before(t).unwrap() <= t);
        }
    }
}
