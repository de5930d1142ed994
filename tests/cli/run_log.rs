//! run-log check, show, copy, migrate, ddl: looking after the run-log itself.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use super::sandbox::{Sandbox, each, keys};

const CONFIG: &str = "
run_log: sqlite:runs.db
pipelines:
  good: { schedule: '0 2 * * *', command: 'true' }
  bad: { schedule: '0 3 * * *', retry: { max_attempts: 2, delay: 1h }, command: 'exit 3' }
";

/// A run-log in which both have run by hand.
fn ran() -> Sandbox {
    let sandbox = Sandbox::with(CONFIG);
    sandbox.run("run-due").expect(0);
    sandbox.run("run good").expect(0);
    sandbox.run("run bad").expect(1);
    sandbox
}

/// Everything that a run-log knows, as rows of text.
fn contents(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let connection = Connection::open(sandbox.path(file)).unwrap();
    let mut all = Vec::new();
    for (table, columns) in [
        ("tickward_pipeline", "*"),
        ("tickward_attempt", "*"),
        ("tickward_not_run", "*"),
        // Since when it waits is not handed over: elsewhere it waits since it happened.
        ("tickward_outbox", "number, id, about, alert, state, done, not_before, error"),
    ] {
        let mut statement = connection.prepare(&format!("SELECT {columns} FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query(()).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..columns).map(|at| shown(row.get_ref(at).unwrap())).collect();
            all.push(format!("{table}: {}", values.join(" ")));
        }
    }
    all.sort();
    all
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_good_run_log_is_told_so_and_left_as_it_was() {
    let sandbox = ran();
    let before = contents(&sandbox, "runs.db");
    let done = sandbox.run("run-log check -o json --claims 6 --rounds 3").expect(0).json();
    let checks: Vec<_> = each(&done["checks"], "check");
    assert_eq!(checks, ["connect", "product", "role", "rights", "form", "clock", "claims"]);
    let facts = each(&done["checks"], "fact");
    assert_eq!(facts[6], "6 claimed one occurrence at once, 1 won");
    assert!(facts[1].starts_with("SQLite 3."), "{facts:?}");
    assert_eq!(facts[4], "form 5, as this program has it");
    assert_eq!(each(&done["latency"], "call"), ["load", "claim", "renew", "end", "history"]);
    for call in done["latency"].as_array().unwrap() {
        let [min, median, max] = ["min_us", "median_us", "max_us"].map(|key| call[key].as_u64().unwrap());
        assert!(min <= median && median <= max && max > 0, "{call}");
    }
    let after = contents(&sandbox, "runs.db");
    let (guard, others): (Vec<_>, Vec<_>) = after.into_iter().partition(|row| row.contains("tickward check"));
    assert_eq!(others, before);
    assert_eq!(guard.len(), 1, "what guards claims stays: {guard:?}");
    let text = sandbox.run("run-log check runs.db").expect(0).stdout;
    assert!(
        text.starts_with("CHECK") && text.contains("\nclaims   good  8 claimed") && text.contains("\nCALL"),
        "{text}"
    );
    assert_eq!(contents(&sandbox, "runs.db").len(), before.len() + 1, "however often it is checked");
    assert!(!sandbox.run("status").stdout.contains("tickward:check"));
    sandbox.run("run-log check memory://").expect(0);
}

#[test]
fn the_page_shows_the_check_as_it_is_printed() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run-log.md")).unwrap();
    let shown = page.split("$ tickward run-log check\n").nth(1).unwrap().split("```").next().unwrap();
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '@daily', command: 'true' } }");
    sandbox.run("run-due").expect(0);
    let address = sandbox.state().join("run_log.db").display().to_string();
    let printed = sandbox.run("run-log check").expect(0).stdout.replace(&address, "/var/lib/tickward/run_log.db");
    let (checks, calls) = printed.split_once("\n\n").unwrap();
    let (shown_checks, shown_calls) = shown.split_once("\n\n").unwrap();
    assert_eq!(checks, shown_checks);
    let names = |table: &str| table.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(calls), names(shown_calls));
}

