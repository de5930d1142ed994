//! Reads durations (`1h30m`), sizes (`512M`) and percentages (`20%`).
//!
//! Holds always: a duration carries its units, a bare number is none; what is out of range is an error, never cut.

use std::time::Duration;

/// Why a text is no quantity, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) help: String,
}

const DURATION_UNITS: &str = "ms, s, m, h, d or w";

/// A duration of whole units, the largest first or not, with or without spaces: `90s`, `1h30m`, `1h 30m`, `2d`, `1w`,
/// `500ms`. A day has 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, Mistake> {
    let text = text.trim();
    let refuse = |help: String| Mistake { message: format!("`{text}` is not a duration"), help };
    let example = || refuse(format!("write a number and a unit ({DURATION_UNITS}), for example 90s or 1h30m"));
    if text.starts_with('-') {
        return Err(refuse("a duration cannot be negative".into()));
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let unit = if text == "0" { "s" } else { "s if seconds are meant" };
        return Err(refuse(format!("write {text}{unit}")));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let unit_length = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(unit_length);
        let number: u64 = number.parse().map_err(|_| example())?;
        let unit_millis = unit_millis(unit).ok_or_else(example)?;
        if seen.contains(&unit_millis) {
            return Err(refuse("each unit may stand there once".into()));
        }
        seen.push(unit_millis);
        let part = number.checked_mul(unit_millis).filter(|millis| *millis <= MAX_MILLIS);
        total += Duration::from_millis(part.ok_or_else(|| refuse("100 years is the longest".into()))?);
        rest = tail.trim_start();
    }
    match seen.is_empty() {
        true => Err(example()),
        false => Ok(total),
    }
}

/// A hundred years.
const MAX_MILLIS: u64 = 100 * 366 * 86_400_000;

fn unit_millis(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 604_800_000,
        _ => return None,
    })
}

/// A duration as people write it: `1h30m`, `500ms`, `0s`.
pub(super) fn written(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if millis >= size {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// A number of bytes: `512M`, `1G`, `10MiB` (powers of 1024), `10MB` (powers of 1000), or a bare number of bytes.
pub(super) fn size(text: &str) -> Result<u64, Mistake> {
    let text = text.trim();
    let refuse = || Mistake {
        message: format!("`{text}` is not a size"),
        help: "write a number of bytes or a number and a unit, for example 512M, 1G or 10MB".into(),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" | "ki" => 1 << 10,
        "m" | "mib" | "mi" => 1 << 20,
        "g" | "gib" | "gi" => 1 << 30,
        "t" | "tib" | "ti" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(refuse()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(refuse)
}

/// A percentage from 0 to 100, with or without its sign.
pub(super) fn percent(text: &str) -> Result<u32, Mistake> {
    let number = text.trim().trim_end_matches('%').trim_end();
    number.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| Mistake {
        message: format!("`{text}` is not a percentage"),
        help: "write a whole number from 0% to 100%".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_units() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("1h 30m", 5400.0),
            (" 2d ", 172_800.0),
            ("1w", 604_800.0),
            ("500ms", 0.5),
            ("0s", 0.0),
            ("2 hours 5 minutes", 7500.0),
        ] {
            assert_eq!(duration(text).map(|d| d.as_secs_f64()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_gets_advice() {
        let example = "write a number and a unit (ms, s, m, h, d or w), for example 90s or 1h30m";
        for (text, help) in [
            ("", example),
            ("30", "write 30s if seconds are meant"),
            ("0", "write 0s"),
            ("-5m", "a duration cannot be negative"),
            ("5 m m", example),
            ("5m 5m", "each unit may stand there once"),
            ("1.5h", example),
            ("1y", example),
            ("é", example),
            ("99999999999999999999s", example),
            ("99999999w", "100 years is the longest"),
        ] {
            let expected = Mistake { message: format!("`{text}` is not a duration"), help: help.into() };
            assert_eq!(duration(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["1h30m", "0s", "500ms", "1d1s", "10m"] {
            assert_eq!(duration(text).map(written), Ok(text.to_owned()));
        }
    }

    #[test]
    fn sizes_and_percentages() {
        for (text, bytes) in [
            ("10", Some(10)),
            ("512M", Some(512 << 20)),
            ("1G", Some(1 << 30)),
            ("10MiB", Some(10 << 20)),
            ("10 MB", Some(10_000_000)),
            ("1.5G", None),
            ("-1", None),
            ("x", None),
            ("99999999999T", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        for (text, expected) in [("20%", Some(20)), ("0", Some(0)), ("100 %", Some(100)), ("101%", None), ("-1%", None)]
        {
            assert_eq!(percent(text).ok(), expected, "{text}");
        }
    }
}
