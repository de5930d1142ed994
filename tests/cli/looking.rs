//! Commands that look: list, status, history, logs, next.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout};

use serde_json::{Value, json};

use super::sandbox::{Done, Sandbox, each, keys};

const CONFIG: &str = "pipelines:
  good: { schedule: '0 2 * * *', command: 'echo fine' }
  bad: { schedule: '0 2 * * *', timezone: Europe/Berlin, command: 'echo broken; exit 3' }
  hand: { command: [echo, by, hand] }
";

fn ticked() -> Sandbox {
    let sandbox = Sandbox::with(CONFIG);
    assert_eq!(sandbox.tick("2026-03-02T02:00:05Z")["rc"], 0);
    assert_eq!(sandbox.tick("2026-03-03T02:00:05Z")["rc"], 1);
    sandbox
}

#[test]
fn list_shows_each_pipeline_with_its_next_occurrence() {
    let sandbox = Sandbox::with(CONFIG);
    let list = sandbox.run("list -o json").expect(0).json();
    assert_eq!(each(&list, "pipeline"), ["good", "bad", "hand"]);
    let text = sandbox.run("list").expect(0);
    assert_eq!(text.stderr, "");
    let lines: Vec<Vec<&str>> = text.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PIPELINE", "SCHEDULE", "ZONE", "NEXT", "COMMAND"]);
    assert_eq!(lines[2][..7], ["bad", "0", "2", "*", "*", "*", "Europe/Berlin"]);
    assert_eq!(lines[3], ["hand", "by", "hand", "UTC", "–", "echo", "by", "hand"]);
    sandbox.write("tickward.yaml", &format!("{CONFIG}  wrong: {{ schedule: '61 * * * *', command: x }}"));
    let partly = sandbox.run("list").expect(3);
    assert!(partly.stdout.contains("wrong     broken: see above"), "{partly:?}");
}

#[test]
fn status_shows_what_runs_what_failed_and_what_comes_next() {
    let sandbox = ticked();
    let status = sandbox.run("status -o json").expect(0).json();
    assert_eq!(each(&status, "pipeline"), ["good", "bad", "hand"]);
    let expected = [
        "pipeline",
        "state",
        "configured",
        "active",
        "last",
        "failures_in_a_row",
        "next_attempt_at",
        "next",
        "paused",
        "held",
        "waits_for",
        "overdue_since",
    ];
    assert_eq!(keys(&status[0]), expected);
    assert_eq!((&status[1]["last"]["outcome"], &status[1]["failures_in_a_row"]), (&json!("failed"), &json!(1)));
    assert_eq!(status[2]["last"], Value::Null);
    let text = sandbox.run("status bad").expect(0).stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1][..6], ["bad", "overdue", "2026-03-03", "01:00:00Z", "failed", "1"]);
    let unknown = sandbox.run("status nobody").expect(2);
    assert_eq!(
        unknown.stderr,
        "error: neither the configuration nor the run-log knows `nobody`\n\
         help: `tickward status` shows all\n"
    );
    sandbox.write("tickward.yaml", "pipelines: { hand: { command: x } }");
    let gone = sandbox.run("status -o json").expect(0).json();
    assert_eq!(each(&gone, "state"), ["idle", "not configured", "not configured"]);
}

/// Only who really waits is `waiting`.
#[test]
fn status_says_scheduled_idle_or_waiting() {
    let sandbox = Sandbox::with(
        "pipelines:
  load: { schedule: '@yearly', command: 'true' }
  after: { depends_on: [load], command: 'true' }
  hand: { command: 'true' }
  waits: { schedule: '@daily', depends_on: [hand], command: 'true' }
",
    );
    sandbox.run("run-due --interval 86400").expect(0);
    let status = sandbox.run("status -o json").expect(0).json();
    let shown: Vec<_> = each(&status, "pipeline").into_iter().zip(each(&status, "state")).collect();
    assert_eq!(shown, [("load", "scheduled"), ("after", "idle"), ("hand", "idle"), ("waits", "waiting")]);
    assert_eq!(status[3]["waits_for"], "`hand` to succeed");
    sandbox.run("pause load --note moving").expect(0);
    let text = sandbox.run("status load").expect(0).stdout;
    assert!(text.trim_end().ends_with("when resumed (moving)"), "{text}");
    std::fs::remove_file(sandbox.path("tickward.yaml")).unwrap();
    let bare = sandbox.run("status").expect(0);
    assert!(
        bare.stderr.starts_with("note: no configuration found: name one with `--config`; looked for `"),
        "{bare:?}"
    );
}

