//! Reads `every 5m` and finds its instants.
//!
//! An interval counts from the Unix epoch in real time, so every host agrees on the instants, whenever it was started,
//! and no zone and no daylight saving touches them. It is a whole number of minutes, because a tick is a minute.
//!
//! Holds always: the instants are the whole multiples of the interval, before the epoch too.

use super::error::Error;
use super::field::Piece;

/// Ten years. A longer one is a slip of the pen, and would hardly ever run.
const MAX_MINUTES: i64 = 3_653 * 24 * 60;
const ADVICE: &str = "use whole minutes, hours, days or weeks, as in `every 5m`, `every 1h30m` or `every 2 days`";

/// A whole number of minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    minutes: i64,
}

impl Interval {
    /// Reads what follows `every` or `@every`: pairs of a number and a unit, with or without space or a dot between; a unit
    /// alone means one of it.
    ///
    /// # Errors
    /// Fails on an unknown unit, a number without a unit, and an interval that is zero, over ten years, or not a whole
    /// number of minutes.
    pub(super) fn parse(piece: Piece<'_>) -> Result<Interval, Error> {
        if piece.text.is_empty() {
            return Err(piece.error("`every` needs an interval").help(ADVICE));
        }
        let too_long = || piece.error(format!("interval `{}` is longer than ten years", piece.text)).help(ADVICE);
        let mut seconds: i64 = 0;
        let mut rest = piece;
        while !rest.text.is_empty() {
            let (number, after) = take_while(rest, |c| c.is_ascii_digit());
            let (unit, after) = take_while(skip_dot(skip_space(after)), char::is_alphabetic);
            let count = match number.text.parse() {
                Ok(count) => count,
                Err(_) if !number.text.is_empty() => return Err(too_long()),
                // `every day`; but not `every 5m day`.
                Err(_) if rest.at == piece.at => 1,
                Err(_) => return Err(not_understood(rest)),
            };
            let length = seconds_of(unit.text).ok_or_else(|| unknown_unit(number, unit, rest))?;
            seconds =
                i64::checked_mul(count, length).and_then(|part| seconds.checked_add(part)).ok_or_else(too_long)?;
            rest = skip_space(after);
        }
        match seconds {
            0 => Err(piece.error(format!("interval `{}` is zero", piece.text)).help(ADVICE)),
            _ if seconds % 60 != 0 => {
                let message = format!("interval `{}` is not a whole number of minutes", piece.text);
                Err(piece.error(message).help("a tick is a minute: use whole minutes, as in `every 5m`"))
            }
            _ if seconds / 60 > MAX_MINUTES => Err(too_long()),
            _ => Ok(Interval { minutes: seconds / 60 }),
        }
    }

    /// Returns the first instant after `second`, both in seconds since the epoch.
    pub(super) fn next_after(self, second: i64) -> Option<i64> {
        let length = self.minutes * 60;
        Some((second.div_euclid(length) + 1) * length)
    }

    /// Returns the last instant at or before `second`.
    pub(super) fn previous_at_or_before(self, second: i64) -> Option<i64> {
        let length = self.minutes * 60;
        Some(second.div_euclid(length) * length)
    }

    /// Returns the text that all spellings of this interval share.
    pub(super) fn canonical(self) -> String {
        format!("every {}m", self.minutes)
    }
}

/// Reads what stands before and after the word `at`, as in `1 day at 02:00`: the hour and minute of a daily run.
///
/// # Errors
/// Fails on another interval than a day, and on what is no time of day.
pub(super) fn day_at(interval: Piece<'_>, at: Piece<'_>, time: Piece<'_>) -> Result<(u32, u32), Error> {
    let Interval { minutes } = Interval::parse(interval)?;
    let last_word = interval.text.trim_start_matches(|c: char| !c.is_alphabetic()).to_ascii_lowercase();
    if minutes != 24 * 60 || !matches!(last_word.as_str(), "d" | "day" | "days") {
        let message = format!("`at` does not go with the interval `{}`", interval.text);
        return Err(at.error(message).help(
            "only `every 1 day at 02:00` names a time of day: for other days use `Mon *-*-* 02:00` or a crontab line",
        ));
    }
    let advice = "use hour and minute, as in `every 1 day at 02:00`";
    let number = |text: &str| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let parts = time.text.split_once(':').and_then(|(hour, minute)| number(hour).zip(number(minute)));
    match parts {
        Some((hour @ 0..24, minute @ 0..60)) => Ok((hour, minute)),
        Some(_) => Err(time.error(format!("time `{}` does not exist", time.text)).help(advice)),
        None if time.text.is_empty() => Err(at.error("`at` needs a time of day").help(advice)),
        None => Err(time.error(format!("time `{}` is not understood", time.text)).help(advice)),
    }
}

fn seconds_of(unit: &str) -> Option<i64> {
    let minute = 60;
    Some(match unit.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => 60 * minute,
        "d" | "day" | "days" => 24 * 60 * minute,
        "w" | "week" | "weeks" => 7 * 24 * 60 * minute,
        _ => return None,
    })
}

fn unknown_unit(number: Piece<'_>, unit: Piece<'_>, rest: Piece<'_>) -> Error {
    match unit.text {
        "" if !is_number_alone(number, rest) => not_understood(rest),
        "" => number.error(format!("interval `{}` has no unit", number.text)).help(ADVICE),
        text => unit.error(format!("unit `{text}` is not known")).help(ADVICE),
    }
}

/// Whether a number is followed by nothing or by the next number; a sign or a fraction is another mistake.
fn is_number_alone(number: Piece<'_>, rest: Piece<'_>) -> bool {
    let after = rest.text[number.text.len()..].trim_start();
    !number.text.is_empty() && (after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
}

fn not_understood(piece: Piece<'_>) -> Error {
    piece.error(format!("interval `{}` is not understood", piece.text)).help(ADVICE)
}

fn take_while(piece: Piece<'_>, belongs: impl Fn(char) -> bool) -> (Piece<'_>, Piece<'_>) {
    let end = piece.text.find(|c| !belongs(c)).unwrap_or(piece.text.len());
    let (taken, rest) = piece.text.split_at(end);
    (Piece { text: taken, at: piece.at }, Piece { text: rest, at: piece.at + end })
}

/// The dot of `4.hours`; that of `1.5h` is not one.
fn skip_dot(piece: Piece<'_>) -> Piece<'_> {
    let is_dot = piece.text.strip_prefix('.').is_some_and(|after| after.starts_with(char::is_alphabetic));
    if is_dot { piece.split_at(1).1 } else { piece }
}

fn skip_space(piece: Piece<'_>) -> Piece<'_> {
    take_while(piece, char::is_whitespace).1
}
