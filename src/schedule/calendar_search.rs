//! Finds the next and the previous second of the wall clock that an OnCalendar expression names.
//!
//! Minutes, days and weekdays are found by `search`; this adds seconds and years. What a second of the wall clock is in
//! real time is for `zone`.
//!
//! Holds always: a search asks `search` at most once for each year that is named, and once if every year is.

use super::date::Date;
use super::search::WallMinutes;

const SECONDS_IN_DAY: i64 = 24 * 60 * 60;

/// The seconds that an expression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WallSeconds {
    pub(super) minutes: WallMinutes,
    /// Bits 0 to 59, at least one.
    pub(super) seconds: u64,
    /// In order; empty means every year.
    pub(super) years: Vec<i64>,
}

impl WallSeconds {
    /// Whether there is such a second in any year.
    pub(super) fn is_possible(&self) -> bool {
        let from_the_first = |&year: &i64| self.first_from(first_second_of(year)).is_some();
        self.minutes.is_possible() && self.years.first().is_none_or(from_the_first)
    }

    /// Returns the first named second at or after `from`; none if there is none within the search.
    pub(super) fn first_from(&self, mut from: i64) -> Option<i64> {
        loop {
            let found = self.first_of_any_year(from)?;
            let year = year_of(found);
            let next_year = self.years.partition_point(|&named| named < year);
            match self.years.get(next_year) {
                Some(&named) if named > year => from = first_second_of(named),
                None if !self.years.is_empty() => return None,
                _ => return Some(found),
            }
        }
    }

    /// Returns the last named second at or before `until`; none if there is none within the search.
    pub(super) fn last_until(&self, mut until: i64) -> Option<i64> {
        loop {
            let found = self.last_of_any_year(until)?;
            let year = year_of(found);
            let named_until = self.years.partition_point(|&named| named <= year);
            match named_until.checked_sub(1).map(|last| self.years[last]) {
                Some(named) if named < year => until = first_second_of(named + 1) - 1,
                None if !self.years.is_empty() => return None,
                _ => return Some(found),
            }
        }
    }

    fn first_of_any_year(&self, from: i64) -> Option<i64> {
        let (minute, second) = (from.div_euclid(60), from.rem_euclid(60));
        let later = self.seconds >> second << second;
        if later != 0 && self.minutes.first_from(minute) == Some(minute) {
            return Some(minute * 60 + i64::from(later.trailing_zeros()));
        }
        let minute = self.minutes.first_from(minute + 1)?;
        Some(minute * 60 + i64::from(self.seconds.trailing_zeros()))
    }

    fn last_of_any_year(&self, until: i64) -> Option<i64> {
        let (minute, second) = (until.div_euclid(60), until.rem_euclid(60));
        let earlier = self.seconds & ((2 << second) - 1);
        if earlier != 0 && self.minutes.last_until(minute) == Some(minute) {
            return Some(minute * 60 + i64::from(earlier.ilog2()));
        }
        let minute = self.minutes.last_until(minute - 1)?;
        Some(minute * 60 + i64::from(self.seconds.ilog2()))
    }
}

fn year_of(wall_second: i64) -> i64 {
    Date::of(wall_second.div_euclid(SECONDS_IN_DAY)).year
}

fn first_second_of(year: i64) -> i64 {
    Date { year, month: 1, day: 1 }.day_number() * SECONDS_IN_DAY
}
