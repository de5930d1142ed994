//! What follows an end: retry policy, free reruns, giving up; and ends that come late.

use crate::story::play;

#[test]
fn without_a_retry_policy_every_end_is_the_last() {
    for (outcome, follows) in [
        ("succeeded", "over"),
        ("partial", "over"),
        ("cancelled", "over"),
        ("failed", "gave up"),
        ("fatal", "gave up"),
        ("timed_out", "gave up"),
        ("lost", "gave up"),
        ("interrupted", "gave up"),
        ("released", "again at 00:05"),
    ] {
        play("schedule: '@daily'", &format!("00:00 tick => schedule 00:00#1\n00:05 {outcome} => {follows}"));
    }
}

#[test]
fn with_a_retry_policy_failures_and_losses_are_followed() {
    for (outcome, follows) in [
        ("succeeded", "over"),
        ("partial", "over"),
        ("cancelled", "over"),
        ("failed", "again at 00:06"),
        ("fatal", "gave up"),
        ("timed_out", "again at 00:06"),
        ("lost", "again at 00:06"),
        ("interrupted", "again at 00:06"),
        ("released", "again at 00:05"),
    ] {
        let script = format!("00:00 tick => schedule 00:00#1\n00:05 {outcome} => {follows}");
        play("schedule: '@daily'; retry: { max_attempts: 2, delay: 1m }", &script);
    }
}

#[test]
fn an_interruption_burns_an_attempt_of_the_policy() {
    play(
        "schedule: '@daily'; retry: { max_attempts: 2, delay: 1m }",
        "00:00 tick => schedule 00:00#1
         00:05 interrupted => again at 00:06
         00:06 tick => retry 00:00#2
         00:07 interrupted => gave up",
    );
}

#[test]
fn a_rerun_is_at_once_and_free_three_times() {
    play(
        "schedule: '@daily'; on_interrupt: rerun",
        "00:00 tick => schedule 00:00#1
         00:05 interrupted => again at 00:05
         00:05 tick => retry 00:00#2 try 1
         00:06 interrupted => again at 00:06
         00:06 tick => retry 00:00#3 try 1
         00:07 interrupted => again at 00:07
         00:07 tick => retry 00:00#4 try 1
         00:08 interrupted => gave up",
    );
}

#[test]
fn after_three_free_reruns_the_retry_policy_decides() {
    play(
        "schedule: '@daily'; on_interrupt: rerun; retry: { max_attempts: 2, delay: 1m }",
        "00:00 tick => schedule 00:00#1
         00:01 interrupted => again at 00:01
         00:01 tick => retry 00:00#2 try 1
         00:02 interrupted => again at 00:02
         00:02 tick => retry 00:00#3 try 1
         00:03 interrupted => again at 00:03
         00:03 tick => retry 00:00#4 try 1
         00:04 interrupted => again at 00:05
         00:05 tick => retry 00:00#5 try 2
         00:06 interrupted => gave up",
    );
}

#[test]
fn a_loss_is_retried_within_the_policy_only() {
    play(
        "schedule: '@daily'; retry: { max_attempts: 2, delay: 1m }",
        "00:00 tick => schedule 00:00#1
         00:10 lost => again at 00:11
         00:11 tick => retry 00:00#2
         00:20 lost => gave up
         00:21 tick => nothing",
    );
}

#[test]
fn a_late_success_cancels_the_retry_that_has_not_started() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 lost => again at 01:20
         01:11 tick => 01:00 waits until 01:20
         01:12 succeeded => late, over
         01:20 tick => nothing
         02:00 tick => schedule 02:00#1",
    );
}

#[test]
fn a_late_failure_changes_nothing_about_the_retry() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 lost => again at 01:20
         01:12 failed => late, again at 01:20
         01:13 succeeded => already ended, again at 01:20
         01:20 tick => retry 01:00#2",
    );
}

/// Two ticks take over the same attempt; the second one on a look from before the first, whose start mark is gone by then.
#[test]
fn what_is_lost_is_not_released_afterwards() {
    play(
        "schedule: '@hourly'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 lost => again at 01:20
         01:12 released => already ended, again at 01:20
         01:13 lost => already ended, again at 01:20
         01:14 succeeded => late, over",
    );
}
