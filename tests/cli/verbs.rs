//! pause, resume, reset, skip, cancel, retry: what people ask for between two ticks, and while they run.

use serde_json::json;

use super::sandbox::{Done, Sandbox, each};

const HOURLY: &str = "pipelines: { one: { schedule: '0 * * * *', command: ENTER } }";

#[test]
fn a_month_of_pause_floods_nothing() {
    let sandbox = Sandbox::with(HOURLY);
    assert_eq!(each(&sandbox.tick("2026-03-02T02:00:05Z")["ran"], "pipeline"), ["one"]);
    let paused = sandbox.run("pause one --now 2026-03-02T02:30:00Z --note quiet").expect(0);
    assert_eq!(paused.stderr, "one: paused until it is resumed (quiet)\n");
    let again = sandbox.run("pause one --now 2026-03-02T02:31:00Z --note quiet").expect(0);
    assert_eq!(again.stderr, "one: is paused already until it is resumed (quiet)\n");
    for (flags, said) in [
        ("", "one: is paused already until it is resumed (quiet)\n"),
        ("--until 2026-03-02T02:40:00Z", "one: paused until 2026-03-02T02:40:00Z (quiet)\n"),
        ("--until 2026-03-02T02:40:00Z --note=", "one: paused until 2026-03-02T02:40:00Z\n"),
        ("--note quiet", "one: paused until it is resumed (quiet)\n"),
    ] {
        let again = sandbox.run(&format!("pause one --now 2026-03-02T02:32:00Z {flags}")).expect(0);
        assert_eq!(again.stderr, said, "{flags}");
    }
    for now in ["2026-03-02T03:00:05Z", "2026-03-09T03:00:05Z", "2026-04-02T05:00:05Z"] {
        assert_eq!(sandbox.tick(now)["ran"], json!([]), "{now}");
    }
    let status = sandbox.run("status -o json").json();
    assert_eq!((&status[0]["state"], &status[0]["paused"]["note"]), (&json!("paused"), &json!("quiet")));
    assert!(sandbox.run("status").stdout.contains("when resumed"), "the table says so too");
    let resumed = sandbox.run("resume one -o json --now 2026-04-02T06:30:00Z").expect(0).json();
    assert_eq!(resumed, json!([{ "pipeline": "one", "changed": true, "not_run": 1, "held": false }]));
    assert_eq!(sandbox.run("resume one --now 2026-04-02T06:31:00Z").expect(0).stderr, "one: is not paused\n");
    assert_eq!(sandbox.tick("2026-04-02T06:31:05Z")["ran"], json!([]));
    assert_eq!(each(&sandbox.tick("2026-04-02T07:00:05Z")["ran"], "run_id"), ["one@20260402T070000Z"]);
    assert_eq!(sandbox.starts().len(), 2);
}

#[test]
fn a_pause_of_some_time_ends_at_a_whole_second_and_is_kept_as_it_is_told() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    for (until, whole) in
        [("3m", vec!["02:33:00", "02:33:01", "02:33:02"]), ("90s", vec!["02:31:30", "02:31:31", "02:31:32"])]
    {
        let words = format!("pause one --until {until} -o json --now 2026-03-02T02:30:00Z");
        let told = sandbox.run(&words).expect(0).json()[0]["until"].clone();
        let whole: Vec<_> = whole.iter().map(|time| json!(format!("2026-03-02T{time}Z"))).collect();
        assert!(whole.contains(&told), "{told}");
        let kept = sandbox.run("run-log show one -o json").expect(0).json();
        assert_eq!(kept["paused"]["until"], told, "{kept}");
    }
    let typed = "one: paused until 2026-03-02T02:40:00.5Z\n";
    let told = sandbox.run("pause one --until 2026-03-02T02:40:00.5Z --now 2026-03-02T02:30:00Z").expect(0);
    assert_eq!(told.stderr, typed, "as somebody has typed it");
}

