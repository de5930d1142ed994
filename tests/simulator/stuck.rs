//! A store that can be read and takes nothing any more, as on a full disk: a tick ends in bounded time and says so.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tickward::alert::Alert;
use tickward::clock::BootTime;
use tickward::config::{Environment, Source, load};
use tickward::executor::{End, Ended, Executor, Job, Output, Stop};
use tickward::lease::Lease;
use tickward::occurrence::{PipelineId, Token};
use tickward::pipeline::Pipeline;
use tickward::plan::{Evidence, take_over};
use tickward::run::Outcome;
use tickward::runlog::contract::{
    Adopted, Batch, Committed, Condition, End as Lost, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning,
    Query, Record, Renewed, Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use tickward::runlog::{Error, memory::MemoryRunLog};
use tickward::tick::{ByHand, Options, Report, StopWish, run_by_hand, run_due};
use tokio::sync::watch;

use crate::clocks::{SERVER, begin};
use crate::hosts::env;
use crate::shape::{Kind, Shape};
use crate::world::World;

/// Answers so many loads and takes so many commits, and then none; of the first commit nobody hears, if so said.
struct Stuck {
    truth: Arc<MemoryRunLog>,
    loads_left: AtomicU32,
    commits_left: AtomicU32,
    renewals: AtomicU32,
    unheard: AtomicBool,
    /// The first commit is carried out after so many loads, and nobody hears of it.
    late_by: AtomicU32,
    late: Mutex<Option<Batch>>,
    /// All claims but the first are kept back, as by a host that has an outage.
    keeps_back: bool,
    /// How long it takes to begin with a commit.
    slowness: Duration,
}

const ALL: u32 = 1000;

impl Stuck {
    /// One that answers and takes everything.
    fn over(world: &World) -> Stuck {
        Stuck {
            truth: world.truth.clone(),
            loads_left: AtomicU32::new(ALL),
            commits_left: AtomicU32::new(ALL),
            renewals: AtomicU32::new(0),
            unheard: AtomicBool::new(false),
            late_by: AtomicU32::new(0),
            late: Mutex::new(None),
            keeps_back: false,
            slowness: Duration::ZERO,
        }
    }
}

fn take_one(left: &AtomicU32) -> Result<u32, Error> {
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    taken.map_err(|_| Error::Unavailable { message: "the disk is full".into(), source: None })
}

#[async_trait]
impl RunLog for Stuck {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        take_one(&self.loads_left)?;
        let view = self.truth.load(scope).await?;
        let is_there = |late: &mut Option<Batch>| late.take_if(|_| self.late_by.fetch_sub(1, Ordering::SeqCst) == 1);
        let arrived = is_there(&mut self.late.lock().unwrap());
        if let Some(batch) = arrived {
            self.truth.commit(batch).await?;
        }
        Ok(view)
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        take_one(&self.commits_left)?;
        tokio::time::sleep(self.slowness).await;
        if self.late_by.load(Ordering::SeqCst) > 0 && self.late.lock().unwrap().is_none() {
            *self.late.lock().unwrap() = Some(batch);
            return Err(Error::Unknown { message: "the answer was lost".into(), source: None });
        }
        if self.keeps_back {
            let verdicts = vec![Verdict::Lost; batch.transitions.len()];
            return Ok(Committed { verdicts, ..Committed::default() });
        }
        let committed = self.truth.commit(batch).await?;
        match self.unheard.swap(false, Ordering::SeqCst) {
            true => Err(Error::Unknown { message: "the answer was lost".into(), source: None }),
            false => Ok(committed),
        }
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        match self.renewals.fetch_add(1, Ordering::SeqCst) {
            0..ALL => self.truth.renew(tokens, lease).await,
            _ => Err(Error::Unavailable { message: "it was asked too often".into(), source: None }),
        }
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        self.truth.import(records).await
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

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        self.truth.take_alerts(limit, lease).await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.truth.settle_alerts(settled).await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        self.truth.post_alerts(alerts).await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        self.truth.outbox().await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        None
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

/// A world with one pipeline, and a tick in it that sees the store so.
async fn tick(world: &Arc<World>, loads: u32, commits: u32, unheard: bool) -> Report {
    tick_with(world, loads, commits, unheard, 0).await
}

async fn tick_with(world: &Arc<World>, loads: u32, commits: u32, unheard: bool, late_by: u32) -> Report {
    let (_wish, stop) = watch::channel(StopWish::None);
    let mut env = env(world, 0, "tick", stop);
    env.run_log = Arc::new(Stuck {
        loads_left: AtomicU32::new(loads),
        commits_left: AtomicU32::new(commits),
        unheard: AtomicBool::new(unheard),
        late_by: AtomicU32::new(late_by),
        ..Stuck::over(world)
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
        receivers: 0,
        has_spools: false,
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

/// A server may carry out what a broken connection has sent after the tick has looked it up.
#[test]
fn a_claim_that_arrives_after_it_was_looked_up_is_won() {
    // looks before it arrives: the look-up; that and the look on which the claim is sent again
    for looks in [1, 2] {
        in_a_world("latest", async |world| {
            let report = tick_with(&world, ALL, ALL, false, looks).await;
            let ended: Vec<u32> = report.ended.iter().map(|attempt| attempt.number).collect();
            assert_eq!(ended, [1], "{looks} looks: {report:?}");
            assert_eq!((report.claimed_elsewhere, &report.unrecorded), (0, &None), "{looks} looks");
            let view = world.truth.load(Scope::All).await.unwrap();
            assert_eq!(view.open.values().flatten().count(), 0, "{looks} looks: nothing is left open");
        });
    }
}

#[test]
fn a_claim_that_never_arrives_is_not_looked_for_again_and_again() {
    in_a_world("latest", async |world| {
        let (_wish, stop) = watch::channel(StopWish::None);
        let mut env = env(&world, 0, "tick", stop);
        env.run_log = Arc::new(Stuck {
            loads_left: AtomicU32::new(8),
            late_by: AtomicU32::new(ALL),
            keeps_back: true,
            ..Stuck::over(&world)
        });
        let pipelines: Vec<&Pipeline> = world.pipelines[0].iter().collect();
        let report = run_due(&env, &pipelines, &Options::default()).await.unwrap();
        assert_eq!((report.ended.len(), &report.unrecorded), (0, &None), "{report:?}");
    });
}

fn ended(end: End, stopped: Option<Stop>) -> Ended {
    let (duration, cpu) = (Duration::ZERO, Duration::ZERO);
    Ended { end, stopped, started_at: None, duration, cpu, peak_memory_bytes: 0, output: Output::default() }
}

/// Bodies that fail at once; those of a world set its store's clock back by ten years.
struct Failing(Option<Arc<World>>);

#[async_trait]
impl Executor for Failing {
    async fn run(&self, _: Job) -> Ended {
        if let Some(world) = &self.0 {
            world.time.step(SERVER, SignedDuration::from_hours(-87_600));
        }
        ended(End::Exited(1), None)
    }

    fn extend(&self, _: Token, _: BootTime) {}

    fn stop(&self, _: Token, _: Stop) {}

    fn kill_all(&self) {}

    async fn close(&self) {}
}

/// A person runs the pipeline of a world, whose body fails; the store takes so many commits, this slowly.
async fn by_hand(
    world: &Arc<World>,
    for_when: Option<Timestamp>,
    attempts: u32,
    commits: u32,
    slowness: Duration,
) -> Report {
    let (_wish, stop) = watch::channel(StopWish::None);
    let mut env = env(world, 0, "by hand", stop);
    env.executor = Arc::new(Failing(None));
    env.run_log = Arc::new(Stuck { commits_left: AtomicU32::new(commits), slowness, ..Stuck::over(world) });
    let mut pipeline = world.pipelines[0][0].clone();
    pipeline.retry.max_attempts = attempts;
    pipeline.retry.delay = Duration::from_secs(1);
    match run_by_hand(&env, &pipeline, for_when, &Options::default()).await.unwrap() {
        ByHand::Done(report) => *report,
        ByHand::Busy(busy) => panic!("{busy:?}"),
    }
}

/// By what the tick counts from a slow commit, its retry is due before the store, asked again, agrees.
#[test]
fn a_run_by_hand_makes_its_short_retry_however_slow_commits_are() {
    for slowness in [0, 3, 40, 900].map(Duration::from_millis) {
        in_a_world("skip", async |world| {
            let report = by_hand(&world, None, 3, ALL, slowness).await;
            let ended: Vec<_> = report.ended.iter().map(|attempt| (attempt.number, attempt.outcome())).collect();
            let failed = Some(Outcome::Failed);
            assert_eq!(ended, [(1, failed), (2, failed), (3, failed)], "{slowness:?}");
        });
    }
}

#[test]
fn a_run_by_hand_whose_claim_is_not_taken_says_so() {
    in_a_world("skip", async |world| {
        // No instant of the schedule: no tick would make this run.
        let instant = begin() - SignedDuration::from_secs(90);
        let report = by_hand(&world, Some(instant), 1, 0, Duration::ZERO).await;
        assert_eq!(report.ended, [], "it did not run");
        assert_eq!(report.unrecorded.as_deref(), Some("the disk is full"));
    });
}

/// Bodies that take their time to end when they are told to.
#[derive(Default)]
struct Lingering(tokio::sync::Notify);

#[async_trait]
impl Executor for Lingering {
    async fn run(&self, _: Job) -> Ended {
        self.0.notified().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        ended(End::Signalled(15), Some(Stop::LeaseOver))
    }

    fn extend(&self, _: Token, _: BootTime) {}

    fn stop(&self, _: Token, why: Stop) {
        assert_eq!(why, Stop::LeaseOver);
        self.0.notify_one();
    }

    fn kill_all(&self) {}

    async fn close(&self) {}
}

/// What was taken over is not asked for again and again while its body ends.
#[test]
fn a_claim_that_is_gone_is_renewed_no_more() {
    in_a_world("latest", async |world| {
        let (_wish, stop) = watch::channel(StopWish::None);
        let mut env = env(&world, 0, "tick", stop);
        env.executor = Arc::new(Lingering::default());
        let store = Arc::new(Stuck::over(&world));
        env.run_log = store.clone();
        let elsewhere = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let view = world.truth.load(Scope::All).await.unwrap();
            let claimed = view.open.values().flatten().next().unwrap();
            let completion = take_over(claimed, Evidence::LeaseOver, false, view.now);
            let ends = vec![Lost { completion, condition: Condition::Always }];
            world.truth.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
            world
        });
        let file = "pipelines: { p: { schedule: \"*/5 * * * *\", command: [body] } }";
        let read = load(&[Source::Text { name: "<world>".into(), text: file.into() }], &Environment::default());
        let report = run_due(&env, &read.pipelines.iter().collect::<Vec<_>>(), &Options::default()).await.unwrap();
        elsewhere.await.unwrap();
        assert_eq!(report.ended.len(), 1, "{report:?}");
        assert_eq!(report.ended[0].late_outcome, Some(Outcome::Interrupted), "{report:?}");
        assert_eq!(store.renewals.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_store_whose_clock_is_set_back_keeps_no_tick_that_waits_for_a_retry() {
    in_a_world("latest", async |world| {
        let (_wish, stop) = watch::channel(StopWish::None);
        let mut env = env(&world, 0, "tick", stop);
        env.executor = Arc::new(Failing(Some(world.clone())));
        let mut pipeline = world.pipelines[0][0].clone();
        pipeline.retry.max_attempts = 2;
        pipeline.retry.delay = Duration::from_secs(10);
        let began = tokio::time::Instant::now();
        let report = run_due(&env, &[&pipeline], &Options::default()).await.unwrap();
        assert_eq!(report.ended.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2], "{report:?}");
        assert!(began.elapsed() < Duration::from_secs(180), "{:?}", began.elapsed());
    });
}
