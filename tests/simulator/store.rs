//! A run-log as a host sees it over a bad network: late, silent, or answering after it has lost the answer.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tickward::lease::Lease;
use tickward::occurrence::Token;
use tickward::runlog::contract::{Batch, Committed, Query, Record, RunLog, Scope, View};
use tickward::runlog::{Error, memory::MemoryRunLog};

use crate::world::World;

/// One host's way to the store.
pub struct Remote {
    pub world: Arc<World>,
    pub truth: Arc<MemoryRunLog>,
    pub host: usize,
}

enum Fate {
    Fine,
    /// The request never arrives.
    Dropped,
    /// It is carried out, and nobody hears of it.
    Unheard,
}

impl Remote {
    async fn fate(&self) -> Fate {
        let world = &self.world;
        tokio::time::sleep(world.chance.millis(0, 40)).await;
        if !world.has_faults() {
            return Fate::Fine;
        }
        if world.is_cut_off(self.host) {
            tokio::time::sleep(world.chance.millis(100, 3_000)).await;
            return Fate::Dropped;
        }
        if world.chance.percent(3) {
            tokio::time::sleep(world.chance.millis(1_000, 45_000)).await;
        }
        match world.chance.number() % 100 {
            0..4 => Fate::Dropped,
            4..8 => Fate::Unheard,
            _ => Fate::Fine,
        }
    }
}

fn dropped<T>() -> Result<T, Error> {
    Err(Error::Unavailable { message: "the network is down".into(), source: None })
}

fn unheard<T>() -> Result<T, Error> {
    Err(Error::Unknown { message: "the answer was lost".into(), source: None })
}

#[async_trait]
impl RunLog for Remote {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        match self.fate().await {
            Fate::Fine => self.truth.load(scope).await,
            Fate::Dropped | Fate::Unheard => dropped(),
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        match self.fate().await {
            Fate::Fine => self.truth.commit(batch).await,
            Fate::Dropped => dropped(),
            Fate::Unheard => {
                self.truth.commit(batch).await?;
                unheard()
            }
        }
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Token>, Error> {
        match self.fate().await {
            Fate::Fine => self.truth.renew(tokens, lease).await,
            Fate::Dropped => dropped(),
            Fate::Unheard => {
                self.truth.renew(tokens, lease).await?;
                unheard()
            }
        }
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        match self.fate().await {
            Fate::Fine => self.truth.history(query).await,
            Fate::Dropped | Fate::Unheard => dropped(),
        }
    }

    fn start_marks(&self) -> Option<PathBuf> {
        self.world.shape.has_marks.then(|| "/marks".into())
    }
}
