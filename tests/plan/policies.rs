//! Policies beyond skipping: queue, allow, replace, what depends on others, deadlines and intervals.

use std::time::Duration;

use tickward::alert::{Alert, Kind};
use tickward::plan::{Decision, Note, Waiting, WaitsFor};
use tickward::run::{NotRun, Outcome, Reason, StopRequest};

use crate::story::{Story, at, pipeline, play, play_on, run_of};

#[test]
fn under_queue_one_waits_and_a_newer_one_takes_its_place() {
    play(
        "schedule: '@hourly'; overlap: queue",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => 02:00 waits its turn; more is due
         02:01 tick => 02:00 waits its turn; more is due
         03:00 tick => superseded 02:00; 03:00 waits its turn; more is due
         03:20 succeeded => over
         03:20 tick => catch_up 03:00#1
         03:30 succeeded => over
         04:00 tick => schedule 04:00#1
         05:00 tick => 05:00 waits its turn; more is due
         05:15 succeeded => over
         06:00 tick => superseded 05:00; schedule 06:00#1
         06:30 succeeded => over
         08:00 tick => missed 07:00; schedule 08:00#1
         08:30 succeeded => over
         11:30 run => manual 11:30#1
         11:40 succeeded => over
         12:00 tick => missed 09:00-11:00 (3); schedule 12:00#1",
    );
}

#[test]
fn under_queue_and_all_they_wait_in_line() {
    play(
        "schedule: '@hourly'; overlap: queue; catch_up: all",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         03:00 tick => 02:00 waits its turn; more is due
         03:20 succeeded => over
         03:20 tick => catch_up 02:00#1; more is due
         03:30 succeeded => over
         03:30 tick => catch_up 03:00#1",
    );
}

#[test]
fn under_allow_they_start_beside_each_other_up_to_the_bound() {
    play(
        "schedule: '@hourly'; overlap: { policy: allow, max: 2 }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => schedule 02:00#1
         03:00 tick => 03:00 waits its turn; more is due
         03:10 succeeded => over
         03:10 tick => catch_up 03:00#1
         04:00 tick => 04:00 waits its turn; more is due
         05:00 tick => superseded 04:00; 05:00 waits its turn; more is due
         05:10 succeeded => over
         06:00 tick => superseded 05:00; schedule 06:00#1",
    );
}

#[test]
fn under_allow_a_pending_retry_holds_nothing_up() {
    play(
        "schedule: '@hourly'; overlap: allow; retry: { max_attempts: 2, delay: 90m, when_next_due: finish_first }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 02:31
         02:00 tick => schedule 02:00#1; 01:00 waits until 02:31
         02:31 tick => retry 01:00#2",
    );
}

#[test]
fn under_replace_the_running_one_is_told_to_end_and_the_newest_follows() {
    play(
        "schedule: '@hourly'; overlap: replace",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         02:00 tick => 02:00 waits its turn; stops 1; more is due
         02:01 tick => 02:00 waits its turn; more is due
         03:00 tick => superseded 02:00; 03:00 waits its turn; more is due
         03:01 cancelled => over
         03:01 tick => schedule 03:00#1",
    );
}

#[test]
fn an_occurrence_waits_for_what_it_depends_on_until_its_next_one_is_due() {
    play(
        "schedule: '0 6,18 * * *'; depends_on: [daily]",
        "2T00:30 tick => noted
         2T06:00 tick => 2T06:00 waits for daily
         2T07:00 daily 1T00:00 succeeded => noted
         2T07:01 tick => 2T06:00 waits for daily
         2T08:00 daily 2T00:00 succeeded => noted
         2T08:00 tick => catch_up 2T06:00#1
         2T08:05 succeeded => over
         2T18:00 tick => schedule 2T18:00#1
         2T18:05 succeeded => over
         3T06:00 tick => 3T06:00 waits for daily
         3T18:00 tick => upstream 3T06:00; 3T18:00 waits for daily
         3T19:00 daily 3T00:00 partial => noted
         3T19:00 tick => catch_up 3T18:00#1",
    );
    // What waits for its turn is superseded, whatever it depends on.
    play(
        "schedule: '@hourly'; depends_on: [daily]; overlap: queue",
        "2T22:30 tick => noted
         2T22:40 daily 2T00:00 succeeded => noted
         2T23:00 tick => schedule 2T23:00#1
         3T03:30 tick => superseded 3T00:00-3T02:00 (3); 3T03:00 waits its turn; more is due",
    );
    play(
        "schedule: '0 6,18 * * *'; depends_on: [daily]; catch_up: all",
        "2T00:30 tick => noted
         2T19:00 tick => upstream 2T06:00; 2T18:00 waits for daily",
    );
}

