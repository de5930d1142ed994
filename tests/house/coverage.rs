//! Keeps docs/coverage.md honest: every id stands there once, and every test that a row names is there.
//!
//! It looks for a function of that name in that file. Whether the test shows what the row says is for the reader.

use std::fs;
use std::path::Path;

/// The rows that the page must have, and no others.
const IDS: [&str; 44] = [
    "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10", "E20", "E21", "E23", "E24", "E25", "E26", "E30", "C5",
    "C6", "C12", "C13", "C14", "C15", "C16", "C17", "C18", "Q1", "Q2", "Q4", "Q11", "Q12", "Q20", "Q21", "Q22", "Q23",
    "M2", "M3", "M4", "M5", "M10", "M13", "M14", "M15", "M22",
];

/// The cells of each row below the line of dashes; a bar behind a backslash is text.
fn rows(page: &str) -> Vec<Vec<String>> {
    let table = page.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim().trim_matches('|').replace("\\|", "\u{0}");
        line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
    };
    table.skip(2).map(cells).collect()
}

/// Whether the text has a function of this name, of whatever kind.
fn has_function(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "fn");
        let is_comment = line.trim_start().starts_with("//");
        words.next();
        !is_comment && words.next().and_then(|word| word.split(['(', '<']).next()) == Some(name)
    })
}

/// All that is wrong with the page; `read` gives the text of a file of the repository.
fn mistakes(page: &str, ids: &[&str], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (rows, mut wrong) = (rows(page), Vec::new());
    for id in ids {
        let count = rows.iter().filter(|row| row[0] == *id).count();
        if count != 1 {
            wrong.push(format!("`{id}` has {count} rows"));
        }
    }
    for row in &rows {
        let id = &row[0];
        if !ids.contains(&id.as_str()) {
            wrong.push(format!("`{id}` is not on the list of the test"));
        }
        let [_, today, ours, tests] = &row[..] else {
            wrong.push(format!("`{id}` has {} cells instead of 4", row.len()));
            continue;
        };
        if [today, ours, tests].iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("`{id}` has an empty cell"));
        }
        for test in tests.split_whitespace() {
            let named = test.strip_prefix('`').and_then(|test| test.strip_suffix('`')?.split_once("::"));
            let Some((file, name)) = named else {
                wrong.push(format!("`{id}`: {test} is no `FILE::FUNCTION`"));
                continue;
            };
            match read(file) {
                None => wrong.push(format!("`{id}`: there is no file `{file}`")),
                Some(text) if !has_function(&text, name) => wrong.push(format!("`{id}`: `{file}` has no `fn {name}`")),
                Some(_) => {}
            }
        }
    }
    wrong
}

#[test]
fn every_row_of_the_coverage_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/coverage.md")).unwrap();
    let read = |file: &str| fs::read_to_string(root.join(file)).ok();
    assert_eq!(mistakes(&page, &IDS, read), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_coverage_is_found() {
    let read = |file: &str| {
        let text = "#[test]\nfn plain() {\n    // fn gone()\npub async fn waits<T>(x: T) {}\n";
        (file == "a.rs").then(|| text.to_owned())
    };
    for (row, expected) in [
        ("| X1 | t | o | `a.rs::plain` `a.rs::waits` |", &[][..]),
        ("| X1 | t | `a \\| b` | `a.rs::plain` |", &[]),
        ("", &["`X1` has 0 rows"]),
        ("| X1 | t | o | `a.rs::plain` |\n| X1 | t | o | `a.rs::plain` |", &["`X1` has 2 rows"]),
        ("| X1 | t | o | `a.rs::plain` |\n| X2 | t | o | `a.rs::plain` |", &["`X2` is not on the list of the test"]),
        ("| X1 | t | o | |", &["`X1` has an empty cell"]),
        ("| X1 | t | a | b | `a.rs::plain` |", &["`X1` has 5 cells instead of 4"]),
        ("| X1 | t | o | a.rs::plain |", &["`X1`: a.rs::plain is no `FILE::FUNCTION`"]),
        ("| X1 | t | o | `b.rs::plain` |", &["`X1`: there is no file `b.rs`"]),
        ("| X1 | t | o | `a.rs::gone` |", &["`X1`: `a.rs` has no `fn gone`"]),
        ("| X1 | t | o | `a.rs::plai` |", &["`X1`: `a.rs` has no `fn plai`"]),
    ] {
        let page = format!("# Page\n\n| id | today | ours | test |\n|---|---|---|---|\n{row}\n");
        assert_eq!(mistakes(&page, &["X1"], read), expected, "{row}");
    }
}
