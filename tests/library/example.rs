//! The example does what its page says.

use crate::sandbox::{Sandbox, Test};

pub const TESTS: &[Test] = &[
    ("the_example_has_no_mistakes", no_mistakes),
    ("the_example_runs_its_rust_body_and_what_depends_on_it", runs),
    ("the_example_is_partial_with_rejects", partial),
    ("the_example_is_fatal_without_a_file", fatal),
    ("the_example_has_the_pipelines_of_its_file", of_the_file),
];

fn no_mistakes() {
    assert_eq!(crate::pipelines::registry().problems(), []);
}

fn runs() {
    let sandbox = Sandbox::of("example");
    let prices = sandbox.write("prices", "1.5\n2\n");
    let tick = |now: &str| {
        let mut command = sandbox.command(&["run-due", "-o", "json", "--now", now]);
        crate::sandbox::Done::of(command.env("PRICES", &prices).output().unwrap())
    };
    let done = tick("2026-03-02T01:00:20Z");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let ran = done.json()["ran"].clone();
    let names: Vec<_> = ran.as_array().unwrap().iter().map(|one| one["pipeline"].as_str().unwrap()).collect();
    assert!(names.contains(&"prices") && names.contains(&"hello"), "{ran}");
    let logs = sandbox.call(&["logs", "prices"]);
    assert_eq!(logs.stdout, "prices-20260302T010000Z: 2 prices, attempt 1\n", "{}", logs.stderr);
    let later = tick("2026-03-02T01:01:20Z");
    assert!(names.contains(&"report") || later.stdout.contains("\"report\""), "{ran}{}", later.stdout);
    assert_eq!(sandbox.call(&["logs", "report"]).stdout, "report of 2026-03-02\n");
}

fn partial() {
    let sandbox = Sandbox::of("example");
    let prices = sandbox.write("prices", "1.5\nmany\n");
    let output = sandbox.command(&["run", "prices", "-o", "json"]).env("PRICES", &prices).output().unwrap();
    let done = crate::sandbox::Done::of(output);
    assert_eq!((done.code, done.json()["outcome"].as_str()), (0, Some("partial")), "{}", done.stderr);
    let history = sandbox.call(&["history", "prices", "-o", "json"]).stdout.replace([' ', '\n'], "");
    assert!(history.contains(r#""results":{"rows_written":1,"rejected":1}"#), "{history}");
}

fn fatal() {
    let sandbox = Sandbox::of("example");
    let done = sandbox.call(&["run", "prices", "-o", "json"]);
    assert_eq!((done.code, done.json()["next_attempt_at"].as_str()), (1, None), "{}", done.stdout);
    assert_eq!(sandbox.call(&["logs", "prices"]).stdout, "error: set PRICES to a file of prices\n");
}

fn of_the_file() {
    let sandbox = Sandbox::of("example");
    let list = sandbox.call(&["list"]);
    for word in ["hello", "prices", "report", "/examples/library/pipelines.rs:"] {
        assert!(list.stdout.contains(word), "{word}: {}", list.stdout);
    }
}
