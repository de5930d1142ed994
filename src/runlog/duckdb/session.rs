//! A way to the database: it opens with the transaction that begins and closes when that ends.
//!
//! Holds always: who has the file open has the turn, so that no two in one process have it open either: POSIX gives DuckDB's
//! own lock on it back as soon as any handle of the process is closed. The database is closed before the turn ends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::duckdb::types::Value;
use ::duckdb::{AccessMode, Config, Connection};

use super::super::disk::with_suffix;
use super::super::sql::columns::Cells;
use super::super::sql::line::{Answers, Failure, Server, Session, Soon};
use super::create;
use super::turn::{NotNow, Turn};

/// Where a database is.
pub struct Place(Arc<Kind>);

enum Kind {
    /// In the memory of this process.
    Memory(Mutex<Connection>),
    File(InFile),
    /// Another program's file, which is only read.
    Theirs(InFile),
}

struct InFile {
    file: PathBuf,
    /// How long to wait for a turn, and for others that have the file open.
    patience: Duration,
    /// It was there once. So it is not made anew where it is gone: what it knew would run again.
    was_there: AtomicBool,
}

impl Place {
    /// A new database in memory.
    ///
    /// # Errors
    /// What DuckDB says.
    pub fn memory() -> Result<Place, String> {
        let opened = configured().and_then(Connection::open_in_memory_with_flags);
        let connection = opened.map_err(|error| format!("DuckDB cannot be started: {error}"))?;
        Ok(Place(Arc::new(Kind::Memory(Mutex::new(connection)))))
    }

    /// The database in `file`, which is made where it is not there.
    pub fn file(file: PathBuf, patience: Duration) -> Place {
        Place(Arc::new(Kind::File(InFile { file, patience, was_there: AtomicBool::new(false) })))
    }

    /// The database in another program's `file`: nothing is written there or beside it, and no turn is taken.
    pub fn theirs(file: PathBuf, patience: Duration) -> Place {
        Place(Arc::new(Kind::Theirs(InFile { file, patience, was_there: AtomicBool::new(true) })))
    }
}

impl Server for Place {
    fn connect(&self) -> Soon<'_, Result<Box<dyn Session>, Failure>> {
        let place = self.0.clone();
        Box::pin(async { Ok(Box::new(Connected { place, open: None }) as Box<dyn Session>) })
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }
}

struct Connected {
    place: Arc<Kind>,
    open: Option<Open>,
}

/// An open database: fields are dropped in this order.
struct Open {
    connection: Connection,
    turn: Option<(Turn, PathBuf)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // DuckDB opens its log with the first commit that writes: an empty one is nobody's.
        if let Some((_, file)) = &self.turn {
            create::remove_empty_log(file);
        }
    }
}

impl Session for Connected {
    fn run(&mut self, statements: Vec<String>) -> Soon<'_, Result<Answers, Failure>> {
        Box::pin(async move {
            let opened = match self.open.take() {
                Some(open) => open,
                None if statements.first().is_some_and(|first| first.starts_with("BEGIN")) => self.place.open().await?,
                None => return Err(Failure::Again("the transaction has ended".into())),
            };
            let open = self.open.insert(opened);
            let answers = statements.iter().map(|statement| ask(&open.connection, statement)).collect();
            let is_over = statements.last().is_some_and(|last| matches!(&**last, "COMMIT" | "ROLLBACK"));
            if is_over {
                self.open = None;
            }
            answers
        })
    }

    fn close(self: Box<Self>) -> Soon<'static, ()> {
        Box::pin(async move { drop(self) })
    }
}

impl Kind {
    async fn open(&self) -> Result<Open, Failure> {
        match self {
            Kind::Memory(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let connection = connection.try_clone().map_err(|error| Failure::Failed(error.to_string()))?;
                Ok(Open { connection, turn: None })
            }
            Kind::File(path) => path.in_time(async |why| path.wait(why).await).await,
            Kind::Theirs(path) => path.in_time(async |why| path.wait_to_read(why).await).await,
        }
    }
}

impl InFile {
    /// Waits for as long as its patience lasts, and says then why it was in vain.
    async fn in_time(&self, open: impl AsyncFnOnce(&mut String) -> Result<Open, Failure>) -> Result<Open, Failure> {
        let mut why = String::new();
        let opened = tokio::time::timeout(self.patience, open(&mut why)).await;
        let seconds = self.patience.as_secs();
        opened.unwrap_or_else(|_| Err(Failure::Unfit(format!("could not be had for {seconds} s: {why}"))))
    }

