//! Ends and reaps, in the tick's own process, what a lost supervisor has left behind.
//!
//! The tick is the subreaper above its supervisors, so their descendants become its children. They are told from children
//! that this process started itself by their session: every body has one of its own, and a process cannot join another.
//!
//! Holds always: no process of our own session is signalled or waited for.

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getsid};

use super::process_group::{Process, all, below, signal_one};
use crate::clock::boot_now;

/// How long processes that do not die by SIGKILL are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for every child that has ended and was adopted, not started, by this process; returns how many there were.
///
/// For a process with number 1, which adopts what nobody else waits for; to be called when SIGCHLD arrives.
pub fn reap_orphans() -> usize {
    let ended = adopted(&all()).into_iter().filter(|process| process.is_zombie);
    ended.filter(|process| waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG)).is_ok()).count()
}

/// Ends all adopted processes and their descendants with SIGKILL; returns how many would not die.
///
/// # Cancel safety
/// Safe; what was not ended yet stays.
pub(super) async fn end_orphans() -> usize {
    let give_up_at = boot_now().plus(PATIENCE);
    loop {
        let everything = all();
        let left = adopted(&everything);
        if left.is_empty() || boot_now() >= give_up_at {
            return left.len();
        }
        for process in &left {
            for pid in below(process.pid, &everything).iter().map(|(process, _)| process.pid).chain([process.pid]) {
                signal_one(pid, Signal::SIGKILL);
            }
        }
        reap_orphans();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn adopted(all: &[Process]) -> Vec<Process> {
    let me = Pid::this().as_raw();
    let Ok(session) = getsid(None) else { return Vec::new() };
    all.iter().filter(|process| process.parent == me && process.session != session.as_raw()).copied().collect()
}
