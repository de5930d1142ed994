//! Bodies of simulated processes, and the checks that are made at the very moment of a start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tickward::clock::{BootTime, Clock};
use tickward::executor::{End, Ended, Executor, Job, NotStarted, Output, Stop};
use tickward::occurrence::{Run, Token};
use tickward::pipeline::OnInterrupt;
use tickward::run::{Attempt, Outcome, Policy};
use tickward::runlog::contract::{Query, Record, RunLog};
use tokio::sync::watch;

use crate::alone;
use crate::clocks::MachineClock;
use crate::plants::Plant;
use crate::world::{Start, World};

/// What a running body is told.
#[derive(Clone, Copy, PartialEq)]
struct Course {
    stop_at: BootTime,
    stop: Option<Stop>,
}

/// The supervisor of one simulated tick.
pub struct Bodies {
    pub world: Arc<World>,
    pub owner: String,
    pub clock: MachineClock,
    courses: Mutex<BTreeMap<Token, watch::Sender<Course>>>,
}

/// A body that goes on for a moment where its tick is killed: the supervisor has to notice first.
struct Alive {
    world: Arc<World>,
    pipeline: String,
    run: String,
    number: String,
    token: Token,
    owner: String,
    goes_on: Option<Duration>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.world.body_is_over(&self.owner, &self.pipeline, self.token, self.goes_on);
    }
}

impl Bodies {
    pub fn new(world: Arc<World>, owner: String, clock: MachineClock) -> Bodies {
        Bodies { world, owner, clock, courses: Mutex::default() }
    }

    fn tell(&self, token: Token, change: impl FnOnce(&mut Course)) {
        let courses = self.courses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(course) = courses.get(&token) {
            course.send_modify(change);
        }
    }

    /// Lives until it is done, told to stop, or has to stop; after a stop it takes its grace to be gone.
    async fn live(&self, job: &Job, began: BootTime) -> Option<Stop> {
        let world = &self.world;
        let (sender, mut course) = watch::channel(Course { stop_at: job.stop_at, stop: None });
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).insert(job.token, sender);
        let takes = match world.chance.percent(80) {
            true => world.chance.millis(1, 20_000),
            false => world.chance.millis(1, 900_000),
        };
        loop {
            let now = *course.borrow_and_update();
            let timeout = began.plus(job.timeout.unwrap_or(Duration::MAX));
            let due = began.plus(takes).min(now.stop_at).min(timeout);
            let stopped = if now.stop.is_some() {
                now.stop
            } else {
                tokio::select! {
                    biased;
                    _ = course.changed() => continue,
                    () = self.clock.sleep_until(due) => match due {
                        _ if due == began.plus(takes) => return None,
                        _ if due == now.stop_at => Some(Stop::LeaseOver),
                        _ => Some(Stop::TimedOut),
                    },
                }
            };
            let grace = u64::try_from(job.kill_grace.as_millis()).unwrap();
            tokio::time::sleep(world.chance.millis(0, grace + 1)).await;
            return stopped;
        }
    }
}

#[async_trait]
impl Executor for Bodies {
    async fn run(&self, job: Job) -> Ended {
        let world = &self.world;
        let job = Arc::new(job);
        // Handed over: it may still start in the moment in which its tick is killed.
        let start = start(world.clone(), self.owner.clone(), self.clock.clone(), job.clone());
        let mut alive = match tokio::spawn(start).await.unwrap() {
            Ok(alive) => alive,
            Err(why) => return Ended::not_started(why),
        };
        let began = self.clock.boot();
        let stopped = self.live(&job, began).await;
        alive.goes_on = None;
        let code = world.chance.one_of(&[0, 0, 0, 1]);
        let (run, number) = (&alive.run, &alive.number);
        world.say(format!("{}: {run} attempt {number} ends, {}", self.owner, told(stopped, code)));
        world.known().ended_bodies.insert(job.token, (format!("{run} attempt {number}"), self.owner.clone()));
        Ended {
            end: if stopped.is_some() { End::Signalled(15) } else { End::Exited(code) },
            stopped,
            started_at: Some(began),
            duration: self.clock.boot().since(began),
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            output: Output::default(),
        }
    }

    fn extend(&self, token: Token, stop_at: BootTime) {
        self.tell(token, |course| course.stop_at = stop_at);
    }

    fn stop(&self, token: Token, why: Stop) {
        self.tell(token, |course| course.stop = Some(why));
    }

    fn kill_all(&self) {}

    async fn close(&self) {}
}

