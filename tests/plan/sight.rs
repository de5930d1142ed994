//! Schedules seen first, edited, taken back, or different between hosts.

use std::time::Duration;

use tickward::plan::{note_seen, tally};
use tickward::run::{KnownSchedule, NotRun, Reason, Row};

use crate::story::{Story, at, pipeline, play, play_on};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_new_pipeline_never_fires_its_past() {
    play(
        "schedule: '@hourly'",
        "02:30 tick => noted
         02:31 tick => nothing
         03:00 tick => schedule 03:00#1",
    );
}

#[test]
fn an_occurrence_within_the_interval_before_the_first_sight_is_due() {
    play("schedule: '@hourly'", "02:00:59 tick => schedule 02:00#1");
    play("schedule: '@hourly'", "02:01 tick => noted");
    play_on(
        &[("", "schedule: '@hourly'")],
        Duration::from_secs(3 * 3600),
        "02:30 tick => missed 00:00-01:00 (2); schedule 02:00#1",
    );
}

#[test]
fn a_pipeline_without_a_schedule_is_never_due() {
    play("retry: { max_attempts: 2, delay: 10m }", "02:30 tick => nothing\n2T02:30 tick => nothing");
}

#[test]
fn a_late_tick_loses_nothing_and_ten_at_once_double_nothing() {
    let ten = "04:10 tick => nothing\n".repeat(9);
    play(
        "schedule: '0 1 * * *'",
        &format!("00:30 tick => noted\n04:10 tick => catch_up 01:00#1\n{ten}04:20 succeeded => over\n{ten}"),
    );
}

#[test]
fn an_edited_schedule_never_fires_its_past() {
    play_on(
        &[("before", "schedule: '0 * * * *'"), ("after", "schedule: '15,45 * * * *'")],
        MINUTE,
        "00:30 tick before => noted
         01:00 tick before => schedule 01:00#1
         01:01 succeeded   => over
         03:00 tick after  => noted
         03:15 tick after  => schedule 03:15#1",
    );
}

/// The clock was ahead for a while: until then nothing is due, and the edited schedule does not count from before.
#[test]
fn an_edited_schedule_counts_from_what_is_decided_already() {
    let (before, after) = (pipeline("schedule: '*/5 * * * *'"), pipeline("schedule: '*/7 * * * *'"));
    let mut story = Story::new(&before);
    story.tick(&before, at("00:00"));
    story.tick(&before, at("02:20"));
    let row = story.tick(&after, at("01:56")).row;
    assert_eq!((row.schedules[0].since, row.cursor), (at("02:20"), Some(at("02:20"))));
}

#[test]
fn another_spelling_of_the_schedule_is_no_edit() {
    play_on(
        &[("before", "schedule: '@daily'"), ("after", "schedule: ['0 0 * * *', '00 0  * * *']")],
        MINUTE,
        "00:30 tick before  => noted
         2T03:00 tick after => catch_up 2T00:00#1",
    );
}

#[test]
fn a_zone_is_part_of_the_schedule() {
    play_on(
        &[("before", "schedule: '0 3 * * *'"), ("after", "schedule: '0 3 * * *'; timezone: Europe/Berlin")],
        MINUTE,
        "00:30 tick before => noted
         02:30 tick after  => noted
         2T02:00 tick after => schedule 2T02:00#1",
    );
}

#[test]
fn an_edit_taken_back_after_an_hour_is_an_edit_too() {
    play_on(
        &[("a", "schedule: '0 * * * *'"), ("b", "schedule: '30 22 * * *'")],
        MINUTE,
        "00:30 tick a => noted
         00:40 tick b => noted
         02:40 tick a => noted
         03:00 tick a => schedule 03:00#1",
    );
}

#[test]
fn hosts_that_differ_in_a_roll_out_both_fire_theirs() {
    play_on(
        &[("old", "schedule: '0 * * * *'"), ("new", "schedule: '30 * * * *'")],
        MINUTE,
        "00:10 tick old => noted
         00:50 tick new => noted
         00:51 tick old => config split
         01:00 tick old => schedule 01:00#1; config split
         01:01 succeeded => over
         01:01 tick new => nothing
         01:30 tick new => schedule 01:30#1
         01:31 succeeded => over
         01:49 tick old => config split
         01:51 tick old => config split
         01:51 tick new => nothing
         02:00 tick old => schedule 02:00#1; config split",
    );
}

