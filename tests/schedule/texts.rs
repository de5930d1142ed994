//! Spellings: what they mean, and the one text that all of a kind share.

use jiff::tz::TimeZone;
use tickward::schedule::{Schedule, parse_zone};

use crate::{at, between, schedule};

#[test]
fn spellings_of_one_meaning_share_their_canonical_text() {
    let table = [
        ("0 2 * * 1-5", &["0  2\t* *  1-5 ", "0 2 * * MON-Fri", "0 2 */1 * mon,tue,3-5", "00 02 * * 1-5"][..]),
        ("0 0 * * *", &["@daily", "@midnight", "@DAILY", "0 0 */1 * *", "0 0 * */1 */1"]),
        ("0 * * * *", &["@hourly", " @Hourly "]),
        ("0 0 * * 0", &["@weekly", "0 0 * * 7", "0 0 * * sun", "0 0 * * 0,7"]),
        ("0 0 1 * *", &["@monthly"]),
        ("0 0 1 1 *", &["@yearly", "@annually", "0 0 1 jan *"]),
        ("0 0 * * 0,5-6", &["0 0 * * 5-7", "0 0 * * fri,sat,sun"]),
        ("5,20,35,50 * * * *", &["5/15 * * * *", "5-59/15 * * * *"]),
        ("*/15 * * * *", &["*/15,30 * * * *", "*/15,*/30 * * * *"]),
        ("*/60 * * * *", &["*/100 * * * *", "*/99999999999999999999 * * * *"]),
        ("*/60,7 * * * *", &["*/61,7 * * * *", "*/90,7,7 * * * *"]),
        ("0 0 */31 */12 */7", &["0 0 */99 */99 */8"]),
        ("0 0 */31,5 * *", &["0 0 */40,5 * *", "0 0 */31,5,1 * *"]),
        ("3 0 * * *", &["3-3/5 0 * * *"]),
        ("every 90m", &["every 1h30m", "EVERY 90 minutes", "@every 1h30m0s", "every 1 hour 30 min", "every 5400s"]),
        ("every 1440m", &["every day", "every 1d", "every 24 hours"]),
        ("every 5260320m", &["every 3653 days"]),
        ("every 10080m", &["every week", "every 7 days"]),
        ("every 1m", &["every minute", "every 60s", "  every 1m "]),
        ("30 2 * * *", &[" every 1 day at 2:30", "every d at   02:30", "\tEvery 1D AT 2:30 "]),
    ];
    for (expected, spellings) in table {
        for text in spellings.iter().chain([&expected]) {
            assert_eq!(schedule(text, "UTC").canonical(), format!("{expected} [UTC]"), "{text}");
        }
    }
}

#[test]
fn a_star_that_changes_the_meaning_stays_in_the_canonical_text() {
    for text in ["0-59 * * * *", "0 0-23 * * *", "0 0 1-31 * 1", "0 0 * * 0-6", "*/2 0 * * *", "*/31 0 */2 * 1"] {
        assert_eq!(schedule(text, "UTC").canonical(), format!("{text} [UTC]"));
    }
}

#[test]
fn the_canonical_text_names_the_zone_and_ignores_order_and_doubles() {
    let zone = parse_zone("europe/berlin").unwrap();
    let list = Schedule::parse(&["every 5m", "@daily", "0 0 * * *"], zone).unwrap();
    assert_eq!(list.canonical(), "0 0 * * *; every 5m [Europe/Berlin]");
    assert_eq!(list.to_string(), "every 5m; @daily; 0 0 * * * [Europe/Berlin]");
    assert_eq!(list.texts(), ["every 5m", "@daily", "0 0 * * *"]);
    assert_eq!(list.zone().iana_name(), Some("Europe/Berlin"));
    let offset = TimeZone::fixed(jiff::tz::offset(2));
    assert_eq!(Schedule::parse(&["@daily"], offset).unwrap().canonical(), "0 0 * * * [+02]");
}

#[test]
fn restricted_days_are_joined_as_debian_does() {
    // text | the days of February 2026 on which it runs; the 1st is a Sunday
    let table = [
        ("0 0 13 * fri", "6 13 20 27"),
        ("0 0 10-11 * 1", "2 9 10 11 16 23"),
        ("0 0 */10 * sun", "1"),
        ("0 0 */2 * */2", "1 3 5 7 15 17 19 21"),
        ("0 0 1-28/10 * *", "1 11 21"),
        ("0 0 *,5 * tue", "3 10 17 24"),
        ("0 0 5,* * tue", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28"),
        ("0 0 31 * 6", "7 14 21 28"),
        ("0 0 * 3 *", ""),
    ];
    for (text, expected) in table {
        let found = between(&schedule(text, "UTC"), "2026-01-31T23:59", "2026-02-28T23:59");
        let days: Vec<&str> = found.iter().map(|instant| instant[8..10].trim_start_matches('0')).collect();
        assert_eq!(days.join(" "), expected, "{text}");
    }
}

#[test]
fn intervals_count_from_the_epoch_in_every_zone() {
    let table = [
        ("every 7m", "1970-01-01T00:00", "1970-01-01T00:07", "1970-01-01T00:00"),
        ("every 7m", "1969-12-31T23:59", "1970-01-01T00:00", "1969-12-31T23:53"),
        ("every 5m", "2026-03-29T00:58:30", "2026-03-29T01:00", "2026-03-29T00:55"),
        ("@every 1d", "2026-11-22T12:00", "2026-11-23T00:00", "2026-11-22T00:00"),
        // The epoch was a Thursday.
        ("every week", "2026-11-22T12:00", "2026-11-26T00:00", "2026-11-19T00:00"),
    ];
    for (text, t, next, previous) in table {
        for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
            assert_eq!(schedule(text, zone).next_after(at(t)), Some(at(next)), "{text} in {zone} after {t}");
            assert_eq!(
                schedule(text, zone).previous_at_or_before(at(t)),
                Some(at(previous)),
                "{text} in {zone} at {t}"
            );
        }
    }
}

#[test]
fn a_list_is_a_union_in_which_equal_instants_are_one() {
    let list = Schedule::parse(&["every 30m", "0 * * * *", "15 10 * * *"], TimeZone::UTC).unwrap();
    let expected = ["10:00", "10:15", "10:30", "11:00"].map(|time| format!("2026-05-01T{time}:00Z"));
    assert_eq!(between(&list, "2026-05-01T09:59", "2026-05-01T11:00"), expected);
    assert_eq!(list.previous_at_or_before(at("2026-05-01T10:29")), Some(at("2026-05-01T10:15")));
}
