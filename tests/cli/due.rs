//! Which occurrences a tick fires: late ticks, doubled ones, clocks set back, edited files, retries.

use serde_json::{Value, json};

use super::sandbox::{Sandbox, each};

fn runs(report: &Value) -> Vec<&str> {
    each(&report["ran"], "run_id")
}

#[test]
fn a_tick_three_hours_late_fires_what_was_missed_and_the_same_tick_again_fires_nothing() {
    let sandbox = Sandbox::with("pipelines: { nightly: { schedule: '0 2 * * *', command: ENTER } }");
    assert_eq!(runs(&sandbox.tick("2026-03-01T12:00:00Z")), [""; 0]);
    assert_eq!(runs(&sandbox.tick("2026-03-02T05:00:00Z")), ["nightly@20260302T020000Z"]);
    for _ in 0..2 {
        let done = sandbox.run("run-due --now 2026-03-02T05:00:00Z").expect(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "an idle tick prints nothing at all");
    }
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_clock_set_back_fires_nothing_again() {
    let sandbox = Sandbox::with("pipelines: { often: { schedule: '* * * * *', command: ENTER } }");
    assert_eq!(runs(&sandbox.tick("2026-03-02T02:00:05Z")), ["often@20260302T020000Z"]);
    for back in ["2026-03-02T02:00:00Z", "2026-03-02T01:30:30Z", "2026-03-02T01:59:59Z"] {
        assert_eq!(runs(&sandbox.tick(back)), [""; 0], "{back}");
    }
    assert_eq!(runs(&sandbox.tick("2026-03-02T02:01:00Z")), ["often@20260302T020100Z"]);
    assert_eq!(sandbox.starts().len(), 2);
}

#[test]
fn a_new_pipeline_and_an_edited_schedule_do_not_fire_their_past() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 1 * * *', command: ENTER } }");
    assert_eq!(runs(&sandbox.tick("2026-03-02T00:30:00Z")), [""; 0]);
    assert_eq!(runs(&sandbox.tick("2026-03-02T01:00:00Z")), ["one@20260302T010000Z"]);
    sandbox.write(
        "tickward.yaml",
        "pipelines:
  one: { schedule: '30 1 * * *', command: ENTER }
  two: { schedule: '0 * * * *', command: ENTER }",
    );
    assert_eq!(runs(&sandbox.tick("2026-03-02T03:10:00Z")), [""; 0]);
    assert_eq!(runs(&sandbox.tick("2026-03-02T04:00:30Z")), ["two@20260302T040000Z"]);
}

#[test]
fn what_comes_once_runs_once_however_late_and_its_file_may_live_on() {
    let sandbox = Sandbox::with(
        "pipelines: { once: { schedule: 'at 2026-03-02 02:00', timezone: Europe/Berlin, command: ENTER } }",
    );
    assert_eq!(runs(&sandbox.tick("2026-03-01T12:00:00Z")), [""; 0]);
    assert_eq!(runs(&sandbox.tick("2026-03-02T05:00:00Z")), ["once@20260302T010000Z"]);
    for later in ["2026-03-02T05:00:00Z", "2026-03-02T05:01:00Z", "2027-03-02T01:00:00Z"] {
        assert_eq!(runs(&sandbox.tick(later)), [""; 0], "{later}");
    }
    assert_eq!(sandbox.run("status -o json").expect(0).json()["pipelines"][0]["next"], Value::Null);
    sandbox.run("validate").expect(0);
    sandbox.run("list").expect(0);
}

#[test]
fn of_several_missed_occurrences_the_newest_runs_and_the_others_are_recorded() {
    let sandbox = Sandbox::with("pipelines: { hourly: { schedule: '0 * * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T00:30:00Z");
    let report = sandbox.tick("2026-03-02T05:10:00Z");
    assert_eq!(runs(&report), ["hourly@20260302T050000Z"]);
    let missed = json!([{
        "pipeline": "hourly", "from": "2026-03-02T01:00:00Z", "to": "2026-03-02T04:00:00Z", "count": 4, "at_least": false,
    }]);
    assert_eq!(report["missed"], missed);
    let text = sandbox.run("history").expect(0).stdout;
    assert!(text.contains("missed") && text.contains("4, from 2026-03-02 01:00:00Z"), "{text}");
}

#[test]
fn all_that_was_missed_is_caught_up_in_order_where_the_file_says_so() {
    let sandbox = Sandbox::with("pipelines: { all: { schedule: '0 * * * *', catch_up: all, command: ENTER } }");
    sandbox.tick("2026-03-02T00:30:00Z");
    let report = sandbox.tick("2026-03-02T03:10:00Z");
    assert_eq!(runs(&report), ["all@20260302T010000Z", "all@20260302T020000Z", "all@20260302T030000Z"]);
}

