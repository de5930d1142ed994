//! Reads a crontab(5) line or one of its nicknames, such as `@daily`.
//!
//! Debian's crontab(5) is the rule where cron's descendants differ: when day of month and day of week are both
//! restricted, either is enough; a field that starts with `*`, as `*/2` does too, is not restricted. What a value may
//! look like is for `field`, finding the minutes is for `search`, zones are for `zone`.
//!
//! Holds always: a line that is returned names at least one date that exists.

use super::error::Error;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, Piece, Values};
use super::search::{DayRule, WallMinutes};
use super::zone::{Readings, ReadingsBothWays, WhenShifted};

/// The nicknames and the lines they stand for.
pub(super) const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A crontab line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    wall: WallMinutes,
    /// Smoothed if neither minute nor hour starts with `*`.
    when_shifted: WhenShifted,
    /// Minute, hour, day of month, month, day of week, for the canonical text.
    fields: [Values; 5],
}

impl Line {
    /// Reads five fields; there may be more or fewer, which is an error.
    ///
    /// # Errors
    /// Fails where a field is not understood, and when no month has the days that are asked for.
    pub(super) fn parse(fields: &[Piece<'_>]) -> Result<Line, Error> {
        let &[minute, hour, day, month, weekday] = fields else { return Err(wrong_count(fields)) };
        let minutes = MINUTE.parse(minute)?;
        let hours = HOUR.parse(hour)?;
        let days = DAY_OF_MONTH.parse(day)?;
        let months = MONTH.parse(month)?;
        let mut weekdays = DAY_OF_WEEK.parse(weekday)?;
        weekdays.bits = (weekdays.bits | weekdays.bits >> 7) & 0x7f;
        let line = Line::from_values([minutes, hours, days, months, weekdays]);
        if !line.wall.is_possible() {
            let text = format!("day of month `{}` never comes in month `{}`", day.text, month.text);
            return Err(Error::new(text, day.at..month.at + month.text.len())
                .help("february has at most 29 days; april, june, september and november have 30"));
        }
        Ok(line)
    }

    /// Returns the line of a nickname, in any case; none if the word is not known.
    pub(super) fn nickname(word: &str) -> Option<Line> {
        let (_, text) = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        let mut fields = [Piece { text: "", at: 0 }; 5];
        for (field, text) in fields.iter_mut().zip(text.split(' ')) {
            field.text = text;
        }
        Line::parse(&fields).ok()
    }

    fn from_values(fields: [Values; 5]) -> Line {
        let [minutes, hours, days, months, weekdays] = fields;
        let one_is_free = days.starts_with_star || weekdays.starts_with_star;
        let runs_through = minutes.starts_with_star || hours.starts_with_star;
        let wall = WallMinutes {
            minutes: minutes.bits,
            hours: hours.bits as u32,
            days: days.bits as u32,
            months: months.bits as u16,
            weekdays: weekdays.bits as u8,
            day_rule: if one_is_free { DayRule::Both } else { DayRule::Either },
        };
        let when_shifted = if runs_through { WhenShifted::RealTime } else { WhenShifted::Smoothed };
        Line { wall, when_shifted, fields }
    }

    /// Returns the text that all spellings of this line share; it reads as this line again.
    pub(super) fn canonical(&self) -> String {
        let kinds: [&Field; 5] = [&MINUTE, &HOUR, &DAY_OF_MONTH, &MONTH, &DAY_OF_WEEK];
        kinds.iter().zip(self.fields).map(|(field, values)| field.canonical(values)).collect::<Vec<_>>().join(" ")
    }
}

impl Readings for Line {
    fn first_from(&self, wall_second: i64) -> Option<i64> {
        self.wall.first_from(-(-wall_second).div_euclid(60)).map(|minute| minute * 60)
    }

    fn when_shifted(&self) -> WhenShifted {
        self.when_shifted
    }
}

impl ReadingsBothWays for Line {
    fn last_until(&self, wall_second: i64) -> Option<i64> {
        self.wall.last_until(wall_second.div_euclid(60)).map(|minute| minute * 60)
    }
}

fn wrong_count(fields: &[Piece<'_>]) -> Error {
    let start = fields.first().map_or(0, |first| first.at);
    let end = fields.last().map_or(0, |last| last.at + last.text.len());
    let error = Error::new(format!("a crontab line has five fields, found {}", fields.len()), start..end);
    let order = "minute, hour, day of month, month, day of week";
    error.help(match fields.len() {
        ..=5 => format!("use {order}"),
        6 | 7 => format!("use {order}; seconds and years are not supported: a tick is a minute"),
        _ => format!("use {order}; the command has a key of its own"),
    })
}
