//! The one seam between a tick and the world: time, store, bodies, this host, and the wish to stop.
//!
//! Everything impure that a tick does goes through an `Env`, so that a simulator can drive the real tick.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::output_files::OutputFile;
use super::sweep::MarkFile;
use crate::clock::{BootTime, Clock};
use crate::executor::Executor;
use crate::owner::Owner;
use crate::runlog::{Error, RunLog};

/// The world as a tick sees it.
#[derive(Clone)]
pub struct Env {
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Where decisions, claims and outcomes are kept.
    pub run_log: Arc<dyn RunLog>,
    /// Where bodies run.
    pub executor: Arc<dyn Executor>,
    /// Randomness, processes and start marks of this host.
    pub host: Arc<dyn Host>,
    /// Who we are in the run-log.
    pub owner: Owner,
    /// The environment that bodies inherit from.
    pub variables: Vec<(OsString, OsString)>,
    /// Where the output of bodies is kept; none where there is no place for it.
    pub output: Option<PathBuf>,
    /// Whether we were asked to stop.
    pub stop: watch::Receiver<StopWish>,
}

/// The longest that one request to the run-log may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest that it may take once the tick was told to end at once.
const ANSWER_AT_ONCE: Duration = Duration::from_secs(1);

impl Env {
    /// The answer to one request to the run-log; `Unknown` where it does not come in time.
    ///
    /// # Errors
    /// Those of the request.
    pub async fn in_time<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let unanswered = |message| Err(Error::Unknown { message, source: None });
        tokio::select! {
            biased;
            answer = request => answer,
            () = self.hurried() => unanswered("the run-log has not answered before the tick had to end".into()),
            () = self.clock.sleep_until(self.clock.boot().plus(ANSWER)) => {
                unanswered(format!("the run-log has not answered within {} s", ANSWER.as_secs()))
            }
        }
    }

    /// Comes a moment after the tick was told to end at once, else never.
    pub async fn hurried(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|wish| matches!(wish, StopWish::Now(_))).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.clock.sleep_until(self.clock.boot().plus(ANSWER_AT_ONCE)).await;
    }

    /// Whether the tick was told to end at once.
    pub fn must_end_now(&self) -> bool {
        matches!(*self.stop.borrow(), StopWish::Now(_))
    }
}

/// Whether and how urgently a tick was asked to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopWish {
    /// Go on.
    #[default]
    None,
    /// Claim nothing more, stop the bodies with grace, record, end. The number is that of the signal.
    Soon(i32),
    /// The same, but end the bodies at once.
    Now(i32),
}

impl StopWish {
    /// The number of the signal, if one has come.
    pub fn signal(self) -> Option<i32> {
        match self {
            StopWish::None => None,
            StopWish::Soon(signal) | StopWish::Now(signal) => Some(signal),
        }
    }
}

/// What a tick needs of the host it runs on, besides time.
pub trait Host: Send + Sync {
    /// 128 random bits.
    fn mint(&self) -> u128;

    /// Whether the process is provably gone: same boot, same process namespace, and no such process. In doubt, no.
    fn is_gone(&self, owner: &Owner) -> bool;

    /// Tries to create the start mark at `path` in somebody else's stead.
    fn forestall(&self, path: &Path) -> StartMark;

    /// Creates the start mark at `path` of what was started by a mark elsewhere; whether there is one now.
    fn mark_started(&self, path: &Path) -> bool;

    /// Whether somebody keeps the file at `path` locked: the process that parents the bodies of a tick that is gone.
    fn is_held(&self, path: &Path) -> bool;

    /// Ends what is left of the bodies of a worker that is gone, as is the process that parented them; returns how many
    /// processes that were.
    fn end_leftovers(&self, _owner: &Owner) -> usize {
        0
    }

    /// Removes the start mark of an attempt that we started and whose end is durable.
    fn remove_mark(&self, path: &Path);

    /// What lies in the folder of start marks, in any order; lock files only where they are old.
    fn mark_files(&self, _folder: &Path) -> Vec<MarkFile> {
        Vec::new()
    }

    /// Whether a start mark was made so long ago that nobody who made it is there any more.
    fn is_very_old(&self, _mark: &Path) -> bool {
        false
    }

    /// Makes the folder for start marks.
    ///
    /// # Errors
    /// Those of the file system.
    fn make_folder(&self, path: &Path) -> std::io::Result<()>;

    /// The files of output in a pipeline's folder; none where there is no such folder.
    fn output_files(&self, folder: &Path) -> Vec<OutputFile>;

    /// Removes a file of output, if that can be done.
    fn remove_output(&self, path: &Path);
}

/// What trying to create somebody's start mark has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartMark {
    /// Created: the attempt can never start.
    Forestalled,
    /// It was there: the attempt has been started.
    Started,
    /// Nobody can tell.
    Unknown,
}

/// The file, beside the start marks, that is locked as long as bodies of `owner` may be there.
pub fn held_file(start_marks: &Path, owner: &Owner) -> PathBuf {
    start_marks.join(format!("{}.held", owner.id))
}

/// The store's time between two answers: its last word, run on by the boot clock.
#[derive(Clone, Copy, Debug)]
pub struct StoreTime {
    at: Timestamp,
    boot: BootTime,
}

impl StoreTime {
    /// The store has said that it is `at`, asked at this instant of the boot clock. However long the answer took, what is
    /// counted from here is never behind the store's clock: a lease that we count holds there at least as long as here.
    pub fn told(at: Timestamp, asked_at: BootTime) -> StoreTime {
        StoreTime { at, boot: asked_at }
    }

    /// What it is now.
    pub fn now(&self, clock: &dyn Clock) -> Timestamp {
        self.of(clock.boot())
    }

    /// What it was, or will be, at an instant of the boot clock.
    pub fn of(&self, boot: BootTime) -> Timestamp {
        let micros = boot.0.saturating_sub(self.boot.0);
        self.at.checked_add(jiff::SignedDuration::from_micros(micros)).unwrap_or(self.at)
    }

    /// When, by the boot clock, the store's time will be `instant`.
    pub fn boot_at(&self, instant: Timestamp) -> BootTime {
        let micros = instant.as_microsecond().saturating_sub(self.at.as_microsecond());
        BootTime(self.boot.0.saturating_add(micros))
    }
}
