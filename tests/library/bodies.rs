//! What is promised of commands holds for bodies that are Rust.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::sandbox::{Done, Sandbox, Test};

pub const TESTS: &[Test] = &[
    ("a_body_knows_its_attempt_and_its_output_is_kept", context),
    ("a_body_ends_as_it_says", outcomes),
    ("a_failed_body_is_tried_again_in_the_same_tick", again),
    ("a_body_that_hangs_is_ended_with_all_that_it_started", hangs),
    ("a_body_leaves_no_thread_to_wait_for", leaves),
    ("a_body_in_another_namespace_is_found", namespace),
    ("what_a_body_prints_is_no_result", prints),
    ("texts_of_a_program_hold_no_variables", literal),
    ("a_registry_reads_its_environment_only_where_there_is_one", environment),
    ("a_body_of_a_detached_tick_is_recorded", detached),
    ("a_body_called_by_hand_is_refused", by_hand),
];

const NOW: &str = "2026-03-02T01:00:20Z";

fn run(sandbox: &Sandbox, name: &str) -> Done {
    sandbox.call(&["run", name, "--now", NOW, "-o", "json"])
}

fn context() {
    let sandbox = Sandbox::of("bodies");
    let done = sandbox.call(&["run", "context", "--now", NOW, "-o", "json", "--", "a b", "c"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let at = done.json()["scheduled_for"].as_str().unwrap().to_owned();
    let logs = sandbox.call(&["logs", "context"]).stdout;
    let lines: Vec<&str> = logs.lines().collect();
    assert!(lines[0].starts_with(&format!("context {at} context@")), "{logs}");
    assert_eq!(lines[1..], ["1/1 Manual false", "1 true [\"a b\", \"c\"]", "2026-03-02", "on standard error"]);
    let history = sandbox.call(&["history", "context", "-o", "json"]).stdout.replace([' ', '\n'], "");
    assert!(history.contains(r#""results":{"rows":7}"#), "{history}");
}

fn outcomes() {
    let sandbox = Sandbox::of("bodies");
    for (name, exit, outcome, code, log) in [
        ("partial", 0, "partial", 10, ""),
        ("error", 1, "failed", 1, "error: no prices today\n  because: the mirror is down\n"),
        ("text", 1, "failed", 1, "error: in a word\n"),
        ("fatal", 1, "failed", 11, "error: no such table\n"),
        ("fatal_error", 1, "failed", 11, "error: no such table\n"),
    ] {
        let done = run(&sandbox, name);
        let told = done.json();
        let told = (done.code, told["outcome"].as_str(), told["exit_code"].as_i64());
        assert_eq!(told, (exit, Some(outcome), Some(code)), "{name}: {}{}", done.stdout, done.stderr);
        assert_eq!(sandbox.call(&["logs", name]).stdout, log, "{name}");
    }
    let done = run(&sandbox, "panic");
    assert_eq!((done.code, done.json()["exit_code"].as_i64()), (1, Some(101)), "{}", done.stdout);
    assert!(sandbox.call(&["logs", "panic"]).stdout.contains("the body fell over"));
}

fn again() {
    let sandbox = Sandbox::of("bodies");
    let done = run(&sandbox, "again");
    let told = done.json();
    assert_eq!((done.code, told["attempt"].as_i64()), (0, Some(2)), "{}{}", done.stdout, done.stderr);
}

fn hangs() {
    let sandbox = Sandbox::of("bodies");
    let done = run(&sandbox, "hangs");
    assert_eq!((done.code, done.json()["outcome"].as_str()), (124, Some("timed_out")), "{}", done.stdout);
    let grandchild = sandbox.read("grandchild");
    assert!(!grandchild.is_empty() && !Path::new(&format!("/proc/{grandchild}")).exists(), "{grandchild}");
}

fn leaves() {
    let sandbox = Sandbox::of("bodies");
    let begun = Instant::now();
    let done = run(&sandbox, "leaves");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(begun.elapsed() < Duration::from_secs(300));
}

fn namespace() {
    let sandbox = Sandbox::of("bodies");
    let done = sandbox.call(&["run-due", "--now", "2026-03-02T01:00:20Z"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(sandbox.call(&["logs", "other:team"]).stdout, "other:team\n");
}

fn prints() {
    let sandbox = Sandbox::of("bodies");
    let done = run(&sandbox, "prints");
    assert_eq!((done.code, done.json()["outcome"].as_str()), (0, Some("succeeded")), "{}", done.stdout);
    let history = sandbox.call(&["history", "prints", "-o", "json"]).stdout;
    assert!(!history.contains("\"rows\""), "{history}");
}

fn literal() {
    let sandbox = Sandbox::of("bodies");
    for (name, printed) in [("dollar", "none /bin/sh\n"), ("argv", "${HOME} $${X}\n")] {
        let done = run(&sandbox, name);
        assert_eq!(done.code, 0, "{name}: {}{}", done.stdout, done.stderr);
        assert_eq!(sandbox.call(&["logs", name]).stdout, printed, "{name}");
    }
}

/// The supervisor has no environment: a program must not build its registry there.
fn environment() {
    let sandbox = Sandbox::of("needy");
    let mut command = sandbox.command(&["run", "needy"]);
    let done = Done::of(command.env("NEEDED", "1").output().unwrap());
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}

fn detached() {
    let sandbox = Sandbox::of("bodies");
    let done = sandbox.call(&["run-due", "--detach", "--now", NOW]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let until = Instant::now() + Duration::from_secs(60);
    while !sandbox.call(&["history", "-o", "json"]).stdout.contains("\"succeeded\"") {
        assert!(Instant::now() < until, "waited in vain for the outcome");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(sandbox.call(&["logs", "other:team"]).stdout, "other:team\n");
}

fn by_hand() {
    let sandbox = Sandbox::of("bodies");
    for (name, said) in [
        ("partial", "error: `TICKWARD_PIPELINE` is not as a tick gives it: a tick starts this\n"),
        ("nobody", "error: this program has no body for `default:nobody`\n"),
        ("argv", "error: this program has no body for `default:argv`\n"),
    ] {
        let done = sandbox.call(&["__body", "default", name]);
        assert_eq!((done.code, done.stderr.as_str()), (2, said));
    }
}
