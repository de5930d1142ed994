//! Forks a child and makes it the body: session, streams, user, working directory, limits, start mark, program.
//!
//! Why it could not become the body is told by the child itself, in words, through a pipe that closes when the program is
//! executed. Nothing here waits for the child: a working directory on a hung server must not hold up the other bodies.
//!
//! Holds always: the start mark is made when nothing but the user switch and the execution is left to fail; a body has no
//! descriptors but 0, 1 and 2, default signal dispositions and an empty signal mask.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{
    ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchown, fork, getpid, getppid, pipe2, setsid,
};

use super::identity::Identity;
use super::{Input, Job, NotStarted, Program};
use crate::failpoint::{self, Point};

/// The variable by which processes of one body are told from those of another.
pub(super) const BODY_VARIABLE: &str = "TICKWARD_BODY";

/// Where programs are searched for if the job has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A child on its way to becoming the body.
pub(super) struct Launched {
    pub(super) leader: Pid,
    /// What the body prints; nonblocking.
    pub(super) output: File,
    /// See `verdict`.
    pub(super) verdict: File,
}

/// Forks the child that becomes the body; `tag` is its `TICKWARD_BODY`.
///
/// # Errors
/// In words, if this process cannot have another child or pipe.
pub(super) fn launch(job: &Job, tag: &str) -> Result<Launched, String> {
    let failed = |error: Errno| format!("no process could be made: {}", error.desc());
    let (output, print) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
    let (verdict, say) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(failed)?;
    let supervisor = getpid();
    // Every page that the child writes to is copied for it: what needs no other user is made ready before.
    let program = (job.user.is_none() && job.group.is_none()).then(|| Executable::of(job, tag, None));
    // SAFETY: the supervisor has one thread, so no lock can be held by another and the child may do what any process may.
    match unsafe { fork() }.map_err(failed)? {
        ForkResult::Parent { child } => {
            failpoint::reached(Point::BodyForked);
            Ok(Launched { leader: child, output: File::from(output), verdict: File::from(verdict) })
        }
        ForkResult::Child => {
            let text = match catch_unwind(AssertUnwindSafe(|| become_body(job, tag, program, &print, supervisor))) {
                Ok(Verdict { why: NotStarted::Refused | NotStarted::Withdrawn, .. }) => "R".into(),
                Ok(Verdict { why: NotStarted::LeaseOver, .. }) => "L".into(),
                Ok(Verdict { why: NotStarted::Unmarked, .. }) => "U".into(),
                Ok(Verdict { why: NotStarted::Failed(reason), mark_was_made: true }) => format!("M{reason}"),
                Ok(Verdict { why: NotStarted::Failed(reason), mark_was_made: false }) => format!("F{reason}"),
                Err(_) => "Fthe start failed by a mistake in tickward".into(),
            };
            // Nobody to tell if this fails: the supervisor is gone.
            let _ = File::from(say).write_all(text.as_bytes());
            // SAFETY: ends this process without running what its parent registered to run at exit.
            unsafe { nix::libc::_exit(127) }
        }
    }
}

/// Why a child did not become the body.
pub(super) struct Verdict {
    pub(super) why: NotStarted,
    /// Whether the child had made the start mark before it failed.
    pub(super) mark_was_made: bool,
}

/// What a child that has ended said; none where it became the body, or was ended on the way.
pub(super) fn verdict(pipe: &mut File) -> Option<Verdict> {
    // What is said fits into one write. Would-block means that a descendant holds the pipe, which cannot be unless the
    // program was executed.
    let mut said = [0; 4096];
    let length = pipe.read(&mut said).unwrap_or(0);
    let (kind, reason) = said[..length].split_first()?;
    let why = match kind {
        b'R' => NotStarted::Refused,
        b'L' => NotStarted::LeaseOver,
        b'U' => NotStarted::Unmarked,
        _ => NotStarted::Failed(String::from_utf8_lossy(reason).into_owned()),
    };
    Some(Verdict { why, mark_was_made: *kind == b'M' })
}

