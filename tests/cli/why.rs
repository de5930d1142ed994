//! why: one sentence for each thing that can be in the way, and the gate that it names.

use serde_json::Value;

use super::sandbox::{Done, Sandbox};

const CONFIG: &str = "
pipelines:
  one: { schedule: '0 * * * *', overlap: skip, retry: { max_attempts: 2, delay: 20m }, command: 'ENTER; test -e go' }
  hand: { command: 'true' }
  after: { depends_on: [hand, one], command: 'true' }
  late: { schedule: '0 * * * *', start_deadline: 10m, command: ENTER }
";

/// The sentence, and the gate that stops it.
#[track_caller]
fn why(sandbox: &Sandbox, line: &str) -> (String, Option<String>) {
    let answer = sandbox.run(&format!("why -o json {line}")).expect(0).json();
    let gates = answer["gates"].as_array().unwrap();
    let stops = gates.iter().find(|gate| gate["verdict"] == "stops").map(|gate| text(gate, "gate"));
    (text(&answer, "answer"), stops)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key}: {value}")).to_string()
}

#[track_caller]
fn told(sandbox: &Sandbox, line: &str, sentence: &str, gate: &str) {
    let (answer, stops) = why(sandbox, line);
    assert_eq!((answer.as_str(), stops.as_deref().unwrap_or("")), (sentence, gate), "{line}");
}

#[test]
fn each_gate_has_its_sentence() {
    let sandbox = Sandbox::with(CONFIG);
    let never = "It has never been looked at: the first tick runs what fell due in the minute before.";
    told(&sandbox, "late --now 2026-03-02T01:30:00Z", never, "first sight");
    assert!(!sandbox.state().exists(), "who asks leaves nothing behind");
    sandbox.tick("2026-03-02T01:59:00Z");
    let due = "Nothing stops it: the next tick starts the run of 2026-03-02T02:00:00Z; does one come every minute?";
    told(&sandbox, "late --now 2026-03-02T02:00:01Z", due, "");
    sandbox.tick("2026-03-02T02:00:05Z");
    let rows: [(&str, &str, &str); 9] = [
        (
            "after --now 2026-03-02T02:01:00Z",
            "It never ran: it runs when each of these has succeeded: `hand`, `one`.",
            "depends_on",
        ),
        ("hand --now 2026-03-02T02:01:00Z", "It never ran: nothing but `tickward run` makes it due.", "schedule"),
        (
            "late --at 2026-03-02T02:10:00Z --now 2026-03-02T02:11:00Z",
            "It did not run for 2026-03-02T02:10:00Z: that is no instant of its schedule.",
            "schedule",
        ),
        (
            "late --at 2026-03-02T03:00:00Z --now 2026-03-02T02:11:00Z",
            "It has not run for 2026-03-02T03:00:00Z because that is still to come.",
            "schedule",
        ),
        (
            "late --at 2026-03-02T01:00:00Z --now 2026-03-02T02:11:00Z",
            "It did not run for 2026-03-02T01:00:00Z: that was before it, or its schedule, was seen first.",
            "first sight",
        ),
        (
            "late --now 2026-03-02T03:11:00Z",
            "The next tick records the run of 2026-03-02T03:00:00Z as not run, because it could not start before its \
             `start_deadline`.",
            "start_deadline",
        ),
        (
            "late --at 2026-03-02T03:00:00Z --now 2026-03-02T05:00:30Z",
            "The next tick records the run of 2026-03-02T03:00:00Z as not run, because nobody ran it in time and \
             `catch_up` drops it.",
            "catch_up",
        ),
        (
            "late --now 2026-03-02T05:00:30Z",
            "Nothing stops it: the next tick starts the run of 2026-03-02T05:00:00Z; does one come every minute?",
            "",
        ),
        ("gone --now 2026-03-02T02:11:00Z", "", ""),
    ];
    for (line, sentence, gate) in &rows[..8] {
        told(&sandbox, line, sentence, gate);
    }
    let unknown = sandbox.run(&format!("why {}", rows[8].0)).expect(2);
    assert!(unknown.stderr.starts_with("error: neither the configuration nor the run-log knows `gone`"), "{unknown:?}");
    let (waits, gate) = why(&sandbox, "one --now 2026-03-02T02:11:00Z");
    assert!(waits.starts_with("It ran for 2026-03-02T02:00:00Z: attempt 1 failed at 2026-03-02T02:00:0"), "{waits}");
    assert!(waits.contains("now it waits: next attempt at 2026-03-02T02:20:"), "{waits}");
    assert_eq!(gate.as_deref(), Some("retry"));
    let (ran, gate) = why(&sandbox, "late --now 2026-03-02T02:11:00Z");
    assert!(ran.starts_with("It ran for 2026-03-02T02:00:00Z: attempt 1 succeeded at "), "{ran}");
    assert_eq!(gate, None);
}

#[test]
fn what_people_asked_for_is_told() {
    let sandbox = Sandbox::with(CONFIG);
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.run("pause late --note moving --now 2026-03-02T02:10:00Z").expect(0);
    let (ran, gate) = why(&sandbox, "late --now 2026-03-02T02:11:00Z");
    assert!(ran.contains("succeeded at") && ran.ends_with(" Now it is paused: nothing of it starts."), "{ran}");
    assert_eq!(gate.as_deref(), Some("paused"));
    sandbox.tick("2026-03-02T03:00:05Z");
    let paused = "It did not run for 2026-03-02T03:00:00Z because the pipeline was paused.";
    told(&sandbox, "late --now 2026-03-02T03:01:00Z", paused, "paused");
    let all = sandbox.run("why late --now 2026-03-02T03:01:00Z").expect(0).stdout;
    assert!(all.contains("until it is resumed (moving)"), "{all}");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    told(
        &sandbox,
        "late --at 2026-03-02T04:00:00Z --now 2026-03-02T04:01:00Z",
        "It does not run because no file has it. Now it is paused: nothing of it starts.",
        "configured",
    );
}

/// Its retry stays in the run-log.
#[test]
fn of_what_no_file_has_nothing_is_promised() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '@daily', retry: { max_attempts: 2, delay: 1h }, command: 'ENTER; exit 1' } }",
    );
    sandbox.run("run-due --interval 86400").expect(1);
    let (sentence, _) = why(&sandbox, "one");
    assert!(sentence.contains("now it waits: next attempt at"), "{sentence}");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    let (sentence, gate) = why(&sandbox, "one");
    assert!(sentence.ends_with(" Now no file has it: nothing of it starts."), "{sentence}");
    assert_eq!(gate.as_deref(), Some("configured"));
    let status = sandbox.run("status").expect(0).stdout;
    assert!(status.contains("not configured") && status.contains("a retry, when a file has it"), "{status}");
}

#[test]
fn who_holds_the_claim_is_told() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '* * * * *', command: 'ENTER; until test -e go; do sleep 0.01; done' } }",
    );
    let tick = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let (runs, gate) = why(&sandbox, "one --at 2026-03-02T02:00:00Z --now 2026-03-02T02:00:30Z");
    assert!(runs.starts_with("It runs for 2026-03-02T02:00:00Z: attempt 1, since 2026-03-02T02:00:0"), "{runs}");
    assert!(runs.contains(&format!("by process {}", tick.id())), "{runs}");
    assert_eq!(gate, None);
    let next =
        "The next tick records the run of 2026-03-02T02:01:00Z as not run, because the previous run was still going.";
    told(&sandbox, "one --now 2026-03-02T02:01:05Z", next, "overlap");
    sandbox.write("go", "");
    Done::wait(tick).expect(0);
}
