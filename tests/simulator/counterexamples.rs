//! Every broken rule is noticed, and the page of counterexamples shows how.
//!
//! `TICKWARD_SIM_WRITE=1` writes docs/counterexamples.md; without it the page is compared.

use crate::plants::{PLANTS, Plant};
use crate::shape::Shape;
use crate::{Played, play};

/// Seeds in which a broken rule has to show itself.
const SEEDS: u64 = 60;

#[test]
fn every_broken_rule_is_noticed() {
    for (plant, name, ..) in PLANTS {
        let (seed, played) = found(plant).unwrap_or_else(|| panic!("{name}: not noticed in {SEEDS} seeds"));
        println!("{name}: seed {seed}: {}", played.wrong[0]);
    }
}

fn found(plant: Plant) -> Option<(u64, Played)> {
    (0..SEEDS).map(|seed| (seed, play(Shape::broken(seed, plant), seed))).find(|(_, played)| !played.wrong.is_empty())
}
