//! `run-due --detach`: the tick ends at once, its runs go on and are recorded.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::sandbox::{Done, Sandbox};

const LONG: &str = "
pipelines:
  long:
    schedule: '* * * * *'
    command: 'ENTER; setsid sleep 600 & while ! test -e go; do sleep 0.02; done; echo done; kill $!'
  idle: { schedule: '0 0 1 1 *', command: ENTER }
";
const NOW: &str = "2026-03-02T01:00:20Z";

fn detached(sandbox: &Sandbox) -> Done {
    sandbox.run(&format!("run-due --detach -o json --now {NOW}"))
}

fn worker_of(told: &Value) -> Pid {
    Pid::from_raw(i32::try_from(told["started"][0]["worker"].as_i64().unwrap()).unwrap())
}

fn state(sandbox: &Sandbox) -> Vec<String> {
    sandbox.attempts().into_iter().map(|(_, _, _, state)| state).collect()
}

#[test]
fn the_tick_ends_while_its_run_goes_on_and_is_recorded() {
    let sandbox = Sandbox::with(LONG);
    // The run cannot end before the tick has: the file it waits for is not there yet.
    let begun = Instant::now();
    let done = detached(&sandbox);
    let took = begun.elapsed();
    let told = done.json();
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert_eq!(told["started"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["started"][0]["pipeline"], "long");
    assert_eq!(told["started"][0]["scheduled_for"], "2026-03-02T01:00:00Z");
    assert_eq!(told["ran"], serde_json::json!([]));
    println!("the tick took {took:?}");
    assert_eq!(state(&sandbox), ["running"]);
    // Another tick meanwhile starts nothing twice.
    assert_eq!(detached(&sandbox).json()["started"], serde_json::json!([]));
    sandbox.write("go", "");
    sandbox.wait("the outcome", || state(&sandbox) == ["succeeded"]);
    assert_eq!(sandbox.run("logs long").stdout, "done\n");
    assert_eq!(sandbox.starts().len(), 1);
    sandbox.assert_nothing_left();
}

#[test]
fn an_idle_tick_prints_nothing_and_leaves_nothing() {
    let sandbox = Sandbox::with("pipelines: { idle: { schedule: '0 0 1 1 *', command: ENTER } }");
    let done = sandbox.run(&format!("run-due --detach --now {NOW}"));
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""));
    sandbox.assert_nothing_left();
}

