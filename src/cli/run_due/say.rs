//! How a tick is told: notes and what happened for people, one object for programs.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::exit::Exit;
use super::super::{print, unrecorded};
use crate::plan::Note;
use crate::run::{Attempt, NotRun, Reason};
use crate::tick::{Report, rfc3339};

/// What a tick that only said what it would do has counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DryRun {
    /// So many records of this host's spool that the run-log does not have yet.
    pub from_spool: usize,
}

/// What a person should know.
pub fn print_notes(report: &Report) {
    for (pipeline, note) in &report.notes {
        let line = match note {
            Note::ConfigSplit => {
                format!(
                    "{pipeline}: its schedule was changed back within the hour, or another host or file has a `{pipeline}` of its own"
                )
            }
            Note::RetryAhead(retry_at) => {
                format!("{pipeline}: its retry was put off to {retry_at} by a clock that was wrong; it is due now")
            }
            Note::CursorAhead(cursor) => {
                format!(
                    "{pipeline}: occurrences up to {cursor} were decided by a clock that was wrong; goes on from now"
                )
            }
        };
        print::note(&format!("warning: {line}"));
    }
    unrecorded::print(report);
}

/// What happened and was not told while it happened; nothing at all for an idle tick, nor, where nobody looks on, for what people
/// have asked for or were told of: cron mails what is printed, each minute of a pause.
pub fn print_text(report: &Report, dry_run: Option<DryRun>) {
    let is_known = |entry: &&NotRun| matches!(entry.reason, Reason::Paused | Reason::Held | Reason::Skipped);
    let tells_all = dry_run.is_some() || std::io::stderr().is_terminal();
    if let Some(DryRun { from_spool: count @ 1.. }) = dry_run {
        print::note(&format!("would record {count} from the spool of this host"));
    }
    for entry in report.not_run.iter().filter(|entry| tells_all || !is_known(entry)) {
        let (pipeline, more) = (&entry.pipeline, if entry.at_least { "at least " } else { "" });
        let (word, why) = match entry.reason {
            Reason::Missed => ("missed ", String::new()),
            reason => ("skipped", format!(" ({})", reason.word())),
        };
        print::note(&match entry.count {
            1 => format!("{word}   {pipeline} of {}{why}", entry.last),
            count => format!("{word}   {pipeline}: {more}{count} from {} to {}{why}", entry.first, entry.last),
        });
    }
    for draft in report.due.iter().filter(|_| dry_run.is_some()) {
        print::note(&format!("would run {} attempt {} ({})", draft.run.id(), draft.number, draft.trigger.word()));
    }
}

/// The object that `-o json` prints.
pub fn as_json(report: &Report, gap: Option<Duration>, dry_run: Option<DryRun>, exit: Exit) -> Value {
    let skipped = report.not_run.iter().filter(|entry| entry.reason != Reason::Missed);
    let missed = report.not_run.iter().filter(|entry| entry.reason == Reason::Missed);
    let left_out = report.left_out.iter().map(|run| {
        json!({
            "pipeline": run.pipeline.to_string(),
            "scheduled_for": rfc3339(run.scheduled_for),
            "reason": "run_log_error",
        })
    });
    let mut object = json!({
        "tick": {
            "id": report.id,
            "started_at": rfc3339(report.started_at),
            "ended_at": rfc3339(report.ended_at),
            "host": report.host,
            "degraded": report.degraded.is_some(),
            "gap_seconds": gap.map(|gap| gap.as_secs()),
        },
        "ran": report.ran().map(ran_json).collect::<Vec<_>>(),
        "failed": report.failed().map(failed_json).collect::<Vec<_>>(),
        "skipped": skipped.map(skipped_json).chain(left_out).collect::<Vec<_>>(),
        "missed": missed.map(|entry| json!({
            "pipeline": entry.pipeline.to_string(),
            "from": rfc3339(entry.first),
            "to": rfc3339(entry.last),
            "count": entry.count,
            "at_least": entry.at_least,
        })).collect::<Vec<_>>(),
        "waiting": report.waiting.values().map(|waiting| json!({
            "pipeline": waiting.run.pipeline.to_string(),
            "scheduled_for": rfc3339(waiting.run.scheduled_for),
            "for": print::waits_for(&waiting.for_what),
        })).collect::<Vec<_>>(),
        "started": [],
        "claimed_elsewhere": report.claimed_elsewhere,
        "rc": exit.code(),
    });
    if let Some(DryRun { from_spool }) = dry_run {
        object["spool"] = from_spool.into();
        object["due"] = report
            .due
            .iter()
            .map(|draft| {
                json!({
                    "pipeline": draft.run.pipeline.to_string(),
                    "scheduled_for": rfc3339(draft.run.scheduled_for),
                    "attempt": draft.number,
                    "trigger": draft.trigger.word(),
                })
            })
            .collect();
    }
    object
}

/// One occurrence that was not run, or the newest of a stretch of them.
fn skipped_json(entry: &NotRun) -> Value {
    let mut object = json!({
        "pipeline": entry.pipeline.to_string(),
        "scheduled_for": rfc3339(entry.last),
        "reason": entry.reason.word(),
    });
    if entry.count > 1 {
        object["from"] = rfc3339(entry.first).into();
        object["count"] = entry.count.into();
        object["at_least"] = entry.at_least.into();
    }
    object
}

fn ran_json(attempt: &Attempt) -> Value {
    let end = attempt.end.as_ref();
    json!({
        "pipeline": attempt.run.pipeline.to_string(),
        "scheduled_for": rfc3339(attempt.run.scheduled_for),
        "attempt": attempt.number,
        "outcome": attempt.outcome().map(|outcome| outcome.word()),
        "exit_code": end.and_then(|end| end.exit_code),
        "duration_ms": end.map(|end| end.duration.as_millis() as u64),
        "run_id": attempt.run.id(),
    })
}

/// An attempt that did not succeed.
pub fn failed_json(attempt: &Attempt) -> Value {
    let mut object = ran_json(attempt);
    object["error"] = attempt.end.as_ref().and_then(|end| end.error.clone()).into();
    object["gave_up"] = attempt.gave_up.into();
    object["next_attempt_at"] = attempt.retry_at.map(rfc3339).into();
    object
}
