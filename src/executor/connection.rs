//! The tick's end of the socket to its supervisor, and the supervisor's process.
//!
//! What to send is for `subprocess`, what the frames look like for `wire`.
//!
//! Holds always: when the supervisor is gone, the jobs it had are answered after the last of their processes was killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::orphans::{Before, end_orphans};
use super::supervisor::SUPERVISE_ARG;
use super::wire::{Report, Request, take_frames};
use super::{End, Ended, Job};
use crate::failpoint::{self, Point};
use crate::occurrence::Token;

/// What the supervisor keeps of our environment: without it the program may not even load.
const LOADER_VARIABLES: [&str; 2] = ["LD_LIBRARY_PATH", "LD_PRELOAD"];
const READ_BYTES: usize = 64 * 1024;
/// Others hold the lock for a moment, to see whether it is held.
const LOCK_TRIES: usize = 1000;

type Waiting = BTreeMap<Token, oneshot::Sender<Ended>>;

/// A running supervisor.
pub(super) struct Connection {
    pid: u32,
    requests: mpsc::UnboundedSender<Vec<u8>>,
    /// Jobs without a report; none once the supervisor is gone.
    waiting: Arc<Mutex<Option<Waiting>>>,
    reader: JoinHandle<()>,
}

impl Connection {
    /// Starts a supervisor from this program, for the tick with the id `owner`; as long as it lives it keeps the file `held` locked.
    ///
    /// # Errors
    /// In words.
    pub(super) fn open(program: &Path, owner: Option<&str>, held: Option<&Path>) -> Result<Connection, String> {
        let failed = |error: std::io::Error| format!("the supervisor could not be started: {error}");
        // Should the supervisor die, its orphans must come to us.
        set_child_subreaper(true).map_err(|error| failed(error.into()))?;
        let (ours, theirs) = StdStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let (from, to) = UnixStream::from_std(ours).map_err(failed)?.into_split();
        let held = held.map(locked).transpose()?;
        failpoint::reached(Point::HoldLocked);
        let before = Before::now();
        let child = spawn(program, owner, theirs.into(), held).map_err(failed)?;
        failpoint::reached(Point::SupervisorBegun);
        let pid = child.id();
        let waiting = Arc::new(Mutex::new(Some(Waiting::new())));
        let (requests, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(queue, to));
        let reader = tokio::spawn(read(from, child, Arc::clone(&waiting), before));
        Ok(Connection { pid, requests, waiting, reader })
    }

    pub(super) fn supervisor_pid(&self) -> u32 {
        self.pid
    }

    /// Whether the supervisor was there when last heard of.
    pub(super) fn is_up(&self) -> bool {
        lock(&self.waiting).is_some()
    }

    /// Hands a job over; its end comes through the receiver.
    ///
    /// # Errors
    /// In words, if its token is that of a running job, or the supervisor is gone: the job was not handed over.
    pub(super) fn start(&self, job: Job) -> Result<oneshot::Receiver<Ended>, String> {
        let (sender, receiver) = oneshot::channel();
        match &mut *lock(&self.waiting) {
            None => return Err("the supervisor is gone".into()),
            Some(waiting) if waiting.contains_key(&job.token) => {
                return Err("a job with the same token is running".into());
            }
            Some(waiting) => drop(waiting.insert(job.token, sender)),
        }
        self.send(&Request::Start(Box::new(job)));
        Ok(receiver)
    }

    /// Sends without waiting. If the supervisor is gone, the reader has noticed or will.
    pub(super) fn send(&self, request: &Request) {
        let _ = self.requests.send(request.frame());
    }

    /// Waits until the supervisor has ended.
    pub(super) async fn close(self) {
        self.send(&Request::Close);
        // Fails only if the reader panicked: then there is nothing to wait for.
        let _ = self.reader.await;
    }
}

fn lock(waiting: &Mutex<Option<Waiting>>) -> MutexGuard<'_, Option<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file with a lock that lasts as long as anybody has this descriptor.
fn locked(path: &Path) -> Result<File, String> {
    let failed = |error: &dyn std::fmt::Display| format!("`{}` could not be locked: {error}", path.display());
    let mut last = None;
    for _ in 0..LOCK_TRIES {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|error| failed(&error))?;
        failpoint::reached(Point::HoldMade);
        match file.try_lock() {
            // Who looked whether it is locked, just before we did that, has removed it.
            Ok(()) if is_at(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(error) => last = Some(error),
        }
        std::thread::yield_now();
    }
    Err(last.map_or_else(|| failed(&"it is removed again and again"), |error| failed(&error)))
}

/// Whether the path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// A group of its own keeps a Ctrl-C in the terminal from reaching it. The locked file is its standard output, to which it
/// never writes and which no body keeps.
fn spawn(program: &Path, owner: Option<&str>, socket: OwnedFd, held: Option<File>) -> std::io::Result<Child> {
    Command::new(program)
        .arg0("tickward: supervisor")
        .arg(SUPERVISE_ARG)
        .args(owner)
        .env_clear()
        .envs(
            LOADER_VARIABLES
                .iter()
                .chain(&failpoint::VARIABLES)
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .stdin(Stdio::from(socket))
        .stdout(held.map_or_else(Stdio::null, Stdio::from))
        .process_group(0)
        .spawn()
}

async fn write(mut queue: mpsc::UnboundedReceiver<Vec<u8>>, mut to: OwnedWriteHalf) {
    while let Some(frame) = queue.recv().await {
        if to.write_all(&frame).await.is_err() {
            return;
        }
        failpoint::reached(Point::RequestSent);
    }
}

async fn read(mut from: OwnedReadHalf, child: Child, waiting: Arc<Mutex<Option<Waiting>>>, before: Before) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        for report in take_frames(&mut buffer).iter().filter_map(|inside| Report::parse(inside)) {
            let answer = lock(&waiting).as_mut().and_then(|waiting| waiting.remove(&report.token));
            if let Some(answer) = answer {
                failpoint::reached(Point::EndHeard);
                // Dropped by who asked: it does not want to know.
                let _ = answer.send(report.ended);
            }
        }
        buffer.reserve(READ_BYTES);
    }
    let unanswered = lock(&waiting).take().unwrap_or_default();
    let how = wait_for(child).await;
    if unanswered.is_empty() {
        return;
    }
    let reason = match end_orphans(&before).await {
        0 => how,
        left => format!("{how}, and {left} processes of its bodies could not be ended"),
    };
    for answer in unanswered.into_values() {
        let _ = answer.send(Ended::without_a_body(End::SupervisorLost(reason.clone())));
    }
}

/// Waits for a supervisor that has closed its socket, and says how it ended.
async fn wait_for(mut child: Child) -> String {
    loop {
        match child.try_wait() {
            Ok(None) => tokio::time::sleep(Duration::from_millis(1)).await,
            Ok(Some(status)) => {
                return match (status.signal(), status.code()) {
                    (Some(signal), _) => format!("the supervisor was ended by signal {signal}"),
                    (None, code) => format!("the supervisor ended with code {}", code.unwrap_or_default()),
                };
            }
            Err(error) => return format!("the supervisor ended: {error}"),
        }
    }
}
