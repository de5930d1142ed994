//! What is in a spool, as one process knows it: read once, and again where somebody has changed it.
//!
//! Whoever changes a record counts that in the file of the lock first; the dates of the folder tell of those who do not.
//! What this leaves in memory between two calls is what its files say.
//!
//! Holds always: used under the folder's lock alone; what a call has not written out to its end is read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;

use super::super::contract::{Batch, Spooled};
use super::super::memory::{Key, Tables};
use super::{Folder, OUTAGE, Outage, RECORDS, Stored, file_of, folder};
use crate::occurrence::{PipelineId, Run, Token};
use crate::run::{Attempt, Row};

/// The folder, and its lock, which is held.
#[derive(Clone, Copy)]
pub(super) struct Locked<'a> {
    pub(super) folder: &'a Folder,
    pub(super) lock: &'a File,
}

/// The store as its files have it.
#[derive(Default)]
pub(super) struct Contents {
    outage: Option<Outage>,
    pub(super) tables: Tables,
    /// The files of the records, by their names.
    files: BTreeMap<String, Known>,
    /// What the files say of attempts and the tables do not.
    kept: BTreeMap<Key, Kept>,
    /// The highest fence of each pipeline.
    fences: BTreeMap<PipelineId, u64>,
    /// How the folder stood when it was read.
    read_at: Option<Standing>,
}

/// A file that was read.
struct Known {
    /// None where it may have been changed since without a trace: it is read again with the next change of another one.
    stamp: Option<Stamp>,
    /// None where it is no record that counts.
    of: Option<(Key, Token)>,
}

struct Kept {
    outage: String,
    retry_at: Option<Timestamp>,
}

/// What was read of a file.
struct Read {
    name: String,
    known: Known,
    record: Option<(Attempt, String)>,
}

/// What tells one state of the folder of the records from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Standing {
    changes: u64,
    folder: Option<Stamp>,
}

/// What tells one content of a file from another: node, length, and when it was changed, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    node: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// None where there is no such file.
    fn of(path: &std::path::Path) -> io::Result<Option<Stamp>> {
        match std::fs::metadata(path) {
            Err(error) if folder::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
            Ok(data) => Ok(Some(Stamp {
                node: data.ino(),
                length: data.len(),
                modified: (data.mtime(), data.mtime_nsec()),
                changed: (data.ctime(), data.ctime_nsec()),
            })),
        }
    }
}

/// How the part of the store that a call may change was before it.
pub(super) struct Before {
    pub(super) rows: BTreeMap<PipelineId, Row>,
    runs: Vec<Run>,
    attempts: BTreeMap<Key, Attempt>,
}

impl Contents {
    /// Brings it up to date.
    pub(super) fn look(&mut self, Locked { folder, lock }: Locked<'_>) -> io::Result<()> {
        let outage = super::read_outage(folder)?;
        if self.id() != outage.as_ref().map_or("", |outage| &outage.id) {
            *self = Contents::default();
        }
        self.outage = outage;
        let now = standing(folder, lock)?;
        if self.read_at != Some(now) {
            self.read(&folder.folder(RECORDS), now.folder)?;
            self.read_at = Some(now);
        }
        let rows = self.outage.iter().flat_map(|outage| outage.rows.iter().cloned());
        self.tables.rows = rows.map(|row| (row.pipeline.clone(), row)).collect();
        for (id, fence) in &self.fences {
            if let Some(row) = self.tables.rows.get_mut(id) {
                row.fence = row.fence.max(*fence);
            }
        }
        self.tables.not_run.clear();
        self.tables.post = Default::default();
        Ok(())
    }

    /// The id of the outage; empty where there is none.
    fn id(&self) -> &str {
        self.outage.as_ref().map_or("", |outage| &outage.id)
    }

    /// Whether the run-log has been there again since this outage began, or there was none.
    pub(super) fn is_over(&self, outage: &str) -> bool {
        self.outage.as_ref().is_none_or(|current| current.id != outage)
    }

