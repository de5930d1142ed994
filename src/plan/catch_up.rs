//! Decides what to do about occurrences that nobody ran in time.
//!
//! Takes the due occurrences from `due` and keeps all of them, the latest one or none, as the pipeline's policy says.
//! Whether a kept one may start now is for `decide`.
//!
//! Holds always: what is dropped is returned; the order by `scheduled_for` is untouched; one occurrence that is alone
//! in being due is kept, however late.

use std::time::Duration;

use jiff::Timestamp;

use super::due::{Due, Stretch};
use crate::pipeline::CatchUp;

/// What is left to run, oldest first, and what is missed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Kept {
    /// To be run.
    pub run: Vec<Timestamp>,
    /// Dropped: all of them older than what is kept.
    pub missed: Option<Stretch>,
}

/// How many of the newest due occurrences a policy may want to see.
pub fn keep(policy: CatchUp) -> usize {
    match policy {
        CatchUp::Skip | CatchUp::Latest => 1,
        CatchUp::All { max, .. } => max.max(1) as usize,
    }
}

/// Applies `policy` to what is due at `now`; an occurrence younger than `interval` is in time and never dropped as late.
pub fn apply(policy: CatchUp, due: Due, now: Timestamp, interval: Duration) -> Kept {
    let alone = due.older.is_none() && due.newest.len() == 1;
    let too_old = |instant: Timestamp| {
        let late = Duration::try_from(now.duration_since(instant)).unwrap_or_default();
        match policy {
            CatchUp::Skip => !alone && late >= interval,
            CatchUp::Latest => false,
            CatchUp::All { window, .. } => !alone && window.is_some_and(|window| late > window),
        }
    };
    let mut kept = Kept { run: Vec::with_capacity(due.newest.len()), missed: due.older };
    for instant in due.newest {
        if too_old(instant) {
            kept.missed = Some(kept.missed.map_or(Stretch::one(instant), |stretch| stretch.then(instant)));
        } else {
            kept.run.push(instant);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + hour * 3600 + minute * 60).unwrap()
    }

    #[test]
    fn each_policy_keeps_what_it_says() {
        let all = |max, hours: Option<u64>| CatchUp::All { max, window: hours.map(|h| Duration::from_secs(h * 3600)) };
        // hourly; due hours, the tick's time, policy → hours that run, count of missed
        for (due, now, policy, run, missed) in [
            (vec![1], at(1, 0), CatchUp::Latest, vec![1], 0),
            (vec![1], at(4, 30), CatchUp::Skip, vec![1], 0),
            (vec![1], at(9, 0), all(5, Some(2)), vec![1], 0),
            (vec![1, 2, 3], at(3, 0), CatchUp::Latest, vec![3], 2),
            (vec![1, 2, 3], at(3, 30), CatchUp::Skip, vec![], 3),
            (vec![1, 2, 3], at(3, 0), CatchUp::Skip, vec![3], 2),
            (vec![1, 2, 3], at(3, 30), all(100, None), vec![1, 2, 3], 0),
            (vec![1, 2, 3], at(3, 30), all(2, None), vec![2, 3], 1),
            (vec![1, 2, 3, 4], at(4, 30), all(100, Some(2)), vec![3, 4], 2),
        ] {
            let row = format!("{due:?} at {now} under {policy:?}");
            let split = due.len() - due.len().min(keep(policy));
            let older = due[..split]
                .iter()
                .fold(None, |s: Option<Stretch>, h| Some(s.map_or(Stretch::one(at(*h, 0)), |s| s.then(at(*h, 0)))));
            let newest = due[split..].iter().map(|h| at(*h, 0)).collect();
            let kept = apply(policy, Due { newest, older }, now, Duration::from_secs(60));
            assert_eq!(kept.run, run.iter().map(|h| at(*h, 0)).collect::<Vec<_>>(), "{row}");
            assert_eq!(kept.missed.map_or(0, |s| s.count), missed, "{row}");
        }
    }
}
