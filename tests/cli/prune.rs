//! prune, and `retention` in the configuration: how old history goes.

use serde_json::json;

use super::sandbox::Sandbox;

/// Ran at each of so many hours of 2 March 2026, from midnight on.
fn ran(config: &str, hours: u32) -> Sandbox {
    let sandbox = Sandbox::with(config);
    for hour in 0..hours {
        sandbox.run(&format!("run-due --now 2026-03-{:02}T{:02}:00:05Z", 2 + hour / 24, hour % 24)).expect(0);
    }
    sandbox
}

const HOURLY: &str = "pipelines:
  one: { schedule: '0 * * * *', command: 'true' }
  two: { schedule: '0 * * * *', command: 'true' }
";

#[test]
fn old_history_goes_and_a_dry_run_only_counts() {
    let sandbox = ran(HOURLY, 5);
    let now = "--now 2026-03-02T12:30:00Z";
    let dry = sandbox.run(&format!("prune --older-than 10h --dry-run {now}")).expect(0);
    assert_eq!(dry.stderr, "would go  6 attempts, 0 entries of what was not run\n");
    assert_eq!(sandbox.attempts().len(), 10);
    let one = sandbox.run(&format!("prune one --keep 4 -o json {now}")).expect(0).json();
    assert_eq!(one, json!({ "attempts": 1, "not_run": 0, "dry_run": false }));
    let done = sandbox.run(&format!("prune --older-than 10h {now}")).expect(0);
    assert_eq!(done.stderr, "removed   5 attempts, 0 entries of what was not run\n");
    let left = sandbox.attempts();
    assert_eq!(left.iter().map(|(_, at, ..)| &at[11..13]).collect::<Vec<_>>(), ["03", "04", "03", "04"]);
    let tick = sandbox.tick("2026-03-02T05:00:05Z");
    assert_eq!(tick["ran"].as_array().unwrap().len(), 2, "what was pruned is decided all the same");
    for (line, code, told) in [
        ("prune", 2, "error: nothing says what is to go\nhelp: add `--older-than 90d`"),
        ("prune nobody --keep 3", 2, "error: neither the configuration nor the run-log knows `nobody`\n"),
        ("prune --keep 0", 2, "error: invalid value '0' for '--keep <N>'"),
        ("prune --older-than soon", 2, "error: invalid value 'soon' for '--older-than <D>'"),
    ] {
        let done = sandbox.run(&format!("{line} {now}")).expect(code);
        assert!(done.stderr.starts_with(told), "{line}: {done:?}");
    }
    let none = Sandbox::with(HOURLY).run("prune --keep 3").expect(4);
    assert!(none.stderr.starts_with("error: there is no run-log `"), "{none:?}");
}

#[test]
fn ticks_prune_now_and_then_as_the_configuration_says() {
    let kept = "retention: { max_runs: 5 }\n";
    let sandbox = ran(&format!("{kept}{HOURLY}"), 31);
    assert_eq!(sandbox.attempts().len(), 62, "its turn is with every 32nd claim of a pipeline");
    sandbox.run("run-due --now 2026-03-03T07:00:05Z").expect(0);
    assert_eq!(sandbox.attempts().len(), 10);
    let kept = "retention: { max_age: 90d }\n";
    sandbox.write("tickward.yaml", &format!("{kept}{HOURLY}"));
    let by_file = sandbox.run("prune --now 2026-06-30T00:00:00Z").expect(0);
    assert_eq!(by_file.stderr, "removed   8 attempts, 0 entries of what was not run\n");
}
