//! A tick that is told to stop.

use std::process::Child;

use nix::sys::signal::Signal;
use serde_json::json;

use super::sandbox::{Done, Sandbox, signal};

const NOW: &str = "2026-03-02T02:00:05Z";

/// Starts a tick and waits until `count` bodies have entered the ledger.
fn started(sandbox: &Sandbox, count: usize) -> Child {
    let tick = sandbox.start(&format!("run-due -o json --now {NOW}"));
    sandbox.wait("the bodies to run", || sandbox.starts().len() == count);
    tick
}

#[test]
fn a_stop_ends_the_bodies_with_grace_and_records_them_as_interrupted() {
    for (what, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let sandbox = Sandbox::with(
            "pipelines:
  polite: { schedule: '* * * * *', command: 'trap \"echo bye > bye; exit 0\" TERM; ENTER; while :; do sleep 0.02; done' }
  plain: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' }",
        );
        let tick = started(&sandbox, 2);
        signal(&tick, what);
        let report = Done::wait(tick).expect(code).json();
        let failed = report["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 2, "{report}");
        for entry in failed {
            let shown = (&entry["outcome"], &entry["error"], &entry["gave_up"]);
            assert_eq!(shown, (&json!("interrupted"), &json!("stopped: the tick had to end"), &json!(true)));
        }
        assert_eq!((&report["rc"], sandbox.read("bye").as_str()), (&json!(code), "bye\n"));
        assert_eq!(sandbox.left(), [], "{what}");
    }
}

#[test]
fn an_interrupted_run_starts_again_only_where_the_file_says_so() {
    let sandbox = Sandbox::with(
        "pipelines:
  never: { schedule: '* * * * *', command: 'ENTER; test -e go || exec sleep 600' }
  rerun: { schedule: '* * * * *', on_interrupt: rerun, command: 'ENTER; test -e go || exec sleep 600' }
  retry: { schedule: '* * * * *', retry: { max_attempts: 2, delay: 1s }, command: 'ENTER; test -e go || exec sleep 600' }",
    );
    let tick = started(&sandbox, 3);
    signal(&tick, Signal::SIGTERM);
    Done::wait(tick).expect(143);
    sandbox.write("go", "");
    let next = sandbox.tick("2026-03-02T02:00:40Z");
    let mut again: Vec<_> = next["ran"].as_array().unwrap().iter().map(|e| (&e["pipeline"], &e["attempt"])).collect();
    again.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(again, [(&json!("rerun"), &json!(2)), (&json!("retry"), &json!(2))]);
    assert_eq!(sandbox.starts().len(), 5);
}

#[test]
fn a_second_signal_kills_at_once() {
    let sandbox = Sandbox::with(
        "pipelines:
  deaf: { schedule: '* * * * *', kill_grace: 90s, command: 'trap \"echo heard > heard\" TERM; ENTER; while :; do sleep 0.02; done' }",
    );
    let tick = started(&sandbox, 1);
    signal(&tick, Signal::SIGTERM);
    sandbox.wait_for_text("heard", "heard");
    signal(&tick, Signal::SIGINT);
    let report = Done::wait(tick).expect(143).json();
    assert_eq!(report["failed"][0]["outcome"], "interrupted");
    assert_eq!(sandbox.left(), []);
}

#[test]
fn what_is_not_yet_running_when_the_signal_comes_is_left_to_the_next_tick() {
    let sandbox = Sandbox::with(
        "pipelines:
  a: { schedule: '* * * * *', command: 'ENTER; test -e go || exec sleep 600' }
  b: { schedule: '* * * * *', command: 'ENTER; test -e go || exec sleep 600' }",
    );
    let tick = sandbox.start(&format!("run-due -o json --jobs 1 --now {NOW}"));
    sandbox.wait("one to run", || sandbox.starts().len() == 1);
    signal(&tick, Signal::SIGTERM);
    Done::wait(tick).expect(143);
    sandbox.write("go", "");
    let next = sandbox.tick("2026-03-02T02:00:30Z");
    assert_eq!(next["ran"].as_array().unwrap().len(), 1, "{next}");
    assert_eq!(sandbox.starts().len(), 2);
}

#[test]
fn a_run_by_hand_heeds_signals_too() {
    let sandbox = Sandbox::with("pipelines: { one: { command: 'ENTER; exec sleep 600' } }");
    let run = sandbox.start("run one");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    signal(&run, Signal::SIGINT);
    let done = Done::wait(run).expect(130);
    assert!(done.stderr.starts_with("interrupted one@"), "{done:?}");
    assert_eq!(sandbox.left(), []);
}
