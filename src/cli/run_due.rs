//! `tickward run-due`: one tick.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use super::exit::Exit;
use super::last_tick;
use super::outlets::OutletArgs;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session};
use super::{block_on, degraded, detach, foreseen, progress, signals, typed, unrecorded};
use crate::clock::{Clock, SystemClock};
use crate::pipeline::Pipeline;
use crate::runlog::Error;
use crate::tick::{self, Options, Report, StopWish, SystemHost};

mod say;
mod shadow;

use say::print_text;
pub use say::{DryRun, as_json, failed_json, print_notes};

/// One tick: claims and runs what is due, then exits
#[derive(clap::Args, Debug)]
pub struct RunDue {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// How far back a pipeline or schedule seen for the first time reaches, in seconds or as 90s, 5m
    #[arg(long, value_name = "D", default_value = "60", value_parser = interval)]
    interval: Duration,
    /// Pretend that it is this instant, for tests and rehearsals
    #[arg(long, value_name = "T", value_parser = typed::rehearsed)]
    now: Option<Timestamp>,
    #[command(flatten)]
    outlets: OutletArgs,
    #[command(flatten)]
    work: WorkArgs,
    /// Look at these pipelines only; may be repeated
    #[arg(long, value_name = "NAME|tag:T")]
    only: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave what is due to a process that goes on by itself, and end at once; not in a container of its own or a pod
    #[arg(long, conflicts_with_all = ["dry_run", "no_run_log"])]
    detach: bool,
    /// Be that process
    #[arg(long, hide = true, requires = "detach")]
    detached: bool,
    /// What is done while the run-log cannot be used, whatever the configuration says
    #[arg(long, value_name = "run|skip")]
    on_run_log_error: Option<degraded::OnError>,
    /// Decide and record in a run-log of its own, and run nothing: for a week beside cron
    #[arg(long, conflicts_with_all = ["dry_run", "no_run_log", "time_budget"])]
    shadow: bool,
    /// Print nothing while all is well; what `-o json` prints is printed all the same
    #[arg(short, long)]
    quiet: bool,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How work is done
#[derive(clap::Args, Debug, Clone)]
pub struct WorkArgs {
    /// How many pipelines may run at once [default: 4 for each processor, at least 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Claim nothing more, and stop what runs, after this long
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    pub time_budget: Option<Duration>,
}

impl WorkArgs {
    /// How many bodies may run at once.
    pub fn jobs(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        self.jobs.map_or((4 * processors).max(8), usize::from)
    }
}

/// A duration as people type it; a plain number means seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => {
            crate::config::duration(text).ok_or_else(|| "write seconds, or a duration such as 90s, 5m, 1h30m".into())
        }
    }
}

/// The longest interval: whoever writes more has mistaken the unit.
const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 86_400);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval > LONGEST_INTERVAL {
        return Err("it is longer than 366 days: write how often ticks come, such as 60, 5m, 1h".into());
    }
    Ok(interval)
}

impl RunDue {
    pub fn execute(&self) -> Exit {
        match self.work() {
            Ok(exit) => exit,
            Err(exit) => {
                if self.output == Format::Json {
                    print::json(&json!({ "error": "no tick was done: see standard error", "rc": exit.code() }));
                }
                exit
            }
        }
    }

    /// The exit of a tick that was done; the error is that of one that could not be.
    fn work(&self) -> Result<Exit, Exit> {
        if self.shadow {
            return shadow::tick(self);
        }
        // What is wrong with the configuration is told by the one who calls.
        let session = match self.detached {
            true => Session::load_with(&self.config, &self.run_log, &self.outlets),
            false => Session::load_for_work(&self.config, &self.run_log, &self.outlets)?,
        };
        let pipelines = Self::selected(&session, &self.only)?;
        if self.detach && !self.detached {
            return detach::start(&self.config.config, self.output, self.quiet);
        }
        block_on(self.tick(&session, &pipelines))?
    }

    async fn tick(&self, session: &Session, pipelines: &[&Pipeline]) -> Result<Exit, Exit> {
        // A rehearsal's ticks say nothing of this host's, and a dry run is none.
        let is_real = self.now.is_none() && !self.dry_run;
        let gap = is_real.then(|| last_tick::replace(&session.state_folder(), SystemClock.now())).flatten();
        let progress = Arc::new(progress::Progress::start(self.output).hushed(self.quiet));
        let watcher = progress.clone();
        let telling = self.detached.then(|| detach::Telling::begin(session.exit(), gap));
        let options = Options {
            interval: self.interval,
            jobs: self.work.jobs(),
            dry_run: self.dry_run,
            time_budget: self.work.time_budget,
            watch: Arc::new(move |event| match &telling {
                Some(telling) => telling.hear(&event),
                None => watcher.tell(&event),
            }),
            outlets: session.outlets.clone(),
            retention: session.loaded.retention.clone(),
            gap,
            ..Options::default()
        };
        let mut from_spool = 0;
        let report = self.report(session, pipelines, &options, &mut from_spool).await;
        progress.finish();
        let mut report = report.map_err(|error| session.run_log_failed(&error))?;
        unrecorded::keep_and_tell(session, &options, &mut report, signals::heeded()).await;
        let exit = exit_of(&report).or_worse(session.exit());
        if self.detached {
            return Ok(exit);
        }
        print_notes(&report);
        let dry_run = self.dry_run.then_some(DryRun { from_spool });
        match self.output {
            Format::Json => print::json(&as_json(&report, gap, dry_run, exit)),
            Format::Text if self.quiet && exit == Exit::Done && !self.dry_run => {}
            Format::Text => print_text(&report, dry_run),
        }
        Ok(exit)
    }

