//! OnCalendar: spellings, days, seconds, zones in the text, and shifts of the clock.

use jiff::tz::TimeZone;
use tickward::schedule::{Schedule, parse_zone};

use crate::{at, between, schedule};

#[test]
fn spellings_of_one_meaning_share_their_canonical_text() {
    let table = [
        ("*-*-* 02:00:00", &["02:00", "2:0", "*-*-* 2:00", "*-* 02:00:00", "Mon..Sun 2:00", "*-*~* 2:00"][..]),
        ("*-*-* *:*:00", &["minutely", "*:*", "*:0/1", "0..23:0..59:0"]),
        ("*-*-* *:00:00", &["hourly", "*:0", "*:00:00", "HOURLY"]),
        ("*-*-* 00:00:00", &["daily", "Daily", "*-*-*", "0:0"]),
        ("Mon *-*-* 00:00:00", &["weekly", "Mon", "monday", "Mon,", "Mon..Mon 00:00", "mon,mon *-*-*"]),
        ("*-*-01 00:00:00", &["monthly", "*-1", "*-*-1"]),
        ("*-01/3-01 00:00:00", &["quarterly", "*-1,4,7,10-1", "1/3-1"]),
        ("*-01,07-01 00:00:00", &["semiannually", "semi-annually", "biannually", "bi-annually", "1/6-1"]),
        ("*-01-01 00:00:00", &["yearly", "annually", "1-1", "01-01 0:00"]),
        ("Mon..Fri *-*-* 06:00:00", &["Mon..Fri 06:00", "Mon-Fri 6:00", "Tuesday,mon,wed..FRI 6:00"]),
        ("Mon..Thu,Sat,Sun *-*-* 00:00:00", &["Sat,Thu,Mon..Wed,Sat..Sun"]),
        ("*-*-* *:00/15:00", &["*:0/15", "*:0,15,30,45", "*:00/15:00", "*:0..59/15"]),
        ("Mon,Wed *-*-01..07 04:00:00", &["Mon,Wed *-*-1..7 4:00", "wed,mon *-*-1,2,3,4,5,6,7 4:00"]),
        ("*-*~01 00:00:00", &["*-*~1", "*~1", "*-*~01 0:0:0"]),
        ("Mon *-05~01..07 00:00:00", &["Mon *-05~07/1", "Mon *-5~1..7"]),
        ("*-*~01,03,05 00:00:00", &["*-*~5/2", "*-*~1..5/2", "*-*~1,3,5"]),
        ("2026-12-24 18:00:00", &["2026-12-24 18:00", "26-12-24 18:00"]),
        ("1970,2026,2069-01-01 00:00:00", &["70,26,69-1-1"]),
        ("*-*-* 02:00:00", &["*-1..12-1..31 2:00", "*-1/1-1/1 2:00"]),
        ("*-*-* *:00,59:00", &["*:0/59", "*:59,0"]),
        ("*-*-* *:30,59:00", &["*:30/29"]),
        ("*-*-* *:57..59:00", &["*:57/1", "*:57,58,59"]),
        ("*-*-* 03:20,30:00", &["3:20,30", "3:20..35/10"]),
        ("*-*-* 02:00:00 Europe/Berlin", &["2:00 europe/berlin", "*-*-* 02:00:00   Europe/Berlin"]),
        ("*-*-* 00:00:00 UTC", &["daily utc", "*-*-* UTC"]),
        ("Mon *-*-* 00:00:00 Etc/GMT+5", &["weekly etc/gmt+5"]),
    ];
    for (expected, spellings) in table {
        for text in spellings.iter().chain([&expected]) {
            assert_eq!(schedule(text, "Asia/Tokyo").canonical(), format!("{expected} [Asia/Tokyo]"), "{text}");
        }
    }
}

