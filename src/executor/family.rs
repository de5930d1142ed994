//! Knows which process below the supervisor belongs to which body, also one that left its session and lost its parent.
//!
//! Orphans become children of the supervisor (PR_SET_CHILD_SUBREAPER), so nothing gets away; the question is only whose they
//! are. Told by, in this order: its parent's body; having been seen there before; its session or group; the variable
//! `TICKWARD_BODY` it was started with; being below a supervisor that has only one body. Who defeats all five is ended with
//! the last body.
//!
//! Looking costs a pass over /proc, so without need it takes at most a fortieth of the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::launch::BODY_VARIABLE;
use super::process_group::{Process, all, at_a_glance, below, signal_one};
use crate::clock::{BootTime, boot_now};

/// Number of a body within its supervisor, counted from 1.
pub(super) type Serial = u64;

/// How long at a time what forks is run after.
const LONGEST_CHASE: Duration = Duration::from_millis(5);

/// The living processes of each body.
pub(super) type Members = BTreeMap<Serial, Vec<i32>>;

/// What a look at all processes gave.
pub(super) enum Look {
    NotDone,
    /// There is something, but it was not seen: it has ended just now, or forks faster than we look.
    Missed,
    Sure(Members),
}

/// What is known of the processes of one body.
#[derive(Clone, Copy)]
pub(super) enum Own<'a> {
    NotLookedAt,
    Missed,
    Seen(&'a [i32]),
}

impl Look {
    /// What it says of this body.
    pub(super) fn of(&self, body: Serial) -> Own<'_> {
        match self {
            Look::NotDone => Own::NotLookedAt,
            Look::Missed => Own::Missed,
            Look::Sure(members) => Own::Seen(members.get(&body).map_or(&[], Vec::as_slice)),
        }
    }
}

impl<'a> Own<'a> {
    /// Its living processes, as far as they were seen.
    pub(super) fn pids(self) -> &'a [i32] {
        match self {
            Own::Seen(pids) => pids,
            Own::NotLookedAt | Own::Missed => &[],
        }
    }
}

/// What identifies a body here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kin {
    pub(super) serial: Serial,
    pub(super) leader: Pid,
    pub(super) leader_lives: bool,
}

/// Which processes were seen in which body.
pub(super) struct Family {
    supervisor: Pid,
    /// What every tag begins with: our number, and the id of the tick if it has given one.
    prefix: String,
    seen: BTreeMap<(i32, u64), Serial>,
    sessions: BTreeMap<i32, Serial>,
    next_look: BootTime,
}

impl Family {
    /// The family of this process, which works for the tick with this id.
    pub(super) fn of(owner: Option<&str>) -> Family {
        let supervisor = Pid::this();
        let prefix = owner.map_or_else(|| format!("{supervisor}."), |owner| format!("{supervisor}.{owner}."));
        let (seen, sessions) = (BTreeMap::new(), BTreeMap::new());
        Family { supervisor, prefix, seen, sessions, next_look: BootTime(0) }
    }

    /// The value of `TICKWARD_BODY` for a body.
    pub(super) fn tag(&self, serial: Serial) -> String {
        format!("{}{serial}", self.prefix)
    }

    /// When a look without need is due.
    pub(super) fn next_look(&self) -> BootTime {
        self.next_look
    }

    /// Finds the living processes of all bodies.
    pub(super) fn look(&mut self, bodies: &[Kin]) -> Members {
        let begin = boot_now();
        let tree = below(self.supervisor.as_raw(), &all());
        let (members, unclaimed) = self.sort(bodies, &tree, |pid| self.tagged(pid));
        self.seen = BTreeMap::new();
        self.sessions = BTreeMap::new();
        for ((process, _), owner) in tree.iter().zip(&unclaimed) {
            if let Some(owner) = owner {
                self.seen.insert((process.pid, process.started), *owner);
                self.sessions.insert(process.session, *owner);
            }
        }
        let end = boot_now();
        self.next_look = end.plus(end.since(begin).max(Duration::from_millis(1)) * 40);
        members
    }

    /// Sends SIGKILL to what the bodies `of` have started since they were looked at.
    pub(super) fn kill_newborn(&self, bodies: &[Kin], of: &[Serial]) {
        self.chase(|tree| {
            let (members, _) = self.sort(bodies, tree, |pid| self.tagged(pid));
            of.iter().filter_map(|serial| members.get(serial)).flatten().copied().collect()
        });
    }

    /// Sends SIGKILL to every process below this one.
    pub(super) fn kill_everything(&self) {
        for (process, _) in below(self.supervisor.as_raw(), &all()) {
            signal_one(process.pid, Signal::SIGKILL);
        }
        self.chase(|tree| tree.iter().map(|(process, _)| process.pid).collect());
    }