    /// What the tick has done, with the run-log or without.
    async fn report(
        &self,
        session: &Session,
        pipelines: &[&Pipeline],
        options: &Options,
        from_spool: &mut usize,
    ) -> Result<Report, Error> {
        let stop = signals::heeded();
        let done = self.with_run_log(session, pipelines, options, stop.clone(), from_spool).await;
        // Opening a file may have kept the event loop from hearing of a signal.
        tokio::task::yield_now().await;
        let signal = stop.borrow().signal();
        if let (Err(error), Some(signal)) = (&done, signal)
            && degraded::is_unavailable(error)
        {
            return Ok(stopped(signal, error));
        }
        let folder = session.host_folder().filter(|_| self.now.is_none() && !self.dry_run);
        let (why, folder) = match (done, folder) {
            (Err(error), Some(folder)) if degraded::is_unavailable(&error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                (format!("{error}{cause}"), folder)
            }
            (Ok(report), Some(folder)) if report.could_not_claim => (report.unrecorded.unwrap_or_default(), folder),
            (done, _) => return done,
        };
        degraded::run_due(session, folder, pipelines, options, (why, self.on_run_log_error), stop).await
    }

    async fn with_run_log(
        &self,
        session: &Session,
        pipelines: &[&Pipeline],
        options: &Options,
        stop: watch::Receiver<StopWish>,
        from_spool: &mut usize,
    ) -> Result<Report, Error> {
        let mut env = session.try_env(self.now, self.dry_run, stop)?;
        if self.dry_run
            && let Some(foreseen) = foreseen::foresee(session, &env.run_log).await?
        {
            (env.run_log, *from_spool) = (foreseen.run_log, foreseen.records);
        }
        let folder = session.host_folder().filter(|_| self.now.is_none() && !self.dry_run);
        if let Some(folder) = &folder {
            degraded::recover(session, &env, folder).await?;
        }
        let report = tick::run_due(&env, pipelines, options).await;
        env.executor.close().await;
        if let Some(folder) = &folder {
            degraded::note_run_log(session, folder);
        }
        report
    }

    /// The pipelines that `--only` names; all where it names none.
    ///
    /// # Errors
    /// `Usage`, after saying which name or tag nobody has.
    pub fn selected<'a>(session: &'a Session, only: &[String]) -> Result<Vec<&'a Pipeline>, Exit> {
        let all = &session.loaded.pipelines;
        if only.is_empty() {
            return Ok(all.iter().collect());
        }
        for name in only.iter().filter(|word| !word.starts_with("tag:")) {
            session.pipeline(name)?;
        }
        for tag in only.iter().filter_map(|word| word.strip_prefix("tag:")) {
            let mut tags = all.iter().flat_map(|pipeline| &pipeline.tags);
            if !tags.any(|known| known == tag) {
                let tags = all.iter().flat_map(|pipeline| pipeline.tags.iter().cloned());
                print::error(
                    &format!("no pipeline has the tag `{tag}`"),
                    &typed::meant(tags, tag, "tickward list -o json"),
                );
                return Err(Exit::Usage);
            }
        }
        let wanted = |pipeline: &&Pipeline| {
            only.iter().any(|word| match word.strip_prefix("tag:") {
                Some(tag) => pipeline.tags.iter().any(|has| has == tag),
                None => pipeline.id.name.as_str() == word || pipeline.id.to_string() == *word,
            })
        };
        Ok(all.iter().filter(wanted).collect())
    }
}

/// A tick that was told to stop before the run-log had answered: it begins nothing without it either.
fn stopped(signal: i32, error: &Error) -> Report {
    let owner = SystemHost.owner();
    let mut report = Report::begun(owner.id[..16].into(), owner.host, SystemClock.now());
    (report.stopped_by, report.unrecorded) = (Some(signal), Some(error.to_string()));
    report
}

/// What a tick's report means for the exit code.
pub fn exit_of(report: &Report) -> Exit {
    let mut exit = if report.has_failure() { Exit::Failed } else { Exit::Done };
    if report.out_of_time {
        exit = exit.or_worse(Exit::TimedOut);
    }
    if report.unrecorded.is_some() || !report.left_out.is_empty() {
        exit = exit.or_worse(Exit::RunLog);
    }
    report.stopped_by.map_or(exit, |signal| exit.or_worse(Exit::Signal(signal)))
}
