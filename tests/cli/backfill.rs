//! `tickward backfill NAME`.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::degraded::refuse;
use super::sandbox::{Done, Sandbox, each, keys, signal};

const DAILY: &str = "pipelines: { daily: { schedule: '0 2 * * *', command: BODY, kill_grace: 1s } }";
const WEEK: &str = "backfill daily --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z";

fn sandbox(body: &str) -> Sandbox {
    Sandbox::with(&DAILY.replace("BODY", body))
}

fn days(sandbox: &Sandbox) -> Vec<String> {
    sandbox.starts().iter().map(|start| start.scheduled_for[8..10].to_string()).collect()
}

/// What each day of the history came to, oldest attempt first.
fn states(sandbox: &Sandbox) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (_, at, _, state) in sandbox.attempts() {
        match all.last_mut().filter(|(day, _)| *day == at) {
            Some((_, states)) => states.push(state),
            None => all.push((at, vec![state])),
        }
    }
    all
}

#[test]
fn a_span_is_run_in_order_and_what_succeeded_is_left_out_the_next_time() {
    let sandbox = sandbox("'ENTER; echo $TICKWARD_TRIGGER >> triggers'");
    let planned = sandbox.run(&format!("{WEEK} --dry-run")).expect(0);
    let first = planned.stderr.lines().next().unwrap();
    assert_eq!(first, "would run daily@20260301T020000Z attempt 1 (backfill)");
    assert_eq!(planned.stderr.lines().last().unwrap(), "backfill  daily: 7 to run, 0 left out");
    assert!(!sandbox.state().exists(), "a dry run makes nothing");
    let done = sandbox.run(&format!("{WEEK} -o json")).expect(0).json();
    let expected =
        ["pipeline", "from", "to", "occurrences", "ran", "failed", "had_succeeded", "run_elsewhere", "not_begun", "rc"];
    assert_eq!(keys(&done), expected);
    assert_eq!(each(&done["ran"], "outcome"), ["succeeded"; 7]);
    assert_eq!(days(&sandbox), ["01", "02", "03", "04", "05", "06", "07"]);
    assert_eq!(sandbox.read("triggers"), "backfill\n".repeat(7));
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    let cursor: Option<i64> = run_log.query_row("SELECT cursor FROM tickward_pipeline", (), |row| row.get(0)).unwrap();
    assert_eq!(cursor, None, "the schedule's cursor is not touched");
    let more = sandbox.run(&WEEK.replace("03-08", "03-09")).expect(0);
    let last = more.stderr.lines().last().unwrap();
    assert_eq!(last, "backfill  daily: 1 succeeded, 7 had succeeded before");
    let again = sandbox.run(&format!("{WEEK} --again -o json")).expect(0).json();
    assert_eq!(again["ran"][6]["attempt"], 2, "{again}");
    assert_eq!(days(&sandbox).len(), 7 + 1 + 7);
}

#[test]
fn it_stops_at_the_first_occurrence_that_gives_up_unless_it_is_to_keep_going() {
    let sandbox = sandbox("'ENTER; case $TICKWARD_SCHEDULED_FOR in *-03T*) test -e repaired;; esac'");
    let done = sandbox.run(WEEK).expect(1);
    assert_eq!(done.stderr.lines().last().unwrap(), "backfill  daily: 2 succeeded, 1 failed, 4 not begun");
    assert_eq!(days(&sandbox), ["01", "02", "03"]);
    let on = sandbox.run(&format!("{WEEK} --keep-going -o json")).expect(1).json();
    assert_eq!((&on["had_succeeded"], &on["not_begun"], &on["rc"]), (&json!(2), &json!(0), &json!(1)));
    assert_eq!(each(&on["failed"], "run_id"), ["daily@20260303T020000Z"]);
    assert_eq!(days(&sandbox), ["01", "02", "03", "03", "04", "05", "06", "07"]);
    sandbox.write("repaired", "");
    sandbox.run(WEEK).expect(0);
    assert_eq!(days(&sandbox).last().unwrap(), "03");
}

