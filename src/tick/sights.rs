//! Remembers which schedules this host saw first while it had no run-log and started nothing.
//!
//! A schedule counts from when it is first seen. What such a tick has named as due has to be decided when the run-log is
//! back, so that instant is kept beside the spool, and told to the run-log before the next tick decides.
//!
//! Holds always: what the run-log knows already is left as it is; a record goes only after the run-log has it.

use std::collections::BTreeMap;

use super::env::Env;
use super::{Pipelines, decide};
use crate::occurrence::PipelineId;
use crate::pipeline::Pipeline;
use crate::plan;
use crate::run::Row;
use crate::runlog::Error;
use crate::runlog::contract::{Batch, Scope, Transition};
use crate::runlog::spool::{Folder, Seen, keep};

/// The schedules of `pipelines` that the run-log of `env` does not know, as a tick would note them now.
///
/// # Errors
/// Those of the run-log.
pub async fn first_sights(env: &Env, pipelines: &[&Pipeline], options: &super::Options) -> Result<Vec<Seen>, Error> {
    let view = env.in_time(env.run_log.load(Scope::All)).await?;
    let by_id: Pipelines<'_> = pipelines.iter().map(|pipeline| (pipeline.id.clone(), *pipeline)).collect();
    let new = |pipeline: &&&Pipeline| {
        let schedule = decide(pipeline, &by_id, &view, options.interval).row.schedules.into_iter().next()?;
        let known = view.rows.get(&pipeline.id).map_or(&[][..], |row| &row.schedules);
        let is_new = known.iter().all(|known| known.hash != schedule.hash);
        is_new.then(|| Seen { pipeline: pipeline.id.clone(), schedule })
    };
    let scheduled = pipelines.iter().filter(|pipeline| pipeline.schedule.is_some());
    Ok(scheduled.filter_map(|pipeline| new(&pipeline)).collect())
}

/// Tells the run-log what `folder` keeps of that.
///
/// # Errors
/// Those of the run-log; it is told again by the next tick.
pub async fn take_in(env: &Env, folder: &Folder) -> Result<(), Error> {
    let Ok(seen) = keep::seen(folder) else { return Ok(()) };
    if seen.is_empty() {
        return Ok(());
    }
    let ids = seen.iter().map(|seen| seen.pipeline.clone()).collect();
    let view = env.in_time(env.run_log.load(Scope::Only(ids))).await?;
    let mut rows: BTreeMap<PipelineId, Row> = BTreeMap::new();
    for Seen { pipeline, schedule } in &seen {
        let known = || view.rows.get(pipeline).cloned().unwrap_or_else(|| Row::absent(pipeline.clone()));
        let mut row = rows.get(pipeline).cloned().unwrap_or_else(known);
        if plan::note_seen(&mut row, schedule, view.now) {
            rows.insert(pipeline.clone(), row);
        }
    }
    let noted = |row| Transition {
        row,
        claim: None,
        closed: Vec::new(),
        not_run: Vec::new(),
        stops: Vec::new(),
        alerts: Vec::new(),
    };
    if !rows.is_empty() {
        // Whoever was faster has looked at the pipeline, and noted its schedule himself.
        let transitions = rows.into_values().map(noted).collect();
        env.in_time(env.run_log.commit(Batch { ends: Vec::new(), transitions })).await?;
    }
    if let Err(error) = keep::drop_seen(folder, &seen) {
        tracing::error!(%error, "schedules that the run-log knows stay beside the spool");
    }
    Ok(())
}