    fn read(&mut self, records: &Folder, folder: Option<Stamp>) -> io::Result<()> {
        let names = records.names()?;
        let is_gone = |name: &String| names.binary_search(name).is_err();
        if self.files.keys().any(is_gone) {
            self.forget_records();
        }
        let mut all = Vec::new();
        for name in names {
            all.extend(self.read_changed(records, name, folder)?);
        }
        let is_other = |read: &Read| {
            let before = self.files.get(&read.name).and_then(|known| known.of.as_ref());
            before.is_some_and(|before| read.known.of.as_ref() != Some(before))
        };
        if all.iter().any(is_other) {
            self.forget_records();
            return self.read(records, folder);
        }
        let runs: Vec<Run> = all.iter().filter_map(|read| Some(read.record.as_ref()?.0.run.clone())).collect();
        for Read { name, known, record } in all {
            self.files.insert(name, known);
            if let Some((attempt, outage)) = record {
                self.keep(&attempt, outage);
                self.tables.put(attempt);
            }
        }
        self.leave_retries(&runs);
        Ok(())
    }

    fn forget_records(&mut self) {
        *self = Contents { outage: self.outage.take(), ..Contents::default() };
    }

    /// What is in a file; none where it is known to be as it was, or there is none.
    fn read_changed(&self, records: &Folder, name: String, folder: Option<Stamp>) -> io::Result<Option<Read>> {
        let path = records.join(&name);
        let Some(stamp) = Stamp::of(&path)? else { return Ok(None) };
        if self.files.get(&name).is_some_and(|known| known.stamp == Some(stamp)) {
            return Ok(None);
        }
        let Some(bytes) = records.read(&name)? else { return Ok(None) };
        let stored = Stored::parse(&bytes);
        if stored.is_none() {
            tracing::error!(file = %path.display(), "no record of a spool that is known here");
        }
        let record = match stored.filter(|stored| stored.flaw().is_none()) {
            Some(Stored::Attempt { spooled, outage }) => Some((spooled.attempt, outage)),
            _ => None,
        };
        let of = record.as_ref().map(|(attempt, _)| (key_of(attempt), attempt.token));
        // Dates go by steps: what changes in the same step again may look the same.
        let is_settled = folder.is_some_and(|folder| stamp.changed < folder.changed);
        Ok(Some(Read { name, known: Known { stamp: is_settled.then_some(stamp), of }, record }))
    }

    fn keep(&mut self, attempt: &Attempt, outage: String) {
        let fence = self.fences.entry(attempt.run.pipeline.clone()).or_default();
        *fence = attempt.fence.max(*fence);
        self.kept.insert(key_of(attempt), Kept { outage, retry_at: attempt.retry_at });
    }

    /// What an outage that is over has left is retried by the run-log; what has a successor was.
    fn leave_retries(&mut self, runs: &[Run]) {
        for run in runs {
            let of_run = self.tables.of_run(run);
            let newest = of_run.last().map(|attempt| attempt.number);
            for attempt in of_run {
                let kept = self.kept.get(&key_of(&attempt));
                let ours = |kept: &&Kept| !kept.outage.is_empty() && kept.outage == self.id();
                let retry_at =
                    kept.filter(ours).filter(|_| newest == Some(attempt.number)).and_then(|kept| kept.retry_at);
                if retry_at != attempt.retry_at {
                    self.tables.put(Attempt { retry_at, ..attempt });
                }
            }
        }
    }

    /// How that stands which a commit may change.
    pub(super) fn before(&self, batch: &Batch) -> Before {
        let ends = batch.ends.iter().map(|end| &end.completion.token);
        let transitions = batch.transitions.iter();
        let others = transitions
            .clone()
            .flat_map(|transition| transition.closed.iter().chain(transition.stops.iter().map(|(token, _)| token)));
        let tokens: Vec<Token> = ends.chain(others).copied().collect();
        let claims = transitions.filter_map(|transition| Some(transition.claim.as_ref()?.run.clone()));
        self.before_runs(claims.chain(self.runs_of(&tokens)).collect())
    }

    /// How that stands which a renewal may change.
    pub(super) fn before_renewal(&self, tokens: &[Token]) -> Before {
        self.before_runs(self.runs_of(tokens).collect())
    }

    fn runs_of<'a>(&'a self, tokens: &'a [Token]) -> impl Iterator<Item = Run> + 'a {
        tokens.iter().filter_map(|token| Some(self.tables.with_token(*token)?.run.clone()))
    }

    fn before_runs(&self, mut runs: Vec<Run>) -> Before {
        runs.sort();
        runs.dedup();
        let attempts = runs.iter().flat_map(|run| self.tables.of_run(run));
        let attempts = attempts.map(|attempt| (key_of(&attempt), attempt)).collect();
        Before { rows: self.tables.rows.clone(), runs, attempts }
    }

