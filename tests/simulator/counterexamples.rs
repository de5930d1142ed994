//! Every broken rule is noticed, and docs/counterexamples.md shows how.
//!
//! `TICKWARD_SIM_WRITE=1` writes the page; without it the page's seeds have to end as it shows.

use std::fmt::Write;

use crate::plants::{PLANTS, Plant};
use crate::shape::Shape;
use crate::{Played, play};

/// Seeds in which a broken rule has to show itself.
const SEEDS: u64 = 4000;
/// What is wrong when a run is doubled or lost.
const TELLING: [&str; 10] = [
    "started twice",
    "has started beside",
    "without a claim",
    "run false, passed over 0",
    "outcome of another",
    "recorded as released",
    "and is lost",
    "has never arrived",
    "has not arrived",
    "on that host",
];
/// The most lines of a trace that the page shows.
const SHOWN: usize = 24;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/counterexamples.md");

const HEAD: &str = "# What happens without each rule

Each section breaks one rule of the claim protocol on purpose and shows a life that the simulator found: the real tick and the
real plan over a bad network, hosts that crash and freeze, and clocks that are set. Times are hours, minutes and seconds since
that world began, `host1-35` is the tick that the first host called in minute 35. Lines about other pipelines, and
idle ticks, are left out.

The page is written by `TICKWARD_SIM_WRITE=1 cargo test --profile proof --test simulator every_broken_rule`. Without the
variable the same test plays these seeds again; it fails when one is no longer noticed, or ends otherwise than shown.
";

#[test]
fn every_broken_rule_is_noticed_and_the_page_shows_it() {
    let is_written_anew = std::env::var_os("TICKWARD_SIM_WRITE").is_some();
    let before = std::fs::read_to_string(PAGE).unwrap_or_default();
    let mut page = HEAD.to_string();
    for (plant, name, rule, broken) in PLANTS {
        // A seed in which it is still noticed stays.
        let known = seed_on(&before, name).filter(|seed| !is_written_anew || is_noticed(plant, *seed));
        let seed = known.or_else(|| is_written_anew.then(|| search(plant)).flatten());
        let seed = seed.unwrap_or_else(|| panic!("{name}: no seed shows what it does"));
        let played = play(Shape::broken(seed, plant), seed);
        assert!(!played.wrong.is_empty(), "{name} is not noticed with seed {seed}: write the page anew");
        println!("{name}: seed {seed}: {}", played.wrong[0]);
        write!(page, "\n## {rule}\n\n{broken}\n\n```text\n").unwrap();
        shown(&played).iter().for_each(|line| writeln!(page, "{line}").unwrap());
        let replay = format!("TICKWARD_SIM_PLANT={name} TICKWARD_SIM_SEED={seed} cargo test --test simulator whatever");
        write!(page, "```\n\nTo see all of it: `{replay} -- --nocapture`\n").unwrap();
    }
    if is_written_anew {
        std::fs::write(PAGE, page).unwrap();
    } else {
        assert!(page == before, "docs/counterexamples.md is not what it would be today: write it anew");
    }
}

/// The seed that the page names.
fn seed_on(page: &str, name: &str) -> Option<u64> {
    let (_, after) = page.split_once(&format!("TICKWARD_SIM_PLANT={name} TICKWARD_SIM_SEED="))?;
    after.split(' ').next()?.parse().ok()
}

/// The first seed in which something is doubled or lost, or else in which anything is wrong.
fn search(plant: Plant) -> Option<u64> {
    (0..SEEDS).find(|seed| is_told(plant, *seed)).or_else(|| (0..SEEDS).find(|seed| is_noticed(plant, *seed)))
}

fn is_noticed(plant: Plant, seed: u64) -> bool {
    !play(Shape::broken(seed, plant), seed).wrong.is_empty()
}

fn is_told(plant: Plant, seed: u64) -> bool {
    let wrong = play(Shape::broken(seed, plant), seed).wrong;
    // What two hosts do while both are cut off tells nothing of what is taken in, or mirrored.
    let is_of_hosts = matches!(plant, Plant::PlanBeforeImport | Plant::NoMirror);
    let telling = if is_of_hosts { &TELLING[TELLING.len() - 1..] } else { &TELLING };
    wrong.first().is_some_and(|line| telling.iter().any(|word| line.contains(word)))
}

/// The trace up to the first thing that is wrong, as far as it is about that.
fn shown(played: &Played) -> Vec<String> {
    let end = played.trace.iter().position(|line| line.contains("WRONG")).unwrap_or(played.trace.len() - 1);
    let run = played.wrong[0].split(' ').next().unwrap_or_default().trim_end_matches(':');
    let is_of_run = |line: &str| line.contains(run) || line.contains("passes over");
    let about = played.trace[..=end].iter().filter(|line| is_of_run(line));
    let ticks: Vec<&str> =
        about.filter_map(|line| line.split(' ').nth(1)).map(|tick| tick.trim_end_matches(':')).collect();
    let befalls = |line: &str| {
        let what = ["freezes", "is killed", "is told to stop"].iter().any(|word| line.contains(word));
        let cut_off = line.ends_with("is cut off") || line.contains("clock of host");
        cut_off || what && line.split(' ').nth(1).is_some_and(|tick| ticks.contains(&tick))
    };
    let kept = played.trace[..=end].iter().filter(|line| is_of_run(line) || befalls(line) || line.contains("WRONG"));
    let kept: Vec<String> = kept.cloned().collect();
    kept[kept.len().saturating_sub(SHOWN)..].to_vec()
}
