//! What lies in a spool until the run-log takes it: read, listed, handed over, removed.
//!
//! Holds always: nothing is removed but what the caller says is in the run-log, and of that only what has ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use super::folder::count_change;
use super::{ALONE, Folder, LOCK, OUTAGE, RECORDS, Seen, Stored};
use crate::occurrence::{PipelineId, Token};
use crate::run::{Attempt, Completion, Row};

const ENDS: &str = "ends";
const ASIDE: &str = "aside";
const RUN_LOG: &str = "run_log";
const TOLD: &str = "told";
const SEEN: &str = "seen.json";

/// Whether there is anything to hand over.
///
/// # Errors
/// Those of the file system.
pub fn is_pending(folder: &Folder) -> io::Result<bool> {
    let is_empty = |name| Ok::<_, io::Error>(folder.folder(name).names()?.is_empty());
    let was_left = |name| Ok::<_, io::Error>(folder.read(name)?.is_some());
    Ok(was_left(OUTAGE)? || was_left(SEEN)? || !is_empty(RECORDS)? || !is_empty(ENDS)?)
}

/// The outage that is going on, by its id; none where there is none, or none that can be read.
pub fn outage(folder: &Folder) -> Option<String> {
    super::read_outage(folder).ok().flatten().map(|outage| outage.id)
}

/// Whether people have been told of an outage.
pub fn was_told(folder: &Folder, outage: &str) -> bool {
    folder.read(TOLD).ok().flatten().is_some_and(|told| told == outage.as_bytes())
}

/// Notes that people have been told of an outage.
///
/// # Errors
/// Those of the file system: they are told again.
pub fn note_told(folder: &Folder, outage: &str) -> io::Result<()> {
    folder.put(TOLD, outage.as_bytes())
}

/// Ends the outage: whoever was opened in it claims nothing more. How far this host has come by itself is kept: the run-log
/// may know of it only when it has planned again, and be gone before that.
///
/// # Errors
/// Those of the file system.
pub fn end_outage(folder: &Folder) -> io::Result<()> {
    let _lock = folder.lock(LOCK)?;
    if let Some(outage) = super::read_outage(folder)? {
        let cursors = outage.rows.into_iter().filter_map(|row| Some((row.pipeline, row.cursor?)));
        let mut alone = read_alone(folder);
        alone.extend(cursors);
        let entries: Vec<_> = alone.into_iter().collect();
        folder.put(ALONE, &serde_json::to_vec(&entries)?)?;
    }
    folder.remove(OUTAGE)
}

/// How far this host has come by itself, in outages that are over.
fn read_alone(folder: &Folder) -> BTreeMap<PipelineId, Timestamp> {
    let bytes = folder.read(ALONE).ok().flatten().unwrap_or_default();
    serde_json::from_slice::<Vec<_>>(&bytes).unwrap_or_default().into_iter().collect()
}

/// Lets an outage begin where the ones before it have ended, however little of them the run-log had told when it failed
/// again. What a wrong clock has put ahead is left out.
pub(super) fn go_on(folder: &Folder, rows: &mut Vec<Row>, now: Timestamp) {
    let alone = read_alone(folder);
    let unknown = alone.keys().filter(|id| !rows.iter().any(|row| row.pipeline == **id));
    let unknown: Vec<Row> = unknown.cloned().map(Row::absent).collect();
    rows.extend(unknown);
    for row in rows {
        // What another file of this host has decided is decided: only the run-log knows each attempt.
        let by_any = row.schedules.iter().filter_map(|known| known.cursor).chain(row.cursor);
        let latest = by_any.chain(alone.get(&row.pipeline).copied()).filter(|cursor| *cursor <= now).max();
        if let Some(latest) = latest {
            super::begin_after(row, latest);
        }
    }
}

/// Whether this host has no run-log just now.
pub fn is_outage(folder: &Folder) -> bool {
    folder.join(OUTAGE).exists()
}

/// Notes for people which run-log the spool is for, by its address as it may be shown.
///
/// # Errors
/// Those of the file system.
pub fn note_run_log(folder: &Folder, shown: &str) -> io::Result<()> {
    if run_log(folder).as_deref() == Some(shown) { Ok(()) } else { folder.put(RUN_LOG, shown.as_bytes()) }
}

/// Which run-log the spool is for; none where nobody has noted it.
pub fn run_log(folder: &Folder) -> Option<String> {
    folder.read(RUN_LOG).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// All that is kept, with the names of the files; what cannot be read is left where it is, and said. What no tick can have written
/// counts for nothing.
///
/// # Errors
/// Those of the file system.
pub fn records(folder: &Folder) -> io::Result<Vec<(String, Stored)>> {
    let mut all = all(folder)?;
    all.retain(|(_, stored)| stored.flaw().is_none());
    Ok(all)
}

/// A record that no tick can have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flawed {
    /// The run that it is about.
    pub run: String,
    /// What is wrong with it.
    pub why: String,
    /// Where it lies now; none where it came from elsewhere.
    pub path: Option<PathBuf>,
}

