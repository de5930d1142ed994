//! Mistakes of a program are told like those of files.

use crate::sandbox::{Sandbox, Test};

pub const TESTS: &[Test] = &[
    ("mistakes_are_told_with_their_line_and_break_nothing_else", mistakes),
    ("a_program_with_threads_is_refused", threads),
    ("a_program_without_pipelines_is_tickward", nothing),
];

/// The line of `tests/library/programs.rs` that holds this.
fn line_of(text: &str) -> usize {
    include_str!("programs.rs").lines().position(|line| line.contains(text)).unwrap() + 1
}

fn mistakes() {
    let sandbox = Sandbox::of("mistakes");
    sandbox.write("more.yaml", "pipelines:\n  right:\n    command: echo wrong\n  other:\n    command: echo other\n");
    let done = sandbox.call(&["validate", "-o", "text"]);
    let told = format!("{}{}", done.stdout, done.stderr);
    for (pipeline, line, message) in [
        ("bad name", "(\"bad name\")", "name `bad name` contains ' '"),
        ("schedule", "(\"schedule\")", "hour `25` is out of range"),
        ("zone", "(\"zone\")", "`Europe/Berlim`"),
        ("bodiless", "(\"bodiless\")", "no `command`"),
        ("two", "(\"two\")", "it has more than one body"),
        ("codes", "(\"codes\")", "the exit codes of a body that is Rust are fixed"),
        ("key", "(\"key\")", "unknown key `shedule`"),
        ("upstream", "(\"upstream\")", "nobody"),
        ("grace", "(\"grace\")", "kill_grace"),
    ] {
        let begin = format!("error: pipeline `{pipeline}`: ");
        let place = format!("--> tests/library/programs.rs:{}:", line_of(line));
        let paragraph = told.split("error: ").find(|part| format!("error: {part}").starts_with(&begin));
        let paragraph = paragraph.unwrap_or_else(|| panic!("{pipeline}: {told}"));
        assert!(paragraph.contains(message) && paragraph.contains(&place), "{pipeline}: {paragraph}");
    }
    let first = line_of("pipeline(\"right\")");
    assert!(told.contains(&format!("the name is taken by tests/library/programs.rs:{first}")), "{told}");
    let first = line_of("pipeline(\"twice\")");
    assert!(told.contains(&format!("the name is taken by tests/library/programs.rs:{first}")), "{told}");
    assert!(!told.contains("/proc/self/exe") && !told.contains("{\""), "{told}");
    let list = sandbox.call(&["list", "-o", "json"]).json().to_string();
    for (name, is_there) in [("right", true), ("other", true), ("two", false), ("codes", false), ("zone", false)] {
        assert_eq!(list.contains(&format!("\"{name}\"")), is_there, "{name}: {list}");
    }
    assert_eq!(sandbox.call(&["run", "right"]).code, 0);
    assert_eq!(sandbox.call(&["logs", "right"]).stdout, "right\n");
}

fn threads() {
    for program in ["threads", "event_loop"] {
        let sandbox = Sandbox::of(program);
        let done = sandbox.call(&["run", "partial"]);
        assert_eq!(done.code, 2, "{program}: {}{}", done.stdout, done.stderr);
        assert!(done.stderr.contains("before `Registry::new()`") && done.stderr.contains("#[tokio::main]"));
    }
}

fn nothing() {
    let sandbox = Sandbox::of("nothing");
    let done = sandbox.call(&["list"]);
    assert!(done.stderr.contains("no configuration found") && done.stderr.contains("/etc/tickward"), "{}", done.stderr);
    let file = sandbox.write("a.yaml", "pipelines: { a: { command: echo a } }\n");
    assert_eq!(sandbox.call(&["run", "a", "-c", file.to_str().unwrap()]).code, 0);
}
