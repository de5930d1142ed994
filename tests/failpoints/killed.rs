//! A tick, a supervisor or both are killed at every failpoint; then ticks go through until all is settled.

use std::time::{Duration, Instant};

use tickward::failpoint::{Process, TABLE};

use super::scene::{Scene, Variant};

/// What has to happen first for a tick to come by these points: another one that is killed there; and when it comes by.
const BEFORE: [(&str, &str, &str); 5] = [
    ("mark-forestalled", "claim-won", "02:00:10"),
    ("taken-over", "leader-reaped=parent", "02:00:10"),
    ("take-over-cleared", "claim-won", "02:00:10"),
    ("dead-hold-removed", "hold-locked", "02:00:10"),
    // Only a tick that has worked sweeps.
    ("mark-swept", "end-committed", "03:00:05"),
];

/// Points that come by again, for another reason: the commit of the end, the last request.
const AGAIN: [&str; 3] = ["commit-written", "commit-durable", "request-sent"];

/// Points of spool and outbox, by which only ticks come that have one (`apart`).
pub fn is_apart(name: &str) -> bool {
    name.starts_with("spool-") || name.starts_with("alert")
}

fn wishes(name: &str, process: Process) -> Vec<String> {
    let actions: &[&str] = match process {
        Process::Tick => &["kill"],
        Process::Supervisor | Process::Child => &["kill", "parent", "both"],
    };
    let again = AGAIN.contains(&name).then(|| format!("{name}:2=kill"));
    actions.iter().map(|action| format!("{name}={action}")).chain(again).collect()
}

fn killed_at_every_point(variant: Variant) {
    let begin = Instant::now();
    let (mut kills, mut failed) = (0, Vec::new());
    for row in TABLE.iter().filter(|row| !is_apart(row.name)) {
        for wish in wishes(row.name, row.process) {
            kills += 1;
            if std::panic::catch_unwind(|| killed_at(variant, row.name, &wish)).is_err() {
                failed.push(wish);
            }
        }
    }
    assert!(failed.is_empty(), "{variant:?}: {failed:?}");
    println!(
        "{variant:?}: {kills} kills at {} points in {:.1?}",
        TABLE.iter().filter(|row| !is_apart(row.name)).count(),
        begin.elapsed()
    );
}

fn killed_at(variant: Variant, name: &str, wish: &str) {
    let scene = Scene::for_point(variant, name);
    let mut now = "02:00:05";
    if let Some((_, first, then)) = BEFORE.iter().find(|(point, ..)| *point == name) {
        run_to_its_end(&scene, first, now);
        now = then;
    }
    run_to_its_end(&scene, wish, now);
    assert!(scene.reached().iter().any(|point| point == name), "{variant:?}: `{name}` was not reached");
    scene.settle(wish);
    scene.assert_no_marks_stay(wish);
}

fn run_to_its_end(scene: &Scene, wish: &str, now: &str) {
    let mut tick = scene.start(wish, now);
    let until = Instant::now() + Duration::from_secs(60);
    while tick.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "{wish}: the tick does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_due_run_is_accounted_for_wherever_it_is_cut_off() {
    killed_at_every_point(Variant::Due);
}

#[test]
fn a_run_with_a_retry_policy_is_accounted_for_wherever_it_is_cut_off() {
    killed_at_every_point(Variant::Retried);
}

#[test]
fn a_run_by_hand_is_accounted_for_wherever_it_is_cut_off() {
    killed_at_every_point(Variant::ByHand);
}
