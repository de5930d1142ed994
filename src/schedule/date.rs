//! Converts between day numbers and dates of the Gregorian calendar, in plain integers.
//!
//! The search of `search` runs ten thousand times in an idle tick and must not fail near the ends of the time
//! library's range, so it counts days itself. Years may be of any sign; the calendar is extended in both directions.
//!
//! Holds always: `Date::of(date.day_number()) == date`.

const DAYS_IN_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

/// A date: month from 1 to 12, day from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: u32,
    pub(super) day: u32,
}

impl Date {
    /// Returns the date of a day counted from 1970-01-01, which is day 0.
    pub(super) fn of(day_number: i64) -> Date {
        // Years are taken to begin in March, which puts the leap day at the end of a year.
        let days = day_number + DAYS_BEFORE_EPOCH;
        let (cycle, of_cycle) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
        // Leap days so far: one each 1,461 days, but for the last day of each 36,524, but for the last of all.
        let of_year_400 = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - days_before_year(of_year_400);
        let march_month = (5 * of_year + 2) / 153;
        let day = of_year - days_before_month(march_month) + 1;
        let (month, year) = match march_month {
            0..=9 => (march_month + 3, 400 * cycle + of_year_400),
            _ => (march_month - 9, 400 * cycle + of_year_400 + 1),
        };
        Date { year, month: month as u32, day: day as u32 }
    }

    /// Returns how many days after 1970-01-01 this is; negative before it.
    pub(super) fn day_number(self) -> i64 {
        let month = i64::from(self.month);
        let (march_month, year) = if month > 2 { (month - 3, self.year) } else { (month + 9, self.year - 1) };
        let (cycle, of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
        let days = days_before_year(of_cycle) + days_before_month(march_month) + i64::from(self.day) - 1;
        cycle * DAYS_IN_400_YEARS + days - DAYS_BEFORE_EPOCH
    }

    /// Returns the number of days of this date's month.
    pub(super) fn days_in_month(self) -> u32 {
        match self.month {
            2 if self.is_leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn is_leap_year(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }
}

/// Returns the weekday of a day number: 0 is Sunday, 6 Saturday.
pub(super) fn weekday(day_number: i64) -> u32 {
    // 1970-01-01 was a Thursday.
    (day_number + 4).rem_euclid(7) as u32
}

/// Days of the 400-year cycle before its year `year`, years beginning in March.
fn days_before_year(year: i64) -> i64 {
    365 * year + year / 4 - year / 100
}

/// Days of the year before its month `month`, where March is 0.
fn days_before_month(month: i64) -> i64 {
    // From March on the lengths repeat 31, 30, 31, 30, 31: 153 days each five months.
    (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{ToSpan, civil};

    /// Compares every `step`-th day from the first of January of a year on, `count` times or to the end of the range.
    fn compare(from_year: i16, step: i64, count: usize) {
        let mut expected = civil::date(from_year, 1, 1);
        let mut number = Date { year: i64::from(from_year), month: 1, day: 1 }.day_number();
        for _ in 0..count {
            let date = Date::of(number);
            let (year, month, day) = (date.year as i16, date.month as i8, date.day as i8);
            assert_eq!((year, month, day), (expected.year(), expected.month(), expected.day()), "day {number}");
            assert_eq!(date.day_number(), number, "{expected}");
            assert_eq!(date.days_in_month() as i8, expected.days_in_month(), "{expected}");
            assert_eq!(weekday(number) as i8, expected.weekday().to_sunday_zero_offset(), "{expected}");
            let Ok(next) = expected.checked_add(step.days()) else { return };
            (expected, number) = (next, number + step);
        }
    }

    #[test]
    fn agrees_with_the_time_library_on_every_day_of_four_centuries() {
        compare(1899, 1, 146_097);
    }

    #[test]
    fn agrees_with_the_time_library_through_its_range() {
        compare(-9999, 59, usize::MAX);
    }

    #[test]
    fn day_zero_is_the_epoch() {
        assert_eq!(Date::of(0), Date { year: 1970, month: 1, day: 1 });
    }
}
