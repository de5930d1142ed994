//! Reads rows of the SQLite run-log as values.
//!
//! Holds always: a stored value that this program does not know (written by a newer one) is an error that names the
//! column, never a panic.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, Row as SqlRow, params};

use super::super::contract::{Query, Record, Scope, View};
use super::super::newest_first;
use super::outbox;
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{Name, PipelineId, Run, Token};
use crate::run::{Attempt, Completion, KnownSchedule, LastEnd, NotRun, Outcome, Reason, Row, StopRequest, Trigger};

pub(super) const PIPELINE: &str = "SELECT namespace, pipeline, version, fence, cursor, backlog_until, schedules, totals, \
     failures_in_a_row, last_scheduled_for, last_attempt, last_outcome, last_ended_at, standing FROM tickward_pipeline";

pub(super) const ATTEMPT: &str = "SELECT namespace, pipeline, scheduled_for, attempt, token, fence, state, trigger, by_hand, tries, \
     earlier_starts, interruptions, owner, policy, claimed_at, lease_us, lease_until, lease_until_boot, retry_at, gave_up, \
     late_outcome, fatal, started_at, ended_at, duration_us, exit_code, error, cpu_us, peak_memory_bytes, output_bytes, tail, \
     stop_request, results, degraded FROM tickward_attempt";

pub(super) const NOT_RUN: &str =
    "SELECT namespace, pipeline, first, last, count, at_least, reason, decided_at FROM tickward_not_run";

const OPEN: &str = "(state = 'claimed' OR retry_at IS NOT NULL)";

/// What a tick needs to decide.
pub fn view(connection: &Connection, scope: &Scope, now: Timestamp) -> rusqlite::Result<View> {
    let alerts_pending = outbox::is_pending(connection)?;
    let mut view = View { now, rows: BTreeMap::new(), open: BTreeMap::new(), decided: BTreeMap::new(), alerts_pending };
    match scope {
        Scope::All => {
            let mut rows = connection.prepare_cached(PIPELINE)?;
            // One by one: a map that is collected has all of them in a list beside it first.
            for row in rows.query_map((), pipeline)? {
                let row = row?;
                view.rows.insert(row.pipeline.clone(), row);
            }
            // Without an ORDER BY the partial index is walked alone; with one, the planner prefers the primary key.
            let open = format!("{ATTEMPT} INDEXED BY tickward_attempt_open WHERE {OPEN}");
            for found in connection.prepare_cached(&open)?.query_map((), attempt_in)? {
                let found = found?;
                view.open.entry(found.run.pipeline.clone()).or_default().push(found);
            }
            for attempts in view.open.values_mut() {
                attempts.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
            }
        }
        Scope::Only(ids) => {
            for id in ids {
                view_of(connection, id, &mut view)?;
            }
        }
    }
    Ok(view)
}

fn view_of(connection: &Connection, id: &PipelineId, view: &mut View) -> rusqlite::Result<()> {
    let key = (id.namespace.as_str(), id.name.as_str());
    let rows = format!("{PIPELINE} WHERE namespace = ?1 AND pipeline = ?2");
    for row in connection.prepare_cached(&rows)?.query_map(key, pipeline)? {
        view.rows.insert(id.clone(), row?);
    }
    // As above: an ORDER BY would walk the whole history of the pipeline.
    let open = format!("{ATTEMPT} INDEXED BY tickward_attempt_open WHERE namespace = ?1 AND pipeline = ?2 AND {OPEN}");
    let mut open = connection.prepare_cached(&open)?.query_map(key, attempt_in)?.collect::<Result<Vec<_>, _>>()?;
    open.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
    if !open.is_empty() {
        view.open.insert(id.clone(), open);
    }
    let undecided_after = view.rows.get(id).and_then(|row| row.undecided_after(view.now));
    let cursor = undecided_after.map_or(i64::MIN, Timestamp::as_microsecond);
    let decided = "SELECT DISTINCT scheduled_for FROM tickward_attempt \
                   WHERE namespace = ?1 AND pipeline = ?2 AND scheduled_for > ?3 ORDER BY scheduled_for LIMIT 10000";
    let decided = connection
        .prepare_cached(decided)?
        .query_map(params![key.0, key.1, cursor], |row| instant(row, 0))?
        .collect::<Result<Vec<_>, _>>()?;
    if !decided.is_empty() {
        view.decided.insert(id.clone(), decided);
    }
    Ok(())
}

