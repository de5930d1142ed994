//! `tickward run NAME`.

use std::process::Command;

use serde_json::json;

use super::sandbox::{Done, Sandbox, keys, signal};

#[test]
fn a_run_by_hand_is_claimed_and_recorded_like_any_other() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 2 * * *', command: ENTER } }");
    let done = sandbox.run("run one --now 2026-03-02T12:34:56.789Z -o json").expect(0);
    let report = done.json();
    let expected = [
        "pipeline",
        "scheduled_for",
        "attempt",
        "outcome",
        "exit_code",
        "duration_ms",
        "run_id",
        "error",
        "gave_up",
        "next_attempt_at",
        "started_at",
        "rc",
    ];
    assert_eq!(keys(&report), expected);
    assert_eq!((&report["outcome"], &report["rc"], &report["attempt"]), (&json!("succeeded"), &json!(0), &json!(1)));
    let instant = report["scheduled_for"].as_str().unwrap();
    assert!(instant.starts_with("2026-03-02T12:34:5"), "{instant}");
    let history = sandbox.run("history -o json").json();
    assert_eq!((&history[0]["trigger"], &history[0]["state"]), (&json!("manual"), &json!("succeeded")));
    assert_eq!(sandbox.starts()[0].scheduled_for, instant);
    let tick = sandbox.tick("2026-03-03T02:00:05Z");
    assert_eq!(tick["ran"][0]["run_id"], "one@20260303T020000Z", "the schedule's cursor was not touched: {tick}");
}

/// It does not wait: whoever sees it end has to know whether something comes after it, and from whom.
#[test]
fn the_next_attempt_is_told_with_who_makes_it() {
    let retry = "retry: { max_attempts: 2, delay: 1h, backoff: fixed, jitter: 0% }";
    let sandbox = Sandbox::with(&format!("pipelines: {{ one: {{ command: 'exit 1', {retry} }} }}"));
    let done = sandbox.run("run one").expect(1);
    let (line, note) = done.stderr.split_once('\n').unwrap();
    let at = line.rsplit_once("; next attempt at ").unwrap().1;
    assert_eq!(note, format!("note: the next attempt is made by the first `tickward run-due` from {at} on\n"));
    let json = sandbox.run("run one -o json").expect(1);
    let at = json.json()["next_attempt_at"].as_str().unwrap().to_owned();
    assert!(json.stderr.ends_with(&format!(" from {at} on\n")), "{json:?}");
    let done = sandbox.run("run one --no-run-log").expect(1);
    assert!(
        done.stderr.ends_with("note: nobody makes the next attempt: without a run-log no tick knows of it\n"),
        "{done:?}"
    );
    sandbox.run("pause one").expect(0);
    let done = sandbox.run("run one").expect(1);
    assert!(done.stderr.ends_with("note: the next attempt is made by a tick, once `one` is resumed\n"), "{done:?}");
}

#[test]
fn a_failure_shows_the_last_lines_of_the_output() {
    let sandbox = Sandbox::with("pipelines: { one: { command: 'seq 20; echo went wrong >&2; exit 7' } }");
    let done = sandbox.run("run one").expect(1);
    assert_eq!(done.stdout, "");
    let (first, rest) = done.stderr.split_once('\n').unwrap();
    assert!(first.starts_with("failed    one@") && first.ends_with(": exit code 7"), "{first}");
    let lines = ["17", "18", "19", "20", "went wrong"].map(|line| format!("          | {line}\n"));
    assert_eq!(rest, lines.concat());
}

#[test]
fn partial_and_timed_out_have_their_codes() {
    let sandbox = Sandbox::with(
        "pipelines:
  partial: { command: 'exit 2', exit_codes: { 2: partial } }
  hangs: { command: 'exec sleep 600', timeout: 1s, kill_grace: 1s }",
    );
    sandbox.run("run partial").expect(0);
    let done = sandbox.run("run hangs -o json").expect(124);
    assert_eq!((&done.json()["outcome"], &done.json()["rc"]), (&json!("timed_out"), &json!(124)));
    assert_eq!(sandbox.left(), []);
}

#[test]
fn naming_an_instant_adds_an_attempt_to_its_run() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 2 * * *', command: 'ENTER; test -e go' } }");
    assert_eq!(sandbox.tick("2026-03-02T02:00:05Z")["failed"][0]["gave_up"], true);
    let again = "run one --scheduled-for 2026-03-02T02:00:00Z --now 2026-03-02T09:00:00Z";
    sandbox.run(again).expect(1);
    sandbox.write("go", "");
    sandbox.run(again).expect(0);
    let numbers: Vec<_> = sandbox.starts().iter().map(|start| (start.scheduled_for.clone(), start.attempt)).collect();
    let at = "2026-03-02T02:00:00Z".to_string();
    assert_eq!(numbers, [(at.clone(), 1), (at.clone(), 2), (at, 3)]);
}

