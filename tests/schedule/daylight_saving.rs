//! What becomes of a line when the clock is shifted, case by case. Instants are UTC, to the minute; the comment above a
//! group says what the clock on the wall does.

use crate::{at, between, schedule};

/// zone | line | after | until | instants
const SHIFTS_UP_TO_THREE_HOURS: &str = "
# 2026-03-29 01:00Z in Berlin: 02:00 becomes 03:00. Fixed times in between are made up for at 03:00, once.
Europe/Berlin | 30 2 * * * | 2026-03-28T12:00 | 2026-03-30T12:00 | 2026-03-29T01:00 2026-03-30T00:30
Europe/Berlin | 0,30 2 * * * | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T01:00
Europe/Berlin | 30 2,3 * * * | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T01:00 2026-03-29T01:30
Europe/Berlin | 0 2,3 * * * | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T01:00
Europe/Berlin | 30 1,2,3 * * * | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T00:30 2026-03-29T01:00 2026-03-29T01:30
Europe/Berlin | 30 2 28 * * | 2026-03-28T12:00 | 2026-03-30T12:00 |
Europe/Berlin | 30 2 * * sun | 2026-03-28T12:00 | 2026-04-05T12:00 | 2026-03-29T01:00 2026-04-05T00:30
# Lines with a star follow real time.
Europe/Berlin | 30 * * * * | 2026-03-29T00:00 | 2026-03-29T02:00 | 2026-03-29T00:30 2026-03-29T01:30
Europe/Berlin | */30 2 * * * | 2026-03-28T12:00 | 2026-03-30T01:00 | 2026-03-30T00:00 2026-03-30T00:30
Europe/Berlin | 30 */2 * * * | 2026-03-28T23:00 | 2026-03-29T03:00 | 2026-03-28T23:30 2026-03-29T02:30
# 2026-10-25 01:00Z in Berlin: 03:00 becomes 02:00. Fixed times run on the first pass only.
Europe/Berlin | 30 2 * * * | 2026-10-24T12:00 | 2026-10-26T12:00 | 2026-10-25T00:30 2026-10-26T01:30
Europe/Berlin | 0 2-3 * * * | 2026-10-24T12:00 | 2026-10-25T12:00 | 2026-10-25T00:00 2026-10-25T02:00
Europe/Berlin | 30 2 * * * | 2026-10-25T01:00 | 2026-10-26T12:00 | 2026-10-26T01:30
Europe/Berlin | 45 2 * * * | 2026-10-25T01:10 | 2026-10-26T12:00 | 2026-10-26T01:45
Europe/Berlin | 0 0-23 * * * | 2026-10-24T23:00 | 2026-10-25T03:00 | 2026-10-25T00:00 2026-10-25T02:00 2026-10-25T03:00
Europe/Berlin | 0 * * * * | 2026-10-24T23:00 | 2026-10-25T03:00 | 2026-10-25T00:00 2026-10-25T01:00 2026-10-25T02:00 2026-10-25T03:00
Europe/Berlin | */30 2 * * * | 2026-10-24T12:00 | 2026-10-25T12:00 | 2026-10-25T00:00 2026-10-25T00:30 2026-10-25T01:00 2026-10-25T01:30
Europe/Berlin | 30 */2 * * * | 2026-10-24T23:00 | 2026-10-25T03:00 | 2026-10-25T00:30 2026-10-25T01:30
# A yearly line whose next wall time is a year away looks at the second pass first.
Europe/Berlin | * 2 25 10 * | 2026-10-25T00:59 | 2026-10-25T01:01 | 2026-10-25T01:00 2026-10-25T01:01
# Half an hour in Lord Howe: 2026-10-03 15:30Z 02:00 becomes 02:30, 2026-04-04 15:00Z 02:00 becomes 01:30.
Australia/Lord_Howe | 15 2 * * * | 2026-10-03T00:00 | 2026-10-05T00:00 | 2026-10-03T15:30 2026-10-04T15:15
Australia/Lord_Howe | 45 1 * * * | 2026-04-04T00:00 | 2026-04-05T20:00 | 2026-04-04T14:45 2026-04-05T15:15
Australia/Lord_Howe | 30 * * * * | 2026-04-04T14:00 | 2026-04-04T16:30 | 2026-04-04T14:30 2026-04-04T15:00 2026-04-04T16:00
# Midnight does not exist in Santiago (2026-09-06), Beirut (2026-03-29) and Cairo (2026-04-24); the day's run comes at 01:00.
America/Santiago | @daily | 2026-09-05T12:00 | 2026-09-07T12:00 | 2026-09-06T04:00 2026-09-07T03:00
Asia/Beirut | 0 0 * * sun | 2026-03-28T12:00 | 2026-03-30T12:00 | 2026-03-28T22:00
Africa/Cairo | 15 0 24 4 * | 2026-04-23T12:00 | 2026-04-25T12:00 | 2026-04-23T22:00
# It comes twice in Havana's autumn (2026-11-01 05:00Z, 01:00 becomes 00:00).
America/Havana | @daily | 2026-10-31T12:00 | 2026-11-02T12:00 | 2026-11-01T04:00 2026-11-02T05:00
# Two hours in Troll: 2026-03-29 01:00Z 01:00 becomes 03:00, 2026-10-25 01:00Z 03:00 becomes 01:00.
Antarctica/Troll | 0,30 1,2 * * * | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T01:00
Antarctica/Troll | 30 1,2 * * * | 2026-10-24T12:00 | 2026-10-25T12:00 | 2026-10-24T23:30 2026-10-25T00:30
# Exactly three hours in Casey count as a shift: 2020-10-03 16:01Z 00:01 becomes 03:01, 2021-03-13 13:00Z 00:00 becomes 21:00.
Antarctica/Casey | 30 1 * * * | 2020-10-03T12:00 | 2020-10-04T20:00 | 2020-10-03T16:01 2020-10-04T14:30
Antarctica/Casey | 30 22 * * * | 2021-03-13T00:00 | 2021-03-14T20:00 | 2021-03-13T11:30 2021-03-14T14:30
# Dublin's winter time is written as negative daylight saving time; the clock is shifted as in London.
Europe/Dublin | 30 1 * * * | 2026-03-28T12:00 | 2026-03-30T12:00 | 2026-03-29T01:00 2026-03-30T00:30
Europe/Dublin | 30 1 * * * | 2026-10-24T12:00 | 2026-10-26T12:00 | 2026-10-25T00:30 2026-10-26T01:30
# Casablanca leaves its summer time for Ramadan, 2026-02-15 02:00Z and back 2026-03-22 02:00Z.
Africa/Casablanca | 30 2 * * * | 2026-02-14T12:00 | 2026-02-16T12:00 | 2026-02-15T01:30 2026-02-16T02:30
Africa/Casablanca | 30 2 * * * | 2026-03-21T12:00 | 2026-03-23T12:00 | 2026-03-22T02:00 2026-03-23T01:30
# A change that is not daylight saving: Volgograd gave up its hour on 2020-12-26 22:00Z, 02:00 became 01:00.
Europe/Volgograd | 30 1 * * * | 2020-12-26T12:00 | 2020-12-27T23:00 | 2020-12-26T21:30 2020-12-27T22:30
# Clocks that are never shifted, three hours ahead of UTC and five behind.
Etc/GMT-3 | 0 6 * * * | 2026-06-01T03:00 | 2026-06-03T12:00 | 2026-06-02T03:00 2026-06-03T03:00
Etc/GMT-3 | 0 6 * * * | 2026-06-01T02:59 | 2026-06-01T12:00 | 2026-06-01T03:00
Etc/GMT+5 | 0 22 * * * | 2026-06-01T03:00 | 2026-06-03T12:00 | 2026-06-02T03:00 2026-06-03T03:00
";

