//! Stands in for a run-log that cannot be used: a file per attempt in a folder of this host.
//!
//! The claim is the record: a file that can be made once, on disk before the body starts, ended by its outcome. What a
//! store does with a commit is in `memory::Tables`, filled from the mirror and the records under the folder's lock. An
//! outage begins with the first tick that finds no run-log and ends with the first that has it again (`outage.json`).
//!
//! Holds always: who was opened in an outage that is over claims nothing more; a record goes only after its end is in the
//! run-log (docs/decisions/0022-degraded-mode.md).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use super::memory::Tables;
use super::{Error, Reach};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::run::{Attempt, KnownSchedule, Row};

mod behind;
pub mod beside;
pub mod folder;
pub mod keep;
pub mod mirror;
mod record;

pub use folder::Folder;
pub use record::Stored;
use record::file_of;

const OUTAGE: &str = "outage.json";
const LOCK: &str = "lock";
const ALONE: &str = "alone.json";
const RECORDS: &str = "records";

/// Degraded ticks reach back by this at most.
const REACH: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The time in which a host has no run-log.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Outage {
    id: String,
    ticked_at: Timestamp,
    rows: Vec<Row>,
}

/// A schedule that was seen first while nothing could be noted of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of which pipeline.
    pub pipeline: PipelineId,
    /// As a row would have it.
    pub schedule: KnownSchedule,
}

/// A run-log in the files of this host.
pub struct SpoolRunLog {
    folder: Folder,
    clock: Arc<dyn Clock>,
    /// Which outage it was opened in; empty where nothing may be claimed.
    outage: String,
    /// Opens the run-log that it stands in for; none where that is never asked.
    reach: Option<Reach>,
}

impl SpoolRunLog {
    /// Opens the spool in `folder` for an outage, which begins with this where there is none; `new_id` is nobody else's.
    ///
    /// # Errors
    /// Those of the file system: there is no place for a spool.
    pub fn open(folder: Folder, clock: Arc<dyn Clock>, new_id: String) -> io::Result<SpoolRunLog> {
        folder.make()?;
        folder.folder(RECORDS).make()?;
        let _lock = folder.lock(LOCK)?;
        let now = clock.now();
        let mut outage = match read_outage(&folder)? {
            Some(outage) => outage,
            None => {
                let known = mirror::read(&folder);
                let ticked_at = known.ticked_at.unwrap_or(now);
                Outage { id: new_id, ticked_at, rows: known.rows.into_values().collect() }
            }
        };
        reach_back(&mut outage.rows, outage.ticked_at, now);
        keep::go_on(&folder, &mut outage.rows, now);
        outage.ticked_at = now;
        // Room for what this tick will write is asked for now, while nothing has been claimed.
        folder.put("room", &[0; 65_536])?;
        folder.remove("room")?;
        folder.put(OUTAGE, &serde_json::to_vec(&outage)?)?;
        Ok(SpoolRunLog { folder, clock, outage: outage.id, reach: None })
    }

    /// Opens the spool to look, and to record what has become of what is in it.
    pub fn without_claims(folder: Folder, clock: Arc<dyn Clock>) -> SpoolRunLog {
        SpoolRunLog { folder, clock, outage: String::new(), reach: None }
    }

    /// The same; what is claimed here and still runs when the outage is over is renewed in the run-log too, which `reach` opens.
    #[must_use]
    pub fn renewing_in(self, reach: Reach) -> SpoolRunLog {
        SpoolRunLog { reach: Some(reach), ..self }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder, &str, Timestamp) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.folder.wait_in_step(LOCK, &*self.clock).await;
        let (clock, outage) = (self.clock.clone(), self.outage.clone());
        let done = self.folder.work(move |folder| {
            let _lock = folder.lock(LOCK)?;
            work(folder, &outage, clock.now())
        });
        done.await.map_err(|error| Error::Unknown {
            message: format!("the spool `{}` did not do what it was asked", self.folder.path().display()),
            source: Some(Box::new(error)),
        })
    }
}

/// Sets cursors that are older than a tick may reach back: what lies before is left for the run-log to decide.
pub fn reach_back(rows: &mut [Row], ticked_at: Timestamp, now: Timestamp) {
    if now.duration_since(ticked_at) <= REACH {
        return;
    }
    let earliest = now.saturating_sub(REACH).unwrap_or(now);
    rows.iter_mut().for_each(|row| begin_after(row, earliest));
}