/// Whoever resumes after the end of a pause changes nothing: what fell due since then is the next tick's.
#[test]
fn resuming_a_pause_that_is_over_takes_nothing_from_the_next_tick() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    let paused = sandbox.run("pause one --until 2h --now 2026-03-02T02:30:00Z --note quiet").expect(0);
    assert!(paused.stderr.starts_with("one: paused until 2026-03-02T04:30:0"), "{paused:?}");
    assert_eq!(sandbox.run("resume one --now 2026-03-02T05:30:00Z").expect(0).stderr, "one: is not paused\n");
    assert_eq!(each(&sandbox.tick("2026-03-02T05:30:05Z")["ran"], "run_id"), ["one@20260302T050000Z"]);
    let anew = sandbox.run("pause one --now 2026-03-02T06:00:00Z").expect(0);
    assert_eq!(anew.stderr, "one: paused until it is resumed\n", "the note was that of another pause");
    let over = sandbox.run("pause one --until 2026-03-02T05:00:00Z --now 2026-03-02T06:00:00Z").expect(2);
    assert!(over.stderr.starts_with("error: the pause would be over already\nhelp: "), "{over:?}");
}

#[test]
fn names_are_patterns_and_tags_too_and_none_makes_a_run_log() {
    let sandbox = Sandbox::with(
        "
pipelines:
  load_a: { schedule: '0 * * * *', tags: [night], command: ENTER }
  load_b: { schedule: '0 * * * *', command: ENTER }
  other: { schedule: '0 * * * *', tags: [night], command: ENTER }
",
    );
    for verb in ["pause", "resume", "reset", "skip", "cancel", "retry", "forget"] {
        let none = sandbox.run(&format!("{verb} other")).expect(4);
        assert!(none.stderr.starts_with("error: there is no run-log `"), "{verb}: {none:?}");
        assert!(none.stderr.ends_with("help: the first tick makes it: `tickward run-due`\n"), "{verb}: {none:?}");
        let without = sandbox.run(&format!("{verb} other --no-run-log")).expect(2);
        assert!(without.stderr.contains("unexpected argument '--no-run-log'"), "{verb}: {without:?}");
    }
    assert!(!sandbox.state().exists());
    sandbox.tick("2026-03-02T02:00:05Z");
    for (words, names) in [
        ("load_?", vec!["load_a", "load_b"]),
        ("tag:night", vec!["load_a", "other"]),
        ("*a other load_a", vec!["load_a", "other"]),
        ("--all", vec!["load_a", "load_b", "other"]),
    ] {
        let paused = sandbox.run(&format!("pause {words} -o json --now 2026-03-02T02:30:00Z")).expect(0).json();
        assert_eq!(each(&paused, "pipeline"), names, "{words}");
    }
    for (words, told) in [
        (
            "lode_a",
            "error: neither the configuration nor the run-log knows `lode_a`\nhelp: did you mean `load_a`? `tickward status` shows all\n",
        ),
        (
            "tag:nigth",
            "error: no pipeline has the tag `nigth`\nhelp: did you mean `night`? `tickward list -o json` shows all\n",
        ),
        ("x*", "error: neither the configuration nor the run-log knows `x*`\n"),
    ] {
        let unknown = sandbox.run(&format!("resume load_b {words} --now 2026-03-02T02:30:00Z")).expect(2);
        assert!(unknown.stderr.starts_with(told), "{words}: {unknown:?}");
    }
    let real = sandbox.run("pause other").expect(2);
    assert!(real.stderr.contains("was created under --now, for a rehearsal"), "{real:?}");
}

/// What is left of it guards claims.
#[test]
fn what_was_forgotten_is_not_among_all() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    sandbox.run("forget one --yes --now 2026-03-02T02:30:00Z").expect(0);
    let paused = sandbox.run("pause --all -o json --now 2026-03-02T02:30:00Z").expect(0).json();
    assert_eq!(each(&paused, "pipeline"), ["other"]);
}

#[test]
fn what_no_file_has_any_more_can_be_paused_and_resumed() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    sandbox.run("pause one --now 2026-03-02T02:30:00Z").expect(0);
    sandbox.write("tickward.yaml", HOURLY);
    assert_eq!(each(&sandbox.tick("2026-03-02T03:00:05Z")["skipped"], "reason"), ["paused"]);
    sandbox.write("tickward.yaml", "pipelines: { one: { schedule: '61 * * * *', command: x } }");
    let broken = sandbox.run("resume one --now 2026-03-02T03:30:00Z").expect(2);
    assert!(broken.stderr.starts_with("error: pipeline `one` is broken\nhelp: mend it first"), "{broken:?}");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    sandbox.run("resume one --now 2026-03-02T03:30:00Z").expect(0);
}

