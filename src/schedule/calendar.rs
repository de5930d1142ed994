//! Reads an OnCalendar expression of systemd, such as `Mon..Fri 06:00` or `*-*~1 22:00 Europe/Berlin`.
//!
//! systemd.time(7) is the rule: weekdays, a date and a time, of which any may be missing, then a zone. What a component
//! may look like is for `calendar_field`, finding the seconds is for `calendar_search`, zones are for `zone`. A zone in the
//! text holds for the text, whatever the pipeline's is.
//!
//! Holds always: an expression that is returned names at least one instant.

use super::calendar_field::{Allowed, DAY, DAY_FROM_END, HOUR, MINUTE, MONTH, SECOND, YEAR, runs};
use super::calendar_search::WallSeconds;
use super::error::Error;
use super::field::Piece;
use super::search::{DayRule, EVERY_WEEKDAY, WallMinutes};
use super::zone::{Readings, ReadingsBothWays, WallClock, WhenShifted, parse_zone};

/// The words that stand for expressions, and the expressions.
const NICKNAMES: [(&str, &str); 12] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
    ("bi-annually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
];

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const FORM: &str =
    "an OnCalendar expression is weekdays, date, time and zone, as in `Mon..Fri *-*-* 06:00 Europe/Berlin`";

/// An OnCalendar expression.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    wall: WallSeconds,
    /// The zone of the text, if it names one.
    own_clock: Option<WallClock>,
    /// Its date and time in the one spelling that all share.
    canonical: String,
}

/// Year, month, day.
type DateParts = (Allowed, Allowed, Allowed, Counted);
/// Hour, minute, second.
type TimeParts = (Allowed, Allowed, Allowed);

/// From which end of a month its days are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    FromStart,
    FromEnd,
}

impl Calendar {
    /// Whether these words are meant as OnCalendar and not as a crontab line.
    pub(super) fn is_meant(words: &[Piece<'_>]) -> bool {
        let &[first, ref others @ ..] = words else { return false };
        let has_time = words.iter().take(3).any(|word| word.text.contains(':'));
        // Five words that begin with one are a crontab line with a slip, or prose.
        let begins_with_word = others.len() < 4 && (is_nickname(first) || is_weekdays(first));
        let is_date = first.text.contains(['-', '~'])
            && first.text.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            && others.len() < 2
            && others.iter().all(|word| word.text.starts_with(char::is_alphabetic));
        has_time || begins_with_word || is_date
    }

    /// Reads an expression; `clock` is that of the pipeline's zone.
    ///
    /// # Errors
    /// Fails where a word is not understood, and when the date never comes.
    pub(super) fn parse(words: &[Piece<'_>], clock: &WallClock) -> Result<Calendar, Error> {
        let (own_clock, words) = match words {
            [before @ .., last] if !before.is_empty() && is_zone(*last) => (Some(zone_of(*last)?), before),
            _ => (None, words),
        };
        let calendar = match words {
            [nickname, others @ ..] if is_nickname(*nickname) => {
                if let Some(more) = others.first() {
                    let message = format!("`{}` does not belong after `{}`", more.text, nickname.text);
                    return Err(more.error(message).help("write the time in full, as in `*-*-* 05:00`"));
                }
                of_nickname(*nickname)?
            }
            _ => parse_words(words)?,
        };
        let calendar = Calendar { own_clock, ..calendar };
        if !calendar.comes(clock) {
            return Err(never_comes(words, &calendar, clock));
        }
        Ok(calendar)
    }

    /// Returns the first instant after `second`; `clock` is that of the pipeline's zone.
    pub(super) fn next_after(&self, clock: &WallClock, second: i64) -> Option<i64> {
        self.own_clock.as_ref().unwrap_or(clock).next_after(self, second)
    }

    /// Returns the last instant at or before `second`; `clock` is that of the pipeline's zone.
    pub(super) fn previous_at_or_before(&self, clock: &WallClock, second: i64) -> Option<i64> {
        self.own_clock.as_ref().unwrap_or(clock).previous_at_or_before(self, second)
    }

    /// Returns the text that all spellings of this expression share; it reads as this expression again.
    pub(super) fn canonical(&self) -> String {
        match &self.own_clock {
            Some(own) => format!("{} {}", self.canonical, own.name()),
            None => self.canonical.clone(),
        }
    }

    fn new(weekdays: u8, date: DateParts, time: TimeParts) -> Calendar {
        let (years, months, days, counted) = date;
        let (hours, minutes, seconds) = time;
        let (day, mark) = if counted == Counted::FromEnd { (&DAY_FROM_END, '~') } else { (&DAY, '-') };
        let (year, month) = (YEAR.canonical(&years), MONTH.canonical(&months));
        let date = format!("{year}-{month}{mark}{}", day.canonical(&days));
        let time = [HOUR.canonical(&hours), MINUTE.canonical(&minutes), SECOND.canonical(&seconds)].join(":");
        let canonical = [weekdays_text(weekdays), date, time].join(" ").trim_start().to_owned();
        let minutes = WallMinutes {
            minutes: bits(&minutes, 59),
            hours: bits(&hours, 23) as u32,
            days: bits(&days, 31) as u32 & !1,
            months: bits(&months, 12) as u16 & !1,
            weekdays,
            day_rule: if counted == Counted::FromEnd { DayRule::BothFromEnd } else { DayRule::Both },
        };
        let years = years.unwrap_or_default().into_iter().map(i64::from).collect();
        let wall = WallSeconds { minutes, seconds: bits(&seconds, 59), years };
        Calendar { wall, own_clock: None, canonical }
    }

    /// Whether it names an instant: a reading that exists, and that not every shift of the clock skips.
    fn comes(&self, clock: &WallClock) -> bool {
        let first = self.wall.years.first().map(|_| self.wall.first_from(0));
        let a_day_before = |reading: i64| self.next_after(clock, reading - 2 * 24 * 60 * 60);
        self.wall.is_possible() && first.is_none_or(|first| first.and_then(a_day_before).is_some())
    }
}

impl Readings for Calendar {
    fn first_from(&self, wall_second: i64) -> Option<i64> {
        self.wall.first_from(wall_second)
    }

    fn when_shifted(&self) -> WhenShifted {
        WhenShifted::Once
    }
}

impl ReadingsBothWays for Calendar {
    fn last_until(&self, wall_second: i64) -> Option<i64> {
        self.wall.last_until(wall_second)
    }
}

fn is_nickname(word: Piece<'_>) -> bool {
    NICKNAMES.iter().any(|(name, _)| name.eq_ignore_ascii_case(word.text))
}

fn of_nickname(word: Piece<'_>) -> Result<Calendar, Error> {
    let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word.text));
    let text = known.map_or(word.text, |(_, text)| text);
    let words: Vec<Piece<'_>> = text.split(' ').map(|text| Piece { text, at: word.at }).collect();
    parse_words(&words)
}

