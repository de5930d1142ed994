//! The loop of a tick: start what is claimed, renew, record what has ended, claim what comes next.
//!
//! Whether something is to run is decided by `plan`; how the run-log's answers are taken in is in `answers`. One request to
//! the run-log is under way at a time; bodies run meanwhile.
//!
//! Holds always: at most `jobs` bodies at once; claims run ahead of free places only while bodies end quickly, so that
//! other ticks find what this one cannot start soon; a commit that carries ends carries the next claims.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use super::claim::Held;
use super::env::{Env, StoreTime};
use super::output_files;
use super::report::{Event, Report};
use super::sweep::sweep;
use super::{Options, Pipelines, execute, record};
use crate::clock::BootTime;
use crate::executor::Ended as BodyEnded;
use crate::failpoint::{self, Point};
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Run, Token};
use crate::plan::Decision;
use crate::run::Attempt;
use crate::runlog::Error;
use crate::runlog::contract::{Batch, Committed, Condition, End, Renewed, View};
use under_way::UnderWay;

mod answers;
mod asking;
mod stopping;
mod taking;
mod under_way;

/// At most so many claims wait for a free place.
const AHEAD: usize = 64;
/// Claims run ahead by as many as have ended within this time.
const LATELY: Duration = Duration::from_secs(1);
/// While bodies end quickly, ends are recorded together, at the latest after this time.
const TOGETHER: Duration = Duration::from_millis(20);
/// A claim that has waited so long for a place is given back, for other ticks to take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A run-log that has failed for so long is given up by a tick with nothing else to do.
const FAILED_LONG: Duration = Duration::from_secs(20);
/// What has ended waits so long to be recorded where the tick was told to end at once; then it goes to the spool.
const AT_ONCE: Duration = Duration::from_secs(2);
/// At most so many pipelines in one commit.
const BATCH: usize = 1000;

/// A tick at work.
pub struct Work<'a> {
    env: &'a Env,
    pipelines: Pipelines<'a>,
    options: &'a Options,
    time: StoreTime,
    report: Report,
    /// Nothing but this run (a run by hand).
    only: Option<Run>,
    /// Decisions without a claim, to be committed.
    to_note: Vec<Decision>,
    /// Decisions with a claim, to be committed when there is a place for it.
    to_claim: VecDeque<Decision>,
    claimed: VecDeque<Held>,
    running: BTreeMap<Token, Held>,
    bodies: JoinSet<BodyEnded>,
    tasks: HashMap<Id, Token>,
    ended: Vec<End>,
    ended_since: Option<BootTime>,
    lately: VecDeque<BootTime>,
    /// Pipelines that have more due once their active attempt has ended.
    more_is_due: BTreeSet<PipelineId>,
    /// Who depends on whom.
    dependents: HashMap<PipelineId, Vec<PipelineId>>,
    /// To be looked at because what they depend on has just succeeded.
    following: BTreeSet<PipelineId>,
    /// Pipelines to be looked at again at an instant.
    wakes: BTreeSet<(BootTime, PipelineId)>,
    look_again: Vec<PipelineId>,
    /// Claims whose commit was not answered and not found: it may be carried out still.
    under_way: BTreeMap<Token, UnderWay>,
    /// Pipelines that lost a claim once; a second time is left to the next tick.
    lost_once: BTreeSet<PipelineId>,
    asked: Option<Asked>,
    /// When it was asked.
    asked_at: BootTime,
    /// Ends that a request under way carries.
    sent: Vec<End>,
    failures: u32,
    /// Since when it does nothing but fail.
    failing_since: Option<BootTime>,
    last_failure: Option<String>,
    /// An end that the run-log has no attempt for.
    untaken: Option<String>,
    /// Ends of attempts that the stand-in has handed over meanwhile.
    handed_over: Vec<End>,
    ask_not_before: BootTime,
    stopping: bool,
    /// When the tick ends even if the run-log has not answered: it was told to end at once.
    leaves_at: Option<BootTime>,
    gives_up_at: Option<BootTime>,
    marks_ready: bool,
    /// Whose ends are not recorded yet.
    unrecorded: BTreeMap<Token, Run>,
    /// A claim was won, or may have been.
    may_have_claimed: bool,
}

