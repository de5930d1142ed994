//! What is told beside the alerts of runs: of hosts and outages, figures, a test; and what is said of an address that leads nowhere.

use std::fs;

use serde_json::Value;

use super::http_server::{Manner, Server};
use super::outbox::{FAILS, SECRET, alerters, ids, kinds, silent, tick, up, url};
use super::sandbox::Sandbox;

#[test]
fn hosts_that_disagree_are_told_of_once_an_hour() {
    let sandbox = Sandbox::new();
    sandbox.write("old.yaml", "pipelines: { a: { schedule: '0 5 * * *', command: 'true' } }");
    sandbox.write("new.yaml", "pipelines: { a: { schedule: '0 6 * * *', command: 'true' } }");
    let told = |name: &str, time: &str| {
        sandbox
            .run(&format!("run-due -c {name}.yaml --now 2026-03-02T{time}Z --alerter stdout://"))
            .stderr
            .contains("alert: config split")
    };
    let all = [("old", "01:00:05"), ("new", "01:01:05"), ("old", "01:02:05"), ("old", "01:03:05"), ("new", "01:03:10")];
    assert_eq!(all.map(|(name, time)| told(name, time)), [false, false, true, false, false]);
    assert!(!told("old", "01:40:05") && told("old", "02:02:06"));
}

#[test]
fn a_host_that_has_not_ticked_for_long_is_told_of() {
    let server = Server::start(up());
    let sandbox = Sandbox::with("pipelines: { a: { schedule: '@yearly', command: 'true' } }");
    let line = format!("run-due -o json --alerter {}", url(&server));
    let gap = || sandbox.run(&line).expect(0).json()["tick"]["gap_seconds"].clone();
    assert_eq!(gap(), Value::Null);
    assert!(gap().as_u64().unwrap() < 60);
    let detached = sandbox.run(&format!("{line} --detach")).expect(0).json();
    assert!(detached["tick"]["gap_seconds"].as_u64().unwrap() < 60, "{detached}");
    assert!(server.requests().is_empty());
    let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    fs::write(sandbox.state().join("last-tick"), hour_ago.to_string()).unwrap();
    assert!((3600..3700).contains(&gap().as_u64().unwrap()));
    let told = server.request().json();
    assert_eq!(told["kind"], "tick_gap");
    assert!((3600..3700).contains(&told["gap_seconds"].as_u64().unwrap()));
}

#[test]
fn the_figures_of_a_tick_are_in_the_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("tickward.prom");
    let config = format!("metrics: 'textfile://{}'\n{FAILS}", file.display());
    sandbox.write("tickward.yaml", &config.replace("tags:", "retry: { max_attempts: 2, delay: 50s }, tags:"));
    tick(&sandbox, "02:00:05").expect(1);
    let has = |lines: &[&str]| {
        let text = sandbox.read("tickward.prom");
        lines.iter().for_each(|line| assert!(text.contains(line), "no `{line}` in\n{text}"));
    };
    has(&[
        "pipeline_runs_total{pipeline=\"a\",outcome=\"failure\"} 1\n",
        "pipeline_duration_seconds_count{pipeline=\"a\"} 1\n",
        "pipeline_retry_attempt{pipeline=\"a\"} 2\n",
    ]);
    sandbox.write("ok", "");
    tick(&sandbox, "02:05:05").expect(0);
    has(&[
        "pipeline_runs_total{pipeline=\"a\",outcome=\"success\"} 1\n",
        "pipeline_runs_total{pipeline=\"a\",outcome=\"skipped\"} 5\n",
        "pipeline_duration_seconds_count{pipeline=\"a\"} 2\n",
        "pipeline_retry_attempt{pipeline=\"a\"} 0\n",
        "tickward_pipeline_last_success_timestamp_seconds{pipeline=\"a\"} ",
    ]);
    fs::remove_file(&file).unwrap();
    tick(&sandbox, "02:05:15").expect(0);
    has(&["pipeline_runs_total{pipeline=\"a\",outcome=\"success\"} 1\n", "tickward_last_tick_timestamp_seconds "]);
}

