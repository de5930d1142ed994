//! While the run-log cannot be used: each host goes on by itself, once, and the run-log hears of it.
//!
//! `@daily` with an interval of a day is due exactly once, whatever time it is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::sandbox::{Done, Sandbox, keys, signal};

const DAILY: &str = "pipelines: { p: { schedule: '@daily', command: 'ENTER; echo $TICKWARD_DEGRADED >> told' } }";
const TICK: &str = "run-due --interval 86400 -o json";

/// A sandbox whose run-log cannot be used: this lies in its place.
fn broken(config: &str, bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::with(config);
    fs::create_dir_all(sandbox.state()).unwrap();
    fs::write(database(&sandbox), bytes).unwrap();
    sandbox
}

fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("run_log.db")
}

const GARBAGE: &[u8] = &[b'x'; 5000];

/// Puts the run-log back to what a new one is.
fn mend(sandbox: &Sandbox) {
    fs::remove_file(database(sandbox)).unwrap();
    if sandbox.state().join("host").exists() {
        let _ = fs::remove_file(host(sandbox).join("mirror.json"));
    }
}

fn waiting(sandbox: &Sandbox) -> Value {
    sandbox.run("spool list -o json").expect(0).json()
}

/// The one folder of this host.
fn host(sandbox: &Sandbox) -> PathBuf {
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
fn of_ticks_at_once_only_the_one_that_has_recorded_it_says_so() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    mend(&sandbox);
    let ticks: Vec<_> = (0..4).map(|_| sandbox.start(TICK)).collect();
    let said: Vec<_> = ticks.into_iter().map(|tick| Done::wait(tick).expect(0).stderr).collect();
    assert_eq!(said.concat(), "recorded  1 from the spool of this host\n");
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
fn what_still_runs_when_the_run_log_is_back_is_not_started_beside_itself() {
    let config = "pipelines: { p: { schedule: '@daily', command: 'ENTER; while [ ! -e go ]; do sleep 0.05; done' } }";
    let sandbox = broken(config, GARBAGE);
    let tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    mend(&sandbox);
    sandbox.run(TICK).expect(0);
    assert_eq!(sandbox.attempts()[0].3, "running", "the run-log knows that it runs");
    fs::write(sandbox.path("go"), "").unwrap();
    Done::wait(tick).expect(0);
    assert_eq!(sandbox.attempts()[0].3, "running");
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1));
    assert_eq!((sandbox.attempts()[0].3.as_str(), waiting(&sandbox)), ("succeeded", json!([])));
}

/// No tick of this host comes any more: whoever looks into the run-log judges the claim by its lease there.
#[test]
fn what_still_runs_when_the_run_log_is_back_is_renewed_by_the_tick_that_runs_it() {
    let body = "ENTER; while [ ! -e go ]; do sleep 0.05; done";
    let config = format!("pipelines: {{ p: {{ schedule: '@daily', command: '{body}', lease: 3s, kill_grace: 1s }} }}");
    let sandbox = broken(&config, GARBAGE);
    let tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    mend(&sandbox);
    sandbox.run(TICK).expect(0);
    let run_log = rusqlite::Connection::open(database(&sandbox)).unwrap();
    let column = |name: &str| {
        run_log.query_row(&format!("SELECT {name} FROM tickward_attempt"), (), |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = column("lease_until");
    sandbox.wait("a renewal", || column("lease_until") > before);
    sandbox.run("cancel p").expect(0);
    let done = Done::wait(tick).expect(1);
    assert_eq!(done.json()["failed"][0]["outcome"], "cancelled", "{done:?}");
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts()[0].3.as_str()), (1, "cancelled"));
}

#[test]
fn a_retry_goes_on_in_the_run_log() {
    let config = "pipelines:
  p: { schedule: '@daily', command: 'ENTER; exit 1', retry: { max_attempts: 3, backoff: fixed, delay: 11s } }
  q: { schedule: '@daily', command: 'ENTER; exit 1', retry: { max_attempts: 2, delay: 0s } }
";
    let sandbox = broken(config, GARBAGE);
    let failed = sandbox.run(TICK).expect(1).json();
    assert_eq!(failed["failed"].as_array().unwrap().len(), 3, "{failed}");
    mend(&sandbox);
    let run_log = || rusqlite::Connection::open(database(&sandbox)).unwrap();
    sandbox.run(TICK);
    run_log().execute("UPDATE tickward_attempt SET retry_at = 0 WHERE retry_at IS NOT NULL", ()).unwrap();
    sandbox.run(TICK).expect(1);
    let starts = sandbox.starts();
    let of = |name: &str| starts.iter().filter(|start| start.pipeline == name).map(|s| s.attempt).collect::<Vec<_>>();
    assert_eq!((of("p"), of("q")), (vec![1, 2], vec![1, 2]));
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
    for times in ["once", "twice"] {
        let taken = sandbox.run("spool import lines").expect(0);
        assert!(taken.stderr.starts_with("recorded  1 from"), "{times}: {taken:?}");
    }
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1));
    let none = sandbox.run("spool import tickward.yaml").expect(2);
    assert!(none.stderr.starts_with("error: `tickward.yaml` has no line of a spool\nhelp: "), "{none:?}");
}