#[test]
fn a_list_may_mix_languages() {
    let texts = ["every 12h", "Mon 06:00", "30 6 * * *", "at 2026-11-23T06:15Z"];
    let list = Schedule::parse(&texts, TimeZone::UTC).unwrap();
    let expected = ["00:00", "06:00", "06:15", "06:30", "12:00"].map(|time| format!("2026-11-23T{time}:00Z"));
    assert_eq!(between(&list, "2026-11-22T23:00", "2026-11-23T12:00"), expected);
    let canonical = "30 6 * * *; Mon *-*-* 06:00:00; at 2026-11-23T06:15:00Z; every 720m [UTC]";
    assert_eq!(list.canonical(), canonical);
}

#[test]
fn days_and_weekdays_must_both_match_unlike_in_a_crontab_line() {
    // text | the days of February 2026 on which it comes; the 1st is a Sunday
    let table = [
        ("Fri *-*-13", "13"),
        ("Mon,Wed *-*-1..7 4:00", "2 4"),
        ("*-*~1", "28"),
        ("*-*~3..5", "24 25 26"),
        ("Sun *-*~7/1", "22"),
        ("*-*~28", "1"),
        ("*-*~6/4", "23 27"),
        ("*-*~1..6/4", "24 28"),
        ("*-*-27..31", "27 28"),
        ("*-3-*", ""),
        ("2027-*-*", ""),
        ("2020/2-*-5", "5"),
    ];
    for (text, expected) in table {
        let found = between(&schedule(text, "UTC"), "2026-01-31T23:59", "2026-02-28T23:59");
        let days: Vec<&str> = found.iter().map(|instant| instant[8..10].trim_start_matches('0')).collect();
        assert_eq!(days.join(" "), expected, "{text}");
    }
}

#[test]
fn the_last_day_of_a_month_is_found_in_leap_years_too() {
    let last = schedule("*-*~1 22:00", "UTC");
    let days = between(&last, "2027-12-31T22:00", "2028-04-30T22:00");
    assert_eq!(
        days.iter().map(|day| &day[..10]).collect::<Vec<_>>(),
        ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]
    );
    assert_eq!(last.previous_at_or_before(at("2028-03-01T00:00")), Some(at("2028-02-29T22:00")));
}

#[test]
fn seconds_are_instants_of_their_own() {
    let found = between(&schedule("10:59:10/20", "UTC"), "2026-05-01T10:59:09", "2026-05-01T12:00");
    assert_eq!(found, ["10", "30", "50"].map(|second| format!("2026-05-01T10:59:{second}Z")));
    // text | an instant | the next after it | the last at or before it
    for (text, t, next, previous) in [
        ("*:*:30", "10:00:29", "10:00:30", "09:59:30"),
        ("*:*:30", "10:00:30", "10:01:30", "10:00:30"),
        ("*:*:10/20", "10:00:09", "10:00:10", "09:59:50"),
        ("*:*:10/20", "10:00:45", "10:00:50", "10:00:30"),
        ("*:*:10/20", "10:00:50", "10:01:10", "10:00:50"),
        ("*:0:59", "10:00:58", "10:00:59", "09:00:59"),
        ("*:0:59", "10:00:59", "11:00:59", "10:00:59"),
    ] {
        let seconds = schedule(text, "UTC");
        let on_that_day = |time: &str| at(&format!("2026-05-01T{time}"));
        let found = (seconds.next_after(on_that_day(t)), seconds.previous_at_or_before(on_that_day(t)));
        assert_eq!(found, (Some(on_that_day(next)), Some(on_that_day(previous))), "{text} at {t}");
    }
}

#[test]
fn a_zone_in_the_text_goes_before_the_pipelines() {
    let list =
        Schedule::parse(&["06:00", "06:00 America/New_York", "6:00 UTC"], parse_zone("Asia/Tokyo").unwrap()).unwrap();
    let expected = ["2026-06-01T06:00:00Z", "2026-06-01T10:00:00Z", "2026-06-01T21:00:00Z"];
    assert_eq!(between(&list, "2026-06-01T00:00", "2026-06-02T00:00"), expected);
}

