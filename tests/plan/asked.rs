//! What people ask for: pause, resume, reset, skip, cancel, and what is held until they do.

use std::cell::Cell;

use tickward::plan::controls::{self, NoSkip};
use tickward::run::Outcome;

use crate::story::{Story, at, pipeline, play};

#[test]
fn a_pause_forbids_and_resume_does_not_flood() {
    play(
        "schedule: '@hourly'",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:10 succeeded => over
         01:20 pause => noted
         02:00 tick => paused 02:00
         03:00 tick => paused 03:00
         20T05:30 resume => paused 04:00-20T05:00 (458)
         20T05:31 tick => nothing
         20T06:00 tick => schedule 20T06:00#1",
    );
}

#[test]
fn a_pause_with_an_end_forbids_nothing_after_it() {
    play(
        "schedule: '@hourly'; catch_up: all",
        "00:30 tick => noted
         00:40 pause 02:30 => noted
         01:00 tick => paused 01:00
         04:00 tick => paused 02:00; catch_up 03:00#1; more is due
         04:10 succeeded => over
         04:10 tick => catch_up 04:00#1",
    );
}

/// Of those that are not listed one by one, too.
#[test]
fn what_is_due_at_the_end_of_a_pause_is_not_forbidden_any_more() {
    // The end of the pause → what is said of 01:00 to 03:00 then.
    for (end, said) in [
        ("00:50", "missed 01:00-02:00 (2); catch_up 03:00#1"),
        ("01:30", "paused 01:00; missed 02:00; catch_up 03:00#1"),
        ("01:59:59", "paused 01:00; missed 02:00; catch_up 03:00#1"),
        ("02:00", "paused 01:00; missed 02:00; catch_up 03:00#1"),
        ("02:30", "paused 01:00-02:00 (2); catch_up 03:00#1"),
        ("03:00", "paused 01:00-02:00 (2); catch_up 03:00#1"),
        ("03:01", "paused 01:00-03:00 (3)"),
    ] {
        let script = format!("00:30 tick => noted\n00:40 pause {end} => noted\n03:10 tick => {said}");
        play("schedule: '@hourly'", &script);
    }
}

#[test]
fn a_pause_is_over_at_its_end() {
    let pipeline = pipeline("schedule: '0 1 * * *'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:30"));
    story.control(&pipeline, at("00:40"), |situation| controls::pause(situation, Some(at("00:50")), "why"));
    for (now, is_paused) in [("00:49:59", true), ("00:50", false)] {
        story.tick(&pipeline, at(now));
        assert_eq!(story.row.standing.paused.is_some(), is_paused, "{now}");
    }
}

#[test]
fn resuming_a_pause_that_is_over_decides_nothing() {
    play(
        "schedule: '@hourly'; catch_up: all",
        "00:30 tick => noted
         00:40 pause 02:30 => noted
         04:00 resume => nothing
         04:00 tick => paused 01:00-02:00 (2); catch_up 03:00#1; more is due",
    );
}

#[test]
fn a_retry_waits_out_a_pause() {
    play(
        "schedule: '0 1 * * *'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 01:11
         01:02 pause => noted
         01:30 tick => 01:00 waits for resume
         02:00 resume => noted
         02:00 tick => retry 01:00#2",
    );
    play(
        "schedule: '0 1 * * *'; retry: { max_attempts: 2, delay: 10m }",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => again at 01:11
         01:02 pause 01:30 => noted
         01:29:59 tick => 01:00 waits for resume
         01:30 tick => retry 01:00#2",
    );
}

#[test]
fn who_gave_up_is_held_until_reset_or_success() {
    play(
        "schedule: '@hourly'; on_gave_up: hold",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => gave up
         02:00 tick => held 02:00
         03:00 tick => held 03:00
         03:10 reset => noted
         04:00 tick => schedule 04:00#1
         04:01 failed => gave up
         04:10 run 04:00 => manual 04:00#2 try 1
         04:11 succeeded => over
         05:00 tick => schedule 05:00#1",
    );
}

#[test]
fn who_is_held_stays_so_when_a_pause_ends() {
    play(
        "schedule: '@hourly'; on_gave_up: hold",
        "00:30 tick => noted
         01:00 tick => schedule 01:00#1
         01:01 failed => gave up
         01:02 pause 02:30 => noted
         02:00 tick => paused 02:00
         03:00 tick => held 03:00
         03:01 reset => noted
         04:00 tick => schedule 04:00#1",
    );
}

#[test]
fn the_next_one_can_be_skipped_and_what_runs_be_cancelled() {
    play(
        "schedule: '@daily'; retry: { max_attempts: 3, delay: 1h }",
        "12:00 tick => noted
         12:01 skip => noted
         2T00:00 tick => skipped 2T00:00
         3T00:00 tick => schedule 3T00:00#1
         3T00:01 failed => again at 3T01:01
         3T00:30 skip => skipped 3T00:00
         3T01:01 tick => nothing
         4T00:00 tick => schedule 4T00:00#1
         4T00:10 cancel => stops 1
         4T00:10 cancel => nothing
         4T00:11 cancelled => over
         4T01:30 tick => nothing
         5T00:00 tick => schedule 5T00:00#1
         5T00:10 cancel => stops 1
         5T00:11 lost => over
         5T01:30 tick => nothing",
    );
}

