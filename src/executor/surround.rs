//! What stands around a body: the hook before it, what it told, the hooks after it.
//!
//! Each hook is a job of its own under the same token, one after the other, so the supervisor watches over it as over the
//! body: its lease, its group, its end with the tick's. The first of them makes the start mark: a tick that dies in the
//! hook before leaves an attempt that has started.
//!
//! Holds always: no body without its hook before having succeeded; hooks change no outcome once the body has started; a wish to
//! stop that comes between two steps is not forgotten.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::told::{Looking, Status, Told, look};
use super::{End, Ended, Input, Job, NotStarted, Program, Stop, SubprocessExecutor};
use crate::clock::{Clock, SystemClock, boot_now};
use crate::pipeline::{ExitCodes, ExitMeaning, Results};
use crate::run::Outcome;

/// How much of what a failed hook printed is told, in characters.
const LAST_LINE: usize = 200;

/// What stands around a body, with everything resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Runs before the body; if it fails, the body does not start.
    pub before: Option<Step>,
    /// Runs after a success, in full or partial.
    pub on_success: Option<Step>,
    /// Runs after everything else.
    pub on_failure: Option<Step>,
    /// Runs last, whatever the outcome.
    pub after: Option<Step>,
    /// Where the body tells what it did.
    pub results: Results,
    /// The file that the body may write its results to; removed at the end.
    pub result_file: Option<PathBuf>,
    /// What the exit codes of the body mean.
    pub exit_codes: ExitCodes,
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to execute, in the surroundings of the body.
    pub program: Program,
    /// How long it may run.
    pub timeout: Duration,
}

impl Ended {
    /// The outcome that `codes` and what was told make of it, and whether another attempt would not help.
    pub fn outcome(&self, codes: &ExitCodes) -> (Outcome, bool) {
        match (self.stopped, &self.end) {
            (Some(Stop::TimedOut), _) => (Outcome::TimedOut, false),
            (Some(Stop::LeaseOver | Stop::Interrupted), _) => (Outcome::Interrupted, false),
            (Some(Stop::Cancelled), _) => (Outcome::Cancelled, false),
            (None, End::Exited(code)) => match (codes.meaning(*code), self.output.told.status) {
                (ExitMeaning::Retry, _) => (Outcome::Failed, false),
                (ExitMeaning::Fatal, _) => (Outcome::Failed, true),
                (ExitMeaning::Cancelled, _) => (Outcome::Cancelled, false),
                (_, Some(Status::Failed)) => (Outcome::Failed, false),
                (ExitMeaning::Partial, _) | (_, Some(Status::Partial)) => (Outcome::Partial, false),
                (ExitMeaning::Success, _) if self.output.told.rejects.is_some() => (Outcome::Partial, false),
                (ExitMeaning::Success, _) => (Outcome::Succeeded, false),
            },
            (None, End::Signalled(_) | End::NotStarted(NotStarted::Failed(_))) => (Outcome::Failed, false),
            (None, End::NotStarted(_)) => (Outcome::Released, false),
            (None, End::SupervisorLost(_)) => (Outcome::Lost, false),
        }
    }
}

impl SubprocessExecutor {
    /// Runs the job and what stands around it.
    pub(super) async fn run_around(&self, job: Job, around: &Around) -> Ended {
        let ended = self.steps(job, around).await;
        if let Some(file) = &around.result_file {
            // Most bodies write none.
            let _ = std::fs::remove_file(file);
        }
        ended
    }

    async fn steps(&self, mut job: Job, around: &Around) -> Ended {
        if let Some(step) = &around.before {
            let ended =
                self.run_step(Job { start_mark: job.start_mark.take(), places: job.places, ..hook(&job, step) }).await;
            if let Some(ended) = unless_ready(ended) {
                return ended;
            }
            if let Some(stop) = self.wish(&mut job) {
                return Ended { stopped: Some(stop), ..Ended::not_started(NotStarted::Withdrawn) };
            }
        }
        let mut ended = self.run_step(job.clone()).await;
        match &ended.end {
            End::SupervisorLost(_) => return ended,
            End::NotStarted(why) => {
                // The hook before has run: what is told must not be that nothing was started.
                ended.stopped = ended.stopped.or(match why {
                    NotStarted::Withdrawn if around.before.is_some() => Some(Stop::Interrupted),
                    NotStarted::LeaseOver if around.before.is_some() => Some(Stop::LeaseOver),
                    _ => None,
                });
                return ended;
            }
            End::Exited(_) | End::Signalled(_) => {}
        }
        if around.results != Results::default() {
            ended.output.told = look(looking(&job, around, &ended)).await;
        }
        self.hooks_after(&mut job, around, &mut ended).await;
        ended
    }

