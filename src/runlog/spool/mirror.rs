//! What this host last knew of the run-log: cursors, schedules, what is paused and held, and when it last looked.
//!
//! Written by every tick that has loaded the run-log or claimed in it, obeyed by ticks that cannot.
//!
//! Holds always: a row of a later version is not replaced by an earlier one that another tick of the same minute brings.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
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
    // A digest of the rows comes first, on a line of its own.
    let rows = bytes.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default();
    let rows: Vec<Row> = serde_json::from_slice(rows).unwrap_or_default();
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
    // Who holds it writes much the same, but for what was claimed just now.
    let lock = if is_all { folder.lock_if_free(LOCK) } else { folder.lock(LOCK) };
    let Ok(_lock) = lock else { return Ok(()) };
    let learned: Vec<Row> = learned.collect();
    let digest = digest(&learned);
    let touch = || File::options().append(true).open(folder.join(FILE))?.set_modified(SystemTime::from(now));
    // Most ticks find what the one before has found: they only say that they were here.
    if is_all && digest_of_file(folder).is_some_and(|known| known == *digest.as_bytes()) {
        return touch();
    }
    let known = read(folder);
    let is_old = known.ticked_at.is_none_or(|at| now.duration_since(at).abs() > OVERTAKEN);
    let mut rows = if is_all && is_old { BTreeMap::new() } else { known.rows.clone() };
    for row in learned.into_iter().map(without_figures) {
        if rows.get(&row.pipeline).is_none_or(|before| before.version <= row.version) {
            rows.insert(row.pipeline.clone(), row);
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    let mut bytes = self::digest(&rows).into_bytes();
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, &rows)?;
    folder.put(FILE, &bytes)?;
    touch()
}

/// The same for rows of the same pipelines in the same versions, in the order of their names.
fn digest(rows: &[Row]) -> String {
    let mut versions: Vec<(&PipelineId, u64)> = rows.iter().map(|row| (&row.pipeline, row.version)).collect();
    versions.sort_unstable();
    let mut hasher = DefaultHasher::new();
    versions.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn digest_of_file(folder: &Folder) -> Option<[u8; 16]> {
    let mut digest = [0; 16];
    File::open(folder.join(FILE)).and_then(|mut file| file.read_exact(&mut digest)).ok().map(|()| digest)
}

fn without_figures(row: Row) -> Row {
    Row { totals: BTreeMap::new(), last: None, failures_in_a_row: 0, ..row }
}