#[test]
fn what_counts_as_success_of_an_upstream_can_be_said() {
    play(
        "schedule: '@hourly'; depends_on: [{ pipeline: daily, accept: [succeeded] }]",
        "2T00:30 tick => noted
         2T00:40 daily 2T00:00 partial => noted
         2T01:00 tick => 2T01:00 waits for daily
         2T01:10 daily 2T00:00 succeeded => noted
         2T01:10 tick => catch_up 2T01:00#1",
    );
    play(
        "schedule: '@hourly'; depends_on: [{ pipeline: daily, max_age: 30h }]",
        "2T00:30 tick => noted
         2T00:40 daily 1T00:00 succeeded => noted
         2T01:00 tick => schedule 2T01:00#1
         2T01:10 succeeded => over
         3T07:00 tick => upstream 2T02:00; missed 2T03:00-3T06:00 (28); 3T07:00 waits for daily",
    );
    play(
        "schedule: '@hourly'; depends_on: [other]",
        "00:30 tick => noted
         01:00 tick => 01:00 waits for other
         01:05 other 01:04 succeeded => noted
         01:05 tick => catch_up 01:00#1
         01:10 succeeded => over
         02:00 tick => schedule 02:00#1
         02:10 succeeded => over
         02:20 other 02:00 succeeded => noted
         03:00 tick => 03:00 waits for other
         03:01 other 02:00:01 succeeded => noted
         03:01 tick => schedule 03:00#1",
    );
}

#[test]
fn without_a_schedule_it_starts_when_all_have_succeeded_since_it_followed_them() {
    play(
        "depends_on: [daily, other]",
        "2T00:30 tick => noted
         2T00:40 daily 2T00:00 succeeded => noted
         2T00:40 tick => nothing
         2T00:50 other 2T00:45 succeeded => noted
         2T00:50 tick => schedule 2T00:45#1
         2T00:51 tick => nothing
         2T00:55 succeeded => over
         2T01:00 other 2T00:59 succeeded => noted
         2T01:00 tick => nothing
         3T00:10 daily 3T00:00 succeeded => noted
         3T00:10 tick => schedule 3T00:00#1
         3T00:11 failed => gave up
         3T00:12 tick => nothing",
    );
}

#[test]
fn without_a_schedule_a_new_one_does_not_follow_the_past() {
    play(
        "depends_on: [daily]",
        "2T00:10 daily 2T00:00 succeeded => noted
         2T00:30 tick => noted
         2T00:31 tick => nothing
         3T00:10 daily 3T00:00 succeeded => noted
         3T00:10 tick => schedule 3T00:00#1
         3T12:00 daily 3T11:00 succeeded => noted
         3T12:00 tick => overlap 3T11:00
         3T12:01 succeeded => over
         3T12:02 tick => nothing",
    );
}

#[test]
fn what_cannot_start_before_its_deadline_is_skipped() {
    play(
        "schedule: '@hourly'; start_deadline: 30m; overlap: queue",
        "00:30 tick => noted
         01:20 tick => catch_up 01:00#1
         02:00 tick => 02:00 waits its turn; more is due
         02:40 tick => deadline 02:00
         02:45 succeeded => over
         03:31 tick => deadline 03:00
         04:30 tick => catch_up 04:00#1",
    );
}