/// Whether a word begins with the name of a weekday.
fn is_weekdays(word: Piece<'_>) -> bool {
    let name = word.text.split([',', '.', '-']).next().unwrap_or_default();
    weekday_number(name).is_some()
}

/// Whether the last of several words is the name of a zone.
fn is_zone(word: Piece<'_>) -> bool {
    word.text.starts_with(char::is_alphabetic) && !word.text.contains(':') && !is_weekdays(word)
}

fn zone_of(word: Piece<'_>) -> Result<WallClock, Error> {
    match parse_zone(word.text) {
        Ok(zone) => Ok(WallClock::new(zone)),
        Err(error) => Err(Error { span: word.at..word.at + word.text.len(), ..error }),
    }
}

/// Weekdays, date and time, each of which may be missing but not all.
fn parse_words(words: &[Piece<'_>]) -> Result<Calendar, Error> {
    let (weekdays, words) = match words {
        [first, others @ ..] if first.text.starts_with(char::is_alphabetic) => (parse_weekdays(*first)?, others),
        _ => (EVERY_WEEKDAY, words),
    };
    let (date, words) = match words {
        [first, others @ ..] if !first.text.contains(':') => (parse_date(*first)?, others),
        _ => ((None, None, None, Counted::FromStart), words),
    };
    let (time, words) = match words {
        [first, others @ ..] if first.text.contains(':') => (parse_time(*first)?, others),
        _ => ((Some(vec![0]), Some(vec![0]), Some(vec![0])), words),
    };
    match words.first() {
        Some(more) => Err(more.error(format!("`{}` does not belong here", more.text)).help(FORM)),
        None => Ok(Calendar::new(weekdays, date, time)),
    }
}

fn parse_weekdays(piece: Piece<'_>) -> Result<u8, Error> {
    let (mut from_monday, mut rest) = (0_u8, piece);
    loop {
        let (entry, later) = rest.split_once(",").map_or((rest, None), |(entry, later)| (entry, Some(later)));
        let range = entry.split_once("..").or_else(|| entry.split_once("-"));
        let (first, last) = match range {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None => weekday(entry).map(|only| (only, only))?,
        };
        if first > last {
            let message = format!("weekday range `{}` runs backwards", entry.text);
            let (until, from) = (span_text(first, 6), span_text(0, last));
            return Err(entry.error(message).help(format!("a week ends with sunday: use `{until},{from}`")));
        }
        from_monday |= (first..=last).fold(0, |bits, day| bits | 1 << day);
        match later {
            // As in `Wed, 17:48`.
            None => break,
            Some(later) if later.text.is_empty() => break,
            Some(later) => rest = later,
        }
    }
    Ok((from_monday << 1 | from_monday >> 6) & EVERY_WEEKDAY)
}

fn weekday(name: Piece<'_>) -> Result<usize, Error> {
    weekday_number(name.text).ok_or_else(|| {
        let error = name.error(format!("weekday `{}` is not known", name.text));
        error.help("use mon to sun or full names, as in `Mon..Fri` or `Sat,Sun`, before the date")
    })
}

/// 0 is Monday.
fn weekday_number(name: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(name) || day[..3].eq_ignore_ascii_case(name))
}

