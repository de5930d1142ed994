//! The run-log in memory: the store of a tick that wants none (`--no-run-log`).
//!
//! What a store does with a commit is in `tables`, without a lock or a clock. Here one mutex stands for the transaction.
//! Nothing outlives the process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::Error;
use super::contract::{Batch, Committed, Imported, Query, Record, Renewed, RunLog, Scope, Spooled, View};
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::Token;

mod tables;

pub use tables::Tables;

/// A run-log that lives as long as the value.
pub struct MemoryRunLog {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
    degraded: bool,
}

impl MemoryRunLog {
    /// An empty run-log whose time is that of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        MemoryRunLog { clock, tables: Mutex::default(), degraded: false }
    }

    /// One that stands in for a run-log that cannot be used, where there is no disk for a spool either; it begins with what
    /// is known.
    pub fn standing_in(clock: Arc<dyn Clock>, tables: Tables) -> Self {
        MemoryRunLog { clock, tables: Mutex::new(tables), degraded: true }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RunLog for MemoryRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        Ok(self.tables().view(&scope, self.clock.now()))
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let now = self.clock.now();
        Ok(self.tables().commit(batch, now))
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        Ok(self.tables().renew(&tokens, lease))
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        Ok(self.tables().import(&records))
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        Ok(self.tables().history(&query))
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }

    fn is_degraded(&self) -> bool {
        self.degraded
    }
}