#[test]
fn while_a_run_is_active_another_is_refused() {
    let sandbox = Sandbox::with("pipelines: { one: { command: 'ENTER; until test -e go; do sleep 0.01; done' } }");
    let first = sandbox.start("run one");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let at = sandbox.starts()[0].scheduled_for.clone();
    for second in ["run one".to_string(), format!("run one --scheduled-for {at}")] {
        let refused = sandbox.run(&second).expect(75);
        let (first, help) = refused.stderr.split_once('\n').unwrap();
        assert!(first.starts_with("error: another run of `one` is active: one@"), "{first}");
        assert_eq!(help, "help: `tickward status` shows what runs; try again when it has ended\n");
    }
    sandbox.write("go", "");
    Done::wait(first).expect(0);
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_retry_that_is_due_soon_is_made_by_the_same_process() {
    let sandbox = Sandbox::with(
        "pipelines:
  soon: { command: 'ENTER; test $TICKWARD_ATTEMPT = 3', retry: { max_attempts: 3, delay: 300ms, backoff: fixed } }
  late: { command: 'ENTER; exit 1', retry: { max_attempts: 2, delay: 5m } }",
    );
    let soon = sandbox.run("run soon -o json").expect(0).json();
    assert_eq!((&soon["attempt"], &soon["outcome"]), (&json!(3), &json!("succeeded")));
    let late = sandbox.run("run late -o json").expect(1).json();
    assert_eq!((&late["attempt"], &late["gave_up"]), (&json!(1), &json!(false)));
    assert_eq!(sandbox.starts().len(), 4);
}

#[test]
fn an_instant_to_come_is_one_of_the_schedule() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '@hourly', command: ENTER } }");
    let run = |at: &str| sandbox.run(&format!("run one --scheduled-for {at} --now 2026-03-02T02:30:00Z"));
    for (at, code, starts) in [
        ("2026-03-02T02:30:50Z", 0, 1),
        ("2026-03-02T02:40:00Z", 2, 1),
        ("2026-03-02T03:00:00Z", 0, 2),
        ("2026-03-02T01:10:00Z", 0, 3),
    ] {
        let done = run(at).expect(code);
        assert_eq!(sandbox.starts().len(), starts, "{at}: {done:?}");
        if code == 2 {
            let told =
                format!("error: {at} is still to come, and no instant of the schedule of `one`\nhelp: `tickward next");
            assert!(done.stderr.starts_with(&told), "{done:?}");
        }
    }
}

#[test]
fn a_name_that_is_not_there_gets_the_nearest_one_named() {
    let sandbox = Sandbox::with("pipelines: { nightly_export: { command: ENTER }, other: { command: ENTER } }");
    let done = sandbox.run("run nightly_exprot").expect(2);
    let expected = "error: there is no pipeline `nightly_exprot`\n\
                    help: did you mean `nightly_export`? `tickward list` shows all\n";
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", expected));
}

#[test]
fn what_another_tick_has_lost_is_no_failure_of_this_run() {
    let sandbox = Sandbox::with(
        "pipelines:
  data: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' }
  a: { command: ENTER }",
    );
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    signal(&tick, nix::sys::signal::Signal::SIGKILL);
    tick.wait().unwrap();
    let done = sandbox.run("run a --now 2026-03-02T02:00:20Z -o json").expect(0).json();
    assert_eq!((&done["pipeline"], &done["outcome"], &done["rc"]), (&json!("a"), &json!("succeeded"), &json!(0)));
    assert!(sandbox.attempts().iter().any(|attempt| attempt.0 == "data" && attempt.3 == "lost"));
}

#[test]
fn at_a_terminal_control_characters_of_a_body_are_shown_and_not_obeyed() {
    let sandbox = Sandbox::with(r#"pipelines: { one: { command: 'printf "\033]0;owned\007\033[2J\n"; exit 1' } }"#);
    let script = |line: &str| {
        let mut command = Command::new("/usr/bin/script");
        sandbox.dress(&mut command);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        command.args(["-qec", &format!("{} {line}", env!("CARGO_BIN_EXE_tickward")), "/dev/null"]);
        Done::of(command.output().unwrap()).stdout
    };
    if !std::path::Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: there is no script(1) to make a terminal with");
        return;
    }
    for line in ["run one", "logs one"] {
        let shown = script(line);
        assert!(shown.contains(r"\u{1b}]0;owned\u{7}\u{1b}[2J"), "{line}: {shown}");
        assert!(
            !shown.contains("\u{1b}]0;") && !shown.contains("\u{7}") && !shown.contains("\u{1b}[2J"),
            "{line}: {shown:?}"
        );
    }
    assert_eq!(sandbox.run("logs one").stdout, "\u{1b}]0;owned\u{7}\u{1b}[2J\n", "a file gets what was printed");
}