    /// Sends SIGKILL to those below this process that `chosen` names, until it names nobody new. What forks and ends all the time is
    /// gone before a signal that follows a look at all processes; one that follows a glance meets it.
    fn chase(&self, chosen: impl Fn(&[(Process, Option<usize>)]) -> Vec<i32>) {
        let (begin, root) = (boot_now(), self.supervisor.as_raw());
        let mut killed = BTreeSet::new();
        while boot_now().since(begin) < LONGEST_CHASE {
            let new = chosen(&below(root, &at_a_glance(root))).into_iter().filter(|pid| killed.insert(*pid));
            let new: Vec<i32> = new.collect();
            if new.is_empty() {
                return;
            }
            new.into_iter().for_each(|pid| signal_one(pid, Signal::SIGKILL));
        }
    }

    /// The body of a child that was waited for, as far as known.
    pub(super) fn owner_of(&self, pid: i32, bodies: &[Kin]) -> Option<Serial> {
        let seen = self.seen.range((pid, 0)..=(pid, u64::MAX)).next().map(|(_, serial)| *serial);
        seen.or_else(|| the_only_one(bodies))
    }

    fn sort(
        &self,
        bodies: &[Kin],
        tree: &[(Process, Option<usize>)],
        tagged: impl Fn(i32) -> Option<Serial>,
    ) -> (Members, Vec<Option<Serial>>) {
        let known = |serial: &Serial| bodies.iter().any(|body| body.serial == *serial);
        let mut owners = Vec::<Option<Serial>>::with_capacity(tree.len());
        for (process, parent) in tree {
            let inherited = parent.and_then(|parent| owners[parent]);
            let by_group = || {
                let led = |body: &&Kin| [process.pid, process.session, process.group].contains(&body.leader.as_raw());
                bodies.iter().find(led).map(|body| body.serial)
            };
            let owner = inherited
                .or_else(|| self.seen.get(&(process.pid, process.started)).copied().filter(known))
                .or_else(by_group)
                .or_else(|| self.sessions.get(&process.session).copied().filter(known))
                .or_else(|| tagged(process.pid).filter(known))
                .or_else(|| the_only_one(bodies));
            owners.push(owner);
        }
        let mut members = Members::new();
        for ((process, _), owner) in tree.iter().zip(&owners) {
            if let (Some(owner), false) = (owner, process.is_zombie) {
                members.entry(*owner).or_default().push(process.pid);
            }
        }
        (members, owners)
    }

    fn tagged(&self, pid: i32) -> Option<Serial> {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let prefix = format!("{BODY_VARIABLE}={}", self.prefix);
        let value = environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(prefix.as_bytes()))?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }
}

/// The body that everything belongs to: the only one, or the newest when no leader lives.
fn the_only_one(bodies: &[Kin]) -> Option<Serial> {
    let all_ended = bodies.iter().all(|body| !body.leader_lives);
    bodies.last().filter(|_| bodies.len() == 1 || all_ended).map(|body| body.serial)
}

/// Whether this process has no child at all, not even one to be waited for: then no body has left anything.
pub(super) fn has_no_child() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags) == Err(Errno::ECHILD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_belonging_tells_whose_a_process_is() {
        let mut family = Family::of(None);
        family.seen.insert((50, 1), 2);
        family.seen.insert((51, 1), 9);
        family.sessions.insert(700, 1);
        let two = [(1, 10), (2, 20)].map(|(serial, leader)| Kin {
            serial,
            leader: Pid::from_raw(leader),
            leader_lives: true,
        });
        let tagged = |pid| (pid == 60).then_some(2).or((pid == 61).then_some(9));
        //   pid  group session  owner
        for (pid, group, session, owner) in [
            (10, 10, 10, Some(1)),
            (30, 20, 99, Some(2)),
            (31, 99, 20, Some(2)),
            (50, 50, 50, Some(2)),
            (51, 51, 51, None),
            (52, 52, 700, Some(1)),
            (60, 60, 60, Some(2)),
            (61, 61, 61, None),
            (62, 62, 62, None),
        ] {
            let process = Process { pid, parent: 1, group, session, started: 1, is_zombie: false };
            let child = Process { pid: 1000, parent: pid, group: 1000, session: 1000, started: 2, is_zombie: false };
            let (members, owners) = family.sort(&two, &[(process, None), (child, Some(0))], tagged);
            assert_eq!(owners, [owner, owner], "pid {pid}");
            assert_eq!(members.into_values().flatten().count(), if owner.is_some() { 2 } else { 0 }, "pid {pid}");
            let (_, owners) = family.sort(&two[1..], &[(process, None)], tagged);
            assert_eq!(owners, [Some(2)], "pid {pid}, when only one body is left");
        }
    }
}
