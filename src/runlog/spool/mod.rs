//! Stands in for a run-log that cannot be used: a file per attempt in a folder of this host.
//!
//! The claim is the record: a file that can be made once, on disk before the body starts, ended by its outcome. What a
//! store does with a commit is in `memory::Tables`, filled from the mirror and the records (`contents`). An
//! outage begins with the first tick that finds no run-log and ends with the first that has it again (`outage.json`).
//!
//! Holds always: who was opened in an outage that is over claims nothing more; a record goes only after its end is in the
//! run-log (docs/decisions/0022-degraded-mode.md).

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use super::{Error, Reach};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::run::{KnownSchedule, Row};

mod behind;
pub mod beside;
mod contents;
pub mod folder;
pub mod keep;
pub mod mirror;
mod record;

use contents::{Contents, Locked, moved_from};
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
    /// What was read of it; none before the first call, and after one that has failed.
    contents: Arc<Mutex<Option<Contents>>>,
}

impl SpoolRunLog {
    /// Opens the spool in `folder` for an outage, which begins with this where there is none; `new_id` is nobody else's.
    ///
    /// # Errors
    /// Those of the file system: there is no place for a spool.
    pub fn open(folder: Folder, clock: Arc<dyn Clock>, new_id: String) -> io::Result<SpoolRunLog> {
        folder.make()?;
        folder.folder(RECORDS).make()?;
        let lock = folder.lock(LOCK)?;
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
        if folder::changes(&lock)? == 0 {
            folder::count_change(&lock)?;
        }
        folder.put(OUTAGE, &serde_json::to_vec(&outage)?)?;
        Ok(SpoolRunLog { folder, clock, outage: outage.id, reach: None, contents: Arc::default() })
    }

    /// Opens the spool to look, and to record what has become of what is in it.
    pub fn without_claims(folder: Folder, clock: Arc<dyn Clock>) -> SpoolRunLog {
        SpoolRunLog { folder, clock, outage: String::new(), reach: None, contents: Arc::default() }
    }

    /// The same; what is claimed here and still runs when the outage is over is renewed in the run-log too, which `reach` opens.
    #[must_use]
    pub fn renewing_in(self, reach: Reach) -> SpoolRunLog {
        SpoolRunLog { reach: Some(reach), ..self }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Contents, Locked<'_>, Timestamp) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.folder.wait_in_step(LOCK, &*self.clock).await;
        let (clock, contents) = (self.clock.clone(), self.contents.clone());
        let done = self.folder.work(move |folder| {
            let locked = Locked { folder, lock: &folder.lock(LOCK)? };
            let known = || contents.lock().unwrap_or_else(PoisonError::into_inner);
            let mut contents = known().take().unwrap_or_default();
            contents.look(locked)?;
            let done = work(&mut contents, locked, clock.now())?;
            *known() = Some(contents);
            Ok(done)
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

fn refused<T>(why: &str) -> Result<T, Error> {
    Err(Error::Refused { message: why.into(), help: "wait until the run-log can be used again".into() })
}

#[async_trait]
impl RunLog for SpoolRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        self.with(move |contents, _, now| Ok(contents.tables.view(&scope, now))).await
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed, Error> {
        let outage = self.outage.clone();
        self.with(move |contents, locked, now| {
            let is_over = contents.is_over(&outage);
            let refused = if is_over { std::mem::take(&mut batch.transitions).len() } else { 0 };
            let before = contents.before(&batch);
            let moved = moved_from(&before.rows, &batch);
            let mut committed = contents.tables.commit(batch, now);
            committed.verdicts.extend(std::iter::repeat_n(Verdict::Lost, refused));
            contents.write(locked, before, &moved)?;
            Ok(committed)
        })
        .await
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        let outage = self.outage.clone();
        let renewed = self.with(move |contents, locked, _| {
            let before = contents.before_renewal(&tokens);
            let renewed = contents.tables.renew(&tokens, lease);
            let is_over = contents.is_over(&outage);
            contents.write(locked, before, &[])?;
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
        self.with(move |contents, _, _| Ok(contents.tables.history(&query))).await
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
