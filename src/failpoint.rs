//! Names the moments between two lasting effects, so that a test can end the process at each of them.
//!
//! Lasting is what another process finds later: a commit, a file, a process. Without the feature `failpoints`, which no
//! release has, `reached` is empty and no name is in the program. With it, `TICKWARD_FAILPOINT=NAME[:NTH][=ACTION]` acts
//! when the process gets there the n-th time: `kill` (itself, unless told otherwise), `stop`, `parent` (kills that one and
//! goes on) or `both`. `TICKWARD_FAILPOINT=trace` makes a harmless system call that names the point, for strace(1).
//! `TICKWARD_FAILPOINT_LOG` is a file that gets the names as they are reached.
//!
//! Holds always: what is done here may also be done between fork and exec.

/// The one table: a point, its name, who gets there, and the effects before and after it.
macro_rules! points {
    ($($point:ident $name:literal $process:ident $before:literal | $after:literal)*) => {
        /// A moment between two lasting effects.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $(#[doc = concat!("Between: ", $before, "; ", $after, ".")] $point,)*
        }

        #[cfg(feature = "failpoints")]
        pub use armed::{Process, Row};

        /// All points, in the order in which an attempt comes by.
        #[cfg(feature = "failpoints")]
        pub const TABLE: &[Row] = &[
            $(Row {
                point: Point::$point,
                name: $name,
                line: concat!($name, "\n"),
                path: concat!("/failpoint/", $name, "\0"),
                process: Process::$process,
                before: $before,
                after: $after,
            },)*
        ];
    };
}

points! {
    RunLogFolder    "run-log-folder"    Tick "the run-log's folder is made" | "the file is made"
    RunLogMade      "run-log-made"      Tick "the run-log's file is there" | "it becomes a database"
    JournalSet      "journal-set"       Tick "the journal is chosen" | "the tables are made"
    TablesWritten   "tables-written"    Tick "the tables are made" | "they are committed"
    TablesMade      "tables-made"       Tick "the tables are committed" | "something is claimed"
    Forestalled     "mark-forestalled"  Tick "a dead worker's start mark is made in its stead" | "its end is committed"
    TakenOver       "taken-over"        Tick "a dead worker's attempt is ended" | "its start mark goes"
    DeadHoldRemoved "dead-hold-removed" Tick "a dead worker's lock file goes" | "its start mark goes"
    TakeOverCleared "take-over-cleared" Tick "a dead worker's start mark goes" | "something is claimed"
    FolderWanted    "folder-wanted"     Tick "something is to be claimed" | "the folder for start marks is made"
    FolderMade      "folder-made"       Tick "the folder for start marks is made" | "the claim is written"
    CommitWritten   "commit-written"    Tick "claims and ends are written" | "they are committed"
    CommitDurable   "commit-durable"    Tick "claims and ends are committed" | "the tick hears of it"
    ClaimWon        "claim-won"         Tick "the tick knows that the claim is its own" | "the lock file is made"
    HoldMade        "hold-made"         Tick "the lock file is made" | "it is locked"
    HoldLocked      "hold-locked"       Tick "the lock file is locked" | "the supervisor is started"
    SupervisorBegun "supervisor-begun"  Tick "the supervisor is started" | "it gets the job"
    RequestSent     "request-sent"      Tick "the supervisor gets the job" | "it answers"
    SupervisorReady "supervisor-ready"  Supervisor "the supervisor is set up" | "it hears of a job"
    JobHeard        "job-heard"         Supervisor "the supervisor hears of a job" | "it forks"
    BodyForked      "body-forked"       Supervisor "the child is there" | "the supervisor waits for it"
    ChildBegun      "child-begun"       Child "the child is there" | "it leaves the session"
    MarkWanted      "mark-wanted"       Child "the child is ready" | "the start mark is made"
    MarkMade        "mark-made"         Child "the start mark is made" | "the user is changed"
    ProgramNext     "program-next"      Child "the user is changed" | "the program is executed"
    OutputWanted    "output-wanted"     Supervisor "the first byte is read" | "the folder for output is made"
    OutputFolder    "output-folder"     Supervisor "the folder for output is made" | "the file for output is made"
    OutputMade      "output-made"       Supervisor "the file for output is made" | "it gets the first bytes"
    LeaderReaped    "leader-reaped"     Supervisor "the leader was waited for" | "its end is known"
    UnstartedMark   "unstarted-mark"    Supervisor "the program could not be executed" | "its start mark goes"
    MarkTakenBack   "mark-taken-back"   Supervisor "the start mark of no start goes" | "its end is known"
    EndKnown        "end-known"         Supervisor "nothing of the body is left" | "its end is told to the tick"
    OutputFull      "output-full"       Supervisor "the file for output is full" | "its end is cut off"
    OutputCut       "output-cut"        Supervisor "the end of the file is cut off" | "the last bytes are put there"
    OutputEnded     "output-ended"      Supervisor "the last bytes are put there" | "the end is told to the tick"
    EndHeard        "end-heard"         Tick "the end is told to the tick" | "it is committed"
    RenewalWritten  "renewal-written"   Tick "the lease is extended" | "that is committed"
    RenewalDurable  "renewal-durable"   Tick "the longer lease is committed" | "the tick hears of it"
    EndCommitted    "end-committed"     Tick "the end is committed" | "the start mark goes"
    MarkRemoved     "mark-removed"      Tick "the start mark goes" | "the supervisor is told to leave"
    OldOutput       "old-output"        Tick "there is more output than is kept" | "the oldest file goes"
    SweepBegun      "sweep-begun"       Tick "the oldest file goes" | "marks of dead workers go"
    MarkSwept       "mark-swept"        Tick "the start mark of an ended attempt goes" | "the next one goes"
    SpoolFolder     "spool-folder"      Tick "a folder of the host is made" | "a file is put there"
    SpoolLock       "spool-lock"        Tick "the file of a lock is there" | "what it guards is changed"
    SpoolAside      "spool-aside"       Tick "a file is written aside" | "it takes its place"
    SpoolLinked     "spool-linked"      Tick "a record has its name" | "its other name goes"
    SpoolPlaced     "spool-placed"      Tick "a file is in its place" | "the next one is written"
    SpoolImported   "spool-imported"    Tick "records are in the run-log" | "they go from the spool"
    SpoolRemoved    "spool-removed"     Tick "a file goes from the spool" | "the next one goes"
    AlertsTaken     "alerts-taken"      Tick "alerts are taken from the outbox" | "they are sent"
    AlertSent       "alert-sent"        Tick "an alert is sent" | "that is settled"
    AlertsSettled   "alerts-settled"    Tick "what was sent is settled" | "the tick ends"
    LeaveWanted     "leave-wanted"      Tick "all is recorded" | "the supervisor is told to leave"
    SupervisorLeaves "supervisor-leaves" Supervisor "the supervisor has nothing to do" | "it ends"
    SupervisorGone  "supervisor-gone"   Tick "the supervisor has ended" | "the lock file goes"
    HoldRemoved     "hold-removed"      Tick "the lock file goes" | "the tick ends"
}

