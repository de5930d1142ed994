//! Opens the SQLite file, creates it where it does not exist, and refuses what must not be used.
//!
//! Holds always: a new file is readable by its owner only; a file on a network file system is refused unless allowed,
//! because SQLite's locks do not hold there.

use std::fs::OpenOptions as FileOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::form::must_be_new;
use super::super::{Error, OpenOptions, disk, is_read_only};
use super::address::Address;
use super::{migrate, sorted};
use crate::failpoint::{self, Point};

/// How long a transaction waits for another process's.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How often the journal's change is tried while others get in between.
const CHANGES: usize = 100;
/// What does not stand for itself in the path of a URI.
const URI_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');

/// Opens the file of `address`, ready for use; with it comes the form in which its tables were found.
///
/// # Errors
/// `Refused` and `Unavailable`, in words.
pub fn open(address: &Address, options: &OpenOptions) -> Result<(Connection, usize), Error> {
    let path = &address.path;
    let reads = options.purpose.only_looks();
    // A file without a byte is one that somebody else is about to fill, for a purpose that we do not know.
    let is_blank = || match path.metadata() {
        Ok(data) => data.is_file() && data.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if reads && is_blank() {
        return empty(path, options);
    }
    if reads && is_read_only(path) && is_whole(path) {
        return as_it_lies(path, options);
    }
    create_file(path)?;
    failpoint::reached(Point::RunLogMade);
    if !address.network_fs {
        disk::refuse_network_file_system(path, path, "SQLite")?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| sorted(path, error))?;
    let journal = if address.network_fs { "DELETE" } else { "WAL" };
    prepare(&connection, journal).map_err(|error| sorted(path, error))?;
    failpoint::reached(Point::JournalSet);
    let has_tables = || migrate::has_tables(&connection).map_err(|error| sorted(path, error));
    if reads && !has_tables()? {
        return match must_be_new(&path.display().to_string(), options) {
            Err(error) if !has_tables()? => Err(error),
            _ => empty(path, options),
        };
    }
    let found = migrate::bring_up_to_date(&mut connection, path, options)?;
    Ok((connection, found))
}

/// Whether nothing that was committed lies beside the file only.
fn is_whole(path: &Path) -> bool {
    disk::with_suffix(path, "-wal").metadata().map_or(true, |data| data.len() == 0)
}

/// A file that nobody can change is read without locks, and without the files beside it that SQLite wants to make for them.
fn as_it_lies(path: &Path, options: &OpenOptions) -> Result<(Connection, usize), Error> {
    let encoded = percent_encode(path.as_os_str().as_bytes(), URI_PATH);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags);
    let mut connection = opened.map_err(|error| sorted(path, error))?;
    connection.set_prepared_statement_cache_capacity(32);
    let found = migrate::bring_up_to_date(&mut connection, path, options)?;
    Ok((connection, found))
}

/// Who only looks leaves no file behind.
fn empty(path: &Path, options: &OpenOptions) -> Result<(Connection, usize), Error> {
    let mut connection = Connection::open_in_memory().map_err(|error| sorted(path, error))?;
    let found = migrate::bring_up_to_date(&mut connection, path, options)?;
    Ok((connection, found))
}

fn prepare(connection: &Connection, journal: &str) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(32);
    let current: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if current.eq_ignore_ascii_case(journal) {
        return Ok(());
    }
    change_journal(connection, journal)
}

/// Changes the journal. SQLite does that from within a read: where another process writes just then, as when many open
/// a new file at once, it fails at once instead of waiting. So the writer is waited for, and the change tried again.
fn change_journal(connection: &Connection, journal: &str) -> rusqlite::Result<()> {
    let change =
        || connection.pragma_update_and_check(None, "journal_mode", journal, |row| row.get::<_, String>(0)).map(|_| ());
    for _ in 1..CHANGES {
        match change() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            done => return done,
        }
    }
    change()
}

fn create_file(path: &Path) -> Result<(), Error> {
    disk::make_folder(path)?;
    // To open a pipe would wait for whoever has its other end.
    if path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        let message = format!("the run-log `{}` is no file", path.display());
        return Err(Error::Unavailable { message, source: None });
    }
    let file = FileOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map(drop).map_err(|error| disk::unavailable(path, "opened", &error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::Purpose;
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn who_looks_at_a_file_that_is_being_made_leaves_it_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for (what, statements) in [("without a byte", ""), ("without tables", "PRAGMA journal_mode = WAL")] {
            let path = folder.path().join(what);
            std::fs::write(&path, "").unwrap();
            Connection::open(&path).unwrap().execute_batch(statements).unwrap();
            let address = Address { path: path.clone(), network_fs: false };
            let opened = |purpose| open(&address, &OpenOptions::new(Arc::new(SystemClock), purpose));
            opened(Purpose::Read).unwrap();
            assert!(!migrate::has_tables(&Connection::open(&path).unwrap()).unwrap(), "{what}");
            assert!(opened(Purpose::Rehearse).is_ok(), "{what}: it can still become what it was made for");
            assert!(opened(Purpose::Read).is_ok(), "{what}: it is read once it is that");
        }
    }

    #[test]
    fn a_new_file_that_another_process_writes_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE").unwrap();
        let (opened, waiting) = std::sync::mpsc::channel();
        let opener = std::thread::spawn(move || {
            let connection = Connection::open(&path).unwrap();
            let done = prepare(&connection, "WAL");
            opened.send(()).unwrap();
            done
        });
        let early = waiting.recv_timeout(Duration::from_millis(100));
        assert!(early.is_err(), "it does not give up while the other one writes");
        writer.execute_batch("COMMIT").unwrap();
        opener.join().unwrap().unwrap();
    }
}
