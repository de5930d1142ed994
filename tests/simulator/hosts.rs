//! Hosts that tick, crash, freeze, are cut off and have their clocks set.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::SignedDuration;
use tickward::owner::Owner;
use tickward::pipeline::Pipeline;
use tickward::plan::{Decision, Situation, controls};
use tickward::run::Attempt;
use tickward::runlog::contract::{Batch, Scope, Transition};
use tickward::tick::{ByHand, Env, Options, Report, StopWish, run_by_hand, run_due};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::alone;
use crate::bodies::Bodies;
use crate::clocks::{MachineClock, SERVER};
use crate::disk::SimHost;
use crate::post;
use crate::restored;
use crate::shape::Kind;
use crate::store::Remote;
use crate::world::World;

/// Minutes without faults in the end: a lease, a timeout, and two ticks to see to both.
const QUIET: u64 = 20;
/// No tick lasts longer than this after its last body.
const IDLE: Duration = Duration::from_secs(240);

/// Lives through the time with faults, then through some without.
pub async fn live(world: Arc<World>) {
    let mut loops = JoinSet::new();
    for n in 0..world.shape.loops {
        loops.spawn(live_loop(world.clone(), n));
    }
    if world.shape.is_restored {
        loops.spawn(restored::go_back(world.clone()));
    }
    while let Some(ended) = loops.join_next().await {
        ended.unwrap();
    }
}

/// One clock that calls a tick about every minute.
async fn live_loop(world: Arc<World>, n: usize) {
    let mut ticks = JoinSet::new();
    // Every host gets the edited file at its own time, and not at once.
    let edited_at = world.chance.between(0, world.shape.minutes.max(1));
    for minute in 0..world.shape.minutes + QUIET {
        let late = if world.has_faults() { world.chance.millis(0, 30_000) } else { Duration::from_secs(1) };
        world.time.sleep_until(Duration::from_secs(minute * 60) + late).await;
        let version = usize::from(minute >= edited_at);
        if world.known().is_closed || world.is_off(n) {
            continue;
        }
        if world.has_faults() {
            trouble(&world, n);
            if world.chance.percent(8) {
                continue;
            }
        } else {
            settle(&world);
        }
        let doubled = world.has_faults() && world.chance.percent(5);
        for tick_of_minute in 0..=u64::from(doubled) {
            let owner = format!("host{n}-{minute}{}", if tick_of_minute == 0 { "" } else { "b" });
            ticks.spawn(tick(world.clone(), n, version, owner));
        }
        while let Some(ended) = ticks.try_join_next() {
            ended.unwrap();
        }
    }
    while let Some(ended) = ticks.join_next().await {
        ended.unwrap();
    }
}

/// What befalls a host, or the store, in a minute.
fn trouble(world: &Arc<World>, n: usize) {
    let chance = &world.chance;
    let now = world.time.elapsed();
    if chance.percent(2) {
        world.say(format!("host{n} is cut off"));
        let longest = if is_long(world) { 9_000_000 } else { 400_000 };
        world.known().cut_off_until.insert(n, now + chance.millis(1_000, longest));
    }
    if world.shape.has_spools && chance.number().is_multiple_of(300) {
        world.say(format!("host{n} is off"));
        world.known().off_until.insert(n, now + chance.millis(60_000, 7_200_000));
    }
    if chance.number().is_multiple_of(500) {
        world.say("the store's disk is full");
        let longest = if is_long(world) { 9_000_000 } else { 600_000 };
        world.known().full_until = now + chance.millis(1_000, longest);
    }
    post::trouble(world);
    let machine = world.machine(n);
    if !world.shape.has_steps || n != machine {
        return;
    }
    match chance.number() % 200 {
        0..2 => {
            let seconds = match chance.percent(90) {
                true => chance.one_of(&[1, 30, 300, 3_000, 10_800, 86_400]),
                // Years are slow to count through.
                false => chance.one_of(&[31_536_000, 315_360_000]),
            };
            let by = SignedDuration::from_secs(if chance.percent(50) { seconds } else { -seconds });
            world.say(format!("the wall clock of host{n} is set {by:#} off"));
            world.time.step(machine, by);
        }
        2..30 => world.time.step(machine, SignedDuration::ZERO),
        30 if world.shape.kind == Kind::Server && chance.percent(10) => {
            let minutes = chance.one_of(&[1, 20, 50, 90, 300]);
            world.say(format!("the store goes back {minutes} minutes"));
            // Never forward again: a server's clock is trusted not to outrun a lease.
            world.time.step_further(SERVER, SignedDuration::from_mins(-minutes));
        }
        _ => {}
    }
}

