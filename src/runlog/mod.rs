//! The durable record of what was decided, claimed and done: one contract, one file or folder a backend.
//!
//! `contract` says what every store promises; the behaviour suite (tests/runlog.rs) runs every case over every row of the
//! table below. A further store is a folder shaped like its neighbours, a `mod` line and a row.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::config;
use crate::occurrence::PipelineId;
use crate::scheme::{self, Scheme};
use copy::Foreign;

pub mod again;
pub mod contract;
pub mod copy;
#[cfg(any(feature = "sqlite", feature = "duckdb"))]
mod disk;
#[cfg(feature = "duckdb")]
mod duckdb;
mod error;
pub mod facts;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql", feature = "duckdb"))]
mod form;
pub mod import;
pub mod memory;
#[cfg(feature = "mysql")]
mod mysql;
pub mod outbox;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql", feature = "duckdb"))]
mod peer;
#[cfg(feature = "postgres")]
mod postgres;
pub mod retention;
pub mod spool;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "duckdb"))]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use contract::RunLog;
pub use error::Error;
pub use facts::Schema;

/// Whether nobody can write to `path`, because its file system is mounted so.
pub fn is_read_only(path: &Path) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|of| of.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

/// How a run-log is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// The time of stores that have none of their own.
    pub clock: Arc<dyn Clock>,
    /// What for.
    pub purpose: Purpose,
    /// Where this host keeps what it knows of the store: one that it has used and that has no tables is no new one. None
    /// where nothing is kept.
    pub host: Option<PathBuf>,
}

impl OpenOptions {
    /// By the time of `clock`, for a store of which this host keeps nothing.
    pub fn new(clock: Arc<dyn Clock>, purpose: Purpose) -> OpenOptions {
        OpenOptions { clock, purpose, host: None }
    }
}

/// What a run-log is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Ticks by the real time. A rehearsal's store is refused.
    Work,
    /// Ticks by an invented time (`--now`). A real store is refused; a new one is marked.
    Rehearse,
    /// Ticks that decide and run nothing (`--shadow`). Only a shadow's store is taken; a new one is marked.
    Shadow,
    /// The same by an invented time. Only such a store is taken; a new one has both marks.
    RehearseShadow,
    /// Only looked at: what does not exist is not created.
    Read,
    /// Looked at to say what ticks by the real time would do: a store that they refuse is refused.
    Foresee,
}

impl Purpose {
    /// Whether the store is only looked at.
    pub fn only_looks(self) -> bool {
        matches!(self, Purpose::Read | Purpose::Foresee)
    }
}

/// Opens a run-log when it is wanted, as often as that is.
pub type Reach = Arc<dyn Fn() -> Result<Arc<dyn RunLog>, Error> + Send + Sync>;

type Open = fn(&str, OpenOptions) -> Result<Arc<dyn RunLog>, Error>;

/// Every run-log there is, built in or not.
pub const SCHEMES: &[Scheme<Open>] = &[
    Scheme { names: &["memory"], feature: "", backend: Some(open_memory) },
    #[cfg(feature = "sqlite")]
    Scheme { names: &["sqlite"], feature: "sqlite", backend: Some(open_sqlite) },
    #[cfg(not(feature = "sqlite"))]
    Scheme { names: &["sqlite"], feature: "sqlite", backend: None },
    #[cfg(feature = "postgres")]
    Scheme { names: &["postgres", "postgresql"], feature: "postgres", backend: Some(postgres::open) },
    #[cfg(not(feature = "postgres"))]
    Scheme { names: &["postgres", "postgresql"], feature: "postgres", backend: None },
    #[cfg(feature = "mysql")]
    Scheme { names: &["mysql", "mariadb"], feature: "mysql", backend: Some(mysql::open) },
    #[cfg(not(feature = "mysql"))]
    Scheme { names: &["mysql", "mariadb"], feature: "mysql", backend: None },
    #[cfg(feature = "duckdb")]
    Scheme { names: &["duckdb"], feature: "duckdb", backend: Some(duckdb::open) },
    #[cfg(not(feature = "duckdb"))]
    Scheme { names: &["duckdb"], feature: "duckdb", backend: None },
    Scheme { names: &["s3"], feature: "", backend: None },
    Scheme { names: &["gs"], feature: "", backend: None },
    Scheme { names: &["azure"], feature: "", backend: None },
];

type ReadForeign = fn(&str) -> Result<Option<Foreign>, Error>;

