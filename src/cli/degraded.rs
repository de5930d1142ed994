//! Ticks on while the run-log cannot be used: by the mirror and the spool of this host, as each pipeline's policy says.
//!
//! What is refused, or an address that is no good, is not for this file: a person has to act.
//!
//! Holds always: one host starts an attempt once; where there is no disk for a spool, that is said, and each outcome is
//! printed as a line that `tickward spool import` takes.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::exit::Exit;
use super::session::{Session, run_log_failed};
use super::{block_on, print, unrecorded};
use crate::alert::Alert;
use crate::clock::{Clock, SystemClock};
use crate::config::secret::masked;
use crate::pipeline::{OnRunLogError, Pipeline};
use crate::runlog::memory::{MemoryRunLog, Tables};
use crate::runlog::spool::{Folder, SpoolRunLog, Stored, begin_after, keep, mirror};
use crate::runlog::{self, Error, RunLog, contract::Spooled};
use crate::tick::{self, Env, Host, Options, Outage, Outlets, Recovered, Report, StopWish, SystemHost};

mod heard;

/// What is done while the run-log cannot be used, as people type it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnError {
    /// Each host runs what is due by itself.
    Run,
    /// Nothing starts.
    Skip,
}

/// Whether a tick may go on without the run-log, which did this.
pub fn is_unavailable(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. } | Error::Unknown { .. })
}

/// Says why a command has no run-log, and what goes on without it.
pub fn failed(session: &Session, error: &Error) -> Exit {
    let exit = session.run_log_failed(error);
    let keeps = |folder: &Folder| folder.path().exists() && !runlog::is_read_only(folder.path());
    if is_unavailable(error) && session.host_folder().as_ref().is_some_and(keeps) {
        print::note(&format!(
            "help: ticks of this host do without it, by `on_run_log_error`: `tickward spool list` shows what they did; what was \
             printed is under `{}`",
            session.state_folder().join("output").display()
        ));
    }
    exit
}

/// Does a tick over `pipelines` without the run-log, for this reason.
///
/// # Errors
/// The spool failed before anything was claimed in it.
pub async fn run_due(
    session: &Session,
    folder: Folder,
    pipelines: &[&Pipeline],
    options: &Options,
    (why, wish): (String, Option<OnError>),
    stop: watch::Receiver<StopWish>,
) -> Result<Report, Error> {
    let runs = |pipeline: &&&Pipeline| match wish {
        Some(wish) => wish == OnError::Run,
        None => pipeline.on_run_log_error == OnRunLogError::Run,
    };
    let (run, skip): (Vec<&Pipeline>, Vec<&Pipeline>) = pipelines.iter().partition(runs);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (run_log, no_disk) = stand_in(session, &folder, &clock, options.interval)?;
    if no_disk.is_none() {
        note_run_log(session, &folder);
    }
    print::note(&masked(&print::printable(&format!("warning: {why}"))));
    if !run.is_empty() {
        print::note(match &no_disk {
            None => "warning: degraded: this host runs what is due by itself; several hosts will do so several times",
            Some(_) => {
                "warning: degraded, and claims are kept in memory only: ticks at once, or closer than `--interval`, run the same twice"
            }
        });
    }
    if let Some(error) = &no_disk {
        print::note(&format!("warning: no spool in `{}`: {error}", folder.path().display()));
    }
    let env = session.env_with(run_log, clock, stop);
    let look = Options { dry_run: true, ..options.clone() };
    let left_out = tick::run_due(&env, &skip, &look).await?.due.into_iter().map(|draft| draft.run).collect();
    if no_disk.is_none() {
        let seen = tick::first_sights(&env, &skip, options).await?;
        if let Err(error) = keep::note_seen(&folder, seen) {
            tracing::error!(%error, "what is new and was left out may not be decided when the run-log is back");
        }
    }
    let outage = Some(Outage { why: why.clone(), left_out });
    let report = match run.is_empty() {
        true => tick::run_due(&env, &run, &Options { outage, ..look }).await?,
        false => tick::run_due(&env, &run, &Options { outage, ..options.clone() }).await?,
    };
    env.executor.close().await;
    let mut report = report;
    if no_disk.is_some() {
        report.unkept = report.ended.iter().map(|attempt| attempt.run.id()).collect();
    }
    let lost = unrecorded::said(&report.unkept).map(|lost| format!("; {lost}")).unwrap_or_default();
    tell_outage(&env, options, &folder, &format!("{why}{lost}")).await;
    for run in &report.left_out {
        print::note(&format!("skipped   {} of {} (run_log_error)", run.pipeline, run.scheduled_for));
    }
    if no_disk.is_some() {
        let ended = report.ended.iter().cloned();
        let lines = ended.map(|attempt| Stored::Attempt {
            spooled: Box::new(Spooled { attempt, after: None, schedule: String::new() }),
            outage: String::new(),
        });
        lines.for_each(|stored| print::note(&stored.line()));
    }
    Ok(report)
}

