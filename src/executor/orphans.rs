//! Ends and reaps, in the tick's own process, what a lost supervisor has left behind.
//!
//! The tick is the subreaper above its supervisors, so their descendants become its children. They are told from children
//! that this process started itself by their session: every body has one of its own, and a process cannot join another.
//!
//! Who was our child before there was a supervisor is no body's either: a wrapper may have started it before it became us.
//!
//! Holds always: no process of our own session is signalled or waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getsid};

use super::process_group::{Process, all, below, process, signal_one};
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

/// The children that this process has before it starts a supervisor, and their sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Number and start.
    children: BTreeSet<(i32, u64)>,
    sessions: BTreeSet<i32>,
}

impl Before {
    /// Those of now.
    pub(super) fn now() -> Before {
        let all = children().unwrap_or_else(all);
        let ours: Vec<Process> = adopted(&all);
        Before {
            children: ours.iter().map(|process| (process.pid, process.started)).collect(),
            sessions: ours.iter().map(|process| process.session).collect(),
        }
    }

    fn has(&self, process: &Process) -> bool {
        self.children.contains(&(process.pid, process.started)) || self.sessions.contains(&process.session)
    }
}

/// The children of this process, without looking at all processes of the machine; none where the kernel has no such list.
fn children() -> Option<Vec<Process>> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let list = std::fs::read_to_string(task.ok()?.path().join("children")).ok()?;
        found.extend(list.split_ascii_whitespace().filter_map(|pid| process(pid.parse().ok()?)));
    }
    Some(found)
}

/// Ends all adopted processes and their descendants with SIGKILL, but for those that were there `before`; returns how many
/// would not die.
///
/// # Cancel safety
/// Safe; what was not ended yet stays.
pub(super) async fn end_orphans(before: &Before) -> usize {
    let give_up_at = boot_now().plus(PATIENCE);
    loop {
        let everything = all();
        let mut left = adopted(&everything);
        left.retain(|process| !before.has(process));
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
