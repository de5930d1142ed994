//! Pending retries: claimed in time, waited for, or superseded.

use std::time::Duration;

use tickward::plan::constant_delay;
use tickward::run::{Outcome, Reason};

use crate::story::{Story, at, pipeline, play};

const TWICE: &str = "schedule: '@hourly'; retry: { max_attempts: 3, delay: 10m, backoff: fixed }";

#[test]
fn a_retry_waits_and_any_later_tick_makes_it() {
    play(
        TWICE,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:05 failed => again at 01:15
         01:14:59 tick => 01:00 waits until 01:15
         01:15 tick => retry 01:00#2
         01:16 tick => nothing
         01:20 timed_out => again at 01:30
         01:47 tick => retry 01:00#3
         01:50 failed => gave up
         01:51 tick => nothing",
    );
}

#[test]
fn waits_grow_as_the_policy_says() {
    play(
        "schedule: '@daily'; retry: { max_attempts: 5, delay: 10m, backoff: exponential, max_delay: 30m }",
        "00:00 tick => schedule 00:00#1
         01:00 failed => again at 01:10
         01:10 tick => retry 00:00#2
         02:00 failed => again at 02:20
         02:20 tick => retry 00:00#3
         03:00 failed => again at 03:30
         03:30 tick => retry 00:00#4
         04:00 failed => again at 04:30",
    );
}

#[test]
fn a_retry_is_superseded_when_the_next_occurrence_falls_due() {
    play(
        TWICE,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:55 failed => again at 02:05
         01:59 tick => 01:00 waits until 02:05
         02:00 tick => superseded 01:00; schedule 02:00#1
         02:05 tick => nothing",
    );
}

/// By a host that has run it without the run-log, which had the retry.
#[test]
fn a_retry_is_superseded_by_what_was_decided_without_knowing_of_it() {
    let pipeline = pipeline(TWICE);
    for (ended, cursor, now, is_superseded) in [
        ("01:20", "02:00", "02:40", true),
        ("02:00", "02:00", "02:40", true),
        // What fell due before the failure had its turn beside the run, or was passed over for it.
        ("02:01", "02:00", "02:40", false),
        ("01:20", "01:00", "01:40", false),
        // By a clock that was set back meanwhile.
        ("00:50", "01:00", "01:40", false),
    ] {
        let mut story = Story::new(&pipeline);
        story.tick(&pipeline, at("00:30"));
        story.tick(&pipeline, at("01:00"));
        story.end(Outcome::Failed, false, at(ended));
        story.row.cursor = Some(at(cursor));
        story.row.schedules[0].cursor = story.row.cursor;
        let decision = story.tick(&pipeline, at(now));
        let reasons: Vec<Reason> = decision.not_run.iter().map(|entry| entry.reason).collect();
        let expected = if is_superseded { (vec![Reason::Superseded], false) } else { (vec![], true) };
        assert_eq!((reasons, decision.claim.is_some()), expected, "{ended} {cursor} {now}");
    }
}

/// With a delay of its own an occurrence falls due after its instant.
#[test]
fn what_was_decided_fell_due_when_its_delay_was_over() {
    let pipeline = pipeline("schedule: '@hourly'; jitter: 40m; retry: { max_attempts: 2, delay: 1m }");
    let due = at("02:00") + constant_delay(&pipeline.id, pipeline.jitter);
    for (ended, is_superseded) in [(due, true), (due + Duration::from_micros(1), false)] {
        let mut story = Story::new(&pipeline);
        story.tick(&pipeline, at("00:50"));
        story.tick(&pipeline, at("01:50"));
        story.end(Outcome::Failed, false, ended);
        story.row.cursor = Some(at("02:00"));
        story.row.schedules[0].cursor = story.row.cursor;
        let decision = story.tick(&pipeline, at("02:50"));
        assert_eq!((decision.not_run.len() == 1, decision.claim.is_none()), (is_superseded, is_superseded), "{ended}");
    }
}

#[test]
fn a_retry_that_is_due_with_the_next_occurrence_is_superseded_too() {
    play(
        TWICE,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:50 failed => again at 02:00
         02:00 tick => superseded 01:00; schedule 02:00#1",
    );
}