/// Notes which run-log the spool in `folder` is for: `spool list` tells it.
pub fn note_run_log(session: &Session, folder: &Folder) {
    let Some(shown) = session.run_log_shown() else { return };
    if let Err(error) = keep::note_run_log(folder, &shown) {
        tracing::debug!(%error, "it is not noted which run-log a spool is for");
    }
}

/// Tells people of the outage, each alerter once; without a disk each tick does.
async fn tell_outage(env: &Env, options: &Options, folder: &Folder, why: &str) {
    let outage = keep::outage(folder);
    if outage.as_ref().is_some_and(|outage| keep::was_told(folder, outage)) {
        return;
    }
    let name = outage.clone().unwrap_or_else(|| env.owner.id.clone());
    let before = outage.as_ref().map(|outage| heard::of(folder, outage)).unwrap_or_default();
    let heard = tell_those_who_have_not(env, options, (&name, why), before.clone()).await;
    let Some(outage) = outage.filter(|_| heard != before) else { return };
    // Where there is no alerter, the alert waits in the run-log for one, when that is back.
    if options.outlets.alerters.iter().any(|outlet| !heard.contains(outlet.alerter.name())) {
        heard::note(folder, &outage, heard);
    } else if let Err(error) = keep::note_told(folder, &outage) {
        tracing::debug!(%error, "it is not noted that the outage was told");
    }
}

/// Tells those alerters, all at once, that are not among `heard`; returns who has heard now.
async fn tell_those_who_have_not(
    env: &Env,
    options: &Options,
    (name, why): (&str, &str),
    mut heard: BTreeSet<String>,
) -> BTreeSet<String> {
    let mut tasks = JoinSet::new();
    for outlet in options.outlets.alerters.iter().filter(|outlet| !heard.contains(outlet.alerter.name())) {
        let alerter = outlet.alerter.name().to_owned();
        let outlets = Outlets { alerters: vec![outlet.clone()], ..options.outlets.clone() };
        let (env, options) = (env.clone(), Options { outlets, ..options.clone() });
        let (name, why) = (name.to_owned(), why.to_owned());
        tasks.spawn(async move { tell_at_once(&env, &options, &name, &why).await.then_some(alerter) });
    }
    while let Some(joined) = tasks.join_next().await {
        heard.extend(joined.ok().flatten());
    }
    heard
}

/// Tells people that this host has no run-log, or no place for what it has done, under a name of its own.
pub async fn tell_at_once(env: &Env, options: &Options, name: &str, why: &str) -> bool {
    let alert = Alert { error: Some(masked(why)), ..tick::of_outage(&env.owner.host, name, env.clock.now()) };
    // A tick that is told to stop leaves it to the next one.
    tick::tell_at_once(env, options, alert).await && *env.stop.borrow() == StopWish::None
}

