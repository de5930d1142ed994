//! Makes a new database file.
//!
//! DuckDB makes files that everybody may read, and takes no empty one for a database. So it is made in a folder of its own,
//! for its owner only, and linked to its place once it is whole.
//!
//! Holds always: who is killed here leaves no database at all, or a whole one; nothing that is there is replaced.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ::duckdb::Connection;

use super::super::disk::with_suffix;
use super::session::configured;

/// Makes an empty database at `path`, which is not there; the caller has the turn.
///
/// # Errors
/// Those of the file system, or what DuckDB says.
pub fn database(path: &Path) -> io::Result<()> {
    let folder = with_suffix(path, ".new");
    if let Err(error) = fs::remove_dir_all(&folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("database");
    let opened = configured().and_then(|config| Connection::open_with_flags(&made, config));
    drop(opened.map_err(io::Error::other)?);
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    File::open(&made)?.sync_all()?;
    // Unlike a rename, this takes nobody's place.
    fs::hard_link(&made, path)?;
    fs::remove_dir_all(&folder)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Makes the file of DuckDB's write-ahead log before DuckDB does, which would let everybody read it.
///
/// # Errors
/// Those of the file system.
pub fn log(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(with_suffix(path, ".wal"));
    match file {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Removes that file where DuckDB has put nothing into it.
pub fn remove_empty_log(path: &Path) {
    let log = with_suffix(path, ".wal");
    if log.metadata().is_ok_and(|data| data.len() == 0) {
        let _ = fs::remove_file(log);
    }
}
