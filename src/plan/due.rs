//! Finds the occurrences that fell due since the cursor.
//!
//! Takes a schedule and a span; what to do with more than one of them is for `catch_up`.
//!
//! Holds always: only the newest few are listed, however long the span; the others are counted, up to 100,000.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::schedule::Schedule;

/// Counting stops here.
const COUNTED: u64 = 100_000;

/// The occurrences within a span.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Due {
    /// The newest ones, oldest first.
    pub newest: Vec<Timestamp>,
    /// Those before them.
    pub older: Option<Stretch>,
}

/// Consecutive occurrences that are not listed one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// There may be more.
    pub at_least: bool,
}

impl Stretch {
    /// One occurrence.
    pub fn one(instant: Timestamp) -> Stretch {
        Stretch { first: instant, last: instant, count: 1, at_least: false }
    }

    /// `before` followed by `instants`; none where there is nothing.
    pub fn of(before: Option<Stretch>, instants: &[Timestamp]) -> Option<Stretch> {
        instants.iter().fold(before, |stretch, instant| {
            Some(stretch.map_or(Stretch::one(*instant), |stretch| stretch.then(*instant)))
        })
    }

    /// This stretch followed by `instant`.
    pub fn then(self, instant: Timestamp) -> Stretch {
        Stretch { last: instant, count: self.count + 1, ..self }
    }
}

impl Due {
    /// Takes out of those that are listed what is not `wanted`, and leaves at most `keep` on the list. Returns what was taken
    /// out, oldest first.
    pub fn leave_out(&mut self, wanted: impl Fn(&Timestamp) -> bool, keep: usize) -> Vec<Timestamp> {
        let (kept, out): (Vec<_>, Vec<_>) = std::mem::take(&mut self.newest).into_iter().partition(wanted);
        let (older, newest) = kept.split_at(kept.len().saturating_sub(keep.max(1)));
        self.older = Stretch::of(self.older, older);
        self.newest = newest.to_vec();
        out
    }
}

/// Lists the newest `keep` (at least 1) occurrences in `(after, until]` and counts those before them.
pub fn find(schedule: &Schedule, after: Timestamp, until: Timestamp, keep: usize) -> Due {
    let keep = keep.max(1);
    let mut newest = VecDeque::new();
    let mut older: Option<Stretch> = None;
    for instant in schedule.occurrences_between(after, until) {
        newest.push_back(instant);
        if newest.len() <= keep {
            continue;
        }
        older = match (newest.pop_front(), older) {
            (Some(_), Some(stretch)) if stretch.count == COUNTED => {
                return jump_to_the_end(schedule, stretch, until, keep);
            }
            (Some(out), Some(stretch)) => Some(stretch.then(out)),
            (out, _) => out.map(Stretch::one),
        };
    }
    Due { newest: newest.into(), older }
}

/// The span holds more than is counted: the newest are found from its end backwards.
fn jump_to_the_end(schedule: &Schedule, counted: Stretch, until: Timestamp, keep: usize) -> Due {
    let before = |instant: &Timestamp| {
        instant.checked_sub(MICROSECOND).ok().and_then(|instant| schedule.previous_at_or_before(instant))
    };
    let mut backwards = std::iter::successors(schedule.previous_at_or_before(until), before);
    let mut newest: Vec<Timestamp> = backwards.by_ref().take(keep).collect();
    newest.reverse();
    let last = backwards.next().unwrap_or(counted.last);
    Due { newest, older: Some(Stretch { last, at_least: true, ..counted }) }
}

/// What lies between an instant and the next.
pub const MICROSECOND: jiff::SignedDuration = jiff::SignedDuration::from_micros(1);