/// Takes out of the way what no tick can have written, and returns what that was.
///
/// # Errors
/// Those of the file system.
pub fn set_aside(folder: &Folder) -> io::Result<Vec<Flawed>> {
    let mut flawed = Vec::new();
    for (name, stored) in all(folder)? {
        let Some(why) = stored.flaw() else { continue };
        let lock = folder.lock(LOCK)?;
        // Another tick may have been faster.
        let Some(bytes) = folder.read(&name)? else { continue };
        let aside = folder.folder(ASIDE);
        aside.make()?;
        let name_aside = name.rsplit('/').next().unwrap_or(&name);
        aside.put(name_aside, &bytes)?;
        take_away(folder, &lock, &name)?;
        flawed.push(Flawed { run: stored.run(), why, path: Some(aside.join(name_aside)) });
    }
    Ok(flawed)
}

fn all(folder: &Folder) -> io::Result<Vec<(String, Stored)>> {
    let mut all = Vec::new();
    for place in [RECORDS, ENDS] {
        let inside = folder.folder(place);
        for name in inside.names()? {
            let Some(bytes) = inside.read(&name)? else { continue };
            match Stored::parse(&bytes) {
                Some(stored) => all.push((format!("{place}/{name}"), stored)),
                None => {
                    tracing::error!(file = %inside.join(&name).display(), "no record of a spool that is known here")
                }
            }
        }
    }
    Ok(all)
}

/// The attempts that were claimed here and are kept.
///
/// # Errors
/// Those of the file system.
pub fn attempts(folder: &Folder) -> io::Result<Vec<Attempt>> {
    if folder.folder(RECORDS).names()?.is_empty() {
        return Ok(Vec::new());
    }
    let attempts = records(folder)?.into_iter().filter_map(|(_, stored)| match stored {
        Stored::Attempt { spooled, .. } => Some(spooled.attempt),
        Stored::End { .. } => None,
    });
    Ok(attempts.collect())
}

/// The outcome that lies here for an attempt, if one does.
///
/// # Errors
/// Those of the file system.
pub fn end_of(folder: &Folder, token: Token) -> io::Result<Option<Completion>> {
    let ends = records(folder)?.into_iter().map(|(_, stored)| match stored {
        Stored::Attempt { spooled, .. } => spooled.attempt.end,
        Stored::End { completion, .. } => Some(*completion),
    });
    Ok(ends.flatten().find(|end| end.token == token))
}

/// Keeps the end of an attempt of the run-log until that takes it.
///
/// # Errors
/// Those of the file system.
pub fn put_end(folder: &Folder, run: &str, completion: &Completion) -> io::Result<()> {
    let ends = folder.folder(ENDS);
    ends.make()?;
    let stored = Stored::End { run: run.into(), completion: Box::new(completion.clone()) };
    ends.put(&format!("{}.json", completion.token), stored.line().as_bytes())
}

/// The schedules that were seen first while there was no run-log.
///
/// # Errors
/// Those of the file system.
pub fn seen(folder: &Folder) -> io::Result<Vec<Seen>> {
    let bytes = folder.read(SEEN)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Keeps `new` beside those; what is kept already counts from then.
///
/// # Errors
/// Those of the file system.
pub fn note_seen(folder: &Folder, new: Vec<Seen>) -> io::Result<()> {
    let _lock = folder.lock(LOCK)?;
    let mut all = seen(folder)?;
    let is_kept = |all: &[Seen], new: &Seen| {
        all.iter().any(|kept| kept.pipeline == new.pipeline && kept.schedule.hash == new.schedule.hash)
    };
    let before = all.len();
    for new in new {
        if !is_kept(&all, &new) {
            all.push(new);
        }
    }
    if all.len() > before { folder.put(SEEN, &serde_json::to_vec(&all)?) } else { Ok(()) }
}

/// Removes those that the run-log knows now, unless more have been added since they were read.
///
/// # Errors
/// Those of the file system.
pub fn drop_seen(folder: &Folder, known: &[Seen]) -> io::Result<()> {
    let _lock = folder.lock(LOCK)?;
    if seen(folder)? == known { folder.remove(SEEN) } else { Ok(()) }
}

/// Removes a file that has been handed over, unless it has changed since it was read; returns whether it did.
///
/// # Errors
/// Those of the file system.
pub fn remove(folder: &Folder, name: &str, handed_over: &Stored) -> io::Result<bool> {
    let lock = folder.lock(LOCK)?;
    let is_same = folder.read(name)?.is_some_and(|bytes| Stored::parse(&bytes).as_ref() == Some(handed_over));
    let has_ended = match handed_over {
        Stored::Attempt { spooled, .. } => !spooled.attempt.is_active(),
        Stored::End { .. } => true,
    };
    if is_same && has_ended {
        take_away(folder, &lock, name)?;
    }
    Ok(is_same && has_ended)
}

/// Removes a file; that of a claim is in the memory of others.
fn take_away(folder: &Folder, lock: &File, name: &str) -> io::Result<()> {
    if name.starts_with(RECORDS) {
        count_change(lock)?;
    }
    folder.remove(name)
}
