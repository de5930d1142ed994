//! A store that can be read and takes nothing any more, as on a full disk: a tick ends in bounded time and says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tickward::lease::Lease;
use tickward::occurrence::{PipelineId, Token};
use tickward::pipeline::Pipeline;
use tickward::runlog::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Item, Mark, Pruned, Pruning, Query, Record, Renewed, Retention,
    RunLog, Scope, Verdict, View,
};
use tickward::runlog::{Error, memory::MemoryRunLog};
use tickward::tick::{Options, Report, StopWish, run_due};
use tokio::sync::watch;

use crate::hosts::env;
use crate::shape::{Kind, Shape};
use crate::world::World;

/// Answers so many loads and takes so many commits, and then none; of the first commit nobody hears, if so said.
struct Stuck {
    truth: Arc<MemoryRunLog>,
    loads_left: AtomicU32,
    commits_left: AtomicU32,
    unheard: AtomicBool,
}

const ALL: u32 = 1000;

fn take_one(left: &AtomicU32) -> Result<u32, Error> {
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    taken.map_err(|_| Error::Unavailable { message: "the disk is full".into(), source: None })
}

#[async_trait]
impl RunLog for Stuck {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        take_one(&self.loads_left)?;
        self.truth.load(scope).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        take_one(&self.commits_left)?;
        let committed = self.truth.commit(batch).await?;
        match self.unheard.swap(false, Ordering::SeqCst) {
            true => Err(Error::Unknown { message: "the answer was lost".into(), source: None }),
            false => Ok(committed),
        }
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        self.truth.renew(tokens, lease).await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.truth.history(query).await
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.truth.forget(id).await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        self.truth.rename(from, to).await
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.truth.facts().await
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        self.truth.export(after, limit).await
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        self.truth.adopt(items).await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        self.truth.prune(scope, retention, limit, how).await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }
}

/// A world with one pipeline, and a tick in it that sees the store so.
async fn tick(world: &Arc<World>, loads: u32, commits: u32, unheard: bool) -> Report {
    let (_wish, stop) = watch::channel(StopWish::None);
    let mut env = env(world, 0, "tick", stop);
    env.run_log = Arc::new(Stuck {
        truth: world.truth.clone(),
        loads_left: AtomicU32::new(loads),
        commits_left: AtomicU32::new(commits),
        unheard: AtomicBool::new(unheard),
    });
    let pipelines: Vec<&Pipeline> = world.pipelines[0].iter().collect();
    run_due(&env, &pipelines, &Options::default()).await.unwrap()
}

fn in_a_world(catch_up: &str, then: impl AsyncFnOnce(Arc<World>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let file = format!(
        "pipelines: {{ p: {{ schedule: \"*/5 * * * *\", command: [body], timeout: 1m, catch_up: {catch_up} }} }}"
    );
    let files = [file.clone(), file];
    let kind = Kind::Server;
    let shape = Shape {
        kind,
        loops: 1,
        minutes: 0,
        files,
        has_steps: false,
        slow_start_ms: 900,
        is_restored: false,
        plant: None,
    };
    runtime.block_on(async { then(Arc::new(World::new(shape, 1))).await });
}

#[test]
fn a_store_that_takes_nothing_more_ends_the_tick_and_is_told() {
    // commits before the disk is full → bodies that were started
    for (commits, starts) in [(0, 0), (1, 1)] {
        in_a_world("latest", async |world| {
            let began = tokio::time::Instant::now();
            let report = tick(&world, ALL, commits, false).await;
            let started = world.known().trace.iter().filter(|line| line.ends_with(" starts")).count();
            assert_eq!(started, starts, "{commits} commits");
            assert!(report.unrecorded.is_some(), "{commits} commits: {report:?}");
            assert_eq!(report.claimed_elsewhere, 0, "{commits} commits");
            assert!(began.elapsed() < Duration::from_secs(180), "{commits} commits: {:?}", began.elapsed());
        });
    }
}

#[test]
fn a_tick_that_could_not_look_again_says_so() {
    in_a_world("skip", async |world| {
        tick(&world, ALL, ALL, false).await;
        tokio::time::sleep(Duration::from_secs(700)).await;
        // What seems to be missed is looked at a second time, which fails.
        let report = tick(&world, 1, ALL, false).await;
        assert!(report.unrecorded.is_some(), "{report:?}");
    });
}

#[test]
fn a_commit_that_nobody_heard_of_and_that_is_found_is_recorded() {
    in_a_world("skip", async |world| {
        tick(&world, ALL, ALL, false).await;
        tokio::time::sleep(Duration::from_secs(700)).await;
        let report = tick(&world, ALL, ALL, true).await;
        assert_eq!(report.unrecorded, None, "{report:?}");
        assert_eq!(report.not_run.len(), 1, "{report:?}");
    });
}
