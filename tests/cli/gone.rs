//! A run-log that was there and is not any more, or is not what it was.

use std::fs;

use super::sandbox::Sandbox;

#[test]
fn a_run_log_that_is_gone_or_empty_or_not_ours_is_no_new_one() {
    for what in ["is gone", "is empty", "has none of its tables"] {
        let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
        let tick = || sandbox.run("run-due --interval 86400 -o json");
        tick().expect(0);
        sandbox.run("pause p").expect(0);
        let file = sandbox.state().join("run_log.db");
        let kept = fs::read(&file).unwrap();
        for beside in ["run_log.db-wal", "run_log.db-shm"] {
            assert!(!sandbox.state().join(beside).exists(), "it was closed");
        }
        fs::remove_file(&file).unwrap();
        match what {
            "is empty" => fs::write(&file, "").unwrap(),
            "is gone" => {}
            _ => rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap(),
        }
        let done = tick().expect(0);
        assert!(done.stderr.contains(&format!("run_log.db` {what}, and this host knows 1")), "{done:?}");
        assert_eq!((&done.json()["tick"]["degraded"], sandbox.starts().len()), (&true.into(), 1), "{what}: {done:?}");
        assert_eq!(file.exists(), what != "is gone", "nothing is put in its place");
        let gone = sandbox.run("status").expect(4);
        let meanwhile = format!(
            "help: ticks of this host do without it, by `on_run_log_error`: `tickward spool list` shows what they did; what was \
             printed is under `{}`\n",
            sandbox.state().join("output").display()
        );
        assert!(gone.stderr.contains(what) && gone.stderr.ends_with(&meanwhile), "{gone:?}");
        for command in ["pause p", "why p", "logs p", "history p", "retry p", "run p"] {
            let gone = sandbox.run(command).expect(4);
            assert!(gone.stderr.contains(&meanwhile), "{command}: {gone:?}");
        }
        let doctor = sandbox.run("doctor").expect(1);
        let wrong = format!("run_log.db` {what}, and this host knows 1 of its pipelines: put it back");
        assert!(doctor.stdout.contains(&wrong), "{doctor:?}");
        fs::write(&file, &kept).unwrap();
        tick().expect(0);
        let status = sandbox.run("status -o json").expect(0).json();
        assert_eq!((status[0]["state"].as_str(), sandbox.starts().len()), (Some("paused"), 1), "{what}");
    }
}

/// What this host has done since waits in the same folder.
#[test]
fn who_begins_anew_as_the_message_says_keeps_what_waits() {
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
    let tick = || sandbox.run("run-due --interval 86400");
    tick().expect(0);
    let file = sandbox.state().join("run_log.db");
    fs::write(&file, "no database").unwrap();
    sandbox.write("tickward.yaml", "pipelines: { q: { schedule: '@daily', command: ENTER } }");
    let done = tick().expect(0);
    assert!(done.stderr.contains("restore it from a backup, or move it away to begin anew"), "{done:?}");
    fs::rename(&file, sandbox.path("away")).unwrap();
    let done = tick().expect(0);
    let named = done.stderr.split_once("or remove `").unwrap().1.split_once("` to begin anew").unwrap().0.to_owned();
    assert!(named.ends_with("/mirror.json"), "{done:?}");
    fs::remove_file(named).unwrap();
    let done = tick().expect(0);
    assert_eq!(done.stderr, "recorded  1 from the spool of this host\n");
    let kept: Vec<_> = sandbox.attempts().into_iter().map(|(name, _, number, state)| (name, number, state)).collect();
    assert_eq!((sandbox.starts().len(), kept), (2, vec![("q".into(), 1, "succeeded".into())]));
}

/// What the copy says still runs has ended since, so that its start mark is gone: no proof that it never started.
#[test]
fn what_runs_in_a_restored_copy_is_lost_and_not_started_again() {
    let body = "ENTER; until test -e go; do sleep 0.02; done";
    let sandbox = Sandbox::with(&format!("pipelines: {{ p: {{ schedule: '@daily', command: '{body}' }} }}"));
    let file = sandbox.state().join("run_log.db");
    let tick = "run-due --interval 86400 -o json";
    let mut running = sandbox.start(tick);
    sandbox.wait("the body to start", || sandbox.starts().len() == 1);
    let copy = sandbox.path("copy.db");
    let run_log = rusqlite::Connection::open(&file).unwrap();
    run_log.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    drop(run_log);
    sandbox.write("go", "");
    assert!(running.wait().unwrap().success());
    sandbox.run(tick).expect(0);
    fs::rename(&copy, &file).unwrap();
    // To look at what was restored takes no proof away.
    sandbox.run("run-due --interval 86400 --dry-run").expect(0);
    sandbox.run("status").expect(0);
    let done = sandbox.run(tick);
    let states: Vec<_> = sandbox.attempts().into_iter().map(|(_, _, number, state)| (number, state)).collect();
    assert_eq!((sandbox.starts().len(), states), (1, vec![(1, "lost".into())]), "{done:?}");
    assert!(done.stderr.contains("has gone back"), "{done:?}");
    // Only once: what is claimed from now on has marks as ever.
    assert!(!sandbox.run(tick).expect(0).stderr.contains("has gone back"));
}
