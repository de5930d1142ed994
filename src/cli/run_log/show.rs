//! `tickward run-log show`: the row of one pipeline, in full.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::exit::Exit;
use super::super::print::{self, Format};
use super::super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::super::{block_on, history};
use crate::clock::SystemClock;
use crate::occurrence::PipelineId;
use crate::run::{Attempt, Row};
use crate::runlog::contract::{Outbox, Scope, Waiting};
use crate::runlog::{Error, Purpose, RunLog};
use crate::tick::rfc3339;

/// Shows all that the run-log knows of a pipeline beside its history: version, fence, cursor, schedules, totals
#[derive(clap::Args, Debug)]
pub struct Show {
    /// Which pipeline
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Show {
    pub fn work(&self) -> Result<Exit, Exit> {
        let session = Session::load_quietly(&self.config, &self.run_log);
        let id = history::id_of(&session, &self.name)?;
        let run_log = session.run_log(Purpose::Read, Arc::new(SystemClock))?;
        let (row, open, outbox) = block_on(read(&*run_log, &id))?.map_err(|error| run_log_failed(&error))?;
        let Some(row) = row else {
            history::must_be_known(&session, &id, &self.name)?;
            print::error(&format!("the run-log knows nothing of `{id}`"), "its first tick tells it");
            return Err(Exit::Usage);
        };
        let object = as_json(&row, &open, &outbox);
        match (self.output, &object) {
            (Format::Text, Value::Object(fields)) => {
                let rows = fields.iter().flat_map(|(name, value)| lines(name, value)).collect();
                print::out(&print::table(&["field", "value"], rows));
            }
            _ => print::json(&object),
        }
        Ok(Exit::Done)
    }
}

async fn read(run_log: &dyn RunLog, id: &PipelineId) -> Result<(Option<Row>, Vec<Attempt>, Outbox), Error> {
    let mut view = run_log.load(Scope::Only(vec![id.clone()])).await?;
    let open = view.open.remove(id).unwrap_or_default();
    Ok((view.rows.remove(id), open, run_log.outbox().await?))
}

fn as_json(row: &Row, open: &[Attempt], outbox: &Outbox) -> Value {
    let of_it = |entries: &[Waiting]| {
        let id = &row.pipeline;
        let is_its = |entry: &&Waiting| {
            entry.alert.namespace == id.namespace.as_str() && entry.alert.pipeline == id.name.as_str()
        };
        entries.iter().filter(is_its).count()
    };
    let schedules = row.schedules.iter().map(|known| {
        json!({
            "hash": known.hash,
            "since": rfc3339(known.since),
            "cursor": known.cursor.map(rfc3339),
            "replaced_at": known.replaced_at.map(rfc3339),
        })
    });
    let standing = &row.standing;
    let done = |done: &crate::run::Done| json!({ "scheduled_for": rfc3339(done.scheduled_for), "ended_at": rfc3339(done.ended_at) });
    let instant = |micros: &i64| jiff::Timestamp::from_microsecond(*micros).map(rfc3339).unwrap_or_default();
    json!({
        "namespace": row.pipeline.namespace.as_str(),
        "pipeline": row.pipeline.name.as_str(),
        "version": row.version,
        "fence": row.fence,
        "cursor": row.cursor.map(rfc3339),
        "backlog_until": row.backlog_until.map(rfc3339),
        "schedules": schedules.collect::<Vec<_>>(),
        "paused": standing.paused.as_ref().map(|paused| json!({
            "since": rfc3339(paused.since), "until": paused.until.map(rfc3339), "note": paused.note,
        })),
        "held": standing.held.as_ref().map(|held| json!({
            "since": rfc3339(held.since), "scheduled_for": rfc3339(held.scheduled_for),
        })),
        "skips": standing.skips.iter().map(instant).collect::<Vec<_>>(),
        "succeeded": standing.succeeded.as_ref().map(done),
        "partial": standing.partial.as_ref().map(done),
        "claimed_at": standing.claimed_at.map(rfc3339),
        "followed": standing.followed.iter().map(|(name, micros)| (name.clone(), instant(micros).into())).collect::<serde_json::Map<_, _>>(),
        "moved_to": standing.moved_to,
        "totals": row.totals,
        "failures_in_a_row": row.failures_in_a_row,
        "last": row.last.as_ref().map(|last| json!({
            "scheduled_for": rfc3339(last.scheduled_for), "attempt": last.attempt, "outcome": last.outcome.word(),
            "ended_at": rfc3339(last.ended_at),
        })),
        "open": open.iter().map(open_json).collect::<Vec<_>>(),
        "alerts_waiting": of_it(&outbox.waiting),
        "alerts_dead": of_it(&outbox.dead),
    })
}

fn open_json(attempt: &Attempt) -> Value {
    json!({
        "run_id": attempt.run.id(),
        "attempt": attempt.number,
        "state": attempt.outcome().map_or("claimed", |outcome| outcome.word()),
        "fence": attempt.fence,
        "host": attempt.owner.host,
        "pid": attempt.owner.pid,
        "claimed_at": rfc3339(attempt.claimed_at),
        "lease_until": rfc3339(attempt.lease.until),
        "retry_at": attempt.retry_at.map(rfc3339),
        "stop": attempt.stop.as_ref().map(|stop| stop.why.clone()),
    })
}

/// A field as a line, or a line for each part of it.
fn lines(name: &str, value: &Value) -> Vec<Vec<String>> {
    let line = |name: String, text: String| vec![name, print::printable(&text)];
    match value {
        Value::Null => vec![line(name.into(), "–".into())],
        Value::String(text) if text.is_empty() => vec![line(name.into(), "–".into())],
        Value::String(text) => vec![line(name.into(), text.clone())],
        Value::Array(parts) if !parts.is_empty() => {
            parts.iter().enumerate().flat_map(|(at, part)| lines(&format!("{name}.{}", at + 1), part)).collect()
        }
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(field, value)| lines(&format!("{name}.{field}"), value)).collect()
        }
        Value::Array(_) | Value::Object(_) => vec![line(name.into(), "–".into())],
        other => vec![line(name.into(), other.to_string())],
    }
}
