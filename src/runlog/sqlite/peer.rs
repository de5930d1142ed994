//! Reads the history that ematix-flow keeps in an SQLite file.
//!
//! Holds always: the file is opened for reading only.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::super::Error;
use super::super::copy::Foreign;
use super::super::peer::{Reading, Record};
use super::{address::Address, sorted};

/// What is in the file that `url` names; none where it is no such file, or has tables of ours.
///
/// # Errors
/// `Address` for a URL that cannot be read, `Unavailable` for a file that cannot.
pub fn read(url: &str) -> Result<Option<Foreign>, Error> {
    let path = Address::parse(url)?.path;
    if !path.metadata().is_ok_and(|data| data.is_file() && data.len() > 0) {
        return Ok(None);
    }
    of_file(&path).map_err(|error| sorted(&path, error))
}

fn of_file(path: &Path) -> rusqlite::Result<Option<Foreign>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let has = |name: &str| {
        let statement = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
        connection.prepare(statement)?.query_row([name], |_| Ok(())).optional().map(|found| found.is_some())
    };
    if has("tickward_meta")? || !has("run_log")? {
        return Ok(None);
    }
    let mut reading = Reading::default();
    if has("run_records")? {
        records(&connection, &mut reading)?;
    }
    last_runs(&connection, &mut reading)?;
    if has("attempt_state")? {
        given_up(&connection, &mut reading)?;
    }
    Ok(Some(reading.done()))
}

fn records(connection: &Connection, reading: &mut Reading) -> rusqlite::Result<()> {
    let statement = "SELECT run_id, pipeline, status, started_at, finished_at, error_summary FROM run_records \
         ORDER BY pipeline, started_at, run_id";
    let mut statement = connection.prepare(statement)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (run_id, name, status) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (started_at, finished_at, error) = (row.get(3)?, row.get(4)?, row.get(5)?);
        reading.record(Record { run_id, name, status, started_at, finished_at, error });
    }
    Ok(())
}

fn last_runs(connection: &Connection, reading: &mut Reading) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT pipeline_name, last_run_at, success FROM run_log ORDER BY 1")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (name, at): (String, String) = (row.get(0)?, row.get(1)?);
        reading.last_run(&name, &at, row.get(2)?);
    }
    Ok(())
}

fn given_up(connection: &Connection, reading: &mut Reading) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT pipeline_name FROM attempt_state WHERE gave_up <> 0")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        reading.given_up(&row.get::<_, String>(0)?);
    }
    Ok(())
}
