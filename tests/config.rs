//! Whole configurations: what becomes of them, and the exact words for every kind of mistake.

#[path = "config/dependencies.rs"]
mod dependencies;
#[path = "config/files.rs"]
mod files;
#[path = "config/mistakes.rs"]
mod mistakes;
#[path = "config/secrets.rs"]
mod secrets;
#[path = "config/surround.rs"]
mod surround;
#[path = "config/values.rs"]
mod values;

use tickward::config::{Environment, Loaded, Source, load};
use tickward::pipeline::Pipeline;

/// The variables that these tests see.
fn environment() -> Environment {
    Environment::of([
        ("WHO", "data-team"),
        ("SECRET", "hunter2"),
        ("EMPTY", ""),
        ("TEMPLATE", "{{ host }}"),
        ("N", "x9"),
    ])
}

/// What becomes of one document.
fn loaded(text: &str) -> Loaded {
    load(&[Source::Text { name: "t.yaml".into(), text: text.into() }], &environment())
}

/// The problems of one document as they are printed.
fn printed(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The names of the pipelines that are right.
fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.pipelines.iter().map(|pipeline| pipeline.id.name.as_str()).collect()
}

/// The only pipeline `p` of a document that has these lines below its name, indented by nothing.
fn pipeline(lines: &str) -> Pipeline {
    let loaded = loaded(&document(lines));
    assert_eq!(printed(&loaded), "", "{lines}");
    loaded.pipelines.into_iter().next().expect("one pipeline")
}

/// A document with the pipeline `p` of these lines.
fn document(lines: &str) -> String {
    let command = if lines.contains("command:") { "" } else { "    command: [x]\n" };
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("pipelines:\n  p:\n{indented}{command}")
}
