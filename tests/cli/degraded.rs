//! While the run-log cannot be used: each host goes on by itself, once, and the run-log hears of it.
//!
//! `@daily` with an interval of a day is due exactly once, whatever time it is.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::sandbox::{Done, Sandbox, keys, signal};

pub(super) const DAILY: &str =
    "pipelines: { p: { schedule: '@daily', command: 'ENTER; echo $TICKWARD_DEGRADED >> told' } }";
pub(super) const TICK: &str = "run-due --interval 86400 -o json";

/// A sandbox whose run-log cannot be used: this lies in its place.
pub(super) fn broken(config: &str, bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::with(config);
    fs::create_dir_all(sandbox.state()).unwrap();
    fs::write(database(&sandbox), bytes).unwrap();
    sandbox
}

pub(super) fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("run_log.db")
}

pub(super) const GARBAGE: &[u8] = &[b'x'; 5000];

/// Puts the run-log back to what a new one is.
pub(super) fn mend(sandbox: &Sandbox) {
    fs::remove_file(database(sandbox)).unwrap();
    if sandbox.state().join("host").exists() {
        let _ = fs::remove_file(host(sandbox).join("mirror.json"));
    }
}

pub(super) fn waiting(sandbox: &Sandbox) -> Value {
    sandbox.run("spool list -o json").expect(0).json()
}

/// The one folder of this host.
pub(super) fn host(sandbox: &Sandbox) -> PathBuf {
    let mut all = fs::read_dir(sandbox.state().join("host")).unwrap();
    all.next().unwrap().unwrap().path()
}

#[test]
fn what_is_due_runs_once_is_said_and_is_taken_into_the_run_log() {
    let valid = Sandbox::with(DAILY);
    valid.run("run-due --interval 0").expect(0);
    let whole = fs::read(database(&valid)).unwrap();
    for (what, bytes) in [("garbage", GARBAGE), ("a truncated file", &whole[..whole.len() / 2])] {
        let sandbox = broken(DAILY, bytes);
        let done = sandbox.run(TICK).expect(0);
        let report = done.json();
        assert_eq!(keys(&report["tick"])[4], "degraded");
        assert_eq!(report["tick"]["degraded"], true, "{what}: {done:?}");
        assert!(done.stderr.starts_with("warning: the run-log `"), "{what}: {done:?}");
        assert!(done.stderr.contains("several hosts will do so several times"), "{what}: {done:?}");
        assert_eq!((sandbox.starts().len(), sandbox.read("told")), (1, "1\n".into()), "{what}");
        assert_eq!(fs::read(database(&sandbox)).unwrap(), bytes, "{what}: it is left as it is");
        assert_eq!(sandbox.run(TICK).expect(0).json()["ran"], json!([]), "{what}: not again while degraded");
        assert_eq!(waiting(&sandbox)[0]["outcome"], "succeeded", "{what}");
        mend(&sandbox);
        let done = sandbox.run(TICK).expect(0);
        assert_eq!((&done.json()["ran"], &done.json()["tick"]["degraded"]), (&json!([]), &json!(false)), "{what}");
        assert_eq!(done.stderr, "recorded  1 from the spool of this host\n", "{what}");
        assert_eq!((sandbox.starts().len(), waiting(&sandbox)), (1, json!([])), "{what}: nothing runs twice");
        let attempts = sandbox.attempts();
        assert_eq!((attempts.len(), attempts[0].3.as_str()), (1, "succeeded"), "{what}");
        assert_eq!(sandbox.run("history -o json").json()[0]["degraded"], true, "{what}");
        sandbox.run(TICK).expect(0);
        assert_eq!(sandbox.starts().len(), 1, "{what}");
    }
}