#[test]
fn what_is_no_good_is_told_with_its_reason() {
    let sandbox = ran();
    sandbox.write("torn.db", "this is no database, however long it may be, and never was one in all its life");
    let change = |statement: &str| Connection::open(sandbox.path("runs.db")).unwrap().execute_batch(statement).unwrap();
    let torn = sandbox.run("run-log check torn.db").expect(4);
    assert!(torn.stdout.contains("connect  wrong") && torn.stdout.contains("no SQLite file"), "{torn:?}");
    let none = sandbox.run("run-log check none.db").expect(4);
    assert!(
        none.stderr.starts_with("error: there is no run-log `none.db` yet\nhelp: `tickward run-log migrate`"),
        "{none:?}"
    );
    assert!(!sandbox.path("none.db").exists());
    let scheme = sandbox.run("run-log check ftp://user:s3cret@host/x").expect(2);
    assert!(!format!("{scheme:?}").contains("s3cret"), "{scheme:?}");
    change("UPDATE tickward_meta SET value = '99' WHERE key IN ('schema', 'needs')");
    let newer = sandbox.run("run-log check -o json").expect(4).json();
    assert_eq!((&newer["rc"], &newer["checks"][0]["good"]), (&json!(4), &json!(false)));
    assert!(newer["checks"][0]["fact"].as_str().unwrap().contains("needs a newer tickward"), "{newer}");
    for (address, why) in [
        ("sqlite://none.db", "an SQLite address has no host: two slashes are one too few or two too many"),
        ("sqlite:none.db?mode=ro", "the run-log's address has a parameter `mode` that SQLite does not take so"),
        ("sqlite:", "the run-log's address names no file"),
        ("${NONE}", "the run-log's address names a variable that is not set, or not as `${NAME}`"),
    ] {
        let none = sandbox.call(&["run-log", "check", address]).expect(2);
        assert!(none.stderr.starts_with(&format!("error: {why}\nhelp: ")), "{address}: {none:?}");
    }
    let named = sandbox.call_with(&["run-log", "check"], &[("TICKWARD_RUN_LOG_URL", "")]);
    assert!(named.expect(2).stderr.starts_with("error: no run-log is named\n"));
}

#[test]
fn one_row_is_shown_in_full() {
    let sandbox = ran();
    sandbox.run("pause bad --note later").expect(0);
    let row = sandbox.run("run-log show bad -o json").expect(0).json();
    assert_eq!((&row["namespace"], &row["pipeline"], &row["fence"]), (&json!("default"), &json!("bad"), &json!(1)));
    assert_eq!((&row["totals"], &row["paused"]["note"]), (&json!({ "failed": 1 }), &json!("later")));
    assert_eq!((&row["open"][0]["state"], &row["open"][0]["attempt"]), (&json!("failed"), &json!(1)));
    assert!(row["open"][0]["retry_at"].is_string() && row["schedules"][0]["since"].is_string(), "{row}");
    assert_eq!(row["last"]["outcome"], "failed");
    assert!(row["version"].as_u64().unwrap() >= 3 && row["cursor"].is_string(), "{row}");
    let text = sandbox.run("run-log show bad").expect(0).stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [["fence", "1"], ["totals.failed", "1"], ["paused.note", "later"], ["open.1.attempt", "1"]] {
        assert!(lines.contains(&line.to_vec()), "{line:?}: {text}");
    }
    let typo = sandbox.run("run-log show bda").expect(2);
    assert!(typo.stderr.contains("did you mean `bad`?"), "{typo:?}");
    sandbox.write("tickward.yaml", &format!("{CONFIG}  new: {{ command: 'true' }}\n"));
    let unknown = sandbox.run("run-log show new").expect(2);
    assert!(unknown.stderr.starts_with("error: the run-log knows nothing of `new`\n"), "{unknown:?}");
}