/// What was left out never comes, what was repeated comes twice; star or not makes no difference.
const LARGER_SHIFTS: &str = "
# Samoa left out 2011-12-30: 24 hours forward at 2011-12-30 10:00Z.
Pacific/Apia | 0 12 * * * | 2011-12-29T12:00 | 2012-01-01T12:00 | 2011-12-29T22:00 2011-12-30T22:00 2011-12-31T22:00
Pacific/Apia | 0 12 30 12 * | 2011-01-01T00:00 | 2012-12-31T00:00 | 2012-12-29T22:00
Pacific/Apia | 0 */12 * * * | 2011-12-29T12:00 | 2011-12-30T12:00 | 2011-12-29T22:00 2011-12-30T10:00
Pacific/Apia | @daily | 2011-12-29T00:00 | 2011-12-31T23:00 | 2011-12-29T10:00 2011-12-30T10:00 2011-12-31T10:00
# Kwajalein left out 1993-08-21: 24 hours forward at 1993-08-21 12:00Z.
Pacific/Kwajalein | 0 6 * * * | 1993-08-20T00:00 | 1993-08-22T20:00 | 1993-08-20T18:00 1993-08-21T18:00 1993-08-22T18:00
Pacific/Kwajalein | 0 6 21 8 * | 1993-01-01T00:00 | 1994-12-31T00:00 | 1994-08-20T18:00
# It had lived 1969-09-30 from 01:00 on a second time: 23 hours back at 1969-09-30 13:00Z.
Pacific/Kwajalein | 0 6 * * * | 1969-09-29T00:00 | 1969-10-02T00:00 | 1969-09-29T19:00 1969-09-30T18:00 1969-10-01T18:00
Pacific/Kwajalein | 30 6 30 9 * | 1969-09-29T00:00 | 1969-10-02T00:00 | 1969-09-29T19:30 1969-09-30T18:30
Pacific/Kwajalein | 30 6 30 * * | 1969-09-29T00:00 | 1969-10-02T00:00 | 1969-09-29T19:30 1969-09-30T18:30
";