#[test]
fn a_retry_is_made_before_the_next_occurrence() {
    let sandbox = Sandbox::with(
        "pipelines:
  daily:
    schedule: '0 2 * * *'
    command: ENTER; test $TICKWARD_ATTEMPT = 2 -o $TICKWARD_SCHEDULED_FOR != 2026-03-02T02:00:00Z
    retry: { max_attempts: 2, delay: 200ms }",
    );
    sandbox.run(WEEK).expect(0);
    assert_eq!(days(&sandbox), ["01", "02", "02", "03", "04", "05", "06", "07"]);
}

#[test]
fn killed_in_the_middle_it_goes_on_where_it_stopped() {
    let sandbox = sandbox("'ENTER; test -e go || case $TICKWARD_SCHEDULED_FOR in *-04T*) exec sleep 600;; esac'");
    let mut killed = sandbox.start(WEEK);
    sandbox.wait("the fourth to run", || days(&sandbox).len() == 4);
    killed.kill().unwrap();
    killed.wait().unwrap();
    sandbox.write("go", "");
    let done = sandbox.run(WEEK).expect(0);
    let last = done.stderr.lines().last().unwrap();
    assert_eq!(last, "backfill  daily: 4 succeeded, 3 had succeeded before", "{done:?}");
    for (at, states) in states(&sandbox) {
        let lost: &[&str] = if at.contains("-04T") { &["lost", "succeeded"] } else { &["succeeded"] };
        assert_eq!(states, lost, "{at}");
    }
    assert_eq!(days(&sandbox), ["01", "02", "03", "04", "04", "05", "06", "07"]);
    sandbox.assert_nothing_left();
}

