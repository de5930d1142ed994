//! Schedules seen first, edited, taken back, or different between hosts.

use std::time::Duration;

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