/// The attempt that has `token`, if any.
pub fn attempt_by_token(connection: &Connection, token: Token) -> rusqlite::Result<Option<Attempt>> {
    use rusqlite::OptionalExtension;
    let statement = format!("{ATTEMPT} WHERE token = ?1");
    connection.prepare_cached(&statement)?.query_row([token.to_string()], attempt_in).optional()
}

/// All attempts of a run, the first one first.
pub fn attempts_of(connection: &Connection, run: &Run) -> rusqlite::Result<Vec<Attempt>> {
    let statement = format!("{ATTEMPT} WHERE namespace = ?1 AND pipeline = ?2 AND scheduled_for = ?3 ORDER BY attempt");
    let key = (run.pipeline.namespace.as_str(), run.pipeline.name.as_str(), run.scheduled_for.as_microsecond());
    connection.prepare_cached(&statement)?.query_map(key, attempt_in)?.collect()
}

/// The row of a pipeline, if there is one.
pub fn row(connection: &Connection, id: &PipelineId) -> rusqlite::Result<Option<Row>> {
    use rusqlite::OptionalExtension;
    let statement = format!("{PIPELINE} WHERE namespace = ?1 AND pipeline = ?2");
    connection.prepare_cached(&statement)?.query_row((id.namespace.as_str(), id.name.as_str()), pipeline).optional()
}

/// What happened, newest first.
pub fn history(connection: &Connection, query: &Query) -> rusqlite::Result<Vec<Record>> {
    if let (Some(run), Some(id)) = (&query.run, &query.pipeline)
        && run.pipeline != *id
    {
        return Ok(Vec::new());
    }
    let id = query.run.as_ref().map(|run| &run.pipeline).or(query.pipeline.as_ref());
    if let Some(token) = query.token {
        let found = attempt_by_token(connection, token)?.filter(|attempt| {
            id.is_none_or(|id| *id == attempt.run.pipeline) && query.run.as_ref().is_none_or(|run| *run == attempt.run)
        });
        return Ok(found.into_iter().take(query.limit).map(|attempt| Record::Attempt(Box::new(attempt))).collect());
    }
    let (namespace, name) = (id.map(|id| id.namespace.as_str()), id.map(|id| id.name.as_str()));
    let instant = query.run.as_ref().map(|run| run.scheduled_for.as_microsecond());
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let of_pipeline = if id.is_some() { "namespace = ?1 AND pipeline = ?2" } else { "?1 IS NULL AND ?2 IS NULL" };
    let attempts = format!(
        "{ATTEMPT} WHERE {of_pipeline} AND (?3 IS NULL OR scheduled_for = ?3) \
         ORDER BY claimed_at DESC, scheduled_for DESC, attempt DESC, namespace, pipeline LIMIT ?4"
    );
    let not_run = format!(
        "{NOT_RUN} WHERE {of_pipeline} AND (?3 IS NULL OR (first <= ?3 AND last >= ?3)) \
         ORDER BY decided_at DESC, last DESC, namespace, pipeline LIMIT ?4"
    );
    let parameters = params![namespace, name, instant, limit];
    let mut records = Vec::new();
    for found in connection.prepare(&attempts)?.query_map(parameters, attempt_in)? {
        records.push(Record::Attempt(Box::new(found?)));
    }
    if !query.attempts_only {
        for found in connection.prepare(&not_run)?.query_map(parameters, not_run_entry)? {
            records.push(Record::NotRun(found?));
        }
    }
    records.sort_by(newest_first);
    records.truncate(query.limit);
    Ok(records)
}

/// The row of a pipeline.
pub fn pipeline(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let last = match (opt_instant(row, 9)?, get::<Option<u32>>(row, 10)?, opt_instant(row, 12)?) {
        (Some(scheduled_for), Some(attempt), Some(ended_at)) => {
            Some(LastEnd { scheduled_for, attempt, outcome: word(row, 11, Outcome::from_word)?, ended_at })
        }
        _ => None,
    };
    Ok(Row {
        pipeline: id(row)?,
        version: number(row, 2)?,
        fence: number(row, 3)?,
        cursor: opt_instant(row, 4)?,
        backlog_until: opt_instant(row, 5)?,
        // A list that is read has room for four.
        schedules: json::<Box<[KnownSchedule]>>(row, 6)?.into_vec(),
        totals: json(row, 7)?,
        failures_in_a_row: number(row, 8)?,
        last,
        standing: json(row, 13)?,
    })
}

