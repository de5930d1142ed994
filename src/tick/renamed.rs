//! Carries over what the run-log knows of a pipeline that has got another name (`previously`).
//!
//! Costs nothing for pipelines that had no other name, or whose history goes on under the new one already.
//!
//! Holds always: while a pipeline of the old name is configured too, nothing is carried over.

use super::{Env, Pipelines};
use crate::occurrence::PipelineId;
use crate::runlog::Error;
use crate::runlog::contract::{Verdict, View};

/// Gives what is known under earlier names the names of `pipelines`; whether that has changed anything.
///
/// # Errors
/// Those of the run-log.
pub async fn carry_over(env: &Env, pipelines: &Pipelines<'_>, view: &View) -> Result<bool, Error> {
    let mut changed = false;
    for (id, pipeline) in pipelines {
        let Some(name) = &pipeline.previously else { continue };
        let from = PipelineId { namespace: id.namespace.clone(), name: name.clone() };
        let is_free = !pipelines.contains_key(&from) && view.rows.get(id).is_none_or(|row| row.gives_way());
        let is_known = view.rows.get(&from).is_some_and(|row| row.may_move()) || view.open.contains_key(&from);
        if !is_free || !is_known {
            continue;
        }
        // Where another tick was faster, what it has done is looked at again too.
        let verdict = env.in_time(env.run_log.rename(from.clone(), id.clone())).await?;
        tracing::info!(pipeline = %id, previously = %from, won = verdict == Verdict::Won, "renamed");
        changed = true;
    }
    Ok(changed)
}
