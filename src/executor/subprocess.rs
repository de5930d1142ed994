//! Runs jobs as local processes, by way of a supervisor that is started with the first job.
//!
//! This is the tick's side: it hands jobs over and waits for reports. The socket is written by one task and read by another
//! (`connection`).
//!
//! Holds always: every job handed over gets exactly one `Ended`; if the supervisor is lost, that is after every process it
//! had has been killed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::wire::Request;
use super::{End, Ended, Executor, Job, NotStarted, Stop};
use crate::clock::BootTime;
use crate::failpoint::{self, Point};
use crate::occurrence::Token;

/// The program that becomes the supervisor when its first argument is `SUPERVISE_ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorProgram(PathBuf);

impl SupervisorProgram {
    /// The running program itself, also where its file was replaced or removed meanwhile.
    pub fn this() -> SupervisorProgram {
        SupervisorProgram("/proc/self/exe".into())
    }

    /// Another program, whose `main` calls `supervise_main`.
    pub fn at(path: impl Into<PathBuf>) -> SupervisorProgram {
        SupervisorProgram(path.into())
    }
}

/// Runs jobs as processes of this machine. Needs a tokio runtime with I/O and time.
///
/// Dropping it ends its bodies as if the tick had died.
pub struct SubprocessExecutor {
    program: SupervisorProgram,
    owner: Option<String>,
    held: Option<PathBuf>,
    state: Mutex<State>,
    /// Jobs of several steps, and what was wished for them meanwhile.
    wishes: Mutex<BTreeMap<Token, Wish>>,
}

/// What was wished for a job of several steps.
#[derive(Clone, Copy)]
struct Wish {
    stop_at: BootTime,
    stop: Option<Stop>,
    is_killed: bool,
}

enum State {
    Idle,
    Connected(Connection),
    Closed,
}

impl SubprocessExecutor {
    /// An executor without a supervisor yet: the first job starts it.
    pub fn new(program: SupervisorProgram) -> SubprocessExecutor {
        SubprocessExecutor {
            program,
            owner: None,
            held: None,
            state: Mutex::new(State::Idle),
            wishes: Mutex::default(),
        }
    }

    /// The same, for a tick with this id: `end_leftovers` finds by it what outlives both the tick and the supervisor. It
    /// must be random and without dots.
    pub fn of(mut self, owner: &str) -> SubprocessExecutor {
        self.owner = Some(owner.to_string());
        self
    }

    /// The same, with a file that is locked (flock(2)) until the supervisor has ended: as long as that holds, bodies may
    /// still be there, even if the tick is gone. Removed by `close`; its folder must exist when the first job comes.
    pub fn holding(mut self, held: Option<PathBuf>) -> SubprocessExecutor {
        self.held = held;
        self
    }

    /// The process id of the supervisor, if there is one.
    pub fn supervisor_pid(&self) -> Option<u32> {
        match &*self.state() {
            State::Connected(connection) => Some(connection.supervisor_pid()),
            State::Idle | State::Closed => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, job: Job) -> Result<oneshot::Receiver<Ended>, String> {
        let mut state = self.state();
        if let State::Closed = *state {
            return Err("the executor takes no more jobs".into());
        }
        let is_usable = matches!(&*state, State::Connected(connection) if connection.is_up());
        if !is_usable {
            *state = State::Connected(Connection::open(&self.program.0, self.owner.as_deref(), self.held.as_deref())?);
        }
        match &*state {
            State::Connected(connection) => connection.start(job),
            State::Idle | State::Closed => Err("the executor takes no more jobs".into()),
        }
    }

    /// Runs one step of a job: the body, or a hook.
    pub(super) async fn run_step(&self, job: Job) -> Ended {
        match self.hand_over(job) {
            Err(reason) => Ended::not_started(NotStarted::Failed(reason)),
            Ok(end) => end.await.unwrap_or_else(|_| {
                Ended::without_a_body(End::SupervisorLost("nobody is left to hear from the supervisor".into()))
            }),
        }
    }

    /// Brings a job's lease up to date; returns why it is to be stopped, if it is.
    pub(super) fn wish(&self, job: &mut Job) -> Option<Stop> {
        let wish = self.wishes().get(&job.token).copied()?;
        job.stop_at = wish.stop_at;
        wish.stop
    }

    /// Whether everything was to end at once.
    pub(super) fn is_killed(&self, token: Token) -> bool {
        self.wishes().get(&token).is_some_and(|wish| wish.is_killed)
    }

    fn wishes(&self) -> MutexGuard<'_, BTreeMap<Token, Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, request: &Request) {
        if let State::Connected(connection) = &*self.state() {
            connection.send(request);
        }
    }
}

#[async_trait]
impl Executor for SubprocessExecutor {
    async fn run(&self, mut job: Job) -> Ended {
        let Some(around) = job.around.take() else { return self.run_step(job).await };
        let token = job.token;
        self.wishes().insert(token, Wish { stop_at: job.stop_at, stop: None, is_killed: false });
        let ended = self.run_around(job, &around).await;
        self.wishes().remove(&token);
        ended
    }

    fn extend(&self, token: Token, stop_at: BootTime) {
        if let Some(wish) = self.wishes().get_mut(&token) {
            wish.stop_at = stop_at;
        }
        self.tell(&Request::Extend(token, stop_at));
    }

    fn stop(&self, token: Token, why: Stop) {
        if let Some(wish) = self.wishes().get_mut(&token) {
            wish.stop = wish.stop.or(Some(why));
        }
        self.tell(&Request::Stop(token, why));
    }

    fn kill_all(&self) {
        for wish in self.wishes().values_mut() {
            wish.stop = wish.stop.or(Some(Stop::Interrupted));
            wish.is_killed = true;
        }
        self.tell(&Request::KillAll);
    }

    async fn close(&self) {
        let before = std::mem::replace(&mut *self.state(), State::Closed);
        if let State::Connected(connection) = before {
            failpoint::reached(Point::LeaveWanted);
            connection.close().await;
            failpoint::reached(Point::SupervisorGone);
            if let Some(held) = &self.held {
                // What stays behind is unlocked and harms nobody.
                let _ = std::fs::remove_file(held);
                failpoint::reached(Point::HoldRemoved);
            }
        }
    }
}