#[test]
fn a_killed_worker_is_lost_and_leaves_no_child() {
    let sandbox = Sandbox::with(LONG);
    let told = detached(&sandbox).json();
    sandbox.wait("the start", || sandbox.starts().len() == 1);
    kill(worker_of(&told), Signal::SIGKILL).unwrap();
    sandbox.assert_nothing_left();
    let next = sandbox.tick("2026-03-02T01:00:50Z");
    assert_eq!(next["failed"][0]["outcome"], "lost", "{next}");
    assert_eq!(next["started"], serde_json::json!([]));
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_worker_that_is_told_to_stop_records_that() {
    let sandbox = Sandbox::with(LONG);
    let told = detached(&sandbox).json();
    sandbox.wait("the start", || sandbox.starts().len() == 1);
    kill(worker_of(&told), Signal::SIGTERM).unwrap();
    sandbox.wait("the outcome", || state(&sandbox) == ["interrupted"]);
    sandbox.assert_nothing_left();
}

/// However early the worker is killed, what it had claimed is taken over, and nothing starts twice.
#[test]
fn a_worker_killed_at_any_moment_starts_nothing_twice() {
    for round in 0..8_u64 {
        let sandbox = Sandbox::with(LONG);
        let mut caller = sandbox.start(&format!("run-due --detach -o json --now {NOW}"));
        let worker = || sandbox.left().into_iter().find(|(_, line)| line.contains("--detached"));
        let mut found = None;
        while found.is_none() && caller.try_wait().unwrap().is_none() {
            found = worker();
        }
        let until = Instant::now() + Duration::from_millis(12 * round);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        if let Some((pid, _)) = found.or_else(worker) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        caller.wait().unwrap();
        sandbox.assert_nothing_left();
        sandbox.write("go", "");
        let last = sandbox.tick("2026-03-02T01:00:50Z");
        assert!(sandbox.starts().len() <= 1, "round {round}: {:?} {last}", sandbox.starts());
        let states = state(&sandbox);
        let ends = states.iter().filter(|state| ["succeeded", "lost"].contains(&state.as_str())).count();
        assert_eq!(ends, 1, "round {round}: {states:?} {last}");
    }
}

#[test]
fn what_the_configuration_and_the_run_log_refuse_is_told_by_the_caller() {
    let sandbox = Sandbox::with("pipelines: { a: { schedule: '* * * * *', command: ENTER }, b: { schedule: x } }");
    let done = detached(&sandbox);
    assert_eq!((done.code, done.json()["started"].as_array().unwrap().len()), (3, 1), "{}", done.stderr);
    assert!(done.stderr.contains("pipeline `b`"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("pipeline `b`: no `command`").count(), 1, "{}", done.stderr);
    sandbox.assert_nothing_left();
    sandbox.write("no.db", "this is no database, however long it may be: SQLite will say so when it looks at it");
    let done = sandbox.run("run-due --detach -o json --on-run-log-error skip --run-log-url no.db");
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stderr.contains("error: ") && done.json()["rc"] == 4, "{}{}", done.stdout, done.stderr);
}

#[test]
fn detaching_is_refused_where_nothing_outlives_the_caller() {
    let sandbox = Sandbox::with(LONG);
    for (variable, word) in
        [("KUBERNETES_SERVICE_HOST", "in a pod"), ("TICKWARD_BODY", "in the body"), ("INVOCATION_ID", "systemd-run")]
    {
        let done = sandbox.call_with(&["run-due", "--detach"], &[(variable, "x"), ("PATH", "/nowhere")]);
        assert_eq!(done.code, 2, "{variable}");
        assert!(done.stderr.contains(word) && done.stderr.contains("help: leave `--detach` out"), "{}", done.stderr);
    }
    let done = sandbox.run("run-due --detach -c -");
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert_eq!(sandbox.starts(), []);
}

#[test]
fn in_a_unit_of_systemd_the_worker_gets_a_scope() {
    let sandbox = Sandbox::with(LONG);
    let script = "#!/bin/sh\necho \"$@\" > asked\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n";
    sandbox.write("systemd-run", script);
    std::fs::set_permissions(sandbox.path("systemd-run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", sandbox.work().display());
    let arguments = ["run-due", "--detach", "-o", "json", "--now", NOW];
    let done = sandbox.call_with(&arguments, &[("INVOCATION_ID", "x"), ("PATH", &path)]);
    assert_eq!(done.json()["started"][0]["pipeline"], "long", "{}", done.stderr);
    assert!(sandbox.read("asked").starts_with("--scope --quiet --collect"), "{}", sandbox.read("asked"));
    sandbox.write("go", "");
    sandbox.wait("the outcome", || state(&sandbox) == ["succeeded"]);
}

#[test]
fn without_the_run_log_the_caller_hears_so_and_what_is_left_out() {
    let sandbox = Sandbox::with(
        "pipelines:\n  a: { schedule: '@daily', command: ENTER }\n  \
         k: { schedule: '@daily', on_run_log_error: skip, command: ENTER }\n",
    );
    std::fs::create_dir_all(sandbox.state().join("run_log.db")).unwrap();
    let done = sandbox.run("run-due --detach --interval 86400 -o json").expect(4);
    let report = done.json();
    assert_eq!((&report["tick"]["degraded"], &report["rc"]), (&true.into(), &4.into()), "{done:?}");
    assert_eq!(report["skipped"][0]["reason"], "run_log_error", "{done:?}");
    assert_eq!((&report["skipped"][0]["pipeline"], &report["started"][0]["pipeline"]), (&"k".into(), &"a".into()));
    let text = sandbox.run("run-due --detach --interval 86400").expect(4).stderr;
    let skipped =
        format!("skipped   k of {} (run_log_error)\n", report["skipped"][0]["scheduled_for"].as_str().unwrap());
    assert!(text.contains(&skipped), "{text}");
    sandbox.assert_nothing_left();
}