#[test]
fn of_a_stretch_that_was_skipped_both_ends_and_their_number_are_told() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.run("pause one --now 2026-03-02T02:30:00Z").expect(0);
    let dry = sandbox.run("run-due --dry-run --now 2026-03-02T09:00:05Z").expect(0);
    assert_eq!(dry.stderr, "skipped   one: 7 from 2026-03-02T03:00:00Z to 2026-03-02T09:00:00Z (paused)\n");
    let expected = json!([{
        "pipeline": "one", "scheduled_for": "2026-03-02T09:00:00Z", "reason": "paused",
        "from": "2026-03-02T03:00:00Z", "count": 7, "at_least": false,
    }]);
    assert_eq!(sandbox.tick("2026-03-02T09:00:05Z")["skipped"], expected);
}

#[test]
fn what_is_paused_held_or_skipped_by_a_person_mails_nobody() {
    let sandbox = Sandbox::with(
        "pipelines:\n  one: { schedule: '0 * * * *', command: ENTER }\n  \
         two: { schedule: '0 * * * *', on_gave_up: hold, command: ENTER; exit 1 }\n  \
         three: { schedule: '0 * * * *', command: ENTER }\n",
    );
    sandbox.run("pause one --now 2026-03-02T01:30:00Z").expect(4);
    let first = sandbox.run("run-due --now 2026-03-02T02:00:05Z").expect(1).stderr;
    assert!(first.contains("held until reset"), "{first}");
    sandbox.run("pause one --now 2026-03-02T02:30:00Z").expect(0);
    sandbox.run("skip three --at 2026-03-02T03:00:00Z --now 2026-03-02T02:30:00Z").expect(0);
    let told = "skipped   one of 2026-03-02T03:00:00Z (paused)\nskipped   two of 2026-03-02T03:00:00Z (held)\n\
                skipped   three of 2026-03-02T03:00:00Z (skipped)\n";
    let dry = sandbox.run("run-due --dry-run --now 2026-03-02T03:00:05Z").expect(0).stderr;
    assert_eq!(dry, told);
    assert_eq!(sandbox.run("run-due --now 2026-03-02T03:00:05Z").expect(0).stderr, "");
}

#[test]
fn who_gave_up_is_held_until_it_is_reset() {
    let sandbox =
        Sandbox::with("pipelines: { one: { schedule: '0 * * * *', on_gave_up: hold, command: 'ENTER; test -e go' } }");
    let first = sandbox.run("run-due --now 2026-03-02T02:00:05Z").expect(1).stderr;
    assert!(first.ends_with(": exit code 1; gave up: held until reset\n"), "{first}");
    let later = sandbox.run("run-due --now 2026-03-02T03:00:05Z --dry-run").expect(0).stderr;
    assert_eq!(later, "skipped   one of 2026-03-02T03:00:00Z (held)\n");
    assert_eq!(each(&sandbox.tick("2026-03-02T03:00:05Z")["skipped"], "reason"), ["held"]);
    let status = sandbox.run("status").expect(0).stdout;
    assert!(status.contains("held") && status.contains("when reset"), "{status}");
    let reset = sandbox.run("reset one --now 2026-03-02T04:30:00Z").expect(0);
    assert_eq!(reset.stderr, "one: is held no more; 1 occurrence that fell due meanwhile is not run\n");
    assert_eq!(sandbox.run("reset one --now 2026-03-02T04:31:00Z").expect(0).stderr, "one: is not held\n");
    sandbox.write("go", "");
    assert_eq!(each(&sandbox.tick("2026-03-02T05:00:05Z")["ran"], "run_id"), ["one@20260302T050000Z"]);
    assert_eq!(sandbox.starts().len(), 2);
}

