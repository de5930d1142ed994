//! Overlap, order and pauses as whole processes see them, on one SQLite file.

use serde_json::json;

use super::sandbox::{Done, Sandbox, each};

/// Waits for a file before it ends, but for the run of this instant.
const SLOW: &str = "'ENTER; until test -e go; do sleep 0.01; done'";

fn minutely(overlap: &str) -> Sandbox {
    Sandbox::with(&format!(
        "pipelines: {{ one: {{ schedule: '* * * * *', overlap: {overlap}, lease: 3s, kill_grace: 1s, command: {SLOW} }} }}"
    ))
}

#[test]
fn replace_stops_the_run_before_and_starts_after_its_recorded_end() {
    let sandbox = minutely("replace");
    let first = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let waits = sandbox.tick("2026-03-02T02:01:05Z");
    assert_eq!(each(&waits["waiting"], "for"), ["an earlier run"], "{waits}");
    let report = Done::wait(first).json();
    assert_eq!(each(&report["failed"], "outcome"), ["cancelled"], "{report}");
    assert_eq!(sandbox.starts().len(), 1, "nothing starts beside it");
    sandbox.write("go", "");
    assert_eq!(each(&sandbox.tick("2026-03-02T02:01:30Z")["ran"], "run_id"), ["one@20260302T020100Z"]);
    sandbox.assert_nothing_left();
}

#[test]
fn under_queue_the_next_one_starts_after_the_one_before() {
    let sandbox = minutely("queue");
    let first = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:01:05Z")["waiting"], "for"), ["an earlier run"]);
    sandbox.write("go", "");
    Done::wait(first).expect(0);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:01:30Z")["ran"], "run_id"), ["one@20260302T020100Z"]);
}

#[test]
fn under_allow_two_run_side_by_side_and_the_third_waits() {
    let sandbox = minutely("{ policy: allow, max: 2 }");
    let first = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let second = sandbox.start("run-due -o json --now 2026-03-02T02:01:05Z");
    sandbox.wait("both to run", || sandbox.starts().len() == 2);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:02:05Z")["waiting"], "for"), ["an earlier run"]);
    assert_eq!(sandbox.starts().len(), 2);
    sandbox.write("go", "");
    Done::wait(first).expect(0);
    Done::wait(second).expect(0);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:02:30Z")["ran"], "run_id"), ["one@20260302T020200Z"]);
}

#[test]
fn a_chain_runs_in_one_tick_in_its_order() {
    let sandbox = Sandbox::with(
        "
pipelines:
  c: { depends_on: [b], command: ENTER }
  b: { depends_on: [a], command: ENTER }
  a: { schedule: '0 2 * * *', command: ENTER }
",
    );
    let report = sandbox.tick("2026-03-02T02:00:05Z");
    assert_eq!(each(&report["ran"], "pipeline"), ["a", "b", "c"], "{report}");
    assert_eq!(sandbox.starts().iter().map(|start| &*start.pipeline).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(sandbox.tick("2026-03-02T02:01:05Z")["ran"], json!([]));
}

#[test]
fn a_chain_waits_over_ticks_for_what_failed() {
    let sandbox = Sandbox::with(
        "
pipelines:
  b: { schedule: '5 2 * * *', depends_on: [a], command: ENTER }
  a: { schedule: '0 2 * * *', command: 'ENTER; test -e go' }
",
    );
    assert_eq!(each(&sandbox.tick("2026-03-02T02:00:05Z")["failed"], "pipeline"), ["a"]);
    for now in ["2026-03-02T02:05:05Z", "2026-03-02T02:06:05Z"] {
        assert_eq!(each(&sandbox.tick(now)["waiting"], "for"), ["`a` to succeed"], "{now}");
    }
    let status = sandbox.run("why b --now 2026-03-02T02:06:10Z").expect(0).stdout;
    assert!(status.ends_with("The run of 2026-03-02T02:05:00Z waits for `a` to succeed.\n"), "{status}");
    sandbox.write("go", "");
    sandbox.run("retry a --now 2026-03-02T02:06:30Z").expect(0);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:07:05Z")["ran"], "run_id"), ["b@20260302T020500Z"]);
}

#[test]
fn three_ticks_at_once_charge_the_card_once() {
    let sandbox = Sandbox::with("pipelines: { pay: { schedule: '0 2 * * *', command: 'echo charged >> charges' } }");
    let ticks: Vec<_> = (0..3).map(|_| sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z")).collect();
    for tick in ticks {
        Done::wait(tick).expect(0);
    }
    assert_eq!(sandbox.read("charges"), "charged\n");
}
