//! The real tick and the real plan in a world that is made up: virtual time, one seed for all chance, faults everywhere.
//!
//! `TICKWARD_SIM_SEED=N` plays one seed and prints its trace; `TICKWARD_SIM_SEEDS=N` plays the first N.

#![allow(clippy::unwrap_used, reason = "a world that cannot be made is a failed test")]

mod audit;
mod bodies;
mod chance;
mod store;
mod stuck;
mod world;

use std::sync::Arc;

use world::{Shape, World};

/// Seeds that the quick tier plays.
const SEEDS: u64 = 40;

#[test]
fn whatever_fails_no_attempt_starts_twice_and_no_occurrence_is_lost() {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    if let Some(seed) = number("TICKWARD_SIM_SEED") {
        let (trace, wrong) = play(seed);
        trace.iter().for_each(|line| println!("{line}"));
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
        return;
    }
    let (mut starts, mut crashes) = (0, 0);
    for seed in 0..number("TICKWARD_SIM_SEEDS").unwrap_or(SEEDS) {
        let (trace, wrong) = play(seed);
        starts += trace.iter().filter(|line| line.contains(" starts ")).count();
        crashes += trace.iter().filter(|line| line.contains(" crashes")).count();
        let replay = format!("TICKWARD_SIM_SEED={seed} cargo test --test simulator -- --nocapture");
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}; to see it: {replay}");
    }
    println!("{starts} starts, {crashes} crashed ticks");
    assert!(starts > 100 && crashes > 10, "a world in which nothing happens proves nothing");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..3 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}

/// Plays one seed; returns its trace and what was wrong.
fn play(seed: u64) -> (Vec<String>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::new(Shape::of_seed(seed), seed));
        world.clone().live().await;
        audit::audit(&world).await;
        (world.trace(), world.wrong())
    })
}
