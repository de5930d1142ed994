//! Counts in a pipeline's totals what is not run, beside the ends that `fold` counts.

use crate::run::{NotRun, Reason, Row};

/// Adds occurrences that are not run to the totals, as `missed` or, for any other reason, as `skipped`.
pub fn tally(row: &mut Row, not_run: &[NotRun]) {
    for entry in not_run {
        let word = if entry.reason == Reason::Missed { "missed" } else { "skipped" };
        let total = row.totals.entry(word.into()).or_default();
        *total = total.saturating_add(entry.count);
    }
}