/// What a supervisor keeps of its tick's environment for this.
#[cfg(not(feature = "failpoints"))]
pub const VARIABLES: [&str; 0] = [];

/// The process has come to `point`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn reached(_point: Point) {}

#[cfg(feature = "failpoints")]
pub use armed::{VARIABLES, reached};

#[cfg(feature = "failpoints")]
mod armed {
    use std::ffi::CString;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStringExt;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::fcntl::{OFlag, open};
    use nix::libc;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::stat::Mode;
    use nix::unistd::{Pid, getpid, getppid, write};

    use super::{Point, TABLE};

    /// What a supervisor keeps of its tick's environment for this.
    pub const VARIABLES: [&str; 2] = ["TICKWARD_FAILPOINT", "TICKWARD_FAILPOINT_LOG"];

    /// Which process comes by a point.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Process {
        /// The tick.
        Tick,
        /// The process that parents the bodies.
        Supervisor,
        /// The child that is about to become the body.
        Child,
    }

    /// A row of the table.
    pub struct Row {
        /// What the code calls it.
        pub point: Point,
        /// What people call it.
        pub name: &'static str,
        pub(super) line: &'static str,
        /// What is looked for under `trace`; ends with a NUL byte.
        pub(super) path: &'static str,
        /// Who comes by.
        pub process: Process,
        /// What has happened.
        pub before: &'static str,
        /// What happens next.
        pub after: &'static str,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Action {
        Kill,
        Stop,
        Parent,
        Both,
    }

    struct Plan {
        trace: bool,
        act: Option<(Point, u32, Action)>,
        log: Option<OwnedFd>,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();
    static TIMES: AtomicU32 = AtomicU32::new(0);

    /// The process has come to `point`.
    pub fn reached(point: Point) {
        let plan = PLAN.get_or_init(Plan::of_environment);
        let Some(row) = TABLE.iter().find(|row| row.point == point) else { return };
        if let Some(log) = &plan.log {
            // A line that is not written is missed by the test.
            let _ = write(log, row.line.as_bytes());
        }
        if plan.trace {
            // SAFETY: the path ends with a NUL byte.
            unsafe { libc::access(row.path.as_ptr().cast(), libc::F_OK) };
        }
        if let Some((wanted, nth, action)) = plan.act
            && wanted == point
            && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == nth
        {
            act(action);
        }
    }

    fn act(action: Action) {
        let send = |pid: Pid, signal: Signal| {
            // Gone is gone.
            let _ = kill(pid, signal);
        };
        match action {
            Action::Kill => send(getpid(), Signal::SIGKILL),
            Action::Stop => send(getpid(), Signal::SIGSTOP),
            Action::Parent => send(getppid(), Signal::SIGKILL),
            Action::Both => {
                send(getppid(), Signal::SIGKILL);
                send(getpid(), Signal::SIGKILL);
            }
        }
    }

    impl Plan {
        fn of_environment() -> Plan {
            let [wish, log] = VARIABLES.map(std::env::var_os);
            let wish = wish.map(|wish| wish.to_string_lossy().into_owned()).unwrap_or_default();
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_CLOEXEC;
            let log = log.and_then(|path| CString::new(path.into_vec()).ok());
            Plan {
                trace: wish == "trace",
                act: parse(&wish),
                log: log.and_then(|path| open(path.as_c_str(), flags, Mode::from_bits_truncate(0o666)).ok()),
            }
        }
    }

    fn parse(wish: &str) -> Option<(Point, u32, Action)> {
        let (at, action) = wish.split_once('=').unwrap_or((wish, "kill"));
        let (name, nth) = at.split_once(':').unwrap_or((at, "1"));
        let action = match action {
            "stop" => Action::Stop,
            "parent" => Action::Parent,
            "both" => Action::Both,
            _ => Action::Kill,
        };
        let row = TABLE.iter().find(|row| row.name == name)?;
        Some((row.point, nth.parse().ok()?, action))
    }
}
