//! What a person asks for while the server's answer is lost: it is done once, and told as it is.

use nix::sys::signal::Signal;

use crate::further::Lack;
use crate::kind::Kind;
use crate::proxy::{Direction, Proxy};
use crate::sandbox::{Done, Sandbox, signal};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("verbs::what_a_lost_answer_says_was_done_is_found_and_told", lost),
    ("verbs::what_runs_is_held_or_is_to_be_retried_is_changed_once_where_the_answer_is_lost", lost_while_it_runs),
    ("verbs::where_nobody_answers_any_more_it_is_said_that_it_may_be_done", gone),
];

/// A pipeline that was looked at once, and is not due for years.
const LATER: &str = "pipelines: { p: { schedule: '0 0 29 2 *', command: [\"true\"] } }";

/// What stands in a text that changes a pipeline's row, and in no other.
fn change(kind: &'static Kind) -> &'static [u8] {
    kind.pick("UPDATE tickward_pipeline t SET", "STRAIGHT_JOIN tickward_pipeline t ").as_bytes()
}

fn lost(kind: &'static Kind) -> Result<(), Lack> {
    // What is asked for, what is said of it, and how often it is in the store then.
    let skips = kind.pick(
        "SELECT json_array_length(standing::json -> 'skips') FROM tickward_pipeline",
        "SELECT JSON_LENGTH(standing, '$.skips') FROM tickward_pipeline",
    );
    let paused = "SELECT count(*) FROM tickward_pipeline WHERE standing LIKE '%\"paused\"%tea%'";
    let known = "SELECT count(*) FROM tickward_pipeline WHERE cursor_at IS NOT NULL OR standing LIKE '%paused%'";
    let rows = [
        ("pause p --note tea", "p: paused", paused, "1"),
        ("skip p", "is skipped", skips, "1"),
        ("skip p", "is skipped", skips, "2"),
        ("resume p", "p: ", paused, "0"),
        ("forget p --yes", "p: ", known, "0"),
    ];
    let bench = kind.bench()?;
    let sandbox = Sandbox::with(LATER);
    sandbox.call(&["run-due", "--run-log-url", &bench.url]).expect(0);
    for (line, says, count, expected) in rows {
        asked_in_vain(kind, &bench.url, &sandbox, line, says);
        assert_eq!(sql(&bench.url, count).unwrap(), one(expected), "{line:?}");
    }
    Ok(())
}

/// Asks for something whose answer is lost: it is told as done all the same.
fn asked_in_vain(kind: &'static Kind, url: &str, sandbox: &Sandbox, line: &str, says: &str) {
    let proxy = Proxy::before(url).unwrap();
    proxy.drop_reply_after(change(kind));
    let url = proxy.url(url);
    let line: Vec<&str> = line.split(' ').chain(["--run-log-url", &url]).collect();
    let done = sandbox.call(&line).expect(0);
    assert_eq!(proxy.traffic().connections, 2, "{line:?}: one was cut: {done:?}");
    assert!(format!("{}{}", done.stdout, done.stderr).contains(says), "{line:?}: {done:?}");
}

/// One that is held, one that is to be retried, and one that runs.
const DAILY: &str = "
pipelines:
  held: { schedule: '@daily', on_gave_up: hold, command: exit 1 }
  again: { schedule: '@daily', retry: { max_attempts: 2, delay: 100d }, command: exit 1 }
  slow: { schedule: '@daily', command: 'ENTER; exec sleep 600' }
";

fn lost_while_it_runs(kind: &'static Kind) -> Result<(), Lack> {
    let held = "SELECT count(*) FROM tickward_pipeline WHERE standing LIKE '%\"held\"%'";
    let retries = "SELECT count(*) FROM tickward_attempt WHERE retry_at IS NOT NULL";
    let stops = "SELECT count(*) FROM tickward_attempt WHERE state = 'claimed' AND stop_request LIKE '%tea%'";
    // What is asked for, what is said of it, what of it there is in the store, before and after.
    let rows = [
        ("reset held", "held: is held no more", held, ["1", "0"]),
        ("cancel again", "again: pending retries dropped: 1", retries, ["1", "0"]),
        ("cancel slow --why tea", "slow: 1 run is told to end", stops, ["0", "1"]),
    ];
    let bench = kind.bench()?;
    let sandbox = Sandbox::with(DAILY);
    let tick = sandbox.start(&format!("run-due --interval 86400 --run-log-url {}", bench.url));
    sandbox.wait("one to run and two to have failed", || {
        sandbox.starts().len() == 1 && [held, retries].iter().all(|count| sql(&bench.url, count).unwrap() == one("1"))
    });
    for (line, says, count, [before, after]) in rows {
        assert_eq!(sql(&bench.url, count).unwrap(), one(before), "{line:?}");
        let versions = "SELECT CAST(SUM(version) AS CHAR(20)) FROM tickward_pipeline";
        let version = || sql(&bench.url, versions).unwrap().remove(0).remove(0).unwrap().trim().parse::<u64>().unwrap();
        let was = version();
        asked_in_vain(kind, &bench.url, &sandbox, line, says);
        assert_eq!(sql(&bench.url, count).unwrap(), one(after), "{line:?}");
        assert_eq!(version(), was + 1, "{line:?}: once");
    }
    signal(&tick, Signal::SIGTERM);
    Done::wait(tick);
    sandbox.assert_nothing_left();
    Ok(())
}

/// What a statement gives that counts.
fn one(count: &str) -> Vec<Vec<Option<String>>> {
    vec![vec![Some(count.to_owned())]]
}

fn gone(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let sandbox = Sandbox::with(LATER);
    sandbox.call(&["run-due", "--run-log-url", &bench.url]).expect(0);
    let proxy = Proxy::before(&bench.url).unwrap();
    let url = proxy.url(&bench.url);
    proxy.drop_reply_after(change(kind));
    proxy.hold(Direction::ToClient);
    let skipping = sandbox.start(&format!("skip p --run-log-url {url}"));
    // Connected, and nobody else will be.
    proxy.wait_until(|traffic| traffic.connections == 1);
    proxy.refuse();
    proxy.release(Direction::ToClient);
    let done = Done::wait(skipping).expect(4);
    for says in ["did not answer", "it may have been done or not", "tickward status"] {
        assert!(done.stderr.contains(says), "{says}: {done:?}");
    }
    Ok(())
}