#[test]
fn killed_anywhere_every_occurrence_succeeds_once() {
    let sandbox = Sandbox::with("pipelines: { all: { schedule: '0 * * * *', command: ENTER, kill_grace: 1s } }");
    let span = "backfill all --from 2026-03-01T00:00:00Z --to 2026-03-03T00:00:00Z";
    for round in 1..=10 {
        let mut killed = sandbox.start(span);
        let (before, more) = (sandbox.starts().len(), 1 + round % 4);
        sandbox.wait("some to start", || sandbox.starts().len() >= (before + more).min(48));
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    sandbox.run(span).expect(0);
    let states = states(&sandbox);
    assert_eq!(states.len(), 48);
    for (at, states) in states {
        let (last, earlier) = states.split_last().unwrap();
        assert_eq!(last, "succeeded", "{at}");
        assert!(earlier.iter().all(|state| state == "lost" || state == "released"), "{at}: {earlier:?}");
    }
}

#[test]
fn two_at_once_share_the_span_and_double_nothing() {
    let sandbox = sandbox("'ENTER; sleep 0.05'");
    let both = [sandbox.start(&format!("{WEEK} -o json")), sandbox.start(&format!("{WEEK} -o json"))];
    let both: Vec<Value> = both.into_iter().map(|child| Done::wait(child).expect(0).json()).collect();
    let ran: usize = both.iter().map(|done| done["ran"].as_array().unwrap().len()).sum();
    assert_eq!(ran, 7, "{both:?}");
    let mut days = days(&sandbox);
    days.sort();
    assert_eq!(days, ["01", "02", "03", "04", "05", "06", "07"]);
}

#[test]
fn told_to_stop_it_ends_what_runs_and_says_so() {
    for (by, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let sandbox = sandbox("'ENTER; test -e go || exec sleep 600'");
        let child = sandbox.start(WEEK);
        sandbox.wait("it to run", || days(&sandbox).len() == 1);
        signal(&child, by);
        let done = Done::wait(child).expect(code);
        let last = done.stderr.lines().last().unwrap();
        assert_eq!(last, "backfill  daily: 0 succeeded, 1 interrupted, 6 not begun", "{done:?}");
        assert_eq!(states(&sandbox), [("2026-03-01T02:00:00Z".into(), vec!["interrupted".into()])]);
        sandbox.assert_nothing_left();
        sandbox.write("go", "");
        sandbox.run(WEEK).expect(0);
        assert_eq!(days(&sandbox), ["01", "01", "02", "03", "04", "05", "06", "07"]);
    }
}

#[test]
fn it_waits_for_another_run_of_the_pipeline_and_as_many_run_at_once_as_are_wanted() {
    let sandbox = sandbox("'ENTER; until test -e go; do sleep 0.01; done'");
    let by_hand = sandbox.start("run daily");
    sandbox.wait("it to run", || days(&sandbox).len() == 1);
    let span = sandbox.start(WEEK);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(days(&sandbox).len(), 1);
    sandbox.write("go", "");
    Done::wait(by_hand).expect(0);
    let done = Done::wait(span).expect(0);
    assert!(done.stderr.starts_with("waits     for daily@"), "{done:?}");
    std::fs::remove_file(sandbox.path("go")).unwrap();
    let wide = sandbox.start(&format!("{WEEK} --again --jobs 3"));
    sandbox.wait("three to run", || days(&sandbox).len() == 8 + 3);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(days(&sandbox).len(), 8 + 3);
    sandbox.write("go", "");
    Done::wait(wide).expect(0);
    assert_eq!(days(&sandbox).len(), 8 + 7);
}

#[test]
fn what_makes_no_sense_is_refused_with_advice() {
    let sandbox = Sandbox::with(
        "pipelines:
  often: { schedule: '* * * * *', command: ENTER }
  hand: { command: ENTER }",
    );
    for (line, message, help) in [
        (
            "often --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z",
            "the span has more than 10000 occurrences of `often`",
            "help: choose a shorter span, or add `--yes`",
        ),
        ("often --from 2026-02-01T00:00:00Z --to 2026-01-01T00:00:00Z", "the span is empty", ""),
        (
            "hand --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z",
            "`hand` has no schedule",
            "help: `tickward run hand --scheduled-for T` runs it for one instant",
        ),
        ("oftn --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z", "there is no pipeline `oftn`", "`often`"),
    ] {
        let refused = sandbox.run(&format!("backfill {line}")).expect(2);
        assert!(refused.stderr.starts_with(&format!("error: {message}")), "{refused:?}");
        assert!(refused.stderr.contains(help), "{refused:?}");
    }
    assert_eq!(sandbox.starts(), []);
}

/// Midnight in New York, a week before and after the clocks there are set back.
#[test]
fn a_span_may_be_of_dates_which_begin_in_the_pipelines_zone() {
    let daily = "schedule: '@daily', timezone: America/New_York, command: ENTER";
    let sandbox = Sandbox::with(&format!("pipelines: {{ daily: {{ {daily} }} }}"));
    let span = |words: &str| sandbox.run(&format!("backfill daily --dry-run -o json {words}")).expect(0).json();
    let of_dates = span("--from 2025-10-31 --to 2025-11-04");
    assert_eq!(of_dates["due"][0]["scheduled_for"], "2025-10-31T04:00:00Z");
    assert_eq!(
        (&of_dates["due"][3]["scheduled_for"], &of_dates["occurrences"]),
        (&"2025-11-03T05:00:00Z".into(), &4.into())
    );
    for words in ["--from 7d --to 0s", "--from -7d --to 0s", "--from=-7d --to 2999-01-01"] {
        let count = span(words)["occurrences"].as_u64().unwrap();
        assert!((6..=8).contains(&count), "{words}: {count}");
    }
    let next = sandbox.run("next daily --after 2025-11-03 --count 1").expect(0).stdout;
    assert!(next.starts_with("2025-11-04T05:00:00Z"), "after midnight there: {next}");
    sandbox.run("shadow report --since 7d").expect(0);
    sandbox.run("shadow report --since 2025-11-03").expect(0);
}

#[test]
fn an_outcome_that_the_run_log_does_not_take_waits_for_it() {
    let sandbox = sandbox("'ENTER; while [ ! -e go ]; do sleep 0.05; done'");
    let backfill = sandbox.start(WEEK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let run_log = refuse(&sandbox, "UPDATE");
    sandbox.write("go", "");
    let done = Done::wait(backfill).expect(4);
    assert!(done.stderr.contains("wait in the spool of this host"), "{done:?}");
    run_log.execute_batch("DROP TRIGGER no").unwrap();
    assert_eq!(sandbox.run("run-due").expect(0).stderr, "recorded  1 from the spool of this host\n");
    assert_eq!(states(&sandbox), [("2026-03-01T02:00:00Z".into(), vec!["succeeded".into()])]);
}
