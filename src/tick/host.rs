//! This host: who we are, who is gone, and the start marks on its disk.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::Path;

use jiff::SignedDuration;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::env::{Host, StartMark};
use super::output_files::OutputFile;
use super::sweep::MarkFile;
use crate::clock::{Clock, SystemClock};
use crate::executor;
use crate::failpoint::{self, Point};
use crate::occurrence::Token;
use crate::owner::Owner;

/// A lock file is made and locked at once: one that is older than this and not locked is nobody's.
const OLD_HOLD: SignedDuration = SignedDuration::from_hours(1);
/// A mark without an attempt is of one that was forgotten or pruned.
const OLD_MARK: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The machine we run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemHost;

impl SystemHost {
    /// This process, as claims name it.
    pub fn owner(&self) -> Owner {
        let pid = std::process::id();
        Owner {
            id: format!("{:032x}", self.mint()),
            host: host_name(),
            pid,
            started: start_time(pid).unwrap_or(0),
            boot: boot_id(),
            pid_namespace: pid_namespace(),
        }
    }
}

/// This host's name, for people.
pub fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "unknown".into(), |name| name.to_string_lossy().into_owned())
}

impl Host for SystemHost {
    fn mint(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u128::from_ne_bytes(bytes),
            Err(error) => unreachable!("the kernel gives no random numbers: {error}"),
        }
    }

    fn is_gone(&self, owner: &Owner) -> bool {
        let comparable = owner.boot == boot_id() && owner.pid_namespace == pid_namespace();
        comparable && !owner.boot.is_empty() && owner.started != 0 && has_ended(owner.pid, owner.started)
    }

    fn forestall(&self, path: &Path) -> StartMark {
        // A link is made as atomically as a file, is in the way of one, and tells the next who looks that nobody started.
        match symlink("nobody has started this attempt", path) {
            Ok(()) => StartMark::Forestalled,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::symlink_metadata(path) {
                Ok(there) if there.is_symlink() => StartMark::Forestalled,
                Ok(_) => StartMark::Started,
                Err(_) => StartMark::Unknown,
            },
            Err(_) => StartMark::Unknown,
        }
    }

    fn mark_started(&self, path: &Path) -> bool {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::AlreadyExists,
        }
    }

    fn is_held(&self, path: &Path) -> bool {
        // Some network file systems lock only what is open for writing.
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) => return error.kind() != ErrorKind::NotFound,
        };
        match file.try_lock() {
            Err(_) => true,
            Ok(()) => {
                // Its process is gone and will not come back under this name.
                let _ = fs::remove_file(path);
                failpoint::reached(Point::DeadHoldRemoved);
                false
            }
        }
    }

    fn end_leftovers(&self, owner: &Owner) -> usize {
        executor::end_leftovers(&owner.id)
    }

    fn remove_mark(&self, path: &Path) {
        // What is left behind is harmless: it only says that the attempt was started.
        let _ = fs::remove_file(path);
    }

    fn mark_files(&self, folder: &Path) -> Vec<MarkFile> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let (path, name) = (entry.path(), entry.file_name().into_string().ok()?);
            if let Some(token) = Token::parse(&name) {
                return Some(MarkFile::Start(token, path));
            }
            (name.ends_with(".held") && is_older(&path, OLD_HOLD)).then_some(MarkFile::OldHold(path))
        };
        entries.filter_map(file).collect()
    }

    fn is_very_old(&self, mark: &Path) -> bool {
        is_older(mark, OLD_MARK)
    }

    fn make_folder(&self, path: &Path) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn output_files(&self, folder: &Path) -> Vec<OutputFile> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let output = |entry: fs::DirEntry| {
            let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let written_at = data.modified().ok().and_then(|at| jiff::Timestamp::try_from(at).ok())?;
            Some(OutputFile { path: entry.path(), written_at, bytes: data.len() })
        };
        entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".log")).filter_map(output).collect()
    }

    fn remove_output(&self, path: &Path) {
        failpoint::reached(Point::OldOutput);
        if let Err(error) = fs::remove_file(path) {
            tracing::debug!(path = %path.display(), %error, "old output stays");
        }
    }
}

/// Files are dated by the machine, also where a rehearsal has another time.
fn is_older(path: &Path, age: SignedDuration) -> bool {
    let made = fs::symlink_metadata(path).and_then(|data| data.modified());
    let made = made.ok().and_then(|made| jiff::Timestamp::try_from(made).ok());
    made.is_some_and(|made| SystemClock.now().duration_since(made) > age)
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot_as_seen(id.trim(), &fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default())
}