type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What the run-log has answered.
enum Answer {
    Committed(Batch, Result<Committed, Error>),
    /// After a commit whose answer was lost: what the store has now.
    Resolved(Batch, Result<View, Error>),
    Loaded(Vec<PipelineId>, Result<View, Error>),
    Renewed(Vec<Token>, Lease, Result<Vec<Renewed>, Error>),
}

impl<'a> Work<'a> {
    /// Work on `pipelines`, whose store's time is `time`.
    pub fn new(env: &'a Env, pipelines: Pipelines<'a>, options: &'a Options, time: StoreTime, report: Report) -> Self {
        Work {
            env,
            dependents: taking::dependents(&pipelines),
            following: BTreeSet::new(),
            pipelines,
            options,
            time,
            report,
            only: None,
            to_note: Vec::new(),
            to_claim: VecDeque::new(),
            claimed: VecDeque::new(),
            running: BTreeMap::new(),
            bodies: JoinSet::new(),
            tasks: HashMap::new(),
            ended: Vec::new(),
            ended_since: None,
            lately: VecDeque::new(),
            more_is_due: BTreeSet::new(),
            wakes: BTreeSet::new(),
            look_again: Vec::new(),
            under_way: BTreeMap::new(),
            lost_once: BTreeSet::new(),
            asked: None,
            asked_at: env.clock.boot(),
            sent: Vec::new(),
            failures: 0,
            failing_since: None,
            last_failure: None,
            untaken: None,
            handed_over: Vec::new(),
            ask_not_before: env.clock.boot(),
            stopping: false,
            leaves_at: None,
            gives_up_at: None,
            marks_ready: false,
            unrecorded: BTreeMap::new(),
            may_have_claimed: false,
        }
    }

    /// The same, but for nothing except `run`.
    pub fn only(mut self, run: Run) -> Self {
        self.only = Some(run);
        self
    }

    /// Carries out `decided` and all that follows from it.
    pub async fn until_done(mut self, decided: Vec<Decision>) -> Report {
        let decided = self.sift(decided);
        let mut stop = self.env.stop.clone();
        let budget_at = self.options.time_budget.map(|budget| self.env.clock.boot().plus(budget));
        self.take(decided);
        self.heed(*stop.borrow_and_update());
        let mut is_settled = false;
        loop {
            self.start_claimed();
            self.give_back();
            self.ask();
            if !is_settled && self.asked.is_none() && self.failures == 0 {
                is_settled = true;
                (self.options.watch)(Event::Settled(&self.report));
            }
            if self.is_done() {
                break;
            }
            let wake = self.next_instant(budget_at.filter(|_| !self.stopping));
            let asked = self.asked.as_mut();
            tokio::select! {
                biased;
                Ok(()) = stop.changed() => {
                    let wish = *stop.borrow_and_update();
                    self.heed(wish);
                }
                Some(joined) = self.bodies.join_next_with_id(), if !self.bodies.is_empty() => self.joined(joined),
                answer = async { match asked { Some(asked) => asked.await, None => std::future::pending().await } } => {
                    self.asked = None;
                    self.answered(answer);
                    if self.asked.is_none() {
                        self.sent.clear();
                    }
                    self.lose_patience();
                }
                () = self.env.clock.sleep_until(wake) => {}
            }
            if budget_at.is_some_and(|at| self.env.clock.boot() >= at) && !self.stopping {
                self.report.out_of_time = true;
                self.wind_up("the time budget was over");
            }
        }
        // Whether what is under way arrives nobody knows: it is handed over as what did not.
        self.ended.append(&mut self.sent);
        output_files::prune_all(self.env, &self.report.ended, self.options.keep);
        if !self.ended.is_empty() || self.gives_up_at.is_some() {
            let unanswered = || Some("the tick had to end before it had answered".into());
            self.report.unrecorded = self.last_failure.take().or_else(unanswered);
            self.report.to_spool = stopping::to_spool(&self.ended, &self.unrecorded);
            self.report.could_not_claim = !self.may_have_claimed && self.gives_up_at.is_some() && !self.stopping;
        }
        self.report.to_spool.extend(stopping::to_spool(&self.handed_over, &self.unrecorded));
        // A claim that a person asked for, and that the run-log did not take, is made by nobody else.
        let was_refused = self.only.is_some() && self.report.ended.is_empty() && self.report.claimed_elsewhere == 0;
        let refusal = self.last_failure.take().filter(|_| was_refused && !self.stopping);
        self.report.unrecorded = self.report.unrecorded.take().or(self.untaken.take()).or(refusal);
        if self.marks_ready && !self.env.must_end_now() {
            sweep(self.env).await;
        }
        self.report.ended_at = self.time.now(&*self.env.clock);
        self.report
    }

