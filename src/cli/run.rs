//! `tickward run NAME`: one pipeline now, through the same claim, record and retry policy as a tick.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::exit::Exit;
use super::outlets::OutletArgs;
use super::print::{self, Format};
use super::run_due::{WorkArgs, exit_of, failed_json};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, degraded, progress, signals, typed, unrecorded};
use crate::pipeline::{Body, Pipeline};
use crate::run::Outcome;
use crate::runlog::contract::Scope;
use crate::template::Template;
use crate::tick::{self, ByHand, Env, Options, Report, rfc3339};

/// Runs one pipeline now, claimed and recorded like any run
#[derive(clap::Args, Debug)]
pub struct Run {
    /// Which pipeline
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// Repeat the run of this instant: adds an attempt to it. One that is still to come must be of the schedule
    #[arg(long, value_name = "T", value_parser = typed::instant)]
    scheduled_for: Option<Timestamp>,
    /// Pretend that it is this instant, for tests and rehearsals
    #[arg(long, value_name = "T", value_parser = typed::rehearsed)]
    now: Option<Timestamp>,
    /// Use this program instead of the configured one, for this run only; there is no retry then
    #[arg(long, value_name = "PATH")]
    argv0: Option<String>,
    #[command(flatten)]
    outlets: OutletArgs,
    #[command(flatten)]
    work: WorkArgs,
    /// Further arguments for the command, for this run only; there is no retry then
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What `retry` has been told of how to run.
pub struct Again {
    /// Where the configuration is.
    pub config: ConfigArgs,
    /// Where the run-log is.
    pub run_log: RunLogArgs,
    /// The instant to pretend.
    pub now: Option<Timestamp>,
    /// How work is done.
    pub work: WorkArgs,
    /// How to print.
    pub output: Format,
}

/// By how much clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Whether nothing is ever due then: no run can be repeated, and none of the schedule is made in advance.
fn is_out_of_thin_air(pipeline: &Pipeline, at: Timestamp, now: Timestamp) -> bool {
    let is_occurrence =
        pipeline.schedule.as_ref().is_some_and(|schedule| schedule.previous_at_or_before(at) == Some(at));
    at.duration_since(now) > SKEW && !is_occurrence
}

impl Run {
    /// The command that makes another attempt of the run of `scheduled_for`.
    pub fn again(name: String, scheduled_for: Timestamp, how: Again) -> Run {
        let Again { config, run_log, now, work, output } = how;
        let scheduled_for = Some(scheduled_for);
        Run {
            name,
            config,
            run_log,
            scheduled_for,
            now,
            argv0: None,
            work,
            outlets: OutletArgs::default(),
            arguments: Vec::new(),
            output,
        }
    }

    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| {
            if self.output == Format::Json {
                let error = "nothing was run: see standard error";
                print::json(&json!({ "pipeline": &self.name, "error": error, "rc": exit.code() }));
            }
            exit
        })
    }

    /// The exit of a run that was made or is another's; the error is that of one that could not be.
    fn work(&self) -> Result<Exit, Exit> {
        let session = Session::load_for_work(&self.config, &self.run_log, &self.outlets)?;
        let pipeline = self.altered(session.pipeline(&self.name)?)?;
        block_on(self.run(&session, &pipeline))?
    }

    /// The pipeline with another program and further arguments, where they are asked for.
    ///
    /// # Errors
    /// `Usage`, after saying that a shell line has neither.
    fn altered<'p>(&self, pipeline: &'p Pipeline) -> Result<Cow<'p, Pipeline>, Exit> {
        if self.argv0.is_none() && self.arguments.is_empty() {
            return Ok(Cow::Borrowed(pipeline));
        }
        let mut altered = pipeline.clone();
        let Body::Argv(elements) = &mut altered.command.body else {
            print::error(
                &format!("the command of `{}` is a line for the shell: it has no program to replace", self.name),
                "write the command as a list, or leave out `--argv0` and what follows `--`",
            );
            return Err(Exit::Usage);
        };
        if let Some(program) = &self.argv0 {
            elements[0] = Template::literal(program);
        }
        elements.extend(self.arguments.iter().map(|argument| Template::literal(argument)));
        // A later tick would make the retry with what is configured.
        altered.retry.max_attempts = 1;
        Ok(Cow::Owned(altered))
    }

    async fn run(&self, session: &Session, pipeline: &Pipeline) -> Result<Exit, Exit> {
        let env = session.env(self.now, false, signals::heeded())?;
        if self.now.is_none() {
            degraded::recover_first(session, &env).await?;
        }
        if let Some(at) = self.scheduled_for.filter(|at| is_out_of_thin_air(pipeline, *at, env.clock.now())) {
            let message =
                format!("{} is still to come, and no instant of the schedule of `{}`", rfc3339(at), self.name);
            print::error(
                &message,
                &format!("`tickward next {}` shows those it has; without the flag it runs now", self.name),
            );
            return Err(Exit::Usage);
        }
        let progress = Arc::new(progress::Progress::start(self.output));
        let watcher = progress.clone();
        let options = Options {
            jobs: self.work.jobs(),
            time_budget: self.work.time_budget,
            watch: Arc::new(move |event| watcher.tell(&event)),
            outlets: session.outlets.clone(),
            retention: session.loaded.retention.clone(),
            ..Options::default()
        };
        let scheduled_for = self.scheduled_for.map(crate::occurrence::whole_micros);
        let done = tick::run_by_hand(&env, pipeline, scheduled_for, &options).await;
        env.executor.close().await;
        progress.finish();
        match done {
            Err(error) => {
                let stopped_by = env.stop.borrow().signal();
                Err(stopped_by.map_or(Exit::Done, Exit::Signal).or_worse(run_log_failed(&error)))
            }
            Ok(ByHand::Busy(busy)) => {
                if self.output == Format::Json {
                    print::json(&json!({ "pipeline": pipeline.id.to_string(), "active": busy.0.id(), "rc": 75 }));
                }
                print::error(
                    &format!("another run of `{}` is active: {}", self.name, busy.0.id()),
                    "`tickward status` shows what runs; try again when it has ended",
                );
                Ok(Exit::Busy)
            }
            Ok(ByHand::Done(mut report)) => {
                unrecorded::keep_and_tell(session, &options, &mut report, env.stop.clone()).await;
                let exit = self.tell(&report, pipeline);
                if report.unrecorded.is_none() && report.stopped_by.is_none() {
                    self.tell_what_follows(session, &env, pipeline, &report).await;
                }
                Ok(exit)
            }
        }
    }

    /// Says who makes the next attempt, which this command does not wait for; and that nothing of its schedule starts: a run that
    /// gave up has left that, this one or one before.
    async fn tell_what_follows(&self, session: &Session, env: &Env, pipeline: &Pipeline, report: &Report) {
        let scope = Scope::Only(vec![pipeline.id.clone()]);
        let Ok(view) = env.in_time(env.run_log.load(scope)).await else { return };
        let standing = view.rows.get(&pipeline.id).map(|row| &row.standing);
        let last = report.ended.iter().rfind(|attempt| attempt.run.pipeline == pipeline.id);
        if let Some(at) = last.and_then(|attempt| attempt.retry_at).map(rfc3339) {
            let is_paused = standing.is_some_and(|standing| standing.paused_at(view.now).is_some());
            print::note(&match (session.run_log_url(), is_paused) {
                (None, _) => "note: nobody makes the next attempt: without a run-log no tick knows of it".to_owned(),
                (_, true) => format!("note: the next attempt is made by a tick, once `{}` is resumed", self.name),
                (_, false) => format!("note: the next attempt is made by the first `tickward run-due` from {at} on"),
            });
        }
        if let Some(held) = standing.and_then(|standing| standing.held.as_ref()) {
            let (since, of) = (rfc3339(held.since), rfc3339(held.scheduled_for));
            print::note(&format!(
                "warning: `{name}` is held since {since}, when its run of {of} gave up: its schedule starts nothing until \
                 `tickward reset {name}`",
                name = self.name
            ));
        }
    }

    fn tell(&self, report: &Report, pipeline: &Pipeline) -> Exit {
        let last = report.ended.iter().rfind(|attempt| attempt.run.pipeline == pipeline.id);
        let exit = match last.and_then(|attempt| attempt.outcome()) {
            Some(Outcome::TimedOut) => exit_of(report).or_worse(Exit::TimedOut),
            _ => exit_of(report),
        };
        if let (Format::Json, Some(attempt)) = (self.output, last) {
            let mut object = failed_json(attempt);
            object["started_at"] = attempt.end.as_ref().and_then(|end| end.started_at).map(rfc3339).into();
            object["rc"] = json!(exit.code());
            print::json(&object);
        }
        if let (Format::Json, None) = (self.output, last) {
            let why = report.unrecorded.as_deref();
            print::json(&json!({ "pipeline": pipeline.id.to_string(), "error": why, "rc": exit.code() }));
        }
        unrecorded::print(report);
        exit
    }
}
