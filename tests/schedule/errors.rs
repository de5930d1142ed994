//! What is said about schedules that are wrong: the message, the piece of the text it is about, and the advice.

use jiff::tz::TimeZone;
use tickward::schedule::{Error, Schedule, parse_zone};

/// text | the piece that is to blame | message | part of the advice
const CASES: &str = "
0 0 * * 8 | 8 | day of week `8` is out of range | use 0 to 7, or a name from sun to sat
60 * * * * | 60 | minute `60` is out of range | use 0 to 59
0 24 * * * | 24 | hour `24` is out of range | use 0 to 23
0 0 0 * * | 0 | day of month `0` is out of range | use 1 to 31
0 0 1,32 * * | 32 | day of month `32` is out of range | use 1 to 31
0 0 * 13 * | 13 | month `13` is out of range | from jan to dec
0 0 99999999999999999999 * * | 99999999999999999999 | day of month `99999999999999999999` is out of range | 1 to 31
0 0 * janu * | janu | month `janu` is not understood | from jan to dec
0 0 * * mon-fry | fry | day of week `fry` is not understood | from sun to sat
-5 * * * * |  | minute has an empty entry | use 0 to 59
5- * * * * |  | minute has an empty entry | use 0 to 59
1,,2 * * * * |  | minute has an empty entry | use 0 to 59
1, * * * * |  | minute has an empty entry | use 0 to 59
+1 * * * * | +1 | minute `+1` is not understood | use 0 to 59
*5 * * * * | *5 | minute `*5` is not understood | use 0 to 59
1-2-3 * * * * | 2-3 | minute `2-3` is not understood | use 0 to 59
*/0 * * * * | 0 | minute step `0` leads nowhere | whole number from 1
*/ * * * * |  | minute step `` is not a number | whole number from 1
*/x * * * * | x | minute step `x` is not a number | whole number from 1
*/5/5 * * * * | 5/5 | minute step `5/5` is not a number | whole number from 1
0 22-6 * * * | 22-6 | hour range `22-6` runs backwards | use `22-23,0-6`
0 0 28-1 * * | 28-1 | day of month range `28-1` runs backwards | use `28-31,1`
0 0 * nov-feb * | nov-feb | month range `nov-feb` runs backwards | use `11-12,1-2`
0 0 * * fri-sun | fri-sun | day of week range `fri-sun` runs backwards | use `fri-7`
0 0 * * 6-1 | 6-1 | day of week range `6-1` runs backwards | use `6,0-1`
0 0 L * * | L | day of month `L` is not understood | no last day: `*-*~01 HH:MM`, with the time, is the last day of a month
0 0 L-3 * * | L | day of month `L` is not understood | no last day: `*-*~01 HH:MM`
0 0 LW * * | LW | day of month `LW` is not understood | no nearest weekday
0 0 15W * * | 15W | day of month `15W` is not understood | no nearest weekday
0 0 * * 5L | 5L | day of week `5L` is not understood | no last weekday: `Fri *-*~07/1 HH:MM`, with the time, is the last friday of a month
0 0 * * friL | friL | day of week `friL` is not understood | `Fri *-*~07/1 HH:MM`
0 0 * * L | L | day of week `L` is not understood | saturday: use 6
0 0 * * 5#3 | 5#3 | day of week `5#3` is not understood | no n-th weekday: `Fri *-*-15..21 HH:MM`, with the time, is the third friday of a month
0 0 * * mon#1 | mon#1 | day of week `mon#1` is not understood | `Mon *-*-01..07 HH:MM`, with the time, is the first monday
0 0 * * 0#5 | 0#5 | day of week `0#5` is not understood | `Sun *-*-29..31 HH:MM`, with the time, is the fifth sunday
0 0 * * 5#6 | 5#6 | day of week `5#6` is not understood | no n-th weekday: run on each candidate
0 0 ? * 1 | ? | day of month `?` is not understood | use `*`
H 2 * * * | H | minute `H` is not understood | Jenkins
0~30 2 * * * | 0~30 | minute `0~30` is not understood | jitter
0 0 31 2 * | 31 2 | day of month `31` never comes in month `2` | february has at most 29 days
0 0 30 feb */2 | 30 feb | day of month `30` never comes in month `feb` | february has at most 29 days
0 0 31 4,6 * | 31 4,6 | day of month `31` never comes in month `4,6` | have 30
mon 2 * * * | mon | minute `mon` is not understood | use 0 to 59
0 2 * * | 0 2 * * | a crontab line has five fields, found 4 | minute, hour, day of month
0 0 2 * * * | 0 0 2 * * * | a crontab line has five fields, found 6 | seconds and years are not supported: a tick is a minute
0 0 2 * * * 2027 | 0 0 2 * * * 2027 | a crontab line has five fields, found 7 | seconds and years are not supported
0 2 * * * /bin/true a b | 0 2 * * * /bin/true a b | a crontab line has five fields, found 8 | a key of its own
@reboot | @reboot | `@reboot` names no instant, so it can't be claimed, caught up or run only once | at boot by other means
@dialy | @dialy | nickname `@dialy` is not known | `@daily`
@daily 5 | 5 | `5` does not belong after `@daily` | 
every | | `every` needs an interval | every 5m
every 5 | 5 | interval `5` has no unit | every 5m
every 5 10m | 5 | interval `5` has no unit | every 5m
every 5x | x | unit `x` is not known | every 5m
every 0m | 0m | interval `0m` is zero | every 5m
every 30s | 30s | interval `30s` is not a whole number of minutes | a tick is a minute
every 1.5h | 1.5h | interval `1.5h` is not understood | every 1h30m
every -5m | -5m | interval `-5m` is not understood | every 5m
every 11y | y | unit `y` is not known | every 5m
every 600 weeks | 600 weeks | interval `600 weeks` is longer than ten years | every 5m
every 99999999999999999999m | 99999999999999999999m | interval `99999999999999999999m` is longer than ten years | every 5m
@every 9999999999999999w | 9999999999999999w | interval `9999999999999999w` is longer than ten years | every 5m
midnight | midnight | schedule `midnight` is not understood | `daily`
tomorrow morning | tomorrow morning | schedule `tomorrow morning` is not understood | known are five crontab fields
every 5m day | day | interval `day` is not understood | every 1h30m
every 5260321m | 5260321m | interval `5260321m` is longer than ten years | every 5m
every weekday | weekday | unit `weekday` is not known | every 5m
every 1.5.hours | 1.5.hours | interval `1.5.hours` is not understood | every 1h30m
every 2 days at 02:00 | at | `at` does not go with the interval `2 days` | `every 1 day at 02:00`
every 24h at 02:00 | at | `at` does not go with the interval `24h` | Mon *-*-* 02:00
every at 02:00 | | `every` needs an interval | every 5m
every 1 day at | at | `at` needs a time of day | hour and minute
every 1 day at 25:00 | 25:00 | time `25:00` does not exist | hour and minute
every 1d at   2am | 2am | time `2am` is not understood | hour and minute
every 1d at +2:00 | +2:00 | time `+2:00` is not understood | hour and minute
every 1d at 002:00 | 002:00 | time `002:00` is not understood | hour and minute
every 1d at 02:00:30 | 02:00:30 | time `02:00:30` is not understood | hour and minute
TZ=Europe/Berlin 0 2 * * * | TZ=Europe/Berlin | `TZ` is not part of a schedule | `timezone:`
CRON_TZ=UTC 0 2 * * * | CRON_TZ=UTC | `CRON_TZ` is not part of a schedule | `timezone:`
";

