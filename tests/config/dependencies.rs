//! What pipelines depend on: names across files and namespaces, and circles.

use tickward::config::{Environment, Loaded, Source, load};

fn loaded(texts: &[&str]) -> Loaded {
    let source = |(number, text): (usize, &&str)| Source::Text { name: format!("{number}.yaml"), text: (*text).into() };
    load(&texts.iter().enumerate().map(source).collect::<Vec<_>>(), &Environment::default())
}

#[test]
fn names_are_of_the_own_namespace_unless_said_otherwise_and_of_any_file() {
    let loaded = loaded(&[
        "pipelines: { load: { command: x, depends_on: [extract, 'ops:disk', { pipeline: clean, accept: succeeded }] } }",
        "pipelines: { extract: { command: x }, clean: { command: x } }",
        "namespace: ops\npipelines: { disk: { command: x }, report: { command: x, depends_on: disk } }",
    ]);
    assert_eq!(loaded.problems, []);
    let names = |name: &str| -> Vec<(String, bool)> {
        let pipeline = loaded.pipelines.iter().find(|pipeline| pipeline.id.name.as_str() == name).unwrap();
        pipeline.depends_on.iter().map(|up| (up.pipeline.to_string(), up.accepts_partial)).collect()
    };
    let expected = [("extract", true), ("ops:disk", true), ("clean", false)];
    assert_eq!(names("load"), expected.map(|(name, partial)| (name.to_string(), partial)));
    assert_eq!(names("report"), [("ops:disk".to_string(), true)]);
}

#[test]
fn a_circle_is_named_in_full_and_breaks_those_in_it() {
    let loaded = loaded(&[
        "pipelines:\n  a: { command: x, depends_on: [b] }\n  b: { command: x, depends_on: [d, c] }\n",
        "pipelines:\n  c: { command: x, depends_on: [a] }\n  d: { command: x }\n  e: { command: x, depends_on: [a] }\n",
    ]);
    let printed: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(printed.len(), 1, "{printed:?}");
    assert!(printed[0].contains("goes in a circle: `a` waits for `b` waits for `c` waits for `a`"), "{}", printed[0]);
    assert!(printed[0].contains("0.yaml:2:"), "{}", printed[0]);
    let mut broken = loaded.broken;
    broken.sort();
    assert_eq!(broken, ["a", "b", "c"]);
    let names: Vec<String> = loaded.pipelines.iter().map(|pipeline| pipeline.id.to_string()).collect();
    assert_eq!(names, ["d", "e"], "who waits for a broken one is right itself");
}

#[test]
fn a_name_that_nobody_has_is_shown_with_the_nearest() {
    let loaded = loaded(&["pipelines:\n  extract: { command: x }\n  load: { command: x, depends_on: extrakt }\n"]);
    let printed = loaded.problems[0].to_string();
    assert!(printed.contains("no pipeline is called `extrakt`"), "{printed}");
    assert_eq!(loaded.problems[0].help.as_deref(), Some("did you mean `extract`?"));
    assert_eq!(loaded.broken, ["load"]);
}