#[test]
fn a_run_by_hand_hands_over_figures_too() {
    let sandbox = Sandbox::with("pipelines: { a: { command: 'true' }, b: { schedule: '@yearly', command: 'true' } }");
    let url = format!("textfile://{}", sandbox.path("tickward.prom").display());
    silent(sandbox.run(&format!("run a --metrics {url}"))).expect(0);
    let text = sandbox.read("tickward.prom");
    for line in ["{pipeline=\"a\",outcome=\"success\"} 1\n", "{pipeline=\"b\",outcome=\"success\"} 0\n"] {
        assert!(text.contains(&format!("pipeline_runs_total{line}")), "no `{line}` in\n{text}");
    }
}

#[test]
fn a_test_alert_says_of_each_alerter_what_happened() {
    let (good, bad) = (Server::start(up()), Server::start(Manner::status(500)));
    let sandbox = Sandbox::with(&alerters(&[&good]));
    let done = silent(sandbox.run("alert test")).expect(0);
    assert_eq!(done.stdout, "webhook-http: delivered\n");
    assert_eq!(good.request().json()["kind"], "test");
    let line = format!("alert test -o json --alerter {} --alerter {}", url(&good), url(&bad));
    let done = silent(sandbox.run(&line)).expect(1).json();
    assert_eq!((&done["alerters"][0]["delivered"], &done["alerters"][1]["delivered"]), (&true.into(), &false.into()));
    assert!(done["alerters"][1]["error"].as_str().unwrap().contains("500"));
    let done = silent(sandbox.run("alert test webhok-http")).expect(2);
    assert!(done.stderr.ends_with("help: did you mean `webhook-http`? there are: webhook-http\n"), "{done:?}");
    let far = silent(sandbox.run("alert test pager")).expect(2);
    assert!(far.stderr.ends_with("help: there are: webhook-http\n"), "{far:?}");
    silent(sandbox.run("alert test --metrics stdout://")).expect(2);
    sandbox.write("tickward.yaml", FAILS);
    assert!(sandbox.run("alert test").expect(2).stderr.contains("there is no alerter"));
    assert_eq!(sandbox.run("alert list").expect(0).stdout, "no alert waits, and none is dead\n");
}

#[test]
fn where_nothing_leads_is_told_with_its_place_and_the_tick_goes_on() {
    let good = Server::start(up());
    let sandbox = Sandbox::new();
    let wrong =
        format!("alerters:\n  - carrier-pigeon://{SECRET}\n  - '{}'\nmetrics: 'null://{SECRET}'\n{FAILS}", url(&good));
    sandbox.write("tickward.yaml", &wrong);
    for line in ["validate", "run-due --now 2026-03-02T02:00:05Z"] {
        let done = silent(sandbox.run(line));
        assert_eq!(done.code, if line == "validate" { 3 } else { 1 }, "{done:?}");
        assert!(done.stderr.contains("unknown scheme `carrier-pigeon`"), "{done:?}");
        assert!(done.stderr.contains("tickward.yaml:2:5") && done.stderr.contains("tickward.yaml:4:10"), "{done:?}");
    }
    assert_eq!(kinds(&good.requests()), ["gave_up"]);
    sandbox.write("ok", "");
    sandbox.write("tickward.yaml", FAILS);
    let wrong = format!("carrier-pigeon://{SECRET}");
    for (name, variables) in [
        ("`--alerter`", vec![]),
        ("$TICKWARD_ALERTERS", vec![("TICKWARD_ALERTERS", wrong.as_str()), ("EMATIX_FLOW_ALERTERS", "stdout://")]),
        ("$EMATIX_FLOW_ALERTERS", vec![("EMATIX_FLOW_ALERTERS", wrong.as_str())]),
        ("$TICKWARD_METRICS", vec![("TICKWARD_METRICS", wrong.as_str())]),
    ] {
        let mut line = vec!["run-due", "--now", "2026-03-02T02:00:15Z"];
        if variables.is_empty() {
            line.extend(["--alerter", &wrong]);
        }
        let done = silent(sandbox.call_with(&line, &variables)).expect(3);
        assert!(done.stderr.contains(&format!("error: {name}: ")), "{name}: {done:?}");
        assert_eq!(done.stderr.contains("notice: EMATIX_FLOW_ALERTERS"), name.contains("EMATIX"), "{done:?}");
    }
}

