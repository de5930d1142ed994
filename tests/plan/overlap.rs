//! An occurrence is due while something of the pipeline is going.

use crate::story::play;

#[test]
fn what_falls_due_during_a_run_is_skipped_and_recorded() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => overlap 02:00
         02:01 tick => nothing
         03:30 tick => overlap 03:00
         03:40 succeeded => over
         03:41 tick => nothing
         04:00 tick => schedule 04:00#1",
    );
}

#[test]
fn several_that_fall_due_during_a_run_are_missed_but_for_the_newest_which_is_skipped() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         04:30 tick => missed 02:00-03:00 (2); overlap 04:00",
    );
}

#[test]
fn a_run_that_is_lost_in_one_tick_frees_the_next() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 lost => gave up
         02:00 tick => schedule 02:00#1",
    );
}

#[test]
fn under_all_what_falls_due_during_a_run_in_time_is_skipped() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => overlap 02:00
         04:30 tick => overlap 03:00-04:00 (2)",
    );
}

#[test]
fn a_run_by_hand_counts_as_going() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         00:50 run => manual 00:50#1
         01:00 tick => overlap 01:00
         01:10 succeeded => over
         02:00 tick => schedule 02:00#1",
    );
}

#[test]
fn a_retry_is_made_under_all_too_and_what_falls_due_with_it_is_skipped() {
    play(
        "schedule: '@hourly'; catch_up: all; retry: { max_attempts: 2, delay: 59m, when_next_due: finish_first }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 02:00
         02:00 tick => overlap 02:00; retry 01:00#2",
    );
}

#[test]
fn what_is_caught_up_in_order_starts_one_after_the_other_even_under_allow() {
    play(
        "schedule: '@hourly'; catch_up: all; overlap: { policy: allow, max: 2 }",
        "00:30 tick => noted
         03:10 tick => catch_up 01:00#1; more is due
         03:11 tick => 02:00 waits its turn; more is due
         03:12 succeeded => over
         03:12 tick => catch_up 02:00#1; more is due
         03:13 succeeded => over
         03:13 tick => catch_up 03:00#1
         04:00 tick => schedule 04:00#1",
    );
}
