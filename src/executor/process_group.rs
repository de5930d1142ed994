//! Looks at the processes of this machine and signals them: one, a group, a tree.
//!
//! Whose they are is for `family` (in the supervisor) and `orphans` (in the tick).

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// A process as /proc/PID/stat shows it, see proc(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// In clock ticks since boot; with the pid it names a process for good.
    pub(super) started: u64,
    /// Has ended, but nobody has waited for it yet.
    pub(super) is_zombie: bool,
}

/// Every process we can see. Those that come or go meanwhile may be missing.
pub(super) fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok()).filter_map(process).collect()
}

/// The descendants of `root` as the kernel lists the children of each, of its first thread only: a far quicker look than at all there
/// is, that may miss some. Nothing where it keeps no such lists, see proc(5).
pub(super) fn at_a_glance(root: i32) -> Vec<Process> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let children: Vec<Process> = list.split_whitespace().filter_map(|pid| process(pid.parse().ok()?)).collect();
        parents.extend(children.iter().map(|child| child.pid));
        found.extend(children);
    }
    found
}

/// The process with this number, if there is one.
pub(super) fn process(pid: i32) -> Option<Process> {
    parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &[u8]) -> Option<Process> {
    // The name stands in parentheses and may contain anything, also parentheses and bytes that are no UTF-8.
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let pid = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
    let fields = rest.split_ascii_whitespace().collect::<Vec<_>>();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    Some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        started: fields.get(19)?.parse().ok()?,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

/// The descendants of `root`, parents before children, each with the index in the answer of its parent; a child of `root`
/// has none.
pub(super) fn below(root: i32, all: &[Process]) -> Vec<(Process, Option<usize>)> {
    let mut children = BTreeMap::<i32, Vec<Process>>::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut take = |parent: i32, index: Option<usize>, found: &mut Vec<_>| {
        found.extend(children.remove(&parent).into_iter().flatten().map(|process| (process, index)));
    };
    take(root, None, &mut found);
    let mut next = 0;
    while next < found.len() {
        take(found[next].0.pid, Some(next), &mut found);
        next += 1;
    }
    found
}

/// Signals the group of a leader, or the leader alone where it has not made its group yet. Gone is gone.
pub(super) fn signal_group(leader: Pid, signal: Signal) {
    if killpg(leader, signal) == Err(Errno::ESRCH) {
        signal_one(leader.as_raw(), signal);
    }
}

/// Whether any process, waited for or not, is in the group.
pub(super) fn group_exists(leader: Pid) -> bool {
    killpg(leader, None) != Err(Errno::ESRCH)
}

/// Signals one process. Gone is gone; one that we may not signal is noticed by its staying.
pub(super) fn signal_one(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_name() {
        let tail = "S 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000 100";
        let expected = Process { pid: 42, parent: 7, group: 8, session: 9, started: 4711, is_zombie: false };
        for name in ["sh", "a b", ") S 1 1 1 (", "(", "\n"] {
            let line = format!("42 ({name}) {tail}");
            assert_eq!(parse(line.as_bytes()), Some(expected), "{name:?}");
        }
        assert_eq!(parse(&[b"42 (\xff) ", tail.as_bytes()].concat()), Some(expected));
        assert!(parse(format!("42 (x) {}", tail.replacen('S', "Z", 1)).as_bytes()).is_some_and(|p| p.is_zombie));
        for line in ["", "42", "42 (x", "42 (x)", "42 (x) S 1", "x (y) S 1 2 3"] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn we_see_ourselves() {
        let me = std::process::id() as i32;
        let parent = std::os::unix::process::parent_id() as i32;
        assert!(all().iter().any(|process| process.pid == me && process.parent == parent));
    }

    #[test]
    fn a_glance_sees_children_and_theirs() {
        let me = std::process::id() as i32;
        if !std::path::Path::new(&format!("/proc/{me}/task/{me}/children")).exists() {
            return;
        }
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "sleep 60 & echo $!; wait"]).stdout(std::process::Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut started = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut started).unwrap();
        let (pid, started) = (child.id() as i32, started.trim().parse::<i32>().unwrap());
        let seen = at_a_glance(pid);
        signal_one(started, Signal::SIGKILL);
        child.wait().unwrap();
        assert_eq!(seen.iter().map(|process| (process.pid, process.parent)).collect::<Vec<_>>(), [(started, pid)]);
        assert_eq!(at_a_glance(pid), [], "it is gone");
    }

    #[test]
    fn a_tree_is_listed_parents_first_and_without_strangers() {
        let process = |pid, parent| Process { pid, parent, group: 0, session: 0, started: 0, is_zombie: false };
        let all = [process(5, 4), process(2, 1), process(9, 8), process(4, 2), process(3, 1), process(1, 0)];
        let listed = below(1, &all).iter().map(|(p, parent)| (p.pid, *parent)).collect::<Vec<_>>();
        assert_eq!(listed, [(2, None), (3, None), (4, Some(0)), (5, Some(2))]);
    }
}
