//! How long history is kept, as a value: which attempts and entries may go.
//!
//! Reading and deleting rows is for each backend. Files of output have limits of their own (`tick/output_files.rs`).
//!
//! Holds always: what is open stays, and so does what a claim still meets: an attempt after the cursor; of each pipeline
//! the newest run and the newest success stay.

use jiff::Timestamp;

use crate::run::{Attempt, NotRun, Outcome, Row};

/// What goes. An attempt goes where it is too old, or where too many newer runs of its pipeline are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// What was claimed or decided before this instant, and was for an instant before it; none means however old.
    pub before: Option<Timestamp>,
    /// The same for attempts that did not succeed, which no number of newer runs drives out then; none means that they are
    /// treated as the others.
    pub failed_before: Option<Timestamp>,
    /// All but so many of the newest runs of each pipeline; none means any number, 0 is taken for 1.
    pub keep: Option<u32>,
}

/// What is done with what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// It is removed.
    Remove,
    /// It is counted, and stays.
    Count,
}

/// How many rows went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Attempts.
    pub attempts: u64,
    /// Entries of what was not run.
    pub not_run: u64,
    /// There may be more of them.
    pub more: bool,
}

/// What of a pipeline's history stays whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spared {
    /// What its newest run is for.
    pub newest: Timestamp,
    /// What the oldest of the newest runs is for of which `Retention::keep` speaks; the earliest instant where there are fewer.
    pub among: Timestamp,
    /// The last instant whose attempts may go: a later one still keeps its occurrence from being run again.
    pub last: Timestamp,
}

impl Spared {
    /// That of a pipeline at `now`, whose row is this and the instants of whose runs are these, newest first, each once: as
    /// many as `Retention::runs` asks for.
    pub fn of(retention: &Retention, row: Option<&Row>, runs: &[Timestamp], now: Timestamp) -> Spared {
        let last = row.and_then(|row| row.undecided_after(now)).map_or(now, |cursor| cursor.min(now));
        let among = runs.get(retention.runs() - 1).copied();
        Spared { newest: runs.first().copied().unwrap_or(last), among: among.unwrap_or(Timestamp::MIN), last }
    }
}

impl Retention {
    /// Whether nothing ever goes.
    pub fn keeps_all(&self) -> bool {
        self.before.is_none() && self.failed_before.is_none() && self.keep.is_none()
    }

    /// How many of the newest runs have to be known to tell what goes; at least 1.
    pub fn runs(&self) -> usize {
        self.keep.unwrap_or(1).max(1) as usize
    }

    /// No attempt that is for this instant or a later one goes.
    pub fn end(&self, spared: &Spared) -> Timestamp {
        let among = self.keep.map(|_| spared.among);
        let last = spared.last.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(spared.last);
        let end = self.before.max(self.failed_before).max(among).unwrap_or(Timestamp::MIN);
        end.min(spared.newest).min(last)
    }

    /// Whether an attempt goes that has this outcome, was claimed at that instant and is for another one.
    pub fn takes(&self, outcome: Outcome, claimed_at: Timestamp, scheduled_for: Timestamp, spared: &Spared) -> bool {
        if scheduled_for >= self.end(spared) {
            return false;
        }
        let is_older = |before: Timestamp| claimed_at < before && scheduled_for < before;
        let is_failure = !outcome.is_success() && outcome != Outcome::Released;
        match self.failed_before.filter(|_| is_failure) {
            Some(before) => is_older(before),
            None => self.before.is_some_and(is_older) || (self.keep.is_some() && scheduled_for < spared.among),
        }
    }

    /// The same for an attempt; one that has not ended stays.
    pub fn takes_attempt(&self, attempt: &Attempt, spared: &Spared) -> bool {
        let takes = |outcome| self.takes(outcome, attempt.claimed_at, attempt.run.scheduled_for, spared);
        attempt.outcome().is_some_and(takes)
    }

    /// No entry of what was not run goes whose first occurrence is at this instant or later; none where none goes.
    pub fn end_not_run(&self, spared: &Spared) -> Option<Timestamp> {
        self.before.max(self.keep.map(|_| spared.among))
    }

    /// Whether an entry of what was not run goes.
    pub fn takes_not_run(&self, entry: &NotRun, spared: &Spared) -> bool {
        let is_older = |before: Timestamp| entry.decided_at < before && entry.last < before;
        let is_over = self.before.is_some_and(is_older) || (self.keep.is_some() && entry.last < spared.among);
        is_over && entry.last <= spared.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_or_too_many_goes_and_failures_have_their_own_age() {
        use Outcome::*;
        let at = |day: i8| format!("2026-01-{day:02}T00:00:00Z").parse::<Timestamp>().unwrap();
        let (old, older) = (Some(at(10)), Some(at(5)));
        let of = |before, failed_before, keep| Retention { before, failed_before, keep };
        // One run a day up to the 20th; the newest five begin with the 16th.
        let spared = Spared { newest: at(20), among: at(16), last: at(18) };
        // what is kept, outcome, for this day, claimed on that day, goes
        for (retention, outcome, day, claimed, goes) in [
            (of(old, None, None), Succeeded, 9, 9, true),
            (of(old, None, None), Succeeded, 10, 10, false),
            (of(old, None, None), Succeeded, 2, 12, false),
            (of(old, None, None), Succeeded, 12, 2, false),
            (of(old, None, None), Failed, 9, 9, true),
            (of(old, older, None), Failed, 9, 9, false),
            (of(old, older, None), Lost, 4, 4, true),
            (of(old, older, None), Partial, 9, 9, true),
            (of(old, older, None), Released, 9, 9, true),
            (of(None, None, Some(5)), Succeeded, 16, 16, false),
            (of(None, None, Some(5)), Failed, 15, 15, true),
            (of(None, older, Some(5)), Failed, 15, 15, false),
            (of(None, older, Some(5)), Failed, 4, 4, true),
            (of(old, None, Some(5)), Succeeded, 15, 15, true),
            (of(Some(at(30)), None, None), Succeeded, 18, 18, true),
            (of(Some(at(30)), None, None), Succeeded, 19, 19, false),
            (of(None, None, None), Succeeded, 1, 1, false),
        ] {
            let told = format!("{retention:?} {outcome} for {day} on {claimed}");
            assert_eq!(retention.takes(outcome, at(claimed), at(day), &spared), goes, "{told}");
        }
    }
}
