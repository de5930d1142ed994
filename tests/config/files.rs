//! Files and folders: what is broken does not stop the rest.

use std::path::Path;

use tickward::config::{Environment, Severity, Source, discover, load};

use super::{names, printed};

const RIGHT: &str = "pipelines:\n  good:\n    schedule: \"@hourly\"\n    command: echo hello\n";

/// What becomes of a folder with these files; paths are printed without the folder.
fn folder(files: &[(&str, &[u8])]) -> (tickward::config::Loaded, String) {
    let root = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        std::fs::write(root.path().join(name), content).expect("a file");
    }
    let sources: Vec<Source> = files.iter().map(|(name, _)| Source::File(root.path().join(name))).collect();
    let loaded = load(&sources, &Environment::default());
    let text = printed(&loaded).replace(&format!("{}/", root.path().display()), "");
    (loaded, text)
}

#[test]
fn a_broken_file_does_not_stop_the_others() {
    for (content, message) in [
        (&b"pipelines: [\n"[..], "error: "),
        (
            b"",
            "error: the file is empty\n  --> bad.yaml:1:1\nhelp: write `pipelines:` and a pipeline below it, or remove the file\n",
        ),
        (b"# nothing\n\n", "error: the file is empty\n  --> bad.yaml:1:1\n   |\n 1 | # nothing\n   | ^\nhelp: "),
        (
            b"\xef\xbb\xbfx: 1\n\xc3\xa9: \xff\n",
            "error: line 2 is not UTF-8\n  --> bad.yaml:2:4\n   |\n 2 | \u{e9}: \u{fffd}\n   |    ^\nhelp: save the file as UTF-8\n",
        ),
        (
            b"\xef\xbb\xbfp: postgres://u:hunter2@h \xff\n",
            "error: line 1 is not UTF-8\n  --> bad.yaml:1:27\n   |\n 1 | p: postgres://u:***@h \u{fffd}\n   |                       ^\nhelp: save the file as UTF-8\n",
        ),
        (b"\xff\xfea\0", "error: the file is UTF-16\n  --> bad.yaml:1:1\nhelp: save the file as UTF-8\n"),
        (b"\xfe\xff\0a", "error: the file is UTF-16\n  --> bad.yaml:1:1\nhelp: save the file as UTF-8\n"),
        (
            b"just words\n",
            "error: the document is a single value\n  --> bad.yaml:1:1\n   |\n 1 | just words\n   | ^\nhelp: write a mapping: `key: value` pairs, indented below it\n",
        ),
        (
            b"version: 2\npipelines: { p: { command: [x] } }\n",
            "error: `version`: 2 is out of range\n  --> bad.yaml:1:10\n   |\n 1 | version: 2\n   |          ^\nhelp: use 1\n",
        ),
    ] {
        let (loaded, text) = folder(&[("bad.yaml", content), ("good.yaml", RIGHT.as_bytes())]);
        assert!(text.starts_with(message), "{text}");
        assert_eq!((names(&loaded), loaded.has_errors(), loaded.files.len()), (vec!["good"], true, 2));
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let loaded = load(&[Source::File("/no/such.yaml".into())], &Environment::default());
    let expected = "error: cannot read the file: it does not exist\n  --> /no/such.yaml\nhelp: check the path and its permissions\n";
    assert_eq!(printed(&loaded), expected);
    let large = tempfile::NamedTempFile::new().unwrap();
    large.as_file().set_len(65 << 20).unwrap();
    let loaded = load(&[Source::File(large.path().into())], &Environment::default());
    assert!(printed(&loaded).starts_with("error: the file is larger than 64 MiB\n"), "{}", printed(&loaded));
}

#[test]
fn a_byte_order_mark_and_windows_lines_are_fine() {
    let text = format!("\u{feff}{}", RIGHT.replace('\n', "\r\n"));
    let (loaded, text) = folder(&[("a.yaml", text.as_bytes())]);
    assert_eq!((names(&loaded), text.as_str()), (vec!["good"], ""));
}

#[test]
fn a_name_is_taken_by_the_first_file_that_has_it() {
    let other = "pipelines:\n  good:\n    command: [x]\n  better:\n    command: [x]\n";
    let (loaded, text) = folder(&[("a.yaml", RIGHT.as_bytes()), ("b.yaml", other.as_bytes())]);
    let expected = "error: pipeline `good`: the name is taken by a.yaml:2\n  --> b.yaml:2:3\n   |\n 2 |   good:\n   |   ^\nhelp: give it another name, or another `namespace`\n";
    assert_eq!(text, expected);
    assert_eq!((names(&loaded), loaded.broken.as_slice()), (vec!["good", "better"], &["good".to_owned()][..]));

    let elsewhere = format!("namespace: other\n{RIGHT}");
    let (loaded, text) = folder(&[("a.yaml", RIGHT.as_bytes()), ("b.yaml", elsewhere.as_bytes())]);
    assert_eq!((names(&loaded), text.as_str()), (vec!["good", "good"], ""));
}

#[test]
fn two_files_may_not_name_two_run_logs() {
    let a = format!("run_log: sqlite:a.db\n{RIGHT}");
    let (loaded, text) = folder(&[("a.yaml", a.as_bytes()), ("b.yaml", b"run_log: sqlite:b.db\n")]);
    assert_eq!(loaded.run_log.unwrap().expose(), "sqlite:a.db");
    assert!(text.starts_with("error: `run_log` is set to something else by a.yaml:1\n  --> b.yaml:1:10\n"), "{text}");
    let (_, text) = folder(&[("a.yaml", a.as_bytes()), ("b.yaml", b"run_log: sqlite:a.db\n")]);
    assert_eq!(text, "");
}

#[test]
fn two_files_may_not_keep_history_for_two_times() {
    let a = format!("retention: {{ max_runs: 3 }}\n{RIGHT}");
    let (loaded, text) = folder(&[("a.yaml", a.as_bytes()), ("b.yaml", b"retention: { max_runs: 4 }\n")]);
    assert_eq!(loaded.retention.and_then(|kept| kept.max_runs), Some(3));
    assert!(text.starts_with("error: `retention` is set to something else by a.yaml:1\n  --> b.yaml:1:1\n"), "{text}");
    let (_, text) = folder(&[("a.yaml", a.as_bytes()), ("b.yaml", b"retention: { max_runs: 3 }\n")]);
    assert!(!text.contains("retention"), "{text}");
}

#[test]
fn no_pipelines_at_all_is_a_mistake() {
    let (loaded, text) = folder(&[("a.yaml", b"run_log: sqlite:a.db\n")]);
    assert!(text.starts_with("error: the configuration has no pipelines\n"), "{text}");
    assert_eq!(loaded.problems[0].severity, Severity::Error);
}

#[test]
fn standard_input_is_read_once_and_called_by_name() {
    let found = discover(&["-".into()], &Environment::default(), || Ok("pipelines: { p: {} }\n".into()));
    let loaded = load(&found.sources, &Environment::default());
    assert_eq!(printed(&loaded).lines().nth(1), Some("  --> <stdin>:1:14"));
}

#[test]
fn the_folder_of_fixtures_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/fixtures");
    let found = discover(&[folder.display().to_string()], &Environment::default(), || unreachable!());
    assert_eq!(found.problems, []);
    let loaded = load(&found.sources, &Environment::default());
    assert_eq!(names(&loaded), ["first", "second", "third"]);
    assert_eq!(loaded.broken, ["typo"]);
}
