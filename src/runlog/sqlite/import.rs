//! Takes in what was run on a host alone, inside a transaction that holds the write lock.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::super::contract::{Imported, Spooled};
use super::super::import::take_in;
use super::{outbox, read, write};
use crate::run::{Attempt, Row};

/// Takes in one record.
pub fn record(transaction: &Transaction<'_>, spooled: &Spooled, now: Timestamp) -> rusqlite::Result<Imported> {
    let attempt = &spooled.attempt;
    let there = read::attempt_by_token(transaction, attempt.token)?;
    let is_new = there.is_none();
    let others = read::attempts_of(transaction, &attempt.run)?;
    let id = &attempt.run.pipeline;
    let mut row = read::row(transaction, id)?.unwrap_or_else(|| Row::absent(id.clone()));
    let (imported, changed, alerts) = take_in(&mut row, there, &others, spooled);
    if let Some(changed) = changed.first() {
        write::put_row(transaction, &row)?;
        if is_new {
            // Its key was looked at under the same lock; an older active attempt of the run is no hindrance to one that ended.
            write::insert_attempt(transaction, changed, changed.is_active())?;
        }
        put_lease(transaction, changed)?;
    }
    for changed in &changed {
        write::update_attempt(transaction, changed)?;
    }
    outbox::put(transaction, &alerts, now)?;
    Ok(imported)
}

fn put_lease(transaction: &Transaction<'_>, attempt: &Attempt) -> rusqlite::Result<()> {
    let update = "UPDATE tickward_attempt SET lease_until = ?2, lease_until_boot = ?3 WHERE token = ?1";
    let lease = &attempt.lease;
    let token = attempt.token.to_string();
    transaction.prepare_cached(update)?.execute(params![token, lease.until.as_microsecond(), lease.until_boot.0])?;
    Ok(())
}
