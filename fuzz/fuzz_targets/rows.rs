//! Any values in the columns of the SQLite run-log: a wrong one is an error that names a column, never a panic, and what a
//! newer program has written beside ours is there after we have written the row again.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;
use tickward::clock::SystemClock;
use tickward::run::{Attempt, Completion, Outcome, Row};
use tickward::runlog::contract::{Batch, Condition, End, Query, Scope, Transition, Verdict, View};
use tickward::runlog::{self, Error, OpenOptions, Purpose, RunLog};

/// The tables, the letter that an input calls each by, and a row that is right in all its columns.
const TABLES: [(&str, &str, &str); 3] = [
    ("p", "tickward_pipeline", include_str!("rows/pipeline.txt")),
    ("a", "tickward_attempt", include_str!("rows/attempt.txt")),
    ("n", "tickward_not_run", include_str!("rows/not_run.txt")),
];

struct Store {
    log: Arc<dyn RunLog>,
    raw: Connection,
    runtime: tokio::runtime::Runtime,
}

// libFuzzer calls a target from one thread.
thread_local! {
    static STORE: Store = opened();
}

fn opened() -> Store {
    let path = std::env::temp_dir().join(format!("tickward-fuzz-{}.db", std::process::id()));
    let options = OpenOptions::new(Arc::new(SystemClock), Purpose::Work);
    let log = runlog::open(&format!("sqlite:{}", path.display()), options).expect("a run-log in the temporary folder");
    let raw = Connection::open(&path).expect("the same file");
    raw.execute_batch("PRAGMA synchronous = OFF").expect("a pragma");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("an event loop");
    Store { log, raw, runtime }
}

type Columns<'a> = BTreeMap<&'a str, &'a [u8]>;

// Lines `table.column=value`; the other columns are right.
fuzz_target!(|bytes: &[u8]| STORE.with(|store| put_and_read(store, bytes)));

fn put_and_read(store: &Store, bytes: &[u8]) {
    let tables = TABLES.map(|(letter, table, right)| (table, columns(letter, right.as_bytes(), bytes)));
    if tables.iter().any(|(table, columns)| put(&store.raw, table, columns).is_err()) {
        return;
    }
    let history = store.runtime.block_on(store.log.history(Query { limit: 9, ..Query::default() }));
    told(history.map(drop), &tables);
    match store.runtime.block_on(store.log.load(Scope::All)) {
        Ok(view) => written_again(store, view, &tables),
        Err(error) => told(Err(error), &tables),
    }
}

/// The columns of a right row, with those of the input in their places.
fn columns<'a>(letter: &str, right: &'a [u8], input: &'a [u8]) -> Columns<'a> {
    let pair = |line: &'a [u8]| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        Some((std::str::from_utf8(&line[..at]).ok()?, &line[at + 1..]))
    };
    let mut columns: Columns<'a> = right.split(|byte| *byte == b'\n').filter_map(pair).collect();
    for (name, value) in input.split(|byte| *byte == b'\n').filter_map(pair) {
        if let Some(column) = name.strip_prefix(letter).and_then(|name| name.strip_prefix('.'))
            && columns.contains_key(column)
        {
            columns.insert(column, value);
        }
    }
    columns
}

/// Makes this the only row of the table; what SQLite itself refuses is not our business.
fn put(raw: &Connection, table: &str, columns: &Columns<'_>) -> rusqlite::Result<()> {
    let names: Vec<&str> = columns.keys().copied().collect();
    let values: Vec<Sql> = columns.values().map(|value| stored(value)).collect();
    let places: Vec<String> = values.iter().enumerate().map(|(index, value)| place(index + 1, value)).collect();
    let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
    raw.prepare_cached(&format!("DELETE FROM {table}"))?.execute(())?;
    raw.prepare_cached(&insert)?.execute(params_from_iter(values)).map(drop)
}

fn stored(value: &[u8]) -> Sql {
    let text = std::str::from_utf8(value).ok();
    match text.and_then(|text| text.parse().ok()) {
        Some(number) => Sql::Integer(number),
        None if text == Some("NULL") => Sql::Null,
        None => Sql::Blob(value.to_vec()),
    }
}

/// Texts go in as bytes, so that they need not be UTF-8.
fn place(number: usize, value: &Sql) -> String {
    if let Sql::Blob(_) = value { format!("CAST(?{number} AS TEXT)") } else { format!("?{number}") }
}

/// An error names a column of the tables.
fn told(answer: Result<(), Error>, tables: &[(&str, Columns<'_>); 3]) {
    let Err(error) = answer else { return };
    let text = format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
    // SQLite itself calls a column `table.column`.
    let is_of = |name: &&str| text.contains(&format!("`{name}`")) || text.contains(&format!(".{name}"));
    let is_named = tables.iter().any(|(_, columns)| columns.keys().any(|name| is_of(name)));
    assert!(is_named, "{text}");
}

/// Writes what was read again, and lets the attempt end.
fn written_again(store: &Store, view: View, tables: &[(&str, Columns<'_>); 3]) {
    let ends = view.open.values().flatten().filter(|attempt| attempt.is_active()).map(ended).collect();
    // Version 0 is that of a row which is not in the store.
    let rows = view.rows.into_values().filter(|row| row.version > 0);
    let transitions: Vec<Transition> = rows.map(unchanged).collect();
    let again = store.runtime.block_on(store.log.commit(Batch { ends: Vec::new(), transitions }));
    match again {
        Ok(done) => assert!(done.verdicts.iter().all(|verdict| *verdict == Verdict::Won), "{:?}", done.verdicts),
        Err(error) => return told(Err(error), tables),
    }
    for column in ["schedules", "totals"] {
        let select = format!("SELECT {column} FROM tickward_pipeline");
        let after: String = store.raw.query_row(&select, (), |row| row.get(0)).expect("the row is there");
        let before: Json = serde_json::from_slice(tables[0].1[column]).expect("it was read before");
        let after: Json = serde_json::from_str(&after).expect("we write JSON");
        assert!(holds(&after, &before), "{column}: {before} became {after}");
    }
    told(store.runtime.block_on(store.log.commit(Batch { ends, transitions: Vec::new() })).map(drop), tables);
}

fn unchanged(row: Row) -> Transition {
    Transition {
        row,
        claim: None,
        closed: Vec::new(),
        not_run: Vec::new(),
        stops: Vec::new(),
        alerts: Vec::new(),
    }
}

fn ended(attempt: &Attempt) -> End {
    let completion = Completion {
        token: attempt.token,
        outcome: Outcome::Failed,
        fatal: false,
        started_at: None,
        ended_at: attempt.claimed_at,
        duration: Default::default(),
        exit_code: Some(1),
        error: None,
        cpu: Default::default(),
        peak_memory_bytes: 0,
        output_bytes: 0,
        tail: String::new(),
        results: None,
    };
    End { completion, condition: Condition::Always }
}

/// Whether all of `before` is in `after`; a null may as well be left out.
fn holds(after: &Json, before: &Json) -> bool {
    match (after, before) {
        (Json::Object(after), Json::Object(before)) => before.iter().all(|(name, value)| {
            value.is_null() && !after.contains_key(name) || after.get(name).is_some_and(|after| holds(after, value))
        }),
        (Json::Array(after), Json::Array(before)) => {
            after.len() == before.len() && after.iter().zip(before).all(|(after, before)| holds(after, before))
        }
        (after, before) => after == before,
    }
}
