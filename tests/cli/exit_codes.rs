//! The exit codes of `run-due`, which of them wins, and the object that `-o json` prints.

use serde_json::json;

use super::sandbox::{Done, Sandbox, keys, signal};

const NOW: &str = "2026-03-02T02:00:05Z";
const GOOD: &str = "  good: { schedule: '* * * * *', command: 'echo on stdout; echo on stderr >&2' }\n";
const FAILS: &str = "  fails: { schedule: '* * * * *', command: 'echo on stdout; exit 1' }\n";
const HANGS: &str = "  hangs: { schedule: '* * * * *', command: 'exec sleep 600' }\n";
const BROKEN: &str = "  broken: { schedule: '61 * * * *', command: x }\n";

#[test]
fn each_code_means_what_the_table_says() {
    for (what, pipelines, arguments, code) in [
        ("nothing failed", GOOD.to_string(), "", 0),
        ("nothing due", "  never: { command: 'exit 1' }\n".into(), "", 0),
        ("a pipeline failed", [GOOD, FAILS].concat(), "", 1),
        ("wrong arguments", GOOD.into(), "--nonsense", 2),
        ("a wrong instant", GOOD.into(), "--now yesterday", 2),
        ("an address that is no good", GOOD.into(), "--run-log-url nonsense://x", 2),
        ("no usable configuration", BROKEN.into(), "", 2),
        ("part of it is invalid", [GOOD, BROKEN].concat(), "", 3),
        ("no run-log", GOOD.into(), "--run-log-url /proc/nowhere/runs.db", 4),
        ("time budget over", [GOOD, HANGS].concat(), "--time-budget 1s", 124),
        ("failure beats invalid", [FAILS, BROKEN].concat(), "", 1),
        ("time budget beats failure", [FAILS, HANGS, BROKEN].concat(), "--time-budget 1s", 124),
        ("run-log beats invalid", [GOOD, BROKEN].concat(), "--run-log-url /proc/nowhere/runs.db", 4),
    ] {
        let sandbox = Sandbox::with(&format!("pipelines:\n{pipelines}"));
        let done = sandbox.run(&format!("run-due --now {NOW} {arguments}"));
        assert_eq!(done.code, code, "{what}: {done:?}");
        assert_eq!(done.stdout, "", "{what}: the text form prints nothing on standard output");
        assert_eq!(sandbox.left(), [], "{what}");
    }
}

#[test]
fn a_signal_beats_failure_and_time() {
    let sandbox = Sandbox::with(&format!(
        "pipelines:\n{FAILS}{BROKEN}  one: {{ schedule: '* * * * *', command: 'ENTER; exec sleep 600' }}"
    ));
    let tick = sandbox.start(&format!("run-due --now {NOW} --time-budget 10m -o json"));
    sandbox.wait("one to run", || sandbox.starts().len() == 1);
    signal(&tick, nix::sys::signal::Signal::SIGTERM);
    assert_eq!(Done::wait(tick).expect(143).json()["rc"], 143);
}

#[test]
fn no_configuration_at_all_is_said_with_the_places_looked_at() {
    let sandbox = Sandbox::new();
    let done = sandbox.run("run-due").expect(2);
    let home = sandbox.work().parent().unwrap().join("home/.config/tickward");
    let expected = format!(
        "error: no configuration found\n\
         help: name one with `--config`; looked for `tickward.yaml`, `tickward.yml`, `{}`, `/etc/tickward`\n",
        home.display()
    );
    assert_eq!(done.stderr, expected);
    let missing = sandbox.run("run-due -c nowhere.yaml").expect(2);
    assert!(missing.stderr.starts_with("error: cannot read `nowhere.yaml`, named by `--config`"), "{missing:?}");
}