#[test]
fn tables_are_made_and_brought_up_to_date_and_that_is_said() {
    let sandbox = Sandbox::with(CONFIG);
    let made = sandbox.run("run-log migrate -o json").expect(0).json();
    let all = ["0001_run_log", "0002_standing", "0003_results", "0004_outbox", "0005_degraded"];
    assert_eq!(made, json!({ "run_log": "sqlite:runs.db", "found": 0, "form": 5, "applied": all }));
    let again = sandbox.run("run-log migrate").expect(0);
    assert_eq!(again.stderr, "sqlite:runs.db: has form 5, nothing is missing\n");
    // By hand, and half of the way.
    let ddl = sandbox.run("run-log ddl").expect(0).stdout;
    assert_eq!(ddl, sandbox.run("run-log ddl --dialect sqlite").expect(0).stdout);
    Connection::open(sandbox.path("hand.db")).unwrap().execute_batch(&ddl).unwrap();
    assert!(sandbox.run("run-log migrate hand.db").expect(0).stderr.ends_with("nothing is missing\n"));
    sandbox.run("run-due --run-log-url hand.db").expect(0);
    let (first, second) = (ddl.find("0002_standing").unwrap(), ddl.find("0003_results").unwrap());
    let older = format!("{}INSERT INTO tickward_meta VALUES ('schema', '2'), ('needs', '1');", &ddl[..second - 10]);
    assert!(first < second);
    Connection::open(sandbox.path("older.db")).unwrap().execute_batch(&older).unwrap();
    let brought = sandbox.run("run-log migrate older.db").expect(0).stderr;
    let expected =
        "applied   0003_results\napplied   0004_outbox\napplied   0005_degraded\nolder.db: had form 2, has form 5\n";
    assert_eq!(brought, expected);
    let none = sandbox.run("run-log ddl --dialect memory").expect(2);
    let servers = [("postgres", cfg!(feature = "postgres")), ("mysql", cfg!(feature = "mysql"))];
    let known = servers.map(|(name, is_built)| if is_built { format!(", {name}") } else { String::new() }).concat();
    let said = format!("error: there are no tables of the kind `memory`\nhelp: known are: sqlite{known}\n");
    assert_eq!(none.stderr, said);
    let unknown = sandbox.run("run-log ddl --dialect oracle").expect(2).stderr;
    assert!(
        unknown.starts_with("error: run-log: unknown scheme `oracle`\nhelp: use one of: memory, sqlite"),
        "{unknown}"
    );
    // Whatever the address calls it.
    for (address, kind, is_built) in
        [("postgresql://h/d", "postgres", servers[0].1), ("mariadb://h/d", "mysql", servers[1].1)]
    {
        if is_built {
            let by_kind = sandbox.run(&format!("run-log ddl --dialect {kind}")).expect(0).stdout;
            let done = sandbox.call_with(&["run-log", "ddl"], &[("TICKWARD_RUN_LOG_URL", address)]).expect(0);
            assert_eq!(done.stdout, by_kind, "{address}");
        }
    }
}