#[test]
fn the_next_occurrence_or_the_pending_retry_is_skipped() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '0 * * * *', retry: { max_attempts: 2, delay: 20m }, command: 'ENTER; exit 1' } }",
    );
    sandbox.tick("2026-03-02T02:00:05Z");
    let retry = sandbox.run("skip one --now 2026-03-02T02:10:00Z").expect(0);
    assert_eq!(retry.stderr, "one: the pending retry of its run of 2026-03-02T02:00:00Z is skipped\n");
    assert_eq!(sandbox.tick("2026-03-02T02:30:05Z")["failed"], json!([]));
    let next = sandbox.run("skip one --now 2026-03-02T02:31:00Z -o json").expect(0).json();
    assert_eq!((&next[0]["skipped"], &next[0]["was_retry"]), (&json!("2026-03-02T03:00:00Z"), &json!(false)));
    assert_eq!(each(&sandbox.tick("2026-03-02T03:00:05Z")["skipped"], "reason"), ["skipped"]);
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_cancelled_command_ends_at_the_next_renewal() {
    let sandbox = Sandbox::with(
        "
pipelines:
  slow:
    schedule: '0 2 * * *'
    lease: 3s
    kill_grace: 1s
    retry: { max_attempts: 3, delay: 0s }
    command: 'ENTER; exec sleep 600'
",
    );
    let tick = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let cancelled = sandbox.run("cancel slow --why enough --wait --now 2026-03-02T02:00:06Z").expect(0);
    let told = "slow: 1 run is told to end: seen within 1.0s\nslow@20260302T020000Z: cancelled\n";
    assert_eq!(cancelled.stderr, told);
    let report = Done::wait(tick).json();
    assert_eq!(each(&report["failed"], "outcome"), ["cancelled"], "{report}");
    let again = sandbox.run("cancel slow --now 2026-03-02T02:00:10Z").expect(0);
    assert_eq!(again.stderr, "slow: nothing of it runs\n");
    assert_eq!(sandbox.tick("2026-03-02T03:00:05Z")["failed"], json!([]), "no retry follows");
    assert_eq!(sandbox.starts().len(), 1);
    sandbox.assert_nothing_left();
}

/// Each row: a command, its exit code, what it says.
#[test]
fn an_occurrence_is_skipped_by_its_instant_and_a_skip_is_taken_back() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    for (line, code, told) in [
        ("--at 2026-03-02T04:00:00Z", 0, "its occurrence of 2026-03-02T04:00:00Z is skipped"),
        ("--at 2026-03-02T04:00:00Z", 0, "its occurrence of 2026-03-02T04:00:00Z is skipped already"),
        ("--at 2026-03-02T04:10:00Z", 2, "2026-03-02T04:10:00Z is no instant of its schedule"),
        ("--at 2026-03-02T02:00:00Z", 2, "2026-03-02T02:00:00Z is decided already: it ran, or was recorded as not run"),
        ("--at 2026-03-02T03:00:00Z", 0, "its occurrence of 2026-03-02T03:00:00Z is skipped"),
        ("--at 2026-03-02T03:00:00Z --undo", 0, "its occurrence of 2026-03-02T03:00:00Z is skipped no more"),
        ("--at 2026-03-02T03:00:00Z --undo", 0, "its occurrence of 2026-03-02T03:00:00Z is not skipped"),
        ("--at 2026-03-02T05:00:00Z", 0, "its occurrence of 2026-03-02T05:00:00Z is skipped"),
        ("--undo", 0, "its occurrence of 2026-03-02T05:00:00Z is skipped no more"),
        (
            "--at 2026-03-02T02:00:00Z --undo",
            0,
            "its occurrence of 2026-03-02T02:00:00Z has been decided, and nothing is to be taken back: attempt 1 succeeded",
        ),
        (
            "--at 2026-03-02T01:00:00Z --undo",
            0,
            "its occurrence of 2026-03-02T01:00:00Z has been decided, and nothing is to be taken back: the run-log has no more of it",
        ),
    ] {
        let done = sandbox.run(&format!("skip one {line} --now 2026-03-02T02:10:00Z")).expect(code);
        assert_eq!(done.stderr, format!("one: {told}\n"), "{line}");
    }
    let why = sandbox.run("why one --at 2026-03-02T04:00:00Z -o json --now 2026-03-02T02:11:00Z").json();
    assert_eq!(
        why["answer"],
        "It does not run for 2026-03-02T04:00:00Z because somebody has skipped it; `tickward skip one --at \
         2026-03-02T04:00:00Z --undo` takes that back."
    );
    let stops = why["gates"].as_array().unwrap().iter().find(|gate| gate["verdict"] == "stops").unwrap();
    assert_eq!(stops["gate"], "skipped");
    assert_eq!(each(&sandbox.tick("2026-03-02T03:00:05Z")["ran"], "run_id"), ["one@20260302T030000Z"]);
    assert_eq!(each(&sandbox.tick("2026-03-02T04:00:05Z")["skipped"], "reason"), ["skipped"]);
    assert_eq!(each(&sandbox.tick("2026-03-02T05:00:05Z")["ran"], "run_id"), ["one@20260302T050000Z"]);
    assert_eq!(sandbox.run("skip one --undo --now 2026-03-02T05:10:00Z").stderr, "one: nothing of it is skipped\n");
    let decided = "it was not run because a person said so";
    let late = sandbox.run("skip one --at 2026-03-02T04:00:00Z --undo --now 2026-03-02T05:10:00Z").expect(0);
    let told = format!(
        "one: its occurrence of 2026-03-02T04:00:00Z has been decided, and nothing is to be taken back: {decided}\n"
    );
    assert_eq!(late.stderr, told);
    let late = sandbox.run("skip one --at 2026-03-02T04:00:00Z --undo -o json --now 2026-03-02T05:10:00Z").expect(0);
    assert_eq!((&late.json()[0]["changed"], &late.json()[0]["decided"]), (&json!(false), &json!(decided)));
}

