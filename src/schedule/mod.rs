//! Reads schedules and says when they come due.
//!
//! `parse` looks at the first word and hands the text to the language it belongs to: `cron` for crontab(5) lines and
//! nicknames, `interval` for `every 5m`. Zones and daylight saving are `zone`'s. What is due now, late or missed is
//! decided by others; nothing here reads a clock.
//!
//! Holds always: `next_after(t) > t`; `previous_at_or_before(t) <= t`; both walk the same set of instants, all of which
//! are whole seconds; a schedule that was accepted has a next instant, unless the calendar of the time library ends.

mod cron;
mod date;
mod error;
mod field;
mod interval;
mod search;
mod zone;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use error::Error;
pub use zone::{database_version, parse_zone};

use cron::{Line, NICKNAMES};
use field::Piece;
use interval::Interval;
use zone::WallClock;

/// One or more schedule expressions read in one time zone; the union of their instants.
///
/// ```
/// use tickward::schedule::{Schedule, parse_zone};
///
/// let schedule = Schedule::parse(&["30 2 * * *"], parse_zone("Europe/Berlin")?)?;
/// // On 2026-03-29 the clock goes from 02:00 to 03:00: the run is made up for at 03:00.
/// let next = schedule.next_after("2026-03-28T12:00:00Z".parse().unwrap());
/// assert_eq!(next, Some("2026-03-29T01:00:00Z".parse().unwrap()));
/// # Ok::<(), tickward::schedule::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    texts: Vec<String>,
    rules: Vec<Rule>,
    zone: TimeZone,
    clock: WallClock,
}

/// One expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Line(Line),
    Every(Interval),
}

impl Schedule {
    /// Reads a list of expressions, all in `zone`.
    ///
    /// Known are five fields of crontab(5), the nicknames `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`,
    /// `@yearly`, `@annually`, and `every 5m`, also spelled `@every 5m`.
    ///
    /// # Errors
    /// Fails at the first text that is not understood, or that names a date that never comes; `Error::index` says
    /// which. An empty list is an error too.
    pub fn parse(texts: &[&str], zone: TimeZone) -> Result<Schedule, Error> {
        if texts.is_empty() {
            return Err(Error::new("the list of schedules is empty", 0..0).help(KNOWN));
        }
        let numbered = texts.iter().enumerate();
        let rules = numbered.map(|(index, text)| parse_rule(text).map_err(|error| Error { index, ..error }));
        Ok(Schedule {
            rules: rules.collect::<Result<_, _>>()?,
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
            clock: WallClock::new(zone.clone()),
            zone,
        })
    }

    /// Returns the first instant strictly after `t`.
    ///
    /// None only where the time library's range ends: a date that never comes is refused when it is read.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let second = floor_second(t);
        let instants = self.rules.iter().filter_map(|rule| match rule {
            Rule::Line(line) => self.clock.next_after(line, second),
            Rule::Every(interval) => interval.next_after(second),
        });
        instants.min().and_then(|second| Timestamp::from_second(second).ok())
    }

    /// Returns the last instant at or before `t`: the inverse of `next_after`.
    ///
    /// None only where the time library's range begins.
    pub fn previous_at_or_before(&self, t: Timestamp) -> Option<Timestamp> {
        let second = floor_second(t);
        let instants = self.rules.iter().filter_map(|rule| match rule {
            Rule::Line(line) => self.clock.previous_at_or_before(line, second),
            Rule::Every(interval) => interval.previous_at_or_before(second),
        });
        instants.max().and_then(|second| Timestamp::from_second(second).ok())
    }

    /// Returns the instants after `after` up to and including `until`, in order, none twice.
    ///
    /// They are found as they are asked for, so a long span costs nothing by itself.
    pub fn occurrences_between(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |&t| self.next_after(t)).take_while(move |&t| t <= until)
    }

    /// Returns the zone in which the expressions are read.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns a text that is the same for all spellings of this schedule: white space, case, names, order.
    ///
    /// Made for hashing, to tell an edit of the schedule from an edit of its text; where the hash is stored, a change of
    /// this form makes every schedule count as edited. The expressions are parted by `; ` and
    /// read as themselves again; the zone's name follows in brackets.
    ///
    /// ```
    /// # use tickward::schedule::{Schedule, parse_zone};
    /// let schedule = Schedule::parse(&["@Daily", "0  2 * * Mon-Fri"], parse_zone("europe/berlin")?)?;
    /// assert_eq!(schedule.canonical(), "0 0 * * *; 0 2 * * 1-5 [Europe/Berlin]");
    /// # Ok::<(), tickward::schedule::Error>(())
    /// ```
    pub fn canonical(&self) -> String {
        let canonical = |rule: &Rule| match rule {
            Rule::Line(line) => line.canonical(),
            Rule::Every(interval) => interval.canonical(),
        };
        let mut texts: Vec<String> = self.rules.iter().map(canonical).collect();
        texts.sort_unstable();
        texts.dedup();
        format!("{} [{}]", texts.join("; "), zone::name(&self.zone))
    }

    /// Returns the expressions as they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// The expressions as they were written, then the zone.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.texts.join("; "), zone::name(&self.zone))
    }
}

const KNOWN: &str = "known are five crontab fields, as in `0 2 * * mon-fri`; `@hourly`, `@daily`, `@weekly`, `@monthly`, \
                     `@yearly`; and intervals, as in `every 5m`";

fn parse_rule(text: &str) -> Result<Rule, Error> {
    let words = words_of(text);
    let Some(&first) = words.first() else {
        return Err(Error::new("the schedule is empty", 0..text.len()).help(KNOWN));
    };
    let whole = Piece { text: text.trim(), at: first.at };
    if first.text.eq_ignore_ascii_case("every") || first.text.eq_ignore_ascii_case("@every") {
        let rest = words.get(1).map_or(whole.text.len(), |second| second.at - whole.at);
        let interval = Piece { text: &whole.text[rest..], at: whole.at + rest };
        return Interval::parse(interval).map(Rule::Every);
    }
    if first.text.starts_with('@') {
        return parse_nickname(&words).map(Rule::Line);
    }
    if let Some((variable @ ("TZ" | "CRON_TZ"), _)) = first.text.split_once('=') {
        return Err(first
            .error(format!("`{variable}` is not part of a schedule"))
            .help("name the zone in `timezone:`"));
    }
    let starts_with_word = first.text.starts_with(char::is_alphabetic);
    let is_foreign = words.len() == 1 || text.contains(':') || (starts_with_word && words.len() != 5);
    if is_foreign {
        return Err(whole.error(format!("schedule `{}` is not understood", whole.text)).help(KNOWN));
    }
    Line::parse(&words).map(Rule::Line)
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

/// The last whole second at or before `t`; the time library rounds towards the epoch instead.
fn floor_second(t: Timestamp) -> i64 {
    t.as_second() - i64::from(t.subsec_nanosecond() < 0)
}
