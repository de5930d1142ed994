//! What people are told of ends and decisions, as values; how it reaches them is tried elsewhere.

use std::time::Duration;

use tickward::alert::{Alert, Kind};
use tickward::occurrence::Run;
use tickward::pipeline::Pipeline;
use tickward::plan::Folded::{self, Already, Ended, Late};
use tickward::plan::alerts::of_end;
use tickward::run::Outcome::{self, *};
use tickward::run::{Attempt, Completion, Row};

use crate::story::{Story, at, pipeline};

/// An attempt of midnight that has ended at 00:05, and its end.
fn ended(keys: &str, outcome: Outcome) -> (Row, Attempt, Completion) {
    let pipeline = pipeline(&format!("schedule: '@daily'; {keys}"));
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:00"));
    let (_, mut attempt) = story.end(outcome, false, at("00:05"));
    let end = attempt.end.as_mut().unwrap();
    (end.error, end.exit_code) = (Some("é".repeat(300)), Some(2));
    let end = end.clone();
    (story.row, attempt, end)
}

#[test]
fn a_hold_is_told_with_the_failure_that_began_it() {
    for (keys, outcome, gave_up, says) in [
        ("on_gave_up: hold", Failed, true, Some("held until `tickward reset p`")),
        ("on_gave_up: hold", Lost, true, Some("held until `tickward reset p`")),
        ("on_gave_up: hold; retry: { max_attempts: 3 }", Failed, false, None),
        ("", Failed, true, None),
    ] {
        let (mut row, mut attempt, mut end) = ended(keys, outcome);
        (attempt.gave_up, end.error) = (gave_up, None);
        let told = of_end(&mut row, &attempt, &end, Ended);
        assert_eq!(told[0].error.as_deref(), says, "{keys}, {outcome}");
        end.error = Some("exit code 2".into());
        let told = of_end(&mut row, &attempt, &end, Ended);
        let error = says.map_or("exit code 2".into(), |says| format!("exit code 2; {says}"));
        assert_eq!(told[0].error, Some(error), "{keys}, {outcome}");
    }
}

#[test]
fn an_end_is_told_by_what_it_was_and_what_was_told_before() {
    let rerun = "on_interrupt: rerun";
    let thrice = "retry: { max_attempts: 3 }";
    type Row = (&'static str, Outcome, Folded, bool, bool, &'static [Kind], bool);
    // Keys, outcome, how it was folded, whether it gave up, whether a failure was told before → kinds, and whether one is.
    #[rustfmt::skip]
    let rows: [Row; 20] = [
        ("", Succeeded, Ended, false, false, &[], false),
        ("", Succeeded, Ended, false, true, &[Kind::Recovered], false),
        ("", Partial, Ended, false, false, &[Kind::Partial], false),
        ("", Partial, Ended, false, true, &[Kind::Partial, Kind::Recovered], false),
        ("", Cancelled, Ended, false, true, &[], true),
        ("", Released, Ended, false, false, &[], false),
        ("", Failed, Already, true, false, &[], false),
        ("", Succeeded, Already, false, true, &[], true),
        ("", Failed, Late, false, false, &[Kind::LateOutcome], false),
        ("", Succeeded, Late, false, true, &[Kind::LateOutcome], true),
        (thrice, Failed, Ended, false, false, &[Kind::Failed], true),
        (thrice, TimedOut, Ended, false, true, &[Kind::Failed], true),
        ("", Failed, Ended, true, false, &[Kind::GaveUp], true),
        ("", TimedOut, Ended, true, false, &[Kind::GaveUp], true),
        (thrice, Lost, Ended, false, false, &[Kind::Lost], true),
        ("", Lost, Ended, true, false, &[Kind::Lost], true),
        (rerun, Interrupted, Ended, false, false, &[], false),
        (rerun, Interrupted, Ended, true, false, &[Kind::GaveUp], true),
        (thrice, Interrupted, Ended, false, false, &[Kind::Failed], true),
        ("", Interrupted, Ended, true, false, &[Kind::GaveUp], true),
    ];
    for row @ (keys, outcome, folded, gave_up, told_before, kinds, told_after) in rows {
        let (mut stored, mut attempt, end) = ended(keys, outcome);
        attempt.gave_up = gave_up;
        stored.standing.told.failure = told_before;
        let told: Vec<Kind> = of_end(&mut stored, &attempt, &end, folded).into_iter().map(|alert| alert.kind).collect();
        assert_eq!((&told[..], stored.standing.told.failure), (kinds, told_after), "{row:?}");
    }
}

