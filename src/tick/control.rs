//! Carries out what a person asks of one pipeline: load, decide, commit, and again where somebody was faster.
//!
//! What is asked for is decided by `plan::controls`; this is the shell around it, for commands that are no tick.
//!
//! Holds always: nothing is claimed; what is told as done is in the store.

use super::{Options, Pipelines, with_situation};
use crate::pipeline::Pipeline;
use crate::plan::{Decision, Situation};
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
/// Those of the run-log. After `Unknown` it may have been done or not.
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
        let transitions = vec![Transition { row, claim: None, closed, not_run, stops, alerts: Vec::new() }];
        let committed = run_log.commit(Batch { ends: Vec::new(), transitions }).await?;
        if committed.verdicts == [Verdict::Won] {
            return Ok(Controlled::Done(told));
        }
    }
    Ok(Controlled::Busy)
}