/// What is said to come next comes, as things stand.
#[test]
fn status_names_no_instant_at_which_nothing_starts() {
    let retry = "schedule: '@yearly', retry: { max_attempts: 2, delay: 12h, jitter: 0% }, command: 'exit 1'";
    let sandbox = Sandbox::with(&format!(
        "pipelines:
  held: {{ schedule: '0 * * * *', on_gave_up: hold, command: 'exit 1' }}
  retries: {{ {retry} }}
  stands: {{ {retry} }}
  until: {{ schedule: '0 0 1 1 *', command: 'true' }}
"
    ));
    for name in ["held", "retries", "stands"] {
        sandbox.run(&format!("run {name}")).expect(1);
    }
    sandbox.run("pause stands").expect(0);
    sandbox.run("run-due").expect(0);
    sandbox.run("pause until --until 2098-06-01T00:00:00Z").expect(0);
    let status = sandbox.run("status -o json").expect(0).json();
    assert_eq!(each(&status, "state"), ["held", "retrying", "paused", "paused"]);
    let retry_at = status[1]["next_attempt_at"].as_str().unwrap();
    let next: Vec<_> = status.as_array().unwrap().iter().map(|line| &line["next"]).collect();
    assert_eq!([next[0], next[2], next[3]], [&Value::Null, &Value::Null, &json!("2099-01-01T00:00:00Z")]);
    let shown = format!("{} {}Z (retry)", &retry_at[..10], &retry_at[11..19]);
    let text = sandbox.run("status").expect(0).stdout;
    let ends = ["  NEXT", "  when reset", &shown, "  when resumed", "  paused until 2098-06-01 00:00:00Z"];
    for (line, end) in text.lines().zip(ends) {
        assert!(line.ends_with(end), "{end}: {text}");
    }
}

#[test]
fn what_is_due_every_minute_is_overdue_since_the_oldest_that_nobody_started() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: 'true' } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    let status = sandbox.run("status -o json").expect(0).json();
    let shown = (&status[0]["state"], &status[0]["overdue_since"]);
    assert_eq!(shown, (&json!("overdue"), &json!("2026-03-02T02:01:00Z")));
    sandbox.run("pause one --until 2026-03-02T02:05:00Z --now 2026-03-02T02:00:10Z").expect(0);
    for (now, state, next) in [("02:02:30", "paused", "02:06:00"), ("02:05:40", "scheduled", "02:06:00")] {
        let then = sandbox.run(&format!("status -o json --now 2026-03-02T{now}Z")).expect(0).json();
        let next = format!("2026-03-02T{next}Z");
        assert_eq!((&then[0]["state"], &then[0]["next"]), (&json!(state), &json!(next)), "in a rehearsal at {now}");
    }
}

#[test]
fn status_shows_a_run_that_goes_on() {
    let sandbox = Sandbox::with("pipelines: { one: { command: 'ENTER; until test -e go; do sleep 0.01; done' } }");
    let run = sandbox.start("run one");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let status = sandbox.run("status -o json").json();
    assert_eq!((&status[0]["state"], &status[0]["active"][0]["pid"]), (&json!("running"), &json!(run.id())));
    let id = status[0]["active"][0]["run_id"].as_str().unwrap();
    let text = sandbox.run("status").expect(0).stdout;
    let [header, row] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(header.ends_with("  RUNS") && row.ends_with(&format!("  {id}")), "{text}");
    sandbox.write("go", "");
    Done::wait(run).expect(0);
}

#[test]
fn history_shows_what_ran_newest_first() {
    let sandbox = ticked();
    let history = sandbox.run("history -o json").expect(0).json();
    let shown: Vec<_> =
        history.as_array().unwrap().iter().map(|r| (&r["run_id"], &r["state"], &r["exit_code"])).collect();
    assert_eq!(shown.len(), 3);
    assert!(shown[..2].contains(&(&json!("good@20260303T020000Z"), &json!("succeeded"), &json!(0))), "{shown:?}");
    assert!(shown[..2].contains(&(&json!("bad@20260303T010000Z"), &json!("failed"), &json!(3))), "{shown:?}");
    assert_eq!(shown[2].0, &json!("good@20260302T020000Z"));
    assert_eq!(history[0]["degraded"], false);
    let of_one = sandbox.run("history bad").expect(0).stdout;
    let lines: Vec<Vec<&str>> = of_one.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1][..6], ["bad", "2026-03-03", "01:00:00Z", "1", "failed", "3"]);
    assert_eq!(lines[1][7..], ["catch_up", "bad@20260303T010000Z", "exit", "code", "3"]);
    assert_eq!(sandbox.run("history -n 1 -o json").json().as_array().unwrap().len(), 1);
    assert_eq!(Sandbox::with(CONFIG).run("history").expect(0).stderr, "nothing has run yet\n");
}

