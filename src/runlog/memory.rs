//! The run-log in memory: the store of a tick that wants none (`--no-run-log`).
//!
//! What a store does with a commit is in `tables`, without a lock or a clock. Here one mutex stands for the transaction.
//! Nothing outlives the process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::Error;
use super::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, Rights, Role, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};

mod copy;
mod outbox;
mod prune;
mod renaming;
mod tables;

pub use outbox::Post;
pub use tables::{Key, Tables};

/// A run-log that lives as long as the value.
pub struct MemoryRunLog {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    degraded: bool,
    /// A load of all says of each pipeline what is decided, too.
    tells_decided: bool,
}

impl MemoryRunLog {
    /// An empty run-log whose time is that of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        MemoryRunLog { clock, tables: Mutex::default(), degraded: false, tells_decided: false }
    }

    /// One that stands in for a run-log that cannot be used, where there is no disk for a spool either; it begins with what
    /// is known.
    pub fn standing_in(clock: Arc<dyn Clock>, tables: Tables) -> Self {
        MemoryRunLog { clock, tables: Mutex::new(tables), degraded: true, tells_decided: false }
    }

    /// One for those who only look: whose claim is refused looks again and learns what is decided, and they claim nothing. So a load of
    /// all tells them at once.
    pub fn to_look_at(clock: Arc<dyn Clock>, tables: Tables) -> Self {
        MemoryRunLog { clock, tables: Mutex::new(tables), degraded: false, tells_decided: true }
    }

    /// Returns all that is in it now: what a backup is to a file.
    pub fn copy(&self) -> Tables {
        self.tables().clone()
    }

    /// Makes it what it was when `copy` was made.
    pub fn restore(&self, copy: Tables) {
        *self.tables() = copy;
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RunLog for MemoryRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        let tables = self.tables();
        let scope = match scope {
            Scope::All if self.tells_decided => Scope::Only(tables.rows.keys().cloned().collect()),
            scope => scope,
        };
        Ok(tables.view(&scope, self.clock.now()))
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let now = self.clock.now();
        Ok(self.tables().commit(batch, now))
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        Ok(self.tables().renew(&tokens, lease))
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        let now = self.clock.now();
        Ok(self.tables().import(&records, now))
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        Ok(self.tables().history(&query))
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        Ok(self.tables().forget(&id))
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        let now = self.clock.now();
        Ok(self.tables().rename(&from, &to, now))
    }

    async fn facts(&self) -> Result<Facts, Error> {
        Ok(Facts {
            product: "memory".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            role: Role::Primary,
            form: 0,
            found: 0,
            clock: None,
            rights: Rights::ALL,
        })
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        Ok(self.tables().export(after.as_ref(), limit))
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        Ok(self.tables().adopt(items))
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        let now = self.clock.now();
        Ok(match how {
            Pruning::Remove => self.tables().prune(&scope, &retention, limit, now),
            Pruning::Count => self.tables().clone().prune(&scope, &retention, limit, now),
        })
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        Ok(self.tables().post.take(limit, lease, self.clock.now()))
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.tables().post.settle(settled);
        Ok(())
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        self.tables().post.put(alerts, self.clock.now());
        Ok(())
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        Ok(self.tables().post.look())
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }

    fn is_degraded(&self) -> bool {
        self.degraded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    /// Two have no files, and only one says that its run-log is away.
    #[tokio::test]
    async fn one_that_is_restored_is_what_it_was_when_it_was_copied() {
        let log = MemoryRunLog::new(Arc::new(SystemClock));
        let alert = Alert::new(crate::alert::Kind::Recovered, "1", log.clock.now());
        let waiting = async |log: &MemoryRunLog| log.outbox().await.unwrap().waiting.len();
        let empty = log.copy();
        log.post_alerts(vec![alert]).await.unwrap();
        let one = log.copy();
        let other = MemoryRunLog::standing_in(Arc::clone(&log.clock), one.clone());
        for (copy, count) in [(empty, 0), (one, 1)] {
            log.restore(copy);
            assert_eq!(waiting(&log).await, count);
        }
        assert_eq!(waiting(&other).await, 1);
        assert_eq!([log.start_marks(), other.start_marks()], [None, None]);
        assert_eq!([log.is_degraded(), other.is_degraded()], [false, true]);
    }
}
