//! The house's own rules: which room may look into which, and how a file is made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "house/coverage.rs"]
mod coverage;

/// The floors of the house, lowest first. Imports go down; rooms of one floor do not see one another.
const FLOORS: [&[&str]; 8] = [
    &["occurrence", "clock", "scheme", "owner", "failpoint", "http", "rare", "small_file"],
    &["schedule", "template", "lease", "alert", "metrics"],
    &["pipeline", "run"],
    &["plan", "config"],
    &["runlog", "executor", "alerter", "sink"],
    &["tick", "registry"],
    &["cli"],
    &["lib", "main"],
];

/// Neighbours that do see one another, and why.
const DOORS: [(&str, &str, &str); 2] = [
    ("clock", "occurrence", "instants are cut to whole microseconds in one place"),
    ("run", "pipeline", "an attempt carries the policy that it was claimed under"),
];

/// What `runlog` may take from the decision: an end is folded inside the commit that takes it, and so is told; what ran twice is
/// counted on as its next attempt would be.
const FOLD: [&str; 4] = ["fold", "Folded", "alerts", "next_attempt"];

/// Crates that the decision does without: it is values in, values out.
const NOT_IN_PLAN: [&str; 6] = ["tokio", "tracing", "rusqlite", "nix", "getrandom", "std::env"];

/// Words that name no room.
const NO_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "misc", "types"];

const LONGEST: usize = 400;

/// Files still to be divided. A row goes when its file is short enough.
const TO_BE_DIVIDED: [&str; 0] = [];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The room it is in: the first part of its path below src.
    fn room(&self) -> &str {
        self.path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs")
    }

    /// The text without comments.
    fn code(&self) -> String {
        let lines = self.text.lines().map(|line| match line.trim_start().starts_with("//") {
            true => "",
            false => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The modules that it is below, itself included: `tick/work/answers.rs` is three deep.
    fn depth(&self) -> usize {
        let parts = self.path.with_extension("").iter().count();
        parts - usize::from(self.path.ends_with("mod.rs"))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "only {} files were found", found.len());
    found
}

/// The names that follow `from` in paths: of `from a::{b, c::d}`, with `from` as the prefix, `a::b` and `a::c`; at most
/// two names deep, which is all that is asked about.
fn paths_after(code: &str, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(from) {
        let is_longer_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        if !is_longer_word {
            for path in tree(&code[at + from.len()..]) {
                found.insert(path.split("::").take(2).collect::<Vec<_>>().join("::"));
            }
        }
    }
    found
}

/// Every path of a use tree, or of a path in code, that begins here.
fn tree(text: &str) -> Vec<String> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return members(group).into_iter().flat_map(tree).collect();
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    match rest.strip_prefix("::") {
        Some(rest) => {
            let inner = tree(rest);
            match inner.is_empty() {
                true => vec![name.to_owned()],
                false => inner.into_iter().map(|path| format!("{name}::{path}")).collect(),
            }
        }
        None => vec![name.to_owned()],
    }
}

/// The parts between commas up to the brace that closes the group.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[begin..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn floor_of(room: &str) -> usize {
    let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
    floor.unwrap_or_else(|| panic!("`{room}` is on no floor: give it one in tests/house.rs"))
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    for (code, expected) in [
        ("use crate::plan::fold;", vec!["plan::fold"]),
        ("use crate::{plan::{fold, Folded as F}, run};", vec!["plan::Folded", "plan::fold", "run"]),
        ("use crate::{\n    plan,\n    run::micros::option,\n};", vec!["plan", "run::micros"]),
        ("let x: crate::run::Row = crate::plan::decide(&y);", vec!["plan::decide", "run::Row"]),
        ("mycrate::plan; notcrate::run", vec![]),
        ("pub(crate) fn x() {}", vec![]),
    ] {
        assert_eq!(paths_after(code, "crate::").into_iter().collect::<Vec<_>>(), expected, "{code}");
    }
}

