//! Runs the body of an attempt and says how it ended.
//!
//! A port: `Executor` is what the tick sees, `subprocess` the backend that runs local processes. There, one small process
//! (`supervisor`) parents all bodies of a tick; the tick talks to it over a socket (`wire`). What an exit code means,
//! whether to try again and what to record is not for here.
//!
//! Holds always: a job is started at most once; every started job ends in exactly one `Ended`; when either the tick or the
//! supervisor is gone, no process of a body is left.

mod body;
mod connection;
mod course;
mod encoding;
mod family;
mod identity;
mod launch;
mod leftovers;
mod line;
mod orphans;
mod output;
mod pattern;
mod process_group;
mod queue;
mod subprocess;
mod supervisor;
mod supervisor_setup;
mod surround;
mod told;
mod wire;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::BootTime;
use crate::occurrence::Token;

pub use leftovers::end_leftovers;
pub use orphans::reap_orphans;
pub use output::Output;
pub use subprocess::{SubprocessExecutor, SupervisorProgram};
pub use supervisor::{SUPERVISE_ARG, supervise_main};
pub use surround::{Around, Step};
pub use told::{Status, Told};
#[cfg(fuzzing)]
pub use wire::reads_back;

/// Where bodies run.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Starts the job and returns once it has ended, with nothing of it left behind.
    ///
    /// Several jobs may run at once; their tokens must differ.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the body; only its end is no longer heard of.
    async fn run(&self, job: Job) -> Ended;

    /// Moves the instant at which the body is stopped by itself. Too late once it is being stopped.
    fn extend(&self, token: Token, stop_at: BootTime);

    /// Asks the body to end: SIGTERM to its group, then, after its grace, SIGKILL to all its descendants.
    ///
    /// Nothing happens where the token is unknown or its body has ended or is being stopped already.
    fn stop(&self, token: Token, why: Stop);

    /// Ends all bodies at once with SIGKILL.
    fn kill_all(&self);

    /// Takes no more jobs, waits for those that run, and ends the supervisor.
    async fn close(&self);
}

/// One attempt to run, with everything resolved: no templates, no defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Names the job towards `extend` and `stop`. Never shown to the body.
    pub token: Token,
    /// What to execute.
    pub program: Program,
    /// Working directory; none means that of the tick.
    pub cwd: Option<PathBuf>,
    /// The whole environment of the body, but for `TICKWARD_BODY`, which is always set, and, with a `user`, those of
    /// `HOME`, `USER`, `LOGNAME` and `SHELL` that are missing here.
    pub env: Vec<(OsString, OsString)>,
    /// What the body reads.
    pub stdin: Input,
    /// User to run as, by name or number, with its supplementary groups; none means ours.
    pub user: Option<String>,
    /// Group to run as, by name or number; none means the user's own, or ours.
    pub group: Option<String>,
    /// Address space limit of each process of the body, in bytes (RLIMIT_AS); none means ours.
    pub memory_limit_bytes: Option<u64>,
    /// How long the body may run; none means as long as it likes.
    pub timeout: Option<Duration>,
    /// How long the body may take to end after SIGTERM before SIGKILL.
    pub kill_grace: Duration,
    /// The body gets SIGTERM at this instant unless it is extended, even where the tick is frozen; a job that comes
    /// later is not started.
    pub stop_at: BootTime,
    /// File whose creation is the start: made just before the program is executed. If it exists, the job is refused.
    /// Its folder must exist.
    pub start_mark: Option<PathBuf>,
    /// File that gets the output, created at the first byte (0600, missing folders 0700); none means no file.
    pub output: Option<PathBuf>,
    /// The largest size of that file.
    pub output_limit_bytes: u64,
    /// How many bodies may run at once: a job that finds so many waits until one has ended. None: it never waits.
    pub places: Option<u32>,
    /// Hooks, and where the body tells what it did; none for the body alone.
    pub around: Option<Box<Around>>,
}

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Program and arguments. A program without a slash is searched for in the job's `PATH`.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// What a body reads from its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing: `/dev/null`.
    Null,
    /// This text, of any length.
    Text(String),
    /// A file, opened with the body's rights; relative to its working directory.
    File(PathBuf),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What became of the leader, the process that executed the program.
    pub end: End,
    /// Why we stopped it; none where it ended by itself. A body that was stopped may still have exited with any code.
    pub stopped: Option<Stop>,
    /// When it was started; none where it never was, or where nobody is left to say.
    pub started_at: Option<BootTime>,
    /// From the start to the end of the leader.
    pub duration: Duration,
    /// Processor time, user and system, of all its processes that were waited for by us or by one another.
    pub cpu: Duration,
    /// The largest resident size that any single one of these processes reached.
    pub peak_memory_bytes: u64,
    /// What it printed.
    pub output: Output,
}

/// What became of the leader of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code, 0 to 255.
    Exited(i32),
    /// It was ended by this signal.
    Signalled(i32),
    /// The program was provably never executed.
    NotStarted(NotStarted),
    /// The supervisor is gone, for this reason; the body may have been started and is not running any more.
    SupervisorLost(String),
}

/// Why a program was never executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Somebody else made the start mark first.
    Refused,
    /// The lease was over before the start.
    LeaseOver,
    /// It was stopped while it waited for a place.
    Withdrawn,
    /// The folder of its start mark is gone.
    Unmarked,
    /// It could not be executed: the reason in words, naming the thing.
    Failed(String),
}

/// Why a body was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It ran longer than its timeout.
    TimedOut,
    /// Its lease was not renewed in time.
    LeaseOver,
    /// We were told to end.
    Interrupted,
    /// A person or a newer run wants it gone.
    Cancelled,
}

impl Ended {
    /// The end of a job whose program was never executed.
    pub fn not_started(why: NotStarted) -> Ended {
        Ended::without_a_body(End::NotStarted(why))
    }

    /// The end of a job whose supervisor is gone, for this reason.
    pub fn lost(why: String) -> Ended {
        Ended::without_a_body(End::SupervisorLost(why))
    }

    fn without_a_body(end: End) -> Ended {
        Ended {
            end,
            stopped: None,
            started_at: None,
            duration: Duration::ZERO,
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            output: Output::default(),
        }
    }
}