#[test]
fn what_was_skipped_long_ago_and_what_waited_are_told_apart_from_what_is_missed() {
    play(
        "schedule: '@hourly'",
        "01:00:20 tick => schedule 01:00#1
         01:01 succeeded => over
         01:10 skip => noted
         05:00:20 tick => skipped 02:00; missed 02:00-04:00 (2); schedule 05:00#1",
    );
    play(
        "schedule: '@hourly'; depends_on: [daily]",
        "2T00:30 tick => noted
         2T01:00 tick => 2T01:00 waits for daily
         2T05:00 tick => upstream 2T01:00; missed 2T02:00-2T04:00 (3); 2T05:00 waits for daily",
    );
    play(
        "schedule: '@hourly'; overlap: queue",
        "01:00:20 tick => schedule 01:00#1
         01:50 skip => noted
         02:10 tick => skipped 02:00
         03:00 tick => 03:00 waits its turn; more is due
         03:10 skip => noted
         03:20 succeeded => over
         03:21 tick => skipped 03:00",
    );
}

#[test]
fn a_retry_that_a_person_began_waits_out_a_pause_too() {
    play(
        "schedule: '0 12 * * *'; retry: { max_attempts: 3, delay: 5m }",
        "00:05 tick => noted
         00:10 run => manual 00:10#1
         00:10:30 failed => again at 00:15:30
         00:11 pause => noted
         00:16 tick => 00:10 waits for resume
         00:17 resume => noted
         00:17 tick => retry 00:10#2",
    );
}

#[test]
fn what_is_skipped_costs_no_other_its_run_and_is_never_missed() {
    play(
        "schedule: '@hourly'",
        "01:00:20 tick => schedule 01:00#1
         01:01 succeeded => over
         01:10 skip => noted
         03:00:20 tick => skipped 02:00; schedule 03:00#1",
    );
    play(
        "schedule: '@hourly'",
        "01:00:20 tick => schedule 01:00#1
         01:01 succeeded => over
         01:10 skip => noted
         01:11 skip => noted
         03:00:20 tick => skipped 02:00; skipped 03:00
         04:00 tick => schedule 04:00#1",
    );
    play(
        "schedule: '@hourly'",
        "01:00:20 tick => schedule 01:00#1
         01:01 succeeded => over
         02:00:10 skip => noted
         02:00:20 tick => skipped 02:00
         03:00 tick => schedule 03:00#1",
    );
}

#[test]
fn what_was_to_be_skipped_is_forgotten_when_it_is_decided() {
    let pipeline = pipeline("schedule: '@hourly'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:30"));
    for instant in ["02:00", "03:00", "05:00"] {
        story.control(&pipeline, at("00:30"), |situation| controls::skip_at(situation, at(instant)).0);
    }
    for (now, left) in [("01:00", 3), ("02:00", 2), ("03:30", 1), ("04:00", 1), ("05:00", 0)] {
        story.tick(&pipeline, at(now));
        assert_eq!(story.row.standing.skips.len(), left, "{now}");
    }
}

#[test]
fn an_instant_is_skipped_if_it_is_to_come_and_taken_back() {
    let pipeline = pipeline("schedule: '@hourly'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:30"));
    story.tick(&pipeline, at("01:00"));
    story.end(Outcome::Succeeded, false, at("01:10"));
    story.run(&pipeline, at("03:00"), at("01:20")).unwrap();
    // Which instant → the answer, whether that changes anything, what is to be skipped then.
    for row @ (instant, answer, changed, skips) in [
        ("01:30", Err(NoSkip::NoOccurrence), false, &[][..]),
        ("00:00", Err(NoSkip::Decided), false, &[]),
        ("01:00", Err(NoSkip::Decided), false, &[]),
        ("03:00", Err(NoSkip::Decided), false, &[]),
        ("05:00", Ok(()), true, &["05:00"]),
        ("02:00", Ok(()), true, &["02:00", "05:00"]),
        ("05:00", Ok(()), false, &["02:00", "05:00"]),
    ] {
        let answered = Cell::new(Ok(()));
        let decision = story.control(&pipeline, at("01:30"), |situation| {
            let (decision, answer) = controls::skip_at(situation, at(instant));
            answered.set(answer);
            decision
        });
        let skips: Vec<i64> = skips.iter().map(|skipped| at(skipped).as_microsecond()).collect();
        assert_eq!((answered.get(), decision.changed, &story.row.standing.skips), (answer, changed, &skips), "{row:?}");
    }
    // Which is taken back, if any is named → which was.
    for (named, taken) in [(Some("04:00"), None), (Some("05:00"), Some("05:00")), (None, Some("02:00")), (None, None)] {
        let answered = Cell::new(None);
        let decision = story.control(&pipeline, at("01:30"), |situation| {
            let (decision, answer) = controls::unskip(situation, named.map(at));
            answered.set(answer);
            decision
        });
        assert_eq!((answered.get(), decision.changed), (taken.map(at), taken.is_some()), "{named:?}");
    }
}
