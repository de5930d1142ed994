//! Reads `at 2026-12-01T09:00Z`: one instant, then never again.
//!
//! Without an offset the date and time are what the clock of the pipeline's zone shows, or that of a zone behind them. A
//! reading that the clock skips or repeats is treated as a crontab line that names it: it comes right after the skipped
//! time, and on the first pass of repeated time.
//!
//! Holds always: the instant is a whole second of the years 1970 to 2199, past or not.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::date::Date;
use super::error::Error;
use super::field::Piece;
use super::zone::{Readings, WallClock, WhenShifted, parse_zone};

const YEARS: RangeInclusive<i64> = 1970..=2199;
const SECONDS_IN_DAY: i64 = 24 * 60 * 60;
const ADVICE: &str = "use `at 2026-12-01T09:00Z`, an offset as in `at 2026-12-01T09:00+01:00`, or `at 2026-12-01 09:00` for \
                      the clock of the pipeline's zone";

/// One instant, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Once {
    second: i64,
}

impl Once {
    /// Reads what follows `at`, which is the first of the words; `clock` is that of the pipeline's zone.
    ///
    /// # Errors
    /// Fails where a word is not understood, and on a date or time that does not exist.
    pub(super) fn parse(words: &[Piece<'_>], clock: &WallClock) -> Result<Once, Error> {
        let &[at, first, ref others @ ..] = words else {
            let at = words.first().copied().unwrap_or(Piece { text: "", at: 0 });
            return Err(at.error("`at` needs a date and a time").help(ADVICE));
        };
        let (date, time, others) = match first.text.find(['T', 't']) {
            Some(place) => {
                let (date, rest) = first.split_at(place);
                (date, rest.split_at(1).1, others)
            }
            None => match others {
                [time, others @ ..] => (first, *time, others),
                [] => return Err(first.error(format!("`{}` has no time", first.text)).help(ADVICE)),
            },
        };
        let day = day_number(date)?;
        let (time, offset) = time.split_at(time.text.find(['Z', 'z', '+', '-']).unwrap_or(time.text.len()));
        let reading = day * SECONDS_IN_DAY + second_of_day(time)?;
        let (second, others) = match (offset.text, others) {
            ("", []) => (in_zone(reading, clock), others),
            ("", [zone, others @ ..]) => (in_zone(reading, &clock_of(*zone)?), others),
            _ => (Some(reading - offset_seconds(offset)?), others),
        };
        if let Some(more) = others.first() {
            return Err(more.error(format!("`{}` does not belong here", more.text)).help(ADVICE));
        }
        let Some(second) = second else {
            let end = words.last().map_or(first.at, |last| last.at + last.text.len());
            let error = Error::new("this date and time never come: the clock of the zone left them out", at.at..end);
            return Err(error.help("choose another time, or give an offset"));
        };
        if !YEARS.contains(&Date::of(second.div_euclid(SECONDS_IN_DAY)).year) {
            let message = format!("date `{}` is out of range", date.text);
            return Err(date.error(message).help("use the years 1970 to 2199"));
        }
        Ok(Once { second })
    }

    /// Returns the instant if it is after `second`.
    pub(super) fn next_after(self, second: i64) -> Option<i64> {
        (self.second > second).then_some(self.second)
    }

    /// Returns the instant if it is at or before `second`.
    pub(super) fn previous_at_or_before(self, second: i64) -> Option<i64> {
        (self.second <= second).then_some(self.second)
    }

    /// Returns the text that all spellings of this instant share.
    pub(super) fn canonical(self) -> String {
        format!("at {}", Timestamp::from_second(self.second).unwrap_or_default())
    }
}

/// One reading of the clock on the wall.
struct Reading(i64);

impl Readings for Reading {
    fn first_from(&self, wall_second: i64) -> Option<i64> {
        (self.0 >= wall_second).then_some(self.0)
    }

    fn when_shifted(&self) -> WhenShifted {
        WhenShifted::Smoothed
    }
}

/// The first instant at which the clock shows a reading, or makes up for it; none if its zone left it out.
fn in_zone(reading: i64, clock: &WallClock) -> Option<i64> {
    // No clock is further than this from UTC.
    clock.next_after(&Reading(reading), reading - 2 * SECONDS_IN_DAY)
}

fn clock_of(zone: Piece<'_>) -> Result<WallClock, Error> {
    match parse_zone(zone.text) {
        Ok(known) => Ok(WallClock::new(known)),
        Err(error) => Err(Error { span: zone.at..zone.at + zone.text.len(), ..error }),
    }
}

/// The numbers of a text that has these marks between them; each number has the digits given.
fn numbers<const N: usize>(text: &str, mark: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(mark);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = is_number.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

fn day_number(piece: Piece<'_>) -> Result<i64, Error> {
    let Some([year, month, day]) = numbers(piece.text, '-', [4, 2, 2]) else {
        return Err(piece.error(format!("date `{}` is not understood", piece.text)).help(ADVICE));
    };
    let first = Date { year: i64::from(year), month, day: 1 };
    if !(1..=12).contains(&month) || day == 0 || day > first.days_in_month() {
        return Err(piece.error(format!("date `{}` does not exist", piece.text)).help("use year, month, day"));
    }
    Ok(Date { day, ..first }.day_number())
}

fn second_of_day(piece: Piece<'_>) -> Result<i64, Error> {
    let of_minutes = numbers(piece.text, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0]);
    match of_minutes.or_else(|| numbers(piece.text, ':', [2, 2, 2])) {
        Some([hour @ 0..24, minute @ 0..60, second @ 0..60]) => Ok(i64::from((hour * 60 + minute) * 60 + second)),
        Some(_) => Err(piece.error(format!("time `{}` does not exist", piece.text)).help("use 00:00 to 23:59")),
        None if piece.text.contains('.') => {
            let message = format!("time `{}` has a fraction of a second", piece.text);
            Err(piece.error(message).help("use whole seconds: a tick is a minute"))
        }
        None => Err(piece.error(format!("time `{}` is not understood", piece.text)).help(ADVICE)),
    }
}

/// `Z`, `+02:00`, `-0330`, `+02` as seconds east of Greenwich.
fn offset_seconds(piece: Piece<'_>) -> Result<i64, Error> {
    let (sign, digits) = piece.split_at(1);
    let [hour, minute] = match sign.text {
        "Z" | "z" if digits.text.is_empty() => [0, 0],
        "+" | "-" => numbers(digits.text, ':', [2, 2])
            .or_else(|| numbers(digits.text, ':', [4]).map(|[both]| [both / 100, both % 100]))
            .or_else(|| numbers(digits.text, ':', [2]).map(|[hour]| [hour, 0]))
            .filter(|&[hour, minute]| hour < 24 && minute < 60)
            .ok_or_else(|| not_an_offset(piece))?,
        _ => return Err(not_an_offset(piece)),
    };
    let seconds = i64::from(hour * 60 + minute) * 60;
    Ok(if sign.text == "-" { -seconds } else { seconds })
}

fn not_an_offset(piece: Piece<'_>) -> Error {
    piece.error(format!("offset `{}` is not understood", piece.text)).help("use `Z` or an offset such as `+02:00`")
}