#[test]
fn a_date_with_its_year_comes_to_an_end() {
    let once = schedule("2026-12-24 18:00", "Europe/Berlin");
    assert_eq!(once.next_after(at("2026-01-01T00:00")), Some(at("2026-12-24T17:00")));
    assert_eq!(once.next_after(at("2026-12-24T17:00")), None);
    assert_eq!(once.previous_at_or_before(at("2030-01-01T00:00")), Some(at("2026-12-24T17:00")));
    assert_eq!(once.previous_at_or_before(at("2026-12-24T16:59")), None);
    let leap_years = schedule("2027,2099..2110-02-29", "UTC");
    assert_eq!(
        between(&leap_years, "1970-01-01T00:00", "2190-01-01T00:00"),
        ["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"]
    );
    // What has no year goes on after the last one that systemd knows.
    assert!(schedule("Mon *-02-29", "UTC").next_after(at("2199-12-31T00:00")).is_some());
}

/// zone | expression | after | until | instants
const SHIFTS: &str = "
# 2026-03-29 01:00Z in Berlin: 02:00 becomes 03:00. What is skipped never comes.
Europe/Berlin | 02:30 | 2026-03-28T12:00 | 2026-03-30T12:00 | 2026-03-30T00:30
Europe/Berlin | 1..3:30 | 2026-03-28T12:00 | 2026-03-29T12:00 | 2026-03-29T00:30 2026-03-29T01:30
Europe/Berlin | *:0/30 | 2026-03-29T00:10 | 2026-03-29T01:40 | 2026-03-29T00:30 2026-03-29T01:00 2026-03-29T01:30
# 2026-10-25 01:00Z in Berlin: 03:00 becomes 02:00. What is repeated comes once, on the first pass, with a star too.
Europe/Berlin | 02:30 | 2026-10-24T12:00 | 2026-10-26T12:00 | 2026-10-25T00:30 2026-10-26T01:30
Europe/Berlin | *:0/30 | 2026-10-24T23:40 | 2026-10-25T02:30 | 2026-10-25T00:00 2026-10-25T00:30 2026-10-25T02:00 2026-10-25T02:30
Europe/Berlin | *:0/30 | 2026-10-25T01:10 | 2026-10-25T02:30 | 2026-10-25T02:00 2026-10-25T02:30
Europe/Berlin | *:0/15 | 2026-10-25T01:40 | 2026-10-25T02:10 | 2026-10-25T02:00
# Midnight does not exist in Santiago on 2026-09-06, and comes twice in Havana on 2026-11-01.
America/Santiago | daily | 2026-09-05T12:00 | 2026-09-07T12:00 | 2026-09-07T03:00
America/Havana | daily | 2026-10-31T12:00 | 2026-11-02T12:00 | 2026-11-01T04:00 2026-11-02T05:00
# Half an hour in Lord Howe: 2026-04-04 15:00Z 02:00 becomes 01:30.
Australia/Lord_Howe | *:0/15 | 2026-04-04T14:40 | 2026-04-04T15:50 | 2026-04-04T14:45 2026-04-04T15:30 2026-04-04T15:45
# The size of a shift makes no difference: Samoa left out 2011-12-30, Kwajalein repeated 1969-09-30 from 01:00 on.
Pacific/Apia | *-12-30 12:00 | 2011-01-01T00:00 | 2012-12-31T00:00 | 2012-12-29T22:00
Pacific/Kwajalein | 06:00 | 1969-09-29T00:00 | 1969-10-02T00:00 | 1969-09-29T19:00 1969-10-01T18:00
Pacific/Kwajalein | 06:00 | 1969-09-30T15:00 | 1969-10-02T00:00 | 1969-10-01T18:00
Pacific/Kwajalein | *-9-30 *:0 | 1969-09-30T10:30 | 1969-12-01T00:00 | 1969-09-30T11:00 1969-09-30T12:00
# The zone of the text is the one whose clock is shifted.
UTC | 02:30 Europe/Berlin | 2026-03-28T12:00 | 2026-03-30T12:00 | 2026-03-30T00:30
";

#[test]
fn a_reading_of_the_clock_comes_once_where_it_is_repeated_and_never_where_it_is_skipped() {
    crate::daylight_saving::check(SHIFTS);
}