#[test]
fn starts_keep_their_shortest_interval() {
    play(
        "schedule: '*/10 * * * *'; min_interval: 25m",
        "00:05 tick => noted
         00:10 tick => schedule 00:10#1
         00:11 succeeded => over
         00:20 tick => 00:20 waits out its interval until 00:35
         00:30 tick => superseded 00:20; 00:30 waits out its interval until 00:35
         00:35 tick => catch_up 00:30#1
         00:36 succeeded => over
         00:50 tick => superseded 00:40; 00:50 waits out its interval until 01:00
         01:00 tick => superseded 00:50; schedule 01:00#1
         01:01 succeeded => over
         02:12 run => manual 02:12#1
         02:13 succeeded => over
         02:40 tick => missed 01:10-02:30 (9); schedule 02:40#1",
    );
}

#[test]
fn a_lost_run_is_tried_again_as_its_idempotence_says() {
    play(
        "schedule: '@hourly'; idempotent: true",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 lost => again at 01:10:30
         01:11 tick => retry 01:00#2
         01:12 lost => again at 01:13
         01:13 tick => retry 01:00#3
         01:14 failed => gave up",
    );
    play(
        "schedule: '@hourly'; idempotent: false; retry: { max_attempts: 5 }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 lost => gave up",
    );
}

#[test]
fn hosts_with_different_files_lose_nothing_of_each_other() {
    play_on(
        &[("old", "schedule: '0 * * * *'"), ("new", "schedule: '5,30 * * * *'")],
        Duration::from_secs(60),
        "00:50 tick old => noted
         01:00 tick old => schedule 01:00#1
         01:01 succeeded => over
         01:40 tick new => noted
         02:05 tick new => schedule 02:05#1
         02:06 succeeded => over
         02:06 tick old => catch_up 02:00#1; config split
         02:07 succeeded => over
         02:30 tick new => schedule 02:30#1
         02:31 succeeded => over
         02:40 tick old => config split
         03:05 tick new => schedule 03:05#1
         03:06 succeeded => over
         03:06 tick old => catch_up 03:00#1; config split",
    );
}

/// A tick keeps nothing of what says nothing.
#[test]
fn a_decision_with_anything_in_it_says_something() {
    let pipeline = pipeline("schedule: '@daily'");
    let mut story = Story::new(&pipeline);
    let (claimed, now) = (story.tick(&pipeline, at("00:00")), at("00:30"));
    let (run, token) = (run_of(&pipeline, now), story.attempts[0].token);
    story.end(Outcome::Succeeded, false, now);
    let nothing = story.tick(&pipeline, now);
    assert!(nothing.says_nothing() && !claimed.says_nothing());
    let not_run = NotRun {
        pipeline: pipeline.id.clone(),
        first: now,
        last: now,
        count: 1,
        at_least: false,
        reason: Reason::Missed,
        decided_at: now,
        after: None,
    };
    let alert = Alert::of_pipeline(Kind::Missed, &pipeline.id, "", now);
    let waiting = Waiting { run, for_what: WaitsFor::Resume };
    for (what, decision) in [
        ("changed", Decision { changed: true, ..nothing.clone() }),
        ("claim", Decision { claim: claimed.claim, ..nothing.clone() }),
        ("closed", Decision { closed: vec![token], ..nothing.clone() }),
        ("not_run", Decision { not_run: vec![not_run], ..nothing.clone() }),
        ("stops", Decision { stops: vec![(token, StopRequest { at: now, why: "".into() })], ..nothing.clone() }),
        ("waiting", Decision { waiting: Some(waiting), ..nothing.clone() }),
        ("wake_at", Decision { wake_at: Some(now), ..nothing.clone() }),
        ("more_is_due", Decision { more_is_due: true, ..nothing.clone() }),
        ("notes", Decision { notes: vec![Note::ConfigSplit], ..nothing.clone() }),
        ("alerts", Decision { alerts: vec![alert], ..nothing.clone() }),
    ] {
        assert!(!decision.says_nothing(), "{what}");
    }
}