/// How the stores of other programs are read, by the scheme of their addresses.
const FOREIGN: &[(&[&str], ReadForeign)] = &[
    #[cfg(feature = "sqlite")]
    (&["sqlite"], sqlite::peer::read),
    #[cfg(feature = "postgres")]
    (&["postgres", "postgresql"], postgres::peer),
    #[cfg(feature = "mysql")]
    (&["mysql", "mariadb"], mysql::peer),
    #[cfg(feature = "duckdb")]
    (&["duckdb"], duckdb::peer),
];

/// What another program keeps at `url`; none where it is nothing that is known here.
///
/// # Errors
/// As for `open`.
pub fn foreign(url: &str) -> Result<Option<Foreign>, Error> {
    let scheme = scheme::of(url).unwrap_or("sqlite");
    let read = FOREIGN.iter().find(|(names, _)| names.contains(&scheme)).map(|(_, read)| read);
    read.map_or(Ok(None), |read| read(url))
}

/// The stores that have tables, and how those are made.
pub const DDL: &[Schema] = &[
    #[cfg(feature = "sqlite")]
    sqlite::TABLES,
    #[cfg(feature = "postgres")]
    postgres::TABLES,
    #[cfg(feature = "mysql")]
    mysql::TABLES,
    #[cfg(feature = "duckdb")]
    duckdb::TABLES,
];

/// How the tables of the kind of store are made that `name`, any of its names in an address, stands for.
pub fn tables_of(name: &str) -> Option<&'static Schema> {
    let row = SCHEMES.iter().find(|row| row.names.contains(&name))?;
    DDL.iter().find(|kind| kind.name == row.names[0])
}

/// Refuses a kind of store, any of its names in an address, that there is not, or not in this build.
///
/// # Errors
/// `Address`.
pub fn must_be_built_in(name: &str) -> Result<(), Error> {
    opener(name).map(drop)
}

/// Opens the run-log at `url`; a text without a scheme is a path for SQLite.
///
/// # Errors
/// `Address` where the URL is no good; else as the backend says.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    filled(url)?;
    opener(scheme::of(url).unwrap_or("sqlite"))?(url, options)
}

fn opener(name: &str) -> Result<Open, Error> {
    let found = scheme::find(SCHEMES, name);
    found.map_err(|miss| Error::Address { message: format!("run-log: {miss}"), help: miss.help().into() })
}

/// Refuses what `open` would for its address alone: of a store that this build does not have, or that cannot be read. Nothing is
/// opened, there or not.
///
/// # Errors
/// `Address`.
pub fn check_address(url: &str) -> Result<(), Error> {
    filled(url)?;
    let scheme = scheme::of(url).unwrap_or("sqlite");
    must_be_built_in(scheme)?;
    match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => sqlite::check(url),
        #[cfg(feature = "duckdb")]
        "duckdb" => duckdb::check(url),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => postgres::check(url),
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => mysql::check(url),
        _ => Ok(()),
    }
}

fn filled(url: &str) -> Result<(), Error> {
    let (message, help) = match url {
        config::UNKNOWN_RUN_LOG => (
            "the run-log is not known: what may name it cannot be read",
            "mend what `tickward validate` shows, or name it: `--run-log-url URL`",
        ),
        url if url.contains("${") => (
            "the run-log's address names a variable that is not set, or not as `${NAME}`",
            "set it, or give a default: `${NAME:-default}`",
        ),
        _ => return Ok(()),
    };
    Err(Error::Address { message: message.into(), help: help.into() })
}

fn open_memory(_: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    Ok(Arc::new(memory::MemoryRunLog::new(options.clock)))
}

#[cfg(feature = "sqlite")]
fn open_sqlite(url: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    Ok(Arc::new(sqlite::SqliteRunLog::open(url, options)?))
}

/// The order of history: newest decision first, then the newest occurrence, then the last attempt, then by name.
fn newest_first(a: &contract::Record, b: &contract::Record) -> Ordering {
    use contract::Record::{Attempt, NotRun};
    let within = |record: &contract::Record| match record {
        Attempt(attempt) => (record.decided_at(), attempt.run.scheduled_for, attempt.number),
        NotRun(entry) => (record.decided_at(), entry.last, 0),
    };
    fn name(record: &contract::Record) -> &PipelineId {
        match record {
            Attempt(attempt) => &attempt.run.pipeline,
            NotRun(entry) => &entry.pipeline,
        }
    }
    within(b).cmp(&within(a)).then_with(|| name(a).cmp(name(b)))
}