#[test]
fn of_many_schedules_the_last_four_are_remembered() {
    play_on(
        &[
            ("a", "schedule: '1 22 * * *'"),
            ("b", "schedule: '2 22 * * *'"),
            ("c", "schedule: '3 22 * * *'"),
            ("d", "schedule: '4 22 * * *'"),
            ("e", "schedule: '5 22 * * *'"),
        ],
        MINUTE,
        "00:01 tick a => noted
         00:02 tick b => noted
         00:03 tick c => noted
         00:04 tick d => noted
         00:05 tick a => config split
         00:06 tick e => noted
         00:07 tick b => config split
         00:08 tick a => noted",
    );
}

#[test]
fn several_schedules_are_a_union_and_equal_instants_one() {
    play(
        "schedule: ['0 2 * * *', '0 */2 * * *', 'every 2h']",
        "01:30 tick => noted
         02:00 tick => schedule 02:00#1
         02:01 succeeded => over
         02:02 tick => nothing
         04:00 tick => schedule 04:00#1",
    );
}

/// What a host saw first while it had no run-log.
#[test]
fn a_schedule_that_was_seen_without_the_run_log_is_noted_as_if_it_had_been_then() {
    let schedule = |hash: &str, since: &str, cursor: Option<&str>, replaced_at: Option<&str>| KnownSchedule {
        hash: hash.into(),
        since: at(since),
        cursor: cursor.map(at),
        replaced_at: replaced_at.map(at),
        rest: Default::default(),
    };
    let known = |since: &str, replaced_at: Option<&str>| schedule("known", since, Some("04:00"), replaced_at);
    let seen = schedule("seen", "03:00", None, None);
    let noted = |since: &str| schedule("seen", since, Some(since), None);
    // The schedules and the cursor of the row → those after it, at 05:00.
    for (what, before, cursor, after, moved) in [
        ("the first", vec![], None, vec![noted("03:00")], Some("03:00")),
        ("the first, of a row that has a cursor", vec![], Some("04:00"), vec![noted("04:00")], Some("04:00")),
        (
            "one after another",
            vec![known("02:00", None)],
            Some("04:00"),
            vec![noted("04:00"), known("02:00", Some("05:00"))],
            Some("04:00"),
        ),
        (
            "one after another of the same instant",
            vec![known("03:00", None)],
            Some("02:00"),
            vec![noted("03:00"), known("03:00", Some("05:00"))],
            Some("02:00"),
        ),
        (
            "one after another that was replaced before",
            vec![known("02:00", Some("02:30"))],
            Some("01:00"),
            vec![noted("03:00"), known("02:00", Some("02:30"))],
            Some("01:00"),
        ),
        ("one older than that in force", vec![known("03:01", None)], None, vec![known("03:01", None)], None),
        (
            "one that is known",
            vec![schedule("seen", "01:00", None, None)],
            None,
            vec![schedule("seen", "01:00", None, None)],
            None,
        ),
    ] {
        let mut row = Row::absent(pipeline("schedule: '@daily'").id);
        (row.schedules, row.cursor) = (before.clone(), cursor.map(at));
        assert_eq!(note_seen(&mut row, &seen, at("05:00")), before != after, "{what}");
        assert_eq!((row.schedules, row.cursor), (after, moved.map(at)), "{what}");
    }
    // By a clock that was ahead of the store's: it counts from now on.
    let mut row = Row::absent(pipeline("schedule: '@daily'").id);
    assert!(note_seen(&mut row, &seen, at("02:00")));
    assert_eq!(row.schedules, [noted("02:00")]);
    // Four are remembered.
    for hash in ["a", "b", "c", "d"] {
        assert!(note_seen(&mut row, &schedule(hash, "04:00", None, None), at("05:00")));
    }
    let hashes: Vec<&str> = row.schedules.iter().map(|known| known.hash.as_str()).collect();
    assert_eq!(hashes, ["d", "c", "b", "a"]);
}

#[test]
fn what_is_not_run_is_counted_as_missed_or_skipped() {
    let mut row = Row::absent(pipeline("schedule: '@daily'").id);
    let entry = |count, reason| NotRun {
        pipeline: row.pipeline.clone(),
        first: at("01:00"),
        last: at("02:00"),
        count,
        at_least: false,
        reason,
        decided_at: at("03:00"),
        after: None,
    };
    let entries =
        [entry(5, Reason::Missed), entry(2, Reason::Overlap), entry(3, Reason::Skipped), entry(7, Reason::Missed)];
    tally(&mut row, &entries);
    assert_eq!(row.totals, [("missed".to_owned(), 12), ("skipped".to_owned(), 5)].into());
}