/// One that is deaf makes the others hear it no more often.
#[test]
fn each_alerter_is_told_of_an_outage_until_it_has_heard() {
    let (hears, deaf) = (Server::start(up()), Server::start(Manner::status(503)));
    let config = alerters(&[&hears, &deaf]).replace("'* * * * *'", "'@daily'");
    let sandbox = Sandbox::with(&format!("on_run_log_error: skip\n{config}"));
    fs::create_dir_all(sandbox.state()).unwrap();
    fs::write(sandbox.state().join("run_log.db"), [b'x'; 5000]).unwrap();
    let both = || {
        silent(sandbox.run("run-due --interval 86400 -o json")).expect(4);
        [kinds(&hears.requests()).len(), kinds(&deaf.requests()).len()]
    };
    assert_eq!([both(), both()], [[1, 1], [0, 1]]);
    deaf.behave(up());
    assert_eq!([both(), both()], [[0, 1], [0, 0]]);
}

/// Who has seen an id is not to look again.
#[test]
fn that_an_outage_is_over_is_told_under_another_id() {
    let (hears, deaf) = (Server::start(up()), Server::start(Manner::status(503)));
    let sandbox = Sandbox::with(&alerters(&[&hears, &deaf]).replace("* * * * *", "@daily"));
    fs::create_dir_all(sandbox.state()).unwrap();
    let file = sandbox.state().join("run_log.db");
    fs::write(&file, [b'x'; 5000]).unwrap();
    sandbox.write("ok", "");
    silent(sandbox.run("run-due --interval 86400")).expect(0);
    fs::remove_file(&file).unwrap();
    silent(sandbox.run("run-due --interval 86400")).expect(0);
    let told = hears.requests();
    let [begun, over] = ids(&told).try_into().unwrap();
    assert_eq!((kinds(&told), over), (vec!["degraded".to_string(); 2], format!("{begun}/over")));
}

#[test]
fn an_outage_is_told_once_and_what_failed_in_it_when_it_is_over() {
    let server = Server::start(Manner::status(503));
    let config = alerters(&[&server]).replace("'* * * * *'", "'@daily'");
    let sandbox = Sandbox::with(&config);
    let file = sandbox.path("tickward.prom");
    sandbox.write("tickward.yaml", &format!("metrics: 'textfile://{}'\n{config}", file.display()));
    fs::create_dir_all(sandbox.state()).unwrap();
    let database = sandbox.state().join("run_log.db");
    fs::write(&database, [b'x'; 5000]).unwrap();
    let tick = || silent(sandbox.run("run-due --interval 86400 -o json"));
    tick().expect(1);
    assert_eq!(kinds(&server.requests()), ["degraded"]);
    server.behave(up());
    tick().expect(0);
    let told = server.requests();
    assert_eq!(kinds(&told), ["degraded"], "it is told until somebody has heard");
    assert!(told[0].json()["error"].as_str().unwrap().contains("no SQLite file"), "{}", told[0].json());
    let figures = fs::read_to_string(&file).unwrap();
    assert!(figures.contains("tickward_degraded 1\n") && !figures.contains("pipeline_runs_total{"), "{figures}");
    tick().expect(0);
    assert!(server.requests().is_empty(), "once");
    let days_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(96);
    fs::write(sandbox.state().join("last-tick"), days_ago.to_string()).unwrap();
    tick().expect(0);
    assert_eq!(kinds(&server.requests()), ["tick_gap"], "it is told without an outbox");
    fs::remove_file(&database).unwrap();
    tick().expect(0);
    let told = server.requests();
    assert_eq!(kinds(&told), ["gave_up"]);
    assert!(told[0].json()["run_id"].as_str().unwrap().starts_with("a@"), "{}", told[0].json());
    tick().expect(0);
    assert!(server.requests().is_empty());
}
