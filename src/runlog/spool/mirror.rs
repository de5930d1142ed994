//! What this host last knew of the run-log: cursors, schedules, what is paused and held, and when it last looked.
//!
//! Written by every tick that has loaded the run-log or claimed in it, obeyed by ticks that cannot.
//!
//! Holds always: a row of a later version is not replaced by an earlier one that another tick of the same minute brings.

use std::collections::BTreeMap;
use std::io;
use std::time::SystemTime;

use jiff::Timestamp;

use super::folder::Folder;
use crate::occurrence::PipelineId;
use crate::run::Row;

const FILE: &str = "mirror.json";
const LOCK: &str = "mirror.lock";

/// What loads within so short a time may have been overtaken by a commit of another tick.
const OVERTAKEN: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// What was known, and when.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The rows, without their figures.
    pub rows: BTreeMap<PipelineId, Row>,
    /// This host's last tick, by its own clock.
    pub ticked_at: Option<Timestamp>,
}

/// Reads the mirror; nothing is known where there is none, or one that cannot be read.
pub fn read(folder: &Folder) -> Known {
    let bytes = folder.read(FILE).ok().flatten().unwrap_or_default();
    let rows: Vec<Row> = serde_json::from_slice(&bytes).unwrap_or_default();
    let modified = std::fs::metadata(folder.join(FILE)).and_then(|data| data.modified());
    Known {
        rows: rows.into_iter().map(|row| (row.pipeline.clone(), row)).collect(),
        ticked_at: modified.ok().and_then(|at| Timestamp::try_from(at).ok()),
    }
}

/// Takes what was learned into the mirror; `is_all` says that the store has no other rows.
///
/// # Errors
/// Those of the file system.
pub fn note(folder: &Folder, learned: impl Iterator<Item = Row>, is_all: bool, now: Timestamp) -> io::Result<()> {
    folder.make()?;
    let _lock = folder.lock(LOCK)?;
    let known = read(folder);
    let is_old = known.ticked_at.is_none_or(|at| now.duration_since(at).abs() > OVERTAKEN);
    let mut rows = if is_all && is_old { BTreeMap::new() } else { known.rows.clone() };
    for row in learned.map(without_figures) {
        if rows.get(&row.pipeline).is_none_or(|before| before.version <= row.version) {
            rows.insert(row.pipeline.clone(), row);
        }
    }
    if rows != known.rows || known.ticked_at.is_none() {
        let rows: Vec<&Row> = rows.values().collect();
        folder.put(FILE, &serde_json::to_vec(&rows)?)?;
    }
    std::fs::File::options().append(true).open(folder.join(FILE))?.set_modified(SystemTime::from(now))
}

fn without_figures(row: Row) -> Row {
    Row { totals: BTreeMap::new(), last: None, failures_in_a_row: 0, ..row }
}
