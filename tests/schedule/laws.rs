//! Laws that hold for every schedule, zone and instant, tried on random ones.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tickward::schedule::{Schedule, parse_zone};

use crate::schedule;

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

fn text() -> impl Strategy<Value = String> {
    let line = (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
        .prop_filter("a date that comes", |text| Schedule::parse(&[text], jiff::tz::TimeZone::UTC).is_ok());
    prop_oneof![9 => line, 1 => (1..5_000).prop_map(|minutes| format!("every {minutes}m"))]
}

fn zone() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ZONES[..])
}

/// Any instant of the years 1900 to 2150, to the nanosecond.
fn instant() -> impl Strategy<Value = Timestamp> {
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

fn zone_and_instant() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let near = zone().prop_flat_map(|zone| (Just(zone), instant_near_shift(zone)));
    prop_oneof![(zone(), instant()), near]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

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
    fn any_text_is_read_or_refused_with_a_place_inside_it(text in "[0-9*,/@a-zLW#? .:~é-]{0,30}|\\PC{0,20}") {
        if let Err(error) = Schedule::parse(&[&text], jiff::tz::TimeZone::UTC) {
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
