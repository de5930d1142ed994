//! Occurrences that nobody ran in time.

use crate::story::play;

#[test]
fn latest_runs_the_newest_and_misses_the_others() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         04:10 tick => missed 01:00-03:00 (3); catch_up 04:00#1
         04:20 succeeded => over
         05:00 tick => schedule 05:00#1",
    );
}

#[test]
fn skip_runs_none_of_several_that_are_late() {
    play(
        "schedule: '@hourly'; catch_up: skip",
        "00:30 tick => noted
         04:10 tick => missed 01:00-04:00 (4)
         05:00 tick => schedule 05:00#1
         05:01 succeeded => over
         06:40 tick => catch_up 06:00#1
         06:41 succeeded => over
         09:00:59 tick => missed 07:00-08:00 (2); schedule 09:00#1",
    );
}

#[test]
fn all_works_off_in_order_one_after_the_other() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all }",
        "00:30 tick => noted
         03:10 tick => catch_up 01:00#1; more is due
         03:11 tick => 02:00 waits its turn; more is due
         03:20 succeeded => over
         03:20 tick => catch_up 02:00#1; more is due
         03:21 failed => gave up
         03:21 tick => catch_up 03:00#1
         03:22 tick => nothing
         03:23 succeeded => over
         04:00 tick => schedule 04:00#1",
    );
}

#[test]
fn what_falls_due_meanwhile_joins_what_is_worked_off() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all }",
        "00:30 tick => noted
         02:50 tick => catch_up 01:00#1; more is due
         03:00 tick => 02:00 waits its turn; more is due
         03:10 succeeded => over
         03:10 tick => catch_up 02:00#1; more is due
         04:00 tick => 03:00 waits its turn; more is due
         04:01 succeeded => over
         04:01 tick => catch_up 03:00#1; more is due
         04:02 succeeded => over
         04:02 tick => catch_up 04:00#1
         05:00 tick => overlap 05:00",
    );
}

#[test]
fn all_keeps_the_newest_up_to_its_max() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all, max: 2 }",
        "00:30 tick => noted
         05:10 tick => missed 01:00-03:00 (3); catch_up 04:00#1; more is due
         05:11 succeeded => over
         05:11 tick => catch_up 05:00#1",
    );
}

#[test]
fn all_misses_what_is_older_than_its_window() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all, window: 2h }",
        "00:30 tick => noted
         05:00 tick => missed 01:00-02:00 (2); catch_up 03:00#1; more is due
         05:01 succeeded => over
         05:01 tick => catch_up 04:00#1; more is due
         05:02 succeeded => over
         05:02 tick => catch_up 05:00#1",
    );
}

#[test]
fn one_that_is_alone_runs_however_old_it_is() {
    for policy in ["skip", "latest", "{ policy: all, window: 2h }"] {
        play(
            &format!("schedule: '@daily'; catch_up: {policy}"),
            "20:00 tick => noted
             2T23:00 tick => catch_up 2T00:00#1",
        );
    }
}

/// While the first of the kept runs takes hours, the oldest fall out by `max`; those that take their place still belong
/// to what is worked off, so they wait and are not skipped for overlap.
#[test]
fn what_is_worked_off_keeps_its_turn_when_max_drops_the_oldest() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all, max: 3 }",
        "00:30 tick => noted
         03:10 tick => catch_up 01:00#1; more is due
         06:10 tick => missed 02:00-03:00 (2); 04:00 waits its turn; more is due
         06:20 succeeded => over
         06:20 tick => catch_up 04:00#1; more is due
         06:21 succeeded => over
         06:21 tick => catch_up 05:00#1; more is due
         06:22 succeeded => over
         06:22 tick => catch_up 06:00#1
         07:00 tick => overlap 07:00",
    );
}

#[test]
fn a_retry_within_what_is_worked_off_goes_before_the_next() {
    play(
        "schedule: '@hourly'; catch_up: { policy: all }; retry: { max_attempts: 2, delay: 5m, backoff: fixed }",
        "00:30 tick => noted
         03:10 tick => catch_up 01:00#1; more is due
         03:11 failed => again at 03:16
         03:12 tick => 01:00 waits until 03:16; more is due
         03:16 tick => retry 01:00#2; 02:00 waits its turn; more is due
         03:17 failed => gave up
         03:17 tick => catch_up 02:00#1; more is due",
    );
}

#[test]
fn very_many_are_counted_up_to_a_bound() {
    play(
        "schedule: '* * * * *'",
        "00:00:30 tick => schedule 00:00#1
         00:01 succeeded => over
         2026-03-11T10:41 tick => missed 00:01-2026-03-11T10:40 (100000); schedule 2026-03-11T10:41#1
         2026-03-11T10:41 succeeded => over
         2027-01-01T00:00 tick => missed 2026-03-11T10:42-2026-12-31T23:59 (100000+); schedule 2027-01-01T00:00#1",
    );
}
