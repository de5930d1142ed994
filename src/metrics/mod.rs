//! What a tick can tell a monitoring system, as values.
//!
//! `histogram` keeps durations over many processes, `text` writes the whole as Prometheus reads it. Where it goes is for
//! `sink`; where the totals are kept is for the run-log.
//!
//! Holds always: counters are totals since ever, so that processes that live for a second each, on many hosts, give series
//! that only grow.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::occurrence::PipelineId;

mod histogram;
mod text;

pub use histogram::{BOUNDS_MILLIS, Histogram};
pub use text::prometheus;

/// All figures at the end of a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When the tick ended.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How long no tick was made on this host before it; none if that is not known.
    pub gap: Option<Duration>,
    /// Whether it could not use the run-log and went by its own clock.
    pub degraded: bool,
    /// Every pipeline that the tick knows, by name.
    pub pipelines: BTreeMap<PipelineId, Figures>,
}

/// The figures of one pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Ended attempts and occurrences that were not run, ever.
    pub runs: Runs,
    /// How long attempts took, ever.
    pub durations: Histogram,
    /// Number of the attempt that is pending or running as a retry; 0 when there is none.
    pub retry_attempt: u32,
    /// When an attempt last succeeded, at least in part; none if never.
    pub last_success: Option<Timestamp>,
}

/// Ends by the label `outcome`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Done.
    pub success: u64,
    /// Done, with rejects.
    pub partial: u64,
    /// Failed, timed out, lost, interrupted or cancelled.
    pub failure: u64,
    /// Occurrences that were not run.
    pub skipped: u64,
}

impl Runs {
    /// The run-log's totals by the word of their outcome, and of occurrences that were not run. What was released never started
    /// and counts as nothing; a word of a newer program counts as a failure, so that no end is left out.
    pub fn of_totals(totals: &BTreeMap<String, u64>) -> Runs {
        let mut runs = Runs::default();
        for (word, count) in totals {
            match word.as_str() {
                "succeeded" => runs.success += count,
                "partial" => runs.partial += count,
                "skipped" | "missed" => runs.skipped += count,
                "released" => {}
                _ => runs.failure += count,
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_label() {
        let ended = ["succeeded", "partial", "failed", "timed_out", "lost", "interrupted", "cancelled", "released"];
        let words = [ended.as_slice(), &["melted", "skipped", "missed"]].concat();
        let totals = words.iter().enumerate().map(|(at, word)| ((*word).to_owned(), 10_u64.pow(at as u32))).collect();
        let runs = Runs::of_totals(&totals);
        assert_eq!(runs, Runs { success: 1, partial: 10, failure: 101_111_100, skipped: 11_000_000_000 });
    }
}