#[test]
fn what_another_host_ran_too_is_kept_and_said() {
    let sandbox = broken(DAILY, GARBAGE);
    let there = "run-due --interval 86400 --run-log-url there.db";
    sandbox.run(TICK).expect(0);
    sandbox.call_with(&there.split(' ').collect::<Vec<_>>(), &[("TICKWARD_STATE_DIR", "elsewhere")]).expect(0);
    assert_eq!(sandbox.starts().len(), 2, "two hosts double");
    fs::copy(sandbox.path("there.db"), database(&sandbox)).unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert!(done.stderr.contains(" ran twice: "), "{done:?}");
    assert_eq!(sandbox.attempts().iter().map(|attempt| attempt.2).collect::<Vec<_>>(), [1, 2]);
    sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (2, 2));
}

#[test]
fn a_database_that_is_locked_is_waited_for_and_then_done_without() {
    let sandbox = Sandbox::with(DAILY);
    fs::create_dir_all(sandbox.state()).unwrap();
    let holder = rusqlite::Connection::open(database(&sandbox)).unwrap();
    holder.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert_eq!((sandbox.starts().len(), &done.json()["tick"]["degraded"]), (1, &json!(true)), "{done:?}");
}

/// A run-log that refuses this from now on.
fn refuse(sandbox: &Sandbox, what: &str) -> rusqlite::Connection {
    let run_log = rusqlite::Connection::open(database(sandbox)).unwrap();
    let stand = "CREATE TRIGGER no BEFORE";
    run_log.execute_batch(&format!("{stand} {what} ON tickward_attempt BEGIN SELECT RAISE(ABORT, 'no'); END")).unwrap();
    run_log
}

#[test]
fn an_outcome_that_the_run_log_does_not_take_waits_for_it() {
    let body = "ENTER; while [ ! -e go ]; do sleep 0.05; done";
    let sandbox = Sandbox::with(&format!("pipelines: {{ p: {{ schedule: '@daily', command: '{body}' }} }}"));
    let tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let run_log = refuse(&sandbox, "UPDATE");
    fs::write(sandbox.path("go"), "").unwrap();
    let done = Done::wait(tick).expect(4);
    assert!(done.stderr.contains("wait in the spool of this host"), "{done:?}");
    assert_eq!(waiting(&sandbox)[0]["kind"], "end", "{done:?}");
    run_log.execute_batch("DROP TRIGGER no").unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert_eq!(done.stderr, "recorded  1 from the spool of this host\n");
    assert_eq!((sandbox.starts().len(), sandbox.attempts()[0].3.as_str()), (1, "succeeded"));
    assert_eq!(waiting(&sandbox), json!([]));
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
fn an_import_that_was_cut_off_is_done_again() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    let records = host(&sandbox).join("records");
    let name = fs::read_dir(&records).unwrap().next().unwrap().unwrap().file_name();
    let record = fs::read(records.join(&name)).unwrap();
    mend(&sandbox);
    for times in ["once", "again, as if it had been killed before it could remove the record"] {
        fs::write(records.join(&name), &record).unwrap();
        sandbox.run(TICK).expect(0);
        assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1), "{times}");
        assert!(!records.join(&name).exists(), "{times}");
    }
}

/// A spool of so many runs of the pipeline, by the hour, beside the one that its tick has made; the names of their files.
fn many(sandbox: &Sandbox, count: u64) -> Vec<PathBuf> {
    sandbox.run(TICK).expect(0);
    let records = host(sandbox).join("records");
    let first = fs::read_dir(&records).unwrap().next().unwrap().unwrap().path();
    let record: Value = serde_json::from_slice(&fs::read(first).unwrap()).unwrap();
    let one = |at: u64| {
        let mut record = record.clone();
        let attempt = &mut record["attempt"];
        attempt["run"]["scheduled_for"] = json!(format!("2026-01-{:02}T{:02}:00:00Z", at / 24 + 1, at % 24));
        attempt["token"] = json!(format!("{at:032x}"));
        attempt["end"]["token"] = attempt["token"].clone();
        let path = records.join(format!("{at:04}.json"));
        fs::write(&path, record.to_string()).unwrap();
        path
    };
    (0..count).map(one).collect()
}