/// To open it would wait for whoever has its other end.
#[test]
fn a_pipe_in_the_place_of_the_file_is_waited_for_by_nobody() {
    let sandbox = Sandbox::with(DAILY);
    fs::create_dir_all(sandbox.state()).unwrap();
    nix::unistd::mkfifo(&database(&sandbox), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert!(done.stderr.contains("run_log.db` is no file"), "{done:?}");
    assert_eq!((&done.json()["tick"]["degraded"], sandbox.starts().len()), (&json!(true), 1), "{done:?}");
}

/// By whatever way it is addressed it is one run-log, and its host one host.
#[test]
fn the_spelling_of_the_address_makes_no_other_run_log() {
    let sandbox = Sandbox::with(DAILY);
    fs::write(sandbox.path("a.db"), GARBAGE).unwrap();
    std::os::unix::fs::symlink("a.db", sandbox.path("link.db")).unwrap();
    for address in ["a.db", "./../work/a.db", "link.db", "sqlite:a.db"] {
        sandbox.run(&format!("{TICK} --run-log-url {address}")).expect(0);
        assert_eq!(sandbox.starts().len(), 1, "{address}");
    }
}

#[test]
fn a_folder_or_no_folder_in_the_place_of_the_file_is_as_good_as_no_run_log() {
    for url in ["sqlite:.", "/proc/nowhere/runs.db"] {
        let sandbox = Sandbox::with(DAILY);
        let done = sandbox.run(&format!("{TICK} --run-log-url {url}")).expect(0);
        assert_eq!((sandbox.starts().len(), &done.json()["tick"]["degraded"]), (1, &json!(true)), "{url}");
    }
}

#[test]
fn who_wants_no_degraded_runs_has_none() {
    let skip = "on_run_log_error: skip\n";
    let both = "pipelines:
  p: { schedule: '@daily', command: ENTER, on_run_log_error: skip }
  q: { schedule: '@daily', command: ENTER }
";
    for (what, config, arguments, starts, code) in [
        ("the flag", DAILY.to_string(), " --on-run-log-error skip", 0, 4),
        ("the file", format!("{skip}{DAILY}"), "", 0, 4),
        ("defaults", format!("defaults: {{ on_run_log_error: skip }}\n{DAILY}"), "", 0, 4),
        ("one pipeline", both.into(), "", 1, 4),
        ("the flag beats it", format!("{skip}{DAILY}"), " --on-run-log-error run", 1, 0),
        ("nothing is due", DAILY.to_string(), " --on-run-log-error skip --only x", 0, 2),
    ] {
        let sandbox = broken(&config, GARBAGE);
        let done = sandbox.run(&format!("{TICK}{arguments}"));
        assert_eq!((done.code, sandbox.starts().len()), (code, starts), "{what}: {done:?}");
        if code == 4 {
            let skipped = &done.json()["skipped"][0];
            assert_eq!((&skipped["pipeline"], &skipped["reason"]), (&json!("p"), &json!("run_log_error")), "{what}");
        }
    }
}

/// The run-log has never seen it: it counts from the tick that named it.
#[test]
fn what_was_named_of_a_new_pipeline_and_left_out_is_decided_when_the_run_log_is_back() {
    let sandbox = broken(&format!("on_run_log_error: skip\n{DAILY}"), GARBAGE);
    let named = sandbox.run(TICK).expect(4).json()["skipped"].clone();
    mend(&sandbox);
    for (ran, what) in [(&named[0]["scheduled_for"], "it runs, however late"), (&json!(null), "once")] {
        let done = sandbox.run("run-due --interval 0 -o json").expect(0);
        assert_eq!((&done.json()["ran"][0]["scheduled_for"], sandbox.starts().len()), (ran, 1), "{what}: {done:?}");
    }
}

#[test]
fn what_is_refused_starts_nothing() {
    let sandbox = Sandbox::with(DAILY);
    sandbox.run("run-due --interval 0").expect(0);
    let run_log = rusqlite::Connection::open(database(&sandbox)).unwrap();
    run_log.execute_batch("UPDATE tickward_meta SET value = '99' WHERE key = 'needs'").unwrap();
    let done = sandbox.run("run-due --interval 86400 --on-run-log-error run").expect(4);
    assert!(done.stderr.contains("needs a newer tickward"), "{done:?}");
    assert_eq!(sandbox.starts(), []);
}

#[test]
fn without_a_run_log_on_purpose_nothing_is_said() {
    let sandbox = broken(DAILY, GARBAGE);
    let done = sandbox.run(&format!("{TICK} --no-run-log")).expect(0);
    assert_eq!((done.stderr.as_str(), &done.json()["tick"]["degraded"]), ("", &json!(false)));
    assert!(!sandbox.state().join("host").exists());
}

#[test]
fn ticks_at_once_start_it_once() {
    let sandbox = broken(DAILY, GARBAGE);
    let ticks: Vec<_> = (0..4).map(|_| sandbox.start(TICK)).collect();
    ticks.into_iter().for_each(|tick| drop(Done::wait(tick).expect(0)));
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_tick_that_is_killed_is_taken_over_and_what_it_ran_is_lost() {
    let sandbox = broken("pipelines: { p: { schedule: '@daily', command: 'ENTER; exec sleep 600' } }", GARBAGE);
    let mut tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    signal(&tick, Signal::SIGKILL);
    tick.wait().unwrap();
    sandbox.assert_nothing_left();
    let failed = sandbox.run(TICK).expect(1).json();
    assert_eq!(failed["failed"][0]["outcome"], "lost");
    mend(&sandbox);
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts()[0].3.as_str()), (1, "lost"));
}