/// A spool; where there is no disk for one, a run-log in memory, and why. Nobody remembers what was done by that: what fell due
/// before the last interval was for the tick before this one.
///
/// # Errors
/// Another tick of this host keeps the spool's lock: it may claim in the run-log at this very moment.
fn stand_in(
    session: &Session,
    folder: &Folder,
    clock: &Arc<dyn Clock>,
    interval: Duration,
) -> Result<(Arc<dyn RunLog>, Option<io::Error>), Error> {
    let spool = SpoolRunLog::open(folder.clone(), clock.clone(), format!("{:032x}", SystemHost.mint()));
    Ok(match spool {
        Ok(spool) => (Arc::new(spool.renewing_in(session.reach(clock.clone()))), None),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            let message = "another tick of this host may be claiming: nothing is started beside it".into();
            return Err(Error::Unavailable { message, source: Some(Box::new(error)) });
        }
        Err(error) => {
            let known = mirror::read(folder);
            let mut rows: Vec<_> = known.rows.into_values().collect();
            let earliest = clock.now().checked_sub(interval).unwrap_or(clock.now());
            rows.iter_mut().for_each(|row| begin_after(row, earliest));
            let mut tables = Tables::default();
            tables.rows = rows.into_iter().map(|row| (row.pipeline.clone(), row)).collect();
            (Arc::new(MemoryRunLog::standing_in(clock.clone(), tables)), Some(error))
        }
    })
}

/// Takes into the run-log what this host has done without it, and says what a person should know of that.
///
/// # Errors
/// As `tick::recover`.
pub async fn recover(session: &Session, env: &Env, folder: &Folder) -> Result<(), Error> {
    for folder in former(session, folder).iter().chain([folder]) {
        tell(&tick::recover(env, folder).await?);
    }
    Ok(())
}

/// The same, before a command judges what a person asks for.
///
/// # Errors
/// `RunLog`, after saying why.
pub async fn recover_first(session: &Session, env: &Env) -> Result<(), Exit> {
    let Some(folder) = session.host_folder() else { return Ok(()) };
    recover(session, env, &folder).await.map_err(|error| run_log_failed(&error))
}

/// The same for a command that has opened nothing but `run_log`.
///
/// # Errors
/// As `recover_first`.
pub fn recover_into(session: &Session, run_log: &Arc<dyn RunLog>, clock: Arc<dyn Clock>) -> Result<(), Exit> {
    let (_asks, stop) = watch::channel(StopWish::None);
    let env = session.env_with(run_log.clone(), clock, stop);
    block_on(recover_first(session, &env)).flatten()
}

/// Says what was taken in.
pub fn tell(recovered: &Recovered) {
    if recovered.taken > 0 {
        print::note(&format!("recorded  {} from the spool of this host", recovered.taken));
    }
    tell_trouble(recovered);
}

/// Says what of it a person should look at.
pub fn tell_trouble(recovered: &Recovered) {
    for run in &recovered.twice {
        print::note(&format!(
            "warning: {run} ran twice: another host, or this one before, made it too while the run-log could not be used"
        ));
    }
    for record in &recovered.flawed {
        let see = record.path.as_ref().map(|path| format!("; see `{}`", path.display())).unwrap_or_default();
        print::note(&format!("warning: {} is not recorded: {}{see}", record.run, record.why));
    }
    for run in &recovered.unknown {
        print::note(&format!("warning: {run}: the run-log has no attempt for an outcome of the spool"));
    }
}

/// The folders, but for `folder`, of what the address of the run-log's file led to before: it was moved and has a link in its
/// place, or the link was changed.
pub fn former(session: &Session, folder: &Folder) -> Vec<Folder> {
    // What a relative path means depends on who asks.
    let is_absolute = session.run_log_file().is_some_and(|file| file.is_absolute());
    let Some(shown) = session.run_log_shown().filter(|_| is_absolute) else { return Vec::new() };
    let mut all = folders(&session.state_folder()).unwrap_or_default();
    all.retain(|other| other.path() != folder.path() && keep::run_log(other).as_ref() == Some(&shown));
    all
}

/// The folders of all run-logs that this host knows.
///
/// # Errors
/// Those of the file system.
pub fn folders(state: &Path) -> io::Result<Vec<Folder>> {
    let entries = match std::fs::read_dir(state.join("host")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths.into_iter().map(Folder::at).collect())
}
