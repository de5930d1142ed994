//! What a person asks for while the server's answer is lost: it is done once, and told as it is.

use crate::further::Lack;
use crate::kind::Kind;
use crate::proxy::{Direction, Proxy};
use crate::sandbox::{Done, Sandbox};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("verbs::what_a_lost_answer_says_was_done_is_found_and_told", lost),
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
        let proxy = Proxy::before(&bench.url).unwrap();
        let url = proxy.url(&bench.url);
        proxy.drop_reply_after(change(kind));
        let line: Vec<&str> = line.split(' ').chain(["--run-log-url", &url]).collect();
        let done = sandbox.call(&line).expect(0);
        assert_eq!(proxy.traffic().connections, 2, "{line:?}: one was cut: {done:?}");
        assert!(format!("{}{}", done.stdout, done.stderr).contains(says), "{line:?}: {done:?}");
        assert_eq!(sql(&bench.url, count).unwrap(), [[Some(expected.to_owned())]], "{line:?}");
    }
    Ok(())
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
