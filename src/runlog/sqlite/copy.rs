//! Hands over what the SQLite run-log knows, and takes in what another one knew, inside a transaction of the caller's.
//!
//! Holds always: what is there stays as it is, but for a row that guards nothing more than a name.

use rusqlite::{Connection, params};

use super::super::contract::{Adopted, Item, Mark, Outbox};
use super::super::copy::{RowAdopted, adopted, untaken};
use super::{outbox, pages, read, write};
use crate::occurrence::PipelineId;
use crate::run::{Attempt, NotRun, Row};

/// At most `limit` items after `after`; the outbox whole.
pub fn export(connection: &Connection, after: Option<&Mark>, limit: usize) -> rusqlite::Result<Vec<Item>> {
    let mut items = Vec::new();
    if matches!(after, None | Some(Mark::Row(_))) {
        let after = match after {
            Some(Mark::Row(id)) => Some(id),
            _ => None,
        };
        items.extend(pages::rows(connection, after, limit)?.into_iter().map(|row| Item::Row(Box::new(row))));
    }
    let room = limit - items.len();
    if room > 0 && matches!(after, None | Some(Mark::Row(_) | Mark::Attempt(..))) {
        let after = match after {
            Some(Mark::Attempt(id, at, number)) => Some((id, *at, *number)),
            _ => None,
        };
        let found = pages::attempts(connection, after, room)?;
        items.extend(found.into_iter().map(|attempt| Item::Attempt(Box::new(attempt))));
    }
    let room = limit - items.len();
    if room > 0 && after != Some(&Mark::Outbox) {
        let after = match after {
            Some(Mark::NotRun(id, first, reason)) => Some((id, *first, *reason)),
            _ => None,
        };
        items.extend(pages::not_run(connection, after, room)?.into_iter().map(Item::NotRun));
    }
    if items.is_empty() && after != Some(&Mark::Outbox) {
        let Outbox { waiting, dead, .. } = outbox::look(connection)?;
        items.extend(waiting.into_iter().map(Item::Waiting).chain(dead.into_iter().map(Item::Dead)));
    }
    Ok(items)
}

/// Takes in what is not there yet.
pub fn adopt(connection: &Connection, items: &[Item]) -> rusqlite::Result<Adopted> {
    let mut count = Adopted::default();
    for item in items {
        count.count(match item {
            Item::Row(row) => adopt_row(connection, row)?,
            Item::Attempt(attempt) => adopt_attempt(connection, attempt)?,
            Item::NotRun(entry) => adopt_not_run(connection, entry)?,
            Item::Waiting(waiting) => outbox::adopt(connection, &untaken(waiting), false)?.then_some(true),
            Item::Dead(dead) => outbox::adopt(connection, &untaken(dead), true)?.then_some(true),
        });
    }
    Ok(count)
}

/// Whether what is there is the same; none where nothing was.
fn adopt_row(connection: &Connection, row: &Row) -> rusqlite::Result<Option<bool>> {
    let there = read::row(connection, &row.pipeline)?;
    let row = match adopted(row, there.as_ref()) {
        RowAdopted::Known => return Ok(Some(true)),
        RowAdopted::Differs => return Ok(Some(false)),
        RowAdopted::Stored(row) => row,
    };
    write::put_row(connection, &Row { version: there.map_or(0, |there| there.version), ..(*row).clone() })?;
    let version = "UPDATE tickward_pipeline SET version = ?3 WHERE namespace = ?1 AND pipeline = ?2";
    let (namespace, name) = names(&row.pipeline);
    connection.prepare_cached(version)?.execute(params![namespace, name, write::signed(row.version)])?;
    Ok(None)
}

fn adopt_attempt(connection: &Connection, attempt: &Attempt) -> rusqlite::Result<Option<bool>> {
    let with_key = || pages::attempt(connection, &attempt.run, attempt.number);
    if let Some(there) = read::attempt_by_token(connection, attempt.token)?.map_or_else(with_key, |a| Ok(Some(a)))? {
        return Ok(Some(there == *attempt));
    }
    write::insert_attempt(connection, attempt, false)?;
    write::update_attempt(connection, attempt)?;
    if let Some(stop) = &attempt.stop {
        let statement = "UPDATE tickward_attempt SET stop_request = ?2 WHERE token = ?1";
        connection.prepare_cached(statement)?.execute((attempt.token.to_string(), write::as_json(stop)?))?;
    }
    Ok(None)
}

fn adopt_not_run(connection: &Connection, entry: &NotRun) -> rusqlite::Result<Option<bool>> {
    let there = pages::entry(connection, entry)?;
    let entry = NotRun { after: None, ..entry.clone() };
    if let Some(there) = there {
        return Ok(Some(there == entry));
    }
    let insert = "INSERT INTO tickward_not_run (namespace, pipeline, first, last, count, at_least, reason, decided_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (namespace, name) = names(&entry.pipeline);
    connection.prepare_cached(insert)?.execute(params![
        namespace,
        name,
        entry.first.as_microsecond(),
        entry.last.as_microsecond(),
        write::signed(entry.count),
        entry.at_least,
        entry.reason.word(),
        entry.decided_at.as_microsecond(),
    ])?;
    Ok(None)
}

fn names(id: &PipelineId) -> (&str, &str) {
    (id.namespace.as_str(), id.name.as_str())
}