#[test]
fn mistakes_are_named_with_their_place_and_what_to_do() {
    check(CASES);
}

/// Checks every row of a table.
pub fn check(table: &str) {
    let mut cases = 0;
    for row in table.lines().filter(|row| !row.is_empty()) {
        let columns: Vec<&str> = row.split(" |").map(|column| column.strip_prefix(' ').unwrap_or(column)).collect();
        let [text, blamed, message, advice] = columns[..] else { panic!("not four columns: {row}") };
        let error = refused(&[text]);
        assert_eq!(error.message, message, "{row}");
        assert_eq!(&text[error.span.clone()], blamed, "{row}: {error:?}");
        assert!(error.help.as_deref().unwrap_or_default().contains(advice), "{row}: {error:?}");
        assert_eq!((error.index, error.to_string()), (0, error.message.clone()), "{row}");
        cases += 1;
    }
    assert!(cases > 50);
}

#[test]
fn what_else_a_line_may_have_meant_depends_on_how_many_words_it_has() {
    let order = "use minute, hour, day of month, month, day of week";
    for (count, more) in [
        (2, ""),
        (4, ""),
        (6, "; seconds and years are not supported: a tick is a minute"),
        (7, "; seconds and years are not supported: a tick is a minute"),
        (8, "; the command has a key of its own"),
        (11, "; the command has a key of its own"),
    ] {
        let error = refused(&[&vec!["1"; count].join(" ")]);
        assert_eq!(error.help, Some(format!("{order}{more}")), "{count}: {error:?}");
    }
}