#[test]
fn logs_shows_the_output_of_the_last_run_or_of_an_earlier_one() {
    let sandbox = Sandbox::with(
        "pipelines:
  one: { schedule: '* * * * *', retry: { max_attempts: 2, delay: 0s }, command: 'echo $TICKWARD_RUN_ID $TICKWARD_ATTEMPT; exit 1' }",
    );
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.tick("2026-03-02T02:01:05Z");
    for (arguments, printed) in [
        ("logs one", "one@20260302T020100Z 2\n"),
        ("logs one@20260302T020000Z", "one@20260302T020000Z 2\n"),
        ("logs one@20260302T020000Z --attempt 1", "one@20260302T020000Z 1\n"),
        ("logs one --attempt 1", "one@20260302T020100Z 1\n"),
        ("logs one -f", "one@20260302T020100Z 2\n"),
    ] {
        let done = sandbox.run(arguments).expect(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (printed, ""), "{arguments}");
    }
    let none = "its last run is `one@20260302T020100Z`, with attempt 1, 2\n";
    let ninth = sandbox.run("logs one --attempt 9").expect(2);
    assert_eq!(ninth.stderr, format!("error: no attempt 9 of `one` is known\nhelp: {none}"));
    let unknown = sandbox.run("logs two").expect(2);
    assert_eq!(
        unknown.stderr,
        "error: neither the configuration nor the run-log knows `two`\n\
         help: `tickward status` shows all\n"
    );
    let never = sandbox.run("logs one@20270101T000000Z").expect(2);
    assert!(never.stderr.starts_with("error: no run of `one@20270101T000000Z` is known\n"), "{never:?}");
    std::fs::remove_dir_all(sandbox.state().join("output")).unwrap();
    assert_eq!(sandbox.run("logs one").expect(0).stdout, "one@20260302T020100Z 2\n", "the run-log keeps the end");
}

/// They share the state folder, the name, the instant and the number.
#[test]
fn logs_of_one_run_log_shows_nothing_of_another() {
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: 'echo $PRINTED' } }");
    let of = |file: &str, call: &str| format!("{call} --run-log-url {file}");
    let tick = |file: &str, printed: &str| {
        let call = of(file, "run-due --interval 86400");
        sandbox.call_with(&call.split(' ').collect::<Vec<_>>(), &[("PRINTED", printed)]).expect(0);
    };
    tick("one.db", "this is of one");
    tick("other.db", "and this of the other");
    let logs = |file: &str| sandbox.run(&of(file, "logs p")).expect(0).stdout;
    assert_eq!(["one.db", "other.db"].map(logs), ["this is of one\n", "and this of the other\n"]);

    // A version without tokens in the names has left files of a name that both would have.
    let folder = sandbox.state().join("output/default/p");
    let name = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let [instant, number] = [0, 1].map(|part| name.split('.').nth(part).unwrap());
    for entry in std::fs::read_dir(&folder).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(folder.join(format!("{instant}.{number}.log")), "in a former file of t\n").unwrap();
    assert_eq!(
        ["one.db", "other.db"].map(logs),
        ["this is of one\n", "in a former file of t\n"],
        "longer than its own"
    );
    std::fs::write(folder.join(format!("{instant}.2.{}.log", name.split('.').nth(2).unwrap())), "renumbered\n")
        .unwrap();
    assert!(["one.db", "other.db"].map(logs).contains(&"renumbered\n".to_owned()));
}

/// Follows the output of `one` and returns once its first line has been shown.
fn following(sandbox: &Sandbox) -> (Child, BufReader<ChildStdout>) {
    let mut follow = sandbox.start("logs -f one");
    let mut printed = BufReader::new(follow.stdout.take().unwrap());
    let mut first = String::new();
    printed.read_line(&mut first).unwrap();
    assert_eq!(first, "first\n", "it is shown while the body runs");
    (follow, printed)
}

const WAITS: &str =
    "pipelines: { one: { command: 'echo first; ENTER; until test -e go; do sleep 0.01; done; echo last' } }";

