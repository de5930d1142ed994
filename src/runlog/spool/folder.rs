//! The folder in which a host keeps what is its own: the mirror, the spool, and the lock over them.
//!
//! Holds always: a file is there whole or not at all, and on disk when a call returns; what is made new takes nobody's
//! place; only the owner may read it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::{self, Clock};
use crate::failpoint::{self, Point};

/// How long a lock is waited for: it is held for moments, unless its holder stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a lock is looked at by a clock that is made up.
const STEP: Duration = Duration::from_millis(10);

/// A folder of files that are replaced as a whole.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    pace: Pace,
}

/// When work with a folder is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// On a thread that may block.
    Aside,
    /// Where it is asked for.
    InStep,
}

impl Folder {
    /// The folder at `path`, there or not.
    pub fn at(path: PathBuf) -> Folder {
        Folder { path, pace: Pace::Aside }
    }

    /// The same for a world whose time is made up: its work is done in step with all else.
    pub fn in_step(path: PathBuf) -> Folder {
        Folder { path, pace: Pace::InStep }
    }

    /// Does work with it that may block.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = self.clone();
        match self.pace {
            Pace::Aside => tokio::task::spawn_blocking(move || work(&folder)).await.map_err(io::Error::other)?,
            Pace::InStep => work(&folder),
        }
    }

    /// Waits until the lock `name` is free, as `lock` does, by a clock that is made up; elsewhere `lock` itself waits.
    pub async fn wait_in_step(&self, name: &str, clock: &dyn Clock) {
        let until = clock.boot().plus(PATIENCE);
        let is_taken = || self.lock_if_free(name).is_err_and(|error| error.kind() == ErrorKind::TimedOut);
        while self.pace == Pace::InStep && clock.boot() < until && is_taken() {
            clock.sleep_until(clock.boot().plus(STEP)).await;
        }
    }

    /// The path of what is called `name` in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Its folder `name`.
    pub fn folder(&self, name: &str) -> Folder {
        Folder { path: self.join(name), pace: self.pace }
    }

    /// Makes it where it is not there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        failpoint::reached(Point::SpoolFolder);
        Ok(())
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
        let patience = if self.pace == Pace::InStep { Duration::ZERO } else { patience };
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
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.join(name))?;
        failpoint::reached(Point::SpoolLock);
        Ok(file)
    }

    /// Writes a file in the place of what is there.
    ///
    /// # Errors
    /// Those of the file system; what was there is untouched then.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_aside(name, bytes)?;
        fs::rename(&temporary, self.join(name)).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        self.sync()?;
        failpoint::reached(Point::SpoolPlaced);
        Ok(())
    }

    /// Writes a file that must not be there yet.
    ///
    /// # Errors
    /// `AlreadyExists`, and those of the file system.
    pub fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_aside(name, bytes)?;
        // A link is refused where its name is taken, and what it names is whole.
        let linked = fs::hard_link(&temporary, self.join(name));
        failpoint::reached(Point::SpoolLinked);
        let removed = fs::remove_file(&temporary);
        linked.and(removed)?;
        self.sync()?;
        failpoint::reached(Point::SpoolPlaced);
        Ok(())
    }

    fn write_aside(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.join(&format!(".{name}.{}", std::process::id()));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(fs::remove_file(&path)))?;
        failpoint::reached(Point::SpoolAside);
        Ok(path)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Removes a file; one that is not there is removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                self.sync()?;
                failpoint::reached(Point::SpoolRemoved);
                Ok(())
            }
        }
    }

    /// The bytes of a file; none where there is no such file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of its files that end with `.json`, ascending; none where there is no such folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
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
        &self.path
    }
}

/// How often what `lock` guards has been changed, by all processes that have counted it; 0 where none has.
///
/// # Errors
/// Those of the file system.
pub fn changes(lock: &File) -> io::Result<u64> {
    let mut count = [0; 8];
    // A count of which a part was written is another one than before, too.
    lock.read_at(&mut count, 0)?;
    Ok(u64::from_le_bytes(count))
}

/// Counts a change before it is made. It need not outlive the machine: who remembers the count does not either.
///
/// # Errors
/// Those of the file system.
pub fn count_change(lock: &File) -> io::Result<()> {
    lock.write_all_at(&changes(lock)?.wrapping_add(1).to_le_bytes(), 0)
}

/// There is none, nor can there be: below something that is no folder (a state folder of `/dev/null`) nothing was ever written.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