    /// Writes what has changed since `before`: claims first, then ends, then rows.
    pub(super) fn write(
        &mut self,
        Locked { folder, lock }: Locked<'_>,
        before: Before,
        moved: &[Moved],
    ) -> io::Result<()> {
        let of_runs = before.runs.iter().flat_map(|run| self.tables.of_run(run));
        let changed = of_runs.filter(|attempt| before.attempts.get(&key_of(attempt)) != Some(attempt));
        let (old, new): (Vec<_>, Vec<_>) = changed.partition(|attempt| before.attempts.contains_key(&key_of(attempt)));
        let is_any = !old.is_empty() || !new.is_empty();
        if is_any {
            folder::count_change(lock)?;
        }
        for attempt in new {
            self.write_new(folder, &attempt, moved)?;
        }
        for attempt in old {
            self.write_again(folder, &attempt)?;
        }
        if self.tables.rows != before.rows
            && let Some(mut outage) = self.outage.clone()
        {
            outage.rows = self.tables.rows.values().cloned().collect();
            folder.put(OUTAGE, &serde_json::to_vec(&outage)?)?;
        }
        self.leave_retries(&before.runs);
        if is_any && self.read_at.is_some() {
            self.read_at = Some(standing(folder, lock)?);
        }
        Ok(())
    }

    fn write_new(&mut self, folder: &Folder, attempt: &Attempt, moved: &[Moved]) -> io::Result<()> {
        let moved = moved.iter().find(|moved| moved.by == attempt.token);
        let spooled = Box::new(Spooled {
            attempt: attempt.clone(),
            after: moved.and_then(|moved| moved.after),
            schedule: moved.map(|moved| moved.schedule.clone()).unwrap_or_default(),
        });
        let stored = Stored::Attempt { spooled, outage: self.id().to_owned() };
        let name = file_of(attempt);
        folder.folder(RECORDS).put_new(&name, stored.line().as_bytes())?;
        self.wrote(name, attempt, self.id().to_owned());
        Ok(())
    }

    fn write_again(&mut self, folder: &Folder, attempt: &Attempt) -> io::Result<()> {
        let (records, name) = (folder.folder(RECORDS), file_of(attempt));
        let stored = records.read(&name)?.and_then(|bytes| Stored::parse(&bytes));
        let Some(Stored::Attempt { spooled, outage }) = stored else {
            // Gone is gone: it was taken into the run-log.
            self.read_at = None;
            return Ok(());
        };
        let spooled = Box::new(Spooled { attempt: attempt.clone(), ..*spooled });
        records.put(&name, Stored::Attempt { spooled, outage: outage.clone() }.line().as_bytes())?;
        self.wrote(name, attempt, outage);
        Ok(())
    }

    fn wrote(&mut self, name: String, attempt: &Attempt, outage: String) {
        self.keep(attempt, outage);
        self.files.insert(name, Known { stamp: None, of: Some((key_of(attempt), attempt.token)) });
    }
}

fn key_of(attempt: &Attempt) -> Key {
    (attempt.run.pipeline.clone(), attempt.run.scheduled_for, attempt.number)
}

fn standing(folder: &Folder, lock: &File) -> io::Result<Standing> {
    Ok(Standing { changes: folder::changes(lock)?, folder: Stamp::of(&folder.join(RECORDS))? })
}

/// A cursor that a claim has moved, with nothing left out in between by this schedule.
pub(super) struct Moved {
    by: Token,
    after: Option<Timestamp>,
    schedule: String,
}

/// From where each claim has moved its cursor.
pub(super) fn moved_from(rows: &BTreeMap<PipelineId, Row>, batch: &Batch) -> Vec<Moved> {
    let claims = batch.transitions.iter().filter_map(|transition| Some((transition, transition.claim.as_ref()?)));
    let moved = claims.filter(|(transition, claim)| {
        let before = rows.get(&transition.row.pipeline);
        let followed = before.map(|row| &row.standing.followed);
        transition.not_run.is_empty()
            && transition.row.cursor == Some(claim.run.scheduled_for)
            && followed == Some(&transition.row.standing.followed)
    });
    let by_schedule = moved.filter_map(|(transition, claim)| {
        let after = rows.get(&claim.run.pipeline)?.cursor?;
        // A first sight since then has left out what came before it.
        let mut known = transition.row.schedules.iter().filter(|known| known.since <= after);
        let schedule = known.find(|known| known.cursor == Some(claim.run.scheduled_for))?.hash.clone();
        Some(Moved { by: claim.token, after: Some(after), schedule })
    });
    by_schedule.collect()
}
