//! The simulated world: hosts that tick, crash, freeze and are cut off, and what is known of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tickward::clock::{BootTime, Clock};
use tickward::config::{Environment, Source, load};
use tickward::owner::Owner;
use tickward::pipeline::Pipeline;
use tickward::runlog::memory::MemoryRunLog;
use tickward::tick::{Env, Host, Options, OutputFile, StartMark, StopWish, run_due};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bodies::Bodies;
use crate::chance::Chance;
use crate::store::Remote;

const BEGIN: i64 = 1_767_225_600;

/// What one seed's world is like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub hosts: usize,
    pub minutes: u64,
    pub has_marks: bool,
    pub pipelines: String,
}

impl Shape {
    pub fn of_seed(seed: u64) -> Shape {
        let chance = Chance::new(seed ^ 0x5eed);
        let mut pipelines = "pipelines:\n".to_string();
        for n in 0..chance.between(1, 8) {
            let schedule =
                chance.one_of(&["* * * * *", "*/5 * * * *", "*/7 * * * *", "0 * * * *", "every 3m", "13,40 * * * *"]);
            let zone = chance.one_of(&["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]);
            let attempts = chance.one_of(&[1, 1, 2, 4]);
            let delay = chance.one_of(&["1s", "30s", "4m"]);
            let catch_up =
                chance.one_of(&["latest", "skip", "{ policy: all, max: 5 }", "{ policy: all, window: 20m }"]);
            let jitter = chance.one_of(&["0s", "0s", "90s"]);
            let next = chance.one_of(&["supersede", "finish_first"]);
            let interrupt = chance.one_of(&["retry", "rerun"]);
            pipelines += &format!(
                "  p{n}:\n    schedule: \"{schedule}\"\n    timezone: {zone}\n    command: [body]\n    timeout: 10m\n    \
                 lease: 60s\n    kill_grace: 5s\n    jitter: {jitter}\n    on_interrupt: {interrupt}\n    catch_up: {catch_up}\n    \
                 retry: {{ max_attempts: {attempts}, delay: {delay}, backoff: fixed, when_next_due: {next} }}\n"
            );
        }
        Shape { hosts: chance.between(1, 5) as usize, minutes: 120, has_marks: chance.percent(50), pipelines }
    }
}

/// Everything there is.
pub struct World {
    pub shape: Shape,
    pub chance: Chance,
    pub truth: Arc<MemoryRunLog>,
    pub pipelines: Vec<Pipeline>,
    born: tokio::time::Instant,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    trace: Vec<String>,
    wrong: Vec<String>,
    starts: BTreeMap<(String, String), u32>,
    marks: BTreeSet<PathBuf>,
    alive: BTreeSet<String>,
    last_tick: Option<Timestamp>,
    held_until: BTreeMap<String, BootTime>,
    frozen_until: BTreeMap<String, BootTime>,
    cut_off_until: BTreeMap<usize, BootTime>,
}

impl World {
    pub fn new(shape: Shape, seed: u64) -> World {
        let source = Source::Text { name: "<world>".into(), text: shape.pipelines.clone() };
        let loaded = load(&[source], &Environment::default());
        assert!(!loaded.has_errors(), "{:?}", loaded.problems);
        let born = tokio::time::Instant::now();
        World {
            truth: Arc::new(MemoryRunLog::new(Arc::new(SimClock(born)))),
            pipelines: loaded.pipelines,
            chance: Chance::new(seed),
            shape,
            born,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn boot(&self) -> BootTime {
        SimClock(self.born).boot()
    }

    pub fn now(&self) -> Timestamp {
        SimClock(self.born).now()
    }

    pub async fn sleep_until(&self, at: BootTime) {
        SimClock(self.born).sleep_until(at).await;
    }

    pub fn say(&self, line: String) {
        let line = format!("{} {line}", self.now());
        if std::env::var_os("TICKWARD_SIM_LIVE").is_some() {
            eprintln!("{line}");
        }
        self.known().trace.push(line);
    }

    pub fn is_wrong(&self, line: String) {
        self.say(format!("WRONG: {line}"));
        self.known().wrong.push(line);
    }

    pub fn trace(&self) -> Vec<String> {
        self.known().trace.clone()
    }

    pub fn wrong(&self) -> Vec<String> {
        self.known().wrong.clone()
    }

    /// Faults stop before the end, so that what was left behind can be taken over.
    pub fn has_faults(&self) -> bool {
        self.boot() < BootTime(0).plus(Duration::from_secs(self.shape.minutes * 60))
    }

    pub fn is_cut_off(&self, host: usize) -> bool {
        let now = self.boot();
        self.known().cut_off_until.get(&host).is_some_and(|until| now < *until)
    }

    pub fn make_mark(&self, mark: &Path) -> bool {
        self.known().marks.insert(mark.into())
    }

    pub fn started(&self, owner: &str, run: &str, number: &str) {
        self.say(format!("{run} attempt {number} starts by {owner}"));
        let key = (run.to_string(), number.to_string());
        let mut known = self.known();
        let count = known.starts.entry(key).or_default();
        *count += 1;
        let doubled = *count > 1;
        drop(known);
        if doubled {
            self.is_wrong(format!("{run} attempt {number} started twice"));
        }
    }

    /// Whether the attempt has ever been started.
    pub fn has_started(&self, run: &str, number: u32) -> bool {
        self.known().starts.contains_key(&(run.to_string(), number.to_string()))
    }

    /// When the last tick was called.
    pub fn last_tick(&self) -> Timestamp {
        self.known().last_tick.unwrap_or(Timestamp::MIN)
    }

    /// Lives through the time with faults, then through a quarter of an hour without.
    pub async fn live(self: Arc<World>) {
        let mut hosts = JoinSet::new();
        for host in 0..self.shape.hosts {
            hosts.spawn(live_host(self.clone(), host));
        }
        while hosts.join_next().await.is_some() {}
    }
}

/// One host: a clock that calls a tick about every minute.
async fn live_host(world: Arc<World>, host: usize) {
    let mut ticks = JoinSet::new();
    let quiet_minutes = 16;
    for minute in 0..world.shape.minutes + quiet_minutes {
        let late = if world.has_faults() { world.chance.millis(0, 30_000) } else { Duration::from_secs(1) };
        world.sleep_until(BootTime(0).plus(Duration::from_secs(minute * 60) + late)).await;
        if world.has_faults() {
            if world.chance.percent(8) {
                continue;
            }
            if world.chance.percent(2) {
                world.say(format!("host {host} is cut off"));
                let until = world.boot().plus(world.chance.millis(1_000, 400_000));
                world.known().cut_off_until.insert(host, until);
            }
        }
        let doubled = world.has_faults() && world.chance.percent(5);
        for n in 0..=u64::from(doubled) {
            let owner = format!("h{host}m{minute}n{n}");
            ticks.spawn(tick(world.clone(), host, owner));
        }
        while ticks.try_join_next().is_some() {}
    }
    while ticks.join_next().await.is_some() {}
}

/// One tick, which may be frozen, told to stop, or killed.
async fn tick(world: Arc<World>, host: usize, owner: String) {
    let now = world.now();
    world.known().alive.insert(owner.clone());
    world.known().last_tick = Some(now);
    let (wish, stop) = watch::channel(StopWish::None);
    let env = env(&world, host, &owner, stop);
    let options = Options { jobs: world.chance.between(1, 5) as usize, ..Options::default() };
    let fate = if world.has_faults() { world.chance.number() % 100 } else { 99 };
    let after = world.chance.millis(0, 30_000);
    let work =
        Freezable { world: world.clone(), owner: owner.clone(), inner: Box::pin(run(world.clone(), env, options)) };
    tokio::pin!(work);
    match fate {
        0..8 => {
            tokio::select! {
                () = &mut work => {}
                () = tokio::time::sleep(after) => world.say(format!("{owner} crashes")),
            }
        }
        8..12 => {
            let until = world.boot().plus(after + world.chance.millis(1_000, 300_000));
            tokio::select! {
                () = &mut work => {}
                () = tokio::time::sleep(after) => {
                    world.say(format!("{owner} freezes until {}", until.0 / 1_000_000));
                    world.known().frozen_until.insert(owner.clone(), until);
                    work.await;
                }
            }
        }
        12..16 => {
            tokio::select! {
                () = &mut work => {}
                () = tokio::time::sleep(after) => {
                    world.say(format!("{owner} is told to stop"));
                    let _ = wish.send(StopWish::Soon(15));
                    work.await;
                }
            }
        }
        _ => work.await,
    }
    let end = world.boot().plus(Duration::from_secs(1));
    let mut known = world.known();
    known.alive.remove(&owner);
    known.held_until.insert(owner, end);
}

async fn run(world: Arc<World>, env: Env, options: Options) {
    let pipelines: Vec<&Pipeline> = world.pipelines.iter().collect();
    let owner = env.owner.id.clone();
    match run_due(&env, &pipelines, &options).await {
        Ok(report) => world.say(format!(
            "{owner} is done: {} ran, {} failed, {} elsewhere",
            report.ran().count(),
            report.failed().count(),
            report.claimed_elsewhere
        )),
        Err(error) => world.say(format!("{owner} could do nothing: {error}")),
    }
}

pub fn env(world: &Arc<World>, host: usize, owner: &str, stop: watch::Receiver<StopWish>) -> Env {
    Env {
        clock: Arc::new(SimClock(world.born)),
        run_log: Arc::new(Remote { world: world.clone(), truth: world.truth.clone(), host }),
        executor: Arc::new(Bodies::new(world.clone(), owner.into())),
        host: Arc::new(SimHost(world.clone())),
        owner: Owner {
            id: owner.into(),
            host: format!("host{host}"),
            pid: 1,
            started: 1,
            // Start marks lie on one host's disk: with them, all ticks are of one host.
            boot: if world.shape.has_marks { "one".into() } else { format!("boot{host}") },
            pid_namespace: 1,
        },
        variables: Vec::new(),
        output: None,
        stop,
    }
}

/// A tick that is not polled while it is frozen; its bodies, which are tasks of their own, go on.
struct Freezable {
    world: Arc<World>,
    owner: String,
    inner: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Freezable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.world.known().frozen_until.get(&self.owner).copied();
        if let Some(until) = until.filter(|until| self.world.boot() < *until) {
            let (world, waker) = (self.world.clone(), context.waker().clone());
            tokio::spawn(async move {
                world.sleep_until(until).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}

/// The clocks of the world: virtual, and the same for all.
struct SimClock(tokio::time::Instant);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(BEGIN, 0).unwrap() + SignedDuration::from_micros(self.boot().0)
    }

    fn boot(&self) -> BootTime {
        BootTime(i64::try_from(self.0.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: BootTime) {
        let micros = u64::try_from(deadline.0).unwrap_or(0);
        tokio::time::sleep_until(self.0 + Duration::from_micros(micros)).await;
    }
}

pub struct SimHost(pub Arc<World>);

impl Host for SimHost {
    fn mint(&self) -> u128 {
        u128::from(self.0.chance.number()) << 64 | u128::from(self.0.chance.number())
    }

    fn is_gone(&self, owner: &Owner) -> bool {
        self.0.shape.has_marks && !self.0.known().alive.contains(&owner.id)
    }

    fn forestall(&self, path: &Path) -> StartMark {
        if self.0.make_mark(path) { StartMark::Forestalled } else { StartMark::Started }
    }

    fn is_held(&self, path: &Path) -> bool {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let now = self.0.boot();
        self.0.known().held_until.get(&name).is_some_and(|until| now < *until)
    }

    fn remove_mark(&self, path: &Path) {
        self.0.known().marks.remove(path);
    }

    fn make_folder(&self, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn output_files(&self, _: &Path) -> Vec<OutputFile> {
        Vec::new()
    }

    fn remove_output(&self, _: &Path) {}
}
