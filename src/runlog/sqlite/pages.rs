//! Reads rows of the SQLite run-log in the order of their keys, from after a key on.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::read::{ATTEMPT, NOT_RUN, PIPELINE, attempt_in, not_run_entry, pipeline};
use crate::occurrence::{PipelineId, Run};
use crate::run::{Attempt, NotRun, Reason, Row};

/// Rows of pipelines after that name.
pub fn rows(connection: &Connection, after: Option<&PipelineId>, limit: usize) -> rusqlite::Result<Vec<Row>> {
    let statement = format!("{PIPELINE} WHERE (namespace, pipeline) > (?1, ?2) ORDER BY namespace, pipeline LIMIT ?3");
    let (namespace, name) = after.map_or(("", ""), names);
    let parameters = params![namespace, name, count(limit)];
    connection.prepare_cached(&statement)?.query_map(parameters, pipeline)?.collect()
}

/// Attempts after that one.
pub fn attempts(
    connection: &Connection,
    after: Option<(&PipelineId, Timestamp, u32)>,
    limit: usize,
) -> rusqlite::Result<Vec<Attempt>> {
    let key = "namespace, pipeline, scheduled_for, attempt";
    let statement = format!("{ATTEMPT} WHERE ({key}) > (?1, ?2, ?3, ?4) ORDER BY {key} LIMIT ?5");
    let (id, at, number) =
        after.map_or((("", ""), i64::MIN, 0), |(id, at, number)| (names(id), at.as_microsecond(), number));
    let parameters = params![id.0, id.1, at, number, count(limit)];
    connection.prepare_cached(&statement)?.query_map(parameters, attempt_in)?.collect()
}

/// What was not run, after that entry.
pub fn not_run(
    connection: &Connection,
    after: Option<(&PipelineId, Timestamp, Reason)>,
    limit: usize,
) -> rusqlite::Result<Vec<NotRun>> {
    let key = "namespace, pipeline, first, reason";
    let statement = format!("{NOT_RUN} WHERE ({key}) > (?1, ?2, ?3, ?4) ORDER BY {key} LIMIT ?5");
    let (id, first, reason) =
        after.map_or((("", ""), i64::MIN, ""), |(id, at, reason)| (names(id), at.as_microsecond(), reason.word()));
    let parameters = params![id.0, id.1, first, reason, count(limit)];
    connection.prepare_cached(&statement)?.query_map(parameters, not_run_entry)?.collect()
}

/// What of a pipeline was not run, after that entry, before that instant.
pub fn not_run_of(
    connection: &Connection,
    id: &PipelineId,
    after: Option<(Timestamp, Reason)>,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<NotRun>> {
    let statement = format!(
        "{NOT_RUN} WHERE namespace = ?1 AND pipeline = ?2 AND (first, reason) > (?3, ?4) AND first < ?5 \
         ORDER BY first, reason LIMIT ?6"
    );
    let (first, reason) = after.map_or((i64::MIN, ""), |(first, reason)| (first.as_microsecond(), reason.word()));
    let (namespace, name) = names(id);
    let parameters = params![namespace, name, first, reason, before.as_microsecond(), count(limit)];
    connection.prepare_cached(&statement)?.query_map(parameters, not_run_entry)?.collect()
}

/// The attempt of that number.
pub fn attempt(connection: &Connection, run: &Run, number: u32) -> rusqlite::Result<Option<Attempt>> {
    let statement = format!("{ATTEMPT} WHERE namespace = ?1 AND pipeline = ?2 AND scheduled_for = ?3 AND attempt = ?4");
    let (namespace, name) = names(&run.pipeline);
    let parameters = params![namespace, name, run.scheduled_for.as_microsecond(), number];
    connection.prepare_cached(&statement)?.query_row(parameters, attempt_in).optional()
}

/// The entry of that key.
pub fn entry(connection: &Connection, like: &NotRun) -> rusqlite::Result<Option<NotRun>> {
    let statement = format!("{NOT_RUN} WHERE namespace = ?1 AND pipeline = ?2 AND first = ?3 AND reason = ?4");
    let (namespace, name) = names(&like.pipeline);
    let parameters = params![namespace, name, like.first.as_microsecond(), like.reason.word()];
    connection.prepare_cached(&statement)?.query_row(parameters, not_run_entry).optional()
}

/// A name is never empty, so that everything comes after two empty ones.
fn names(id: &PipelineId) -> (&str, &str) {
    (id.namespace.as_str(), id.name.as_str())
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