#[test]
fn a_failure_at_two_is_retried_by_the_tick_a_minute_later() {
    let sandbox = Sandbox::with(
        "pipelines:
  nightly:
    schedule: '0 2 * * *'
    command: ENTER; test $TICKWARD_ATTEMPT = 2
    retry: { max_attempts: 2, delay: 60s }",
    );
    let first = sandbox.tick("2026-03-02T02:00:00Z");
    assert_eq!((&first["rc"], &first["failed"][0]["gave_up"]), (&json!(1), &json!(false)));
    let next = first["failed"][0]["next_attempt_at"].as_str().unwrap();
    assert!(next.starts_with("2026-03-02T02:01:0"), "{next}");
    let between = sandbox.tick("2026-03-02T02:00:30Z");
    assert_eq!(between["waiting"][0]["for"], format!("next attempt at {next}"));
    let second = sandbox.tick("2026-03-02T02:01:05Z");
    assert_eq!((runs(&second), &second["ran"][0]["attempt"]), (vec!["nightly@20260302T020000Z"], &json!(2)));
    assert_eq!(runs(&sandbox.tick("2026-03-02T02:02:05Z")), [""; 0]);
}

#[test]
fn giving_up_on_monday_does_not_stop_tuesday() {
    let sandbox = Sandbox::with(
        "pipelines:
  nightly: { schedule: '0 2 * * *', command: 'ENTER; test -e repaired', retry: { max_attempts: 2, delay: 0s } }",
    );
    let monday = sandbox.tick("2026-03-02T02:00:05Z");
    assert_eq!(monday["failed"][1]["gave_up"], true, "{monday}");
    sandbox.write("repaired", "");
    let tuesday = sandbox.tick("2026-03-03T02:00:05Z");
    assert_eq!((runs(&tuesday), &tuesday["rc"]), (vec!["nightly@20260303T020000Z"], &json!(0)));
    assert_eq!(sandbox.starts().len(), 3);
}

#[test]
fn what_is_due_while_its_last_run_goes_on_is_skipped_and_recorded() {
    let sandbox = Sandbox::with(
        "pipelines: { slow: { schedule: '* * * * *', command: 'ENTER; until test -e go; do sleep 0.01; done' } }",
    );
    let first = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("the first to run", || sandbox.starts().len() == 1);
    let second = sandbox.tick("2026-03-02T02:01:05Z");
    let skipped = json!([{ "pipeline": "slow", "scheduled_for": "2026-03-02T02:01:00Z", "reason": "overlap" }]);
    assert_eq!((&second["skipped"], &second["rc"]), (&skipped, &json!(0)));
    sandbox.write("go", "");
    assert_eq!(super::sandbox::Done::wait(first).code, 0);
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn only_the_named_and_tagged_pipelines_are_looked_at() {
    let sandbox = Sandbox::with(
        "pipelines:
  a: { schedule: '* * * * *', command: ENTER, tags: [x] }
  b: { schedule: '* * * * *', command: ENTER, tags: [x, y] }
  c: { schedule: '* * * * *', command: ENTER }",
    );
    for (only, ran) in [("--only c", vec!["c"]), ("--only tag:y", vec!["b"]), ("--only tag:x --only c", vec!["a"])] {
        let report = sandbox.run(&format!("run-due --now 2026-03-02T02:00:05Z -o json {only}")).expect(0).json();
        assert_eq!(each(&report["ran"], "pipeline"), ran, "{only}");
    }
    let unknown = sandbox.run("run-due --now 2026-03-02T02:00:05Z --only cc").expect(2);
    assert_eq!(unknown.stderr, "error: there is no pipeline `cc`\nhelp: did you mean `c`? `tickward list` shows all\n");
}

#[test]
fn one_job_at_a_time_really_is_one_at_a_time() {
    let body = "mkdir alone || exit 9; sleep 0.02; rmdir alone";
    let pipelines: String =
        (0..6).map(|i| format!("  p{i}: {{ schedule: '* * * * *', command: '{body}' }}\n")).collect();
    let sandbox = Sandbox::with(&format!("pipelines:\n{pipelines}"));
    let report = sandbox.run("run-due --jobs 1 --now 2026-03-02T02:00:05Z -o json").expect(0).json();
    assert_eq!(report["ran"].as_array().unwrap().len(), 6);
    sandbox.run("run-due --jobs 0").expect(2);
}

#[test]
fn the_interval_says_how_far_back_a_new_pipeline_reaches() {
    let config = "pipelines: { one: { schedule: '0 2 * * *', command: ENTER } }";
    for (interval, count) in [("60", 0), ("90s", 0), ("10m", 1), ("600", 1)] {
        let sandbox = Sandbox::with(config);
        let report = sandbox.run(&format!("run-due --interval {interval} --now 2026-03-02T02:05:00Z -o json"));
        assert_eq!(report.json()["ran"].as_array().unwrap().len(), count, "{interval}");
    }
}

#[test]
fn an_interval_of_more_than_a_year_is_refused() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 2 * * *', command: ENTER } }");
    for (interval, code) in
        [("366d", 0), ("31622400", 0), ("31622401", 2), ("9999999999", 2), ("18446744073709551616", 2)]
    {
        let done = sandbox.run(&format!("run-due --dry-run --interval {interval}")).expect(code);
        let told = format!("error: invalid value '{interval}' for '--interval <D>': ");
        assert_eq!(done.stderr.contains(&told), code == 2, "{done:?}");
    }
    let done = sandbox.run("run-due --interval 9999999999").expect(2);
    assert!(
        done.stderr.contains("it is longer than 366 days: write how often ticks come, such as 60, 5m, 1h"),
        "{done:?}"
    );
}

