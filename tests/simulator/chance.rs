//! All chance of a simulated world: one stream from one seed (SplitMix64).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A seeded source of numbers.
pub struct Chance(Mutex<u64>);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678))
    }

    pub fn number(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` up to, not including, `most`.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.number() % (most - least).max(1)
    }

    pub fn percent(&self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    pub fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    pub fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[(self.number() % all.len() as u64) as usize]
    }
}