#[test]
fn giving_up_belongs_to_the_occurrence() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 1m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 01:02
         01:02 tick => retry 01:00#2
         01:03 failed => gave up
         02:00 tick => schedule 02:00#1
         02:01 failed => again at 02:02",
    );
}

#[test]
fn finish_first_lets_the_old_run_end_and_the_next_meet_the_overlap_policy() {
    let keys = "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m, when_next_due: finish_first }";
    play(
        keys,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:55 failed => again at 02:05
         02:00 tick => overlap 02:00; 01:00 waits until 02:05
         02:05 tick => retry 01:00#2
         02:06 failed => gave up
         03:00 tick => schedule 03:00#1",
    );
}

#[test]
fn what_was_skipped_while_the_run_was_going_does_not_supersede_it() {
    play(
        TWICE,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => overlap 02:00
         02:30 failed => again at 02:40
         02:40 tick => retry 01:00#2",
    );
}

/// The next occurrence has fallen due, even if it is itself too late to run.
#[test]
fn occurrences_that_are_missed_supersede_a_retry_too() {
    play(
        &format!("{TWICE}; catch_up: skip"),
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:05 failed => again at 01:15
         04:30 tick => superseded 01:00; missed 02:00-04:00 (3)",
    );
    play(
        &format!("{TWICE}; catch_up: {{ policy: all, window: 10m }}"),
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:05 failed => again at 01:15
         04:30 tick => superseded 01:00; missed 02:00-04:00 (3)",
    );
}

#[test]
fn the_next_occurrence_is_due_only_after_its_jitter() {
    play(
        &format!("{TWICE}; jitter: 10m"),
        "00:30 tick => noted
         01:10 tick => schedule 01:00#1
         01:11 failed => again at 01:21
         02:00 tick => retry 01:00#2",
    );
}

#[test]
fn what_was_released_is_claimed_again_at_once_and_burns_nothing() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:00:05 released => again at 01:00:05
         01:00:05 tick => schedule 01:00#2 try 1
         01:00:10 released => again at 01:00:10
         01:00:10 tick => schedule 01:00#3 try 1
         01:01 failed => gave up",
    );
    play(
        TWICE,
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 01:11
         01:11 tick => retry 01:00#2
         01:12 released => again at 01:12
         01:12 tick => retry 01:00#3 try 2
         01:13 failed => again at 01:23
         01:23 tick => retry 01:00#4 try 3
         01:24 failed => gave up",
    );
}

#[test]
fn a_catch_up_that_was_released_is_still_one() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:30 tick => catch_up 01:00#1
         01:31 released => again at 01:31
         01:31 tick => catch_up 01:00#2 try 1",
    );
}

#[test]
fn what_was_released_is_caught_up_before_what_fell_due_meanwhile() {
    play(
        "schedule: '@hourly'\n    catch_up: all",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:00:05 released => again at 01:00:05
         02:00 tick => schedule 01:00#2 try 1; 02:00 waits its turn; more is due
         02:01 succeeded => over
         02:01 tick => schedule 02:00#1",
    );
}

/// A loop sleeps until then.
#[test]
fn a_retry_that_is_waited_for_wakes_the_loop() {
    let pipeline = pipeline(TWICE);
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:30"));
    story.tick(&pipeline, at("01:00"));
    story.end(Outcome::Failed, false, at("01:05"));
    for (now, wakes) in [("01:06", Some("01:15")), ("01:14:59", Some("01:15"))] {
        assert_eq!(story.decide(&pipeline, at(now)).wake_at, wakes.map(at), "{now}");
    }
    // What waits for another run to end is woken by that.
    story.run(&pipeline, at("01:10"), at("01:10")).unwrap();
    for (now, waits, wakes) in
        [("01:14:59", "backoff", Some("01:15")), ("01:15", "turn", None), ("01:16", "turn", None)]
    {
        assert_eq!(story.decide(&pipeline, at(now)).wake_at, wakes.map(at), "{now}: {waits}");
    }
}
