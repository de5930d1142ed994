//! A process stops at a failpoint, another tick takes its attempt over, and then it goes on.

use std::time::{Duration, Instant};

use tickward::failpoint::TABLE;

use super::killed::is_apart;
use super::scene::{Scene, Variant};

/// Where nothing is claimed yet or all is recorded, a tick that stops holds up nobody; elsewhere the SQLite lock is held.
const HOLDS_THE_LOCK: [&str; 4] = ["tables-written", "commit-written", "renewal-written", "commit-durable"];
/// Points of take-overs, which need a kill before, and of a new run-log, which nobody has seen a pipeline in.
const LEFT_OUT: [&str; 7] = [
    "run-log-folder",
    "tables-made",
    "mark-swept",
    "mark-forestalled",
    "taken-over",
    "take-over-cleared",
    "dead-hold-removed",
];

#[test]
fn what_stops_and_goes_on_after_a_take_over_starts_nothing_twice() {
    let mut failed = Vec::new();
    let left_out = |name: &str| LEFT_OUT.contains(&name) || is_apart(name) || HOLDS_THE_LOCK.contains(&name);
    for variant in [Variant::Due, Variant::Retried] {
        for row in TABLE.iter().filter(|row| !left_out(row.name)) {
            if std::panic::catch_unwind(|| frozen_at(variant, row.name)).is_err() {
                failed.push((variant, row.name));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

fn frozen_at(variant: Variant, name: &str) {
    let scene = Scene::for_point(variant, name);
    // From then on, nothing that is due is before its time.
    scene.sandbox.tick("2026-03-02T01:59:30Z");
    let mut tick = scene.start(&format!("{name}=stop"), "02:00:05");
    scene
        .sandbox
        .wait(&format!("something to stop at {name}"), || scene.processes().iter().any(|(_, stopped)| *stopped));
    // Its lease is over by then.
    let other = scene.sandbox.tick("2026-03-02T02:30:05Z");
    assert!(other["rc"] == 0 || other["rc"] == 1, "{name}: {other}");
    let until = Instant::now() + Duration::from_secs(60);
    while tick.try_wait().unwrap().is_none() {
        // A second stop is that of the next attempt.
        scene.thaw();
        assert!(Instant::now() < until, "{name}: the tick does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    scene.sandbox.tick("2026-03-02T02:30:15Z");
    scene.audit(&format!("{name}=stop"));
}
