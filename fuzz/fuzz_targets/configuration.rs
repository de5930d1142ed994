//! Any bytes as a configuration file under any environment: neither a panic nor a hang, every mistake has a place that
//! exists, and no value of a variable is in what is printed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickward::config::{Problem, Severity, Source, load};
use tickward_fuzz::Input;

/// Values at least this long do not stand in our own sentences by chance.
const TELLING: usize = 12;

/// The one mistake that no place has: it is about all sources together.
const OF_ALL: &str = "the configuration has no pipelines";

fuzz_target!(|bytes: &[u8]| {
    let input = Input::of(bytes);
    let loaded = load(&[source(input.text)], &input.environment());
    let lines = 1 + input.text.iter().filter(|byte| **byte == b'\n').count();
    for problem in &loaded.problems {
        has_a_place(problem, lines);
    }
    let printed: String = loaded.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let printed =
        printed + &serde_json::to_string(&loaded.problems).expect("problems are JSON") + &format!("{loaded:?}");
    // The line that is shown may say the same as a value; a tab of it is shown as a space.
    let text = String::from_utf8_lossy(input.text);
    let is_in_text = |value: &str| text.contains(value) || text.replace('\t', " ").contains(&value.replace('\t', " "));
    for (name, value) in input.variables.iter().filter(|(_, value)| value.len() >= TELLING && !is_in_text(value)) {
        assert!(!printed.contains(value), "the value of {name} is in {printed}");
    }
    let is_told = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert!(loaded.broken.is_empty() || is_told, "{:?} are broken and nobody says why", loaded.broken);
    for pipeline in &loaded.pipelines {
        if let Some(schedule) = &pipeline.schedule {
            schedule.next_after(jiff::Timestamp::UNIX_EPOCH);
        }
    }
});

/// Text as it is; what is no text as the file that it would be.
fn source(bytes: &[u8]) -> Source {
    match std::str::from_utf8(bytes) {
        Ok(text) => Source::Text { name: "t.yaml".into(), text: text.into() },
        Err(_) => {
            let path = std::env::temp_dir().join(format!("tickward-fuzz-{}.yaml", std::process::id()));
            std::fs::write(&path, bytes).expect("a file in the temporary folder");
            Source::File(path)
        }
    }
}

fn has_a_place(problem: &Problem, lines: usize) {
    let Some(place) = &problem.place else {
        assert_eq!(problem.message, OF_ALL);
        return;
    };
    assert!(place.line as usize <= lines, "{problem}");
    assert_eq!(place.line == 0, place.column == 0, "{problem}");
    assert!(place.caret <= place.source.chars().count(), "{problem}");
    let shown = problem.to_string();
    let is_obeyed = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(is_obeyed), "{shown:?}");
}