    async fn hooks_after(&self, job: &mut Job, around: &Around, ended: &mut Ended) {
        let (outcome, _) = ended.outcome(&around.exit_codes);
        let (by_outcome, name) = match outcome.is_success() {
            true => (&around.on_success, "on_success"),
            false => (&around.on_failure, "on_failure"),
        };
        for (step, name) in [(by_outcome, name), (&around.after, "after")] {
            let Some(step) = step else { continue };
            let note = |why: &str| format!("the `{name}` hook {why}");
            let wish = self.wish(job).or(ended.stopped);
            if wish == Some(Stop::LeaseOver) || self.is_killed(job.token) {
                ended.output.told.notes.push(note("was left out: there was no time for it"));
                continue;
            }
            let mut run = hook(job, step);
            if wish == Some(Stop::Interrupted) {
                // The tick has to end: a hook gets what the body got.
                run.timeout = Some(step.timeout.min(job.kill_grace));
            }
            run.env.extend(variables(outcome, ended).map(|(name, value)| (name.into(), OsString::from(value))));
            let done = self.run_step(run).await;
            ended.output.told.notes.extend(failure(&done).map(|why| note(&why)));
        }
    }
}

/// The job of a hook.
fn hook(job: &Job, step: &Step) -> Job {
    let mut run = Job {
        program: step.program.clone(),
        stdin: Input::Null,
        timeout: Some(step.timeout),
        start_mark: None,
        output: None,
        output_limit_bytes: 0,
        places: None,
        ..job.clone()
    };
    let log = job.output.as_ref().map(|path| path.clone().into_os_string());
    run.env.push(("TICKWARD_LOG_FILE".into(), log.unwrap_or_default()));
    run
}

/// What a hook after the body knows of it.
fn variables(outcome: Outcome, ended: &Ended) -> [(&'static str, String); 3] {
    let code = match ended.end {
        End::Exited(code) => code.to_string(),
        _ => String::new(),
    };
    [
        ("TICKWARD_OUTCOME", outcome.word().into()),
        ("TICKWARD_EXIT_CODE", code),
        ("TICKWARD_DURATION_MS", ended.duration.as_millis().to_string()),
    ]
}

/// How the attempt ends where the hook before was not a success.
fn unless_ready(ended: Ended) -> Option<Ended> {
    let failed = |why: String| Some(Ended::not_started(NotStarted::Failed(format!("the `before` hook {why}"))));
    match (ended.stopped, &ended.end) {
        (Some(Stop::Interrupted | Stop::LeaseOver | Stop::Cancelled), _) | (_, End::SupervisorLost(_)) => Some(ended),
        (_, End::NotStarted(why)) if !matches!(why, NotStarted::Failed(_)) => Some(ended),
        _ => failure(&ended).and_then(failed),
    }
}

/// What went wrong with a hook, in words; none where nothing did.
fn failure(ended: &Ended) -> Option<String> {
    let line = last_line(ended);
    Some(match (ended.stopped, &ended.end) {
        (Some(Stop::TimedOut), _) => format!("took too long{line}"),
        (Some(_), _) => "was stopped".into(),
        (None, End::Exited(0)) => return None,
        (None, End::Exited(code)) => format!("failed: exit code {code}{line}"),
        (None, End::Signalled(signal)) => format!("failed: ended by signal {signal}{line}"),
        (None, End::NotStarted(NotStarted::Failed(why))) => format!("could not be started: {why}"),
        (None, End::NotStarted(_)) => "was not started in time".into(),
        (None, End::SupervisorLost(why)) => format!("is lost: {why}"),
    })
}

/// The last line that a hook printed, to be shown.
fn last_line(ended: &Ended) -> String {
    let bytes = if ended.output.tail.is_empty() { &ended.output.head } else { &ended.output.tail };
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let shown: String = line.escape_debug().take(LAST_LINE).collect();
    if shown.is_empty() { shown } else { format!(": {}", crate::config::secret::masked_line(&shown)) }
}

fn looking(job: &Job, around: &Around, ended: &Ended) -> Looking {
    // In this order: who is held up between the two counts a file too many, not one too few.
    let now = SystemClock.now();
    let ago = ended.started_at.map_or(Duration::ZERO, |at| boot_now().since(at));
    let output = &ended.output;
    let printed = match output.left_out_bytes() {
        0 => [&output.head[..], &output.tail].concat(),
        _ => output.tail.clone(),
    };
    Looking {
        results: around.results.clone(),
        result_file: around.result_file.clone(),
        cwd: job.cwd.clone(),
        user: job.user.clone(),
        since: now.checked_sub(ago).unwrap_or(now),
        printed,
    }
}

impl Told {
    /// What is told of it beside the outcome's own reason, in words; none where there is nothing to tell.
    pub fn in_words(&self) -> Option<String> {
        let all: Vec<&str> = self.rejects.iter().chain(&self.notes).map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}
