//! Whose turn it is: a lock on a file beside the database, held for the length of one transaction.
//!
//! The kernel gives a lock back when its holder ends, however that ends. So a lock file that is left behind means nothing,
//! and it is never removed: who removed it could let two have their turn.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::super::disk::with_suffix;

/// The right to open the database; it ends with the value.
pub struct Turn {
    _lock: File,
}

/// Why it is not ours.
pub enum NotNow {
    /// Somebody else has it: who, as far as that is known.
    Busy(String),
    /// The lock file cannot be used.
    Failed(io::Error),
}

impl Turn {
    /// Takes it, if nobody has it.
    ///
    /// # Errors
    /// As `NotNow` says.
    pub fn take(database: &Path) -> Result<Turn, NotNow> {
        let path = with_suffix(database, ".lock");
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
        let mut file = opened.map_err(NotNow::Failed)?;
        match file.try_lock() {
            Ok(()) => {
                // For people only: the lock is the kernel's.
                let noted = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
                noted.map_err(NotNow::Failed)?;
                Ok(Turn { _lock: file })
            }
            Err(TryLockError::WouldBlock) => Err(NotNow::Busy(holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(NotNow::Failed(error)),
        }
    }
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut pid));
    let is_pid = read.is_ok() && !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    match is_pid {
        true => format!("it is the turn of another tickward process (PID {pid})"),
        false => "it is the turn of another tickward process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("runs.duckdb");
        let turn = Turn::take(&database).ok().unwrap();
        let Err(NotNow::Busy(who)) = Turn::take(&database) else { panic!("two have it") };
        assert_eq!(who, format!("it is the turn of another tickward process (PID {})", std::process::id()));
        drop(turn);
        assert!(Turn::take(&database).is_ok(), "a lock file that is left behind is no lock");
    }
}