/// Returns only if this process could not become the body.
fn become_body(job: &Job, tag: &str, program: Option<Ready>, print: &OwnedFd, supervisor: Pid) -> Verdict {
    match get_ready(job, tag, program, print, supervisor) {
        Err(why) => Verdict { why, mark_was_made: false },
        Ok((program, identity)) => {
            let why = take_off(job, &program, identity.as_ref(), supervisor);
            Verdict { why: NotStarted::Failed(why), mark_was_made: job.start_mark.is_some() }
        }
    }
}

/// Does everything up to the start mark.
fn get_ready(
    job: &Job,
    tag: &str,
    program: Option<Ready>,
    print: &OwnedFd,
    supervisor: Pid,
) -> Result<(Executable, Option<Identity>), NotStarted> {
    let failed = NotStarted::Failed;
    let in_words = |what: &'static str| move |error: Errno| failed(format!("{what}: {}", error.desc()));
    failpoint::reached(Point::ChildBegun);
    setsid().map_err(in_words("no session of its own"))?;
    end_with(supervisor).map_err(in_words("no link to the supervisor"))?;
    let identity = Identity::of(job.user.as_deref(), job.group.as_deref()).map_err(failed)?;
    let program = program.unwrap_or_else(|| Executable::of(job, tag, identity.as_ref())).map_err(failed)?;
    dup2_stdout(print).and_then(|()| dup2_stderr(print)).map_err(in_words("no output"))?;
    if let Some(identity) = &identity {
        // Else /dev/stdout could not be opened by the other user. Without root there is no other user.
        let _ = fchown(print, Some(identity.uid), None);
    } else {
        enter(job).map_err(failed)?;
    }
    if let Some(bytes) = job.memory_limit_bytes {
        setrlimit(Resource::RLIMIT_AS, bytes, bytes).map_err(in_words("the memory limit was refused"))?;
    }
    // What was sent to us until now ends us here, before the mark.
    SigSet::empty().thread_set_mask().map_err(in_words("no signal mask"))?;
    failpoint::reached(Point::MarkWanted);
    make_mark(job.start_mark.as_deref())?;
    failpoint::reached(Point::MarkMade);
    Ok((program, identity))
}

/// Switches the user and executes the program; returns only if that fails, with the reason.
fn take_off(job: &Job, program: &Executable, identity: Option<&Identity>, supervisor: Pid) -> String {
    let switched = identity.map_or(Ok(()), |identity| {
        identity.assume()?;
        // Changing the user forgets it.
        end_with(supervisor).map_err(|error| format!("no link to the supervisor: {}", error.desc()))?;
        enter(job)
    });
    switched.map_or_else(|reason| reason, |()| program.execute())
}

/// Has the kernel end this process when the supervisor ends.
fn end_with(supervisor: Pid) -> Result<(), Errno> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == supervisor { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Goes to the working directory and opens the standard input there, with the rights we have by then.
fn enter(job: &Job) -> Result<(), String> {
    if let Some(cwd) = &job.cwd {
        std::env::set_current_dir(cwd).map_err(|error| format!("working directory {}", about(cwd, &error)))?;
    }
    let stdin = match &job.stdin {
        Input::Null => open(Path::new("/dev/null"))?,
        Input::File(path) => open(path)?,
        Input::Text(text) => in_memory(text).map_err(|error| format!("no room for the standard input: {error}"))?,
    };
    dup2_stdin(&stdin).map_err(|error| format!("no standard input: {}", error.desc()))
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("standard input {}", about(path, &error)))
}

/// A file without a name that holds the text: a body that never reads it blocks nobody.
fn in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"stdin", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn make_mark(mark: Option<&Path>) -> Result<(), NotStarted> {
    let Some(mark) = mark else { return Ok(()) };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(mark) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(NotStarted::Refused),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(NotStarted::Unmarked),
        Err(error) => Err(NotStarted::Failed(format!("start mark {}", about(mark, &error)))),
    }
}

fn about(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("`{}` was not found", path.display()),
        ErrorKind::PermissionDenied => format!("`{}` is not permitted to this user", path.display()),
        ErrorKind::NotADirectory => format!("`{}` is no folder", path.display()),
        _ => format!("`{}` cannot be used: {error}", path.display()),
    }
}

/// A program made ready, or why that cannot be.
type Ready = Result<Executable, String>;