/// Nothing up to this instant is due any more.
pub fn begin_after(row: &mut Row, instant: Timestamp) {
    row.cursor = row.cursor.max(Some(instant));
    row.schedules.iter_mut().for_each(|known| known.cursor = known.cursor.max(Some(instant)));
}

fn read_outage(folder: &Folder) -> io::Result<Option<Outage>> {
    let bytes = folder.read(OUTAGE)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The store as its files have it.
struct Contents {
    outage: Option<Outage>,
    tables: Tables,
}

impl Contents {
    fn read(folder: &Folder) -> io::Result<Contents> {
        let outage = read_outage(folder)?;
        let mut tables = Tables::default();
        let rows = outage.iter().flat_map(|outage| outage.rows.iter().cloned());
        tables.rows = rows.map(|row| (row.pipeline.clone(), row)).collect();
        let current = outage.as_ref().map_or("", |outage| &outage.id);
        let mut attempts: Vec<(Attempt, bool)> = Vec::new();
        for (_, stored) in keep::records(folder)? {
            if let Stored::Attempt { spooled, outage } = stored {
                attempts.push((spooled.attempt, outage == current && !outage.is_empty()));
            }
        }
        let newest = |attempt: &Attempt| {
            !attempts.iter().any(|(other, _)| other.run == attempt.run && other.number > attempt.number)
        };
        let retry_is_ours: Vec<bool> = attempts.iter().map(|(attempt, ours)| *ours && newest(attempt)).collect();
        for ((mut attempt, _), may_retry) in attempts.into_iter().zip(retry_is_ours) {
            // What an outage that is over has left is retried by the run-log; what has a successor was.
            if !may_retry {
                attempt.retry_at = None;
            }
            if let Some(row) = tables.rows.get_mut(&attempt.run.pipeline) {
                row.fence = row.fence.max(attempt.fence);
            }
            tables.put(attempt);
        }
        Ok(Contents { outage, tables })
    }

    /// Whether the run-log has been there again since this outage began, or there was none.
    fn is_over(&self, outage: &str) -> bool {
        self.outage.as_ref().is_none_or(|current| current.id != outage)
    }

    /// Writes what has changed since `before`: claims first, then ends, then rows.
    fn write(self, folder: &Folder, before: &Tables, moved: &[Moved]) -> io::Result<()> {
        let records = folder.folder(RECORDS);
        let changed = self.tables.attempts.iter().filter(|(key, attempt)| before.attempts.get(*key) != Some(*attempt));
        let (old, new): (Vec<_>, Vec<_>) = changed.partition(|(key, _)| before.attempts.contains_key(*key));
        let outage = self.outage.as_ref().map_or_else(String::new, |outage| outage.id.clone());
        for (_, attempt) in new {
            let moved = moved.iter().find(|moved| moved.by == attempt.token);
            let spooled = Box::new(Spooled {
                attempt: attempt.clone(),
                after: moved.and_then(|moved| moved.after),
                schedule: moved.map(|moved| moved.schedule.clone()).unwrap_or_default(),
            });
            records
                .put_new(&file_of(attempt), Stored::Attempt { spooled, outage: outage.clone() }.line().as_bytes())?;
        }
        for (_, attempt) in old {
            let name = file_of(attempt);
            // Gone is gone: it was taken into the run-log.
            let Some(stored) = records.read(&name)?.and_then(|bytes| Stored::parse(&bytes)) else { continue };
            if let Stored::Attempt { spooled, outage } = stored {
                let spooled = Box::new(Spooled { attempt: attempt.clone(), ..*spooled });
                records.put(&name, Stored::Attempt { spooled, outage }.line().as_bytes())?;
            }
        }
        if let Some(mut outage) = self.outage.filter(|_| self.tables.rows != before.rows) {
            outage.rows = self.tables.rows.into_values().collect();
            folder.put(OUTAGE, &serde_json::to_vec(&outage)?)?;
        }
        Ok(())
    }
}

fn refused<T>(why: &str) -> Result<T, Error> {
    Err(Error::Refused { message: why.into(), help: "wait until the run-log can be used again".into() })
}

/// A cursor that a claim has moved, with nothing left out in between by this schedule.
struct Moved {
    by: Token,
    after: Option<Timestamp>,
    schedule: String,
}

/// From where each claim has moved its cursor.
fn moved_from(tables: &Tables, batch: &Batch) -> Vec<Moved> {
    let claims = batch.transitions.iter().filter_map(|transition| Some((transition, transition.claim.as_ref()?)));
    let moved = claims.filter(|(transition, claim)| {
        let before = tables.rows.get(&transition.row.pipeline);
        let followed = before.map(|row| &row.standing.followed);
        transition.not_run.is_empty()
            && transition.row.cursor == Some(claim.run.scheduled_for)
            && followed == Some(&transition.row.standing.followed)
    });
    let by_schedule = moved.filter_map(|(transition, claim)| {
        let after = tables.rows.get(&claim.run.pipeline)?.cursor?;
        // A first sight since then has left out what came before it.
        let mut known = transition.row.schedules.iter().filter(|known| known.since <= after);
        let schedule = known.find(|known| known.cursor == Some(claim.run.scheduled_for))?.hash.clone();
        Some(Moved { by: claim.token, after: Some(after), schedule })
    });
    by_schedule.collect()
}

#[async_trait]
impl RunLog for SpoolRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        self.with(move |folder, _, now| Ok(Contents::read(folder)?.tables.view(&scope, now))).await
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed, Error> {
        self.with(move |folder, outage, now| {
            let mut contents = Contents::read(folder)?;
            let before = contents.tables.clone();
            let refused = if contents.is_over(outage) { std::mem::take(&mut batch.transitions).len() } else { 0 };
            let after = moved_from(&before, &batch);
            let mut committed = contents.tables.commit(batch, now);
            committed.verdicts.extend(std::iter::repeat_n(Verdict::Lost, refused));
            contents.write(folder, &before, &after)?;
            Ok(committed)
        })
        .await
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        let renewed = self.with(move |folder, outage, _| {
            let mut contents = Contents::read(folder)?;
            let before = contents.tables.clone();
            let renewed = contents.tables.renew(&tokens, lease);
            let is_over = contents.is_over(outage);
            contents.write(folder, &before, &[])?;
            Ok((renewed, is_over))
        });
        match (renewed.await?, &self.reach) {
            ((held, true), Some(reach)) if !held.is_empty() => {
                Ok(behind::renew(reach, &self.folder, &*self.clock, held, lease.length).await)
            }
            ((held, _), _) => Ok(held),
        }
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.with(move |folder, _, _| Ok(Contents::read(folder)?.tables.history(&query))).await
    }

    async fn import(&self, _: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        refused("a spool takes in nothing of another one")
    }

    async fn forget(&self, _: PipelineId) -> Result<Forgotten, Error> {
        refused("a spool forgets nothing")
    }

    async fn rename(&self, _: PipelineId, _: PipelineId) -> Result<Verdict, Error> {
        Ok(Verdict::Lost)
    }

    async fn facts(&self) -> Result<Facts, Error> {
        refused("a spool is no store of its own")
    }

    async fn export(&self, _: Option<Mark>, _: usize) -> Result<Vec<Item>, Error> {
        refused("a spool is handed over by `tickward spool`, and by the next tick")
    }

    async fn adopt(&self, _: Vec<Item>) -> Result<Adopted, Error> {
        refused("a spool takes in nothing")
    }

    /// What is in it goes once the run-log has it.
    async fn prune(&self, _: Scope, _: Retention, _: usize, _: Pruning) -> Result<Pruned, Error> {
        Ok(Pruned::default())
    }

    // It has no outbox: what its ends tell follows from the records again when the run-log takes them in.
    async fn take_alerts(&self, _: usize, _: Duration) -> Result<Vec<Waiting>, Error> {
        Ok(Vec::new())
    }

    async fn settle_alerts(&self, _: Vec<Settled>) -> Result<(), Error> {
        Ok(())
    }

    async fn post_alerts(&self, _: Vec<Alert>) -> Result<(), Error> {
        refused("a spool keeps no alerts")
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        Ok(Outbox::default())
    }

    fn start_marks(&self) -> Option<PathBuf> {
        Some(self.folder.join("start"))
    }

    fn is_degraded(&self) -> bool {
        true
    }
}
