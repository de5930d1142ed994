//! Brings the tables up to date, and says which stores are not for this tick.
//!
//! Holds always: of many processes that open a new file at once, one creates the tables; a store that needs a newer
//! program, or that belongs to a rehearsal, is refused and left as it is.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::super::facts::Migration;
use super::super::{Error, OpenOptions, Purpose};
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
/// `Refused` for a store that needs a newer program or is for another purpose; `Unavailable` for the rest.
pub fn bring_up_to_date(connection: &mut Connection, path: &Path, options: &OpenOptions) -> Result<usize, Error> {
    let sort = |error| sorted(path, error);
    let mut meta = Meta::read(connection).map_err(sort)?;
    let found = meta.schema;
    if meta.schema < MIGRATIONS.len() {
        apply(connection, options.purpose).map_err(sort)?;
        meta = Meta::read(connection).map_err(sort)?;
    }
    meta.check(path, options.purpose)?;
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
    Ok(Meta::read(connection)?.schema)
}

fn apply(connection: &mut Connection, purpose: Purpose) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = Meta::read(&transaction)?.schema;
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(applied) {
        transaction.execute_batch(migration.statements)?;
        let mut set = transaction.prepare("INSERT OR REPLACE INTO tickward_meta (key, value) VALUES (?1, ?2)")?;
        set.execute(("schema", (done + 1).to_string()))?;
        if done == 0 {
            set.execute(("needs", "1"))?;
            if purpose == Purpose::Rehearse {
                set.execute(("rehearsal", "yes"))?;
            }
            if purpose == Purpose::Shadow {
                set.execute(("shadow", "yes"))?;
            }
        }
    }
    failpoint::reached(Point::TablesWritten);
    transaction.commit()?;
    failpoint::reached(Point::TablesMade);
    Ok(())
}

/// What a store says of itself.
#[derive(Debug, Default)]
struct Meta {
    /// How many migrations it has seen.
    schema: usize,
    /// The number of migrations a program must know to use it.
    needs: usize,
    /// It was created under `--now`.
    rehearsal: bool,
    /// Nothing in it was run: it was created under `--shadow`.
    shadow: bool,
}

impl Meta {
    fn read(connection: &Connection) -> rusqlite::Result<Meta> {
        let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tickward_meta'";
        if connection.prepare(table)?.query_row((), |_| Ok(())).optional()?.is_none() {
            return Ok(Meta::default());
        }
        let mut meta = Meta::default();
        let mut statement = connection.prepare("SELECT key, value FROM tickward_meta")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (key, value): (String, String) = (row.get(0)?, row.get(1)?);
            match key.as_str() {
                "schema" => meta.schema = value.parse().unwrap_or(usize::MAX),
                "needs" => meta.needs = value.parse().unwrap_or(usize::MAX),
                "rehearsal" => meta.rehearsal = true,
                "shadow" => meta.shadow = true,
                _ => {}
            }
        }
        Ok(meta)
    }

    fn check(&self, path: &Path, purpose: Purpose) -> Result<(), Error> {
        let file = path.display();
        if self.needs > MIGRATIONS.len() {
            return Err(Error::Refused {
                message: format!(
                    "the run-log `{file}` needs a newer tickward: it has form {}, this program knows up to {}",
                    self.schema,
                    MIGRATIONS.len()
                ),
                help: "update this program, or use another run-log".into(),
            });
        }
        match (purpose, self.shadow) {
            (Purpose::Work | Purpose::Rehearse, true) => {
                return Err(Error::Address {
                    message: format!("the run-log `{file}` was created under --shadow: nothing in it has been run"),
                    help: "use another run-log for real ticks, or delete this one".into(),
                });
            }
            (Purpose::Shadow, false) => {
                return Err(Error::Address {
                    message: format!("--shadow only decides, and the run-log `{file}` is no shadow's"),
                    help: "leave `--run-log-url` out, or name a file that does not exist yet".into(),
                });
            }
            _ => {}
        }
        match (purpose, self.rehearsal) {
            (Purpose::Work, true) => Err(Error::Address {
                message: format!("the run-log `{file}` was created under --now, for a rehearsal"),
                help: "use another run-log for real ticks, or delete this one".into(),
            }),
            (Purpose::Rehearse, false) => Err(Error::Address {
                message: format!("--now is for rehearsals, and the run-log `{file}` is a real one"),
                help: "add --dry-run, or rehearse on a run-log of its own: --run-log-url sqlite:rehearsal.db".into(),
            }),
            _ => Ok(()),
        }
    }
}
