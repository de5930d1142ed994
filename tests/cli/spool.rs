//! What a host has done without the run-log is taken in when that is back: once, whatever comes between.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::degraded::{DAILY, GARBAGE, TICK, broken, database, host, mend, refuse, waiting};
use super::kills;
use super::sandbox::{Done, Sandbox, each, keys};

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

/// Its start mark lies beside the spool; who looks into the run-log from elsewhere must not take it for what never started.
#[test]
fn what_was_taken_in_while_it_ran_and_is_killed_is_lost_to_whoever_looks() {
    let config = "pipelines: { p: { schedule: '@daily', command: 'ENTER; exec sleep 60' } }";
    let sandbox = broken(config, GARBAGE);
    let mut tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    mend(&sandbox);
    sandbox.run(TICK).expect(0);
    let supervisor = kills::supervisor_of(&tick).unwrap();
    tick.kill().unwrap();
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    tick.wait().unwrap();
    let run_log = database(&sandbox);
    let there = ["run-due", "--interval", "86400", "--run-log-url", run_log.to_str().unwrap()];
    sandbox.call_with(&there, &[("TICKWARD_STATE_DIR", "elsewhere")]);
    assert_eq!((sandbox.starts().len(), sandbox.attempts().len()), (1, 1));
    assert_eq!(sandbox.attempts()[0].3, "lost");
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

/// Commands print what they like, and a log has the output of several.
#[test]
fn a_byte_that_is_no_text_costs_no_record() {
    let latin = |record: &Value| -> Vec<u8> {
        let mut record = record.clone();
        let end = &mut record["attempt"]["end"];
        (end["tail"], end["output_bytes"]) = (json!("caf@@"), json!(4));
        let [before, after] = [0, 1].map(|part| record.to_string().split("@@").nth(part).unwrap().as_bytes().to_vec());
        [before, vec![0xe9], after].concat()
    };
    let sandbox = broken(DAILY, GARBAGE);
    let files = many(&sandbox, 3);
    let record = |file: &PathBuf| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    let [here, printed, cut] = [0, 1, 2].map(|at| record(&files[at]));
    fs::write(&files[0], latin(&here)).unwrap();
    let cut = cut.to_string().into_bytes();
    let log = [b"caf\xe9 is open", &latin(&printed)[..], &cut[..cut.len() / 2], b"", b"done"].join(&b'\n');
    fs::write(sandbox.path("log"), log).unwrap();
    files[1..].iter().for_each(|file| fs::remove_file(file).unwrap());
    mend(&sandbox);
    assert_eq!(sandbox.run(TICK).expect(0).stderr, "recorded  2 from the spool of this host\n");
    let done = sandbox.run("spool import log").expect(1);
    let told = "warning: line 3 of `log` is not recorded: it is damaged, or of a newer tickward
recorded  1 from `log`
notice: lines passed over, in which nothing of a spool is: 2 (1, 5)
";
    assert_eq!(done.stderr, told);
    assert_eq!((sandbox.attempts().len(), waiting(&sandbox)), (3, json!([])));
    for hour in ["00", "01"] {
        let logs = sandbox.run(&format!("logs p@20260101T{hour}0000Z")).expect(0);
        assert!(logs.stdout.contains("caf\u{fffd}"), "{logs:?}");
    }
    fs::write(sandbox.path("log"), &cut[..cut.len() / 2]).unwrap();
    let none = sandbox.run("spool import log").expect(2);
    assert!(none.stderr.contains("error: `log` has no line of a spool that can be read\nhelp: "), "{none:?}");
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
fn what_waits_is_listed_with_the_run_log_that_it_is_meant_for() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    sandbox.write("other.db", "no run-log");
    sandbox.run(&format!("{TICK} --run-log-url sqlite:other.db")).expect(0);
    let waiting = waiting(&sandbox);
    assert_eq!(keys(&waiting[0]), ["kind", "run", "attempt", "outcome", "at", "run_log"]);
    let mut of = each(&waiting, "run_log");
    of.sort();
    assert_eq!(of, [database(&sandbox).to_str().unwrap(), "sqlite:other.db"]);
    let text = sandbox.run("spool list").expect(0).stdout;
    assert!(text.lines().next().unwrap().ends_with("RUN-LOG") && text.contains("  sqlite:other.db"), "{text}");
}

/// A command that a person gives is judged by what this host has done alone, which no tick has taken in yet.
#[test]
fn what_a_person_asks_for_is_judged_with_what_was_done_alone() {
    let after_an_outage = |body: &str| {
        let config = format!(
            "pipelines: {{ p: {{ schedule: '@daily', command: '{body}', retry: {{ max_attempts: 2, delay: 1h }} }} }}"
        );
        let sandbox = Sandbox::with(&config);
        alone(&sandbox);
        sandbox
    };
    let sandbox = after_an_outage("ENTER; exit 1");
    let done = sandbox.run("cancel p").expect(0);
    assert!(done.stderr.contains("p: pending retries dropped: 1"), "{done:?}");
    assert_eq!(waiting(&sandbox), json!([]));
    let sandbox = after_an_outage("ENTER");
    let done = sandbox.run("backfill p --from 24h --to 0s").expect(0);
    assert!(done.stderr.contains("p: 0 succeeded, 1 had succeeded before"), "{done:?}");
    assert_eq!(sandbox.starts().len(), 1);
    let sandbox = after_an_outage("ENTER; exit 1");
    let done = sandbox.run("retry p");
    let numbers: Vec<_> = sandbox.attempts().into_iter().map(|(_, _, number, _)| number).collect();
    assert_eq!((sandbox.starts().len(), numbers), (2, vec![1, 2]), "{done:?}");
}

/// Runs `p` once without the run-log, which is back then.
fn alone(sandbox: &Sandbox) {
    sandbox.run("run-log migrate").expect(0);
    let whole = fs::read(database(sandbox)).unwrap();
    fs::write(database(sandbox), GARBAGE).unwrap();
    sandbox.run(TICK);
    fs::write(database(sandbox), whole).unwrap();
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_run_log_that_was_moved_and_left_a_link_gets_what_was_done_without_it() {
    let sandbox = Sandbox::with(DAILY);
    alone(&sandbox);
    let moved = sandbox.path("moved.db");
    fs::rename(database(&sandbox), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, database(&sandbox)).unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert!(done.stderr.contains("recorded  1 from the spool of this host"), "{done:?}");
    assert_eq!((sandbox.starts().len(), waiting(&sandbox)), (1, json!([])));
}

#[test]
fn a_link_that_leads_to_nothing_any_more_is_a_run_log_that_is_gone() {
    let sandbox = Sandbox::with(DAILY);
    fs::create_dir_all(sandbox.state()).unwrap();
    std::os::unix::fs::symlink(sandbox.path("first.db"), database(&sandbox)).unwrap();
    sandbox.run(TICK).expect(0);
    fs::remove_file(database(&sandbox)).unwrap();
    std::os::unix::fs::symlink(sandbox.path("second.db"), database(&sandbox)).unwrap();
    let done = sandbox.run(TICK).expect(0);
    assert!(done.stderr.contains("is gone, and this host knows 1 of its pipelines"), "{done:?}");
    assert_eq!((&done.json()["tick"]["degraded"], sandbox.starts().len()), (&json!(true), 1), "{done:?}");
    sandbox.run("status").expect(4);
}

#[test]
fn what_was_done_without_a_run_log_is_copied_with_it() {
    let sandbox = Sandbox::with(DAILY);
    alone(&sandbox);
    let (from, to) = (database(&sandbox), sandbox.path("new.db"));
    sandbox.call(&["run-log", "copy", from.to_str().unwrap(), to.to_str().unwrap()]).expect(0);
    sandbox.run(&format!("{TICK} --run-log-url {}", to.display())).expect(0);
    assert_eq!((sandbox.starts().len(), waiting(&sandbox)), (1, json!([])));
}

#[test]
fn what_is_imported_is_told_apart_from_what_was_there_and_from_what_was_not_understood() {
    let sandbox = broken(DAILY, GARBAGE);
    let files = many(&sandbox, 4);
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| fs::read_to_string(&files[at]).unwrap());
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    mend(&sandbox);
    let import = |text: &str, code: i32| {
        fs::write(sandbox.path("log"), text).unwrap();
        let done = sandbox.run("spool import log").expect(code);
        (done.stderr, sandbox.attempts().len())
    };
    let once = |text: &str| (text.to_owned(), 1);
    assert_eq!(import(&a, 0), once("recorded  1 from `log`\n"));
    assert_eq!(import(&a, 0), once("recorded  0 from `log`; known already: 1\n"));
    let behind = format!("{a}\n2026-11-30T01:02:03Z host tickward: {b}\n{b}\n");
    assert_eq!(import(&behind, 0), ("recorded  1 from `log`; known already: 2\n".into(), 2));
    let flawed = d.replace("\"fence\":", "\"fence\":18446744073709551615,\"other\":");
    let torn = format!("{}\nhost: {c}\n{flawed}\n{}\nall is well\n", &c[..40], &c[40..]);
    let told = "warning: line 1 of `log` is not recorded: it is damaged, or of a newer tickward
warning: line 4 of `log` is not recorded: it is damaged, or of a newer tickward
recorded  1 from `log`
warning: line 3 of `log`, p@20260101T030000Z is not recorded: its fence, 18446744073709551615, is none
notice: lines passed over, in which nothing of a spool is: 1 (5)
";
    assert_eq!(import(&torn, 1), (told.into(), 3));
}
