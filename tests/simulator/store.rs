//! A run-log as a tick sees it over a bad network: late, silent, full, or answering after it has lost the answer.
//!
//! Rules that are broken on purpose (`plants`) are broken here: what passes by is changed as a broken tick or store would
//! change it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tickward::alert::Alert;
use tickward::lease::Lease;
use tickward::occurrence::{PipelineId, Token};
use tickward::runlog::Error;
use tickward::runlog::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};

use crate::broken;
use crate::post;
use crate::shape::Kind;
use crate::watch;
use crate::world::World;

/// One tick's way to the store.
#[derive(Clone)]
pub struct Remote {
    pub world: Arc<World>,
    pub of_loop: usize,
    pub owner: String,
}

enum Fate {
    Fine,
    /// The request never arrives.
    Dropped,
    /// It is carried out, and nobody hears of it.
    Unheard,
    /// It arrives when nobody waits for it any more.
    Late(Duration),
    /// The disk is full: nothing can be written.
    Full,
}

impl Remote {
    async fn fate(&self) -> Fate {
        let world = &self.world;
        tokio::time::sleep(world.chance.millis(0, 40)).await;
        if !world.has_faults() {
            return Fate::Fine;
        }
        if world.is_cut_off(self.of_loop) {
            tokio::time::sleep(world.chance.millis(100, 3_000)).await;
            return Fate::Dropped;
        }
        if world.is_full() {
            return Fate::Full;
        }
        if world.chance.percent(2) {
            tokio::time::sleep(world.chance.millis(1_000, 45_000)).await;
        }
        match world.chance.number() % 100 {
            0..3 => Fate::Dropped,
            3..6 => Fate::Unheard,
            6..7 => Fate::Late(world.chance.millis(100, 120_000)),
            _ => Fate::Fine,
        }
    }

    /// The way back.
    async fn answer<T>(&self, answer: T) -> T {
        if self.world.has_faults() && self.world.chance.percent(2) {
            tokio::time::sleep(self.world.chance.millis(1_000, 45_000)).await;
        }
        answer
    }

    /// Something is written: at once, never, unheard of, or when nobody waits for it any more.
    async fn write<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        match self.fate().await {
            Fate::Fine => self.answer(write.await).await,
            Fate::Full => dropped("the disk is full"),
            Fate::Dropped => dropped("the network is down"),
            Fate::Unheard => {
                write.await?;
                unheard()
            }
            Fate::Late(by) => {
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    write.await.map(drop)
                });
                unheard()
            }
        }
    }

    /// Carries a commit out, and looks whether that may be.
    async fn apply(&self, batch: Batch, heard: &'static str) -> Result<Committed, Error> {
        let before = watch::before(&self.world, &batch).await;
        let committed = broken::commit(self, &batch).await?;
        watch::check_claims(&self.world, &batch, &committed).await;
        post::note(&self.world).await;
        watch::committed(self, &batch, &committed, before.as_ref(), heard);
        Ok(committed)
    }
}

fn dropped<T>(why: &str) -> Result<T, Error> {
    Err(Error::Unavailable { message: why.into(), source: None })
}

fn unheard<T>() -> Result<T, Error> {
    Err(Error::Unknown { message: "the answer was lost".into(), source: None })
}

#[async_trait]
impl RunLog for Remote {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        match self.fate().await {
            Fate::Fine | Fate::Full => {
                let view = self.world.truth.load(scope).await?;
                self.answer(Ok(broken::view(self, view))).await
            }
            Fate::Dropped | Fate::Unheard | Fate::Late(_) => dropped("the network is down"),
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        match self.fate().await {
            Fate::Fine => {
                let committed = self.apply(batch, "").await?;
                self.answer(Ok(broken::answer(self, committed))).await
            }
            Fate::Full => dropped("the disk is full"),
            Fate::Dropped => broken::unheard(self, &batch).map_or_else(|| dropped("the network is down"), Ok),
            Fate::Unheard => {
                self.apply(batch.clone(), ", and the answer is lost").await?;
                broken::unheard(self, &batch).map_or_else(unheard, Ok)
            }
            Fate::Late(by) => {
                // It is under way by itself: whoever sent it may be gone when it arrives.
                let (later, sent) = (self.clone(), batch.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    let _ = later.apply(sent, ", late, and nobody hears of it").await;
                });
                tokio::time::sleep(self.world.chance.millis(0, 40_000)).await;
                broken::unheard(self, &batch).map_or_else(unheard, Ok)
            }
        }
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        let truth = self.world.truth.clone();
        self.write(async move { truth.renew(tokens, lease).await }).await
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        let (world, owner) = (self.world.clone(), self.owner.clone());
        let taken = async move {
            let attempts: Vec<_> = records.iter().map(|spooled| spooled.attempt.clone()).collect();
            let imported = world.truth.import(records).await;
            for (imported, attempt) in imported.iter().flatten().zip(attempts) {
                watch::imported(&world, &owner, &attempt, *imported);
            }
            post::note(&world).await;
            imported
        };
        self.write(taken).await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        match self.fate().await {
            Fate::Fine | Fate::Full => self.world.truth.history(query).await,
            Fate::Dropped | Fate::Unheard | Fate::Late(_) => dropped("the network is down"),
        }
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.world.truth.forget(id).await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        self.world.truth.rename(from, to).await
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.world.truth.facts().await
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        self.world.truth.export(after, limit).await
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        self.world.truth.adopt(items).await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        self.world.truth.prune(scope, retention, limit, how).await
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        let way = self.clone();
        self.write(async move { broken::take_alerts(&way, limit, lease).await }).await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        let truth = self.world.truth.clone();
        self.write(async move { truth.settle_alerts(settled).await }).await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        let world = self.world.clone();
        let posted = async move {
            world.truth.post_alerts(alerts).await?;
            post::note(&world).await;
            Ok(())
        };
        self.write(posted).await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        self.world.truth.outbox().await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        (self.world.shape.kind == Kind::Local).then(|| "/marks".into())
    }

    fn is_degraded(&self) -> bool {
        false
    }
}
