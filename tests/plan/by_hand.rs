//! Runs that a person asks for.

use crate::story::play;

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
