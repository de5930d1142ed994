//! A host whose run-log cannot be reached: the real mirror, the real spool and the real recovery, as the command drives them.
//!
//! What ran without the run-log never runs again on that host, and in the end the run-log knows of it (docs/degraded.md). What
//! two hosts do while both are cut off is not asked.

use std::sync::Arc;

use tickward::occurrence::Run;
use tickward::pipeline::{OnRunLogError, Pipeline};
use tickward::run::Attempt;
use tickward::runlog::Error;
use tickward::runlog::contract::{RunLog, Scope};
use tickward::runlog::memory::{MemoryRunLog, Tables};
use tickward::runlog::spool::beside::Mirrored;
use tickward::runlog::spool::{Folder, SpoolRunLog, Stored, keep, mirror};
use tickward::tick::{Env, Options, Outage, Report, first_sights, recover, run_due};

use crate::plants::Plant;
use crate::store::Remote;
use crate::world::World;

/// A tick as `run-due` makes it: with the run-log, or by the mirror and the spool of its host.
pub async fn due(
    world: &Arc<World>,
    (env, folder): (&Env, &Folder),
    pipelines: &[&Pipeline],
    options: &Options,
) -> Result<Report, Error> {
    let why = match with_run_log(world, (env, folder), pipelines, options).await {
        Err(error @ (Error::Unavailable { .. } | Error::Unknown { .. })) => error.to_string(),
        Ok(report) if report.could_not_claim => report.unrecorded.unwrap_or_default(),
        done => return done,
    };
    world.say(format!("{}: goes on without the run-log: {why}", env.owner.id));
    without_run_log(world, (env, folder), pipelines, options, why).await
}

/// The way of a tick to the store, without its mirror.
fn way(world: &Arc<World>, env: &Env) -> Remote {
    Remote { world: world.clone(), of_loop: of_loop(env), owner: env.owner.id.clone() }
}

async fn with_run_log(
    world: &Arc<World>,
    (env, folder): (&Env, &Folder),
    pipelines: &[&Pipeline],
    options: &Options,
) -> Result<Report, Error> {
    if world.shape.plant == Some(Plant::PlanBeforeImport) {
        let ended = keep::end_outage(folder);
        // Beside the mirror, which claims nothing that the spool has.
        env.in_time(env.run_log.load(Scope::All)).await?;
        let report = run_due(&Env { run_log: Arc::new(way(world, env)), ..env.clone() }, pipelines, options).await;
        env.in_time(env.run_log.load(Scope::All)).await?;
        if ended.is_ok() {
            recover(env, folder).await?;
        }
        return report;
    }
    let recovered = recover(env, folder).await?;
    if recovered.taken > 0 {
        world.say(format!("{}: takes {} from the spool", env.owner.id, recovered.taken));
    }
    run_due(env, pipelines, options).await
}

fn of_loop(env: &Env) -> usize {
    env.owner.host.trim_start_matches("host").parse().unwrap()
}

async fn without_run_log(
    world: &Arc<World>,
    (env, folder): (&Env, &Folder),
    pipelines: &[&Pipeline],
    options: &Options,
    why: String,
) -> Result<Report, Error> {
    let id = format!("{:032x}", env.host.mint());
    folder.make().unwrap();
    folder.wait_in_step("lock", &*env.clock).await;
    let spool = SpoolRunLog::open(folder.clone(), env.clock.clone(), id)
        .map_err(|error| Error::Unavailable { message: error.to_string(), source: None })?;
    let run_log: Arc<dyn RunLog> = match world.shape.plant {
        Some(Plant::ClaimsInMemory) => {
            let mut tables = Tables::default();
            tables.rows = mirror::read(folder).rows;
            Arc::new(MemoryRunLog::standing_in(env.clock.clone(), tables))
        }
        _ => {
            let (world, of_tick) = (world.clone(), env.clone());
            Arc::new(spool.renewing_in(Arc::new(move || Ok(Arc::new(way(&world, &of_tick))))))
        }
    };
    let env = Env { run_log, ..env.clone() };
    let (run, skip): (Vec<&Pipeline>, Vec<&Pipeline>) =
        pipelines.iter().partition(|pipeline| pipeline.on_run_log_error == OnRunLogError::Run);
    let look = Options { dry_run: true, ..options.clone() };
    let left_out = run_due(&env, &skip, &look).await?.due.into_iter().map(|draft| draft.run).collect();
    keep::note_seen(folder, first_sights(&env, &skip, options).await?).unwrap();
    let outage = Some(Outage { why, left_out });
    match run.is_empty() {
        true => run_due(&env, &run, &Options { outage, ..look }).await,
        false => run_due(&env, &run, &Options { outage, ..options.clone() }).await,
    }
}

/// The run-log as a tick of this host sees it.
pub fn mirrored(world: &World, env: Env, folder: &Folder) -> Env {
    if world.shape.plant == Some(Plant::NoMirror) {
        return env;
    }
    let mirrored = Mirrored::new(env.run_log.clone(), folder.clone(), env.clock.clone());
    Env { run_log: Arc::new(mirrored), ..env }
}

/// Keeps the outcomes that the run-log did not take; whether nothing is left that nobody knows.
pub fn keep_ends(folder: &Folder, report: &Report) -> bool {
    report.to_spool.iter().all(|(run, completion)| keep::put_end(folder, run, completion).is_ok())
}

/// What the spool of a host has of a run, whoever keeps its lock.
pub fn attempts(folder: &Folder, run: &Run) -> Vec<Attempt> {
    let kept = keep::records(folder).unwrap().into_iter().filter_map(|(_, stored)| match stored {
        Stored::Attempt { spooled, .. } => Some(spooled.attempt),
        Stored::End { .. } => None,
    });
    kept.filter(|attempt| attempt.run == *run).collect()
}

/// In the end no spool has anything that the run-log lacks.
pub fn audit(world: &Arc<World>) {
    for machine in 0..world.shape.loops {
        let Some(folder) = world.folder(machine) else { return };
        for (name, _) in keep::records(&folder).unwrap() {
            world.is_wrong(format!("{name} is still in the spool of host{machine}"));
        }
    }
}
