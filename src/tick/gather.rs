//! Loads what a tick decides on, after taking over what dead or silent workers have left.
//!
//! Holds always: an attempt is declared lost in a commit before the one that claims its successor.

use std::time::Duration;

use super::env::{Env, StartMark, StoreTime, held_file};
use super::report::Report;
use super::{Pipelines, renamed};
use crate::clock::BootTime;
use crate::failpoint::{self, Point};
use crate::occurrence::PipelineId;
use crate::plan::{Evidence, take_over};
use crate::run::Attempt;
use crate::runlog::Error;
use crate::runlog::contract::{Batch, Condition, End, Ended, Scope, View};

/// How long to wait, for all of them, until the bodies of dead workers have been ended by the processes that parent them.
const ENDING: Duration = Duration::from_secs(3);
/// How often it is looked whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The run-log as it stands, and the store's time; nothing is taken over.
///
/// # Errors
/// Those of the run-log.
pub async fn look(env: &Env) -> Result<(View, StoreTime), Error> {
    let asked_at = env.clock.boot();
    let view = env.in_time(env.run_log.load(Scope::All)).await?;
    let time = StoreTime::told(view.now, asked_at);
    Ok((view, time))
}

/// The run-log as it stands after what was left behind has been taken over, and the store's time.
///
/// # Errors
/// Those of the run-log; nothing was claimed.
pub async fn gather(env: &Env, pipelines: &Pipelines<'_>, report: &mut Report) -> Result<(View, StoreTime), Error> {
    let (mut view, mut time) = look(env).await?;
    if renamed::carry_over(env, pipelines, &view).await? {
        (view, time) = look(env).await?;
    }
    set_back_leases(env, &view).await?;
    let ends = take_overs(env, &view).await;
    if ends.is_empty() {
        return Ok((view, time));
    }
    for attempt in record(env, ends).await? {
        let outcome = attempt.outcome().map_or("", |outcome| outcome.word());
        tracing::info!(run = attempt.run.id(), attempt = attempt.number, outcome, "took over");
        report.ended.push(attempt);
    }
    look(env).await
}

/// Takes over what dead or silent workers have left of these pipelines, as a tick does before it decides; returns the
/// attempts that have ended by it.
///
/// # Errors
/// Those of the run-log.
pub async fn take_over_left(env: &Env, pipelines: &[PipelineId]) -> Result<Vec<Attempt>, Error> {
    let view = env.in_time(env.run_log.load(Scope::Only(pipelines.to_vec()))).await?;
    let ends = take_overs(env, &view).await;
    if ends.is_empty() { Ok(Vec::new()) } else { record(env, ends).await }
}

/// Commits the ends, and returns the attempts that have ended by them.
async fn record(env: &Env, ends: Vec<End>) -> Result<Vec<Attempt>, Error> {
    let committed = env.in_time(env.run_log.commit(Batch { ends, transitions: Vec::new() })).await?;
    failpoint::reached(Point::TakenOver);
    let mut taken = Vec::new();
    for ended in committed.ends {
        if let Ended::Folded(crate::plan::Folded::Ended, attempt) = ended {
            clear_mark(env, &attempt);
            taken.push(*attempt);
        }
    }
    Ok(taken)
}

/// Leases that a wrong clock has put far off would hold claims whose workers are long dead.
async fn set_back_leases(env: &Env, view: &View) -> Result<(), Error> {
    let active = view.open.values().flatten().filter(|attempt| attempt.is_active());
    for attempt in active.filter(|attempt| !attempt.owner.shares_boot_with(&env.owner)) {
        if let Some(lease) = attempt.lease.set_back(view.now) {
            tracing::warn!(run = attempt.run.id(), until = %attempt.lease.until, "lease set back: a clock was wrong");
            env.in_time(env.run_log.renew(vec![attempt.token], lease)).await?;
        }
    }
    Ok(())
}

/// Removes the start mark of an attempt that nobody can start any more, because all who could are gone.
fn clear_mark(env: &Env, attempt: &Attempt) {
    let Some(folder) = env.run_log.start_marks() else { return };
    if env.host.is_gone(&attempt.owner) && !env.host.is_held(&held_file(&folder, &attempt.owner)) {
        env.host.remove_mark(&folder.join(attempt.token.to_string()));
        failpoint::reached(Point::TakeOverCleared);
    }
}

async fn take_overs(env: &Env, view: &View) -> Vec<End> {
    let mut ends = Vec::new();
    let until = env.clock.boot().plus(ENDING);
    let active = view.open.values().flatten().filter(|attempt| attempt.is_active());
    for attempt in active.filter(|attempt| attempt.owner.id != env.owner.id) {
        // A clock that is common to us and the owner never steps: where there is one, it alone judges.
        let boot = attempt.owner.shares_boot_with(&env.owner).then(|| env.clock.boot());
        let lease_is_over = attempt.lease.is_over(view.now, boot);
        let mut evidence = match env.host.is_gone(&attempt.owner) {
            true => Evidence::OwnerGone,
            false if lease_is_over => Evidence::LeaseOver,
            false => continue,
        };
        // Elsewhere nothing tells that the supervisor of who is gone still ends its bodies: the lease says when it must have.
        if env.run_log.start_marks().is_none() && !lease_is_over {
            continue;
        }
        let never_starts = match start_state(env, attempt, evidence, until).await {
            Some(never_starts) => never_starts,
            // Its supervisor cannot be waited for, or asked; past the lease that holds up nothing any more.
            None if lease_is_over => {
                evidence = Evidence::LeaseOver;
                false
            }
            None => continue,
        };
        ends.push(End {
            completion: take_over(attempt, evidence, never_starts, view.now),
            condition: match evidence {
                Evidence::OwnerGone => Condition::Always,
                Evidence::LeaseOver => Condition::LeaseOver { boot },
            },
        });
    }
    ends
}

/// Whether the attempt can never start any more; none while a body of a dead worker is still being ended.
async fn start_state(env: &Env, attempt: &Attempt, evidence: Evidence, until: BootTime) -> Option<bool> {
    // Marks are not written through to the disk, claims are: what was before the last boot may have lost its mark.
    if !attempt.owner.shares_boot_with(&env.owner) {
        return Some(false);
    }
    let Some(folder) = env.run_log.start_marks() else {
        end_leftovers(env, attempt, evidence, until).await;
        return Some(false);
    };
    if env.host.forestall(&folder.join(attempt.token.to_string())) == StartMark::Forestalled {
        failpoint::reached(Point::Forestalled);
        return Some(true);
    }
    let held = held_file(&folder, &attempt.owner);
    while evidence == Evidence::OwnerGone && env.host.is_held(&held) {
        if env.clock.boot() >= until {
            return None;
        }
        env.clock.sleep_until(env.clock.boot().plus(LOOK_AGAIN)).await;
    }
    end_leftovers(env, attempt, evidence, until).await;
    Some(false)
}

/// Only where worker and supervisor were killed in the same instant is anything left by now.
async fn end_leftovers(env: &Env, attempt: &Attempt, evidence: Evidence, until: BootTime) {
    while evidence == Evidence::OwnerGone && env.host.end_leftovers(&attempt.owner) > 0 && env.clock.boot() < until {
        env.clock.sleep_until(env.clock.boot().plus(LOOK_AGAIN)).await;
    }
}