#[test]
fn cancelling_drops_a_pending_retry() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '0 2 * * *', retry: { max_attempts: 2, delay: 20m }, command: 'ENTER; exit 1' } }",
    );
    sandbox.tick("2026-03-02T02:00:05Z");
    let cancelled = sandbox.run("cancel one -o json --now 2026-03-02T02:10:00Z").expect(0).json();
    assert_eq!((&cancelled[0]["told_to_end"], &cancelled[0]["retries_dropped"]), (&json!(0), &json!(1)));
    assert_eq!(sandbox.tick("2026-03-02T02:30:05Z")["failed"], json!([]));
}

#[test]
fn the_last_failed_run_is_made_once_more() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '0 * * * *', retry: { max_attempts: 2, delay: 20m }, command: 'ENTER; test -e go' } }",
    );
    sandbox.tick("2026-03-02T02:00:05Z");
    sandbox.write("go", "");
    let retried = sandbox.run("retry one --now 2026-03-02T02:05:00Z").expect(0);
    assert!(retried.stderr.starts_with("one: once more the run of 2026-03-02T02:00:00Z\n"), "{retried:?}");
    assert_eq!(sandbox.tick("2026-03-02T02:30:05Z")["ran"], json!([]), "the pending retry was made");
    let numbers: Vec<_> = sandbox.starts().iter().map(|start| (start.scheduled_for.clone(), start.attempt)).collect();
    let at = "2026-03-02T02:00:00Z".to_string();
    assert_eq!(numbers, [(at.clone(), 1), (at, 2)]);
    sandbox.run("retry one --jobs 2 --now 2026-03-02T02:40:00Z").expect(2);
    let nothing = sandbox.run("retry one --now 2026-03-02T02:40:00Z").expect(0);
    assert_eq!(nothing.stderr, "one: no run of it has failed or was lost\n");
}

#[test]
fn what_is_forgotten_starts_as_a_new_pipeline_with_a_higher_fence() {
    let sandbox = Sandbox::with(HOURLY);
    sandbox.tick("2026-03-02T02:00:05Z");
    let asked = sandbox.run("forget one --now 2026-03-02T02:30:00Z").expect(2);
    assert!(asked.stderr.ends_with("its next occurrence then starts as that of a new pipeline\n"), "{asked:?}");
    assert_eq!(sandbox.attempts().len(), 1);
    let forgotten = sandbox.run("forget one --yes --now 2026-03-02T02:30:00Z").expect(0);
    assert_eq!(forgotten.stderr, "one: forgotten, with 1 records of history\n");
    let again = sandbox.run("forget one --yes --now 2026-03-02T02:31:00Z").expect(0);
    assert_eq!(again.stderr, "one: nothing is known of it\n");
    assert_eq!(sandbox.attempts(), []);
    assert_eq!(each(&sandbox.tick("2026-03-02T03:00:05Z")["ran"], "run_id"), ["one@20260302T030000Z"]);
    assert_eq!(sandbox.starts().iter().map(|start| start.fence).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn while_a_run_is_active_nothing_is_forgotten() {
    let sandbox = Sandbox::with(
        "pipelines: { one: { schedule: '0 2 * * *', command: 'ENTER; until test -e go; do sleep 0.01; done' } }",
    );
    let tick = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let refused = sandbox.run("forget one --yes --now 2026-03-02T02:00:06Z").expect(75);
    assert!(refused.stderr.starts_with("error: a run of `one` is active: nothing was forgotten\n"), "{refused:?}");
    sandbox.write("go", "");
    Done::wait(tick).expect(0);
}
