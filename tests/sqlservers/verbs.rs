//! What a person asks for while the server's answer is lost: it is done once, and told as it is.

use nix::sys::signal::Signal;

use tickward::run::Outcome;

use crate::bench::Bench;
use crate::further::Lack;
use crate::kind::{Kind, wait};
use crate::proxy::{Direction, Proxy};
use crate::sandbox::{Done, Sandbox, signal};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("verbs::what_a_lost_answer_says_was_done_is_found_and_told", lost),
    ("verbs::what_runs_is_held_or_is_to_be_retried_is_changed_once_where_the_answer_is_lost", lost_while_it_runs),
    ("verbs::history_is_removed_whole_and_counted_where_the_answer_is_lost", lost_while_pruning),
    ("verbs::a_copy_goes_on_where_the_answer_is_lost", lost_while_copying),
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
        asked_in_vain(change(kind), &bench.url, &sandbox, line, says);
        assert_eq!(sql(&bench.url, count).unwrap(), one(expected), "{line:?}");
    }
    Ok(())
}

/// Asks for something, with the answer to a text that has `marker` in it lost: it is told as done all the same.
fn asked_in_vain(marker: &[u8], url: &str, sandbox: &Sandbox, line: &str, says: &str) {
    let proxy = Proxy::before(url).unwrap();
    proxy.drop_reply_after(marker);
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
        asked_in_vain(change(kind), &bench.url, &sandbox, line, says);
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

/// A bench with five ended attempts of `p`, each of an occurrence of its own.
fn with_history(kind: &'static Kind) -> Result<Bench, Lack> {
    let bench = kind.bench()?;
    wait(async {
        for hour in ["01:00", "02:00", "03:00", "04:00", "05:00"] {
            let attempt = bench.claimed("p", hour).await;
            bench.ended(&attempt, Outcome::Failed).await;
        }
    });
    Ok(bench)
}

const ATTEMPTS: &str = "SELECT count(*) FROM tickward_attempt";

/// What stands in a text that removes attempts, and in no other.
fn removal(kind: &'static Kind) -> &'static [u8] {
    kind.pick("DELETE FROM tickward_attempt t", "STRAIGHT_JOIN tickward_attempt t ").as_bytes()
}

fn lost_while_pruning(kind: &'static Kind) -> Result<(), Lack> {
    let sandbox = Sandbox::with(LATER);
    // Somebody else who changes the pipeline as the removal is committed: what is removed is not looked up by the row.
    let change = kind.pick(
        "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN UPDATE tickward_pipeline SET version = version + 1; RETURN NULL; END'; \
         CREATE TRIGGER changed AFTER DELETE ON tickward_attempt FOR EACH ROW EXECUTE FUNCTION change()",
        "CREATE TRIGGER changed AFTER DELETE ON tickward_attempt FOR EACH ROW UPDATE tickward_pipeline SET version = version + 1",
    );
    for meanwhile in [None, Some(change)] {
        let bench = with_history(kind)?;
        if let Some(change) = meanwhile {
            sql(&bench.url, change).unwrap();
        }
        let says = "removed   4 attempts, 0 entries";
        asked_in_vain(removal(kind), &bench.url, &sandbox, "prune p --keep 1", says);
        assert_eq!(sql(&bench.url, ATTEMPTS).unwrap(), one("1"), "{meanwhile:?}");
    }
    Ok(())
}

fn lost_while_copying(kind: &'static Kind) -> Result<(), Lack> {
    let from = with_history(kind)?;
    let to = kind.bench()?;
    let sandbox = Sandbox::with(LATER);
    let proxy = Proxy::before(&to.url).unwrap();
    proxy.drop_reply_after(b"INSERT INTO tickward_attempt");
    let done = sandbox.call(&["run-log", "copy", &from.url, &proxy.url(&to.url)]).expect(0);
    assert_eq!(proxy.traffic().cut, 1, "{done:?}");
    for says in ["copied    1 pipelines, 5 attempts, ", "verified  both have the digest "] {
        assert!(done.stderr.contains(says), "{done:?}");
    }
    assert_eq!(sql(&to.url, ATTEMPTS).unwrap(), one("5"));
    Ok(())
}

fn gone(kind: &'static Kind) -> Result<(), Lack> {
    let bench = with_history(kind)?;
    let sandbox = Sandbox::with(LATER);
    sandbox.call(&["run-due", "--run-log-url", &bench.url]).expect(0);
    for (line, marker, says) in [
        ("skip p", change(kind), &["did not answer", "it may have been done or not", "tickward status"][..]),
        ("prune p --keep 1", removal(kind), &["did not answer", "help: ask again: it goes on where it was"]),
    ] {
        let proxy = Proxy::before(&bench.url).unwrap();
        let url = proxy.url(&bench.url);
        proxy.drop_reply_after(marker);
        proxy.hold(Direction::ToClient);
        let asking = sandbox.start(&format!("{line} --run-log-url {url}"));
        // Connected, and nobody else will be.
        proxy.wait_until(|traffic| traffic.connections == 1);
        proxy.refuse();
        proxy.release(Direction::ToClient);
        let done = Done::wait(asking).expect(4);
        for says in says {
            assert!(done.stderr.contains(says), "{line}: {says}: {done:?}");
        }
    }
    Ok(())
}
