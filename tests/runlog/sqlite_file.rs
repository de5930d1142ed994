//! The SQLite file: what it is made of, and which files are refused in words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tickward::run::Outcome;
use tickward::runlog::contract::{Query, Scope, Verdict};
use tickward::runlog::{Error, Purpose};

use crate::bench::{Bench, changing, id};

type Run = fn(&Bench) -> Option<String>;

/// Each answers why it could not be tried on this machine, if so.
pub const CASES: [(&str, Run); 17] = [
    ("a_new_file_is_for_its_owner_only", a_new_file_is_for_its_owner_only),
    ("a_new_folder_is_for_its_owner_only", a_new_folder_is_for_its_owner_only),
    ("the_journal_is_a_write_ahead_log", the_journal_is_a_write_ahead_log),
    ("without_locks_the_journal_is_a_rollback_journal", without_locks_the_journal_is_a_rollback_journal),
    ("a_damaged_file_cannot_be_used_and_is_left_as_it_is", a_damaged_file_cannot_be_used_and_is_left_as_it_is),
    ("a_folder_is_no_run_log", a_folder_is_no_run_log),
    ("a_link_leads_to_the_same_start_marks", a_link_leads_to_the_same_start_marks),
    ("a_file_in_place_of_the_folder_is_said_so", a_file_in_place_of_the_folder_is_said_so),
    ("a_read_only_folder_is_unavailable", a_read_only_folder_is_unavailable),
    ("a_store_that_needs_a_newer_program_is_refused", a_store_that_needs_a_newer_program_is_refused),
    ("a_newer_store_that_old_programs_may_use_is_used", a_newer_store_that_old_programs_may_use_is_used),
    ("a_store_of_the_first_form_is_brought_up_to_date", a_store_of_the_first_form_is_brought_up_to_date),
    ("an_empty_file_becomes_a_store", an_empty_file_becomes_a_store),
    ("tables_of_others_are_left_alone", tables_of_others_are_left_alone),
    ("a_word_of_a_newer_program_is_named", a_word_of_a_newer_program_is_named),
    ("a_wrong_value_is_told_with_its_column", a_wrong_value_is_told_with_its_column),
    ("what_a_newer_program_wrote_beside_is_kept", what_a_newer_program_wrote_beside_is_kept),
];

fn file_of(bench: &Bench) -> PathBuf {
    bench.folder().join("run_log.db")
}

fn url_of(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal(bench: &Bench, path: &Path) -> Error {
    match bench.open(&url_of(path), Purpose::Work) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", path.display()),
    }
}

fn a_new_file_is_for_its_owner_only(bench: &Bench) -> Option<String> {
    for suffix in ["", "-wal", "-shm"] {
        let path = bench.folder().join(format!("run_log.db{suffix}"));
        assert_eq!(mode_of(&path), 0o600, "{}", path.display());
    }
    None
}

fn a_new_folder_is_for_its_owner_only(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("new/deep/run_log.db");
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    for folder in ["new", "new/deep"] {
        assert_eq!(mode_of(&bench.folder().join(folder)), 0o700, "{folder}");
    }
    None
}

fn journal_of(path: &Path) -> String {
    Connection::open(path).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap()
}

fn the_journal_is_a_write_ahead_log(bench: &Bench) -> Option<String> {
    assert_eq!(journal_of(&file_of(bench)), "wal");
    None
}

fn without_locks_the_journal_is_a_rollback_journal(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("remote.db");
    drop(bench.open(&format!("{}?network_fs=allow", url_of(&path)), Purpose::Work).unwrap());
    assert_eq!(journal_of(&path), "delete");
    None
}