#[test]
fn a_time_budget_stops_what_runs_and_says_so() {
    let sandbox = Sandbox::with(
        "pipelines:
  slow: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' }
  quick: { schedule: '* * * * *', command: ENTER }",
    );
    let done = sandbox.run("run-due --time-budget 2s --now 2026-03-02T02:00:05Z -o json").expect(124);
    let report = done.json();
    assert_eq!(
        (runs(&report), &report["failed"][0]["outcome"]),
        (vec!["quick@20260302T020000Z"], &json!("interrupted"))
    );
    sandbox.assert_nothing_left();
}

#[test]
fn a_dry_run_shows_what_is_due_and_changes_nothing() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: ENTER } }");
    let dry = sandbox.run("run-due --dry-run --now 2026-03-02T02:00:05Z -o json").expect(0).json();
    let due =
        json!([{ "pipeline": "one", "scheduled_for": "2026-03-02T02:00:00Z", "attempt": 1, "trigger": "schedule" }]);
    assert_eq!(dry["due"], due);
    assert!(!sandbox.state().exists(), "a dry run creates no run-log");
    let text = sandbox.run("run-due --dry-run --now 2026-03-02T02:00:05Z").expect(0);
    assert_eq!(
        (text.stdout.as_str(), text.stderr.as_str()),
        ("", "would run one@20260302T020000Z attempt 1 (schedule)\n")
    );
    assert_eq!(runs(&sandbox.tick("2026-03-02T02:00:05Z")), ["one@20260302T020000Z"]);
}

#[test]
fn a_dry_run_takes_nothing_over_from_a_dead_tick() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' } }");
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    sandbox.assert_nothing_left();
    sandbox.run("run-due --dry-run --now 2026-03-02T02:00:10Z").expect(0);
    assert_eq!(sandbox.attempts()[0].3, "running", "a dry run commits nothing");
    assert_eq!(sandbox.tick("2026-03-02T02:00:15Z")["failed"][0]["outcome"], "lost");
}

#[test]
fn rehearsals_and_real_ticks_keep_apart() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 2 * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    let real = sandbox.run("run-due").expect(2);
    let db = sandbox.state().join("run_log.db").display().to_string();
    assert_eq!(
        real.stderr,
        format!(
            "error: the run-log `{db}` was created under --now, for a rehearsal\n\
             help: use another run-log for real ticks, or delete this one\n"
        )
    );
    assert_eq!(sandbox.run("run-due --dry-run").expect(2).stderr, real.stderr, "what a tick would come to");
    let looked = sandbox.run("doctor").expect(1).stdout;
    assert!(looked.contains(&format!("wrong  run-log        the run-log `{db}` was created under --now")), "{looked}");
    let other = sandbox.path("real.db").display().to_string();
    sandbox.call(&["run-due", "--run-log-url", &other]).expect(0);
    let rehearsal = ["run-due", "--run-log-url", &other, "--now", "2026-03-02T02:00:05Z"];
    assert!(sandbox.call(&rehearsal).expect(2).stderr.contains("--now is for rehearsals"));
    let later = ["run-due", "--run-log-url", &other, "--now", "2999-03-02T02:00:05Z", "--dry-run"];
    let dry = sandbox.call(&later).expect(0);
    assert!(dry.stderr.ends_with("would run one@29990302T020000Z attempt 1 (schedule)\n"), "{dry:?}");
    assert_eq!(sandbox.call(&["history", "--run-log-url", &other]).expect(0).stderr, "nothing has run yet\n");
    assert_eq!(sandbox.starts().len(), 1);
}
