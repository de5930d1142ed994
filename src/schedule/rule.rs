//! Tells in which language an expression is written, and hands it over.
//!
//! The first word decides: `every` and `at` are our own, `@daily` is cron's; a colon, a weekday, a date or `daily` is
//! OnCalendar; five fields are a crontab line.
//!
//! Holds always: no text is read by two languages.

use super::calendar::Calendar;
use super::cron::{Line, NICKNAMES};
use super::error::Error;
use super::field::Piece;
use super::interval::{self, Interval};
use super::once::Once;
use super::zone::WallClock;

/// One expression.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Line(Line),
    Calendar(Box<Calendar>),
    Every(Interval),
    At(Once),
}

impl Rule {
    /// Reads an expression; `clock` is that of the zone it is read in.
    ///
    /// # Errors
    /// Fails where the text is not understood, and when it names a date that never comes.
    pub(super) fn parse(text: &str, clock: &WallClock) -> Result<Rule, Error> {
        let words = words_of(text);
        let Some(&first) = words.first() else {
            return Err(Error::new("the schedule is empty", 0..text.len()).help(KNOWN));
        };
        let is_first = |word: &str| first.text.eq_ignore_ascii_case(word);
        let whole = Piece { text: text.trim(), at: first.at };
        if is_first("every") || is_first("@every") {
            return parse_every(whole, &words);
        }
        if is_first("at") {
            return Once::parse(&words, clock).map(Rule::At);
        }
        if first.text.starts_with('@') {
            return parse_nickname(&words).map(Rule::Line);
        }
        if let Some((variable @ ("TZ" | "CRON_TZ"), _)) = first.text.split_once('=') {
            return Err(first
                .error(format!("`{variable}` is not part of a schedule"))
                .help("name the zone in `timezone:`"));
        }
        if Calendar::is_meant(&words) {
            return Calendar::parse(&words, clock).map(|calendar| Rule::Calendar(Box::new(calendar)));
        }
        let starts_with_word = first.text.starts_with(char::is_alphabetic);
        if words.len() == 1 || (starts_with_word && words.len() != 5) {
            return Err(whole.error(format!("schedule `{}` is not understood", whole.text)).help(KNOWN));
        }
        Line::parse(&words).map(Rule::Line)
    }

    /// Returns the first instant after `second`, both in seconds since the epoch; none if there is none.
    pub(super) fn next_after(&self, clock: &WallClock, second: i64) -> Option<i64> {
        match self {
            Rule::Line(line) => clock.next_after(line, second),
            Rule::Calendar(calendar) => calendar.next_after(clock, second),
            Rule::Every(interval) => interval.next_after(second),
            Rule::At(once) => once.next_after(second),
        }
    }

    /// Returns the last instant at or before `second`; none if there is none.
    pub(super) fn previous_at_or_before(&self, clock: &WallClock, second: i64) -> Option<i64> {
        match self {
            Rule::Line(line) => clock.previous_at_or_before(line, second),
            Rule::Calendar(calendar) => calendar.previous_at_or_before(clock, second),
            Rule::Every(interval) => interval.previous_at_or_before(second),
            Rule::At(once) => once.previous_at_or_before(second),
        }
    }

    /// Returns the text that all spellings of this expression share; it reads as this expression again.
    pub(super) fn canonical(&self) -> String {
        match self {
            Rule::Line(line) => line.canonical(),
            Rule::Calendar(calendar) => calendar.canonical(),
            Rule::Every(interval) => interval.canonical(),
            Rule::At(once) => once.canonical(),
        }
    }
}

/// What may be written, as advice.
pub(super) const KNOWN: &str = "known are five crontab fields, as in `0 2 * * mon-fri`; `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`; \
     OnCalendar, as in `daily`, `Mon..Fri 06:00` or `*-*~1 22:00`; intervals, as in `every 5m` or `every 1 day at 02:00`; \
     and one instant, as in `at 2026-12-01T09:00Z`";

/// `every 5m`, or `every 1 day at 02:00`, which is a crontab line in other words.
fn parse_every(whole: Piece<'_>, words: &[Piece<'_>]) -> Result<Rule, Error> {
    let rest = words.get(1).map_or(whole.text.len(), |second| second.at - whole.at);
    let rest = whole.split_at(rest).1;
    let Some(at) = words.iter().skip(1).find(|word| word.text.eq_ignore_ascii_case("at")) else {
        return Interval::parse(rest).map(Rule::Every);
    };
    let (interval, time) = rest.split_at(at.at - rest.at);
    let interval = Piece { text: interval.text.trim_end(), ..interval };
    let time = time.split_at(at.text.len()).1;
    let time = time.split_at(time.text.len() - time.text.trim_start().len()).1;
    let (hour, minute) = interval::day_at(interval, *at, time)?;
    let fields = [minute.to_string(), hour.to_string(), "*".into(), "*".into(), "*".into()];
    let pieces: Vec<Piece<'_>> = fields.iter().map(|text| Piece { text, at: 0 }).collect();
    Line::parse(&pieces).map(Rule::Line)
}

fn parse_nickname(words: &[Piece<'_>]) -> Result<Line, Error> {
    let nickname = words[0];
    if nickname.text.eq_ignore_ascii_case("@reboot") {
        return Err(nickname.error("`@reboot` names no instant, so it can't be claimed, caught up or run only once").help(
            "start it at boot by other means, such as a systemd unit or the host's own crontab, with `tickward run NAME`",
        ));
    }
    let Some(line) = Line::nickname(nickname.text) else {
        let known = NICKNAMES.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(nickname.error(format!("nickname `{}` is not known", nickname.text)).help(format!("use {known}")));
    };
    match words.get(1) {
        Some(more) => Err(more.error(format!("`{}` does not belong after `{}`", more.text, nickname.text))),
        None => Ok(line),
    }
}

fn words_of(text: &str) -> Vec<Piece<'_>> {
    let mut words = Vec::with_capacity(8);
    // `split_whitespace` yields parts of `text`, so the distance of their first bytes is their place in it.
    words.extend(
        text.split_whitespace().map(|word| Piece { text: word, at: word.as_ptr() as usize - text.as_ptr() as usize }),
    );
    words
}