/// What the supervisor and its child do between the job and the body.
async fn start(world: Arc<World>, owner: String, clock: MachineClock, job: Arc<Job>) -> Result<Alive, NotStarted> {
    let longest = if world.chance.percent(95) { 20 } else { world.shape.slow_start_ms };
    tokio::time::sleep(world.chance.millis(0, longest)).await;
    if clock.boot() >= job.stop_at {
        return Err(NotStarted::LeaseOver);
    }
    if let Some(mark) = &job.start_mark
        && !world.make_mark(mark)
        && world.shape.plant != Some(Plant::MarkNotHeeded)
    {
        return Err(NotStarted::Refused);
    }
    let [pipeline, run, number] =
        ["TICKWARD_PIPELINE", "TICKWARD_RUN_ID", "TICKWARD_ATTEMPT"].map(|name| variable(&job, name));
    let alone = variable(&job, "TICKWARD_DEGRADED") == "1";
    let begun = Start { machine: clock.machine, alone };
    check_start(&world, &job, (&run, &number), begun).await;
    world.started(&owner, (&pipeline, &run, &number), job.token, begun);
    let goes_on = Some(world.chance.millis(0, 1_000));
    Ok(Alive { world, pipeline, run, number, token: job.token, owner, goes_on })
}

fn told(stopped: Option<Stop>, code: i32) -> String {
    match stopped {
        None => format!("exit code {code}"),
        Some(Stop::LeaseOver) => "stopped before its lease is over".into(),
        Some(Stop::TimedOut) => "stopped at its timeout".into(),
        Some(Stop::Interrupted) => "stopped with its tick".into(),
        Some(Stop::Cancelled) => "cancelled".into(),
    }
}

fn variable(job: &Job, wanted: &str) -> String {
    let found = job.env.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
}

fn attempts_of(records: Vec<Record>) -> Vec<Attempt> {
    let attempts = records.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    attempts.collect()
}

/// What must be so at a start: the claim is in the store with this token (I2), the attempt before it has ended (I4), and
/// without a policy for more the run starts for the first time (I6).
async fn check_start(world: &Arc<World>, job: &Job, (run, number): (&str, &str), begun: Start) {
    let who = format!("{run} attempt {number}");
    let name = variable(job, "TICKWARD_PIPELINE");
    let pipeline = world.pipelines.iter().flatten().find(|pipeline| pipeline.id.name.as_str() == name);
    let scheduled_for = variable(job, "TICKWARD_SCHEDULED_FOR").parse();
    let (Some(pipeline), Ok(scheduled_for)) = (pipeline, scheduled_for) else {
        return world.is_wrong(format!("{who} starts without knowing whose run it is"));
    };
    let of_run = Run { pipeline: pipeline.id.clone(), scheduled_for };
    let in_spool = world.folder(begun.machine).map(|folder| alone::attempts(&folder, &of_run)).unwrap_or_default();
    let query = Query { run: Some(of_run), attempts_only: true, limit: usize::MAX, ..Query::default() };
    let in_store = attempts_of(world.truth.history(query).await.unwrap_or_default());
    let is_ours = |other: &&Attempt| other.degraded && world.machine_of(&other.owner) == begun.machine;
    let done = |other: &Attempt| [other.outcome(), other.late_outcome].into_iter().flatten().any(Outcome::is_success);
    let was_done = in_spool.iter().chain(&in_store).filter(is_ours).any(done);
    // Alone, the claim is the spool's record.
    let attempts = if begun.alone { in_spool } else { in_store };
    let Some(claimed) = attempts.iter().find(|attempt| attempt.token == job.token) else {
        return world.is_wrong(format!("{who} starts without a claim in the store"));
    };
    if claimed.number.to_string() != number {
        world.is_wrong(format!("{who} starts with the claim of attempt {}", claimed.number));
    }
    if let Some(outcome) = claimed.outcome() {
        world.is_wrong(format!("{who} starts after it was recorded as {outcome}"));
    }
    for earlier in attempts.iter().filter(|attempt| attempt.number < claimed.number && attempt.is_active()) {
        world.is_wrong(format!("{who} starts while attempt {} is active", earlier.number));
    }
    // What follows an attempt is ruled by the policy that it was claimed under; files may differ between hosts.
    let allows_another = |policy: &Policy| {
        policy.retry.max_attempts > 1 || policy.on_interrupt == OnInterrupt::Rerun || policy.idempotent == Some(true)
    };
    let mut earlier = attempts.iter().filter(|attempt| attempt.number < claimed.number);
    let repeated = earlier.any(|other| world.has_started(other.token) && !allows_another(&other.policy));
    if repeated && !claimed.by_hand {
        world.is_wrong(format!("{who} starts, and nothing allows the run a second start"));
    }
    if was_done && !claimed.by_hand {
        world.is_wrong(format!("{who} starts although it was done on that host without the run-log"));
    }
}