#[test]
fn views_with_the_columns_of_ematix_flow_are_printed_for_who_wants_them() {
    let sandbox = ran();
    let views = sandbox.run("run-log ddl --views").expect(0).stdout;
    let connection = Connection::open(sandbox.path("runs.db")).unwrap();
    connection.execute_batch(&views).unwrap();
    let ask = |statement: &str| -> Vec<(String, i64)> {
        let mut statement = connection.prepare(statement).unwrap();
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let runs = ask("SELECT pipeline_name, success FROM run_log ORDER BY 1");
    assert_eq!(runs, [("bad".into(), 0), ("good".into(), 1)]);
    let states = ask("SELECT pipeline_name, gave_up FROM attempt_state WHERE attempt_count = 1");
    assert_eq!(states, [("bad".into(), 0)], "its retry is to come");
    // Nobody takes it for a run-log of ematix-flow, and ticks go on.
    let copied = sandbox.run("run-log copy runs.db copy.db").expect(0);
    assert!(!copied.stderr.contains("ematix-flow"), "{copied:?}");
    sandbox.run("run-due").expect(0);
}

#[test]
fn a_copy_is_the_same_and_goes_on_where_it_was_interrupted() {
    let sandbox = ran();
    sandbox.run("run-log check").expect(0);
    let done = sandbox.run("run-log copy runs.db copy.db -o json").expect(0).json();
    let expected = ["new", "known", "differs", "left_out", "from", "to", "verified", "rc"];
    assert_eq!((keys(&done), &done["verified"]), (expected.to_vec(), &json!(true)));
    assert_eq!((&done["from"], done["from"]["attempts"].as_u64()), (&done["to"], Some(2)));
    assert_eq!((done["from"]["pipelines"].as_u64(), done["known"].as_u64()), (Some(2), Some(0)));
    let whole = contents(&sandbox, "runs.db");
    assert_eq!(contents(&sandbox, "copy.db"), whole);
    let again = sandbox.run("run-log copy runs.db copy.db").expect(0);
    let none =
        "copied    0 pipelines, 0 attempts, 0 entries of what was not run, 0 alerts; 5 items were there already\n";
    assert!(again.stderr.starts_with(none), "{again:?}");
    // As if it had ended in the middle.
    let delete = "DELETE FROM tickward_attempt; DELETE FROM tickward_pipeline WHERE pipeline = 'good'";
    Connection::open(sandbox.path("copy.db")).unwrap().execute_batch(delete).unwrap();
    let rest = sandbox.run("run-log copy runs.db copy.db").expect(0);
    let missing =
        "copied    1 pipelines, 2 attempts, 0 entries of what was not run, 0 alerts; 2 items were there already\n";
    assert!(rest.stderr.starts_with(missing), "{rest:?}");
    assert_eq!(contents(&sandbox, "copy.db"), whole);
    // A tick goes on with the copy: nothing is due that was decided.
    let tick = sandbox.run("run-due -o json --run-log-url copy.db").expect(0).json();
    assert_eq!(tick["ran"], json!([]));
    sandbox.run("run good --run-log-url copy.db").expect(0);
    let row = sandbox.run("run-log show good -o json --run-log-url copy.db").json();
    assert_eq!(row["fence"], 2);
    // Now it is another one.
    let used = sandbox.run("run-log copy runs.db copy.db").expect(4);
    let told = "error: the run-log to copy into knows `good` already: nothing was copied\n";
    assert!(used.stderr.starts_with(told), "{used:?}");
    for (line, code, told) in [
        ("run-log copy runs.db ./runs.db", 2, "error: both are the same run-log\n"),
        ("run-log copy none.db new.db", 4, "error: there is no run-log `none.db` yet\n"),
        ("run-log copy runs.db", 2, "error: the following required arguments"),
    ] {
        let done = sandbox.run(line).expect(code);
        assert!(done.stderr.starts_with(told), "{line}: {done:?}");
    }
    assert!(!sandbox.path("new.db").exists());
}

#[test]
fn what_runs_hinders_a_copy_or_counts_as_lost_there() {
    let sandbox = Sandbox::with("run_log: runs.db\npipelines: { long: { command: 'touch begun; sleep 60' } }");
    let child = sandbox.start("run long");
    sandbox.wait("the command to begin", || sandbox.path("begun").exists());
    let hindered = sandbox.run("run-log copy runs.db copy.db").expect(75);
    assert!(hindered.stderr.contains("runs: nothing was copied\nhelp: stop the ticks"), "{hindered:?}");
    sandbox.run("run-log copy runs.db copy.db --force").expect(0);
    sandbox.run("run-log copy runs.db copy.db --force").expect(0);
    let history = sandbox.run("history -o json --run-log-url copy.db").json();
    assert_eq!((&history[0]["state"], history.as_array().unwrap().len()), (&json!("lost"), 1));
    let tick = sandbox.run("run-due -o json --run-log-url copy.db").expect(0).json();
    assert_eq!((&tick["ran"], &tick["failed"]), (&json!([]), &json!([])));
    super::sandbox::signal(&child, nix::sys::signal::Signal::SIGKILL);
    drop(super::sandbox::Done::wait(child));
}

const PEER: &str = "
CREATE TABLE run_log (pipeline_name TEXT PRIMARY KEY, last_run_at TEXT NOT NULL, success INTEGER NOT NULL);
CREATE TABLE attempt_state (pipeline_name TEXT PRIMARY KEY, attempt_count INTEGER NOT NULL, last_attempt_at TEXT NOT NULL,
    gave_up INTEGER NOT NULL);
CREATE TABLE pipeline_claims (pipeline_name TEXT PRIMARY KEY, claim_token TEXT NOT NULL, worker_id TEXT NOT NULL,
    claimed_at TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE run_records (run_id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL,
    finished_at TEXT, attempt INTEGER NOT NULL, failed_step TEXT, failed_watermark TEXT, error_summary TEXT,
    kind TEXT NOT NULL, extras_json TEXT NOT NULL);
INSERT INTO run_log VALUES ('good', '2026-03-02T02:00:05Z', 1), ('bad', '2026-03-02T03:00:05Z', 0),
    ('orders/daily load', '2026-03-02T03:00:05Z', 1);
INSERT INTO attempt_state VALUES ('bad', 3, '2026-03-02T03:00:05Z', 1);
INSERT INTO run_records VALUES
    ('r1', 'good', 'failed', '2026-03-01T02:00:00Z', '2026-03-01T02:00:09Z', 1, NULL, NULL, 'no rows', 'batch', '{}'),
    ('r2', 'good', 'succeeded', '2026-03-02T02:00:00Z', '2026-03-02T02:00:07Z', 1, NULL, NULL, NULL, 'batch', '{}'),
    ('r3', 'good', 'running', '2026-03-03T02:00:00Z', NULL, 1, NULL, NULL, NULL, 'batch', '{}');
";

#[test]
fn the_history_of_ematix_flow_is_taken_over() {
    let sandbox = Sandbox::with(CONFIG);
    Connection::open(sandbox.path("flow.db")).unwrap().execute_batch(PEER).unwrap();
    let before = std::fs::read(sandbox.path("flow.db")).unwrap();
    let done = sandbox.run("run-log copy flow.db runs.db").expect(0);
    assert!(done.stderr.starts_with("notice: this is a run-log of ematix-flow"), "{done:?}");
    assert!(done.stderr.contains("copied    2 pipelines, 3 attempts, "), "{done:?}");
    assert!(
        done.stderr.contains("left out  run `r3` of `good` (running)\nleft out  pipeline `orders/daily load`\n"),
        "{done:?}"
    );
    assert_eq!(std::fs::read(sandbox.path("flow.db")).unwrap(), before, "it is only read");
    let again = sandbox.run("run-log copy flow.db runs.db -o json").expect(0).json();
    assert_eq!((&again["new"], &again["known"]), (&json!(0), &json!(5)));
    let expected = [
        ("bad", "2026-03-02T03:00:05Z", "failed"),
        ("good", "2026-03-01T02:00:00Z", "failed"),
        ("good", "2026-03-02T02:00:00Z", "succeeded"),
    ];
    let found = sandbox.attempts();
    let found: Vec<_> = found.iter().map(|(name, at, _, state)| (name.as_str(), at.as_str(), state.as_str())).collect();
    assert_eq!(found, expected);
    let row: Value = sandbox.run("run-log show good -o json").expect(0).json();
    assert_eq!((&row["cursor"], &row["fence"]), (&json!("2026-03-02T02:00:00Z"), &json!(2)));
    assert_eq!(row["totals"], json!({ "failed": 1, "succeeded": 1 }));
    // Where a run-log of ours has that name, nothing is mixed.
    let tick = sandbox.run("run-due -o json").expect(0).json();
    assert_eq!(tick["ran"], json!([]), "what fell due before is not made up for");
}
