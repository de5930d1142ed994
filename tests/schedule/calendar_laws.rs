//! The laws of `laws` for OnCalendar and `at`, which may come to an end, tried on random ones.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tickward::schedule::{Schedule, parse_zone};

use crate::laws::{instant, zone, zone_and_instant};
use crate::schedule;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// An entry of a component with values from `low` to `high`.
fn entry(low: u32, high: u32) -> impl Strategy<Value = String> {
    let pair = (low..=high, low..=high).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let stepped = (low..high).prop_flat_map(move |value| (Just(value), 1..=high - value));
    prop_oneof![
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => pair.clone().prop_map(|(a, b)| format!("{a}..{b}")),
        1 => (pair, 1..=high + 3).prop_map(|((a, b), step)| format!("{a}..{b}/{step}")),
        1 => stepped.prop_map(|(value, step)| format!("{value}/{step}")),
    ]
}

fn component(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        3 => prop::collection::vec(entry(low, high), 1..4).prop_map(|entries| entries.join(",")),
    ]
}

fn weekdays() -> impl Strategy<Value = String> {
    let some = prop::sample::select(&["Mon", "tuesday", "Wed..Fri", "Sat,Sun", "Mon..Thu,Sun"][..]);
    prop_oneof![2 => Just(String::new()), 1 => some.prop_map(|some| format!("{some} "))]
}

fn date() -> impl Strategy<Value = String> {
    let from_start = component(1, 31).prop_map(|day| format!("-{day}"));
    // Steps from the end lead the other way, so there are none among these.
    let from_end = prop::collection::vec(1..=28_u32, 1..4)
        .prop_map(|days| format!("~{}", days.iter().map(u32::to_string).collect::<Vec<_>>().join(",")));
    let year = prop_oneof![3 => Just("*".to_owned()), 1 => component(1970, 2199)];
    (year, component(1, 12), prop_oneof![3 => from_start, 1 => from_end])
        .prop_map(|(year, month, day)| format!("{year}-{month}{day}"))
}

fn time() -> impl Strategy<Value = String> {
    let second = prop_oneof![2 => Just(String::new()), 1 => component(0, 59).prop_map(|second| format!(":{second}"))];
    (component(0, 23), component(0, 59), second).prop_map(|(hour, minute, second)| format!("{hour}:{minute}{second}"))
}

/// Any expression that is read in every zone.
fn calendar() -> impl Strategy<Value = String> {
    let own_zone = prop_oneof![4 => Just(String::new()), 1 => zone().prop_map(|zone| format!(" {zone}"))];
    (weekdays(), date(), time(), own_zone)
        .prop_map(|(weekdays, date, time, zone)| format!("{weekdays}{date} {time}{zone}"))
        .prop_filter("a date that comes", |text| Schedule::parse(&[text], TimeZone::UTC).is_ok())
}

fn once() -> impl Strategy<Value = String> {
    instant().prop_filter_map("a year from 1970", |t| (t.as_second() >= 0).then(|| format!("at {t:.0}")))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => calendar(), 1 => once()]
}

/// The instants of an expression in the four hours on each side of a shift, by its definition: second by second.
///
/// The same expression in UTC says which readings are named; each comes the first time that the clock shows it.
fn by_definition(text: &str, zone: &TimeZone, shift: Timestamp) -> Vec<Timestamp> {
    let named = schedule(text, "UTC");
    let (start, end) = (shift.as_second() - 4 * 60 * 60, shift.as_second() + 4 * 60 * 60);
    let reading = |second: i64| second + i64::from(zone.to_offset(Timestamp::from_second(second).unwrap()).seconds());
    // The clock has shown everything up to here; a day before is enough for every shift.
    let mut shown = (start - 30 * 60 * 60..start).step_by(60).map(reading).max().unwrap().max(reading(start - 1));
    let mut found = Vec::new();
    for second in start..end {
        let wall = Timestamp::from_second(reading(second)).unwrap();
        if wall.as_second() > shown && named.previous_at_or_before(wall) == Some(wall) {
            found.push(Timestamp::from_second(second).unwrap());
        }
        shown = shown.max(wall.as_second());
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_directions_walk_the_same_set(text in text(), (zone, t) in zone_and_instant()) {
        let Ok(schedule) = Schedule::parse(&[&text], parse_zone(zone).unwrap()) else { return Ok(()) };
        let (next, previous) = (schedule.next_after(t), schedule.previous_at_or_before(t));
        prop_assert!(next.is_some() || previous.is_some(), "{} has no instant", schedule);
        if let Some(next) = next {
            prop_assert!(next > t && next.subsec_nanosecond() == 0);
            prop_assert_eq!(schedule.previous_at_or_before(next), Some(next));
            prop_assert_eq!(schedule.previous_at_or_before(next - NANOSECOND), previous);
        }
        if let Some(previous) = previous {
            prop_assert!(previous <= t);
            prop_assert_eq!(schedule.next_after(previous), next);
            prop_assert_eq!(schedule.next_after(previous - NANOSECOND), Some(previous));
        }
    }

    #[test]
    fn the_canonical_text_means_the_same(text in text(), (zone, t) in zone_and_instant()) {
        let Ok(schedule) = Schedule::parse(&[&text], parse_zone(zone).unwrap()) else { return Ok(()) };
        let canonical = schedule.canonical();
        let read_again = crate::schedule(canonical.rsplit_once(" [").unwrap().0, zone);
        prop_assert_eq!(read_again.canonical(), canonical);
        prop_assert_eq!(read_again.next_after(t), schedule.next_after(t));
        prop_assert_eq!(read_again.previous_at_or_before(t), schedule.previous_at_or_before(t));
    }

    #[test]
    fn the_ends_of_time_have_no_neighbour_beyond(text in text(), zone in zone(), s in 0..4_000_000_i64) {
        let Ok(schedule) = Schedule::parse(&[&text], parse_zone(zone).unwrap()) else { return Ok(()) };
        for t in [Timestamp::MIN, Timestamp::MIN + SignedDuration::from_secs(s), Timestamp::MAX - SignedDuration::from_secs(s)] {
            prop_assert!(schedule.previous_at_or_before(t).is_none_or(|previous| previous <= t));
            prop_assert!(schedule.next_after(t).is_none_or(|next| next > t));
        }
        prop_assert!(schedule.next_after(Timestamp::MIN).is_some());
        prop_assert!(schedule.previous_at_or_before(Timestamp::MAX).is_some());
    }

    #[test]
    fn any_text_of_their_words_is_read_or_refused_with_a_place_inside_it(
        text in "(at |every |Mon\\.\\.|daily |[Tt]ue,)?[0-9*,/~.:TZ+-]{0,12} ?[0-9:.*/,TZ+-]{0,9}( UTC| é| at 2:00)?"
    ) {
        if let Err(error) = Schedule::parse(&[&text], TimeZone::UTC) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            prop_assert!(!error.message.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn around_a_shift_a_reading_comes_once_and_none_is_invented(
        weekdays in weekdays(), time in time(), zone in zone(), t in instant()
    ) {
        let text = format!("{weekdays}{time}");
        let schedule = schedule(&text, zone);
        let Some(shift) = schedule.zone().following(t).next().map(|shift| shift.timestamp()) else { return Ok(()) };
        let before = SignedDuration::from_secs(4 * 60 * 60 + 1);
        let end = shift + SignedDuration::from_secs(4 * 60 * 60 - 1);
        let found: Vec<Timestamp> = schedule.occurrences_between(shift - before, end).collect();
        prop_assert_eq!(found, by_definition(&text, schedule.zone(), shift), "{} at {}", schedule, shift);
    }
}
