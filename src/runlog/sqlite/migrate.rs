//! Brings the tables up to date, and says which stores are not for this tick.
//!
//! Holds always: of many processes that open a new file at once, one creates the tables; a store that needs a newer
//! program, or that belongs to a rehearsal, is refused and left as it is.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::super::facts::Migration;
use super::super::form::{Form, Meta, must_be_new};
use super::super::{Error, OpenOptions};
use super::sorted;
use crate::failpoint::{self, Point};

/// A step from its file.
macro_rules! step {
    ($name:literal) => {
        Migration { name: $name, statements: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")) }
    };
}

/// Each form of the tables, oldest first; its number is its place, counted from 1.
pub const MIGRATIONS: &[Migration] = &[
    step!("0001_run_log"),
    step!("0002_standing"),
    step!("0003_results"),
    step!("0004_outbox"),
    step!("0005_degraded"),
];

/// Applies what is missing, then checks that the store is for this program and purpose; returns the form as it was found.
///
/// # Errors
/// `Refused` for a store that needs a newer program or is for another purpose; `Unavailable` for the rest, also for one
/// without tables that this host has used.
pub fn bring_up_to_date(connection: &mut Connection, path: &Path, options: &OpenOptions) -> Result<usize, Error> {
    let sort = |error| sorted(path, error);
    let mut meta = read(connection).map_err(sort)?;
    let found = meta.schema;
    if meta.schema < MIGRATIONS.len() {
        apply(connection, path, options)?;
        meta = read(connection).map_err(sort)?;
    }
    Form { shown: &path.display().to_string(), known: MIGRATIONS.len() }.check(&meta, options.purpose)?;
    Ok(found)
}

/// Whether anybody has made the tables.
///
/// # Errors
/// Those of the file.
pub fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(form(connection)? > 0)
}

/// How many migrations the tables have seen; 0 where there are none.
///
/// # Errors
/// Those of the file.
pub fn form(connection: &Connection) -> rusqlite::Result<usize> {
    Ok(read(connection)?.schema)
}

fn apply(connection: &mut Connection, path: &Path, options: &OpenOptions) -> Result<(), Error> {
    let sort = |error| sorted(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sort)?;
    let applied = read(&transaction).map_err(sort)?.schema;
    // Whoever has made the tables meanwhile may have noted what this host knows of them.
    if applied == 0 {
        must_be_new(&path.display().to_string(), options)?;
    }
    write(&transaction, applied, options).map_err(sort)?;
    failpoint::reached(Point::TablesWritten);
    transaction.commit().map_err(sort)?;
    failpoint::reached(Point::TablesMade);
    Ok(())
}

fn write(transaction: &Connection, applied: usize, options: &OpenOptions) -> rusqlite::Result<()> {
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(applied) {
        transaction.execute_batch(migration.statements)?;
        let mut set = transaction.prepare("INSERT OR REPLACE INTO tickward_meta (key, value) VALUES (?1, ?2)")?;
        set.execute(("schema", (done + 1).to_string()))?;
        if done == 0 {
            for pair in Meta::first(options.purpose) {
                set.execute(pair)?;
            }
        }
    }
    Ok(())
}

fn read(connection: &Connection) -> rusqlite::Result<Meta> {
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tickward_meta'";
    if connection.prepare(table)?.query_row((), |_| Ok(())).optional()?.is_none() {
        return Ok(Meta::default());
    }
    let mut statement = connection.prepare("SELECT key, value FROM tickward_meta")?;
    let pairs = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Meta::of(pairs.collect::<rusqlite::Result<Vec<(String, String)>>>()?.into_iter()))
}
