//! What was decided without being run, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::occurrence::PipelineId;

/// Why an occurrence of the schedule was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody ran it in time and the catch-up policy drops it.
    Missed,
    /// The previous run was still going.
    Overlap,
    /// Its retry was pending when the next occurrence fell due, or it waited for its turn and a newer one took it.
    Superseded,
    /// The pipeline was paused.
    Paused,
    /// The pipeline was held after a run had given up.
    Held,
    /// What it depends on had not succeeded when its next occurrence fell due.
    Upstream,
    /// It could not start before its `start_deadline`.
    Deadline,
    /// A person said so.
    Skipped,
}

impl Reason {
    /// The word in stores, logs and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Missed => "missed",
            Reason::Overlap => "overlap",
            Reason::Superseded => "superseded",
            Reason::Paused => "paused",
            Reason::Held => "held",
            Reason::Upstream => "upstream",
            Reason::Deadline => "deadline",
            Reason::Skipped => "skipped",
        }
    }

    /// Whether entries with this reason that follow one another are kept as one stretch.
    pub fn is_stretch(self) -> bool {
        matches!(self, Reason::Missed | Reason::Paused | Reason::Held)
    }

    /// Reads `word` back.
    pub fn from_word(word: &str) -> Option<Reason> {
        use Reason::*;
        [Missed, Overlap, Superseded, Paused, Held, Upstream, Deadline, Skipped].into_iter().find(|r| r.word() == word)
    }
}

/// A stretch of occurrences that were decided without being run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NotRun {
    /// Whose.
    pub pipeline: PipelineId,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them; equal to `first` for one.
    pub last: Timestamp,
    /// How many, at least 1.
    pub count: u64,
    /// Whether there may be more than `count` (counting stops at 100,000).
    pub at_least: bool,
    /// Why.
    pub reason: Reason,
    /// When that was decided, by the store's clock.
    pub decided_at: Timestamp,
    /// The decided occurrence before `first`: a stretch of the same reason that ends there and this one are one. A store
    /// gives none back.
    pub after: Option<Timestamp>,
}
