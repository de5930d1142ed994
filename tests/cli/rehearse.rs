//! docs/rehearse.md: its commands print what it shows.

use std::path::Path;
use std::process::Command;

use super::sandbox::{Done, Sandbox};

/// Instants without their seconds: a tick takes some.
fn without_seconds(text: &str) -> String {
    let mut kept = String::new();
    for part in text.split_inclusive('Z') {
        match part.strip_suffix('Z').filter(|part| part.len() > 3 && part.as_bytes()[part.len() - 3] == b':') {
            Some(part) => kept += &format!("{}Z", &part[..part.len() - 3]),
            None => kept += part,
        }
    }
    kept
}

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/rehearse.md")).unwrap();
    let sandbox = Sandbox::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_tickward")).parent().unwrap();
    let mut count = 0;
    for block in page.split("```console\n").skip(1) {
        let block = block.split_once("```").unwrap().0;
        for example in block.split("$ ").skip(1) {
            let (line, shown) = example.split_once('\n').unwrap();
            let mut shell = Command::new("sh");
            sandbox.dress(&mut shell);
            shell.args(["-c", &format!("{line} 2>&1")]).current_dir(root);
            shell.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()));
            let done = Done::of(shell.output().unwrap());
            assert_eq!(without_seconds(&done.stdout), without_seconds(shown), "{line}\n{done:?}");
            count += 1;
        }
    }
    assert!(count >= 5, "{count} commands were found");
}
