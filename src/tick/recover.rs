//! Takes what a host has done without the run-log into it, before anything is decided.
//!
//! Holds always: the outage of this host is over before its records are read, so that nothing is added to them but ends;
//! dead workers are settled by their own start marks first; a record goes only after the run-log has it. Ended in the middle,
//! it is done again by the next tick, with the same records.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::env::{Env, StoreTime};
use super::gather::gather;
use crate::alert::{Alert, Kind};
use crate::failpoint::{self, Point};
use crate::plan::Folded;
use crate::run::Attempt;
use crate::runlog::contract::{Batch, Condition, End, Ended, Imported, Scope, Spooled};
use crate::runlog::spool::keep::{self, Flawed};
use crate::runlog::spool::{Folder, SpoolRunLog, Stored};
use crate::runlog::{Error, import};

/// So many attempts go into one request: it has to be answered in time, and a server takes texts of a few megabytes. What is done is done
/// for good, however the rest ends.
const AT_ONCE: usize = 200;

/// What was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Attempts and outcomes that are in the run-log now.
    pub taken: usize,
    /// How many of them the run-log had before.
    pub known: usize,
    /// Runs that were made twice, by their ids.
    pub twice: Vec<String>,
    /// Runs whose outcome the run-log has no attempt for, by their ids.
    pub unknown: Vec<String>,
    /// Records that no tick can have written.
    pub flawed: Vec<Flawed>,
}

/// Takes in what lies in `folder`.
///
/// # Errors
/// Those of the run-log; `Refused` where the spool cannot be read: what has run may run again.
pub async fn recover(env: &Env, folder: &Folder) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    let unreadable = |error: io::Error| Error::Refused {
        message: format!("the spool `{}` cannot be read: {error}", folder.path().display()),
        help: "make it readable: what is in it has run and is not in the run-log yet".into(),
    };
    if !keep::is_pending(folder).map_err(unreadable)? {
        return Ok(recovered);
    }
    let untold = keep::outage(folder).filter(|outage| !keep::was_told(folder, outage));
    keep::end_outage(folder).map_err(unreadable)?;
    let spool = SpoolRunLog::without_claims(folder.clone(), env.clock.clone());
    let local = Env { run_log: Arc::new(spool), ..env.clone() };
    gather(&local, &super::Pipelines::new(), &mut super::begun(env)).await?;
    recovered.flawed = keep::set_aside(folder).map_err(unreadable)?;
    let kept = keep::records(folder).map_err(unreadable)?;
    super::sights::take_in(env, folder).await?;
    take_in(env, &kept, &mut recovered, |name, stored| keep::remove(folder, name, stored)).await?;
    if let Some(outage) = untold {
        let why = "the run-log could not be used; it can again, and has what this host did meanwhile".into();
        let begun = of_outage(&env.owner.host, &outage, env.clock.now());
        // Another than the one that some have heard: who has seen an id does not look again.
        let alert = Alert { error: Some(why), id: format!("{}/over", begun.id), ..begun };
        env.in_time(env.run_log.post_alerts(vec![alert])).await?;
    }
    Ok(recovered)
}

/// What people are told of a time in which a host had no run-log.
pub fn of_outage(host: &str, outage: &str, at: Timestamp) -> Alert {
    let id = format!("{}/{host}/{outage}", Kind::Degraded);
    Alert { host: host.into(), ..Alert::new(Kind::Degraded, id, at) }
}

/// Takes in `kept`, each with a name that `done` is told when the run-log has it; `done` answers whether it was ours to
/// hand over, and not that of another tick.
///
/// # Errors
/// Those of the run-log.
pub async fn take_in(
    env: &Env,
    kept: &[(String, Stored)],
    recovered: &mut Recovered,
    done: impl Fn(&str, &Stored) -> io::Result<bool>,
) -> Result<(), Error> {
    let done = |name: &str, stored: &Stored| {
        done(name, stored).unwrap_or_else(|error| {
            tracing::error!(name, %error, "a record that the run-log has stays in the spool");
            false
        })
    };
    let mut attempts: Vec<(&(String, Stored), Spooled)> = kept
        .iter()
        .filter_map(|entry| match &entry.1 {
            Stored::Attempt { spooled, .. } => Some((entry, (**spooled).clone())),
            Stored::End { .. } => None,
        })
        .collect();
    attempts.sort_by_key(|(_, spooled)| import::order(spooled));
    mark_started(env, &attempts);
    count_by_the_run_log(env, &mut attempts).await?;
    for some in attempts.chunks(AT_ONCE) {
        let records = some.iter().map(|(_, spooled)| spooled.clone()).collect();
        let imported = env.in_time(env.run_log.import(records)).await?;
        failpoint::reached(Point::SpoolImported);
        for ((entry, spooled), imported) in some.iter().zip(imported) {
            match imported {
                Imported::Waits => continue,
                Imported::Duplicate(_) => recovered.twice.push(spooled.attempt.run.id()),
                Imported::Taken | Imported::Known => {}
            }
            let is_taken = usize::from(done(&entry.0, &entry.1));
            recovered.taken += is_taken;
            recovered.known += if imported == Imported::Known { is_taken } else { 0 };
        }
    }
    for (name, stored) in kept {
        let Stored::End { run, completion } = stored else { continue };
        let end = End { completion: (**completion).clone(), condition: Condition::Always };
        let committed = env.in_time(env.run_log.commit(Batch { ends: vec![end], transitions: Vec::new() })).await?;
        let is_taken = matches!(committed.ends.first(), Some(Ended::Folded(..)));
        if !is_taken {
            tracing::error!(run, outcome = %completion.outcome, "no attempt for an outcome of the spool");
            recovered.unknown.push(run.clone());
        }
        let is_taken = usize::from(done(name, stored) && is_taken);
        recovered.taken += is_taken;
        let is_known = matches!(committed.ends.first(), Some(Ended::Folded(Folded::Already, _)));
        recovered.known += if is_known { is_taken } else { 0 };
    }
    Ok(())
}

/// The lease of what still runs holds as long by the run-log's clock as by its host's boot clock: what the host's wall clock says of
/// its end is for nobody else.
async fn count_by_the_run_log(env: &Env, attempts: &mut [(&(String, Stored), Spooled)]) -> Result<(), Error> {
    let is_of_this_boot = |attempt: &Attempt| attempt.is_active() && attempt.owner.shares_boot_with(&env.owner);
    let running =
        attempts.iter_mut().map(|(_, spooled)| &mut spooled.attempt).filter(|attempt| is_of_this_boot(attempt));
    let running: Vec<&mut Attempt> = running.collect();
    if running.is_empty() {
        return Ok(());
    }
    let asked_at = env.clock.boot();
    let now = env.in_time(env.run_log.load(Scope::Only(Vec::new()))).await?.now;
    let time = StoreTime::told(now, asked_at);
    running.into_iter().for_each(|attempt| attempt.lease.until = time.of(attempt.lease.until_boot));
    Ok(())
}

/// Those that still run were started by marks that lie elsewhere: nobody is to take them over as what was never started.
fn mark_started(env: &Env, attempts: &[(&(String, Stored), Spooled)]) {
    let Some(marks) = env.run_log.start_marks() else { return };
    let mut running = attempts.iter().filter(|(_, spooled)| spooled.attempt.is_active()).peekable();
    let made = running.peek().is_some() && env.host.make_folder(&marks).is_ok();
    for (_, spooled) in running {
        if !made || !env.host.mark_started(&marks.join(spooled.attempt.token.to_string())) {
            tracing::error!(run = spooled.attempt.run.id(), "no start mark for what was started without the run-log");
        }
    }
}
