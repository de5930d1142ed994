//! What ematix-flow keeps in a DuckDB file: it is read, and the file is left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use tickward::run::Outcome;
use tickward::runlog::contract::{Query, Record};
use tickward::runlog::copy::Foreign;
use tickward::runlog::{Error, foreign};

use crate::bench::{Bench, id};
use crate::duckdb_file::{Run, Stranger, beside, claimed, file_of, say, url_of};

pub const CASES: [(&str, Run); 5] = [
    ("the_history_of_ematix_flow_is_taken_over", the_history_of_ematix_flow_is_taken_over),
    ("a_file_of_ematix_flow_is_left_as_it_is", a_file_of_ematix_flow_is_left_as_it_is),
    ("what_a_killed_ematix_flow_left_in_the_log_is_read_too", what_a_killed_ematix_flow_left_in_the_log_is_read_too),
    ("an_ematix_flow_that_has_its_file_open_is_named", an_ematix_flow_that_has_its_file_open_is_named),
    ("what_is_none_of_ematix_flow_is_not_taken_for_it", what_is_none_of_ematix_flow_is_not_taken_for_it),
];

/// As its version 1.0.0 makes and fills them.
const THEIRS: &str = "
CREATE TABLE run_log (pipeline_name VARCHAR PRIMARY KEY, last_run_at VARCHAR NOT NULL, success BOOLEAN NOT NULL);
CREATE TABLE attempt_state (pipeline_name VARCHAR PRIMARY KEY, attempt_count INTEGER NOT NULL, last_attempt_at VARCHAR NOT NULL,
    gave_up BOOLEAN NOT NULL);
CREATE TABLE pipeline_claims (pipeline_name VARCHAR PRIMARY KEY, claim_token VARCHAR NOT NULL, worker_id VARCHAR NOT NULL,
    claimed_at VARCHAR NOT NULL, expires_at VARCHAR NOT NULL);
INSERT INTO run_log VALUES ('good', '2026-03-02T02:00:05Z', true), ('bad', '2026-03-02T03:00:05Z', false),
    ('orders/daily load', '2026-03-02T03:00:05Z', true);
INSERT INTO attempt_state VALUES ('bad', 3, '2026-03-02T03:00:05Z', true), ('good', 0, '2026-03-02T02:00:05Z', false);
";

fn theirs(bench: &Bench) -> PathBuf {
    fs::create_dir(bench.folder().join("theirs")).unwrap();
    let path = bench.folder().join("theirs/flow.duckdb");
    say(&path, THEIRS);
    path
}

fn read(path: &Path) -> Result<Option<Foreign>, Error> {
    foreign(&url_of(path))
}

/// Every file of a folder, with what is in it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn the_history_of_ematix_flow_is_taken_over(bench: &Bench) -> Option<String> {
    let found = read(&theirs(bench)).unwrap().unwrap();
    assert_eq!(found.left_out, ["pipeline `orders/daily load`"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let adopted = runtime.block_on(bench.log.adopt(found.items)).unwrap();
    assert_eq!((adopted.new, adopted.known, adopted.differs), (4, 0, 0), "a row and an attempt of each");
    let history = runtime.block_on(bench.history(Query::default()));
    let history = history.iter().map(|record| match record {
        Record::Attempt(attempt) => {
            let end = attempt.end.as_ref().unwrap();
            (attempt.run.pipeline.name.as_str(), end.ended_at.to_string(), end.outcome, attempt.gave_up)
        }
        other => panic!("{other:?}"),
    });
    let expected = [
        ("bad", "2026-03-02T03:00:05Z".to_owned(), Outcome::Failed, true),
        ("good", "2026-03-02T02:00:05Z".to_owned(), Outcome::Succeeded, false),
    ];
    assert_eq!(history.collect::<Vec<_>>(), expected);
    let row = runtime.block_on(bench.row(&id("bad")));
    assert_eq!((row.cursor.unwrap().to_string(), row.fence), ("2026-03-02T03:00:05Z".into(), 1));
    None
}

fn a_file_of_ematix_flow_is_left_as_it_is(bench: &Bench) -> Option<String> {
    let path = theirs(bench);
    let before = files(path.parent().unwrap());
    assert_eq!(before.len(), 1);
    read(&path).unwrap().unwrap();
    assert!(files(path.parent().unwrap()) == before, "nothing was written there or beside it");
    None
}

fn what_a_killed_ematix_flow_left_in_the_log_is_read_too(bench: &Bench) -> Option<String> {
    let path = theirs(bench);
    drop(Stranger::at(&path, "INSERT INTO run_log VALUES ('late', '2026-03-02T04:00:05Z', true)"));
    let before = files(path.parent().unwrap());
    assert_eq!(before.len(), 2, "its log is there: {before:?}");
    assert_eq!(before[1].0, beside(&path, ".wal"));
    let found = read(&path).unwrap().unwrap();
    assert_eq!(found.items.len(), 6, "{found:?}");
    assert!(files(path.parent().unwrap()) == before, "nothing was written there or beside it");
    None
}

fn an_ematix_flow_that_has_its_file_open_is_named(bench: &Bench) -> Option<String> {
    let path = theirs(bench);
    let stranger = Stranger::at(&path, "SELECT 1");
    let error = read(&path).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("could not be had for 1 s: another program has it open: /"), "{error}");
    drop(stranger);
    assert!(read(&path).unwrap().is_some());
    None
}

fn what_is_none_of_ematix_flow_is_not_taken_for_it(bench: &Bench) -> Option<String> {
    claimed(bench);
    say(&file_of(bench), THEIRS);
    assert!(read(&file_of(bench)).unwrap().is_none(), "tables of ours go before theirs");
    let others = bench.folder().join("others.duckdb");
    say(&others, "CREATE TABLE attempt_state (pipeline_name VARCHAR)");
    assert!(read(&others).unwrap().is_none());
    let nowhere = bench.folder().join("nowhere/flow.duckdb");
    assert!(read(&nowhere).unwrap().is_none());
    assert!(!nowhere.parent().unwrap().exists());
    None
}