#[test]
fn the_json_form_is_one_object_with_the_documented_keys() {
    let sandbox = Sandbox::with(&format!(
        "pipelines:\n{GOOD}{FAILS}  again: {{ schedule: '0 * * * *', command: 'exit 1', retry: {{ max_attempts: 2, delay: 5m }} }}\n"
    ));
    let started = sandbox.run("run-due --now 2026-03-01T23:30:30Z -o json").json();
    assert_eq!(started["claimed_elsewhere"], 0);
    let done = sandbox.run(&format!("run-due --now {NOW} -o json")).expect(1);
    let report = done.json();
    let expected = ["tick", "ran", "failed", "skipped", "missed", "waiting", "started", "claimed_elsewhere", "rc"];
    assert_eq!(keys(&report), expected);
    assert_eq!(keys(&report["tick"]), ["id", "started_at", "ended_at", "host", "degraded", "gap_seconds"]);
    let ran = ["pipeline", "scheduled_for", "attempt", "outcome", "exit_code", "duration_ms", "run_id"];
    assert_eq!(keys(&report["ran"][0]), ran);
    for key in ["pipeline", "scheduled_for", "attempt", "error", "exit_code", "gave_up", "next_attempt_at"] {
        assert!(keys(&report["failed"][0]).contains(&key), "{key}");
    }
    assert_eq!(keys(&report["missed"][0]), ["pipeline", "from", "to", "count", "at_least"]);
    let waiting = sandbox.run("run-due --now 2026-03-02T02:00:30Z -o json").json();
    assert_eq!(keys(&waiting["waiting"][0]), ["pipeline", "scheduled_for", "for"]);
    assert_eq!(waiting["waiting"][0]["pipeline"], "again");
    let later = sandbox.run("run-due --now 2026-03-02T03:00:30Z -o json").json();
    let skipped = json!({ "pipeline": "again", "scheduled_for": "2026-03-02T02:00:00Z", "reason": "superseded" });
    assert_eq!(later["skipped"][0], skipped);
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains("on stderr"), "what a success prints is not repeated: {text}");
    }
    assert!(!done.stdout.contains("on stdout"));
}

#[test]
fn an_idle_tick_prints_nothing_and_a_busy_one_a_line_for_each_end() {
    let sandbox = Sandbox::with(&format!("pipelines:\n{GOOD}"));
    let busy = sandbox.run(&format!("run-due --now {NOW}")).expect(0);
    assert_eq!(busy.stdout, "");
    assert!(busy.stderr.starts_with("succeeded good@20260302T020000Z in "), "{busy:?}");
    assert_eq!(busy.stderr.lines().count(), 1);
    let idle = sandbox.run(&format!("run-due --now {NOW}")).expect(0);
    assert_eq!((idle.stdout, idle.stderr), (String::new(), String::new()));
}

#[test]
fn a_run_log_of_a_newer_program_or_no_run_log_at_all_is_refused_in_words() {
    let sandbox = Sandbox::with(&format!("pipelines:\n{GOOD}"));
    sandbox.write("text.db", &"this is no database\n".repeat(100));
    let refused = sandbox.run(&format!("run-due --now {NOW} --run-log-url sqlite:text.db")).expect(4);
    assert!(refused.stderr.starts_with("error: the run-log `text.db` is damaged or no SQLite file"), "{refused:?}");
    assert!(sandbox.read("text.db").starts_with("this is no database"), "it is left as it is");
    let folder = sandbox.run(&format!("run-due --now {NOW} --run-log-url sqlite:.")).expect(4);
    assert_eq!(folder.stderr, "error: the run-log `.` is a folder, not a file\n");
}

#[test]
fn what_was_done_counts_where_nobody_can_be_told() {
    let sandbox = Sandbox::with(&format!("pipelines:\n{FAILS}"));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = sandbox.command(&["run-due", "-o", "json", "--now", NOW]);
    let done = Done::of(command.stdout(full).output().unwrap()).expect(1);
    assert!(done.stderr.contains("error: standard output cannot be written: No space left on device"), "{done:?}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(&["run", "fails", "-o", "json", "--now", NOW]);
    let done = Done::of(command.stdout(writer).output().unwrap()).expect(1);
    assert!(!done.stderr.contains("standard output"), "a reader that has gone away is no error: {done:?}");
}
