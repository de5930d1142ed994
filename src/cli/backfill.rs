//! `tickward backfill NAME`: the occurrences of a span of the past, oldest first.
//!
//! Which of them are still to be done is asked of the run-log when their turn comes, so that a backfill which was ended
//! goes on where it stopped, and two of them share the work.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::exit::Exit;
use super::print::{self, Format};
use super::run_due::{exit_of, failed_json};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::typed::When;
use super::{block_on, degraded, progress, signals, typed, unrecorded};
use crate::occurrence::Run;
use crate::pipeline::Pipeline;
use crate::plan::was_done;
use crate::run::{Attempt, Outcome};
use crate::runlog::Error;
use crate::runlog::spool::Folder;
use crate::tick::{self, Backfilled, Env, Options, Report, Span, rfc3339};

/// More occurrences than this are run only with `--yes`.
const MANY: usize = 10_000;

/// Runs the occurrences of a span of the past, oldest first; those that succeeded are left out
#[derive(clap::Args, Debug)]
pub struct Backfill {
    /// Which pipeline
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// The first instant of the span; a date is the midnight that begins it in the pipeline's zone, 7d a week ago
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    from: When,
    /// The end of the span, itself not in it; written like the other
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    to: When,
    /// Say what would be run, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// How many of the occurrences may run at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Also those that succeeded
    #[arg(long)]
    again: bool,
    /// Go on after an occurrence that failed for good
    #[arg(long)]
    keep_going: bool,
    /// Run more than 10,000 occurrences
    #[arg(long)]
    yes: bool,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What has come of the span so far.
#[derive(Default)]
struct Sum {
    /// Where outcomes wait that the run-log does not take.
    folder: Option<Folder>,
    succeeded: Vec<Attempt>,
    failed: Vec<Attempt>,
    /// Done before.
    done: usize,
    /// Run by somebody else.
    active: usize,
    /// Not looked at, because of what came before.
    left: usize,
    exit: Option<Exit>,
    error: Option<Error>,
}

impl Backfill {
    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| exit)
    }

    fn work(&self) -> Result<Exit, Exit> {
        let session = Session::load(&self.config, &self.run_log)?;
        let pipeline = session.pipeline(&self.name)?;
        block_on(async {
            let env = session.env(None, self.dry_run, signals::heeded())?;
            if !self.dry_run {
                degraded::recover_first(&session, &env).await?;
            }
            let now = env.clock.now();
            let occurrences = self.occurrences(pipeline, now)?;
            match self.dry_run {
                true => self.tell_what_would_run(&env, pipeline, &occurrences).await,
                false => Ok(self.run((env, session.host_folder()), pipeline, &occurrences, now).await),
            }
        })?
    }

    /// The occurrences of the span that have come, oldest first.
    fn occurrences(&self, pipeline: &Pipeline, now: Timestamp) -> Result<Vec<Timestamp>, Exit> {
        let refuse = |message: String, help: &str| {
            print::error(&message, help);
            Err(Exit::Usage)
        };
        let (from, to) = match self.span(pipeline, now) {
            Ok(span) => span,
            Err(message) => return refuse(message, ""),
        };
        if from >= to {
            return refuse("the span is empty: `--from` is not before `--to`".into(), "");
        }
        let Some(schedule) = &pipeline.schedule else {
            let message = format!("`{}` has no schedule: a span has no occurrences of it", self.name);
            return refuse(message, &format!("`tickward run {} --scheduled-for T` runs it for one instant", self.name));
        };
        let tiny = SignedDuration::from_micros(1);
        let before = |instant: Timestamp| instant.checked_sub(tiny).unwrap_or(Timestamp::MIN);
        let until = before(to).min(now);
        if until < before(to) {
            print::note(&format!("note: what has not come yet is left to ticks: goes up to {}", print::instant(now)));
        }
        let most = if self.yes { usize::MAX } else { MANY + 1 };
        let all: Vec<_> = schedule.occurrences_between(before(from), until).take(most).collect();
        if all.len() > MANY && !self.yes {
            let help = "choose a shorter span, or add `--yes`";
            return refuse(format!("the span has more than {MANY} occurrences of `{}`", self.name), help);
        }
        Ok(all)
    }

    /// From when to when; days begin in the pipeline's zone.
    fn span(&self, pipeline: &Pipeline, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
        let zone = pipeline.schedule.as_ref().map_or(TimeZone::UTC, |schedule| schedule.zone().clone());
        Ok((self.from.resolve(now, &zone)?, self.to.resolve(now, &zone)?))
    }

    async fn tell_what_would_run(
        &self,
        env: &Env,
        pipeline: &Pipeline,
        occurrences: &[Timestamp],
    ) -> Result<Exit, Exit> {
        let mut due = Vec::new();
        for &scheduled_for in occurrences {
            let run = Run { pipeline: pipeline.id.clone(), scheduled_for };
            let attempts = tick::attempts_of(env, &run).await.map_err(|error| run_log_failed(&error))?;
            let is_active = attempts.iter().any(Attempt::is_active);
            if is_active || (was_done(&attempts) && !self.again) {
                continue;
            }
            let number = attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0) + 1;
            if self.output == Format::Text {
                print::note(&format!("would run {} attempt {number} (backfill)", run.id()));
            }
            due.push(json!({ "run_id": run.id(), "scheduled_for": rfc3339(scheduled_for), "attempt": number }));
        }
        let left_out = occurrences.len() - due.len();
        match self.output {
            Format::Json => print::json(&json!({
                "pipeline": pipeline.id.to_string(),
                "occurrences": occurrences.len(),
                "due": due,
                "rc": Exit::Done.code(),
            })),
            Format::Text => {
                print::note(&format!("backfill  {}: {} to run, {left_out} left out", pipeline.id, due.len()));
            }
        }
        Ok(Exit::Done)
    }

    async fn run(
        &self,
        (env, folder): (Env, Option<Folder>),
        pipeline: &Pipeline,
        occurrences: &[Timestamp],
        now: Timestamp,
    ) -> Exit {
        let progress = Arc::new(progress::Progress::start(self.output).of(occurrences.len()));
        let (watcher, waiter) = (progress.clone(), progress.clone());
        let is_quiet = self.output == Format::Json;
        let options = Options {
            jobs: usize::from(self.jobs),
            watch: Arc::new(move |event| watcher.tell(&event)),
            ..Options::default()
        };
        let waits = move |run: &Run| {
            if !is_quiet {
                waiter.note(&format!("waits     for {} to end", run.id()));
            }
        };
        let span = Span { again: self.again, at_once: usize::from(self.jobs), waits: Arc::new(waits) };
        let one = Arc::new((env, pipeline.clone(), span, options));
        let mut sum = Sum { folder, left: occurrences.len(), ..Sum::default() };
        let mut next = occurrences.iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < usize::from(self.jobs)
                && !sum.ends(self.keep_going)
                && let Some(&at) = next.next()
            {
                let one = one.clone();
                running.spawn(async move {
                    let (env, pipeline, span, options) = &*one;
                    tick::backfill(env, pipeline, at, span, options).await
                });
            }
            let Some(joined) = running.join_next().await else { break };
            sum.left -= 1;
            match joined {
                Ok(done) => sum.take(done),
                Err(error) => sum.error = Some(Error::Unavailable { message: error.to_string(), source: None }),
            }
            progress.advance();
        }
        one.0.executor.close().await;
        progress.finish();
        self.tell(pipeline, occurrences.len(), &sum, now)
    }

    fn tell(&self, pipeline: &Pipeline, occurrences: usize, sum: &Sum, now: Timestamp) -> Exit {
        let mut exit = sum.exit.unwrap_or(Exit::Done);
        if let Some(error) = &sum.error {
            exit = exit.or_worse(run_log_failed(error));
        }
        if self.output == Format::Json {
            let mut object = as_json(pipeline, occurrences, sum, exit);
            if let Ok((from, to)) = self.span(pipeline, now) {
                (object["from"], object["to"]) = (rfc3339(from).into(), rfc3339(to).into());
            }
            print::json(&object);
            return exit;
        }
        let mut parts = vec![format!("{} succeeded", sum.succeeded.len())];
        let is_interrupted = |attempt: &&Attempt| attempt.outcome() == Some(Outcome::Interrupted);
        let interrupted = sum.failed.iter().filter(is_interrupted).count();
        let others = [
            (sum.failed.len() - interrupted, "failed"),
            (interrupted, "interrupted"),
            (sum.done, "had succeeded before"),
            (sum.active, "run elsewhere"),
            (sum.left, "not begun"),
        ];
        parts.extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        print::note(&format!("backfill  {}: {}", pipeline.id, parts.join(", ")));
        exit
    }
}

