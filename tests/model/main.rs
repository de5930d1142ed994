//! The protocol of claiming, searched from wall to wall: every order of every step, within bounds.
//!
//! The store of the model is the contract core (`runlog::memory::Tables`), its decisions are `plan::decide`,
//! `plan::take_over` and `fold`, its ticks do what `tick` does between two requests (`tick.rs`). What may go wrong, at any
//! point: a tick is killed, a commit is lost, applied without an answer, or late; a lease is over while its worker
//! lives; a job that was handed over starts after its tick has died; a tick is told to stop.
//!
//! `rooms.rs` lists the bounds: two hosts always, one or two pipelines, at most two attempts by policy. Each room is
//! searched to its end without a law broken (`laws.rs`), and with nothing left undecided where no step is left: paths are
//! finite, because every tick that begins has something to do. With a rule taken away (`rules.rs`) a law is broken.
//! The large rooms are searched where `TICKWARD_TEST_MODEL` is set, or with `cargo test --test model -- --include-ignored`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bounds;
mod gather;
mod laws;
mod rooms;
mod rules;
mod steps;
mod tick;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use libtest_mimic::{Arguments, Trial};
use stateright::{Checker, HasDiscoveries, Model as _, Property};
use tickward::occurrence::Run;
use tickward::pipeline::Pipeline;

use bounds::{Bounds, FIRST, STEP};
use laws::Law;
use rules::Rule;
use world::World;

/// What is searched: a room, and the rule that is taken away in it.
struct Model {
    bounds: Bounds,
    dropped: Option<Rule>,
    first: Timestamp,
    pipelines: Vec<Pipeline>,
    /// All that ever falls due in it.
    occurrences: Vec<Run>,
}

impl Model {
    fn new(bounds: Bounds, dropped: Option<Rule>) -> Model {
        let first: Timestamp = FIRST.parse().unwrap();
        let pipelines = bounds.read();
        let of = |pipeline: &Pipeline| {
            let schedule = pipeline.schedule.clone().unwrap();
            let instants: Vec<_> = schedule.occurrences_between(first - STEP, first + STEP * 60).collect();
            instants.into_iter().map(|scheduled_for| Run { pipeline: pipeline.id.clone(), scheduled_for }).collect()
        };
        let occurrences = pipelines.iter().flat_map(|pipeline| -> Vec<Run> { of(pipeline) }).collect();
        Model { bounds, dropped, first, pipelines, occurrences }
    }

    /// Every occurrence has its end, or is recorded as not run, and no retry is pending. A path that ends at a broken law
    /// is not judged.
    fn is_settled(&self, world: &World) -> bool {
        !world.broken.is_empty()
            || self.occurrences.iter().all(|run| {
                let mut attempts = world.tables.attempts.values().filter(|attempt| attempt.run == *run).peekable();
                let passed_over = world.tables.not_run.iter().any(|entry| {
                    entry.pipeline == run.pipeline && (entry.first..=entry.last).contains(&run.scheduled_for)
                });
                (attempts.peek().is_some() || passed_over) && attempts.all(|attempt| !attempt.is_open())
            })
    }
}

const SETTLED: &str = "every occurrence is decided in the end";

fn property(law: Law) -> Property<Model> {
    macro_rules! laws {
        ($($law:ident),+) => {
            match law { $(Law::$law => |_: &Model, world: &World| !world.broken.contains(&Law::$law)),+ }
        };
    }
    let condition: fn(&Model, &World) -> bool = laws!(
        NoAttemptStartsTwice,
        AStartFollowsItsClaim,
        AnEndIsFinal,
        TheNextFollowsTheEnd,
        AnEndIsItsOwn,
        NoRunBeyondItsPolicy,
        FencesGrow,
        WhatIsReleasedNeverStarts,
        WhatHoldsIsNotTakenOver,
        NothingIsLeftBehind
    );
    Property { expectation: stateright::Expectation::Always, name: law.name(), condition }
}

/// Different states of all rooms searched.
static DIFFERENT: AtomicUsize = AtomicUsize::new(0);

fn search(bounds: Bounds) {
    let began = tickward::clock::boot_now();
    let checker = Model::new(bounds, None).checker().threads(2).spawn_bfs().join();
    let took = tickward::clock::boot_now().since(began);
    println!(
        "{}: {} states, {} of them different, depth {}, {:.1} s",
        bounds.name,
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        took.as_secs_f64()
    );
    DIFFERENT.fetch_add(checker.unique_state_count(), Ordering::Relaxed);
    if let Some((name, path)) = checker.discoveries().into_iter().next() {
        let left = path.last_state().tables.clone();
        panic!("not so: {name}\n{}with {left:#?}", told(path.into_actions()));
    }
    assert!(checker.is_done());
}

/// Searches with a rule taken away: the shortest path to the breach of a law, or to an end that leaves something undecided.
fn is_missed(bounds: Bounds, rule: Rule, expected: &str) {
    let any = Model::new(bounds, Some(rule)).checker().finish_when(HasDiscoveries::Any);
    let checker = any.spawn_bfs().join();
    let found = checker.discoveries();
    let mut names: Vec<_> = found.keys().copied().collect();
    names.sort_unstable();
    let Some(path) = found.get(expected).cloned() else {
        panic!("without {rule:?} in {}: expected \"{expected}\", found {names:?}", bounds.name)
    };
    let steps = path.into_actions();
    println!("without {rule:?}: not so after {} steps: {expected}", steps.len());
    if std::env::var_os("TICKWARD_TEST_MODEL_PATHS").is_some() {
        print!("{}", told(steps));
    }
}

fn told(actions: Vec<steps::Step>) -> String {
    actions.iter().map(|step| format!("  {step:?}\n")).collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = std::env::var_os("TICKWARD_TEST_MODEL").is_some();
    let small = rooms::SMALL.iter().map(|room| {
        Trial::test(format!("searched: {}", room.name), || {
            search(*room);
            Ok(())
        })
    });
    let large = rooms::LARGE.iter().map(move |room| {
        let trial = Trial::test(format!("searched: {}", room.name), || {
            search(*room);
            Ok(())
        });
        trial.with_ignored_flag(!all)
    });
    let rules = rooms::RULES.iter().map(|(rule, room, law)| {
        Trial::test(format!("missed: {rule:?}"), || {
            is_missed(*room, *rule, law.map_or(SETTLED, Law::name));
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, small.chain(large).chain(rules).collect());
    println!("{} different states in all rooms searched", DIFFERENT.load(Ordering::Relaxed));
    conclusion.exit_code()
}
