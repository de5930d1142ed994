//! How far the check goes: what is ticked, on how many hosts, and how often something goes wrong.

use std::time::Duration;

use tickward::clock::BootTime;
use tickward::config::{Environment, Source, load};
use tickward::pipeline::Pipeline;

/// Between two instants of the model; a lease lasts as long, so that time that goes on ends every lease.
pub const STEP: Duration = Duration::from_secs(60);

/// One room to search, from wall to wall.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What the room is called.
    pub name: &'static str,
    /// The pipelines, by their keys in YAML.
    pub pipelines: &'static [&'static str],
    /// Both ticks on one machine: one boot clock, processes that are known to be gone, start marks. Else two machines
    /// before a store elsewhere: a boot clock each, no marks.
    pub one_host: bool,
    /// Bodies at once.
    pub jobs: usize,
    /// How many ticks may be killed.
    pub crashes: u8,
    /// How many requests may stay without an answer: lost before the store, after it, or late.
    pub losses: u8,
    /// How many renewals may be sent.
    pub renewals: u8,
    /// How many ticks may be told to stop.
    pub stops: u8,
    /// How often leases of workers that live may be over; those of dead ones always may.
    pub zombies: u8,
    /// How many bodies may fail.
    pub failures: u8,
}

impl Bounds {
    /// The pipelines as a configuration gives them, with a lease of one step.
    pub fn read(&self) -> Vec<Pipeline> {
        let body = |keys: &str| keys.split("; ").map(|key| format!("    {key}\n")).collect::<String>();
        let of = |(number, keys): (usize, &&str)| format!("  p{number}:\n    command: work\n{}", body(keys));
        let text = format!("pipelines:\n{}", self.pipelines.iter().enumerate().map(of).collect::<String>());
        let loaded = load(&[Source::Text { name: "model".into(), text: text.clone() }], &Environment::default());
        assert!(!loaded.has_errors(), "{text}{:?}", loaded.problems);
        loaded.pipelines.into_iter().map(|pipeline| Pipeline { lease: STEP, ..pipeline }).collect()
    }
}

/// The first occurrence, and the model's first instant.
pub const FIRST: &str = "2026-01-01T00:00:00Z";

/// The boot clock at an instant of the model: the same number on every machine, which is its own clock nevertheless.
pub fn boot(instant: u8) -> BootTime {
    BootTime(0).plus(STEP * u32::from(instant))
}