/// A program with all that execve(2) wants.
struct Executable {
    name: String,
    candidates: Vec<CString>,
    searched: Option<OsString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Executable {
    fn of(job: &Job, tag: &str, identity: Option<&Identity>) -> Ready {
        let words = match &job.program {
            Program::Argv(words) => words.clone(),
            Program::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        };
        let name = words.first().filter(|name| !name.is_empty()).ok_or("no program is given")?.clone();
        let path = || job.env.iter().find(|(variable, _)| variable == "PATH").map(|(_, value)| value.clone());
        let searched = (!name.contains('/')).then(|| path().unwrap_or_else(|| DEFAULT_PATH.into()));
        let candidates = match &searched {
            None => vec![PathBuf::from(&name)],
            Some(path) => std::env::split_paths(path).map(|folder| folder.join(&name)).collect(),
        };
        let candidates = candidates.iter().map(|path| without_nul(path.as_os_str(), || "the program's name".into()));
        let arguments = words
            .iter()
            .enumerate()
            .map(|(i, word)| without_nul(word.as_ref(), || format!("argument {i} of `{name}`")));
        Ok(Executable {
            candidates: candidates.collect::<Result<_, _>>()?,
            searched,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: environment(job, tag, identity)?,
            name,
        })
    }

    /// Executes the first candidate there is; returns only if that fails, with the reason.
    fn execute(&self) -> String {
        let mut worst = Errno::ENOENT;
        for path in &self.candidates {
            failpoint::reached(Point::ProgramNext);
            let Err(error) = execve(path, &self.arguments, &self.environment);
            match error {
                Errno::ENOENT | Errno::ENOTDIR => {}
                // A folder of PATH that we may not search holds nothing for us.
                Errno::EACCES if self.searched.is_some() && !is_there(path) => {}
                Errno::EACCES => worst = error,
                _ => return self.reason(error),
            }
        }
        self.reason(worst)
    }

    fn reason(&self, error: Errno) -> String {
        let name = self.name.escape_debug();
        match (error, &self.searched) {
            (Errno::ENOENT, Some(path)) => format!("`{name}` was not found in PATH (`{}`)", path.display()),
            (Errno::ENOENT, None) if Path::new(&self.name).exists() => {
                format!("`{name}` was found, but not the interpreter that it names")
            }
            (Errno::ENOENT, None) => format!("`{name}` was not found"),
            (Errno::EACCES, _) if Path::new(&self.name).is_dir() => format!("`{name}` is a folder"),
            (Errno::EACCES, _) => format!("`{name}` may not be executed by this user"),
            (Errno::ENOEXEC, _) => {
                format!("`{name}` is neither a program for this machine nor a script with a `#!` line")
            }
            (Errno::E2BIG, _) => format!("arguments and environment of `{name}` are longer than this system allows"),
            (error, _) => format!("`{name}` cannot be executed: {}", error.desc()),
        }
    }
}

fn is_there(path: &CString) -> bool {
    Path::new(OsStr::from_bytes(path.as_bytes())).exists()
}

/// The job's variables, the tag, and those of the user that the job does not set.
fn environment(job: &Job, tag: &str, identity: Option<&Identity>) -> Result<Vec<CString>, String> {
    let given = job.env.iter().filter(|(name, _)| name != BODY_VARIABLE);
    let mut all = given.map(|(name, value)| (name.as_os_str(), value.as_os_str())).collect::<Vec<_>>();
    for (name, value) in identity.iter().flat_map(|identity| &identity.variables) {
        if !job.env.iter().any(|(given, _)| given == name) {
            all.push((OsStr::new(*name), value.as_os_str()));
        }
    }
    all.push((OsStr::new(BODY_VARIABLE), OsStr::new(tag)));
    let variable = |(name, value): (&OsStr, &OsStr)| {
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(format!("`{}` is no name of a variable", name.display()));
        }
        let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
        without_nul(OsStr::from_bytes(&pair), || format!("variable `{}`", name.display().to_string().escape_debug()))
    };
    all.into_iter().map(variable).collect()
}

fn without_nul(text: &OsStr, what: impl Fn() -> String) -> Result<CString, String> {
    CString::new(text.as_bytes()).map_err(|_| format!("{} contains a NUL byte", what()))
}