fn a_damaged_file_cannot_be_used_and_is_left_as_it_is(bench: &Bench) -> Option<String> {
    say(&file_of(bench), "PRAGMA wal_checkpoint(TRUNCATE)");
    let mut torn = fs::read(file_of(bench)).unwrap();
    torn.truncate(4096);
    torn[200..].fill(0xa5);
    for (name, bytes) in
        [("short.db", b"hello".to_vec()), ("text.db", "not a database\n".repeat(500).into_bytes()), ("torn.db", torn)]
    {
        let path = bench.folder().join(name);
        fs::write(&path, &bytes).unwrap();
        let error = refusal(bench, &path);
        assert!(matches!(error, Error::Unavailable { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("is damaged or no SQLite file"), "{name}: {error}");
        assert!(error.to_string().contains("it is left as it is"), "{name}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
    }
    None
}

fn a_folder_is_no_run_log(bench: &Bench) -> Option<String> {
    let error = refusal(bench, bench.folder());
    assert!(error.to_string().ends_with("is a folder, not a file"), "{error}");
    None
}

fn a_link_leads_to_the_same_start_marks(bench: &Bench) -> Option<String> {
    let (here, there) = (bench.folder().join("here.db"), bench.folder().join("there.db"));
    std::os::unix::fs::symlink(&here, &there).unwrap();
    let marks = |path: &Path| bench.open(&url_of(path), Purpose::Work).unwrap().start_marks().unwrap();
    assert_eq!(marks(&here), marks(&there));
    None
}

fn a_file_in_place_of_the_folder_is_said_so(bench: &Bench) -> Option<String> {
    let error = refusal(bench, &file_of(bench).join("run_log.db"));
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("run_log.db/run_log.db"), "{error}");
    None
}

fn a_read_only_folder_is_unavailable(bench: &Bench) -> Option<String> {
    let folder = bench.folder().join("read-only");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        return Some("this user may write anywhere".into());
    }
    let error = refusal(bench, &folder.join("run_log.db"));
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    None
}

fn say(path: &Path, statement: &str) {
    Connection::open(path).unwrap().execute_batch(statement).unwrap();
}

fn a_store_that_needs_a_newer_program_is_refused(bench: &Bench) -> Option<String> {
    for (needs, schema) in [("6", "6"), ("9", "12"), ("soon", "6")] {
        let rows = format!(
            "UPDATE tickward_meta SET value = '{needs}' WHERE key = 'needs';
             UPDATE tickward_meta SET value = '{schema}' WHERE key = 'schema';"
        );
        say(&file_of(bench), &rows);
        let error = refusal(bench, &file_of(bench));
        assert!(matches!(error, Error::Refused { .. }), "{needs}: {error:?}");
        let words = format!("needs a newer tickward: it has form {schema}, this program knows up to 5");
        assert!(error.to_string().contains(&words), "{needs}: {error}");
        assert!(error.help().contains("update this program"), "{needs}");
    }
    None
}

fn a_newer_store_that_old_programs_may_use_is_used(bench: &Bench) -> Option<String> {
    say(
        &file_of(bench),
        "UPDATE tickward_meta SET value = '99' WHERE key = 'schema';
         INSERT INTO tickward_meta VALUES ('something', 'new');
         ALTER TABLE tickward_attempt ADD COLUMN something_new TEXT;",
    );
    bench.again(Purpose::Work).unwrap();
    None
}

fn a_store_of_the_first_form_is_brought_up_to_date(bench: &Bench) -> Option<String> {
    for purpose in [Purpose::Work, Purpose::Read] {
        say(
            &file_of(bench),
            "UPDATE tickward_meta SET value = '1' WHERE key = 'schema';
             ALTER TABLE tickward_pipeline DROP COLUMN standing;
             ALTER TABLE tickward_attempt DROP COLUMN stop_request;
             ALTER TABLE tickward_attempt DROP COLUMN results;
             ALTER TABLE tickward_attempt DROP COLUMN degraded;
             DROP TABLE tickward_outbox;",
        );
        bench.again(purpose).unwrap();
        say(&file_of(bench), "SELECT results FROM tickward_attempt");
    }
    None
}

fn an_empty_file_becomes_a_store(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("empty.db");
    fs::write(&path, "").unwrap();
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    None
}

fn tables_of_others_are_left_alone(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("shared.db");
    say(&path, "CREATE TABLE meta (key TEXT); INSERT INTO meta VALUES ('theirs');");
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    let theirs: String = Connection::open(&path).unwrap().query_row("SELECT key FROM meta", (), |r| r.get(0)).unwrap();
    assert_eq!(theirs, "theirs");
    None
}

/// A program that has gone back to an older release finds a word it does not know: an error, never a guess.
fn a_word_of_a_newer_program_is_named(bench: &Bench) -> Option<String> {
    say(&file_of(bench), "INSERT INTO tickward_not_run VALUES ('default', 'p', 1, 2, 2, 0, 'rained_off', 3);");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let query = tickward::runlog::contract::Query { limit: 9, ..Default::default() };
    let error = runtime.block_on(bench.log.history(query)).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| source.to_string()).unwrap_or_default();
    assert!(source.contains("unknown word `rained_off`"), "{error}: {source}");
    None
}