#[test]
fn an_alert_says_what_is_known_of_its_attempt() {
    // 300 characters of two bytes, of which 500 bytes are whole ones.
    let error = Some("é".repeat(250));
    for (outcome, exit_code, next) in [(Failed, Some(2), Some(at("00:06"))), (Partial, None, None)] {
        let (mut row, attempt, end) = ended("retry: { max_attempts: 3, delay: 1m, jitter: 0% }", outcome);
        let told = of_end(&mut row, &attempt, &end, Ended);
        let kind = if outcome == Failed { Kind::Failed } else { Kind::Partial };
        let wanted = Alert {
            max_attempts: Some(3),
            outcome: Some(outcome.word().into()),
            error: error.clone(),
            exit_code,
            next_attempt_at: next,
            host: "here".into(),
            ..Alert::of_attempt(kind, &attempt.run, 1, at("00:05"))
        };
        assert_eq!(told, [wanted], "{outcome}");
    }
}

#[test]
fn the_words_of_an_error_are_cut_between_characters() {
    for (error, kept) in [
        (String::new(), 0),
        ("short".into(), 5),
        ("x".repeat(500), 500),
        ("x".repeat(501), 500),
        (format!("x{}", "é".repeat(300)), 499),
    ] {
        let (mut row, attempt, mut end) = ended("", Failed);
        end.error = Some(error.clone());
        let told = of_end(&mut row, &attempt, &end, Ended);
        assert_eq!(told[0].error.as_deref(), Some(&error[..kept]));
    }
}

fn missed(pipeline: &Pipeline, first: &str, last: &str, count: u64, at_least: bool, now: &str) -> Alert {
    let run = Run { pipeline: pipeline.id.clone(), scheduled_for: at(first) };
    let what = run.id();
    let (_, what) = what.split_once('@').unwrap();
    Alert {
        scheduled_for: Some(at(first)),
        last_scheduled_for: Some(at(last)),
        count: Some(count),
        at_least,
        ..Alert::of_pipeline(Kind::Missed, &pipeline.id, what, at(now))
    }
}

#[test]
fn a_stretch_of_missed_occurrences_is_told_where_it_begins() {
    let pipeline = pipeline("schedule: '@hourly'; catch_up: skip");
    let mut story = Story::new(&pipeline);
    let mut tick = |now| story.tick(&pipeline, at(now)).alerts;
    assert_eq!(tick("00:30"), []);
    assert_eq!(tick("02:30"), [missed(&pipeline, "01:00", "02:00", 2, false, "02:30")]);
    assert_eq!(tick("04:30"), [], "it goes on");
    assert_eq!(tick("05:00"), []);
    story.end(Succeeded, false, at("05:01"));
    let mut tick = |now| story.tick(&pipeline, at(now)).alerts;
    assert_eq!(tick("07:30"), [missed(&pipeline, "06:00", "07:00", 2, false, "07:30")], "one has run between them");
    assert_eq!(tick("08:30"), [], "it goes on");
}

#[test]
fn of_very_many_the_alert_says_at_least() {
    let pipeline = pipeline("schedule: '* * * * *'; catch_up: skip");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:00:30"));
    let told = story.tick(&pipeline, at("2026-06-01T00:00:30")).alerts;
    assert_eq!(told.iter().map(|alert| (alert.count, alert.at_least)).collect::<Vec<_>>(), [(Some(100_000), true)]);
}

#[test]
fn what_a_wrong_clock_has_put_far_ahead_is_told_once() {
    let pipeline = pipeline("schedule: '@hourly'");
    let mut story = Story::new(&pipeline);
    story.tick(&pipeline, at("00:00"));
    story.end(Succeeded, false, at("00:01"));
    story.row.cursor = Some(at("2036-05-05T05:00"));
    story.row.schedules[0].cursor = story.row.cursor;
    let told = story.tick(&pipeline, at("01:30")).alerts;
    let wanted = Alert {
        error: Some("occurrences up to 2036-05-05T05:00:00Z counted as decided; goes on from now".into()),
        ..Alert::of_pipeline(Kind::ClockWrong, &pipeline.id, "20360505T050000Z", at("01:30"))
    };
    assert_eq!(told, [wanted]);
    assert_eq!(story.tick(&pipeline, at("01:31")).alerts, []);
}

#[test]
fn hosts_that_differ_are_told_of_once_an_hour() {
    let (old, new) = (pipeline("schedule: '0 22 * * *'"), pipeline("schedule: '30 22 * * *'"));
    let mut story = Story { interval: Duration::from_secs(60), ..Story::new(&old) };
    // By whose file, when → told.
    for (file, now, told) in [
        (&old, "00:10", false),
        (&new, "00:50", false),
        (&old, "00:51", true),
        (&old, "01:25", false),
        (&old, "01:50:59", false),
        (&old, "01:51", true),
        (&old, "01:51", false),
        (&old, "01:50", true),
    ] {
        let decision = story.tick(file, at(now));
        let run = Run { pipeline: old.id.clone(), scheduled_for: at(now) };
        let what = run.id();
        let (_, what) = what.split_once('@').unwrap();
        let wanted = told.then(|| Alert::of_pipeline(Kind::ConfigSplit, &old.id, what, at(now)));
        assert_eq!(decision.alerts, Vec::from_iter(wanted), "{now}");
    }
}