/// The boot as a process sees it. In a time namespace (time_namespaces(7)) with an offset of its own the boot clock and the starts
/// of processes are shifted: they mean nothing outside, as if it were another boot.
fn boot_as_seen(id: &str, offsets: &str) -> String {
    let of_boottime = offsets.lines().find_map(|line| line.trim().strip_prefix("boottime"));
    let shifts: Vec<&str> = of_boottime.unwrap_or_default().split_whitespace().collect();
    if id.is_empty() || shifts.iter().all(|shift| *shift == "0") {
        return id.into();
    }
    format!("{id}+{}", shifts.join("."))
}

fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map(|file| file.ino()).unwrap_or(0)
}

/// Whether the process that had this number and began then has provably ended. What may not be looked at has not.
fn has_ended(pid: u32, started: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    is_over(stat.as_deref(), started, || {
        i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None).err() == Some(Errno::ESRCH))
    })
}

/// As `has_ended`, from what `/proc` shows; processes of others may be hidden there (`hidepid`), not from signals.
fn is_over(stat: Option<&str>, started: u64, nothing_has_the_number: impl FnOnce() -> bool) -> bool {
    stat.map_or_else(nothing_has_the_number, |stat| living_since(stat) != Some(started))
}

/// When a process started, in clock ticks since boot; none where there is no such process, or only its remains.
fn start_time(pid: u32) -> Option<u64> {
    living_since(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The start in a process's `stat`; none where only its remains are there.
fn living_since(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_can_be_compared_is_gone() {
        let here = SystemHost.owner();
        assert!(!SystemHost.is_gone(&here), "ourselves");
        let cases = [
            (Owner { started: here.started + 1, ..here.clone() }, true, "another process has our number"),
            (Owner { pid: 4_194_303, ..here.clone() }, true, "no such process"),
            (Owner { boot: "another".into(), pid: u32::MAX / 2, ..here.clone() }, false, "another boot"),
            (Owner { pid_namespace: 1, pid: u32::MAX / 2, ..here.clone() }, false, "another namespace"),
            (Owner { started: 0, pid: u32::MAX / 2, ..here }, false, "start unknown"),
        ];
        for (owner, gone, what) in cases {
            assert_eq!(SystemHost.is_gone(&owner), gone, "{what}");
        }
    }

    #[test]
    fn a_shifted_boot_clock_is_that_of_another_boot() {
        for (offsets, seen) in [
            ("", "id"),
            ("monotonic           0         0\nboottime            0         0\n", "id"),
            ("monotonic           5         0\nboottime            0         0\n", "id"),
            ("monotonic           0         0\nboottime       100000         0\n", "id+100000.0"),
            ("monotonic           0         0\nboottime           -1 500000000\n", "id+-1.500000000"),
        ] {
            assert_eq!(boot_as_seen("id", offsets), seen, "{offsets}");
            assert_eq!(boot_as_seen("", offsets), "", "{offsets}");
        }
    }

    #[test]
    fn a_process_that_is_hidden_is_not_over() {
        let of = |state: &str| format!("7 (a) b) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0");
        for (stat, nobody, over, what) in [
            (Some(of("S")), false, false, "it runs"),
            (Some(of("Z")), false, true, "only its remains are there"),
            (Some(of("S").replace("4711", "4712")), false, true, "another process has its number"),
            (None, false, false, "/proc does not show it, signals would reach it"),
            (None, true, true, "nobody has its number"),
        ] {
            assert_eq!(is_over(stat.as_deref(), 4711, || nobody), over, "{what}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(SystemHost.is_held(&file.join("a.held")), "no folder, so nothing is known of what is in it");
    }

    #[test]
    fn a_mark_can_be_forestalled_once_and_tells_what_it_knows() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("marks").join("a");
        // The folder is made before the first claim: one that is not there was moved or removed, and proves nothing.
        assert_eq!(SystemHost.forestall(&mark), StartMark::Unknown);
        SystemHost.make_folder(mark.parent().unwrap()).unwrap();
        for time in ["first", "again, by another tick or after a commit that failed"] {
            assert_eq!(SystemHost.forestall(&mark), StartMark::Forestalled, "{time}");
        }
        let start = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        assert_eq!(start(&mark).unwrap_err().kind(), ErrorKind::AlreadyExists, "nobody starts it any more");
        let other = mark.with_file_name("b");
        start(&other).unwrap();
        assert_eq!(SystemHost.forestall(&other), StartMark::Started);
        let elsewhere = folder.path().join("elsewhere");
        assert!(SystemHost.mark_started(&elsewhere) && SystemHost.mark_started(&elsewhere));
        assert_eq!(SystemHost.forestall(&elsewhere), StartMark::Started, "what was started by a mark elsewhere");
        let held = mark.with_extension("held");
        assert!(!SystemHost.is_held(&held), "there is none");
        let lock = fs::File::create(&held).unwrap();
        lock.try_lock().unwrap();
        assert!(SystemHost.is_held(&held));
        drop(lock);
        assert!(!SystemHost.is_held(&held));
        assert!(!held.exists(), "a file that nobody holds any more is cleared away");
    }
}
