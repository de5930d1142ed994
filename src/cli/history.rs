//! `tickward history`: what ran, and what did not and why.

use std::time::Duration;

use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{RunLogArgs, Session, run_log_failed};
use super::{block_on, session::ConfigArgs, typed};
use crate::clock::SystemClock;
use crate::occurrence::{Name, PipelineId};
use crate::run::{Attempt, NotRun};
use crate::runlog::Purpose;
use crate::runlog::contract::{Query, Record, Scope};
use crate::tick::rfc3339;

/// Shows what ran, newest first, and what did not and why
#[derive(clap::Args, Debug)]
pub struct History {
    /// Which pipeline [default: all]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// At most this many lines
    #[arg(short = 'n', long, default_value = "20", value_parser = typed::count)]
    limit: usize,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl History {
    pub fn execute(&self) -> Exit {
        let session = Session::load_quietly(&self.config, &self.run_log);
        let pipeline = match self.name.as_deref().map(|name| id_of(&session, name)).transpose() {
            Ok(pipeline) => pipeline,
            Err(exit) => return exit,
        };
        let asked = pipeline.clone();
        let query = Query { pipeline, limit: self.limit, ..Query::default() };
        match records(&session, query) {
            Ok(records) => match (asked, &self.name) {
                (Some(id), Some(name)) if records.is_empty() => {
                    must_be_known(&session, &id, name).map_or_else(|exit| exit, |()| self.print(&records))
                }
                _ => self.print(&records),
            },
            Err(exit) => exit,
        }
    }

    fn print(&self, records: &[Record]) -> Exit {
        if self.output == Format::Json {
            print::json(&records.iter().map(as_json).collect());
        } else if records.is_empty() {
            print::note("nothing has run yet");
        } else {
            let rows = records.iter().map(as_row).collect();
            let header = [
                "pipeline",
                "scheduled for",
                "attempt",
                "outcome",
                "exit",
                "took",
                "trigger",
                "run id",
                "what happened",
            ];
            print::out(&print::table(&header, rows));
        }
        Exit::Done
    }
}

/// The id that a person's word means: of a configured pipeline, else `namespace:name`, else in `default`.
///
/// # Errors
/// `Usage`, after saying that it is no name.
pub fn id_of(session: &Session, word: &str) -> Result<PipelineId, Exit> {
    id_within(session, word, word)
}

/// The same for a `part` of what was typed; the mistake is told of all of it, so that a secret in it is recognised.
///
/// # Errors
/// As `id_of`.
pub fn id_within(session: &Session, part: &str, typed: &str) -> Result<PipelineId, Exit> {
    let configured = session.loaded.pipelines.iter().map(|pipeline| &pipeline.id);
    let mut found = configured.filter(|id| id.name.as_str() == part || id.to_string() == part);
    if let Some(id) = found.next() {
        return Ok(id.clone());
    }
    let (namespace, name) = part.split_once(':').unwrap_or(("default", part));
    match (Name::parse(namespace), Name::parse(name)) {
        (Ok(namespace), Ok(name)) => Ok(PipelineId { namespace, name }),
        _ => {
            print::error(&format!("`{typed}` is no name of a pipeline"), "`tickward list` shows all");
            Err(Exit::Usage)
        }
    }
}

/// Refuses a pipeline that neither the configuration nor the run-log knows; `typed` is what was typed for it.
///
/// # Errors
/// `Usage`, after saying so with the name that is most like it; else as the run-log's opening says.
pub fn must_be_known(session: &Session, id: &PipelineId, typed: &str) -> Result<(), Exit> {
    let loaded = &session.loaded;
    let is_broken = loaded.broken.iter().any(|broken| *broken == id.to_string() || broken == id.name.as_str());
    if is_broken || loaded.pipelines.iter().any(|pipeline| pipeline.id == *id) {
        return Ok(());
    }
    let run_log = session.run_log(Purpose::Read, std::sync::Arc::new(SystemClock))?;
    let view = block_on(run_log.load(Scope::All))?.map_err(|error| run_log_failed(&error))?;
    if view.rows.contains_key(id) {
        return Ok(());
    }
    Err(refuse_unknown(session, view.rows.keys(), typed))
}

/// Says that neither the configuration nor the run-log, which knows `recorded`, has what was typed.
pub fn refuse_unknown<'r>(session: &'r Session, recorded: impl Iterator<Item = &'r PipelineId>, typed: &str) -> Exit {
    let configured = session.loaded.pipelines.iter().map(|pipeline| &pipeline.id);
    let names = configured.chain(recorded).map(|id| id.to_string());
    let help = typed::meant(names, typed, "tickward status");
    print::error(&format!("neither the configuration nor the run-log knows `{typed}`"), &help);
    Exit::Usage
}

