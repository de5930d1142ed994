//! Many ticks at the same instant.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};

use nix::sys::stat::Mode;

use serde_json::json;

use super::sandbox::{Done, Sandbox, signal};

const CONFIG: &str = "
defaults: { catch_up: all }
pipelines:
  a: { schedule: '* * * * *', command: ENTER }
  b: { schedule: '* * * * *', command: ENTER }
  c: { schedule: '*/2 * * * *', command: ENTER }
  d: { schedule: '* * * * *', command: 'ENTER; exit 1' }
";

/// Starts `count` ticks that wait at a gate, opens it, and returns how they ended.
fn at_once(sandbox: &Sandbox, count: usize, arguments: &[&str]) -> Vec<Done> {
    let gate = sandbox.path("gate");
    nix::unistd::mkfifo(&gate, Mode::S_IRWXU).unwrap();
    let start = |_| -> Child {
        let mut command = Command::new("/bin/sh");
        sandbox.dress(&mut command);
        command.args(["-c", ": < gate; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tickward")]).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ticks: Vec<Child> = (0..count).map(start).collect();
    // Held open until all have passed: a late one finds the gate open.
    let opened = OpenOptions::new().read(true).write(true).open(&gate).unwrap();
    let done = ticks.into_iter().map(Done::wait).collect();
    drop(opened);
    done
}

fn every_occurrence_starts_once(ticks: usize) {
    let sandbox = Sandbox::with(CONFIG);
    let tick = ["run-due", "--now", "2026-03-02T02:00:05Z", "--interval", "5m", "-o", "json"];
    let ended = at_once(&sandbox, ticks, &tick);
    let mut told = BTreeMap::<String, u32>::new();
    for done in &ended {
        assert!(matches!(done.code, 0 | 1), "{done:?}");
        let report = done.json();
        for entry in report["ran"].as_array().unwrap().iter().chain(report["failed"].as_array().unwrap()) {
            *told.entry(entry["run_id"].as_str().unwrap().into()).or_default() += 1;
        }
    }
    // A tick that comes later finds what the others left to it, and nothing else.
    sandbox.run(&tick.join(" "));
    let starts = sandbox.starts();
    let expected: BTreeSet<(String, String)> = ["a", "b", "d"]
        .into_iter()
        .flat_map(|name| [56, 57, 58, 59].map(|minute| (name, format!("2026-03-02T01:{minute}:00Z"))))
        .chain(["a", "b", "c", "d"].map(|name| (name, "2026-03-02T02:00:00Z".to_string())))
        .chain([56, 58].map(|minute| ("c", format!("2026-03-02T01:{minute}:00Z"))))
        .map(|(name, at)| (name.to_string(), at))
        .collect();
    let started: BTreeSet<_> =
        starts.iter().map(|start| (start.pipeline.clone(), start.scheduled_for.clone())).collect();
    assert_eq!(started, expected);
    assert_eq!(starts.len(), expected.len(), "started twice: {starts:?}");
    assert!(starts.iter().all(|start| start.attempt == 1), "{starts:?}");
    assert!(told.values().all(|times| *times == 1), "told twice: {told:?}");
    let mut fences = BTreeMap::<&str, Vec<u64>>::new();
    starts.iter().for_each(|start| fences.entry(&start.pipeline).or_default().push(start.fence));
    for (pipeline, fences) in fences {
        assert!(fences.is_sorted_by(|a, b| a < b), "{pipeline}: fences must grow: {fences:?}");
    }
    assert!(sandbox.attempts().iter().all(|attempt| matches!(&*attempt.3, "succeeded" | "failed")));
    sandbox.assert_nothing_left();
}

#[test]
fn four_ticks_on_a_fresh_store_start_every_occurrence_once() {
    every_occurrence_starts_once(4);
}

#[test]
fn forty_ticks_on_a_fresh_store_start_every_occurrence_once() {
    every_occurrence_starts_once(40);
}

#[test]
fn a_tick_that_still_runs_stops_no_later_tick() {
    let sandbox = Sandbox::with(
        "
pipelines:
  slow: { schedule: '0 2 * * *', command: 'ENTER; until test -e go; do sleep 0.01; done' }
  quick: { schedule: '* * * * *', command: ENTER }
",
    );
    let first = sandbox.start("run-due --now 2026-03-02T02:00:05Z -o json");
    let quick_is_over = || sandbox.attempts().iter().any(|attempt| attempt.0 == "quick" && attempt.3 == "succeeded");
    sandbox.wait("one to run and the other to be over", || sandbox.starts().len() == 2 && quick_is_over());
    let second = sandbox.tick("2026-03-02T02:01:05Z");
    assert_eq!(second["ran"][0]["run_id"], "quick@20260302T020100Z", "{second}");
    sandbox.write("go", "");
    let first = Done::wait(first).expect(0).json();
    assert_eq!(first["ran"].as_array().unwrap().len(), 2);
}

/// The wall clock of a host is set while a body runs: its lease holds by the boot clock, which nobody sets.
#[test]
fn a_step_of_the_wall_clock_ends_no_lease() {
    let sandbox = Sandbox::with(
        "
pipelines:
  slow:
    schedule: '0 2 * * *'
    lease: 30s
    retry: { max_attempts: 3, delay: 0s }
    command: 'ENTER; until test -e go; do sleep 0.01; done'
",
    );
    let first = sandbox.start("run-due --now 2026-03-02T02:00:05Z -o json");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    for now in ["2026-03-02T02:01:05Z", "2036-03-02T01:00:00Z", "2016-03-02T02:00:00Z"] {
        let tick = sandbox.tick(now);
        assert_eq!((&tick["ran"], &tick["failed"]), (&json!([]), &json!([])), "{now}: {tick}");
    }
    sandbox.write("go", "");
    let first = Done::wait(first).expect(0).json();
    assert_eq!((first["ran"].as_array().unwrap().len(), sandbox.starts().len()), (1, 1), "{first}");
}

#[test]
fn one_slow_pipeline_delays_no_other() {
    let sandbox = Sandbox::with(
        "
pipelines:
  slow: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' }
  retried: { schedule: '* * * * *', command: 'ENTER; test $TICKWARD_ATTEMPT = 2', retry: { max_attempts: 2, delay: 0s } }
  quick: { schedule: '* * * * *', command: ENTER }
",
    );
    let tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z -o json");
    let ended = || sandbox.attempts().iter().filter(|attempt| attempt.3 != "running").count();
    sandbox.wait("all others to have ended", || ended() == 3);
    signal(&tick, nix::sys::signal::Signal::SIGTERM);
    Done::wait(tick).expect(143);
    sandbox.assert_nothing_left();
}
