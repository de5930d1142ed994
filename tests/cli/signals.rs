//! A tick that is told to stop.

use std::process::Child;
use std::time::{Duration, Instant};

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

/// Somebody else writes in the run-log, and goes on until this is dropped.
fn busy_run_log(sandbox: &Sandbox) -> rusqlite::Connection {
    let holder = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    holder
}

#[test]
fn after_a_second_signal_no_run_log_is_waited_for() {
    let sandbox = Sandbox::with(
        "pipelines:
  deaf: { schedule: '@daily', kill_grace: 90s, command: 'trap \"echo heard > heard\" TERM; ENTER; while :; do sleep 0.02; done' }",
    );
    let tick = sandbox.start("run-due -o json --interval 86400");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let holder = busy_run_log(&sandbox);
    signal(&tick, Signal::SIGTERM);
    sandbox.wait_for_text("heard", "heard");
    let told = Instant::now();
    signal(&tick, Signal::SIGTERM);
    let done = Done::wait(tick).expect(143);
    assert!(told.elapsed() < Duration::from_secs(9), "SQLite waits for 10 s, seven times: {done:?}");
    assert!(done.stderr.contains("wait in the spool of this host"), "{done:?}");
    assert_eq!(sandbox.left(), []);
    drop(holder);
    let next = sandbox.run("run-due --interval 86400").expect(0);
    assert_eq!(next.stderr, "recorded  1 from the spool of this host\n");
    assert_eq!((sandbox.starts().len(), sandbox.attempts()[0].3.as_str()), (1, "interrupted"));
}

#[test]
fn after_a_second_signal_no_alerter_is_waited_for() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("webhook+http://{}/", deaf.local_addr().unwrap());
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: 'ENTER; exit 3' } }");
    let tick = sandbox.start(&format!("run-due -o json --interval 86400 --alerter {url}"));
    let (_caller, _) = deaf.accept().unwrap();
    let told = Instant::now();
    signal(&tick, Signal::SIGTERM);
    signal(&tick, Signal::SIGINT);
    let done = Done::wait(tick).expect(1);
    assert!(told.elapsed() < Duration::from_secs(4), "an alerter may take 5 s: {done:?}");
    let waiting = sandbox.run("alert list -o json").expect(0);
    assert!(waiting.stdout.contains("\"gave_up/default/p@"), "{waiting:?}");
}

#[test]
fn who_is_told_to_stop_before_the_run_log_answers_starts_nothing_without_it() {
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
    std::fs::create_dir_all(sandbox.state()).unwrap();
    let file = sandbox.state().join("run_log.db");
    let holder = rusqlite::Connection::open(&file).unwrap();
    holder.execute_batch("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
    let tick = sandbox.start("run-due -o json --interval 86400");
    let descriptors = format!("/proc/{}/fd", tick.id());
    sandbox.wait("it to open the run-log", || {
        let open = std::fs::read_dir(&descriptors).unwrap().flatten();
        open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|path| path == file)
    });
    signal(&tick, Signal::SIGTERM);
    let done = Done::wait(tick).expect(143);
    assert_eq!((sandbox.starts().len(), &done.json()["rc"]), (0, &json!(143)), "{done:?}");
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
