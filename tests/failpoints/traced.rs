//! The table of failpoints is complete: between any two lasting effects that strace(1) sees, a process comes by one.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::apart::{Life, TICK};
use super::sandbox::Sandbox;
use super::scene::{Scene, Variant};
use super::trace::{Event, events, gaps};

const CALLS: &str = "trace=access,mkdir,mkdirat,openat,creat,link,linkat,symlink,symlinkat,unlink,unlinkat,rename,renameat,renameat2,pwrite64,write,\
                     ftruncate,fsync,fdatasync,clone,clone3,fork,vfork,execve";

/// A tick under strace: what it did, in order.
fn traced(sandbox: &Sandbox, line: &str) -> Vec<Event> {
    let mut known = Vec::new();
    list(&sandbox.state(), &mut known);
    let trace = sandbox.path("trace");
    let mut command = Command::new("strace");
    sandbox.dress(&mut command);
    let options = ["-f", "-y", "-s", "200", "-e", CALLS, "-o"];
    command.args(options).arg(&trace).arg(env!("CARGO_BIN_EXE_tickward")).args(line.split(' '));
    let done = command.env("TICKWARD_FAILPOINT", "trace").output();
    let done = done.unwrap_or_else(|error| panic!("strace is needed here (apt-get install strace): {error}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!said.contains("strace:"), "{said}");
    events(&fs::read_to_string(trace).unwrap(), &known)
}

fn list(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => list(&entry.path(), found),
            false => found.push(entry.path().display().to_string()),
        }
    }
}

fn effects(events: &[Event]) -> Vec<&str> {
    let all = events.iter();
    all.filter_map(|event| match event {
        Event::Effect(effect, _) => Some(effect.as_str()),
        Event::Point(..) => None,
    })
    .collect()
}

/// (what, point that the scene is for, wish of a tick that is killed before, instants, an effect that must be seen)
const ROWS: [(&str, &str, Option<&str>, &str, &str); 8] = [
    ("a first tick", "", None, "02:00:05", "commit by the journal"),
    ("a tick on a run-log that is there", "", Some("supervisor-gone"), "03:00:05", "commit by the write-ahead log"),
    ("a take-over of what never started", "", Some("claim-won"), "02:00:10", "removed"),
    ("a take-over of what was started", "", Some("leader-reaped=parent"), "02:00:10", "removed"),
    ("a mark that is swept", "", Some("end-committed"), "03:00:05", "removed"),
    ("a program that is not there", "unstarted-mark", None, "02:00:05", "removed"),
    ("a lease that is renewed", "renewal-written", None, "02:00:05", "executed /bin/sh"),
    ("output that is too much to keep", "old-output", None, "02:00:05", "old-"),
];

#[test]
fn between_any_two_lasting_effects_there_is_a_failpoint() {
    let mut wrong = Vec::new();
    for (what, point, before, now, expected) in ROWS {
        let scene = Scene::for_point(Variant::Due, point);
        if let Some(wish) = before {
            scene.start(wish, "02:00:05").wait().unwrap();
        }
        let events = traced(&scene.sandbox, &format!("run-due --now 2026-03-02T{now}Z"));
        let seen = effects(&events);
        assert!(seen.iter().any(|effect| effect.contains(expected)), "{what}: no `{expected}` in {seen:#?}");
        println!("{what}: {} lasting effects, {} failpoints passed", seen.len(), events.len() - seen.len());
        wrong.extend(gaps(&events).into_iter().map(|(before, after)| format!("{what}: `{before}`, then `{after}`")));
        proves_something(what, &events);
    }
    assert!(wrong.is_empty(), "no failpoint between:\n{}", wrong.join("\n"));
}

#[test]
fn so_there_is_where_a_host_has_no_run_log_and_where_it_has_it_again() {
    let life = Life::new();
    life.fail();
    let alone = traced(&life.sandbox, TICK);
    life.mend();
    let again = traced(&life.sandbox, TICK);
    let mut wrong = Vec::new();
    for (what, events, expected) in [("without", alone, "linked "), ("again", again, "removed ")] {
        let seen = effects(&events);
        assert!(seen.iter().any(|effect| effect.contains(expected)), "{what}: no `{expected}` in {seen:#?}");
        println!("{what}: {} lasting effects, {} failpoints passed", seen.len(), events.len() - seen.len());
        wrong.extend(gaps(&events).into_iter().map(|(before, after)| format!("{what}: `{before}`, then `{after}`")));
        proves_something(what, &events);
    }
    assert!(wrong.is_empty(), "no failpoint between:\n{}", wrong.join("\n"));
}

/// Without the failpoints of the trace, the check must find nearly every pair of effects.
fn proves_something(what: &str, events: &[Event]) {
    let bare: Vec<_> = events.iter().filter(|event| matches!(event, Event::Effect(..))).cloned().collect();
    assert!(gaps(&bare).len() > bare.len() / 2, "{what}: {bare:#?}");
    let without = |name: &str| -> Vec<_> {
        let is_named = |event: &&Event| matches!(event, Event::Point(point, _) if point == name);
        events.iter().filter(|event| !is_named(event)).cloned().collect()
    };
    if what == "a first tick" {
        for name in ["run-log-folder", "output-folder"] {
            assert_ne!(gaps(&without(name)), [], "`{name}` could be missing and nobody would see it");
        }
    }
}
