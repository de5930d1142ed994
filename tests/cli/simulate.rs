//! `tickward simulate`.

use serde_json::{Value, json};

use super::sandbox::{Sandbox, each, keys};

const CONFIG: &str = "
defaults: { timezone: Europe/Berlin }
pipelines:
  nightly: { schedule: '30 2 * * *', command: BODY }
  report: { schedule: '0 3 * * *', depends_on: [nightly], command: BODY }
  digest: { depends_on: [report], command: BODY }
  hourly: { schedule: '0 * * * *', command: BODY }
  limited: { schedule: '0 */6 * * *', timeout: 5m, retry: { max_attempts: 2, delay: 60s }, command: BODY }
";
const MARCH: &str = "--from 2026-02-28T23:00:00Z --to 2026-03-31T22:00:00Z";

fn sandbox() -> Sandbox {
    Sandbox::with(&CONFIG.replace("BODY", "'echo ran >> started'"))
}

fn of<'a>(done: &'a Value, pipeline: &str) -> &'a Value {
    let all = done["pipelines"].as_array().unwrap();
    all.iter().find(|entry| entry["pipeline"] == pipeline).unwrap_or_else(|| panic!("no {pipeline} in {done}"))
}

#[test]
fn a_month_with_a_clock_change_is_told_and_nothing_is_run() {
    let sandbox = sandbox();
    let line = format!("simulate {MARCH} -o json --durations 1m,limited=10m");
    let done = sandbox.run(&line).expect(0).json();
    let expected = ["from", "to", "at_once", "pipelines", "crowds", "waits_in_vain", "clock_changes", "rc"];
    assert_eq!(keys(&done), expected);
    assert_eq!(keys(of(&done, "nightly")), ["pipeline", "runs", "failed", "first", "last", "not_run"]);
    // 31 local days, of which one is an hour short.
    for (pipeline, runs, failed) in
        [("nightly", 31, 0), ("report", 31, 0), ("digest", 31, 0), ("hourly", 743, 0), ("limited", 124, 248)]
    {
        let sum = of(&done, pipeline);
        assert_eq!((&sum["runs"], &sum["failed"]), (&json!(runs), &json!(failed)), "{sum}");
    }
    assert_eq!(of(&done, "nightly")["first"], "2026-03-01T01:30:00Z");
    assert_eq!(of(&done, "nightly")["last"], "2026-03-31T00:30:00Z");
    let change = json!([{
        "pipeline": "nightly", "zone": "Europe/Berlin", "at": "2026-03-29T01:00:00Z", "begin": "02:00", "end": "03:00",
        "skipped": true, "occurrences": 1, "runs": ["03:00:00 CEST"],
    }]);
    assert_eq!(done["clock_changes"], change);
    assert_eq!(sandbox.run(&line).expect(0).json(), done, "the same again");
    assert!(!sandbox.path("started").exists() && !sandbox.state().exists());
}

#[test]
fn what_takes_too_long_overlaps_or_makes_others_wait_in_vain() {
    let sandbox = sandbox();
    let day = "--from 2026-03-02T00:00:00Z --to 2026-03-09T00:00:00Z";
    let done = sandbox.run(&format!("simulate {day} -o json --durations hourly=61m,nightly=25h")).expect(0).json();
    let hourly = of(&done, "hourly");
    assert_eq!(hourly["runs"], 84, "every other hour: {hourly}");
    assert_eq!((&hourly["not_run"][0]["reason"], &hourly["not_run"][0]["count"]), (&json!("overlap"), &json!(84)));
    let report = of(&done, "report");
    let late = done["waits_in_vain"].as_array().unwrap().iter().find(|entry| entry["pipeline"] == "report");
    assert_eq!(late.unwrap()["upstream"], "nightly", "{report}");
    let text = sandbox.run(&format!("simulate {day} --durations hourly=61m --only hourly")).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "2026-03-02 00:00:00Z to 2026-03-09 00:00:00Z: 84 runs of 1 pipelines, at most 1 at once");
    assert!(lines[3].starts_with("hourly") && lines[3].ends_with("overlap 84"), "{text}");
}

