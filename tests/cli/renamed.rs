//! `previously`: what is known under the old name goes on under the new one.

use serde_json::json;

use super::sandbox::{Done, Sandbox, each};

#[test]
fn history_and_place_in_the_schedule_go_over_to_the_new_name() {
    let sandbox = Sandbox::with("pipelines: { old: { schedule: '0 * * * *', catch_up: all, command: ENTER } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.write(
        "tickward.yaml",
        "pipelines: { new: { previously: old, schedule: '0 * * * *', catch_up: all, command: ENTER } }",
    );
    let report = sandbox.tick("2026-03-02T05:00:05Z");
    let expected = ["new@20260302T030000Z", "new@20260302T040000Z", "new@20260302T050000Z"];
    assert_eq!(each(&report["ran"], "run_id"), expected, "nothing is done twice, nothing is left out: {report}");
    let attempts = sandbox.attempts();
    assert!(attempts.len() == 4 && attempts.iter().all(|attempt| attempt.0 == "new"), "{attempts:?}");
    assert_eq!(sandbox.starts().iter().map(|start| start.fence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let status = sandbox.run("status -o json").json();
    assert_eq!(each(&status, "pipeline"), ["new"], "the old name is gone");
    assert_eq!(sandbox.tick("2026-03-02T05:01:05Z")["ran"], json!([]));
}

#[test]
fn a_run_that_was_claimed_under_the_old_name_ends_under_the_new_one() {
    let sandbox = Sandbox::with(
        "pipelines: { old: { schedule: '* * * * *', command: 'ENTER; until test -e go; do sleep 0.01; done' } }",
    );
    let first = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let new = "pipelines: { new: { previously: old, schedule: '* * * * *', command: ENTER } }";
    sandbox.write("new.yaml", new);
    let tick = |now: &str| sandbox.run(&format!("run-due -c new.yaml -o json --now {now}")).expect(0).json();
    assert_eq!(each(&tick("2026-03-02T02:01:05Z")["skipped"], "reason"), ["overlap"]);
    let old = sandbox.tick("2026-03-02T02:01:10Z");
    assert_eq!((&old["ran"], each(&old["skipped"], "reason")), (&json!([]), vec!["paused"]), "{old}");
    sandbox.write("go", "");
    Done::wait(first).expect(0);
    let expected = ("new".to_string(), "2026-03-02T02:00:00Z".to_string(), 1, "succeeded".to_string());
    assert_eq!(sandbox.attempts(), [expected]);
    assert_eq!(each(&tick("2026-03-02T02:02:05Z")["ran"], "run_id"), ["new@20260302T020200Z"]);
}

#[test]
fn two_ticks_at_once_carry_over_once() {
    let sandbox = Sandbox::with("pipelines: { old: { schedule: '0 * * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.write("tickward.yaml", "pipelines: { new: { previously: old, schedule: '0 * * * *', command: ENTER } }");
    let ticks: Vec<_> = (0..4).map(|_| sandbox.start("run-due -o json --now 2026-03-02T03:00:05Z")).collect();
    for tick in ticks {
        Done::wait(tick).expect(0);
    }
    let starts: Vec<_> = sandbox.starts().into_iter().map(|start| (start.pipeline, start.fence)).collect();
    assert_eq!(starts, [("old".to_string(), 1), ("new".to_string(), 2)]);
}

#[test]
fn a_name_that_is_in_use_is_not_given_up() {
    let sandbox = Sandbox::with(
        "
pipelines:
  old: { schedule: '0 * * * *', command: ENTER }
  new: { previously: old, schedule: '0 * * * *', command: ENTER }
",
    );
    let done = sandbox.run("run-due -o json --only old --now 2026-03-02T02:00:05Z").expect(3);
    assert!(done.stderr.contains("`previously`: a pipeline is still called `old`"), "{done:?}");
    assert_eq!(sandbox.starts().len(), 1);
}
