//! Advice for words that other schedulers know and crontab(5) does not, such as `L`, `15W` and `mon#1` of Quartz.
//!
//! Where systemd's OnCalendar can say the same, the advice is what to write; the time is that of the line.

/// The days of a week as OnCalendar writes them and as people say them, from sunday on.
const WEEKDAYS: [(&str, &str); 7] = [
    ("Sun", "sunday"),
    ("Mon", "monday"),
    ("Tue", "tuesday"),
    ("Wed", "wednesday"),
    ("Thu", "thursday"),
    ("Fri", "friday"),
    ("Sat", "saturday"),
];

/// What `nth` is called.
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// The advice for an entry of a field, of the days of the week or another one; none for a word that nobody knows.
pub(super) fn advice(text: &str, is_weekday: bool) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    // `L`, `5L`, `L-3`, `15W`, `LW`; but not the name of a month.
    let is_marked =
        |mark: char| upper.contains(mark) && !upper.chars().any(|c| c.is_ascii_alphabetic() && !"LW".contains(c));
    let told = match text {
        "?" => "`?` is Quartz's word for no restriction: use `*`",
        "H" | "h" => "`H` is Jenkins's word for a value of its own choice: write the value, or set a jitter",
        _ if text.contains('#') => {
            let without = "crontab(5) has no n-th weekday";
            return Some(or_test(without, nth_weekday(&upper).filter(|_| is_weekday)));
        }
        _ if text.contains('~') => "random values differ from host to host: write the value, or set a jitter",
        _ if is_marked('W') => "crontab(5) has no nearest weekday: run on each and test the date in the command",
        "L" | "l" if is_weekday => "`L` is Quartz's word for saturday: use 6",
        _ if is_weekday && upper.ends_with('L') && weekday(&upper[..upper.len() - 1]).is_some() => {
            return Some(or_test("crontab(5) has no last weekday", last_weekday(&upper)));
        }
        _ if is_marked('L') => {
            let last = ("*-*~01".to_owned(), "the last day of a month".to_owned());
            return Some(or_test("crontab(5) has no last day", Some(last).filter(|_| upper == "L")));
        }
        _ => return None,
    };
    Some(told.into())
}

/// What OnCalendar says instead and what that is, else what the command can do.
fn or_test(without: &str, instead: Option<(String, String)>) -> String {
    match instead {
        Some((date, what)) => format!("{without}: `{date} HH:MM`, with the time, is {what}"),
        None => format!("{without}: run on each candidate and test the date in the command"),
    }
}

/// `5L`, `FRIL`: counted as crontab(5) does.
fn last_weekday(text: &str) -> Option<(String, String)> {
    let (written, said) = weekday(text.strip_suffix('L')?)?;
    Some((format!("{written} *-*~07/1"), format!("the last {said} of a month")))
}

/// `MON#1`, `5#3`: counted as crontab(5) does.
fn nth_weekday(text: &str) -> Option<(String, String)> {
    let (day, nth) = text.split_once('#')?;
    let (written, said) = weekday(day)?;
    let nth: usize = nth.parse().ok()?;
    let ordinal = ORDINALS.get(nth.checked_sub(1)?)?;
    let (first, last) = (7 * nth - 6, (7 * nth).min(31));
    Some((format!("{written} *-*-{first:02}..{last:02}"), format!("the {ordinal} {said} of a month")))
}

/// A day of the week by its number or name, in capitals.
fn weekday(text: &str) -> Option<(&'static str, &'static str)> {
    let named = || WEEKDAYS.iter().position(|(name, _)| name.eq_ignore_ascii_case(text));
    let number = text.parse().ok().filter(|number| *number <= 7).map(|number: usize| number % 7);
    number.or_else(named).map(|number| WEEKDAYS[number])
}
