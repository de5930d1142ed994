//! Neither run-log nor spool: the disk is full, read-only, or there is none. What is due runs, and what came of it is said.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::degraded::{DAILY, GARBAGE, TICK, broken, host, mend};
use super::sandbox::{Done, Sandbox};

/// There is no spool, and was none.
#[test]
fn a_state_folder_that_cannot_be_hinders_no_run_log() {
    let sandbox = Sandbox::with(DAILY);
    let nowhere = [("XDG_STATE_HOME", "/dev/null"), ("HOME", "/dev/null")];
    for starts in [1, 1] {
        let done = sandbox.call_with(&["run-due", "--interval", "86400", "--run-log-url", "a.db"], &nowhere);
        assert_eq!((done.code, sandbox.starts().len()), (0, starts), "{done:?}");
    }
}

#[test]
fn without_any_disk_it_runs_and_each_outcome_is_a_line_that_can_be_imported() {
    let sandbox = broken(DAILY, GARBAGE);
    let done = sandbox.call_with(
        &["run-due", "--interval", "86400", "--run-log-url", "/proc/nowhere/runs.db"],
        &[("TICKWARD_STATE_DIR", "/proc/nowhere")],
    );
    let done = done.expect(0);
    assert!(done.stderr.contains("claims are kept in memory only"), "{done:?}");
    assert_eq!(sandbox.starts().len(), 1);
    mend(&sandbox);
    fs::write(sandbox.path("lines"), &done.stderr).unwrap();
    for told in ["recorded  1 from `lines`\n", "recorded  0 from `lines`; known already: 1\n"] {
        let taken = sandbox.run("spool import lines").expect(0);
        assert!(taken.stderr.starts_with(told), "{told}: {taken:?}");
    }
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1));
    let none = sandbox.run("spool import tickward.yaml").expect(2);
    assert!(none.stderr.starts_with("error: `tickward.yaml` has no line of a spool\nhelp: "), "{none:?}");
}

/// A small disk of its own at this path, as long as the value lives; none where that is not allowed.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&path).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&path).output();
        done.is_ok_and(|done| done.status.success()).then_some(Disk(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_is_no_reason_not_to_run() {
    for what in ["full", "read-only"] {
        let sandbox = Sandbox::with(DAILY);
        let Some(disk) = Disk::mount(sandbox.state()) else {
            eprintln!("skipped: nobody but root may mount a disk");
            return;
        };
        if what == "full" {
            let _ = fs::write(disk.0.join("fill"), vec![0; 1 << 20]);
        } else {
            sandbox.run("run-due --interval 0").expect(0);
            let again = ["-o", "remount,ro"];
            assert!(Command::new("mount").args(again).arg(&disk.0).status().unwrap().success());
        }
        let done = sandbox.run(&format!("{TICK} --alerter stdout://")).expect(0);
        // What the mirror on a disk that can be read says is decided stays so.
        let starts = if what == "full" { 1 } else { 0 };
        assert_eq!(
            (sandbox.starts().len(), &done.json()["tick"]["degraded"]),
            (starts, &json!(true)),
            "{what}: {done:?}"
        );
        assert!(done.stderr.contains("claims are kept in memory only"), "{what}: {done:?}");
        let lost = "the outcome of p@";
        assert_eq!(done.stderr.matches(lost).count(), 2 * starts, "{what}: a warning and an alert: {done:?}");
        assert_eq!(done.stderr.matches("could not be kept: it may run again").count(), 2 * starts, "{what}: {done:?}");
        assert_eq!(
            done.stderr.lines().filter(|line| line.starts_with("{\"tickward_spool\"")).count(),
            starts,
            "{what}"
        );
        if what == "read-only" {
            for look in ["status", "history p", "why p", "alert list", "run-due --dry-run", "run-log show p"] {
                let looked = sandbox.run(look).expect(0);
                assert!(!looked.stderr.contains("error"), "{look}: {looked:?}");
            }
            let pause = sandbox.run("pause p").expect(4);
            assert!(pause.stderr.contains("cannot be opened: Read-only file system"), "{pause:?}");
            assert!(!pause.stderr.contains("help: ticks"), "they keep nothing: {pause:?}");
            let doctor = sandbox.run("doctor").stdout;
            assert!(doctor.contains("run_log.db` lies on a disk that is read-only"), "{doctor}");
        }
    }
}

#[test]
fn where_nothing_can_be_remembered_what_a_tick_before_may_have_run_is_left_alone() {
    let sandbox = Sandbox::with(DAILY);
    let Some(disk) = Disk::mount(sandbox.state()) else {
        eprintln!("skipped: nobody but root may mount a disk");
        return;
    };
    sandbox.run("run-due --interval 0").expect(0);
    let mirror = host(&sandbox).join("mirror.json");
    let text = fs::read_to_string(&mirror).unwrap();
    let (digest, rows) = text.split_once('\n').unwrap();
    let mut rows: Value = serde_json::from_str(rows).unwrap();
    rows[0]["cursor"] = json!("2026-01-01T00:00:00Z");
    (rows[0]["schedules"][0]["cursor"], rows[0]["schedules"][0]["since"]) = (json!(0), json!(0));
    fs::write(&mirror, format!("{digest}\n{rows}")).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().unwrap().success());
    // As if the run-log had failed just before midnight, and a tick after it had run what was due then.
    sandbox.run("run-due --interval 0").expect(0);
    assert_eq!(sandbox.starts().len(), 0);
    sandbox.run("run-due --interval 86400").expect(0);
    assert_eq!(sandbox.starts().len(), 1, "but what falls into the interval");
}

#[test]
fn an_outcome_that_neither_the_run_log_nor_a_spool_takes_is_said_to_be_lost() {
    let body = "ENTER; while [ ! -e go ]; do sleep 0.05; done";
    let sandbox = Sandbox::with(&format!("pipelines: {{ p: {{ schedule: '@daily', command: '{body}' }} }}"));
    let Some(disk) = Disk::mount(sandbox.state()) else {
        eprintln!("skipped: nobody but root may mount a disk");
        return;
    };
    let tick = sandbox.start(&format!("{TICK} --alerter stdout://"));
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let _ = fs::write(disk.0.join("fill"), vec![0; 1 << 20]);
    fs::write(sandbox.path("go"), "").unwrap();
    let done = Done::wait(tick).expect(4);
    assert!(!done.stderr.contains("wait in the spool"), "{done:?}");
    for told in ["warning: the outcome of p@", "alert: degraded: tick on ", "help: there was no place for a spool"] {
        let line =
            done.stderr.lines().find(|line| line.starts_with(told)).unwrap_or_else(|| panic!("{told}: {done:?}"));
        assert!(line.contains("could not be kept: it may run again") || told.starts_with("help"), "{line}");
    }
    fs::remove_file(disk.0.join("fill")).unwrap();
    sandbox.write("lines", &done.stderr);
    assert!(sandbox.run("spool import lines").expect(0).stderr.starts_with("recorded  1 from"));
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts()[0].3.as_str()), (1, "succeeded"));
}
