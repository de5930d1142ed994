//! The run-log in a DuckDB file: `duckdb:///path`, for one host.
//!
//! DuckDB lets one process have a file. So every transaction opens it, works and closes it again, in turns (`turn`); between
//! two of them nobody has it, and anyone may open it. Its SQL is `dialect`'s, its rules are those of every server.
//!
//! Holds always: what a call returned as applied is on disk; a file that is no DuckDB database is left as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copy::Foreign;
use super::disk::{self, with_suffix};
use super::facts::Migration;
use super::memory::MemoryRunLog;
use super::sql::{self, Backend};
use super::{Error, OpenOptions, RunLog, Schema};

mod address;
mod create;
mod dialect;
mod session;
mod turn;

use address::Address;
use session::Place;

/// Each form of the tables, oldest first.
const MIGRATIONS: [Migration; 5] = [
    Migration { name: "0001_run_log", statements: include_str!("../../../migrations/duckdb/0001_run_log.sql") },
    Migration { name: "0002_standing", statements: include_str!("../../../migrations/duckdb/0002_standing.sql") },
    Migration { name: "0003_results", statements: include_str!("../../../migrations/duckdb/0003_results.sql") },
    Migration { name: "0004_outbox", statements: include_str!("../../../migrations/duckdb/0004_outbox.sql") },
    Migration { name: "0005_degraded", statements: include_str!("../../../migrations/duckdb/0005_degraded.sql") },
];

/// How the tables are made.
pub const TABLES: Schema = Schema {
    name: "duckdb",
    migrations: &MIGRATIONS,
    meta_key: "name",
    grants: "",
    views: include_str!("../../../migrations/duckdb/views.sql"),
};

/// Refuses an address that cannot be read.
///
/// # Errors
/// `Address`, with what to write instead.
pub fn check(url: &str) -> Result<(), Error> {
    address::Address::parse(url).map(drop)
}

/// Opens the run-log at `url`.
///
/// # Errors
/// `Address` for one that cannot be read, `Refused` for a file that must not be used, `Unavailable` for the rest.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    let address = Address::parse(url)?;
    let (place, start_marks) = match &address.path {
        None => (Place::memory().map_err(|why| Error::Unavailable { message: why, source: None })?, None),
        Some(path) => {
            let is_there = path.symlink_metadata().is_ok();
            if !is_there && options.purpose.only_looks() {
                return Ok(Arc::new(MemoryRunLog::new(options.clock)));
            }
            let file = found(path, &address)?;
            let start_marks = with_suffix(&file, "-start");
            (Place::file(file, address.patience), Some(start_marks))
        }
    };
    sql::open(backend(url, place, start_marks), options)
}

/// What ematix-flow keeps in the file at `url`.
///
/// # Errors
/// As `open`.
pub fn peer(url: &str) -> Result<Option<Foreign>, Error> {
    let address = Address::parse(url)?;
    let Some(path) = address.path.as_deref().filter(|path| path.is_file()) else { return Ok(None) };
    let place = Place::theirs(found(path, &address)?, address.patience);
    sql::peer::read(&backend(url, place, None), "")
}

fn backend(url: &str, place: Place, start_marks: Option<PathBuf>) -> Backend {
    Backend {
        dialect: Box::new(dialect::DuckDb),
        server: Arc::new(place),
        migrations: &MIGRATIONS,
        shown: url.split('?').next().unwrap_or(url).to_owned(),
        creates_tables: true,
        start_marks,
    }
}

/// The file itself, there or not: whoever came by a link has to find the same lock and the same start marks.
fn found(path: &Path, address: &Address) -> Result<PathBuf, Error> {
    disk::make_folder(path)?;
    let cannot = |error: std::io::Error| disk::unavailable(path, "opened", &error);
    let file = match path.symlink_metadata() {
        Ok(_) => path.canonicalize().map_err(cannot)?,
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            folder.canonicalize().map_err(cannot)?.join(path.file_name().unwrap_or_default())
        }
    };
    if !address.network_fs {
        // The file may not be opened here, nor be there yet: DuckDB's own locks would end with any handle of this process.
        disk::refuse_network_file_system(path, file.parent().unwrap_or(&file), "DuckDB")?;
    }
    Ok(file)
}