#[test]
fn what_is_paused_decided_or_known_to_the_mirror_is_obeyed() {
    let yesterday = |row: &mut Value| {
        row["cursor"] = json!("2020-01-01T00:00:00Z");
        row["schedules"][0]["since"] = json!(1_577_836_800_000_000_i64);
        row["schedules"][0]["cursor"] = json!(1_577_836_800_000_000_i64);
    };
    let paused = |row: &mut Value| row["standing"]["paused"] = json!({ "since": 1_577_836_800_000_000_i64 });
    for (what, is_due, is_paused, starts) in
        [("decided", false, false, 0), ("due since the cursor", true, false, 1), ("paused", true, true, 0)]
    {
        let sandbox = Sandbox::with(DAILY);
        sandbox.run("run-due --interval 0").expect(0);
        let mirror = host(&sandbox).join("mirror.json");
        // A digest, on a line of its own, then the rows.
        let text = fs::read_to_string(&mirror).unwrap();
        let (digest, rows) = text.split_once('\n').unwrap();
        let mut rows: Value = serde_json::from_str(rows).unwrap();
        if is_due {
            yesterday(&mut rows[0]);
        }
        if is_paused {
            paused(&mut rows[0]);
        }
        fs::write(&mirror, format!("{digest}\n{rows}")).unwrap();
        fs::write(database(&sandbox), GARBAGE).unwrap();
        for beside in ["run_log.db-wal", "run_log.db-shm"] {
            let _ = fs::remove_file(sandbox.state().join(beside));
        }
        let done = sandbox.run(TICK).expect(0);
        assert_eq!(
            (sandbox.starts().len(), &done.json()["tick"]["degraded"]),
            (starts, &json!(true)),
            "{what}: {done:?}"
        );
    }
}

#[test]
fn an_idle_tick_leaves_the_mirror_and_dates_it() {
    let sandbox = Sandbox::with(DAILY);
    sandbox.run("run-due --interval 0").expect(0);
    let mirror = host(&sandbox).join("mirror.json");
    let before = fs::metadata(&mirror).unwrap();
    sandbox.run("run-due").expect(0);
    let after = fs::metadata(&mirror).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!(before.ino(), after.ino(), "it is written only when it changes");
    assert!(after.modified().unwrap() > before.modified().unwrap());
    assert_eq!(after.mode() & 0o777, 0o600);
}

#[test]
fn a_database_that_is_locked_is_waited_for_and_then_done_without() {
    let sandbox = Sandbox::with(DAILY);
    fs::create_dir_all(sandbox.state()).unwrap();
    let holder = rusqlite::Connection::open(database(&sandbox)).unwrap();
    holder.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), &done.json()["tick"]["degraded"]), (1, &json!(true)), "{done:?}");
    let why = format!(
        "the run-log `{}` has been locked by another program for longer than 10 s",
        database(&sandbox).display()
    );
    assert!(done.stderr.starts_with(&format!("warning: {why}")), "{done:?}");
}

#[test]
fn where_no_tick_has_been_none_goes_on() {
    let sandbox = broken(DAILY, GARBAGE);
    let status = sandbox.run("status").expect(4);
    assert!(status.stderr.contains("begin anew") && !status.stderr.contains("help: ticks"), "{status:?}");
}

/// A run-log that refuses this from now on.
pub(super) fn refuse(sandbox: &Sandbox, what: &str) -> rusqlite::Connection {
    let run_log = rusqlite::Connection::open(database(sandbox)).unwrap();
    let stand = "CREATE TRIGGER no BEFORE";
    run_log.execute_batch(&format!("{stand} {what} ON tickward_attempt BEGIN SELECT RAISE(ABORT, 'no'); END")).unwrap();
    run_log
}

#[test]
fn a_run_log_that_takes_no_claim_is_done_without() {
    let sandbox = Sandbox::with(DAILY);
    sandbox.run("run-due --only p --interval 86400 --on-run-log-error skip --dry-run").expect(0);
    let other = "pipelines: { q: { schedule: '@daily', command: 'true' } }";
    sandbox.write("other.yaml", other);
    sandbox.run("run-due -c other.yaml --interval 0").expect(0);
    let run_log = refuse(&sandbox, "INSERT");
    let done = sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), &done.json()["tick"]["degraded"]), (1, &json!(true)), "{done:?}");
    run_log.execute_batch("DROP TRIGGER no").unwrap();
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1));
}

#[test]
fn beside_a_tick_that_may_be_claiming_nothing_starts() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run("run-due --interval 86400 --on-run-log-error skip").expect(4);
    let lock = fs::File::options().append(true).open(host(&sandbox).join("lock")).unwrap();
    lock.lock_shared().unwrap();
    let done = sandbox.run(TICK).expect(4);
    assert!(done.stderr.contains("another tick of this host may be claiming"), "{done:?}");
    assert_eq!(sandbox.starts().len(), 0);
    drop(lock);
    sandbox.run(TICK).expect(0);
    assert_eq!(sandbox.starts().len(), 1);
}

/// The port of nobody.
#[cfg(feature = "postgres")]
#[test]
fn a_new_password_of_a_server_is_no_other_run_log() {
    let sandbox = Sandbox::with(DAILY);
    for (password, ran) in [("one", 1), ("two", 0)] {
        let url = format!("postgres://u:{password}@127.0.0.1:1/d");
        let done =
            sandbox.call_with(&["run-due", "--interval", "86400", "-o", "json"], &[("TICKWARD_RUN_LOG_URL", &url)]);
        assert_eq!(done.expect(0).json()["ran"].as_array().unwrap().len(), ran, "{password}");
    }
    assert_eq!(fs::read_dir(sandbox.state().join("host")).unwrap().count(), 1);
}
