//! The folder in which a host keeps what is its own: the mirror, the spool, and the lock over them.
//!
//! Holds always: a file is there whole or not at all, and on disk when a call returns; what is made new takes nobody's
//! place; only the owner may read it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;

/// How long a lock is waited for: it is held for moments, unless its holder stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder of files that are replaced as a whole.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, there or not.
    pub fn at(path: PathBuf) -> Folder {
        Folder(path)
    }

    /// The path of what is called `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its folder `name`.
    pub fn folder(&self, name: &str) -> Folder {
        Folder(self.join(name))
    }

    /// Makes it where it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Waits for the lock `name`, which is held as long as the answer lives.
    ///
    /// # Errors
    /// `TimedOut` where another process keeps it for long, frozen for example; those of the file system.
    pub fn lock(&self, name: &str) -> io::Result<File> {
        self.lock_within(name, PATIENCE, File::try_lock)
    }

    /// The same, beside others that share it.
    ///
    /// # Errors
    /// As `lock`.
    pub fn lock_shared(&self, name: &str) -> io::Result<File> {
        self.lock_within(name, PATIENCE, File::try_lock_shared)
    }

    /// The lock `name`, if it is free now.
    ///
    /// # Errors
    /// As `lock`.
    pub fn lock_if_free(&self, name: &str) -> io::Result<File> {
        self.lock_within(name, Duration::ZERO, File::try_lock)
    }

    fn lock_within(
        &self,
        name: &str,
        patience: Duration,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> io::Result<File> {
        let file = self.lock_file(name)?;
        let locked = clock::keep_trying(patience, || match try_lock(&file) {
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => Some(Err(error)),
            Ok(()) => Some(Ok(())),
        });
        locked.unwrap_or_else(|| {
            let message = format!("another process keeps the lock `{}`", self.join(name).display());
            Err(io::Error::new(ErrorKind::TimedOut, message))
        })?;
        Ok(file)
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.join(name))
    }

    /// Writes a file in the place of what is there.
    ///
    /// # Errors
    /// Those of the file system; what was there is untouched then.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_aside(name, bytes)?;
        fs::rename(&temporary, self.join(name)).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        self.sync()
    }

    /// Writes a file that must not be there yet.
    ///
    /// # Errors
    /// `AlreadyExists`, and those of the file system.
    pub fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_aside(name, bytes)?;
        // A link is refused where its name is taken, and what it names is whole.
        let linked = fs::hard_link(&temporary, self.join(name));
        let removed = fs::remove_file(&temporary);
        linked.and(removed)?;
        self.sync()
    }

    fn write_aside(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.join(&format!(".{name}.{}", std::process::id()));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(fs::remove_file(&path)))?;
        Ok(path)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Removes a file; one that is not there is removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync(),
        }
    }

    /// The bytes of a file; none where there is no such file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of its files that end with `.json`, ascending; none where there is no such folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names: Vec<_> = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.ends_with(".json") && !name.starts_with('.'));
        names.sort_unstable();
        Ok(names)
    }

    /// Itself, for messages.
    pub fn path(&self) -> &Path {
        &self.0
    }
}
