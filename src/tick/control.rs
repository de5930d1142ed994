//! Carries out what a person asks of one pipeline: load, decide, commit, and again where somebody was faster.
//!
//! What is asked for is decided by `plan::controls`; this is the shell around it, for commands that are no tick.
//!
//! Holds always: nothing is claimed; what is told as done is in the store; what is told as not done never gets there.

use super::{Options, Pipelines, with_situation};
use crate::pipeline::Pipeline;
use crate::plan::{Decision, Situation};
use crate::run::Row;
use crate::runlog::contract::{Batch, Scope, Transition, Verdict};
use crate::runlog::{Error, RunLog};

/// How often it is decided again after somebody else was faster.
const TRIES: u32 = 5;

/// What became of what a person has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controlled<T> {
    /// It is in the store; what was said with the decision.
    Done(T),
    /// There was nothing to change.
    Already(T),
    /// Others changed the pipeline each time; nothing was done.
    Busy,
}

/// Decides by `ask` about `pipeline` and commits it, up to five times; `pipelines` has what it depends on.
///
/// # Errors
/// Those of the run-log. `Unknown`: it may have been done or not, and asking again did not tell.
pub async fn control<T>(
    run_log: &dyn RunLog,
    pipeline: &Pipeline,
    pipelines: &Pipelines<'_>,
    ask: impl Fn(&Situation<'_>) -> (Decision, T),
) -> Result<Controlled<T>, Error> {
    let upstreams = pipeline.depends_on.iter().map(|upstream| upstream.pipeline.clone());
    let scope: Vec<_> = std::iter::once(pipeline.id.clone()).chain(upstreams).collect();
    for _ in 0..TRIES {
        let view = run_log.load(Scope::Only(scope.clone())).await?;
        let (decision, told) = with_situation(pipeline, pipelines, &view, Options::default().interval, &ask);
        if !decision.changed {
            return Ok(Controlled::Already(told));
        }
        let Decision { row, closed, not_run, stops, .. } = decision;
        let transition = Transition { row, claim: None, closed, not_run, stops, alerts: Vec::new() };
        if changed(run_log, transition).await? == Verdict::Won {
            return Ok(Controlled::Done(told));
        }
    }
    Ok(Controlled::Busy)
}

/// Commits `transition` and finds out what became of it, where the answer is lost.
async fn changed(run_log: &dyn RunLog, transition: Transition) -> Result<Verdict, Error> {
    let id = transition.row.pipeline.clone();
    let as_it_becomes = Row { version: transition.row.version + 1, ..transition.row.clone() };
    let batch = Batch { ends: Vec::new(), transitions: vec![transition] };
    let commit = async || run_log.commit(batch.clone()).await.map(|committed| committed.verdicts == [Verdict::Won]);
    let unknown = match commit().await {
        Err(error @ Error::Unknown { .. }) => error,
        Ok(true) => return Ok(Verdict::Won),
        Ok(false) => return Ok(Verdict::Lost),
        Err(error) => return Err(error),
    };
    // It may be there, or come yet. The same is sent again, on the same version: once that is won, or the row is another one,
    // what was sent first changes nothing any more.
    for _ in 0..TRIES {
        if matches!(commit().await, Ok(true)) {
            return Ok(Verdict::Won);
        }
        let Ok(view) = run_log.load(Scope::Only(vec![id.clone()])).await else { continue };
        match view.rows.get(&id) {
            Some(row) if *row == as_it_becomes => return Ok(Verdict::Won),
            Some(row) if row.version == as_it_becomes.version => return Ok(Verdict::Lost),
            // Others have changed it since: who was first cannot be told.
            Some(row) if row.version > as_it_becomes.version => break,
            _ => {}
        }
    }
    Err(unknown)
}