#[test]
fn shifts_up_to_three_hours_are_smoothed_for_fixed_times() {
    check(SHIFTS_UP_TO_THREE_HOURS);
}

#[test]
fn larger_shifts_are_corrections_and_change_nothing() {
    check(LARGER_SHIFTS);
}

#[test]
fn a_shift_at_odd_seconds_is_made_up_for_at_that_second() {
    // Monrovia gained 44 minutes and 30 seconds on 1972-01-07: 00:00 became 00:44:30.
    let daily = schedule("30 0 * * *", "Africa/Monrovia");
    let expected = ["1972-01-06T01:14:30Z", "1972-01-07T00:44:30Z", "1972-01-08T00:30:00Z"];
    assert_eq!(between(&daily, "1972-01-06T00:00", "1972-01-08T12:00"), expected);
    assert_eq!(daily.previous_at_or_before(at("1972-01-07T12:00")), Some(at("1972-01-07T00:44:30")));
}

#[test]
fn before_its_first_shift_a_zone_has_one_offset() {
    // Berlin was 53 minutes and 28 seconds ahead of Greenwich until 1893.
    for text in ["0 12 * * *", "12:00"] {
        let noon = schedule(text, "Europe/Berlin");
        assert_eq!(noon.next_after(at("1890-01-01T11:06:31")), Some(at("1890-01-01T11:06:32")), "{text}");
        assert_eq!(noon.next_after(at("1890-01-01T11:06:32")), Some(at("1890-01-02T11:06:32")), "{text}");
        assert_eq!(noon.previous_at_or_before(at("1890-01-02T11:06:31")), Some(at("1890-01-01T11:06:32")), "{text}");
    }
}

#[test]
fn the_rarest_dates_are_found_across_forty_years() {
    // 29 February on a Sunday: 2088, then 2128, since 2100 is no leap year.
    for zone in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"] {
        let rare = schedule("0 12 29 2 */7", zone);
        let found = rare.next_after(at("2088-03-01T12:00")).unwrap();
        assert_eq!(found.to_zoned(rare.zone().clone()).datetime().to_string(), "2128-02-29T12:00:00", "{zone}");
        let before = rare.previous_at_or_before(at("2128-02-28T12:00")).unwrap();
        assert_eq!(before.to_zoned(rare.zone().clone()).datetime().to_string(), "2088-02-29T12:00:00", "{zone}");
    }
}

#[test]
fn years_before_the_first_are_searched_too() {
    let june = schedule("0 12 1 6 *", "UTC");
    assert_eq!(june.next_after(at("-000100-07-01T00:00:00")), Some(at("-000099-06-01T12:00:00")));
    assert_eq!(june.previous_at_or_before(at("-000100-05-01T00:00:00")), Some(at("-000101-06-01T12:00:00")));
}

/// Checks every row forwards, and backwards from each instant to the one before it, and each instant from right beside it.
pub fn check(table: &str) {
    let second = jiff::SignedDuration::from_secs(1);
    for row in table.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [zone, line, after, until, expected] = columns[..] else { panic!("not five columns: {row}") };
        let schedule = schedule(line, zone);
        let minutes: Vec<String> = between(&schedule, after, until).iter().map(|t| t[..16].to_owned()).collect();
        assert_eq!(minutes.join(" "), expected, "{row}");
        let mut later = at(until);
        for instant in minutes.iter().rev().map(|minute| at(minute)) {
            assert_eq!(schedule.previous_at_or_before(later), Some(instant), "{row}: backwards from {later}");
            for beside in [instant, instant + second] {
                assert_eq!(schedule.previous_at_or_before(beside), Some(instant), "{row}: backwards from {beside}");
            }
            later = instant - second;
            assert_eq!(schedule.next_after(later), Some(instant), "{row}: forwards from {later}");
        }
        assert!(schedule.previous_at_or_before(later).is_none_or(|t| t <= at(after)), "{row}: backwards from {later}");
    }
}
