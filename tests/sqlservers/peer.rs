//! What ematix-flow has kept on a server goes over to a run-log of ours.

use serde_json::json;

use crate::further::Lack;
use crate::kind::Kind;
use crate::sandbox::Sandbox;
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[("peer::the_history_of_ematix_flow_is_taken_over", taken_over)];

/// As its version 1.0.0 makes them; the types differ between servers.
const TABLES: &str = "\
    CREATE TABLE run_log (pipeline_name NAME NOT NULL PRIMARY KEY, last_run_at TEXT NOT NULL, success TRUTH NOT NULL); \
    CREATE TABLE attempt_state (pipeline_name NAME NOT NULL PRIMARY KEY, attempt_count INTEGER NOT NULL, \
        last_attempt_at TEXT NOT NULL, gave_up TRUTH NOT NULL); \
    INSERT INTO run_log VALUES ('good', '2026-03-02T02:00:05Z', YES), ('bad', '2026-03-02T03:00:05.250000+00:00', NO), \
        ('orders/daily load', '2026-03-02T03:00:05Z', YES); \
    INSERT INTO attempt_state VALUES ('bad', 3, '2026-03-02T03:00:05Z', YES), ('good', 0, '2026-03-02T02:00:05Z', NO)";

fn taken_over(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let theirs = bench.another_url();
    if let Some((_, schema)) = theirs.split_once("schema=") {
        sql(&bench.url, &format!("CREATE SCHEMA {schema}")).unwrap();
    }
    let tables = TABLES.replace("NAME", kind.pick("TEXT", "VARCHAR(255)"));
    let tables = tables.replace("TRUTH", kind.pick("BOOLEAN", "TINYINT(1)"));
    let tables = tables.replace("YES", kind.pick("true", "1")).replace("NO)", kind.pick("false)", "0)"));
    sql(&theirs, &tables).unwrap();
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
    sql(&bench.url, &tables).unwrap();
    let done = sandbox.call(&["run-log", "copy", &bench.url, "further.db"]).expect(0);
    assert!(!done.stderr.contains("ematix-flow"), "{done:?}");
    Ok(())
}
