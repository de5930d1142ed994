//! Forgets a pipeline in the SQLite run-log, and gives one another name, inside a transaction that holds the write lock.
//!
//! Holds always: what is refused has written nothing; a row stays under every name that a claim was ever made under.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::contract::{Forgotten, Verdict};
use super::{read, write};
use crate::occurrence::PipelineId;
use crate::run::Row;

/// Forgets a pipeline, unless an attempt of it is active.
pub fn forget(transaction: &Transaction<'_>, id: &PipelineId) -> rusqlite::Result<Forgotten> {
    let Some(row) = read::row(transaction, id)? else { return Ok(Forgotten::Unknown) };
    if has(transaction, "tickward_attempt", "AND state = 'claimed'", id)? {
        return Ok(Forgotten::Active);
    }
    let has_records = has(transaction, "tickward_attempt", "", id)? || has(transaction, "tickward_not_run", "", id)?;
    if row.is_guard() && !has_records {
        return Ok(Forgotten::Unknown);
    }
    let records = delete(transaction, "tickward_attempt", id)? + delete(transaction, "tickward_not_run", id)?;
    write::put_row(transaction, &row.forgotten())?;
    Ok(Forgotten::Done { records: records as u64 })
}

/// Gives what is known of `from` the name `to`.
pub fn rename(
    transaction: &Transaction<'_>,
    from: &PipelineId,
    to: &PipelineId,
    now: Timestamp,
) -> rusqlite::Result<Verdict> {
    let Some(old) = read::row(transaction, from)? else { return Ok(Verdict::Lost) };
    let new = read::row(transaction, to)?.unwrap_or_else(|| Row::absent(to.clone()));
    let may_move = old.may_move() || has(transaction, "tickward_attempt", "", from)?;
    if from == to || !may_move || !new.gives_way() || has(transaction, "tickward_attempt", "", to)? {
        return Ok(Verdict::Lost);
    }
    let (moved, left) = old.moved(&new, now);
    delete(transaction, "tickward_not_run", to)?;
    for table in ["tickward_attempt", "tickward_not_run"] {
        let statement =
            format!("UPDATE {table} SET namespace = ?3, pipeline = ?4 WHERE namespace = ?1 AND pipeline = ?2");
        let names = params![from.namespace.as_str(), from.name.as_str(), to.namespace.as_str(), to.name.as_str()];
        transaction.prepare_cached(&statement)?.execute(names)?;
    }
    write::put_row(transaction, &moved)?;
    write::put_row(transaction, &left)?;
    Ok(Verdict::Won)
}

fn has(connection: &Connection, table: &str, which: &str, id: &PipelineId) -> rusqlite::Result<bool> {
    let statement = format!("SELECT 1 FROM {table} WHERE namespace = ?1 AND pipeline = ?2 {which} LIMIT 1");
    let names = (id.namespace.as_str(), id.name.as_str());
    Ok(connection.prepare_cached(&statement)?.query_row(names, |_| Ok(())).optional()?.is_some())
}

fn delete(connection: &Connection, table: &str, id: &PipelineId) -> rusqlite::Result<usize> {
    let statement = format!("DELETE FROM {table} WHERE namespace = ?1 AND pipeline = ?2");
    connection.prepare_cached(&statement)?.execute((id.namespace.as_str(), id.name.as_str()))
}