/// The tick finds the attempt only when it looks at the pipeline a second time.
#[test]
fn an_occurrence_that_was_run_by_hand_is_not_recorded_as_passed_over() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '*/10 * * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T01:55:00Z");
    sandbox.run("run one --scheduled-for 2026-03-02T02:00:00Z --now 2026-03-02T02:05:00Z").expect(0);
    sandbox.run("run one --now 2026-03-02T02:15:07Z").expect(0);
    sandbox.tick("2026-03-02T02:32:00Z");
    let history = sandbox.run("history one -o json").json();
    let missed: Vec<_> = history.as_array().unwrap().iter().filter(|record| record["kind"] != "attempt").collect();
    let attempts = sandbox.attempts();
    let ran: Vec<_> = attempts.iter().map(|attempt| &attempt.1[11..16]).filter(|at| *at != "02:15").collect();
    assert_eq!(ran, ["02:00", "02:30"]);
    assert_eq!(missed.len(), 1, "{history}");
    assert_eq!(
        (&missed[0]["count"], &missed[0]["reason"]),
        (&json!(2), &json!("missed")),
        "02:10 and 02:20, whatever was run between them: {history}"
    );
}

#[test]
fn a_run_by_hand_may_have_another_program_and_further_arguments() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "tickward.yaml",
        "pipelines:\n  p: { command: [echo, a], retry: { max_attempts: 3, delay: 5s } }\n  line: { command: echo a }\n",
    );
    for (line, printed) in
        [("run p", "a\n"), ("run p -- -b {{c}}", "a -b {{c}}\n"), ("run p --argv0 /usr/bin/printf", "a")]
    {
        sandbox.run(line).expect(0);
        assert_eq!(sandbox.run("logs p").stdout, printed, "{line}");
    }
    let failed = sandbox.run("run p --argv0 /bin/false -o json").expect(1).json();
    assert_eq!((&failed["attempt"], &failed["gave_up"]), (&json!(1), &json!(true)), "{failed}");
    let refused = sandbox.run("run line -- x").expect(2);
    let expected = "error: the command of `line` is a line for the shell: it has no program to replace\n\
                    help: write the command as a list, or leave out `--argv0` and what follows `--`\n";
    assert_eq!(refused.stderr, expected);
}

#[test]
fn in_json_it_says_so_where_nothing_was_run() {
    let sandbox = Sandbox::with("pipelines: { one: { command: ENTER } }");
    for (arguments, code) in [
        ("run nobody -o json", 2),
        ("run one -o json --scheduled-for 2999-01-01T00:00:00Z", 2),
        ("run one -o json --run-log-url /proc/nowhere/runs.db", 4),
    ] {
        let told = sandbox.run(arguments).expect(code).json();
        assert_eq!(
            (&told["rc"], &told["error"]),
            (&json!(code), &json!("nothing was run: see standard error")),
            "{told}"
        );
    }
    assert_eq!(sandbox.starts().len(), 0);
}

#[test]
fn who_runs_what_is_held_is_told_so() {
    let config = "pipelines: { one: { schedule: '0 2 * * *', on_gave_up: hold, command: 'test -e ok' } }";
    let sandbox = Sandbox::with(config);
    let held = "warning: `one` is held since 2026-03-02T12:";
    let until = "gave up: its schedule starts nothing until `tickward reset one`\n";
    let done = sandbox.run("run one --now 2026-03-02T12:00:00Z").expect(1);
    assert!(done.stderr.contains(held) && done.stderr.ends_with(until), "by this run itself: {done:?}");
    sandbox.write("ok", "");
    let done = sandbox.run("run one --now 2026-03-02T13:00:00Z -o json").expect(0);
    assert!(done.stderr.starts_with(held) && done.stderr.ends_with(until), "by one before: {done:?}");
    sandbox.run("reset one --now 2026-03-02T14:00:00Z").expect(0);
    let done = sandbox.run("run one --now 2026-03-02T15:00:00Z -o json").expect(0);
    assert_eq!(done.stderr, "");
}
