//! Plays a span of time: real ticks over a run-log in memory, at every minute at which there is anything to decide.
//!
//! What is before the span is taken to have succeeded, so that nothing waits for it.
//!
//! A tick is given only those pipelines about which there may be something to decide, with all that depend on them or that
//! they depend on: about the others it would decide nothing.
//!
//! Holds always: a minute is passed over only while nothing is due, nothing waits and no retry is pending.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::JumpingClock;
use super::pretend::{PretendedBodies, PretendedHost};
use super::store::ShortMemory;
use crate::clock::{BootTime, Clock};
use crate::occurrence::PipelineId;
use crate::owner::Owner;
use crate::pipeline::Pipeline;
use crate::plan::constant_delay;
use crate::run::{Done, Row};
use crate::runlog::contract::{Batch, Scope, Transition, View};
use crate::tick::{self, Env, Options, Pipelines, Report, StopWish};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What is played.
pub struct Play {
    /// What should run.
    pub pipelines: Vec<Pipeline>,
    /// The first instant.
    pub from: Timestamp,
    /// The end, itself not in it.
    pub to: Timestamp,
    /// How long bodies take, by the full names of their pipelines.
    pub durations: BTreeMap<String, Duration>,
    /// How each tick is done.
    pub options: Options,
}

/// Plays it; the reports of all ticks that did something, in the order in which they ended.
///
/// # Errors
/// Why there is no event loop, or what went wrong in a tick, in words.
pub fn play(play: Play) -> Result<Vec<Report>, String> {
    let clock = Arc::new(JumpingClock::new(play.from));
    let idle = clock.clone();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.on_thread_park(move || idle.jump()).build().map_err(|error| error.to_string())?;
    runtime.block_on(Course::new(play, clock).run())
}

struct Course {
    play: Arc<Play>,
    clock: Arc<JumpingClock>,
    env: Env,
    /// Which pipelines have to do with one another: the number of its group for each, in the order of the play.
    groups: Vec<usize>,
    /// When each is due next, as far as is known, and on what that was found out.
    next: Vec<(i64, Option<Timestamp>)>,
    ticks: u64,
    _wish: watch::Sender<StopWish>,
}

impl Course {
    fn new(play: Play, clock: Arc<JumpingClock>) -> Course {
        let (wish, stop) = watch::channel(StopWish::None);
        let owner = Owner {
            id: String::new(),
            host: "simulated".into(),
            pid: 0,
            started: 0,
            boot: "simulated".into(),
            pid_namespace: 0,
        };
        let env = Env {
            clock: clock.clone(),
            run_log: Arc::new(ShortMemory::new(clock.clone())),
            executor: Arc::new(PretendedBodies::new(clock.clone(), play.durations.clone())),
            host: Arc::new(PretendedHost::default()),
            owner,
            variables: Vec::new(),
            output: None,
            stop,
        };
        let groups = groups(&play.pipelines);
        let next = vec![(i64::MIN, None); groups.len()];
        Course { play: Arc::new(play), clock, env, groups, next, ticks: 0, _wish: wish }
    }

    async fn run(mut self) -> Result<Vec<Report>, String> {
        self.remember_success().await?;
        let mut ticks = JoinSet::new();
        let mut reports = Vec::new();
        let mut minute = on_the_minute(self.play.from);
        while minute < self.play.to {
            self.clock.sleep_until(BootTime(minute.as_microsecond())).await;
            let view = self.env.run_log.load(Scope::All).await.map_err(|error| error.to_string())?;
            let upcoming = self.upcoming(&view);
            let is_due = |at: &Option<Timestamp>| at.is_some_and(|at| at <= minute);
            let due: BTreeSet<usize> =
                self.groups.iter().zip(&upcoming).filter(|(_, at)| is_due(at)).map(|(group, _)| *group).collect();
            if self.ticks == 0 || !due.is_empty() {
                ticks.spawn(self.tick(due));
            }
            let upcoming = upcoming.into_iter().flatten().min();
            while let Some(ended) = ticks.try_join_next() {
                reports.push(ended.map_err(|error| error.to_string())??);
            }
            minute += MINUTE;
            let is_quiet = view.open.values().all(Vec::is_empty) && ticks.is_empty();
            match upcoming {
                Some(at) if is_quiet => minute = minute.max(on_the_minute(at)),
                None if is_quiet => break,
                _ => {}
            }
        }
        while let Some(ended) = ticks.join_next().await {
            reports.push(ended.map_err(|error| error.to_string())??);
        }
        Ok(reports)
    }