fn as_json(pipeline: &Pipeline, occurrences: usize, sum: &Sum, exit: Exit) -> Value {
    json!({
        "pipeline": pipeline.id.to_string(),
        "from": null,
        "to": null,
        "occurrences": occurrences,
        "ran": sum.succeeded.iter().map(failed_json).collect::<Vec<_>>(),
        "failed": sum.failed.iter().map(failed_json).collect::<Vec<_>>(),
        "had_succeeded": sum.done,
        "run_elsewhere": sum.active,
        "not_begun": sum.left,
        "rc": exit.code(),
    })
}

impl Sum {
    /// Whether no further occurrence is begun.
    fn ends(&self, keep_going: bool) -> bool {
        let was_stopped = matches!(self.exit, Some(Exit::Signal(_) | Exit::RunLog));
        was_stopped || self.error.is_some() || (!keep_going && !self.failed.is_empty())
    }

    fn take(&mut self, done: Result<Backfilled, Error>) {
        match done {
            Ok(Backfilled::Done) => self.done += 1,
            Ok(Backfilled::Active) => self.active += 1,
            Ok(Backfilled::Ran(report)) => self.take_report(*report),
            Err(error) => self.error = Some(error),
        }
    }

    fn take_report(&mut self, mut report: Report) {
        unrecorded::keep(self.folder.as_ref(), &mut report);
        unrecorded::print(&report);
        let mut exit = exit_of(&report);
        match report.ended.pop() {
            Some(last) if last.outcome().is_some_and(Outcome::is_success) => self.succeeded.push(last),
            Some(last) => {
                if last.outcome() == Some(Outcome::TimedOut) {
                    exit = exit.or_worse(Exit::TimedOut);
                }
                self.failed.push(last);
            }
            // Told to stop before it had begun.
            None => self.left += 1,
        }
        self.exit = Some(self.exit.map_or(exit, |before| before.or_worse(exit)));
    }
}
