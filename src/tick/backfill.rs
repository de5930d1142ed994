//! Does one occurrence of the past that a person wants done: claims it, runs it, waits for its retries.
//!
//! Whether it is to be run is decided by `plan`; the claim and all that follows are those of any run (`work`).
//!
//! Holds always: this returns only when the run is over, was left to somebody else, or we were told to stop; of several
//! that want the same occurrence, one claims it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::env::{Env, StopWish};
use super::report::Report;
use super::{Options, begun, gather, with_situation, work};
use crate::clock::BootTime;
use crate::occurrence::Run;
use crate::pipeline::Pipeline;
use crate::plan;
use crate::run::{Attempt, Outcome};
use crate::runlog::Error;
use crate::runlog::contract::{Query, Record};

/// How often it is looked whether the way is free.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest wait for a retry without another look.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// More attempts of one run than this are not read.
const ATTEMPTS: usize = 1000;

/// How occurrences of the past are done.
#[derive(Clone)]
pub struct Span {
    /// Also those that were done.
    pub again: bool,
    /// So many runs of the pipeline may be active, at least 1.
    pub at_once: usize,
    /// Told, once for an occurrence, that this run has to end before it can start.
    pub waits: Arc<dyn Fn(&Run) + Send + Sync>,
}

/// What became of an occurrence.
#[derive(Debug)]
pub enum Backfilled {
    /// It was run, or we were told to stop before it was over.
    Ran(Box<Report>),
    /// It had been done.
    Done,
    /// Somebody else runs it.
    Active,
}

/// Does the occurrence of `scheduled_for`.
///
/// # Errors
/// The run-log could not be used. What fails later is in the report.
pub async fn backfill(
    env: &Env,
    pipeline: &Pipeline,
    scheduled_for: Timestamp,
    span: &Span,
    options: &Options,
) -> Result<Backfilled, Error> {
    let run = Run { pipeline: pipeline.id.clone(), scheduled_for };
    if !span.again && plan::was_done(&attempts_of(env, &run).await?) {
        return Ok(Backfilled::Done);
    }
    let mut ended: Vec<Attempt> = Vec::new();
    let mut has_waited = false;
    loop {
        let mut report = begun(env);
        if let StopWish::Soon(signal) | StopWish::Now(signal) = *env.stop.borrow() {
            report.stopped_by = Some(signal);
            return Ok(ran(report, ended));
        }
        let by_id = BTreeMap::from([(pipeline.id.clone(), pipeline)]);
        let (view, time) = gather::gather(env, &by_id, &mut report).await?;
        report.ended.clear();
        let attempts = attempts_of(env, &run).await?;
        let latest = attempts.iter().max_by_key(|attempt| attempt.number);
        if let Some(latest) = latest.filter(|latest| !ended.is_empty() && !latest.is_open()) {
            // Somebody else has made the attempt after ours.
            if ended.last().is_some_and(|ours| ours.number < latest.number) {
                ended.push(latest.clone());
            }
            return Ok(ran(report, ended));
        }
        let decided = with_situation(pipeline, &by_id, &view, options.interval, |situation| {
            plan::backfill(situation, scheduled_for, &attempts, span.at_once, span.again)
        });
        match decided {
            plan::Backfill::Claim(decision) => {
                report.started_at = view.now;
                let work = work::Work::new(env, by_id, options, time, report).only(run.clone());
                let mut report = work.until_done(vec![*decision]).await;
                ended.extend(report.ended.drain(..).filter(|attempt| attempt.run == run));
                if report.unrecorded.is_some() || report.stopped_by.is_some() || is_over(&ended) {
                    return Ok(ran(report, ended));
                }
            }
            plan::Backfill::Done => return Ok(Backfilled::Done),
            plan::Backfill::Active if ended.is_empty() && !latest.is_some_and(|it| env.host.is_gone(&it.owner)) => {
                return Ok(Backfilled::Active);
            }
            plan::Backfill::Active => wait(env, LOOK_AGAIN).await,
            plan::Backfill::Busy(busy) => {
                if !std::mem::replace(&mut has_waited, true) {
                    (span.waits)(&busy.0);
                }
                wait(env, LOOK_AGAIN).await;
            }
            plan::Backfill::Later(at) => {
                let left = Duration::try_from(at.duration_since(view.now)).unwrap_or_default();
                wait(env, left.min(LONGEST_WAIT)).await;
            }
        }
    }
}

/// All attempts at a run, in any order.
///
/// # Errors
/// Those of the run-log.
pub async fn attempts_of(env: &Env, run: &Run) -> Result<Vec<Attempt>, Error> {
    let query = Query { run: Some(run.clone()), attempts_only: true, limit: ATTEMPTS, ..Query::default() };
    let records = env.in_time(env.run_log.history(query)).await?;
    let attempts = records.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    Ok(attempts.collect())
}

fn ran(mut report: Report, ended: Vec<Attempt>) -> Backfilled {
    report.ended = ended;
    Backfilled::Ran(Box::new(report))
}

/// Whether no further attempt follows: done, given up, or ended by a person.
fn is_over(ended: &[Attempt]) -> bool {
    ended.last().is_some_and(|last| last.retry_at.is_none() && last.outcome() != Some(Outcome::Released))
}

/// Waits this long, or until we are told to stop.
async fn wait(env: &Env, this_long: Duration) {
    let mut stop = env.stop.clone();
    let until: BootTime = env.clock.boot().plus(this_long);
    if *stop.borrow_and_update() != StopWish::None {
        return;
    }
    tokio::select! {
        biased;
        Ok(()) = stop.changed() => {}
        () = env.clock.sleep_until(until) => {}
    }
}
