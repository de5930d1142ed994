//! Bodies of simulated processes, and the checks that are made at the very moment of a start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tickward::clock::BootTime;
use tickward::executor::{End, Ended, Executor, Job, NotStarted, Output, Stop};
use tickward::occurrence::{PipelineId, Run, Token};
use tickward::runlog::contract::{Query, Record, RunLog};
use tokio::sync::watch;

use crate::world::World;

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
    courses: Mutex<BTreeMap<Token, watch::Sender<Course>>>,
}

impl Bodies {
    pub fn new(world: Arc<World>, owner: String) -> Bodies {
        Bodies { world, owner, courses: Mutex::default() }
    }

    fn tell(&self, token: Token, change: impl FnOnce(&mut Course)) {
        let courses = self.courses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(course) = courses.get(&token) {
            course.send_modify(change);
        }
    }
}

#[async_trait]
impl Executor for Bodies {
    async fn run(&self, job: Job) -> Ended {
        let world = &self.world;
        tokio::time::sleep(world.chance.millis(0, 20)).await;
        if world.boot() >= job.stop_at {
            return Ended::not_started(NotStarted::LeaseOver);
        }
        if let Some(mark) = &job.start_mark
            && !world.make_mark(mark)
        {
            return Ended::not_started(NotStarted::Refused);
        }
        let name = |wanted: &str| {
            let found = job.env.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let (run, number) = (name("TICKWARD_RUN_ID"), name("TICKWARD_ATTEMPT"));
        check_start(world, &job, &run, &number).await;
        world.started(&self.owner, &run, &number);
        let (sender, mut course) = watch::channel(Course { stop_at: job.stop_at, stop: None });
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).insert(job.token, sender);
        let began = world.boot();
        let takes =
            if world.chance.percent(80) { world.chance.millis(1, 20_000) } else { world.chance.millis(1, 900_000) };
        let stopped = loop {
            let now = *course.borrow_and_update();
            let due = began.plus(takes).min(now.stop_at).min(began.plus(job.timeout.unwrap_or(Duration::MAX)));
            if now.stop.is_some() {
                break now.stop;
            }
            tokio::select! {
                biased;
                _ = course.changed() => {}
                () = world.sleep_until(due) => break match due {
                    _ if due == began.plus(takes) => None,
                    _ if due == now.stop_at => Some(Stop::LeaseOver),
                    _ => Some(Stop::TimedOut),
                },
            }
        };
        let code = world.chance.one_of(&[0, 0, 0, 1]);
        world.say(format!("{run} attempt {number} ends: {stopped:?} {code}"));
        Ended {
            end: if stopped.is_some() { End::Signalled(15) } else { End::Exited(code) },
            stopped,
            started_at: Some(began),
            duration: world.boot().since(began),
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

/// What must be so at a start: the claim is in the store with this token, and the attempt before it has ended.
async fn check_start(world: &Arc<World>, job: &Job, run: &str, number: &str) {
    let value = |wanted: &str| job.env.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.to_str());
    let this = |id: PipelineId| {
        let scheduled_for = value("TICKWARD_SCHEDULED_FOR")?.parse().ok()?;
        Some(Run { pipeline: id, scheduled_for })
    };
    let pipeline =
        world.pipelines.iter().find(|pipeline| Some(pipeline.id.name.as_str()) == value("TICKWARD_PIPELINE"));
    let Some(of_run) = pipeline.and_then(|pipeline| this(pipeline.id.clone())) else {
        return world.is_wrong(format!("{run} attempt {number} starts without knowing whose run it is"));
    };
    let query = Query { run: Some(of_run), attempts_only: true, limit: usize::MAX, ..Query::default() };
    let Ok(records) = world.truth.history(query).await else { return };
    let attempts = records.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    let attempts: Vec<_> = attempts.collect();
    let Some(claimed) = attempts.iter().find(|attempt| attempt.token == job.token) else {
        return world.is_wrong(format!("{run} attempt {number} starts without a claim in the store"));
    };
    if claimed.number.to_string() != number {
        world.is_wrong(format!("{run}: attempt {number} starts with the claim of {}", claimed.number));
    }
    if !claimed.is_active() {
        world.is_wrong(format!("{run} attempt {number} starts after it has ended as {:?}", claimed.outcome()));
    }
    for earlier in attempts.iter().filter(|attempt| attempt.number < claimed.number && attempt.is_active()) {
        world.is_wrong(format!("{run} attempt {number} starts while {} is active", earlier.number));
    }
}
