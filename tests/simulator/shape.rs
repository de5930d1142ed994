//! What one seed's world is like: store, hosts, pipelines, and what may go wrong.

use std::fmt;

use crate::chance::Chance;
use crate::plants::Plant;

/// What kind of store a world has. A further one is a line here and one where the world makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file on the one host there is: its clock is the host's, start marks lie beside it.
    Local,
    /// A server with a clock of its own; every tick loop is a host of its own.
    Server,
}

#[derive(Clone, Debug)]
pub struct Shape {
    pub kind: Kind,
    /// Tick loops: hosts, or on one host several that call ticks.
    pub loops: usize,
    /// Minutes with faults.
    pub minutes: u64,
    /// The files before and after an edit that each host gets at another time; the same, where there is none.
    pub files: [String; 2],
    /// Wall clocks are set, by a second or by ten years.
    pub has_steps: bool,
    /// How long one start in twenty may take between its tick and its body.
    pub slow_start_ms: u64,
    /// Whom alerts go to.
    pub receivers: usize,
    /// Hosts go on without the run-log, by a mirror and a spool.
    pub has_spools: bool,
    /// The store is restored from copies now and then.
    pub is_restored: bool,
    /// A rule that is broken on purpose.
    pub plant: Option<Plant>,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { kind, loops, has_steps, files, .. } = self;
        let clocks = if *has_steps { "wall clocks that are set" } else { "true clocks" };
        let spools = if self.has_spools { ", spools" } else { "" };
        writeln!(f, "{kind:?} store, {loops} loops, {clocks}{spools}\n{}", files[0])?;
        if files[0] != files[1] { writeln!(f, "after an edit:\n{}", files[1]) } else { Ok(()) }
    }
}

impl Shape {
    pub fn of_seed(seed: u64, hours: u64) -> Shape {
        let chance = Chance::new(seed ^ 0x5eed);
        let count = match chance.percent(80) {
            true => chance.between(1, 8),
            false => chance.between(8, 21),
        };
        let mut files = [String::from("pipelines:\n"), String::from("pipelines:\n")];
        let is_edited = chance.percent(30);
        for n in 0..count {
            let (before, after) = (any_pipeline(&chance, n), any_pipeline(&chance, n));
            files[0] += &before;
            match is_edited && chance.percent(30) {
                true if chance.percent(30) && n > 0 => {}
                true => files[1] += &after,
                false => files[1] += &before,
            }
        }
        Shape {
            kind: if chance.percent(50) { Kind::Local } else { Kind::Server },
            loops: chance.between(1, 6) as usize,
            minutes: hours * 60,
            files,
            has_steps: chance.percent(40),
            slow_start_ms: 900,
            receivers: chance.one_of(&[0, 0, 1, 2]),
            has_spools: false,
            is_restored: false,
            plant: None,
        }
    }

    /// The same, where hosts go on without the run-log. How far a degraded tick reaches back goes by its wall clock: it is true.
    pub fn with_spools(seed: u64, hours: u64) -> Shape {
        Shape { has_spools: true, has_steps: false, ..Shape::of_seed(seed, hours) }
    }

    /// A world small enough to be read, in which `plant` is broken.
    pub fn broken(seed: u64, plant: Plant) -> Shape {
        let chance = Chance::new(seed ^ 0xb0de);
        let file = format!("pipelines:\n{}", pipeline(&chance, 0));
        Shape {
            kind: plant.kind(),
            loops: chance.between(2, 4) as usize,
            minutes: 180,
            files: [file.clone(), file],
            has_steps: plant.needs_steps(),
            // Handed over to a slow machine, as a job of its own is.
            slow_start_ms: if plant == Plant::MarkNotHeeded { 30_000 } else { 900 },
            receivers: usize::from(plant.needs_receivers()),
            has_spools: plant.needs_spools(),
            is_restored: false,
            plant: Some(plant),
        }
    }
}

/// A pipeline under any policies there are.
fn any_pipeline(chance: &Chance, n: u64) -> String {
    let mut keys = pipeline(chance, n);
    let mut add = |percent: u64, line: String| {
        if chance.percent(percent) {
            keys += &format!("    {line}\n");
        }
    };
    let overlap = chance.one_of(&["queue", "replace", "{ policy: allow, max: 2 }", "{ policy: allow, max: 3 }"]);
    add(50, format!("overlap: {overlap}"));
    add(10, format!("start_deadline: {}", chance.one_of(&["2m", "10m"])));
    add(10, format!("min_interval: {}", chance.one_of(&["90s", "12m"])));
    add(20, format!("idempotent: {}", chance.one_of(&["true", "false"])));
    add(5, "on_gave_up: hold".into());
    add(20, "on_run_log_error: skip".into());
    if n > 0 {
        // The one that no edit takes away.
        add(15, "depends_on: [p0]".into());
    }
    keys
}

fn pipeline(chance: &Chance, n: u64) -> String {
    let schedule = chance.one_of(&[
        "* * * * *",
        "*/5 * * * *",
        "*/7 * * * *",
        "0 * * * *",
        "every 3m",
        "13,40 * * * *",
        "30 1-4 * * *",
        "every 95m",
    ]);
    let zone = chance.one_of(&["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]);
    let attempts = chance.one_of(&[1, 1, 2, 4]);
    let delay = chance.one_of(&["0s", "1s", "30s", "4m"]);
    let backoff = chance.one_of(&["fixed", "linear", "exponential"]);
    let catch_up = chance.one_of(&["latest", "skip", "{ policy: all, max: 5 }", "{ policy: all, window: 20m }"]);
    let jitter = chance.one_of(&["0s", "0s", "90s"]);
    let next = chance.one_of(&["supersede", "finish_first"]);
    let interrupt = chance.one_of(&["retry", "rerun"]);
    format!(
        "  p{n}:\n    schedule: \"{schedule}\"\n    timezone: {zone}\n    command: [body]\n    timeout: 10m\n    \
         lease: 60s\n    kill_grace: 5s\n    jitter: {jitter}\n    on_interrupt: {interrupt}\n    catch_up: {catch_up}\n    \
         retry: {{ max_attempts: {attempts}, delay: {delay}, backoff: {backoff}, when_next_due: {next} }}\n"
    )
}
