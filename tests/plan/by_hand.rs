//! Runs that a person asks for.

use tickward::run::Outcome::{Failed, Lost, Released};

use crate::story::{Story, at, pipeline, play};

#[test]
fn a_run_by_hand_is_for_its_instant_and_moves_no_cursor() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         00:40:07 run => manual 00:40:07#1
         00:50 succeeded => over
         01:00 tick => schedule 01:00#1",
    );
}

#[test]
fn before_the_first_tick_it_works_too() {
    play(
        "schedule: '@hourly'",
        "00:30 run => manual 00:30#1
         00:31 succeeded => over
         00:59 tick => noted
         01:00 tick => schedule 01:00#1",
    );
}

#[test]
fn without_a_schedule_it_is_the_only_way() {
    play("description: by hand", "00:30 run => manual 00:30#1\n00:31 failed => gave up\n00:32 tick => nothing");
}

#[test]
fn it_is_refused_while_something_runs() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 run => busy with 01:00
         01:01 run 01:00 => busy with 01:00
         01:02 succeeded => over
         01:03 run => manual 01:03#1
         01:04 run 01:00 => busy with 01:03",
    );
}

#[test]
fn a_repeat_adds_an_attempt_and_is_exempt_from_the_policy() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 succeeded => over
         01:10 run 01:00 => manual 01:00#2 try 1
         01:11 failed => gave up
         01:12 run 01:00 => manual 01:00#3 try 1",
    );
}

#[test]
fn a_repeat_takes_the_place_of_the_pending_retry() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 01:11
         01:02 run 01:00 => manual 01:00#2 try 1
         01:03 succeeded => over
         01:11 tick => nothing",
    );
}

#[test]
fn its_own_failure_is_retried_and_no_occurrence_supersedes_that() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 20m }",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:51 failed => again at 01:11
         01:00 tick => schedule 01:00#1; 00:50 waits until 01:11
         01:05 succeeded => over
         01:11 tick => retry 00:50#2
         01:12 failed => gave up",
    );
}

#[test]
fn its_retry_waits_for_a_run_that_is_going() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 20m }",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:51 failed => again at 01:11
         01:00 tick => schedule 01:00#1; 00:50 waits until 01:11
         01:11 tick => 00:50 waits its turn
         01:15 succeeded => over
         01:15 tick => retry 00:50#2",
    );
}

#[test]
fn its_retry_gives_way_to_an_occurrence_that_is_due_and_follows_it() {
    let keys = "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }";
    play(
        keys,
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         01:00 tick => schedule 01:00#1; 00:50 waits its turn; more is due
         01:00:30 tick => 00:50 waits its turn
         01:01 succeeded => over
         01:01 tick => retry 00:50#2
         02:00 tick => overlap 02:00",
    );
    play(
        &format!("{keys}; overlap: replace"),
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         01:00 tick => schedule 01:00#1; 00:50 waits its turn; more is due
         01:01 succeeded => over
         01:01 tick => retry 00:50#2",
    );
}

#[test]
fn its_retry_gives_way_once_and_not_where_an_occurrence_can_wait() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         04:00 tick => missed 01:00-03:00 (3); schedule 04:00#1; 00:50 waits its turn; more is due
         04:59 succeeded => over
         05:00 tick => overlap 05:00; retry 00:50#2",
    );
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }; overlap: queue",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         01:00 tick => retry 00:50#2; 01:00 waits its turn; more is due
         01:01 succeeded => over
         01:01 tick => schedule 01:00#1",
    );
}

#[test]
fn its_retry_gives_way_to_nothing_that_does_not_run() {
    let keys = "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }";
    play(
        &format!("{keys}; catch_up: skip"),
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         02:30 tick => missed 01:00-02:00 (2); retry 00:50#2",
    );
    play(
        keys,
        "00:30 tick => noted
         00:40 run 01:00 => manual 01:00#1
         00:41 succeeded => over
         00:50 run => manual 00:50#1
         00:50 failed => again at 01:00
         01:00 tick => retry 00:50#2",
    );
    // The retry of an occurrence is waited for, and what is due is skipped.
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 1h, backoff: fixed, when_next_due: finish_first }",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         00:55 failed => again at 01:55
         01:00 tick => schedule 01:00#1; 00:50 waits until 01:55
         01:30 failed => again at 02:30
         02:00 tick => overlap 02:00; retry 00:50#2; 01:00 waits until 02:30",
    );
}

/// Neither starts while the one that has the turn waits for others.
#[test]
fn its_retry_gives_way_to_an_occurrence_that_waits_for_others() {
    play(
        "schedule: '0 3 * * *'; depends_on: [daily]; retry: { max_attempts: 2, delay: 10m }",
        "02:30 tick => noted
         02:50 run => manual 02:50#1
         02:50 failed => again at 03:00
         03:00 tick => 03:00 waits for daily
         03:10 daily 00:00 succeeded => noted
         03:11 tick => catch_up 03:00#1; 02:50 waits its turn; more is due
         03:12 succeeded => over
         03:12 tick => retry 02:50#2",
    );
}

#[test]
fn an_occurrence_that_was_run_by_hand_already_is_not_run_again() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         00:40 run 01:00 => manual 01:00#1
         00:41 succeeded => over
         01:00 tick => noted
         02:00 tick => schedule 02:00#1",
    );
    play(
        "schedule: '@hourly'",
        "00:59 run 01:00 => manual 01:00#1
         00:59:10 failed => gave up
         01:00:30 tick => noted
         02:00 tick => schedule 02:00#1",
    );
}

#[test]
fn a_run_that_is_repeated_says_how_often_it_may_have_started() {
    let pipeline = pipeline("schedule: '@daily'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:00"));
    // How the attempt before ended → earlier starts, as the next one is told.
    for (number, (outcome, starts)) in [(Failed, 1), (Released, 1), (Lost, 2)].into_iter().enumerate() {
        story.end(outcome, false, at("00:05"));
        let claim = story.run(&pipeline, at("00:00"), at("00:05")).unwrap().claim.unwrap();
        assert_eq!((claim.number, claim.tries, claim.earlier_starts), (number as u32 + 2, 1, starts), "{outcome}");
    }
}

/// What was run by hand is no part of a stretch that is missed: one within it, one that is no occurrence, one after it. It
/// is known where what was to be claimed was run by hand as well, and it is looked once more.
#[test]
fn what_was_run_by_hand_counts_for_itself_in_a_missed_stretch() {
    for (instant, answer) in [
        ("01:00", "missed 02:00"),
        ("02:00", "missed 01:00"),
        ("01:30", "missed 01:00-02:00 (2)"),
        ("05:00", "missed 01:00-02:00 (2)"),
    ] {
        play(
            "schedule: '@hourly'",
            &format!(
                "00:30 tick => noted
                 00:40 run {instant} => manual {instant}#1
                 00:41 succeeded => over
                 00:42 run 03:00 => manual 03:00#1
                 00:43 succeeded => over
                 03:30 tick => {answer}"
            ),
        );
    }
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         00:40 run 01:00 => manual 01:00#1
         00:41 succeeded => over
         00:42 run 02:00 => manual 02:00#1
         00:43 succeeded => over
         02:30 tick => noted",
    );
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         00:40 run 03:00 => manual 03:00#1
         00:41 succeeded => over
         04:10 tick => missed 01:00-02:00 (2); catch_up 04:00#1",
    );
}