/// Whether what befalls a host that keeps a spool lasts for longer than a tick alone reaches back.
fn is_long(world: &World) -> bool {
    world.shape.has_spools && world.chance.percent(10)
}

fn settle(world: &Arc<World>) {
    (0..world.shape.loops).for_each(|n| world.time.step(world.machine(n), SignedDuration::ZERO));
}

/// One tick, which may be frozen, told to stop, or killed.
async fn tick(world: Arc<World>, n: usize, version: usize, owner: String) {
    world.known().alive.insert(owner.clone());
    let now = world.now();
    world.known().last_tick = Some(now);
    let (wish, stop) = watch::channel(StopWish::None);
    let env = env(&world, n, &owner, stop);
    let jobs = world.chance.between(1, 5) as usize;
    let options = Options { jobs, outlets: post::outlets(&world), ..Options::default() };
    let fate = if world.has_faults() { world.chance.number() % 100 } else { 99 };
    let after = world.chance.millis(0, 30_000);
    let work = Box::pin(work(world.clone(), n, env, version, options));
    let work = Freezable { world: world.clone(), owner: owner.clone(), inner: work };
    tokio::pin!(work);
    match fate {
        0..8 => {
            tokio::select! {
                biased;
                () = &mut work => {}
                () = tokio::time::sleep(after) => world.say(format!("{owner} is killed")),
            }
        }
        8..12 => {
            let until = world.time.elapsed() + after + world.chance.millis(1_000, 300_000);
            tokio::select! {
                biased;
                () = &mut work => {}
                () = tokio::time::sleep(after) => {
                    world.say(format!("{owner} freezes for {} s", (until - world.time.elapsed()).as_secs()));
                    world.known().frozen_until.insert(owner.clone(), until);
                    work.await;
                }
            }
        }
        12..16 => {
            tokio::select! {
                biased;
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
    let end = world.time.elapsed() + Duration::from_secs(1);
    let mut known = world.known();
    known.alive.remove(&owner);
    let held = known.held_until.entry(owner).or_default();
    *held = (*held).max(end);
}

/// The real tick, or now and then a person who runs a pipeline by hand.
async fn work(world: Arc<World>, n: usize, env: Env, version: usize, options: Options) {
    let pipelines: Vec<&Pipeline> = world.pipelines[version].iter().collect();
    let owner = env.owner.id.clone();
    if world.has_faults() && world.chance.percent(2) {
        let pipeline = pipelines[world.chance.number() as usize % pipelines.len()];
        person(&world, &env, pipeline).await;
    }
    let by_hand = world.has_faults() && world.chance.percent(1);
    let folder = world.folder(world.machine(n));
    let env = match &folder {
        Some(folder) => alone::mirrored(&world, env, folder),
        None => env,
    };
    let done = match by_hand {
        true => {
            let pipeline = pipelines[world.chance.number() as usize % pipelines.len()];
            world.say(format!("{owner}: somebody runs {} by hand", pipeline.id));
            match run_by_hand(&env, pipeline, None, &options).await {
                Ok(ByHand::Done(report)) => Ok(*report),
                Ok(ByHand::Busy(_)) => return world.say(format!("{owner}: it is busy")),
                Err(error) => Err(error),
            }
        }
        false => match &folder {
            Some(folder) => alone::due(&world, (&env, folder), &pipelines, &options).await,
            None => run_due(&env, &pipelines, &options).await,
        },
    };
    match done {
        Ok(report) => {
            let is_kept = folder.is_some_and(|folder| alone::keep_ends(&folder, &report));
            over(&world, &owner, &report, is_kept);
        }
        Err(error) => world.say(format!("{owner}: could do nothing: {error}")),
    }
}

/// Somebody pauses, resumes, resets, skips or cancels, by compare-and-swap as the commands do.
async fn person(world: &Arc<World>, env: &Env, pipeline: &Pipeline) {
    let Ok(view) = env.run_log.load(Scope::Only(vec![pipeline.id.clone()])).await else { return };
    let Some(row) = view.rows.get(&pipeline.id) else { return };
    let open: Vec<&Attempt> = view.open.get(&pipeline.id).into_iter().flatten().collect();
    let decided = view.decided.get(&pipeline.id).map_or(&[][..], Vec::as_slice);
    let interval = Duration::from_secs(60);
    // What it depends on is not looked at: none of these starts anything.
    let situation = Situation { pipeline, row, open: &open, decided, upstreams: &[], now: view.now, interval };
    let until = view.now + SignedDuration::from_mins(world.chance.between(1, 200) as i64);
    let (what, decision) = match world.chance.number() % 6 {
        0 => ("pauses", controls::pause(&situation, Some(until), "")),
        1 => ("pauses", controls::pause(&situation, None, "")),
        2 | 3 => ("resumes", controls::resume(&situation)),
        4 => ("resets", controls::reset(&situation)),
        _ => ("cancels", controls::cancel(&situation, "cancelled").0),
    };
    world.say(format!("{}: somebody {what} {}", env.owner.id, pipeline.id));
    let Decision { row, closed, not_run, stops, changed: true, .. } = decision else { return };
    let transitions = vec![Transition { row, claim: None, closed, not_run, stops, alerts: Vec::new() }];
    let _ = env.run_log.commit(Batch { ends: Vec::new(), transitions }).await;
}

/// A tick that went through: nothing of it is left, and it did not linger (I14).
fn over(world: &Arc<World>, owner: &str, report: &Report, is_kept: bool) {
    world.say(format!("{owner}: is done, {} elsewhere", report.claimed_elsewhere));
    // What falls due after a tick has begun is for a later one: else it would never end (P6).
    let follows = |attempt: &Attempt| {
        let mut named = world.pipelines.iter().flatten().filter(|known| known.id == attempt.run.pipeline);
        named.any(|known| !known.depends_on.is_empty())
    };
    let is_later =
        |attempt: &&Attempt| attempt.number == 1 && !attempt.by_hand && attempt.owner.id == owner && !follows(attempt);
    let mut first_attempts = report.ended.iter().filter(is_later);
    if first_attempts.any(|attempt| attempt.run.scheduled_for > report.started_at) {
        world.is_wrong(format!("{owner} goes on with what fell due after it had begun"));
    }
    let last = report.ended.iter().filter_map(|attempt| attempt.end.as_ref()).map(|end| end.ended_at).max();
    let began = last.unwrap_or(report.started_at).max(report.started_at);
    let was_frozen = world.known().frozen_until.contains_key(owner);
    let lingered = world.now().duration_since(began) > SignedDuration::try_from(IDLE).unwrap();
    if lingered && !was_frozen && !world.shape.has_steps && report.unrecorded.is_none() {
        world.is_wrong(format!("{owner} went on for more than {IDLE:?} after its last body"));
    }
    if report.unrecorded.is_none() || is_kept {
        world.known().complete.insert(owner.into());
    }
}

/// What tells the boots of machines apart.
pub fn boot_id(clock: &MachineClock) -> String {
    format!("boot{}", clock.machine)
}

pub fn env(world: &Arc<World>, n: usize, owner: &str, stop: watch::Receiver<StopWish>) -> Env {
    let clock = world.clock(n);
    Env {
        executor: Arc::new(Bodies::new(world.clone(), owner.into(), clock.clone())),
        run_log: Arc::new(Remote { world: world.clone(), of_loop: n, owner: owner.into() }),
        host: Arc::new(SimHost(world.clone())),
        owner: Owner {
            id: owner.into(),
            host: format!("host{n}"),
            pid: 1,
            started: 1,
            boot: boot_id(&clock),
            pid_namespace: 1,
        },
        clock: Arc::new(clock),
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
        if let Some(until) = until.filter(|until| self.world.time.elapsed() < *until) {
            let (world, waker) = (self.world.clone(), context.waker().clone());
            tokio::spawn(async move {
                world.time.sleep_until(until).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}
