//! Finds the next and the previous minute of the wall clock that a crontab line names; `calendar_search` adds to it what
//! OnCalendar has more.
//!
//! Knows no zone: a minute is counted from 1970-01-01T00:00 as a clock on the wall shows it. What that minute is in
//! real time, and what becomes of it when the clock is shifted, is for `zone`.
//!
//! Holds always: every set is non-empty and names a date that exists, so an answer is at most `SEARCH_YEARS` away; a
//! search looks at no more than twelve months of each of these years and allocates nothing.

use super::date::{Date, weekday};

/// How far a search goes, in years.
///
/// The longest wait is for a 29 February on one weekday. It comes every 28 years, but the century years that are not
/// leap years stretch it to 40, as from 2088 to 2128. One year more covers a date that a zone skipped.
const SEARCH_YEARS: i64 = 41;

const MINUTES_IN_DAY: i64 = 24 * 60;
pub(super) const EVERY_WEEKDAY: u8 = 0x7f;

/// A minute of the wall clock, counted from 1970-01-01T00:00.
pub(super) type WallMinute = i64;

/// How day of month and day of week go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayRule {
    /// A day must match both; one of the two fields starts with `*`.
    Both,
    /// A day that matches one of the two is enough; both are restricted.
    Either,
    /// As `Both`, and days of the month are counted from its end: bit 1 is the last day. Up to bit 28, which every
    /// month has.
    BothFromEnd,
}

/// The minutes that a line names: one bit for each allowed value, the lowest bit is value 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WallMinutes {
    pub(super) minutes: u64,
    pub(super) hours: u32,
    /// Bits 1 to 31.
    pub(super) days: u32,
    /// Bits 1 to 12.
    pub(super) months: u16,
    /// Bits 0 to 6, Sunday is 0.
    pub(super) weekdays: u8,
    pub(super) day_rule: DayRule,
}

impl WallMinutes {
    /// Whether any month has one of the days; if not, no date matches in any year.
    pub(super) fn is_possible(&self) -> bool {
        let has_day = |month: u32| {
            let longest = Date { year: 2000, month, day: 1 }.days_in_month();
            self.months >> month & 1 == 1 && self.days & days_up_to(longest) != 0
        };
        // A weekday alone is never impossible: each date of the calendar falls on every weekday in time.
        self.day_rule != DayRule::Both || (1..=12).any(has_day)
    }

    /// Returns the first named minute at or after `from`; none if there is none within the search.
    pub(super) fn first_from(&self, from: WallMinute) -> Option<WallMinute> {
        let (day_number, of_day) = (from.div_euclid(MINUTES_IN_DAY), from.rem_euclid(MINUTES_IN_DAY));
        let start = Date::of(day_number);
        let mut month = Date { day: 1, ..start };
        let mut days = self.days_of(month);
        if days >> start.day & 1 == 1
            && let Some(minute) = self.first_of_day_from(of_day as u32)
        {
            return Some(day_number * MINUTES_IN_DAY + i64::from(minute));
        }
        days &= !days_up_to(start.day);
        while days == 0 {
            month = self.month_after(month);
            if month.year > start.year + SEARCH_YEARS {
                return None;
            }
            days = self.days_of(month);
        }
        let found = Date { day: days.trailing_zeros(), ..month }.day_number();
        let minute = self.hours.trailing_zeros() * 60 + self.minutes.trailing_zeros();
        Some(found * MINUTES_IN_DAY + i64::from(minute))
    }

    /// Returns the last named minute at or before `until`; none if there is none within the search.
    pub(super) fn last_until(&self, until: WallMinute) -> Option<WallMinute> {
        let (day_number, of_day) = (until.div_euclid(MINUTES_IN_DAY), until.rem_euclid(MINUTES_IN_DAY));
        let start = Date::of(day_number);
        let mut month = Date { day: 1, ..start };
        let mut days = self.days_of(month);
        if days >> start.day & 1 == 1
            && let Some(minute) = self.last_of_day_until(of_day as u32)
        {
            return Some(day_number * MINUTES_IN_DAY + i64::from(minute));
        }
        days &= days_up_to(start.day - 1);
        while days == 0 {
            month = self.month_before(month);
            if month.year < start.year - SEARCH_YEARS {
                return None;
            }
            days = self.days_of(month);
        }
        let found = Date { day: days.ilog2(), ..month }.day_number();
        let minute = self.hours.ilog2() * 60 + self.minutes.ilog2();
        Some(found * MINUTES_IN_DAY + i64::from(minute))
    }

    /// The days of a month that match, as bits 1 to 31. `first` is the first of that month.
    fn days_of(&self, first: Date) -> u32 {
        if self.months >> first.month & 1 == 0 {
            return 0;
        }
        let last = first.days_in_month();
        let all = days_up_to(last);
        let days = match self.day_rule {
            // Mirrored, bit 1 comes to lie at bit 31; from there it moves down to the last day.
            DayRule::BothFromEnd => (self.days.reverse_bits() << 1) >> (31 - last) & all,
            DayRule::Both | DayRule::Either => self.days & all,
        };
        if self.weekdays == EVERY_WEEKDAY {
            return if self.day_rule == DayRule::Either { all } else { days };
        }
        // Turn the week so that its lowest bit is the weekday of the first, then lay five of them side by side.
        let week = (u64::from(self.weekdays) * 0b1000_0001) >> weekday(first.day_number()) & u64::from(EVERY_WEEKDAY);
        let by_weekday = ((week * 0x1020_4081) << 1) as u32 & all;
        match self.day_rule {
            DayRule::Both | DayRule::BothFromEnd => days & by_weekday,
            DayRule::Either => days | by_weekday,
        }
    }

    fn month_after(&self, month: Date) -> Date {
        let later = u32::from(self.months) & !days_up_to(month.month);
        match later {
            0 => Date { year: month.year + 1, month: self.months.trailing_zeros(), day: 1 },
            _ => Date { month: later.trailing_zeros(), ..month },
        }
    }

    fn month_before(&self, month: Date) -> Date {
        let earlier = u32::from(self.months) & days_up_to(month.month - 1);
        match earlier {
            0 => Date { year: month.year - 1, month: self.months.ilog2(), day: 1 },
            _ => Date { month: earlier.ilog2(), ..month },
        }
    }

    fn first_of_day_from(&self, of_day: u32) -> Option<u32> {
        let (hour, minute) = (of_day / 60, of_day % 60);
        let later_minutes = self.minutes >> minute << minute;
        if self.hours >> hour & 1 == 1 && later_minutes != 0 {
            return Some(hour * 60 + later_minutes.trailing_zeros());
        }
        let later_hours = self.hours >> hour & !1;
        (later_hours != 0).then(|| (hour + later_hours.trailing_zeros()) * 60 + self.minutes.trailing_zeros())
    }

    fn last_of_day_until(&self, of_day: u32) -> Option<u32> {
        let (hour, minute) = (of_day / 60, of_day % 60);
        let earlier_minutes = self.minutes & ((2 << minute) - 1);
        if self.hours >> hour & 1 == 1 && earlier_minutes != 0 {
            return Some(hour * 60 + earlier_minutes.ilog2());
        }
        let earlier_hours = self.hours & ((1 << hour) - 1);
        earlier_hours.checked_ilog2().map(|hour| hour * 60 + self.minutes.ilog2())
    }
}

/// Bits 1 to `last`; none for 0.
fn days_up_to(last: u32) -> u32 {
    u32::MAX >> (31 - last) & !1
}
