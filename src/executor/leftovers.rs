//! Ends what a tick and its supervisor, both killed in the same instant, have left behind.
//!
//! The kernel ends the leaders of bodies with their supervisor, but not what those have started. Such processes are told by
//! the tick's random id in the variable `TICKWARD_BODY` that they have inherited, and by having been adopted: the topmost
//! of them is a child of the first process or of an ancestor of ours. What carries the variable elsewhere (a job that
//! at(1) runs with a copy of our environment) is somebody else's.
//!
//! Holds always: a process is signalled only while it is the one that was looked at.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use super::launch::BODY_VARIABLE;
use super::process_group::{Process, all, below, process};

/// Sends SIGKILL to all that is left of the bodies of a tick that is gone; returns how many processes that were.
///
/// `owner` is the id that was given to `SubprocessExecutor::of`. To be called again until nothing is left: what forks
/// meanwhile may be missed.
pub fn end_leftovers(owner: &str) -> usize {
    let all = all();
    let left = left_behind(&all, Pid::this().as_raw(), |pid| carries(pid, owner));
    left.iter().for_each(kill);
    left.len()
}

/// The living orphans that `is_marked` names, and all below them.
fn left_behind(all: &[Process], me: i32, is_marked: impl Fn(i32) -> bool) -> Vec<Process> {
    let mut adopters = BTreeSet::from([1]);
    let mut next = all.iter().find(|process| process.pid == me);
    while let Some(process) = next.filter(|process| adopters.insert(process.parent)) {
        next = all.iter().find(|other| other.pid == process.parent);
    }
    let orphans = all
        .iter()
        .filter(|process| process.pid != me && !adopters.contains(&process.pid) && adopters.contains(&process.parent));
    let roots = orphans.filter(|process| is_marked(process.pid));
    let trees = roots.flat_map(|root| below(root.pid, all).into_iter().map(|(process, _)| process).chain([*root]));
    trees.filter(|process| !process.is_zombie).collect()
}

fn carries(pid: i32, owner: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0).filter_map(|pair| std::str::from_utf8(pair).ok());
    let tag = variables.find_map(|pair| pair.strip_prefix(BODY_VARIABLE)?.strip_prefix('='));
    // The supervisor's number, the owner, the number of the body.
    tag.and_then(|tag| tag.split('.').nth(1)).is_some_and(|of| of == owner)
}

fn kill(seen: &Process) {
    // SAFETY: pidfd_open(2) takes two numbers and gives a descriptor that nobody else owns, or an error.
    let opened = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, seen.pid, 0) });
    let Some(number) = opened.ok().and_then(|number| i32::try_from(number).ok()) else { return };
    // SAFETY: as above.
    let handle = unsafe { OwnedFd::from_raw_fd(number) };
    // The number may have got another owner before it was opened, not since.
    if process(seen.pid).is_some_and(|now| now.started == seen.started) {
        // SAFETY: the descriptor is open, and no further information is sent along.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), libc::SIGKILL, 0, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_orphans_and_what_is_below_them_are_left_behind() {
        let process = |pid, parent| Process { pid, parent, group: 0, session: 0, started: 0, is_zombie: false };
        let zombie = |pid, parent| Process { is_zombie: true, ..process(pid, parent) };
        // 1 runs cron (2), which runs us (3); 4 is a service.
        let house = [process(1, 0), process(2, 1), process(3, 2), process(4, 1)];
        let marked = [10, 11, 12, 13, 14];
        for (what, others, left) in [
            ("adopted by the first process", vec![process(10, 1)], vec![10]),
            ("adopted by an ancestor of ours", vec![process(10, 2)], vec![10]),
            ("with children, marked or not", vec![process(10, 1), process(11, 10), process(50, 11)], vec![11, 50, 10]),
            ("of somebody else", vec![process(10, 4), process(11, 10)], vec![]),
            ("not marked", vec![process(50, 1), process(51, 1)], vec![]),
            ("ended already", vec![zombie(10, 1)], vec![]),
        ] {
            let all: Vec<_> = house.iter().copied().chain(others).collect();
            let found = left_behind(&all, 3, |pid| marked.contains(&pid));
            assert_eq!(found.iter().map(|process| process.pid).collect::<Vec<_>>(), left, "{what}");
        }
        let ours = left_behind(&house, 3, |_| true);
        assert_eq!(ours, [house[3]], "neither we nor what has started us are left behind, whatever the mark");
    }
}
