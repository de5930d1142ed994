//! Clocks that were wrong, jitter, and occurrences decided before.

use std::time::Duration;

use tickward::plan::constant_delay;

use crate::story::{Story, at, pipeline, play};

#[test]
fn a_clock_that_goes_back_fires_nothing_twice() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         03:00 tick => missed 01:00-02:00 (2); schedule 03:00#1
         03:01 succeeded => over
         02:10 tick => nothing
         02:59 tick => nothing
         03:00 tick => nothing
         04:00 tick => schedule 04:00#1",
    );
}

#[test]
fn a_cursor_up_to_an_hour_ahead_is_believed() {
    play(
        "schedule: '* * * * *'",
        "00:00 tick => schedule 00:00#1
         00:01 succeeded => over
         05:00 tick => missed 00:01-04:59 (299); schedule 05:00#1
         05:01 succeeded => over
         04:00 tick => nothing
         04:30 tick => nothing
         05:01 tick => schedule 05:01#1",
    );
}

#[test]
fn a_cursor_further_ahead_is_set_back_and_what_has_run_stays_decided() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         09:00 tick => missed 01:00-08:00 (8); schedule 09:00#1
         09:01 succeeded => over
         06:30 tick => 09:00 is ahead
         06:31 tick => nothing
         07:00 tick => schedule 07:00#1
         07:01 succeeded => over
         08:00 tick => schedule 08:00#1
         08:01 succeeded => over
         09:00 tick => noted
         10:00 tick => schedule 10:00#1",
    );
}

/// The clock was wrong when the schedule was seen first: the instant since which it counts lies ahead.
#[test]
fn a_schedule_first_seen_by_a_wrong_clock_counts_from_now_on() {
    play(
        "schedule: '@hourly'",
        "2036-05-05T05:30 tick => noted
         02:10 tick => 2036-05-05T05:29 is ahead
         02:11 tick => nothing
         03:00 tick => schedule 03:00#1",
    );
}

#[test]
fn an_edit_seen_by_a_wrong_clock_counts_from_now_on() {
    crate::story::play_on(
        &[("a", "schedule: '0 * * * *'"), ("b", "schedule: '30 * 1 * *'")],
        Duration::from_secs(60),
        "00:30 tick a => noted
         01:00 tick a => schedule 01:00#1
         01:01 succeeded => over
         2036-05-05T05:30 tick b => noted
         02:10 tick b => 2036-05-05T05:29 is ahead
         02:30 tick b => schedule 02:30#1",
    );
}

#[test]
fn jitter_delays_each_occurrence_by_the_same_and_changes_no_name() {
    let spread = pipeline("schedule: '@hourly'; jitter: 10m");
    let delay = constant_delay(&spread.id, Duration::from_secs(600));
    assert!(delay > Duration::from_secs(1) && delay < Duration::from_secs(600), "{delay:?}");
    let mut story = Story::new(&spread);
    story.tick(&spread, at("00:30"));
    for hour in 1..6 {
        let nominal = at(&format!("{hour:02}:00"));
        let early = story.tick(&spread, nominal + delay - Duration::from_micros(1));
        assert_eq!(early.claim, None, "hour {hour}");
        let claim = story.tick(&spread, nominal + delay).claim.unwrap();
        assert_eq!(claim.run, crate::story::run_of(&spread, nominal));
        assert_eq!(claim.trigger, tickward::run::Trigger::Schedule, "the delay is not lateness");
        story.end(tickward::run::Outcome::Succeeded, false, nominal + delay);
    }
}

/// A clock ten years ahead dated the failure: the pipeline would stand still until then.
#[test]
fn a_retry_put_off_by_a_wrong_clock_is_due_now() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 3, delay: 90m, backoff: fixed, when_next_due: finish_first }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         2036-05-05T05:30 failed => again at 2036-05-05T07:00
         01:01 tick => retry 01:00#2; retry 2036-05-05T07:00 is ahead
         01:02 failed => again at 02:32
         01:03 tick => 01:00 waits until 02:32",
    );
}

#[test]
fn a_retry_up_to_an_hour_further_off_than_its_wait_is_believed() {
    play(
        "schedule: '0 1 * * *'; retry: { max_attempts: 3, delay: 90m, backoff: fixed }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         05:30 failed => again at 07:00
         04:30 tick => 01:00 waits until 07:00
         04:29:59 tick => retry 01:00#2; retry 07:00 is ahead",
    );
}

/// The clock was ahead at the claim, and right at the failure: the occurrence that is due again is that of the retry.
#[test]
fn an_occurrence_does_not_supersede_its_own_retry() {
    play(
        "schedule: '0 9 * * *'; retry: { max_attempts: 2, delay: 3h }",
        "00:30 tick => noted
         09:00 tick => schedule 09:00#1
         06:30 tick => 09:00 is ahead
         06:35 failed => again at 09:35
         09:00 tick => 09:00 waits until 09:35
         09:35 tick => retry 09:00#2",
    );
}