#[test]
fn the_place_counts_leading_space_and_earlier_words() {
    let error = refused(&["  0   0\t* *    8 "]);
    assert_eq!(error.span, 15..16);
    let error = refused(&["\u{a0}0 0 * * ü"]);
    assert_eq!((error.message.as_str(), error.span), ("day of week `ü` is not understood", 10..12));
}

#[test]
fn the_index_says_which_text_of_the_list_is_wrong() {
    assert_eq!(refused(&["@daily", "every 5m", "0 0 * * 9"]).index, 2);
}

#[test]
fn empty_lists_and_texts_are_refused() {
    assert_eq!(refused(&[]).message, "the list of schedules is empty");
    assert_eq!(refused(&[" \t"]).message, "the schedule is empty");
}

#[test]
fn unknown_zones_get_the_nearest_known_name() {
    let table = [
        ("Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("america/new york", "did you mean `America/New_York`?"),
        ("Europe/Kiew", "did you mean `Europe/Kiev`?"),
        ("", "use a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
        ("+02:00", "use a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
        ("../../etc/passwd", "use a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
    ];
    for (name, help) in table {
        let error = parse_zone(name).expect_err(name);
        assert_eq!(error.message, format!("time zone `{name}` is not known"));
        assert_eq!((error.help.as_deref(), error.span), (Some(help), 0..name.len()), "{name}");
    }
}

#[test]
fn zones_are_read_in_any_case() {
    for (name, expected) in [("UTC", "UTC"), ("utc", "UTC"), ("europe/BERLIN", "Europe/Berlin"), ("Etc/UTC", "Etc/UTC")]
    {
        assert_eq!(parse_zone(name).unwrap().iana_name(), Some(expected), "{name}");
    }
    assert!(parse_zone("Etc/Unknown").is_err());
}

fn refused(texts: &[&str]) -> Error {
    Schedule::parse(texts, TimeZone::UTC).expect_err(&format!("{texts:?}"))
}

/// What the advice says can be written, and is what it says.
#[test]
fn what_is_advised_for_words_of_quartz_is_an_oncalendar_expression() {
    for (line, days) in [
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 * * 5L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * 5#3", ["2026-01-16", "2026-02-20", "2026-03-20"]),
        ("0 0 * * mon#1", ["2026-01-05", "2026-02-02", "2026-03-02"]),
        ("0 0 * * sun#5", ["2026-03-29", "2026-05-31", "2026-08-30"]),
    ] {
        let help = refused(&[line]).help.unwrap();
        let text = help.split('`').nth(1).unwrap().replace("HH:MM", "02:00");
        let schedule = Schedule::parse(&[&text], TimeZone::UTC).unwrap();
        let mut at: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for day in days {
            at = schedule.next_after(at).unwrap();
            assert_eq!(at.to_string(), format!("{day}T02:00:00Z"), "{line}: {text}");
        }
    }
}