/// More than two pieces of 200. The run-log fails in the second one; then it is as if the tick had been killed between two pieces.
#[test]
fn a_large_spool_is_taken_in_piece_by_piece_and_each_record_once() {
    let sandbox = broken(DAILY, GARBAGE);
    let files = many(&sandbox, 450);
    let first = fs::read(&files[0]).unwrap();
    mend(&sandbox);
    let made = Sandbox::with(DAILY);
    made.run("run-due --interval 0").expect(0);
    fs::copy(database(&made), database(&sandbox)).unwrap();
    let run_log = rusqlite::Connection::open(database(&sandbox)).unwrap();
    run_log
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON tickward_attempt WHEN (SELECT count(*) FROM tickward_attempt) = 250 \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert_eq!(&done.json()["tick"]["degraded"], &json!(true), "{done:?}");
    let count = || run_log.query_row("SELECT count(*) FROM tickward_attempt", (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        (count(), waiting(&sandbox).as_array().unwrap().len()),
        (200, 251),
        "the second piece whole or not at all"
    );
    run_log.execute_batch("DROP TRIGGER no").unwrap();
    fs::write(&files[0], first).unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert_eq!(done.stderr, "recorded  252 from the spool of this host\n", "one of them for the second time");
    assert_eq!((count(), waiting(&sandbox), sandbox.starts().len()), (451, json!([]), 1));
}

/// What no tick has written: a number or fence that no other may follow.
#[test]
fn a_record_that_cannot_be_is_set_aside_and_the_others_are_taken_in() {
    for (key, value, why) in [
        ("number", json!(u32::MAX), "its attempt number, 4294967295, is none"),
        ("number", json!(0), "its attempt number, 0, is none"),
        ("tries", json!(u32::MAX), "4294967295 attempts before it are too many"),
        ("fence", json!(u64::MAX), "its fence, 18446744073709551615, is none"),
    ] {
        let sandbox = broken(DAILY, GARBAGE);
        let files = many(&sandbox, 2);
        let mut record: Value = serde_json::from_slice(&fs::read(&files[1]).unwrap()).unwrap();
        record["attempt"][key] = value;
        fs::write(&files[1], record.to_string()).unwrap();
        assert_eq!(sandbox.run(TICK).expect(0).json()["tick"]["degraded"], true, "{why}");
        mend(&sandbox);
        let done = sandbox.run(TICK).expect(0);
        let aside = host(&sandbox).join("aside/0001.json");
        let told = format!("warning: p@20260101T010000Z is not recorded: {why}; see `{}`", aside.display());
        assert!(done.stderr.contains(&told), "{why}: {done:?}");
        assert_eq!((sandbox.attempts().len(), waiting(&sandbox), aside.exists()), (2, json!([]), true), "{why}");
        assert_eq!(sandbox.run(TICK).expect(0).stderr, "", "{why}: it is said once");
    }
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
        let done = sandbox.run(TICK).expect(0);
        // What the mirror on a disk that can be read says is decided stays so.
        let starts = if what == "full" { 1 } else { 0 };
        assert_eq!(
            (sandbox.starts().len(), &done.json()["tick"]["degraded"]),
            (starts, &json!(true)),
            "{what}: {done:?}"
        );
        assert!(done.stderr.contains("claims are kept in memory only"), "{what}: {done:?}");
        assert_eq!(
            done.stderr.lines().filter(|line| line.starts_with("{\"tickward_spool\"")).count(),
            starts,
            "{what}"
        );
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
fn an_outage_goes_on_where_the_one_before_it_has_ended() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    mend(&sandbox);
    assert!(sandbox.run(TICK).expect(0).stderr.starts_with("recorded  1 "));
    // The run-log fails again before any tick of this host has mirrored what was imported.
    let _ = fs::remove_file(host(&sandbox).join("mirror.json"));
    fs::write(database(&sandbox), GARBAGE).unwrap();
    assert_eq!(sandbox.run(TICK).expect(0).json()["ran"], json!([]));
    assert_eq!(sandbox.starts().len(), 1, "what ran degraded runs again");
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