    fn start_claimed(&mut self) {
        if self.stopping || self.claimed.is_empty() {
            return;
        }
        // While bodies end quickly, a few wait where they are started: the next one is then there at once.
        let quick = self.lately.len() > 4 * self.options.jobs;
        let at_once = if quick { self.options.jobs * 2 } else { self.options.jobs };
        while self.running.len() < at_once {
            let Some(held) = self.claimed.pop_front() else { return };
            self.start(held);
        }
    }

    /// The folder for start marks, made once, before the first claim: a claim without it would say nothing of its start.
    pub(super) fn make_mark_folder(&mut self) {
        if std::mem::replace(&mut self.marks_ready, true) {
            return;
        }
        failpoint::reached(Point::FolderWanted);
        if let Some(folder) = self.env.run_log.start_marks()
            && let Err(error) = self.env.host.make_folder(&folder)
        {
            tracing::error!(folder = %folder.display(), %error, "no folder for start marks");
        }
        failpoint::reached(Point::FolderMade);
    }

    /// Gives back claims that have waited too long for a place.
    fn give_back(&mut self) {
        let now = self.env.clock.boot();
        while let Some(held) = self.claimed.pop_front_if(|held| now >= held.claimed_at.plus(PATIENCE)) {
            self.release(&held, "no place became free in time");
        }
    }

    fn release(&mut self, held: &Held, why: &str) {
        let completion = record::never_started(&held.attempt, why, self.time.now(&*self.env.clock));
        self.note_end(End { completion, condition: Condition::Always });
    }

