//! Says what the end of a job means: the outcome that is recorded for its attempt.

use std::time::Duration;

use crate::executor::{End, Ended, NotStarted, Stop};
use crate::pipeline::{ExitMeaning, Pipeline};
use crate::run::{Attempt, Completion, Outcome};

use super::env::{Env, StartMark, StoreTime};

/// How much of the output is kept in the run-log, in bytes.
const TAIL_BYTES: usize = 4096;

/// So many attempts of a run may be given back for want of a folder for start marks; then people are to know.
const UNMARKED: u32 = 3;

/// The end of `attempt`; `store_time` dates it.
pub fn completion(
    pipeline: &Pipeline,
    attempt: &Attempt,
    ended: &Ended,
    store_time: &StoreTime,
    now: jiff::Timestamp,
) -> Completion {
    let (outcome, fatal) = match ended.end {
        End::NotStarted(NotStarted::Unmarked) if attempt.number - attempt.tries >= UNMARKED => (Outcome::Failed, false),
        _ => ended.outcome(&pipeline.exit_codes),
    };
    let told = &ended.output.told;
    let around = told.in_words().map(|words| pipeline.command.filled.concealed_in(&words));
    let stopped = attempt.stop.as_ref().filter(|_| outcome == Outcome::Cancelled).map(|stop| stop.why.clone());
    let reason = stopped.or_else(|| reason(pipeline, ended, outcome));
    let reasons: Vec<String> = reason.into_iter().chain(around).collect();
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
        error: (!reasons.is_empty()).then(|| reasons.join("; ")),
        cpu: ended.cpu,
        peak_memory_bytes: ended.peak_memory_bytes,
        output_bytes: ended.output.bytes,
        tail: tail(ended),
        results: Some(told.values.clone()).filter(|values| !values.is_empty()),
    }
}

/// An attempt that somebody wanted to end before we had started it.
pub fn cancelled(attempt: &Attempt, now: jiff::Timestamp) -> Completion {
    let why = attempt.stop.as_ref().map_or("stopped on request", |stop| stop.why.as_str());
    Completion { outcome: Outcome::Cancelled, ..never_started(attempt, why, now) }
}

/// An attempt that was claimed and that we never started.
pub fn never_started(attempt: &Attempt, why: &str, now: jiff::Timestamp) -> Completion {
    Completion { error: Some(why.into()), ..Completion::bare(attempt.token, Outcome::Released, now) }
}

/// Whether a job whose supervisor is gone had not come to its start: then its mark can still be made in its stead.
pub fn lost_before_its_start(env: &Env, attempt: &Attempt, ended: &Ended) -> bool {
    let mark = env.run_log.start_marks().map(|folder| folder.join(attempt.token.to_string()));
    let is_lost = matches!(ended.end, End::SupervisorLost(_));
    is_lost && mark.is_some_and(|mark| env.host.forestall(&mark) == StartMark::Forestalled)
}

/// What went wrong, in words; none where nothing did, or where what was told says it.
fn reason(pipeline: &Pipeline, ended: &Ended, outcome: Outcome) -> Option<String> {
    if let Some(stop) = ended.stopped {
        return Some(match stop {
            Stop::TimedOut => format!("took longer than {}", shown(pipeline.timeout)),
            Stop::LeaseOver => "stopped: its lease could not be renewed".into(),
            Stop::Interrupted => "stopped: the tick had to end".into(),
            Stop::Cancelled => "stopped on request".into(),
        });
    }
    Some(match &ended.end {
        End::Exited(code) => match (pipeline.exit_codes.meaning(*code), outcome) {
            (ExitMeaning::Retry, _) => format!("exit code {code}"),
            (ExitMeaning::Fatal, _) => format!("exit code {code}, which is fatal"),
            (ExitMeaning::Cancelled, _) => format!("exit code {code}, which means that it was cancelled"),
            (_, Outcome::Failed) => "its results say that it failed".into(),
            (ExitMeaning::Success, Outcome::Partial) if ended.output.told.rejects.is_none() => {
                "its results say that it was done in part".into()
            }
            (ExitMeaning::Success | ExitMeaning::Partial, _) => return None,
        },
        End::Signalled(signal) => format!("ended by signal {}", signal_name(*signal)),
        // It names things that variables were filled into, or that a mistake in the configuration has made a URL.
        End::NotStarted(NotStarted::Failed(why)) => {
            crate::config::secret::masked(&pipeline.command.filled.concealed_in(why))
        }
        End::NotStarted(NotStarted::Refused) => "another tick had taken the attempt over".into(),
        End::NotStarted(NotStarted::Withdrawn) => "the tick was told to stop before the start".into(),
        End::NotStarted(NotStarted::Unmarked) => "the folder of start marks was gone before the start".into(),
        End::NotStarted(NotStarted::LeaseOver) => "its lease was over before the start".into(),
        End::SupervisorLost(why) => format!("the process that watched over it is gone: {why}"),
    })
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
    // What was cut may begin within a character.
    let is_cut = output.left_out_bytes() > 0 || output.head.len() + output.tail.len() > bytes.len();
    let is_rest = |byte: &&u8| is_cut && **byte & 0b1100_0000 == 0b1000_0000;
    let begin = bytes.iter().take(3).take_while(is_rest).count();
    String::from_utf8_lossy(&bytes[begin..]).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Output;

    #[test]
    fn only_what_is_cut_off_loses_the_rest_of_a_character() {
        let rest = [b"\xac".to_vec(), vec![b'x'; TAIL_BYTES - 1]].concat();
        for (head, tail_bytes, kept) in [
            (&b"\xff\xfe\x80abc\xc3"[..], &b""[..], "\u{fffd}\u{fffd}\u{fffd}abc\u{fffd}".to_owned()),
            (b"\x80\x81", b"", "\u{fffd}\u{fffd}".into()),
            (b"", b"a\0b", "a\u{fffd}b".into()),
            (b"\xe2\x82", &rest, "x".repeat(TAIL_BYTES - 1)),
        ] {
            let bytes = (head.len() + tail_bytes.len()) as u64;
            let output = Output { bytes, head: head.to_vec(), tail: tail_bytes.to_vec(), ..Output::default() };
            let ended = Ended { output, ..Ended::lost(String::new()) };
            assert_eq!(tail(&ended), kept, "{head:?}");
        }
    }
}
