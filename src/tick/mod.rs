//! One tick: gather, plan, claim, execute, record, report.
//!
//! `run_due` looks at every pipeline once; `run_by_hand` at one that a person named. Both end in the same loop (`work`),
//! which starts what is claimed, renews leases, records ends and claims what comes next.
//!
//! Holds always: a body is started only after its claim has been won; what is decided is decided by `plan`; all contact
//! with the world goes through `Env`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config;
use crate::occurrence::{PipelineId, Run};
use crate::pipeline::Pipeline;
use crate::plan::{self, Busy, Decision, Situation, UpstreamSight};
use crate::run::{Attempt, Outcome, Row};
use crate::runlog::Error;
use crate::runlog::contract::{Query, Record, View};

mod backfill;
mod claim;
mod control;
mod env;
mod execute;
mod figures;
mod gather;
mod history;
mod host;
mod outlets;
mod output_files;
mod record;
mod recover;
mod renamed;
mod report;
mod sights;
mod sweep;
mod work;

pub use backfill::{Backfilled, Span, attempts_of, backfill};
pub use control::{Controlled, control};
pub use env::{Env, Host, StartMark, StopWish, StoreTime, held_file};
pub use execute::rfc3339;
pub use gather::take_over_left;
pub use history::retention;
pub use host::{SystemHost, host_name};
pub use outlets::{About, Outlet, Outlets, tell_at_once};
pub use output_files::{Keep, OutputFile, find_output, output_file};
pub use recover::{Recovered, of_outage, recover, take_in};
pub use report::{Event, Report};
pub use sights::first_sights;
pub use sweep::MarkFile;

/// How a tick is to be done.
#[derive(Clone)]
pub struct Options {
    /// How far back a schedule seen for the first time reaches.
    pub interval: Duration,
    /// How many bodies may run at once.
    pub jobs: usize,
    /// Decide, and do nothing of it.
    pub dry_run: bool,
    /// Claim nothing more, and stop what runs, after this long.
    pub time_budget: Option<Duration>,
    /// Retries that are due within this long are made by this tick.
    pub short_retry: Duration,
    /// How much output of each pipeline is kept on this host.
    pub keep: Keep,
    /// How long history is kept in the run-log; none means for good.
    pub retention: Option<config::Retention>,
    /// Where alerts and figures go.
    pub outlets: Outlets,
    /// How long no tick was made on this host before this one; none if that is not known.
    pub gap: Option<Duration>,
    /// Why this tick does without the run-log; none where it has it.
    pub outage: Option<Outage>,
    /// Told what happens while it happens.
    pub watch: Arc<dyn Fn(Event<'_>) + Send + Sync>,
}

/// A time in which the run-log cannot be used, as a tick of that time reports it.
#[derive(Clone, Debug)]
pub struct Outage {
    /// Why, in words.
    pub why: String,
    /// What is due and left to the run-log.
    pub left_out: Vec<Run>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            interval: Duration::from_secs(60),
            jobs: 8,
            dry_run: false,
            time_budget: None,
            short_retry: Duration::from_secs(10),
            keep: Keep::default(),
            retention: None,
            outlets: Outlets::default(),
            gap: None,
            outage: None,
            watch: Arc::new(|_| {}),
        }
    }
}

/// Does one tick over `pipelines`.
///
/// # Errors
/// The run-log could not be used, and nothing was claimed. What fails later is in the report.
pub async fn run_due(env: &Env, pipelines: &[&Pipeline], options: &Options) -> Result<Report, Error> {
    let mut report = begun(env);
    if let Some(outage) = options.outage.clone() {
        (report.degraded, report.left_out) = (Some(outage.why), outage.left_out);
    }
    let by_id: Pipelines<'_> = pipelines.iter().map(|pipeline| (pipeline.id.clone(), *pipeline)).collect();
    let (view, time) = match options.dry_run {
        true => gather::look(env).await?,
        false => gather::gather(env, &by_id, &mut report).await?,
    };
    // What never started starts now, or is told when it does not.
    let lost = report.ended.iter().filter(|attempt| attempt.outcome() != Some(Outcome::Released));
    lost.for_each(|attempt| (options.watch)(Event::Ended(attempt)));
    report.started_at = view.now;
    report.ended_at = view.now;
    let decide = |pipeline: &&Pipeline| decide(pipeline, &by_id, &view, options.interval);
    // Of most pipelines there is nothing to say: a tick over thousands keeps no decision of theirs.
    let decided: Vec<Decision> = pipelines.iter().map(decide).filter(|decision| !decision.says_nothing()).collect();
    if options.dry_run {
        note_dry_run(&mut report, decided);
        return Ok(report);
    }
    let report = work::Work::new(env, by_id, options, time, report).until_done(decided).await;
    outlets::deliver(env, options, &report, view.alerts_pending).await;
    history::prune(env, options.retention.as_ref(), &report).await;
    figures::hand_over(env, options, pipelines.iter().map(|pipeline| &pipeline.id), &report, view).await;
    Ok(report)
}