    fn start(&mut self, held: Held) {
        let Some(pipeline) = self.pipelines.get(&held.attempt.run.pipeline) else { return };
        let now = self.time.now(&*self.env.clock);
        let timeout = pipeline.timeout.and_then(|timeout| jiff::SignedDuration::try_from(timeout).ok());
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout).ok());
        let places = u32::try_from(self.options.jobs).unwrap_or(u32::MAX);
        let job = execute::job(self.env, pipeline, &held.attempt, held.stop_at(), deadline, places);
        let executor = self.env.executor.clone();
        let attempt = &held.attempt;
        tracing::debug!(run = attempt.run.id(), attempt = attempt.number, fence = attempt.fence, "starts");
        (self.options.watch)(Event::Started(attempt));
        let token = attempt.token;
        self.running.insert(token, held);
        let task = self.bodies.spawn(async move { executor.run(job).await });
        self.tasks.insert(task.id(), token);
    }

    fn joined(&mut self, joined: Result<(Id, BodyEnded), JoinError>) {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, ended),
            Err(error) => (error.id(), BodyEnded::lost(format!("the executor failed: {error}"))),
        };
        if let Some(token) = self.tasks.remove(&id) {
            self.body_ended(token, &ended);
        }
    }

    fn body_ended(&mut self, token: Token, ended: &BodyEnded) {
        let Some(held) = self.running.remove(&token) else { return };
        let Some(pipeline) = self.pipelines.get(&held.attempt.run.pipeline) else { return };
        let now = self.time.now(&*self.env.clock);
        let completion = match record::lost_before_its_start(self.env, &held.attempt, ended) {
            true => record::never_started(&held.attempt, "its supervisor was gone before the start", now),
            false => record::completion(pipeline, &held.attempt, ended, &self.time, now),
        };
        self.unrecorded.insert(token, held.attempt.run.clone());
        self.lately.push_back(self.env.clock.boot());
        // Renewals may have failed for long: an outcome is tried for as long as anything else.
        (self.failures, self.failing_since, self.gives_up_at) = (0, None, None);
        self.leaves_at = self.leaves_at.map(|_| self.env.clock.boot().plus(AT_ONCE));
        self.note_end(End { completion, condition: Condition::Always });
    }

    fn note_end(&mut self, end: End) {
        self.ended_since.get_or_insert(self.env.clock.boot());
        self.ended.push(end);
    }

    /// Looks again at the pipelines whose instant has come.
    fn wake_up(&mut self) {
        let now = self.env.clock.boot();
        while let Some((at, id)) = self.wakes.pop_first() {
            if at > now {
                self.wakes.insert((at, id));
                return;
            }
            self.look_again.push(id);
        }
    }

    /// When there is something to do even if nothing happens.
    fn next_instant(&self, budget_at: Option<BootTime>) -> BootTime {
        let now = self.env.clock.boot();
        let never = now.plus(Duration::from_secs(3600));
        // After a failure all that is wanted of the run-log waits for this instant.
        let ask_again = Some(self.ask_not_before).filter(|at| *at > now);
        let renew = self.held().map(Held::renew_at).min();
        let give_back = self.claimed.front().map(|held| held.claimed_at.plus(PATIENCE));
        let together = self.ended_since.map(|since| since.plus(TOGETHER));
        let wake = self.wakes.first().map(|(at, _)| *at);
        let place = self.lately.front().map(|at| at.plus(LATELY)).filter(|_| !self.to_claim.is_empty());
        let mut next = [renew, give_back, together, wake, budget_at, place, ask_again]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(never);
        if self.asked.is_some() {
            next = budget_at.unwrap_or(never);
        } else {
            next = next.max(self.ask_not_before);
        }
        self.leaves_at.filter(|_| self.running.is_empty()).map_or(next, |at| next.min(at))
    }

    /// A run-log may fail by being slow: what counts then is not how often, but how long.
    fn lose_patience(&mut self) {
        let now = self.env.clock.boot();
        self.failing_since = self.failing_since.or(Some(now)).filter(|_| self.failures > 0);
        if self.failing_since.is_some_and(|since| now >= since.plus(FAILED_LONG)) {
            self.gives_up_at.get_or_insert(now);
        }
    }

    fn is_done(&self) -> bool {
        if self.running.is_empty() && self.leaves_at.is_some_and(|at| self.env.clock.boot() >= at) {
            return true;
        }
        let nothing_to_store = self.ended.is_empty() && self.to_note.is_empty();
        let given_up = self.gives_up_at.is_some_and(|at| self.env.clock.boot() >= at);
        let nothing_to_do = self.to_claim.is_empty()
            && self.look_again.is_empty()
            && self.wakes.is_empty()
            && self.claimed.is_empty()
            && nothing_to_store;
        self.running.is_empty() && self.asked.is_none() && (nothing_to_do || given_up)
    }

    fn tell_ended(&mut self, attempt: Attempt) {
        let outcome = attempt.outcome().map_or("", |outcome| outcome.word());
        tracing::info!(
            run = attempt.run.id(),
            attempt = attempt.number,
            outcome,
            error = attempt.end.as_ref().and_then(|end| end.error.as_deref()),
            "ended"
        );
        (self.options.watch)(Event::Ended(&attempt));
        self.report.ended.push(attempt);
    }
}
