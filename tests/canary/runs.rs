//! Secrets in pipelines that are right: what is run, what cannot be started, what is recorded and shown of it.

use std::fs;

use rusqlite::Connection;

use super::secrets::FILLED;
use super::watch::Watch;

/// Where a variable may stand in a pipeline that is right, but for the shell line, in which it is the shell's.
const PLACES: [(&str, &str); 13] = [
    ("argument", "command: [sh, -c, 'exit 3', '${V}']"),
    ("part", "command: [sh, -c, 'exit 3', '--auth=${V}&x']"),
    ("template", "command: [sh, -c, 'exit 3', '{{ run_id }}${V}{{ attempt }}']"),
    ("variable", "command: [sh, -c, 'exit 3'], env: { CREDENTIALS: '${V}' }"),
    ("default", "command: [sh, -c, 'exit 3'], env: { CREDENTIALS: '${NO:-x${V}}' }"),
    ("stdin", "command: [sh, -c, 'cat >/dev/null; exit 3'], stdin: '${V}'"),
    ("program", "command: ['/nowhere/${V}/x{{ attempt }}']"),
    ("program_in_path", "command: ['${V}']"),
    ("cwd", "command: [\"true\"], cwd: '/nowhere/${V}'"),
    ("stdin_file", "command: [\"true\"], stdin: { file: '/nowhere/${V}' }"),
    ("user", "command: [\"true\"], user: '${V}'"),
    ("group", "command: [\"true\"], group: 'x${V}'"),
    ("path", "command: [no-such-program], env: { PATH: '/nowhere/${V}:/nowhere' }"),
];

/// Commands that look at what was run.
const LOOKS: [&str; 8] = [
    "status",
    "status -o json",
    "history -n 2000",
    "history -o json -n 2000",
    "list",
    "list -o json",
    "next --count 1",
    "run-due --dry-run",
];

/// A pipeline for each secret in each place.
fn configuration() -> String {
    let mut text = String::from("run_log: sqlite:runs.db\npipelines:\n");
    for (place, line) in PLACES {
        for secret in FILLED.iter() {
            let line = line.replace("${V}", &format!("${{{}}}", secret.name));
            text += &format!("  {place}.{}: {{ schedule: '* * * * *', {line} }}\n", secret.name);
        }
    }
    for (name, line) in [
        ("shell", "command: 'test -n \"$PLAIN$DATABASE_URL\" && exit 4'"),
        ("late", "command: [sh, -c, 'exec sleep 60', '${PLAIN}'], timeout: 10ms, kill_grace: 0s"),
        ("again", "command: ['/nowhere/${PLAIN}'], retry: { max_attempts: 2, delay: 0s }"),
        ("only", "command: [sh, -c, 'exit 5'], inherit_env: [PATH, DATABASE_URL]"),
    ] {
        text += &format!("  {name}: {{ schedule: '* * * * *', {line} }}\n");
    }
    text
}

#[test]
fn what_runs_and_what_cannot_be_started_tells_no_secret() {
    let mut watch = Watch::new();
    watch.sandbox.write("tickward.yaml", &configuration());
    watch.call("run-due -o json", &[]).expect(1);
    let history = watch.call("history -o json -n 2000", &[]).json();
    let attempts = history.as_array().unwrap().iter().filter(|record| record["kind"] == "attempt");
    assert!(attempts.count() >= PLACES.len() * FILLED.len(), "all of them were tried");
    for line in LOOKS {
        watch.call(line, &[]);
    }
    for (place, _) in PLACES {
        for name in ["SHELL", "UNICODE"] {
            watch.call(&format!("logs {place}.{name}"), &[]);
        }
        watch.call(&format!("run {place}.PEM -o json"), &[]);
        watch.call(&format!("run-due -o json --no-run-log --only {place}.CONTROLS"), &[]);
    }
    for place in ["argument", "variable", "program", "cwd"] {
        watch.call_in_all_ways(&format!("run {place}.AT_AND_SLASH"));
    }
    for line in ["status", "history", "validate", "schema", "version", "init", "init other.yaml", "completions bash"] {
        watch.call_in_all_ways(line);
    }
    watch.assert_silent(&["tickward.yaml"]);
}

/// What a start failed on is still told, with the names that the configuration gives it.
#[test]
fn the_reason_of_a_failed_start_is_told_without_its_secrets() {
    let mut watch = Watch::new();
    watch.sandbox.write("tickward.yaml", &configuration());
    for (name, reason) in [
        ("program.PLAIN", "`/nowhere/***/x1` was not found"),
        ("program.SHORT", "`/nowhere/***/x1` was not found"),
        ("cwd.SHELL", "working directory `/nowhere/***` was not found"),
        ("stdin_file.AT_AND_SLASH", "standard input `/nowhere/***` was not found"),
        ("user.UNICODE", "user `***` is unknown here"),
        ("group.MARKUP", "group `x***` is unknown here"),
        ("program_in_path.BASE64", "`***` was not found"),
        ("path.REGEX", "`no-such-program` was not found in PATH (`/nowhere/***:/nowhere`)"),
    ] {
        let done = watch.call(&format!("run {name} -o json"), &[]);
        assert_eq!(done.json()["error"].as_str(), Some(reason), "{name}");
    }
    watch.assert_silent(&["tickward.yaml"]);
}

#[test]
fn a_broken_row_tells_no_secret() {
    let mut watch = Watch::new();
    watch.sandbox.write(
        "tickward.yaml",
        "run_log: sqlite:runs.db
pipelines:
  one: { schedule: '* * * * *', command: [sh, -c, 'exit 3', '${PLAIN}'], env: { CREDENTIALS: '${DATABASE_URL}' } }
  two: { schedule: '* * * * *', command: ['/nowhere/${SHELL}'] }
",
    );
    watch.call("run-due", &[]).expect(1);
    for (table, change) in [
        ("tickward_pipeline", "schedules = '[{'"),
        ("tickward_pipeline", "totals = '{\"failed\":-1}'"),
        ("tickward_attempt", "state = 'unheard_of'"),
        ("tickward_attempt", "policy = '{}'"),
        ("tickward_attempt", "started_at = -9223372036854775808"),
    ] {
        let store = Connection::open(watch.sandbox.path("runs.db")).unwrap();
        store.execute_batch(&format!("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM {table}")).unwrap();
        store.execute_batch(&format!("UPDATE {table} SET {change}; COMMIT")).unwrap();
        let told = watch.call("history -o json", &[]).code + watch.call("status -o json", &[]).code;
        assert!(told > 0, "{change} is noticed");
        for line in ["run-due", "run two", "logs one"] {
            watch.call_in_all_ways(line);
        }
        store
            .execute_batch(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept"))
            .unwrap();
    }
    let file = watch.sandbox.path("runs.db");
    fs::write(&file, b"this is no database, and never was one").unwrap();
    for line in ["run-due", "status", "history -o json", "logs one", "run one"] {
        watch.call_in_all_ways(line);
    }
    watch.assert_silent(&["tickward.yaml"]);
}
