//! Says what the end of a job means: the outcome that is recorded for its attempt.

use std::time::Duration;

use crate::executor::{End, Ended, NotStarted, Stop};
use crate::pipeline::{ExitMeaning, Pipeline};
use crate::run::{Attempt, Completion, Outcome};

use super::env::{Env, StartMark, StoreTime};

/// How much of the output is kept in the run-log, in bytes.
const TAIL_BYTES: usize = 4096;

/// The end of `attempt`; `store_time` dates it.
pub fn completion(
    pipeline: &Pipeline,
    attempt: &Attempt,
    ended: &Ended,
    store_time: &StoreTime,
    now: jiff::Timestamp,
) -> Completion {
    let (outcome, fatal, mut error) = meaning(pipeline, ended);
    if let Some(stop) = attempt.stop.as_ref().filter(|_| outcome == Outcome::Cancelled) {
        error = Some(stop.why.clone());
    }
    let started_at = ended.started_at.map(|boot| crate::occurrence::whole_micros(store_time.of(boot)));
    Completion {
        token: attempt.token,
        outcome,
        fatal,
        started_at,
        ended_at: now,
        duration: ended.duration,
        exit_code: match ended.end {
            End::Exited(code) => Some(code),
            _ => None,
        },
        error,
        cpu: ended.cpu,
        peak_memory_bytes: ended.peak_memory_bytes,
        output_bytes: ended.output.bytes,
        tail: tail(ended),
    }
}

/// An attempt that somebody wanted to end before we had started it.
pub fn cancelled(attempt: &Attempt, now: jiff::Timestamp) -> Completion {
    let why = attempt.stop.as_ref().map_or("stopped on request", |stop| stop.why.as_str());
    Completion { outcome: Outcome::Cancelled, ..never_started(attempt, why, now) }
}

/// An attempt that was claimed and that we never started.
pub fn never_started(attempt: &Attempt, why: &str, now: jiff::Timestamp) -> Completion {
    Completion {
        token: attempt.token,
        outcome: Outcome::Released,
        fatal: false,
        started_at: None,
        ended_at: now,
        duration: Duration::ZERO,
        exit_code: None,
        error: Some(why.into()),
        cpu: Duration::ZERO,
        peak_memory_bytes: 0,
        output_bytes: 0,
        tail: String::new(),
    }
}

/// Whether a job whose supervisor is gone had not come to its start: then its mark can still be made in its stead.
pub fn lost_before_its_start(env: &Env, attempt: &Attempt, ended: &Ended) -> bool {
    let mark = env.run_log.start_marks().map(|folder| folder.join(attempt.token.to_string()));
    let is_lost = matches!(ended.end, End::SupervisorLost(_));
    is_lost && mark.is_some_and(|mark| env.host.forestall(&mark) == StartMark::Forestalled)
}

fn meaning(pipeline: &Pipeline, ended: &Ended) -> (Outcome, bool, Option<String>) {
    let failed = |error: String| (Outcome::Failed, false, Some(error));
    if let Some(stop) = ended.stopped {
        return match stop {
            Stop::TimedOut => (Outcome::TimedOut, false, Some(format!("took longer than {}", shown(pipeline.timeout)))),
            Stop::LeaseOver => (Outcome::Interrupted, false, Some("stopped: its lease could not be renewed".into())),
            Stop::Interrupted => (Outcome::Interrupted, false, Some("stopped: the tick had to end".into())),
            Stop::Cancelled => (Outcome::Cancelled, false, Some("stopped on request".into())),
        };
    }
    match &ended.end {
        End::Exited(code) => match pipeline.exit_codes.meaning(*code) {
            ExitMeaning::Success => (Outcome::Succeeded, false, None),
            ExitMeaning::Partial => (Outcome::Partial, false, None),
            ExitMeaning::Retry => failed(format!("exit code {code}")),
            ExitMeaning::Fatal => (Outcome::Failed, true, Some(format!("exit code {code}, which is fatal"))),
        },
        End::Signalled(signal) => failed(format!("ended by signal {}", signal_name(*signal))),
        // It names things that variables were filled into, or that a mistake in the configuration has made a URL.
        End::NotStarted(NotStarted::Failed(why)) => {
            failed(crate::config::secret::masked(&pipeline.command.filled.concealed_in(why)))
        }
        End::NotStarted(NotStarted::Refused) => released("another tick had taken the attempt over"),
        End::NotStarted(NotStarted::Withdrawn) => released("the tick was told to stop before the start"),
        End::NotStarted(NotStarted::LeaseOver) => released("its lease was over before the start"),
        End::SupervisorLost(why) => {
            (Outcome::Lost, false, Some(format!("the process that watched over it is gone: {why}")))
        }
    }
}

fn released(why: &str) -> (Outcome, bool, Option<String>) {
    (Outcome::Released, false, Some(why.into()))
}

fn shown(timeout: Option<Duration>) -> String {
    timeout.map_or_else(
        || "its timeout".into(),
        |timeout| format!("{:#}", jiff::SignedDuration::try_from(timeout).unwrap_or_default()),
    )
}

/// A signal's name, or its number where it has none.
fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(|_| signal.to_string(), |signal| signal.to_string())
}

/// The end of the output, cut at a character.
fn tail(ended: &Ended) -> String {
    let output = &ended.output;
    let mut bytes = Vec::with_capacity(TAIL_BYTES);
    let from_tail = &output.tail[output.tail.len().saturating_sub(TAIL_BYTES)..];
    let missing = TAIL_BYTES - from_tail.len();
    if output.left_out_bytes() == 0 {
        bytes.extend_from_slice(&output.head[output.head.len().saturating_sub(missing)..]);
    }
    bytes.extend_from_slice(from_tail);
    String::from_utf8_lossy(&bytes).trim_start_matches('\u{fffd}').replace('\0', "\u{fffd}")
}
