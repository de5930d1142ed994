//! Reads schedules and says when they come due.
//!
//! `rule` looks at the first word and hands the text to the language it belongs to: `cron` for crontab(5) lines and
//! nicknames, `calendar` for OnCalendar, `interval` for `every 5m`, `once` for `at`. Zones and daylight saving are
//! `zone`'s. What is due now, late or missed is decided by others; nothing here reads a clock.
//!
//! Holds always: `next_after(t) > t`; `previous_at_or_before(t) <= t`; both walk the same set of instants, all of which
//! are whole seconds; a schedule that was accepted has at least one, and only `at` and dates with a year have a last one.

mod calendar;
mod calendar_field;
mod calendar_search;
mod cron;
mod date;
mod error;
mod field;
mod foreign;
mod interval;
mod once;
mod rule;
mod search;
mod zone;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use error::Error;
pub use zone::{database_version, parse_zone};

use rule::{KNOWN, Rule};
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

impl Schedule {
    /// Reads a list of expressions, all in `zone`.
    ///
    /// Known are five fields of crontab(5), the nicknames `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`,
    /// `@yearly`, `@annually`; OnCalendar of systemd.time(7), as in `Mon..Fri 06:00`, whose own zone goes before `zone`;
    /// `every 5m`, also spelled `@every 5m`, and `every 1 day at 02:00`; and `at 2026-12-01T09:00Z`, which comes once.
    /// docs/schedules.md has the whole of each.
    ///
    /// # Errors
    /// Fails at the first text that is not understood, or that names a date that never comes; `Error::index` says
    /// which. An empty list is an error too.
    pub fn parse(texts: &[&str], zone: TimeZone) -> Result<Schedule, Error> {
        if texts.is_empty() {
            return Err(Error::new("the list of schedules is empty", 0..0).help(KNOWN));
        }
        let clock = WallClock::new(zone.clone());
        let numbered = texts.iter().enumerate();
        let rules = numbered.map(|(index, text)| Rule::parse(text, &clock).map_err(|error| Error { index, ..error }));
        Ok(Schedule {
            rules: rules.collect::<Result<_, _>>()?,
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
            clock,
            zone,
        })
    }

    /// Returns the first instant strictly after `t`.
    ///
    /// None where no expression has one: `at` and dates with a year come to an end. A date that never comes at all is
    /// refused when it is read, so every other expression has one until the time library's range ends.
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        let second = floor_second(t);
        let instants = self.rules.iter().filter_map(|rule| rule.next_after(&self.clock, second));
        instants.min().and_then(|second| Timestamp::from_second(second).ok())
    }

    /// Returns the last instant at or before `t`: the inverse of `next_after`.
    ///
    /// None before the first instant of `at` or of a date with a year, and where the time library's range begins.
    pub fn previous_at_or_before(&self, t: Timestamp) -> Option<Timestamp> {
        let second = floor_second(t);
        let instants = self.rules.iter().filter_map(|rule| rule.previous_at_or_before(&self.clock, second));
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
        let mut texts: Vec<String> = self.rules.iter().map(Rule::canonical).collect();
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

/// The last whole second at or before `t`; the time library rounds towards the epoch instead.
fn floor_second(t: Timestamp) -> i64 {
    t.as_second() - i64::from(t.subsec_nanosecond() < 0)
}
