//! The real tick and the real plan in a world that is made up: virtual time, one seed for all chance, faults everywhere.
//!
//! - `TICKWARD_SIM_SEED=N` plays one seed and prints its trace; with `TICKWARD_SIM_PLANT=NAME` a rule is broken in it.
//! - `TICKWARD_SIM_SEEDS=N` plays the first N, from `TICKWARD_SIM_FROM`; `TICKWARD_SIM_HOURS=H` simulates H hours each.
//! - `TICKWARD_SIM_SPOOLS=N` has hosts go on without the run-log in every Nth of them: in each, in none where it is 0, in
//!   every fourth where nothing is said. Among others such a life is a sixth as long.
//! - `TICKWARD_SIM_LIVE=1` prints while it happens.

#![allow(clippy::unwrap_used, reason = "a world that cannot be made is a failed test")]

mod alone;
mod audit;
mod bodies;
mod broken;
mod chance;
mod clocks;
mod counterexamples;
mod disk;
mod hosts;
mod plants;
mod post;
mod restored;
mod shape;
mod store;
mod stuck;
mod watch;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use plants::Plant;
use shape::Shape;
use world::World;

/// Seeds that the quick tier plays, and hours of each.
const SEEDS: u64 = 24;
const HOURS: u64 = 3;

/// One world in so many has hosts that go on without the run-log.
const ONE_IN: u64 = 4;
/// A minute of it costs about eight times as much as one of another world: so many times fewer are played.
const SHORTER: u64 = 6;

/// Whether a line of a trace is one to count.
type IsCounted = fn(&str) -> bool;

/// Which lines of a trace are counted, and what they are.
const COUNTED: [(IsCounted, &str); 4] = [
    (|line| line.ends_with(" starts"), "starts"),
    (|line| line.ends_with(" is killed"), "ticks killed"),
    (|line| line.ends_with(": refused"), "claims refused"),
    (|line| line.contains(": goes on without the run-log"), "ticks without the run-log"),
];

/// What came of one seed.
#[derive(PartialEq, Debug)]
struct Played {
    trace: Vec<String>,
    wrong: Vec<String>,
}

/// A world of a series, and how to see it again.
struct Life {
    seed: u64,
    hours: u64,
    has_spools: bool,
}

impl Life {
    /// The one of this seed, where one in so many has spools.
    fn of_seed(seed: u64, hours: u64, one_in: u64) -> Life {
        let has_spools = one_in > 0 && seed % one_in == one_in - 1;
        let is_shorter = has_spools && one_in > 1;
        Life { seed, hours: if is_shorter { hours.div_ceil(SHORTER) } else { hours }, has_spools }
    }

    fn shape(&self) -> Shape {
        let of_seed = if self.has_spools { Shape::with_spools } else { Shape::of_seed };
        of_seed(self.seed, self.hours)
    }

    fn replay(&self) -> String {
        let Life { seed, hours, has_spools } = self;
        let spools = u8::from(*has_spools);
        format!(
            "TICKWARD_SIM_SPOOLS={spools} TICKWARD_SIM_HOURS={hours} TICKWARD_SIM_SEED={seed} cargo test --test simulator whatever -- --nocapture"
        )
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_fails_no_attempt_starts_twice_and_no_occurrence_is_lost() {
    let hours = number("TICKWARD_SIM_HOURS").unwrap_or(HOURS);
    let one_in = number("TICKWARD_SIM_SPOOLS").unwrap_or(ONE_IN);
    let life = |seed| Life::of_seed(seed, hours, one_in);
    if let Some(seed) = number("TICKWARD_SIM_SEED") {
        let plant = std::env::var("TICKWARD_SIM_PLANT").ok();
        let plant = plant.map(|name| Plant::named(&name).unwrap_or_else(|| panic!("no plant is called {name}")));
        let shape = plant.map_or_else(|| life(seed).shape(), |plant| Shape::broken(seed, plant));
        println!("{shape}");
        let Played { trace, wrong } = play(shape, seed);
        trace.iter().for_each(|line| println!("{line}"));
        assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
        return;
    }
    let from = number("TICKWARD_SIM_FROM").unwrap_or(0);
    let seeds = number("TICKWARD_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(from);
    let counts = COUNTED.map(|_| AtomicU64::new(0));
    let all_wrong = Mutex::new(Vec::new());
    let play_all = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= from + seeds {
                return;
            }
            let life = life(seed);
            let Played { trace, wrong } = play(life.shape(), seed);
            for (count, (is_one, _)) in counts.iter().zip(COUNTED) {
                let lines = trace.iter().filter(|line| is_one(line)).count() as u64;
                count.fetch_add(lines, Ordering::SeqCst);
            }
            if !wrong.is_empty() {
                println!("seed {seed}: {wrong:?}; to see it: {}", life.replay());
                all_wrong.lock().unwrap().push(seed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(play_all)).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    });
    let all_wrong = all_wrong.into_inner().unwrap();
    assert!(all_wrong.is_empty(), "{} of {seeds} seeds of {hours} hours are wrong: {all_wrong:?}", all_wrong.len());
    let counts = counts.map(AtomicU64::into_inner);
    let told: Vec<String> = counts.iter().zip(COUNTED).map(|(count, (_, words))| format!("{count} {words}")).collect();
    let with_spools = (from..from + seeds).map(life).filter(|life| life.has_spools).count();
    let of_these =
        format!("{with_spools} with spools, of {} hours", Life::of_seed(one_in.max(1) - 1, hours, one_in).hours);
    println!("{seeds} seeds of {hours} hours ({of_these}): {}, 0 wrong", told.join(", "));
    let [starts, kills, ..] = counts;
    assert!(starts > 100 && kills > 10, "a world in which nothing happens proves nothing");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let shapes = (0..8).map(|seed| (seed, Shape::of_seed(seed, 3)));
    let alone = (0..2).map(|seed| (seed, Shape::with_spools(seed, 3)));
    for (seed, shape) in shapes.chain(alone) {
        assert_eq!(play(shape.clone(), seed), play(shape, seed), "seed {seed}");
    }
}

/// Plays one seed.
fn play(shape: Shape, seed: u64) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::new(shape, seed));
        hosts::live(world.clone()).await;
        audit::audit(&world).await;
        post::audit(&world).await;
        alone::audit(&world);
        let known = world.known();
        Played { trace: known.trace.clone(), wrong: known.wrong.clone() }
    })
}