#[test]
fn what_depends_on_something_that_never_runs_is_told() {
    let sandbox = Sandbox::with(
        "pipelines:
  orphan: { schedule: '0 5 * * *', depends_on: [nobody], command: x }
  nobody: { command: x }",
    );
    let done = sandbox.run("simulate --from 2026-03-01T00:00:00Z --to 2026-03-03T12:00:00Z -o json").expect(0).json();
    let vain = json!([{ "pipeline": "orphan", "upstream": "nobody", "count": 2 }]);
    assert_eq!(done["waits_in_vain"], vain, "the last one still waits");
    assert_eq!(of(&done, "orphan")["runs"], 0);
}

#[test]
fn what_starts_in_the_same_minute_is_told() {
    let sandbox = Sandbox::with(
        "pipelines:
  a: { schedule: '0 2 * * *', command: x }
  b: { schedule: '0 2,14 * * *', command: x }
  c: { schedule: '0 2 1 * *', command: x }",
    );
    let done = sandbox.run("simulate --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z -o json").expect(0).json();
    let crowds = json!([
        { "pipelines": ["a", "b", "c"], "minutes": 1, "first": "2026-03-01T02:00:00Z" },
        { "pipelines": ["a", "b"], "minutes": 6, "first": "2026-03-02T02:00:00Z" },
    ]);
    assert_eq!((&done["crowds"], &done["at_once"]), (&crowds, &json!(3)));
    assert_eq!(each(&done["pipelines"], "pipeline"), ["a", "b", "c"]);
}

#[test]
fn an_hour_that_comes_twice_runs_what_is_fixed_in_it_once() {
    let sandbox = sandbox();
    let span = "--from 2026-10-24T00:00:00Z --to 2026-10-26T00:00:00Z";
    let done = sandbox.run(&format!("simulate {span} -o json --only nightly")).expect(0).json();
    let change = &done["clock_changes"][0];
    assert_eq!((&change["skipped"], &change["runs"]), (&json!(false), &json!(["02:30:00 CEST"])));
    assert_eq!(done["pipelines"].as_array().unwrap().len(), 1);
    assert_eq!(of(&done, "nightly")["runs"], 2);
}

#[test]
fn a_wrong_span_or_duration_is_refused_with_advice() {
    let sandbox = sandbox();
    for (line, message) in [
        ("--from 2026-03-02T00:00:00Z --to 2026-03-02T00:00:00Z", "the span is empty"),
        ("--from 2000-01-01T00:00:00Z --to 2026-03-02T00:00:00Z", "the span is longer than ten years"),
        ("--from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z --durations soon", "`soon` is no duration"),
        ("--from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z --durations x=5m", "there is no pipeline `x`"),
        ("--from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z --only x", "there is no pipeline `x`"),
    ] {
        let refused = sandbox.run(&format!("simulate {line}")).expect(2);
        assert!(refused.stderr.starts_with(&format!("error: {message}")), "{refused:?}");
        assert!(refused.stderr.contains("help: "), "{refused:?}");
    }
}

#[test]
fn days_begin_in_the_zone_of_the_pipelines() {
    let sandbox = sandbox();
    let span = |line: &str| {
        let done = sandbox.run(&format!("simulate -o json {line}")).expect(0).json();
        (done["from"].clone(), done["to"].clone())
    };
    let march = (json!("2026-02-28T23:00:00Z"), json!("2026-03-31T22:00:00Z"));
    assert_eq!(span("--from 2026-03-01 --to 2026-04-01"), march);
    assert_eq!(span("--from 2026-03-01 --to 2026-03-31T22:00:00Z"), march);
    sandbox.run("simulate --from 2d --to -1h").expect(0);
    sandbox
        .write("more.yaml", "pipelines: { tokyo: { timezone: Asia/Tokyo, schedule: '0 9 * * *', command: 'true' } }");
    let several = "simulate -c tickward.yaml -c more.yaml --from 2026-03-01 --to 2026-04-01";
    let refused = sandbox.run(several).expect(2);
    assert!(refused.stderr.starts_with("error: the day begins at different instants"), "{refused:?}");
    sandbox.run(&format!("{several} --only tokyo")).expect(0);
}
