//! What ematix-flow has kept on a server goes over to a run-log of ours.

use serde_json::json;

use crate::bench::Bench;
use crate::further::Lack;
use crate::kind::{Kind, with};
use crate::sandbox::Sandbox;
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("peer::the_history_of_ematix_flow_is_taken_over", taken_over),
    ("peer::from_where_nothing_is_nothing_is_copied_and_nothing_made", nothing_there),
];

pub const OF_MYSQL: &[crate::Case] = &[("peer::tables_with_a_prefix_are_found_by_it", with_a_prefix)];

/// As its version 1.0.0 makes them; the types differ between servers.
const TABLES: &str = "\
    CREATE TABLE run_log (pipeline_name NAME NOT NULL PRIMARY KEY, last_run_at TEXT NOT NULL, success TRUTH NOT NULL); \
    CREATE TABLE attempt_state (pipeline_name NAME NOT NULL PRIMARY KEY, attempt_count INTEGER NOT NULL, \
        last_attempt_at TEXT NOT NULL, gave_up TRUTH NOT NULL); \
    INSERT INTO run_log VALUES ('good', '2026-03-02T02:00:05Z', YES), ('bad', '2026-03-02T03:00:05.250000+00:00', NO), \
        ('orders/daily load', '2026-03-02T03:00:05Z', YES); \
    INSERT INTO attempt_state VALUES ('bad', 3, '2026-03-02T03:00:05Z', YES), ('good', 0, '2026-03-02T02:00:05Z', NO)";

/// Their tables at `url`, which has no place yet where it names a schema.
fn make_theirs(kind: &'static Kind, bench: &Bench, url: &str, prefix: &str) {
    make_place(bench, url);
    let tables = TABLES.replace("NAME", kind.pick("TEXT", "VARCHAR(255)"));
    let tables = tables.replace("TRUTH", kind.pick("BOOLEAN", "TINYINT(1)"));
    let tables = tables.replace("YES", kind.pick("true", "1")).replace("NO)", kind.pick("false)", "0)"));
    let tables = tables.replace("run_log", &format!("{prefix}run_log"));
    sql(url, &tables.replace("attempt_state", &format!("{prefix}attempt_state"))).unwrap();
}

fn make_place(bench: &Bench, url: &str) {
    if let Some((_, schema)) = url.split_once("schema=") {
        sql(&bench.url, &format!("CREATE SCHEMA IF NOT EXISTS {schema}")).unwrap();
    }
}

fn taken_over(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let theirs = bench.another_url();
    make_theirs(kind, &bench, &theirs, "");
    let sandbox = Sandbox::with("pipelines: { good: { schedule: '@daily', command: ENTER } }");
    // To a server's own kind, and to a file.
    for to in [&bench.url, "runs.db"] {
        let done = sandbox.call(&["run-log", "copy", &theirs, to]).expect(0);
        assert!(done.stderr.starts_with("notice: this is a run-log of ematix-flow"), "{done:?}");
        assert!(done.stderr.contains("copied    2 pipelines, 2 attempts, "), "{done:?}");
        assert!(done.stderr.contains("left out  pipeline `orders/daily load`\n"), "{done:?}");
        let history = sandbox.call(&["history", "-o", "json", "--run-log-url", to]).expect(0).json();
        let found: Vec<_> = history.as_array().unwrap().iter().map(|one| (&one["pipeline"], &one["state"])).collect();
        assert_eq!(found, [(&json!("bad"), &json!("failed")), (&json!("good"), &json!("succeeded"))], "{history}");
    }
    let left = sql(&theirs, "SELECT count(*) FROM run_log").unwrap();
    assert_eq!(left, [[Some("3".to_owned())]]);
    // A run-log of ours is not taken for one of theirs, whatever else is there.
    make_theirs(kind, &bench, &bench.url, "");
    let done = sandbox.call(&["run-log", "copy", &bench.url, "further.db"]).expect(0);
    assert!(!done.stderr.contains("ematix-flow"), "{done:?}");
    Ok(())
}

/// The names of all tables in a place.
fn tables_at(kind: &'static Kind, url: &str) -> Vec<String> {
    let place = kind.pick("current_schema()", "DATABASE()");
    let names = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = {place} ORDER BY 1");
    sql(url, &names).unwrap().into_iter().flatten().flatten().collect()
}

fn nothing_there(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let empty = bench.another_url();
    make_place(&bench, &empty);
    let sandbox = Sandbox::with("pipelines: {}");
    let done = sandbox.call(&["run-log", "copy", &empty, &bench.url]).expect(4);
    assert!(done.stderr.starts_with("error: there is no run-log `"), "{done:?}");
    assert!(done.stderr.contains("\nhelp: name the run-log that there is"), "{done:?}");
    assert_eq!(tables_at(kind, &empty), [""; 0]);
    Ok(())
}

fn with_a_prefix(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let theirs = bench.another_url();
    make_theirs(kind, &bench, &theirs, "flow_");
    let before = tables_at(kind, &theirs);
    let sandbox = Sandbox::with("pipelines: { good: { schedule: '@daily', command: ENTER } }");
    // What is added to the address, the exit code, what is said.
    for (parameter, code, says) in [
        (
            None,
            4,
            "help: name the run-log that there is; if its tables are ematix-flow's and have a prefix: `?table_prefix=…`",
        ),
        (Some("table_prefix=other_"), 4, "has no table `other_run_log`"),
        (Some("table_prefix=a;drop"), 2, "`table_prefix` takes letters, digits and `_`, a digit not first, at most 40"),
        (Some("table_prefix="), 2, "`table_prefix` takes letters"),
        (Some("table_prefix=flow_"), 0, "copied    2 pipelines, 2 attempts, "),
        (Some("table_prefix=flow_&connect_timeout=5"), 0, "4 items were there already"),
    ] {
        let from = parameter.map_or_else(|| theirs.clone(), |parameter| with(&theirs, parameter));
        let done = sandbox.call(&["run-log", "copy", &from, "runs.db"]);
        assert!(done.code == code && done.stderr.contains(says), "{parameter:?}: {done:?}");
        assert_eq!(tables_at(kind, &theirs), before, "{parameter:?}");
    }
    // Beside tables of ours they are read all the same, and no run-log of ours has one.
    make_theirs(kind, &bench, &bench.url, "flow_");
    let done = sandbox.call(&["run-log", "copy", &with(&bench.url, "table_prefix=flow_"), "further.db"]).expect(0);
    assert!(done.stderr.contains("copied    2 pipelines, 2 attempts, "), "{done:?}");
    let tick = sandbox.call(&["run-due", "--run-log-url", &with(&theirs, "table_prefix=flow_")]).expect(2);
    assert!(tick.stderr.contains("a parameter `table_prefix` that is not known"), "{tick:?}");
    assert_eq!(tables_at(kind, &theirs), before);
    Ok(())
}