#[test]
fn following_goes_on_until_the_attempt_has_ended_and_no_longer() {
    let sandbox = Sandbox::with(WAITS);
    let run = sandbox.start("run one");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let (follow, mut printed) = following(&sandbox);
    sandbox.write("go", "");
    Done::wait(run).expect(0);
    let mut rest = String::new();
    printed.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), Done::wait(follow).expect(0).stderr.as_str()), ("last\n", ""));
}

#[test]
fn following_stays_with_its_attempt_when_a_newer_run_begins() {
    let sandbox = Sandbox::with(WAITS);
    let first = sandbox.start("run one");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let (follow, _printed) = following(&sandbox);
    sandbox.write("go", "");
    Done::wait(first).expect(0);
    std::fs::remove_file(sandbox.path("go")).unwrap();
    let second = sandbox.start("run one");
    Done::wait(follow).expect(0);
    sandbox.write("go", "");
    Done::wait(second).expect(0);
}

#[test]
fn next_names_the_instants_of_a_pipeline_or_of_any_schedule() {
    let sandbox = Sandbox::with(CONFIG);
    let json = sandbox.call(&[
        "next",
        "--schedule",
        "0 9 * * mon",
        "--timezone",
        "America/New_York",
        "--after",
        "2026-03-02T00:00:00Z",
        "--count",
        "3",
        "-o",
        "json",
    ]);
    let instants = json!(["2026-03-02T14:00:00Z", "2026-03-09T13:00:00Z", "2026-03-16T13:00:00Z"]);
    assert_eq!(json.expect(0).json(), instants);
    let text = sandbox.run("next bad --after 2026-03-02T00:00:00Z -n 2").expect(0).stdout;
    let expected =
        "2026-03-02T01:00:00Z  Mon 2026-03-02 02:00:00 CET\n2026-03-03T01:00:00Z  Tue 2026-03-03 02:00:00 CET\n";
    assert_eq!(text, expected);
    let hand = sandbox.run("next hand").expect(0);
    assert_eq!(
        (hand.stdout.as_str(), hand.stderr.as_str()),
        ("", "no occurrence of its own: it runs by hand, or after what it depends on\n")
    );
    assert_eq!(sandbox.run("next hand -o json").expect(0).json(), json!([]));
    let wrong = sandbox.call(&["next", "--schedule", "* * * * 8"]).expect(2);
    assert_eq!(wrong.stderr, "error: day of week `8` is out of range\nhelp: use 0 to 7, or a name from sun to sat\n");
    sandbox.call(&["next", "--schedule", "* * * * *", "--timezone", "Mars/Base"]).expect(2);
    sandbox.run("next").expect(2);
    sandbox.run("next nobody").expect(2);
}

#[test]
fn next_takes_every_language_and_says_when_a_schedule_has_ended() {
    let sandbox = Sandbox::with(CONFIG);
    let table = [
        ("*-*~1 22:00", "2026-02-28T22:00:00Z  Sat 2026-02-28 22:00:00 UTC\n"),
        ("daily Europe/Berlin", "2026-02-01T23:00:00Z  Sun 2026-02-01 23:00:00 UTC\n"),
        ("every 1 day at 02:00", "2026-02-02T02:00:00Z  Mon 2026-02-02 02:00:00 UTC\n"),
        ("at 2026-12-01T09:00Z", "2026-12-01T09:00:00Z  Tue 2026-12-01 09:00:00 UTC\n"),
    ];
    let next = |text: &str, after: &str| sandbox.call(&["next", "--schedule", text, "--after", after, "--count", "1"]);
    for (text, expected) in table {
        assert_eq!(next(text, "2026-02-01T12:00:00Z").expect(0).stdout, expected, "{text}");
    }
    for text in ["at 2026-12-01T10:00+01:00", "2026-12-01 9:00"] {
        let ended = next(text, "2026-12-01T09:00:00Z").expect(0);
        let note = "no occurrence: the last one was at 2026-12-01T09:00:00Z\n";
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", note), "{text}");
    }
    let wrong = next("*:*/15", "2026-12-01T09:00:00Z").expect(2);
    assert_eq!(wrong.stderr, "error: minute `*` takes no step\nhelp: write `0/15`: steps count from a value\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::with(CONFIG);
    let line = format!("'{}' next good --count 5000; echo $? >&2", env!("CARGO_BIN_EXE_tickward"));
    let mut command = std::process::Command::new("/bin/sh");
    sandbox.dress(&mut command);
    let done = Done::of(command.args(["-c", &format!("( {line} ) | head -n 1")]).output().unwrap());
    assert_eq!((done.stdout.lines().count(), done.stderr.as_str()), (1, "0\n"));
}
