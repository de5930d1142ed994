//! The DuckDB file: how processes take turns, what it is made of, and which files are refused in words.
//!
//! A process that has the file open is this binary again, told so by a variable.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use duckdb::Connection;
use libtest_mimic::{Completion, Trial};
use tickward::run::Outcome;
use tickward::runlog::contract::{Scope, Verdict};
use tickward::runlog::{Error, Purpose};

use crate::bench::{Bench, changing, id};
use crate::duckdb_peer;

/// Answers why it could not be tried on this machine, if so.
pub type Run = fn(&Bench) -> Option<String>;

const CASES: [(&str, Run); 18] = [
    ("what_is_made_is_for_its_owner_only", what_is_made_is_for_its_owner_only),
    ("a_new_folder_is_for_its_owner_only", a_new_folder_is_for_its_owner_only),
    ("an_idle_process_holds_nothing", an_idle_process_holds_nothing),
    ("a_stranger_is_waited_for_and_named", a_stranger_is_waited_for_and_named),
    ("a_stranger_that_goes_lets_us_in", a_stranger_that_goes_lets_us_in),
    ("a_frozen_holder_is_named", a_frozen_holder_is_named),
    ("a_lock_file_that_is_left_behind_is_no_lock", a_lock_file_that_is_left_behind_is_no_lock),
    ("what_a_killed_process_left_in_the_log_is_taken_up", what_a_killed_process_left_in_the_log_is_taken_up),
    ("a_damaged_file_cannot_be_used_and_is_left_as_it_is", a_damaged_file_cannot_be_used_and_is_left_as_it_is),
    ("a_file_that_is_gone_is_not_made_anew", a_file_that_is_gone_is_not_made_anew),
    ("a_log_without_its_file_is_left_alone", a_log_without_its_file_is_left_alone),
    ("half_a_new_file_is_no_hindrance", half_a_new_file_is_no_hindrance),
    ("a_folder_is_no_run_log", a_folder_is_no_run_log),
    ("a_link_leads_to_the_same_start_marks", a_link_leads_to_the_same_start_marks),
    ("who_only_looks_makes_no_file", who_only_looks_makes_no_file),
    ("a_read_only_folder_is_unavailable", a_read_only_folder_is_unavailable),
    ("a_store_of_the_first_form_is_brought_up_to_date", a_store_of_the_first_form_is_brought_up_to_date),
    ("tables_of_others_are_left_alone", tables_of_others_are_left_alone),
];

pub fn trials() -> Vec<Trial> {
    let duckdb = crate::BACKENDS.iter().find(|backend| backend.name == "duckdb").unwrap();
    let trial = |(name, run): (&str, Run)| {
        Trial::ignorable_test(format!("duckdb::{name}"), move || match Bench::new(duckdb) {
            Ok(bench) => Ok(run(&bench).map_or(Completion::Completed, Completion::ignored_with)),
            Err(why) => crate::missing(&why),
        })
    };
    CASES.into_iter().chain(duckdb_peer::CASES).map(trial).collect()
}

/// The file that a stranger is to open, and what he says there.
const VARIABLES: [&str; 2] = ["TICKWARD_TEST_DUCKDB_FILE", "TICKWARD_TEST_DUCKDB_SAYS"];

/// Opens the file, says so, and keeps it until its input ends; false where nobody asked for that.
pub fn is_stranger() -> bool {
    let [file, says] = VARIABLES.map(|name| std::env::var(name).ok());
    let (Some(file), Some(says)) = (file, says) else { return false };
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(&says).unwrap();
    println!("open");
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().lock().lines().next();
    true
}

/// A process that has `file` open; gone with the value.
pub struct Stranger(Child);

