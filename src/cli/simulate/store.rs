//! A run-log in memory that keeps no list of what was not run: the ticks' reports have it, and over months it grows long.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::clock::JumpingClock;
use crate::alert::Alert;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::runlog::Error;
use crate::runlog::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use crate::runlog::memory::MemoryRunLog;

/// The run-log of a simulation.
pub struct ShortMemory(MemoryRunLog);

impl ShortMemory {
    /// An empty run-log whose time is that of `clock`.
    pub fn new(clock: Arc<JumpingClock>) -> ShortMemory {
        ShortMemory(MemoryRunLog::new(clock))
    }
}

#[async_trait]
impl RunLog for ShortMemory {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        self.0.load(scope).await
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed, Error> {
        batch.transitions.iter_mut().for_each(|transition| transition.not_run.clear());
        self.0.commit(batch).await
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        self.0.renew(tokens, lease).await
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        self.0.import(records).await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.0.history(query).await
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.0.forget(id).await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        self.0.rename(from, to).await
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.0.facts().await
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        self.0.export(after, limit).await
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        self.0.adopt(items).await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        self.0.prune(scope, retention, limit, how).await
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        self.0.take_alerts(limit, lease).await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.0.settle_alerts(settled).await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        self.0.post_alerts(alerts).await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        self.0.outbox().await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }

    fn is_degraded(&self) -> bool {
        false
    }
}