/// Reads the history.
///
/// # Errors
/// As the run-log's opening says, after saying so.
pub fn records(session: &Session, query: Query) -> Result<Vec<Record>, Exit> {
    let run_log = session.run_log(Purpose::Read, std::sync::Arc::new(SystemClock))?;
    block_on(run_log.history(query))?.map_err(|error| run_log_failed(&error))
}

fn as_row(record: &Record) -> Vec<String> {
    match record {
        Record::Attempt(attempt) => attempt_row(attempt),
        Record::NotRun(entry) => not_run_row(entry),
    }
}

/// The word for how an attempt stands.
pub fn state_word(attempt: &Attempt) -> &'static str {
    attempt.outcome().map_or("running", |outcome| outcome.word())
}

fn attempt_row(attempt: &Attempt) -> Vec<String> {
    let end = attempt.end.as_ref();
    let dash = || "–".to_string();
    let mut what = end.and_then(|end| end.error.clone()).unwrap_or_default();
    if attempt.gave_up && attempt.policy.retry.max_attempts > 1 {
        what += "; gave up";
    }
    if let Some(at) = attempt.retry_at {
        what += &format!("; next attempt at {}", print::instant(at));
    }
    if let Some(late) = attempt.late_outcome {
        what += &format!("; later reported as {late}");
    }
    vec![
        attempt.run.pipeline.to_string(),
        print::instant(attempt.run.scheduled_for),
        attempt.number.to_string(),
        print::outcome_out(state_word(attempt)),
        end.and_then(|end| end.exit_code).map_or_else(dash, |code| code.to_string()),
        end.map_or_else(dash, |end| print::duration(end.duration)),
        attempt.trigger.word().into(),
        attempt.run.id(),
        print::printable(&what),
    ]
}

fn not_run_row(entry: &NotRun) -> Vec<String> {
    let count = match (entry.count, entry.at_least) {
        (1, _) => String::new(),
        (count, true) => format!("at least {count}, from {}", print::instant(entry.first)),
        (count, false) => format!("{count}, from {}", print::instant(entry.first)),
    };
    let (word, why) = match entry.reason {
        crate::run::Reason::Missed => ("missed", count),
        reason => ("skipped", format!("{} {count}", reason.word()).trim_end().into()),
    };
    let dash = || "–".to_string();
    vec![
        entry.pipeline.to_string(),
        print::instant(entry.last),
        dash(),
        print::outcome_out(word),
        dash(),
        dash(),
        dash(),
        dash(),
        why,
    ]
}

fn as_json(record: &Record) -> Value {
    match record {
        Record::Attempt(attempt) => attempt_json(attempt),
        Record::NotRun(entry) => json!({
            "kind": "not_run",
            "pipeline": entry.pipeline.to_string(),
            "reason": entry.reason.word(),
            "from": rfc3339(entry.first),
            "to": rfc3339(entry.last),
            "count": entry.count,
            "at_least": entry.at_least,
            "decided_at": rfc3339(entry.decided_at),
        }),
    }
}

/// An attempt with all that is known of it.
pub fn attempt_json(attempt: &Attempt) -> Value {
    let end = attempt.end.as_ref();
    let millis = |duration: Duration| duration.as_millis() as u64;
    json!({
        "kind": "attempt",
        "pipeline": attempt.run.pipeline.to_string(),
        "scheduled_for": rfc3339(attempt.run.scheduled_for),
        "attempt": attempt.number,
        "run_id": attempt.run.id(),
        "state": state_word(attempt),
        "trigger": attempt.trigger.word(),
        "fence": attempt.fence,
        "host": attempt.owner.host,
        "pid": attempt.owner.pid,
        "claimed_at": rfc3339(attempt.claimed_at),
        "lease_until": rfc3339(attempt.lease.until),
        "started_at": end.and_then(|end| end.started_at).map(rfc3339),
        "ended_at": end.map(|end| rfc3339(end.ended_at)),
        "duration_ms": end.map(|end| millis(end.duration)),
        "exit_code": end.and_then(|end| end.exit_code),
        "error": end.and_then(|end| end.error.clone()),
        "gave_up": attempt.gave_up,
        "next_attempt_at": attempt.retry_at.map(rfc3339),
        "late_outcome": attempt.late_outcome.map(|outcome| outcome.word()),
        "cpu_ms": end.map(|end| millis(end.cpu)),
        "peak_memory_bytes": end.map(|end| end.peak_memory_bytes),
        "output_bytes": end.map(|end| end.output_bytes),
        "results": end.and_then(|end| end.results.clone()),
        "degraded": attempt.degraded,
    })
}