impl Stranger {
    pub fn at(file: &Path, says: &str) -> Stranger {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(VARIABLES[0], file).env(VARIABLES[1], says).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "open\n");
        Stranger(child)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn file_of(bench: &Bench) -> PathBuf {
    bench.folder().join("runs.duckdb")
}

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

pub fn url_of(path: &Path) -> String {
    format!("duckdb:{}?connect_timeout=1", path.display())
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

pub fn say(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

/// A row of `p` with a claim, beside which a test does what it likes.
pub fn claimed(bench: &Bench) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bench.claimed("p", "02:00"));
    runtime
}

fn what_is_made_is_for_its_owner_only(bench: &Bench) -> Option<String> {
    let file = file_of(bench);
    assert_eq!(mode_of(&file), 0o600);
    assert_eq!(mode_of(&beside(&file, ".lock")), 0o600);
    claimed(bench);
    assert!(!beside(&file, ".wal").exists(), "it was closed, with all that was in it in the file");
    let there = fs::read_dir(bench.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(there.len(), 2, "{there:?}");
    None
}

fn a_new_folder_is_for_its_owner_only(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("new/deep/runs.duckdb");
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    for folder in ["new", "new/deep"] {
        assert_eq!(mode_of(&bench.folder().join(folder)), 0o700, "{folder}");
    }
    None
}

fn an_idle_process_holds_nothing(bench: &Bench) -> Option<String> {
    let runtime = claimed(bench);
    let stranger = Stranger::at(&file_of(bench), "UPDATE tickward_meta SET value = 'them' WHERE name = 'nobody'");
    drop(stranger);
    let view = runtime.block_on(bench.view(Scope::All));
    assert_eq!(view.open.len(), 1, "and goes on afterwards");
    None
}

fn a_stranger_is_waited_for_and_named(bench: &Bench) -> Option<String> {
    let path = file_of(bench);
    let log = bench.open(&url_of(&path), Purpose::Work).unwrap();
    let stranger = Stranger::at(&path, "SELECT 1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(log.load(Scope::All)).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let pid = stranger.0.id();
    for words in ["could not be had for 1 s: another program has it open: /", &format!("(PID {pid})")] {
        assert!(error.to_string().contains(words), "{error}");
    }
    None
}

fn a_stranger_that_goes_lets_us_in(bench: &Bench) -> Option<String> {
    let stranger = Stranger::at(&file_of(bench), "SELECT 1");
    let log = bench.log.clone();
    let waiting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(log.load(Scope::All)).map(drop)
    });
    drop(stranger);
    waiting.join().unwrap().unwrap();
    None
}

fn a_frozen_holder_is_named(bench: &Bench) -> Option<String> {
    let path = file_of(bench);
    let log = bench.open(&url_of(&path), Purpose::Work).unwrap();
    let lock = fs::File::options().write(true).open(beside(&path, ".lock")).unwrap();
    lock.lock().unwrap();
    fs::write(beside(&path, ".lock"), "4711").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(log.load(Scope::All)).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let words = "could not be had for 1 s: it is the turn of another tickward process (PID 4711)";
    assert!(error.to_string().ends_with(words), "{error}");
    drop(lock);
    runtime.block_on(log.load(Scope::All)).unwrap();
    None
}

fn a_lock_file_that_is_left_behind_is_no_lock(bench: &Bench) -> Option<String> {
    fs::write(beside(&file_of(bench), ".lock"), "1").unwrap();
    claimed(bench);
    None
}

fn what_a_killed_process_left_in_the_log_is_taken_up(bench: &Bench) -> Option<String> {
    let runtime = claimed(bench);
    let committed = "UPDATE tickward_pipeline SET fence = 41; BEGIN; UPDATE tickward_pipeline SET fence = 99";
    let stranger = Stranger::at(&file_of(bench), committed);
    drop(stranger);
    assert!(beside(&file_of(bench), ".wal").exists(), "what was committed is in the log alone");
    let row = runtime.block_on(bench.row(&id("p")));
    assert_eq!(row.fence, 41, "what was committed is there, what was not is not");
    assert_eq!(runtime.block_on(bench.commit_one(changing(row))), Verdict::Won);
    assert!(!beside(&file_of(bench), ".wal").exists());
    None
}

fn a_damaged_file_cannot_be_used_and_is_left_as_it_is(bench: &Bench) -> Option<String> {
    claimed(bench);
    let whole = fs::read(file_of(bench)).unwrap();
    let mut torn = whole.clone();
    torn[4096..12288].fill(0xa5);
    for (name, bytes) in [
        ("empty.duckdb", Vec::new()),
        ("short.duckdb", b"hello".to_vec()),
        ("text.duckdb", "not a database\n".repeat(500).into_bytes()),
        ("cut.duckdb", whole[..whole.len() / 2].to_vec()),
        ("header.duckdb", whole[..4096].to_vec()),
        ("torn.duckdb", torn),
    ] {
        let path = bench.folder().join(name);
        fs::write(&path, &bytes).unwrap();
        let error = refusal(bench, &path);
        assert!(matches!(error, Error::Unavailable { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("is damaged or no DuckDB file"), "{name}: {error}");
        assert!(error.to_string().contains("it is left as it is"), "{name}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
    }
    None
}

fn a_file_that_is_gone_is_not_made_anew(bench: &Bench) -> Option<String> {
    let runtime = claimed(bench);
    fs::remove_file(file_of(bench)).unwrap();
    let error = runtime.block_on(bench.log.load(Scope::All)).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is gone"), "{error}");
    assert!(!file_of(bench).exists());
    None
}

fn a_log_without_its_file_is_left_alone(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("moved.duckdb");
    fs::write(beside(&path, ".wal"), "commits").unwrap();
    let error = refusal(bench, &path);
    assert!(error.to_string().contains("is gone, but its log"), "{error}");
    assert_eq!(fs::read(beside(&path, ".wal")).unwrap(), b"commits");
    assert!(!path.exists());
    None
}

/// Whoever makes the file is killed in between.
fn half_a_new_file_is_no_hindrance(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("half.duckdb");
    fs::create_dir(beside(&path, ".new")).unwrap();
    fs::write(beside(&path, ".new").join("database"), "half").unwrap();
    bench.open(&url_of(&path), Purpose::Work).unwrap();
    assert!(!beside(&path, ".new").exists());
    None
}

fn a_folder_is_no_run_log(bench: &Bench) -> Option<String> {
    let error = refusal(bench, bench.folder());
    assert!(error.to_string().ends_with("is a folder, not a file"), "{error}");
    None
}

fn a_link_leads_to_the_same_start_marks(bench: &Bench) -> Option<String> {
    let there = bench.folder().join("there.duckdb");
    std::os::unix::fs::symlink(file_of(bench), &there).unwrap();
    let marks = |path: &Path| bench.open(&url_of(path), Purpose::Work).unwrap().start_marks().unwrap();
    assert_eq!(marks(&file_of(bench)), marks(&there));
    assert_eq!(marks(&there), beside(&file_of(bench).canonicalize().unwrap(), "-start"));
    assert!(!beside(&there, ".lock").exists(), "and to the same turns");
    None
}

fn who_only_looks_makes_no_file(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("nowhere/none.duckdb");
    bench.open(&url_of(&path), Purpose::Read).unwrap();
    assert!(!path.parent().unwrap().exists());
    let others = bench.folder().join("others.duckdb");
    say(&others, "CREATE TABLE t (x INT)");
    bench.open(&url_of(&others), Purpose::Read).unwrap();
    let count = "SELECT count(*) FROM duckdb_tables()";
    let tables: i64 = Connection::open(&others).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
    None
}

fn a_read_only_folder_is_unavailable(bench: &Bench) -> Option<String> {
    let folder = bench.folder().join("read-only");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        return Some("this user may write anywhere".into());
    }
    let error = refusal(bench, &folder.join("runs.duckdb"));
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    None
}

fn a_store_of_the_first_form_is_brought_up_to_date(bench: &Bench) -> Option<String> {
    for purpose in [Purpose::Work, Purpose::Read] {
        let path = bench.folder().join(format!("{purpose:?}.duckdb"));
        say(&path, include_str!("../../migrations/duckdb/0001_run_log.sql"));
        say(&path, "INSERT INTO tickward_meta VALUES ('schema', '1'), ('needs', '1')");
        // Who only looks uses it as it is or not at all, but changes nothing.
        let opened = bench.open(&url_of(&path), purpose);
        let select = "SELECT value FROM tickward_meta WHERE name = 'schema'";
        let form: String = Connection::open(&path).unwrap().query_row(select, [], |row| row.get(0)).unwrap();
        match purpose {
            Purpose::Work => assert_eq!((opened.is_ok(), &*form), (true, "5")),
            _ => assert_eq!(form, "1"),
        }
    }
    None
}

fn tables_of_others_are_left_alone(bench: &Bench) -> Option<String> {
    let path = bench.folder().join("shared.duckdb");
    say(&path, "CREATE TABLE meta (key TEXT); INSERT INTO meta VALUES ('theirs')");
    let log = bench.open(&url_of(&path), Purpose::Work).unwrap();
    drop(log);
    let theirs: String =
        Connection::open(&path).unwrap().query_row("SELECT key FROM meta", [], |row| row.get(0)).unwrap();
    assert_eq!(theirs, "theirs");
    let runtime = claimed(bench);
    let open = runtime.block_on(bench.view(Scope::All)).open.remove(&id("p")).unwrap();
    assert_eq!(runtime.block_on(bench.ended(&open[0], Outcome::Succeeded)).number, 1);
    None
}