    /// Tries until nobody else writes it, or another reason comes up.
    async fn wait_to_read(&self, why: &mut String) -> Result<Open, Failure> {
        loop {
            let config = configured().and_then(|config| config.access_mode(AccessMode::ReadOnly));
            let opened = config.and_then(|config| Connection::open_with_flags(&self.file, config));
            match opened.map_err(|error| unopened(&error.to_string())) {
                Ok(connection) => return Ok(Open { connection, turn: None }),
                Err(Failure::Again(who)) => *why = who,
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(STRANGERS).await;
        }
    }

    /// Tries until nobody else has it, or another reason comes up; `why` is who had it last.
    async fn wait(&self, why: &mut String) -> Result<Open, Failure> {
        loop {
            let pause = match Turn::take(&self.file) {
                Ok(turn) => match self.open(turn) {
                    Ok(open) => return Ok(open),
                    Err(Failure::Again(who)) => {
                        *why = who;
                        STRANGERS
                    }
                    Err(failure) => return Err(failure),
                },
                Err(NotNow::Busy(who)) => {
                    *why = who;
                    jitter()
                }
                Err(NotNow::Failed(error)) => return Err(Failure::Unfit(format!("cannot be opened: {error}"))),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Opens the file, and makes it where there never was one; `Again` where somebody else has it open.
    fn open(&self, turn: Turn) -> Result<Open, Failure> {
        let cannot = |error: std::io::Error| Failure::Unfit(format!("cannot be opened: {error}"));
        if !self.file.try_exists().map_err(cannot)? {
            if self.was_there.load(Ordering::SeqCst) {
                return Err(Failure::Unfit("is gone".into()));
            }
            if with_suffix(&self.file, ".wal").exists() {
                let log = with_suffix(&self.file, ".wal");
                return Err(Failure::Unfit(format!("is gone, but its log `{}` is there: put it back", log.display())));
            }
            create::database(&self.file).map_err(cannot)?;
        }
        let opened = configured().and_then(|config| Connection::open_with_flags(&self.file, config));
        let connection = opened.map_err(|error| unopened(&error.to_string()))?;
        self.was_there.store(true, Ordering::SeqCst);
        create::log(&self.file).map_err(cannot)?;
        Ok(Open { connection, turn: Some((turn, self.file.clone())) })
    }
}

/// Between two tries at a file that strangers have open: they keep it for long, and each try is dear.
const STRANGERS: Duration = Duration::from_millis(50);

/// Between two looks at a lock that is held for moments: not all at the same time.
fn jitter() -> Duration {
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    Duration::from_micros(500 + 20 * u64::from(byte[0]))
}

/// How databases are opened: little work at a time, nothing from the network, nothing beside the file.
///
/// # Errors
/// What DuckDB says of a setting.
pub fn configured() -> ::duckdb::Result<Config> {
    let settings = [
        ("threads", "1"),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("temp_directory", ""),
    ];
    settings.into_iter().try_fold(Config::default(), |config, (name, value)| config.with(name, value))
}

fn ask(connection: &Connection, statement: &str) -> Result<Vec<Cells>, Failure> {
    let sort = |error: ::duckdb::Error| sorted(statement, &error.to_string());
    let mut prepared = connection.prepare(statement).map_err(sort)?;
    let mut rows = prepared.query([]).map_err(sort)?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(sort)? {
        let columns = row.as_ref().column_count();
        let cells: Result<Cells, Failure> = (0..columns).map(|at| text(row.get(at).map_err(sort)?)).collect();
        answer.push(cells?);
    }
    Ok(answer)
}

fn text(value: Value) -> Result<Option<String>, Failure> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Text(text) => text,
        // No column of ours is one.
        Value::Boolean(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::BigInt(number) => number.to_string(),
        Value::HugeInt(number) => number.to_string(),
        other => return Err(Failure::Failed(format!("a value of a type that no column has: {other:?}"))),
    }))
}

/// What it means that a file was not opened, by DuckDB's words.
fn unopened(said: &str) -> Failure {
    if let Some((_, who)) = said.split_once("Conflicting lock is held in ") {
        let who = who.split(". See also").next().unwrap_or(who);
        return Failure::Again(format!("another program has it open: {who}"));
    }
    let said = first_line(said);
    let is_outside = ["Permission denied", "Read-only file system", "No space left", "Too many open files"];
    if said.contains("Could not set lock") || is_outside.iter().any(|word| said.contains(word)) {
        return Failure::Unfit(format!("cannot be opened: {said}"));
    }
    if said.contains("version number") {
        return Failure::Unfit(format!("was written by another version of DuckDB: {said}"));
    }
    Failure::Unfit(format!(
        "is damaged or no DuckDB file ({said}); it is left as it is: restore it from a backup, or move it away to begin anew, and the next tick says how"
    ))
}

/// What it means that a statement was not done.
fn sorted(statement: &str, said: &str) -> Failure {
    let line = first_line(said);
    if line.contains("Catalog Error") && line.contains("tickward_") && line.contains("does not exist") {
        return Failure::NoTables;
    }
    match statement {
        // What was written of it, the next one to open the file finds out.
        "COMMIT" => Failure::Unanswered(line),
        _ => Failure::Failed(line),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