/// An attempt.
pub fn attempt_in(row: &SqlRow<'_>) -> rusqlite::Result<Attempt> {
    let token = word(row, 4, Token::parse)?;
    let end = match text(row, 6)?.as_str() {
        "claimed" => None,
        _ => Some(completion(row, token)?),
    };
    Ok(Attempt {
        run: Run { pipeline: id(row)?, scheduled_for: instant(row, 2)? },
        number: get(row, 3)?,
        token,
        fence: number(row, 5)?,
        end,
        trigger: word(row, 7, Trigger::from_word)?,
        by_hand: get(row, 8)?,
        tries: get(row, 9)?,
        earlier_starts: get(row, 10)?,
        interruptions: get(row, 11)?,
        owner: json(row, 12)?,
        policy: json(row, 13)?,
        claimed_at: instant(row, 14)?,
        lease: Lease {
            length: Duration::from_micros(number(row, 15)?),
            until: instant(row, 16)?,
            until_boot: BootTime(get(row, 17)?),
        },
        retry_at: opt_instant(row, 18)?,
        gave_up: get(row, 19)?,
        late_outcome: match get::<Option<String>>(row, 20)? {
            None => None,
            Some(_) => Some(word(row, 20, Outcome::from_word)?),
        },
        stop: stop_request(row, 31)?,
        degraded: get(row, 33)?,
    })
}

/// A wish that an attempt ends, if there is one in this column.
pub fn stop_request(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Option<StopRequest>> {
    match get::<Option<String>>(row, column)? {
        None => Ok(None),
        Some(_) => json(row, column).map(Some),
    }
}

fn completion(row: &SqlRow<'_>, token: Token) -> rusqlite::Result<Completion> {
    let count = |column| Ok::<_, rusqlite::Error>(get::<Option<i64>>(row, column)?.unwrap_or(0).unsigned_abs());
    Ok(Completion {
        token,
        outcome: word(row, 6, Outcome::from_word)?,
        fatal: get(row, 21)?,
        started_at: opt_instant(row, 22)?,
        ended_at: instant(row, 23)?,
        duration: Duration::from_micros(count(24)?),
        exit_code: get(row, 25)?,
        error: get(row, 26)?,
        cpu: Duration::from_micros(count(27)?),
        peak_memory_bytes: count(28)?,
        output_bytes: count(29)?,
        tail: get::<Option<String>>(row, 30)?.unwrap_or_default(),
        results: match get::<Option<String>>(row, 32)? {
            None => None,
            Some(_) => Some(json(row, 32)?),
        },
    })
}

/// An entry of what was not run.
pub fn not_run_entry(row: &SqlRow<'_>) -> rusqlite::Result<NotRun> {
    Ok(NotRun {
        pipeline: id(row)?,
        first: instant(row, 2)?,
        last: instant(row, 3)?,
        count: number(row, 4)?,
        at_least: get(row, 5)?,
        reason: word(row, 6, Reason::from_word)?,
        decided_at: instant(row, 7)?,
        after: None,
    })
}

fn id(row: &SqlRow<'_>) -> rusqlite::Result<PipelineId> {
    let name = |column| Name::parse(&text(row, column)?).map_err(|error| unreadable(row, column, error));
    Ok(PipelineId { namespace: name(0)?, name: name(1)? })
}

/// A column of whole microseconds.
pub fn instant(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(get(row, column)?).map_err(|error| unreadable(row, column, error))
}

fn opt_instant(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let micros: Option<i64> = get(row, column)?;
    micros.map(Timestamp::from_microsecond).transpose().map_err(|error| unreadable(row, column, error))
}

fn number(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(get::<i64>(row, column)?).map_err(|error| unreadable(row, column, error))
}

fn text(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<String> {
    get(row, column)
}

fn word<T>(row: &SqlRow<'_>, column: usize, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = text(row, column)?;
    read(&text).ok_or_else(|| unreadable(row, column, UnknownWord(text)))
}

/// A column of JSON.
pub fn json<T: serde::de::DeserializeOwned>(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(&text(row, column)?).map_err(|error| unreadable(row, column, error))
}

fn get<T: FromSql>(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<T> {
    T::column_result(row.get_ref(column)?).map_err(|error| unreadable(row, column, error))
}

fn unreadable(
    row: &SqlRow<'_>,
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let name = row.as_ref().column_name(column).unwrap_or("?").to_owned();
    let error = Unreadable { column: name, source: Box::new(error) };
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

#[derive(Debug, thiserror::Error)]
#[error("column `{column}`: {source}")]
struct Unreadable {
    column: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Debug, thiserror::Error)]
#[error("unknown word `{0}`: it may come from a newer tickward")]
struct UnknownWord(String);
