//! What this host last knew of the run-log: cursors, schedules, what is paused and held, and when it last looked.
//!
//! Written by every tick that has loaded the run-log or claimed in it, obeyed by ticks that cannot.
//!
//! Holds always: a row of a later version is not replaced by an earlier one that another tick of the same minute brings;
//! where the run-log itself has gone back, what is open in it gets start marks before the mirror goes back too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use super::super::Error;
use super::folder::Folder;
use crate::occurrence::PipelineId;
use crate::run::{Attempt, Row};

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

/// Refuses to begin anew where a run-log was: what it knew would run again. `found` says what is there instead.
///
/// # Errors
/// `Unavailable`, with what to do.
pub fn must_know_nothing(folder: &Folder, found: &str) -> Result<(), Error> {
    let known = read(folder).rows.len();
    if known == 0 {
        return Ok(());
    }
    // Only this: the next run-log takes in what waits in the folder.
    let mirror = folder.join(FILE);
    let message = format!(
        "{found}, and this host knows {known} of its pipelines: put it back, or remove `{}` to begin anew",
        mirror.display()
    );
    Err(Error::Unavailable { message, source: None })
}

/// What tells one content of the mirror from another.
pub type Digest = [u8; 16];

/// What a run-log has said.
#[derive(Default)]
pub struct Learned {
    /// Its rows.
    pub rows: Vec<Row>,
    /// It has no other rows.
    pub is_all: bool,
    /// What the mirror was before the run-log was asked.
    pub before: Option<Digest>,
    /// The attempts that run by it, and where their start marks are.
    pub running: Vec<(Attempt, PathBuf)>,
}

/// Dates the mirror where it is that of `rows` already, all that the run-log has; returns whether it is. Most ticks find what the one before
/// has found: they only say that they were here.
pub fn date(folder: &Folder, rows: &str, now: Timestamp) -> io::Result<bool> {
    let is_as_before = digest_of(folder).is_some_and(|known| known == *rows.as_bytes());
    if is_as_before {
        touch(folder, now)?;
    }
    Ok(is_as_before)
}

fn touch(folder: &Folder, now: Timestamp) -> io::Result<()> {
    File::options().append(true).open(folder.join(FILE))?.set_modified(SystemTime::from(now))
}

/// Takes what was learned into the mirror.
///
/// # Errors
/// Those of the file system.
pub fn note(folder: &Folder, learned: Learned, now: Timestamp) -> io::Result<()> {
    folder.make()?;
    let Learned { rows: learned, is_all, before, running } = learned;
    let digest = digest(learned.iter());
    let is_other = |known: Option<Digest>| known.is_some_and(|known| known != *digest.as_bytes());
    let may_be_behind = is_all && is_other(before) && !behind(&learned, &read(folder)).is_empty();
    // Who holds it writes much the same, but for what was claimed just now.
    let lock = if is_all && !may_be_behind { folder.lock_if_free(LOCK) } else { folder.lock(LOCK) };
    let Ok(_lock) = lock else { return Ok(()) };
    if is_all && date(folder, &digest, now)? {
        return Ok(());
    }
    let in_file = digest_of(folder);
    let known = read(folder);
    // Whoever has written meanwhile may have overtaken what was learned, or has seen to this already.
    let is_as_before = in_file == before;
    let has_gone_back = may_be_behind && is_as_before;
    if has_gone_back {
        prove_nothing(&behind(&learned, &known), &running)?;
    }
    let is_old = known.ticked_at.is_none_or(|at| now.duration_since(at).abs() > OVERTAKEN);
    let is_replaced = is_all && is_as_before && (is_old || has_gone_back);
    let mut rows = if is_replaced { BTreeMap::new() } else { known.rows.clone() };
    for row in learned.into_iter().map(without_figures) {
        if rows.get(&row.pipeline).is_none_or(|before| before.version <= row.version) {
            rows.insert(row.pipeline.clone(), row);
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    let mut bytes = self::digest(rows.iter()).into_bytes();
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, &rows)?;
    folder.put(FILE, &bytes)?;
    touch(folder, now)
}

/// The pipelines of which the mirror has a later version than the run-log.
fn behind(learned: &[Row], known: &Known) -> BTreeSet<PipelineId> {
    let is_behind = |row: &&Row| known.rows.get(&row.pipeline).is_some_and(|known| known.version > row.version);
    learned.iter().filter(is_behind).map(|row| row.pipeline.clone()).collect()
}

/// An older copy of the run-log was put back. What runs by it may have ended since, and its start mark is gone: it gets
/// one, lest the missing one be taken for a proof that it never started.
fn prove_nothing(behind: &BTreeSet<PipelineId>, running: &[(Attempt, PathBuf)]) -> io::Result<()> {
    let pipelines = behind.len();
    tracing::warn!(pipelines, "the run-log has gone back to an older copy: what ran since may run again");
    for (attempt, marks) in running.iter().filter(|(attempt, _)| behind.contains(&attempt.run.pipeline)) {
        mark_started(marks, attempt)?;
    }
    Ok(())
}

fn mark_started(marks: &Path, attempt: &Attempt) -> io::Result<()> {
    Folder::at(marks.to_path_buf()).make()?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(marks.join(attempt.token.to_string()));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The same for rows of the same pipelines in the same versions, in the order of their names.
pub fn digest<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut versions: Vec<(&PipelineId, u64)> = rows.map(|row| (&row.pipeline, row.version)).collect();
    versions.sort_unstable();
    let mut hasher = DefaultHasher::new();
    versions.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The digest of what is in the mirror now; none where there is none, or its end is missing.
pub fn digest_of(folder: &Folder) -> Option<Digest> {
    let (mut digest, mut last) = ([0; 16], [0; 1]);
    let mut read = || {
        let mut file = File::open(folder.join(FILE))?;
        file.read_exact(&mut digest)?;
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    };
    read().ok().filter(|()| last == *b"]").map(|()| digest)
}

fn without_figures(row: Row) -> Row {
    Row { totals: BTreeMap::new(), last: None, failures_in_a_row: 0, ..row }
}
