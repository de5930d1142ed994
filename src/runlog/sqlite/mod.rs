//! The run-log in an SQLite file: the default, for one host.
//!
//! Every call is one transaction on one connection, away from the event loop. A commit takes the write lock first
//! (`BEGIN IMMEDIATE`), so what it reads stays true until it is written; a tick with nothing to do only reads.
//!
//! Holds always: what a call returned as applied survives a power cut (`synchronous=FULL`).

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use super::disk::with_suffix;
use super::{Error, OpenOptions, Schema};
use crate::alert::Alert;
use crate::failpoint::{self, Point};
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};

mod address;
mod copy;
mod facts;
mod import;
mod migrate;
mod open;
mod outbox;
mod pages;
pub mod peer;
mod prune;
mod read;
mod renaming;
mod write;

#[cfg(fuzzing)]
pub use address::Address;

/// How the tables of an SQLite run-log are made.
pub const TABLES: Schema = Schema {
    name: "sqlite",
    migrations: migrate::MIGRATIONS,
    meta_key: "key",
    grants: "",
    views: include_str!("../../../migrations/sqlite/views.sql"),
};

/// Refuses an address that cannot be read.
///
/// # Errors
/// `Address`, with what to write instead.
pub fn check(url: &str) -> Result<(), Error> {
    address::Address::parse(url).map(drop)
}

/// A run-log in an SQLite file.
pub struct SqliteRunLog {
    connection: Arc<Mutex<Connection>>,
    /// As it was given, for messages.
    path: PathBuf,
    /// The file itself.
    file: PathBuf,
    options: OpenOptions,
    /// The form of the tables as they were found; 0 where there were none.
    found: usize,
}

impl SqliteRunLog {
    /// Opens the file that `url` names, and creates it where it does not exist.
    ///
    /// # Errors
    /// `Address` for a URL that cannot be read, `Refused` for a file that must not be used, `Unavailable` for the rest.
    pub fn open(url: &str, options: OpenOptions) -> Result<Self, Error> {
        let address = address::Address::parse(url)?;
        let (connection, found) = open::open(&address, &options)?;
        // The folder of start marks lies beside the file itself: whoever came by a link has to find the same one.
        let file = std::fs::canonicalize(&address.path).unwrap_or_else(|_| address.path.clone());
        Ok(SqliteRunLog { connection: Arc::new(Mutex::new(connection)), path: address.path, file, options, found })
    }

    /// Runs `work` with the connection on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.apart(Box::new(move |connection| Box::new(work(connection)))).await?;
        match done.downcast::<rusqlite::Result<T>>() {
            Ok(result) => result.map_err(|error| sorted(&self.path, error)),
            Err(_) => Err(self.unexpected(None)),
        }
    }

    /// Not generic, so that a task of its own is compiled once, and not for each call.
    async fn apart(&self, work: Work) -> Result<Box<dyn Any + Send>, Error> {
        let connection = self.connection.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        });
        done.await.map_err(|panic| self.unexpected(Some(Box::new(panic))))
    }

    fn unexpected(&self, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unknown { message: format!("the run-log `{}` failed in an unexpected way", self.path.display()), source }
    }
}

/// What is done with the connection; gives a `rusqlite::Result` of any type.
type Work = Box<dyn FnOnce(&mut Connection) -> Box<dyn Any + Send> + Send>;

#[async_trait]
impl RunLog for SqliteRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        let now = self.options.clock.now();
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            read::view(&transaction, &scope, now)
        })
        .await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // The store's time is read under the lock: waiting for it may have taken long.
            let now = clock.now();
            let ends = batch.ends.iter().map(|end| write::end(&transaction, end, now)).collect::<Result<_, _>>()?;
            let verdicts = batch
                .transitions
                .iter()
                .map(|transition| write::transition(&transaction, transition, now))
                .collect::<Result<_, _>>()?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            failpoint::reached(Point::CommitDurable);
            Ok(Committed { now: Some(now), ends, verdicts })
        })
        .await
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let held = write::renew(&transaction, &tokens, lease)?;
            failpoint::reached(Point::RenewalWritten);
            transaction.commit()?;
            failpoint::reached(Point::RenewalDurable);
            Ok(held)
        })
        .await
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let now = clock.now();
            let taken_in = records.iter().map(|record| import::record(&transaction, record, now));
            let imported = taken_in.collect::<Result<_, _>>()?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            Ok(imported)
        })
        .await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.with(move |connection| read::history(connection, &query)).await
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let forgotten = renaming::forget(&transaction, &id)?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            failpoint::reached(Point::CommitDurable);
            Ok(forgotten)
        })
        .await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let verdict = renaming::rename(&transaction, &from, &to, clock.now())?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            failpoint::reached(Point::CommitDurable);
            Ok(verdict)
        })
        .await
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let found = self.found;
        self.with(move |connection| facts::of(connection, found)).await
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            copy::export(&transaction, after.as_ref(), limit)
        })
        .await
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let adopted = copy::adopt(&transaction, &items)?;
            transaction.commit()?;
            Ok(adopted)
        })
        .await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            let behavior = match how {
                Pruning::Remove => TransactionBehavior::Immediate,
                Pruning::Count => TransactionBehavior::Deferred,
            };
            let transaction = connection.transaction_with_behavior(behavior)?;
            let pruned = prune::prune(&transaction, &scope, &retention, (limit, how), clock.now())?;
            transaction.commit()?;
            Ok(pruned)
        })
        .await
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            if !outbox::is_pending(connection)? {
                return Ok(Vec::new());
            }
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let taken = outbox::take(&transaction, limit, lease, clock.now())?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            Ok(taken)
        })
        .await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            outbox::settle(&transaction, &settled)?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()
        })
        .await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        let clock = self.options.clock.clone();
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            outbox::put(&transaction, &alerts, clock.now())?;
            failpoint::reached(Point::CommitWritten);
            transaction.commit()?;
            failpoint::reached(Point::CommitDurable);
            Ok(())
        })
        .await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        self.with(|connection| outbox::look(connection)).await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        Some(with_suffix(&self.file, "-start"))
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

/// Sorts an error of SQLite by what the caller does about it. All work is in transactions on a local file: what
/// failed was rolled back, but for an input/output error whose effect nobody knows.
fn sorted(path: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::*;
    let file = path.display();
    match error.sqlite_error_code() {
        // A person has to see to it, and until then it is as good as not there.
        Some(NotADatabase | DatabaseCorrupt) => Error::Unavailable {
            message: format!(
                "the run-log `{file}` is damaged or no SQLite file ({error}); it is left as it is: restore it from a \
                 backup, or move it away to begin anew, and the next tick says how"
            ),
            source: None,
        },
        Some(ReadOnly | PermissionDenied | AuthorizationForStatementDenied) => Error::Unavailable {
            message: format!("the run-log `{file}` cannot be written"),
            source: Some(Box::new(error)),
        },
        Some(DatabaseBusy) => Error::Unavailable {
            message: format!(
                "the run-log `{file}` has been locked by another program for longer than {} s",
                open::BUSY.as_secs()
            ),
            source: Some(Box::new(error)),
        },
        Some(DiskFull) => Error::Unavailable {
            message: format!("there is no room for the run-log `{file}`"),
            source: Some(Box::new(error)),
        },
        Some(SystemIoFailure) => Error::Unknown {
            message: format!("reading or writing the run-log `{file}` failed"),
            source: Some(Box::new(error)),
        },
        _ => Error::Unavailable {
            message: format!("the run-log `{file}` did not do what it was asked"),
            source: Some(Box::new(error)),
        },
    }
}