/// What a run by hand has come to.
#[derive(Debug)]
pub enum ByHand {
    /// It was claimed and has ended, or waits for its next attempt.
    Done(Box<Report>),
    /// Another attempt of the pipeline is active.
    Busy(Busy),
}

/// Runs one pipeline now; `scheduled_for` repeats the run of that instant.
///
/// # Errors
/// As `run_due`.
pub async fn run_by_hand(
    env: &Env,
    pipeline: &Pipeline,
    scheduled_for: Option<Timestamp>,
    options: &Options,
) -> Result<ByHand, Error> {
    let mut lost = 0;
    loop {
        let mut report = begun(env);
        let by_id = BTreeMap::from([(pipeline.id.clone(), pipeline)]);
        let (view, time) = gather::gather(env, &by_id, &mut report).await?;
        report.started_at = view.now;
        report.ended_at = view.now;
        let run = Run { pipeline: pipeline.id.clone(), scheduled_for: scheduled_for.unwrap_or(view.now) };
        let latest = last_attempt(env, &run).await?;
        let decision = with_situation(pipeline, &by_id, &view, options.interval, |situation| {
            plan::by_hand(situation, run.scheduled_for, latest.as_ref())
        });
        let decision = match decision {
            Ok(decision) => decision,
            Err(busy) => return Ok(ByHand::Busy(busy)),
        };
        let work = work::Work::new(env, by_id, options, time, report).only(run.clone());
        let mut report = work.until_done(vec![decision]).await;
        outlets::deliver(env, options, &report, view.alerts_pending).await;
        figures::hand_over(env, options, options.outlets.known.keys(), &report, view).await;
        history::prune(env, options.retention.as_ref(), &report).await;
        // What was taken over from others on the way is no part of this run's answer.
        report.ended.retain(|attempt| attempt.run == run);
        if report.claimed_elsewhere == 0 || !report.ended.is_empty() || report.unrecorded.is_some() {
            return Ok(ByHand::Done(Box::new(report)));
        }
        // Something about the pipeline has changed meanwhile: look whether that is in the way.
        lost += 1;
        if lost == TRIES {
            return Ok(ByHand::Busy(Busy(run)));
        }
    }
}

/// How often a run by hand is claimed again after somebody else was faster.
const TRIES: u32 = 5;

async fn last_attempt(env: &Env, run: &Run) -> Result<Option<Attempt>, Error> {
    let query = Query { run: Some(run.clone()), attempts_only: true, limit: 1000, ..Query::default() };
    let records = env.in_time(env.run_log.history(query)).await?;
    let attempts = records.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    Ok(attempts.max_by_key(|attempt| attempt.number))
}

fn begun(env: &Env) -> Report {
    let id = format!("{:016x}", env.host.mint() >> 64);
    Report::begun(id, env.owner.host.clone(), env.clock.now())
}

/// What a tick would decide about `pipeline` now, going by what was loaded; `pipelines` has what it depends on.
pub fn would_decide(pipeline: &Pipeline, pipelines: &Pipelines<'_>, view: &View) -> Decision {
    decide(pipeline, pipelines, view, Options::default().interval)
}

/// Decides about one pipeline on what was loaded.
fn decide(pipeline: &Pipeline, pipelines: &Pipelines<'_>, view: &View, interval: Duration) -> Decision {
    with_situation(pipeline, pipelines, view, interval, plan::decide)
}

fn with_situation<T>(
    pipeline: &Pipeline,
    pipelines: &Pipelines<'_>,
    view: &View,
    interval: Duration,
    decide: impl FnOnce(&Situation<'_>) -> T,
) -> T {
    let absent;
    let row = match view.rows.get(&pipeline.id) {
        Some(row) => row,
        None => {
            absent = Row::absent(pipeline.id.clone());
            &absent
        }
    };
    let open: Vec<&Attempt> = view.open.get(&pipeline.id).into_iter().flatten().collect();
    let decided = view.decided.get(&pipeline.id).map_or(&[][..], Vec::as_slice);
    let upstreams: Vec<UpstreamSight<'_>> = pipeline
        .depends_on
        .iter()
        .map(|upstream| UpstreamSight {
            upstream,
            row: view.rows.get(&upstream.pipeline),
            pipeline: pipelines.get(&upstream.pipeline).copied(),
        })
        .collect();
    decide(&Situation { pipeline, row, open: &open, decided, upstreams: &upstreams, now: view.now, interval })
}

fn note_dry_run(report: &mut Report, decided: Vec<Decision>) {
    for decision in decided {
        note(report, &decision);
        report.due.extend(decision.claim);
        report.not_run.extend(decision.not_run);
    }
}

/// Takes what a decision says into the report, whether it is committed or not.
fn note(report: &mut Report, decision: &Decision) {
    if let Some(waiting) = &decision.waiting {
        report.waiting.insert(waiting.run.clone(), waiting.clone());
    }
    let name = decision.row.pipeline.to_string();
    report.notes.extend(decision.notes.iter().map(|note| (name.clone(), note.clone())));
}

/// Pipelines by their names.
pub type Pipelines<'a> = BTreeMap<PipelineId, &'a Pipeline>;