/// Weekdays as text, empty where every one is meant. Bit 0 is Sunday.
fn weekdays_text(weekdays: u8) -> String {
    if weekdays == EVERY_WEEKDAY {
        return String::new();
    }
    let named: Vec<u32> = (0..7).filter(|day| weekdays >> ((day + 1) % 7) & 1 == 1).collect();
    runs(&named, |day| WEEKDAYS[day as usize][..3].to_owned())
}

fn span_text(first: usize, last: usize) -> String {
    let name = |day: usize| &WEEKDAYS[day][..3];
    if first == last { name(first).to_owned() } else { format!("{}..{}", name(first), name(last)) }
}

/// `2026-12-24`, `12-24`, `*-*~1`.
fn parse_date(piece: Piece<'_>) -> Result<DateParts, Error> {
    let Some(place) = piece.text.rfind(['-', '~']) else {
        return Err(piece.error(format!("`{}` is neither a date nor a time", piece.text)).help(FORM));
    };
    let (before, rest) = piece.split_at(place);
    let (mark, day) = rest.split_at(1);
    let (years, month) = match before.split_once("-") {
        Some((year, month)) => (YEAR.parse(year)?, month),
        None => (None, before),
    };
    let months = MONTH.parse(month)?;
    Ok(match mark.text {
        // `~*` is every day as well.
        "~" => match DAY_FROM_END.parse(day)? {
            None => (years, months, None, Counted::FromStart),
            days => (years, months, days, Counted::FromEnd),
        },
        _ => (years, months, DAY.parse(day)?, Counted::FromStart),
    })
}

/// `18:00`, `18:00:30`.
fn parse_time(piece: Piece<'_>) -> Result<TimeParts, Error> {
    let Some((hour, rest)) = piece.split_once(":") else { return Err(piece.error("no time").help(FORM)) };
    if hour.text.contains('-') && hour.text.contains(['T', 't']) {
        let error = piece.error(format!("`{}` is not understood", piece.text));
        return Err(error.help("write a space between date and time, or `at` before an instant that comes once"));
    }
    let (minute, second) = rest.split_once(":").map_or((rest, None), |(minute, second)| (minute, Some(second)));
    let seconds = second.map_or(Ok(Some(vec![0])), |second| SECOND.parse(second))?;
    Ok((HOUR.parse(hour)?, MINUTE.parse(minute)?, seconds))
}

/// Bits of the values; all up to `high` where every value is allowed.
fn bits(allowed: &Allowed, high: u32) -> u64 {
    match allowed {
        Some(values) => values.iter().fold(0, |bits, value| bits | 1 << value),
        None => (2 << high) - 1,
    }
}

fn never_comes(words: &[Piece<'_>], calendar: &Calendar, clock: &WallClock) -> Error {
    let (start, end) = (words.first().map_or(0, |first| first.at), words.last().map_or(0, |l| l.at + l.text.len()));
    let text = words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    let error = |message: String| Error::new(message, start..end);
    if calendar.wall.is_possible() {
        let zone = calendar.own_clock.as_ref().unwrap_or(clock).name();
        return error(format!("`{text}` never comes in {zone}"))
            .help("the clock is set forward over it: choose a time before or after, or `at`, which makes up for it");
    }
    error(format!("`{text}` never comes")).help(
        "february has at most 29 days; april, june, september and november have 30; a date with its year falls on one \
         weekday",
    )
}
