//! A store that goes back in time: it is restored from a copy of some hours ago, between two ticks.
//!
//! The ticks stop, whoever restores waits until nothing is under way, and they go on with the older copy. The hosts' disks
//! and clocks stay as they are. What ran since the copy may run again, under the same attempt and fence: the store cannot
//! know. What has to hold is what the simulator checks of any world, by what was known when the copy was made: nothing of
//! it starts again or ends otherwise, and every occurrence since is accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tickward::occurrence::{PipelineId, Token};
use tickward::run::Outcome;
use tickward::runlog::memory::Tables;

use crate::chance::Chance;
use crate::shape::Shape;
use crate::world::{Start, World};

/// Seeds that the quick tier plays, and hours of each.
const SEEDS: u64 = 16;
const HOURS: u64 = 5;

/// The store, and what was known of it, at one moment.
struct Copy {
    tables: Tables,
    starts: BTreeMap<(String, String), Vec<Start>>,
    outcomes: BTreeMap<Token, Outcome>,
    ended_bodies: BTreeMap<Token, (String, String)>,
    complete: BTreeSet<String>,
    rows: BTreeMap<PipelineId, (Option<Timestamp>, u64)>,
}

impl Copy {
    fn of(world: &World) -> Copy {
        let known = world.known();
        Copy {
            tables: world.truth.copy(),
            starts: known.starts.clone(),
            outcomes: known.outcomes.clone(),
            ended_bodies: known.ended_bodies.clone(),
            complete: known.complete.clone(),
            rows: known.rows.clone(),
        }
    }

    fn restore(self, world: &World) {
        // The host sees that the store has gone back, and that its start marks prove nothing of what is open there.
        for attempt in self.tables.attempts.values().filter(|attempt| attempt.is_active()) {
            world.make_mark(&Path::new("/marks").join(attempt.token.to_string()));
        }
        world.truth.restore(self.tables);
        let mut known = world.known();
        known.starts = self.starts;
        known.outcomes = self.outcomes;
        known.ended_bodies = self.ended_bodies;
        known.complete = self.complete;
        known.rows = self.rows;
    }
}

/// Copies the store now and then while ticks run, and restores the copy later, until there are no more faults.
pub async fn go_back(world: Arc<World>) {
    // A stream of its own: the same seed is the same world but for this.
    let chance = Chance::new(world.shape.minutes ^ world.chance.number());
    loop {
        tokio::time::sleep(chance.millis(60_000, 2_400_000)).await;
        let copy = Copy::of(&world);
        world.say("the store is copied");
        tokio::time::sleep(chance.millis(1_000, 7_200_000)).await;
        world.known().is_closed = true;
        while !world.known().alive.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // What is late on the network.
        tokio::time::sleep(Duration::from_secs(180)).await;
        if !world.has_faults() {
            world.known().is_closed = false;
            return;
        }
        world.say("the store is restored");
        copy.restore(&world);
        world.known().is_closed = false;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `TICKWARD_SIM_RESTORED=N` plays the first N; `TICKWARD_SIM_RESTORED_SEED=N` plays one and prints its trace.
#[test]
fn a_store_that_goes_back_starts_nothing_again_that_it_knows_and_loses_no_occurrence() {
    let one = number("TICKWARD_SIM_RESTORED_SEED");
    let seeds = one.map_or(0..number("TICKWARD_SIM_RESTORED").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let (count, mut restored) = (seeds.end - seeds.start, 0);
    for seed in seeds {
        // Alerts of what the copy does not know are gone with it.
        let shape = Shape { is_restored: true, receivers: 0, ..Shape::of_seed(seed, HOURS) };
        let played = crate::play(shape, seed);
        if one.is_some() {
            played.trace.iter().for_each(|line| println!("{line}"));
        }
        restored += played.trace.iter().filter(|line| line.ends_with("the store is restored")).count();
        let replay = format!("TICKWARD_SIM_RESTORED_SEED={seed} cargo test --test simulator goes_back -- --nocapture");
        assert_eq!(played.wrong, Vec::<String>::new(), "seed {seed}; to see it: {replay}");
    }
    println!("{count} seeds of {HOURS} hours: {restored} times the store went back, 0 wrong");
    assert!(restored > 0, "a store that was never restored proves nothing");
}