/// A row of `p` with a claim, beside which a test writes what it likes.
fn claimed(bench: &Bench) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(bench.claimed("p", "02:00"));
    runtime
}

fn a_wrong_value_is_told_with_its_column(bench: &Bench) -> Option<String> {
    let runtime = claimed(bench);
    for (table, column, value) in [
        ("attempt", "token", "'8000'"),
        ("attempt", "state", "'paused'"),
        ("attempt", "trigger", "CAST(x'ff' AS TEXT)"),
        ("attempt", "owner", "'{}'"),
        ("attempt", "policy", "'[{'"),
        ("attempt", "attempt", "4294967296"),
        ("attempt", "claimed_at", "9223372036854775807"),
        ("attempt", "fence", "-1"),
        ("pipeline", "schedules", "'{}'"),
        ("pipeline", "totals", "'{\"failed\":-1}'"),
        ("pipeline", "namespace", "''"),
    ] {
        let file = Connection::open(file_of(bench)).unwrap();
        let before: rusqlite::types::Value =
            file.query_row(&format!("SELECT {column} FROM tickward_{table}"), (), |row| row.get(0)).unwrap();
        file.execute(&format!("UPDATE tickward_{table} SET {column} = {value}"), ()).unwrap();
        // One reads what is open, the other all attempts, but no pipelines.
        let load = runtime.block_on(bench.log.load(Scope::All)).err();
        let history = runtime.block_on(bench.log.history(Query { limit: 9, ..Query::default() })).err();
        let error = load.or(history).unwrap_or_else(|| panic!("{column} = {value} was read"));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(&format!("column `{column}`: ")), "{column} = {value}: {source}");
        file.execute(&format!("UPDATE tickward_{table} SET {column} = ?1"), [before]).unwrap();
    }
    None
}

/// Old and new programs tick side by side during an upgrade: the old one writes the row again.
fn what_a_newer_program_wrote_beside_is_kept(bench: &Bench) -> Option<String> {
    let runtime = claimed(bench);
    let file = Connection::open(file_of(bench)).unwrap();
    let schedules = r#"[{"hash":"5d6f","since":1,"paused_by":"ann","more":{"a":[1,2.5,null]}}]"#;
    let totals = r#"{"postponed":3,"succeeded":18446744073709551615}"#;
    file.execute("UPDATE tickward_pipeline SET schedules = ?1, totals = ?2", [schedules, totals]).unwrap();
    let row = runtime.block_on(bench.row(&id("p")));
    assert_eq!(runtime.block_on(bench.commit_one(changing(row))), Verdict::Won);
    let open = runtime.block_on(bench.view(Scope::All)).open.remove(&id("p")).unwrap();
    runtime.block_on(bench.ended(&open[0], Outcome::Succeeded));
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let select = "SELECT schedules, totals, version FROM tickward_pipeline";
    let after: (String, String, i64) = file.query_row(select, (), read).unwrap();
    assert_eq!(after, (schedules.into(), totals.into(), 3));
    None
}
