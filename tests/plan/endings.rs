//! What follows an end: retry policy, free reruns, giving up; and ends that come late.

use tickward::plan::{Evidence, take_over};
use tickward::run::{Done, Held, Outcome};

use crate::story::{Story, at, pipeline, play, run_of};

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

/// The attempt that was made meanwhile goes on; no other one is made of a run that has succeeded.
#[test]
fn a_late_success_drops_the_retry_of_the_attempt_after_it() {
    let ends = ["01:21 first partial => late, over", "01:22 failed => again at 01:32"];
    for [before, after] in [[ends[0], ends[1]], [ends[1], &ends[0].replace(":21", ":23")]] {
        let script = format!(
            "00:30 tick => noted
             01:00 tick => schedule 01:00#1
             01:10 lost => again at 01:20
             01:20 tick => retry 01:00#2
             {before}
             {after}
             01:24 tick => noted
             01:32 tick => nothing
             02:00 tick => schedule 02:00#1"
        );
        play("schedule: '@hourly'; retry: { max_attempts: 3, delay: 10m, backoff: fixed, jitter: 0% }", &script);
    }
}

#[test]
fn what_a_person_has_run_again_is_tried_again_though_it_had_succeeded() {
    play(
        "schedule: '@daily'; retry: { max_attempts: 2, delay: 10m, jitter: 0% }",
        "00:00 tick => schedule 00:00#1
         00:05 succeeded => over
         00:10 run 00:00 => manual 00:00#2 try 1
         00:12 failed => again at 00:22
         00:22 tick => retry 00:00#3 try 2",
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

#[test]
fn a_late_end_after_which_nothing_is_tried_again_cancels_the_retry() {
    for outcome in ["succeeded", "partial", "fatal", "cancelled"] {
        play(
            "schedule: '@daily'; retry: { max_attempts: 2, delay: 10m }",
            &format!(
                "00:00 tick => schedule 00:00#1
                 00:10 lost => again at 00:20
                 00:12 {outcome} => late, over
                 00:20 tick => nothing"
            ),
        );
    }
}

#[test]
fn what_may_be_done_twice_is_tried_three_times_more_after_losses() {
    // How many attempts the policy has, how many losses are followed.
    for (most, followed) in [(1, 3), (2, 4)] {
        let retry = format!("{{ max_attempts: {most}, delay: 1m, backoff: fixed, jitter: 0% }}");
        let mut lines = vec!["00:00 tick => schedule 00:00#1".to_owned()];
        for number in 1..=followed {
            lines.push(format!("{number:02}:00 lost => again at {number:02}:01"));
            lines.push(format!("{number:02}:01 tick => retry 00:00#{}", number + 1));
        }
        lines.push("12:00 lost => gave up".into());
        play(&format!("schedule: '@daily'; idempotent: true; retry: {retry}"), &lines.join("\n"));
    }
}

#[test]
fn the_newest_success_of_each_kind_is_kept() {
    use Outcome::{Failed, Partial, Succeeded};
    let pipeline = pipeline("schedule: '@hourly'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:30"));
    let done = |run: &str, now: &str| Some(Done { scheduled_for: at(run), ended_at: at(now) });
    // The run, how and when it ends → the run and the end that are kept of successes, and of partial ones.
    for row @ (run, outcome, now, succeeded, partial) in [
        ("02:00", Succeeded, "02:10", Some(("02:00", "02:10")), None),
        ("03:00", Partial, "03:10", Some(("02:00", "02:10")), Some(("03:00", "03:10"))),
        ("01:00", Succeeded, "03:20", Some(("02:00", "02:10")), Some(("03:00", "03:10"))),
        ("02:00", Succeeded, "03:30", Some(("02:00", "03:30")), Some(("03:00", "03:10"))),
        ("04:00", Failed, "04:10", Some(("02:00", "03:30")), Some(("03:00", "03:10"))),
        ("05:00", Succeeded, "05:10", Some(("05:00", "05:10")), Some(("03:00", "03:10"))),
        ("02:30", Partial, "05:20", Some(("05:00", "05:10")), Some(("03:00", "03:10"))),
    ] {
        story.run(&pipeline, at(run), at(now)).unwrap();
        story.end(outcome, false, at(now));
        let standing = &story.row.standing;
        let expected = [succeeded, partial].map(|kept| kept.and_then(|(run, now)| done(run, now)));
        assert_eq!([standing.succeeded, standing.partial], expected, "{row:?}");
    }
}

#[test]
fn a_hold_ends_with_a_success_of_the_run_that_was_given_up() {
    use Outcome::{Failed, Partial, Succeeded};
    for (run, outcome, is_held) in
        [("01:00", Succeeded, false), ("01:00", Partial, false), ("01:00", Failed, true), ("02:00", Succeeded, true)]
    {
        let pipeline = pipeline("schedule: '@hourly'; on_gave_up: hold");
        let mut story = Story::new(&pipeline);
        story.tick(&pipeline, at("00:30"));
        story.tick(&pipeline, at("01:00"));
        story.end(Failed, false, at("01:10"));
        let held = Held { since: at("01:10"), scheduled_for: run_of(&pipeline, at("01:00")).scheduled_for };
        assert_eq!(story.row.standing.held, Some(held));
        story.run(&pipeline, at(run), at("01:20")).unwrap();
        story.end(outcome, false, at("01:30"));
        assert_eq!(story.row.standing.held.is_some(), is_held, "{run} {outcome}");
    }
}

#[test]
fn what_is_taken_over_says_why() {
    let pipeline = pipeline("schedule: '@daily'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:00"));
    let attempt = &story.attempts[0];
    let of = format!("(process {} on {})", attempt.owner.pid, attempt.owner.host);
    for (evidence, never_starts, outcome, why) in [
        (Evidence::OwnerGone, false, Outcome::Lost, "the process that ran it is gone"),
        (Evidence::LeaseOver, false, Outcome::Lost, "its lease was over"),
        (Evidence::LeaseOver, true, Outcome::Released, "its lease was over"),
    ] {
        let end = take_over(attempt, evidence, never_starts, at("00:10"));
        assert_eq!((end.outcome, end.error, end.ended_at), (outcome, Some(format!("{why} {of}")), at("00:10")));
    }
}
