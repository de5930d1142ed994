//! Every broken rule is noticed, and docs/counterexamples.md shows how.
//!
//! `TICKWARD_SIM_WRITE=1` writes the page; without it the page has to be what would be written.

use std::fmt::Write;

use crate::plants::{PLANTS, Plant};
use crate::shape::Shape;
use crate::{Played, play};

/// Seeds in which a broken rule has to show itself.
const SEEDS: u64 = 60;
/// The most lines of a trace that the page shows.
const SHOWN: usize = 24;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/counterexamples.md");

const HEAD: &str = "# What happens without each rule

Each section breaks one rule of the claim protocol on purpose and shows a life that the simulator found: the real tick and the
real plan over a bad network, hosts that crash and freeze, and clocks that are set. Times are hours, minutes and seconds since
that world began, `host1-35` is the tick that the first host called in minute 35. Lines about other pipelines, and
idle ticks, are left out.

The page is written by `TICKWARD_SIM_WRITE=1 cargo test --test simulator every_broken_rule`, and the same test fails when a
broken rule is no longer noticed, or when the page is not what it would write.
";

#[test]
fn every_broken_rule_is_noticed_and_the_page_shows_it() {
    let mut page = HEAD.to_string();
    for (plant, name, rule, broken) in PLANTS {
        let (seed, played) = found(plant).unwrap_or_else(|| panic!("{name}: not noticed in {SEEDS} seeds"));
        println!("{name}: seed {seed}: {}", played.wrong[0]);
        write!(page, "\n## {rule}\n\n{broken}\n\n```text\n").unwrap();
        shown(&played).iter().for_each(|line| writeln!(page, "{line}").unwrap());
        let replay = format!("TICKWARD_SIM_PLANT={name} TICKWARD_SIM_SEED={seed} cargo test --test simulator whatever");
        write!(page, "```\n\nTo see all of it: `{replay} -- --nocapture`\n").unwrap();
    }
    if std::env::var_os("TICKWARD_SIM_WRITE").is_some() {
        std::fs::write(PAGE, page).unwrap();
    } else {
        assert!(std::fs::read_to_string(PAGE).unwrap_or_default() == page, "docs/counterexamples.md is not of today");
    }
}

fn found(plant: Plant) -> Option<(u64, Played)> {
    (0..SEEDS).map(|seed| (seed, play(Shape::broken(seed, plant), seed))).find(|(_, played)| !played.wrong.is_empty())
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
