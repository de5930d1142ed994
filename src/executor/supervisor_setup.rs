//! Makes a fresh process fit to be the supervisor, and waits for its children.
//!
//! Holds always: no descriptor of ours survives an exec; all signals are blocked with their default disposition, so that a
//! child only has to empty its mask.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::libc;
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, dup2_stdin};

use super::End;
use super::line::Line;

/// Sets this process up; returns the connection to the tick and what tells of children that ended.
///
/// # Errors
/// In words, if descriptor 0 is no socket or the kernel refuses something we cannot do without.
pub(super) fn prepare() -> Result<(Line, SignalFd), String> {
    let in_words = |what: &'static str| move |error: Errno| format!("{what}: {}", error.desc());
    let line = take_socket().map_err(|_| "only a tick can start this".to_string())?;
    close_on_exec().map_err(in_words("descriptors could not be closed"))?;
    set_child_subreaper(true).map_err(in_words("orphans could not be adopted"))?;
    // For people who look at the list of processes.
    let _ = set_name(c"tickward-super");
    reset_signals().map_err(in_words("signals could not be reset"))?;
    let mut child_ended = SigSet::empty();
    child_ended.add(Signal::SIGCHLD);
    let children = SignalFd::with_flags(&child_ended, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(in_words("children could not be watched"))?;
    Ok((line, children))
}

/// Moves the socket away from descriptor 0 and puts `/dev/null` there.
fn take_socket() -> Result<Line, std::io::Error> {
    let stdin = std::io::stdin();
    let number = fcntl(stdin.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: fcntl has just made this descriptor, nobody else owns it.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(number) });
    socket.peer_addr()?;
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    Line::new(socket)
}

/// Marks what we inherited: whoever started the tick may have left descriptors open.
fn close_on_exec() -> Result<(), Errno> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Err(Errno::ENOENT) };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| *number > 2).collect::<Vec<_>>() {
        // SAFETY: borrowed for one call, which gives EBADF where it is closed by now (the listing's own descriptor).
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        match fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            Ok(_) | Err(Errno::EBADF) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reset_signals() -> Result<(), Errno> {
    SigSet::all().thread_set_mask()?;
    // The handlers of Rust's runtime stay, an exec resets them.
    let kept = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS];
    // All zero is the default disposition, and no kernel's `struct sigaction` is larger than this.
    let default = [0_u64; 4];
    for number in (1..=64).filter(|number| !kept.contains(number)) {
        // SAFETY: the kernel reads one disposition from memory that is large enough, and is given no place to write to.
        // Not by the C library: it hides signals 32 and 33, which posix_spawn(3) leaves ignored.
        let set = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), 0, 8) };
        Errno::result(set)?;
    }
    Ok(())
}

/// A child that has ended and was waited for.
pub(super) struct Reaped {
    pub(super) pid: Pid,
    pub(super) end: End,
    /// What it used, with all of its own children that it waited for.
    pub(super) usage: libc::rusage,
}

/// Waits for the next child that has ended already; none where there is none.
pub(super) fn next_ended_child() -> Option<Reaped> {
    loop {
        let mut status = 0;
        // SAFETY: all-zero bytes are a valid rusage, and wait4 gets pointers to two values that live through the call.
        let (pid, usage) = unsafe {
            let mut usage = std::mem::zeroed::<libc::rusage>();
            (libc::wait4(-1, &mut status, libc::WNOHANG, &mut usage), usage)
        };
        match pid {
            -1 if Errno::last() == Errno::EINTR => {}
            pid if pid <= 0 => return None,
            pid => return Some(Reaped { pid: Pid::from_raw(pid), end: end_of(status), usage }),
        }
    }
}

fn end_of(status: i32) -> End {
    if libc::WIFEXITED(status) {
        End::Exited(libc::WEXITSTATUS(status))
    } else {
        End::Signalled(libc::WTERMSIG(status))
    }
}
