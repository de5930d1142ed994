//! Reads what people type after flags, and finds the name they may have meant.
//!
//! Holds always: what is refused is told with the forms that are taken.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// An instant; it must say how far it is from UTC, because hosts differ in where they are.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    text.parse().map_err(|_| match day(text) {
        Some(day) => {
            format!("a day has many instants: write one, as {day}T02:00:00Z, or {day}T03:00:00+01:00 with its offset")
        }
        None => {
            "write an instant in UTC, as 2026-03-02T02:00:00Z, or with its offset, as 2026-03-02T03:00:00+01:00".into()
        }
    })
}

/// A date alone: what has a time of day is none, and needs its offset.
fn day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|_| text.len() == 10)
}

/// The time of a rehearsal, which has to run on for a while: all of it can be told and stored.
pub fn rehearsed(text: &str) -> Result<Timestamp, String> {
    let now = instant(text)?;
    let last = Timestamp::MAX.checked_sub(SignedDuration::from_hours(24 * 366)).unwrap_or(Timestamp::MAX);
    if now > last { Err("write an instant before the year 9999".into()) } else { Ok(now) }
}

/// An instant as people think of it: exact, a day, or so long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Exactly then.
    At(Timestamp),
    /// The beginning of that day.
    Day(Date),
    /// So long from now; negative, or before where no sign was typed.
    Ago(SignedDuration),
}

impl When {
    /// The instant, as seen from `now`; days begin in `zone`.
    ///
    /// # Errors
    /// A text where that is no instant that can be told.
    pub fn resolve(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        match self {
            When::At(at) => Ok(at),
            When::Day(day) => {
                day.to_zoned(zone.clone()).map(|begin| begin.timestamp()).map_err(|error| error.to_string())
            }
            When::Ago(length) => now.checked_sub(length).map_err(|error| error.to_string()),
        }
    }
}

/// An instant, a date, or a duration that counts back from now, as `7d` or `-7d`.
pub fn when(text: &str) -> Result<When, String> {
    let text = text.trim();
    let length = || {
        let length = crate::config::duration(text.strip_prefix('-').unwrap_or(text))?;
        SignedDuration::try_from(length).ok().map(When::Ago)
    };
    instant(text).map(When::At).or_else(|_| day(text).map(When::Day).or_else(length).ok_or(())).map_err(|()| {
        "write an instant, as 2026-03-02T02:00:00Z, a date, as 2026-03-02, or how long ago, as 12h or 7d".into()
    })
}

/// How many of something: at least one.
pub fn count(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "write a whole number, 1 or more".into())
}

/// Advice for a name that nobody has: the one that is near to it, if any is, and the command that shows all.
pub fn meant(names: impl Iterator<Item = String>, word: &str, shows_all: &str) -> String {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return String::new();
    }
    let all = format!("`{shows_all}` shows all");
    near(names, word).map_or_else(|| all.clone(), |nearest| format!("did you mean `{nearest}`? {all}"))
}

/// The name that is most like `word`, if few changes make one of the other.
pub fn near(names: impl Iterator<Item = String>, word: &str) -> Option<String> {
    let word: String = word.chars().take(128).collect();
    let distance = |name: &String| strsim::damerau_levenshtein(&name.to_lowercase(), &word.to_lowercase());
    let nearest = names.map(|name| (distance(&name), name)).min()?;
    (nearest.0 <= 1 + nearest.1.len() / 4).then_some(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_in_its_zone_and_a_duration_counts_back() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let zone = TimeZone::get("America/New_York").unwrap();
        for (text, at) in [
            ("2026-11-01", "2026-11-01T04:00:00Z"),
            ("2026-11-02", "2026-11-02T05:00:00Z"),
            ("7d", "2026-11-15T10:00:00Z"),
            ("-90m", "2026-11-22T08:30:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ] {
            assert_eq!(when(text).unwrap().resolve(now, &zone), Ok(at.parse().unwrap()), "{text}");
        }
        for text in ["tomorrow", "2026-03-02T02:00:00", "2026-02-30", "7", ""] {
            assert!(when(text).is_err_and(|error| error.contains("2026-03-02,")), "{text}");
        }
    }

    #[test]
    fn a_rehearsal_has_time_to_run_on() {
        for (text, is_taken) in
            [("2026-03-02T02:00:00Z", true), ("9998-12-01T00:00:00Z", true), ("9999-12-30T00:00:00Z", false)]
        {
            assert_eq!(rehearsed(text).is_ok(), is_taken, "{text}");
        }
    }

    #[test]
    fn only_a_name_that_is_near_is_meant() {
        for (names, word, told) in [
            (&["load", "report"][..], "laod", "did you mean `load`? `x` shows all"),
            (&["load", "report"], "nobody", "`x` shows all"),
            (&["Nightly_Export"], "nightly-exprot", "did you mean `Nightly_Export`? `x` shows all"),
            (&[], "load", ""),
        ] {
            assert_eq!(meant(names.iter().map(|name| (*name).into()), word, "x"), told, "{word}");
        }
    }

    #[test]
    fn what_is_typed_is_read_or_refused_with_the_forms_that_are_taken() {
        let utc = "2026-03-02T02:00:00Z";
        assert_eq!(instant(utc), instant("2026-03-02T03:00:00+01:00"));
        assert!(instant("2026-11-01").is_err_and(|error| error.contains("write one, as 2026-11-01T02:00:00Z")));
        for text in ["tomorrow", "2026-02-30", "2026-03-02T02:00:00", "02:00", ""] {
            assert!(instant(text).is_err_and(|error| error.contains(utc)), "{text}");
        }
        for (text, number) in [("1", Some(1)), ("20", Some(20)), ("0", None), ("-1", None), ("many", None)] {
            assert_eq!(count(text).ok(), number, "{text}");
        }
    }
}
