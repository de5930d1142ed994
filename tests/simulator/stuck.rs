//! A store that can be read and takes nothing any more, as on a full disk: a tick ends in bounded time and says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tickward::lease::Lease;
use tickward::occurrence::Token;
use tickward::pipeline::Pipeline;
use tickward::runlog::contract::{Batch, Committed, Query, Record, RunLog, Scope, View};
use tickward::runlog::{Error, memory::MemoryRunLog};
use tickward::tick::{Options, StopWish, run_due};
use tokio::sync::watch;

use crate::hosts::env;
use crate::shape::{Kind, Shape};
use crate::world::World;

/// Takes so many commits and then none.
struct Stuck {
    truth: Arc<MemoryRunLog>,
    commits_left: AtomicU32,
}

#[async_trait]
impl RunLog for Stuck {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        self.truth.load(scope).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let left = self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.truth.commit(batch).await,
            Err(_) => Err(Error::Unavailable { message: "the disk is full".into(), source: None }),
        }
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Token>, Error> {
        self.truth.renew(tokens, lease).await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.truth.history(query).await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }
}

#[test]
fn a_store_that_takes_nothing_more_ends_the_tick_and_is_told() {
    // commits before the disk is full → bodies that were started
    for (commits, starts) in [(0, 0), (1, 1)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let file = "pipelines: { p: { schedule: \"* * * * *\", command: [body], timeout: 1m } }".to_string();
            let files = [file.clone(), file];
            let shape = Shape {
                kind: Kind::Server,
                loops: 1,
                minutes: 0,
                files,
                has_steps: false,
                slow_start_ms: 900,
                plant: None,
            };
            let world = Arc::new(World::new(shape, 1));
            let (_wish, stop) = watch::channel(StopWish::None);
            let mut env = env(&world, 0, "tick", stop);
            env.run_log = Arc::new(Stuck { truth: world.truth.clone(), commits_left: AtomicU32::new(commits) });
            let pipelines: Vec<&Pipeline> = world.pipelines[0].iter().collect();
            let began = tokio::time::Instant::now();
            let report = run_due(&env, &pipelines, &Options::default()).await.unwrap();
            let started = world.known().trace.iter().filter(|line| line.ends_with(" starts")).count();
            assert_eq!(started, starts, "{commits} commits");
            assert!(report.unrecorded.is_some(), "{commits} commits: {report:?}");
            assert_eq!(report.claimed_elsewhere, 0, "{commits} commits");
            assert!(began.elapsed() < Duration::from_secs(180), "{commits} commits: {:?}", began.elapsed());
        });
    }
}