    /// One tick, by a process of its own, over the groups that are `due`; the first one sees all.
    fn tick(&mut self, due: BTreeSet<usize>) -> impl Future<Output = Result<Report, String>> + Send + use<> {
        let is_first = self.ticks == 0;
        self.ticks += 1;
        let mut env = self.env.clone();
        env.owner.id = format!("tick-{}", self.ticks);
        let play = self.play.clone();
        let groups = self.groups.clone();
        async move {
            let all = play.pipelines.iter().zip(groups);
            let looked_at = all.filter(|(_, group)| is_first || due.contains(group)).map(|(pipeline, _)| pipeline);
            let pipelines: Vec<&Pipeline> = looked_at.collect();
            tick::run_due(&env, &pipelines, &play.options).await.map_err(|error| error.to_string())
        }
    }

    /// The latest occurrence of each pipeline before the span has succeeded.
    async fn remember_success(&self) -> Result<(), String> {
        let before = self.play.from - SignedDuration::from_micros(1);
        let long_ago = self.play.from - 2 * MINUTE;
        let transitions = self.play.pipelines.iter().filter_map(|pipeline| {
            let scheduled_for = pipeline.schedule.as_ref()?.previous_at_or_before(before)?;
            let mut row = Row::absent(pipeline.id.clone());
            row.standing.succeeded = Some(Done { scheduled_for, ended_at: scheduled_for.min(long_ago) });
            Some(Transition {
                row,
                claim: None,
                closed: Vec::new(),
                not_run: Vec::new(),
                stops: Vec::new(),
                alerts: Vec::new(),
            })
        });
        let batch = Batch { ends: Vec::new(), transitions: transitions.collect() };
        self.env.run_log.commit(batch).await.map(drop).map_err(|error| error.to_string())
    }

    /// When there is something to decide about each pipeline, as far as is known; none where nothing comes any more.
    fn upcoming(&mut self, view: &View) -> Vec<Option<Timestamp>> {
        let play = self.play.clone();
        let known = std::mem::take(&mut self.next);
        self.next = play.pipelines.iter().zip(known).map(|(it, known)| next_of(&play, it, view, known)).collect();
        let retry = |pipeline: &Pipeline| {
            let open = view.open.get(&pipeline.id).into_iter().flatten();
            open.filter_map(|attempt| attempt.retry_at).min()
        };
        let each = play.pipelines.iter().zip(&self.next);
        each.map(|(pipeline, (_, due))| [*due, retry(pipeline)].into_iter().flatten().min()).collect()
    }
}

/// The instant at which the oldest undecided occurrence of a pipeline is due, and on what that was found out: the same as
/// the last time where this has not changed.
fn next_of(play: &Play, it: &Pipeline, view: &View, known: (i64, Option<Timestamp>)) -> (i64, Option<Timestamp>) {
    let row = |id: &PipelineId| view.rows.get(id);
    match &it.schedule {
        Some(schedule) => {
            let cursor = row(&it.id).and_then(|row| row.undecided_after(view.now));
            let after = cursor.unwrap_or(play.from - MINUTE);
            if known.0 == after.as_microsecond() {
                return known;
            }
            let next = schedule.next_after(after);
            let spread = constant_delay(&it.id, it.jitter);
            (after.as_microsecond(), next.and_then(|next| next.checked_add(spread).ok()))
        }
        None if it.depends_on.is_empty() => known,
        None => {
            let of_others = it.depends_on.iter().map(|upstream| &upstream.pipeline);
            let versions = of_others.chain([&it.id]).filter_map(row).map(|row| row.version.cast_signed()).sum();
            if known.0 == versions {
                return known;
            }
            let by_id: Pipelines<'_> = play.pipelines.iter().map(|other| (other.id.clone(), other)).collect();
            let decision = tick::would_decide(it, &by_id, view);
            let is_due = decision.claim.is_some() || decision.waiting.is_some();
            (versions, is_due.then_some(view.now))
        }
    }
}

/// The number of its group for each pipeline: those that depend on one another, directly or not, have the same.
fn groups(pipelines: &[Pipeline]) -> Vec<usize> {
    let place: HashMap<&PipelineId, usize> = pipelines.iter().enumerate().map(|(n, it)| (&it.id, n)).collect();
    let mut groups: Vec<usize> = (0..pipelines.len()).collect();
    for (n, pipeline) in pipelines.iter().enumerate() {
        for other in pipeline.depends_on.iter().filter_map(|upstream| place.get(&upstream.pipeline)) {
            let (from, to) = (groups[n], groups[*other]);
            groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
    }
    groups
}

/// The first whole minute at or after an instant.
fn on_the_minute(instant: Timestamp) -> Timestamp {
    let past = instant.as_microsecond().rem_euclid(60_000_000);
    let up = if past == 0 { 0 } else { 60_000_000 - past };
    instant.checked_add(SignedDuration::from_micros(up)).unwrap_or(Timestamp::MAX)
}