#[test]
fn imports_go_only_downwards() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        for path in paths_after(&source.code(), "crate::") {
            let other = path.split("::").next().unwrap();
            let is_door = DOORS.iter().any(|(from, to, _)| (*from, *to) == (room, other));
            if other != room && !is_door && floor_of(other) >= floor_of(room) {
                wrong.push(format!("{}: `crate::{path}` is not below `{room}`", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// `super::super` out of a folder would pass by the rule above.
#[test]
fn nobody_climbs_out_of_the_room() {
    for source in sources() {
        let climb = "super::".repeat(source.depth());
        let outside = paths_after(&source.code(), &climb);
        let room =
            outside.iter().find(|path| FLOORS.iter().any(|rooms| rooms.contains(&path.split("::").next().unwrap())));
        assert_eq!(room, None, "{}: `{climb}` leads out of `{}`", source.path.display(), source.room());
    }
}

#[test]
fn every_door_is_used() {
    for (from, to, why) in DOORS {
        let mut of_room = sources().into_iter().filter(|source| source.room() == from);
        let used = of_room.any(|source| paths_after(&source.code(), "crate::").iter().any(|path| path.starts_with(to)));
        assert!(used, "`{from}` does not look into `{to}` any more ({why}): close the door");
    }
}

#[test]
fn the_run_log_takes_the_fold_alone_from_the_decision() {
    for source in sources().iter().filter(|source| ["runlog", "executor"].contains(&source.room())) {
        let paths = paths_after(&source.code(), "crate::");
        for path in paths.iter().filter(|path| path.split("::").next() == Some("plan")) {
            let is_fold = FOLD.iter().any(|name| *path == format!("plan::{name}"));
            assert!(source.room() == "runlog" && is_fold, "{}: `crate::{path}`", source.path.display());
        }
    }
}

#[test]
fn the_decision_is_pure() {
    for source in sources().iter().filter(|source| source.room() == "plan") {
        let code = source.code();
        for name in NOT_IN_PLAN {
            let found = !paths_after(&code, &format!("{name}::")).is_empty();
            assert!(!found, "{}: `{name}`", source.path.display());
        }
        assert!(
            paths_after(&code, "crate::").iter().all(|path| !path.starts_with("clock")),
            "{}",
            source.path.display()
        );
        assert!(!code.contains("async "), "{}: async", source.path.display());
    }
}

#[test]
fn only_the_clock_reads_the_time() {
    for source in sources().iter().filter(|source| source.room() != "clock") {
        let code = source.code();
        for word in [
            "disallowed_methods",
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
            "clock_gettime",
            "thread::sleep",
        ] {
            assert!(!code.contains(word), "{}: `{word}` belongs into clock.rs", source.path.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_can_be_checked() {
    let mut wrong = Vec::new();
    for source in sources() {
        let (path, lines) = (source.path.display().to_string(), source.text.lines().count());
        let is_known = TO_BE_DIVIDED.contains(&path.as_str());
        if lines > LONGEST && !is_known {
            wrong.push(format!("{path} has {lines} lines"));
        }
        if lines <= LONGEST && is_known {
            wrong.push(format!("{path} is short enough: take it from the list"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_name_says_nothing() {
    for source in sources() {
        let path = source.path.with_extension("");
        let empty = path.iter().find(|part| NO_NAMES.contains(&part.to_str().unwrap()));
        assert_eq!(empty, None, "{}", path.display());
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 12, "{}: begins with {first:?}", source.path.display());
    }
}

/// What ends a process on purpose is for tests: neither its feature nor one of its names is in what people install.
#[test]
fn every_kind_of_store_has_the_same_migrations() {
    let names = |kind: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind);
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let of_sqlite = names("sqlite");
    assert!(of_sqlite.len() > 5, "{of_sqlite:?}");
    for kind in ["postgres", "mysql", "duckdb"] {
        assert_eq!(names(kind), of_sqlite, "{kind}");
    }
}

#[test]
fn no_failpoint_is_in_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let default = manifest.lines().find(|line| line.starts_with("default = ")).unwrap();
    assert!(!default.contains("failpoints"), "{default}");
    let source = fs::read_to_string(root.join("src/failpoint.rs")).unwrap();
    let table = source.split_once("\npoints! {\n").unwrap().1.split_once("\n}\n").unwrap().0;
    let names: Vec<_> = table.lines().map(|row| row.split('"').nth(1).unwrap()).collect();
    assert!(names.len() > 40, "{names:?}");
    // By grep, because a program for debugging is large.
    let has = |text: &str| {
        let mut grep = std::process::Command::new("grep");
        grep.args(["-qaF", "-e", text, env!("CARGO_BIN_EXE_tickward")]).status().unwrap().success()
    };
    assert!(has("TICKWARD_RUN_LOG_URL"), "texts are found where they are");
    for text in names.into_iter().chain(["TICKWARD_FAILPOINT", "/failpoint/"]) {
        assert_eq!(has(text), cfg!(feature = "failpoints"), "`{text}`");
    }
}
