//! The zoo: bodies that misbehave, each run by a tick of the real program.
//!
//! One table of animals (`animals`) drives all: what each does, and what must come of it. Of each one the outcome in the
//! history, the end of every process, the memory of tick and supervisor and the time of the tick are checked (`cage`). The
//! table is printed with what was seen. Heavy animals come out where `CI` or `TICKWARD_TEST_ZOO` is set.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

#[path = "zoo/animals.rs"]
mod animals;
#[path = "zoo/cage.rs"]
mod cage;
#[path = "cli/sandbox.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod sandbox;
#[path = "zoo/signals.rs"]
mod signals;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use animals::{ANIMALS, Needs};
use cage::Seen;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let rows = Arc::new(Mutex::new(Vec::new()));
    let mut trials: Vec<Trial> = ANIMALS
        .iter()
        .enumerate()
        .map(|(place, animal)| {
            let rows = rows.clone();
            let trial = Trial::test(animal.name, move || {
                let seen = caught(|| cage::watch(animal))?;
                rows.lock().unwrap().push((place, animal.does, seen));
                Ok(())
            });
            trial.with_ignored_flag(!is_to_be_seen(animal.needs))
        })
        .collect();
    trials.push(Trial::test("each-signal-is-named", || caught(signals::each_signal_is_named)));
    let conclusion = libtest_mimic::run(&arguments, trials);
    print_table(std::mem::take(&mut *rows.lock().unwrap()));
    conclusion.exit_code()
}

fn caught<T>(test: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, Failed> {
    catch_unwind(test).map_err(|panic| match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => Failed::from(text),
        (_, Some(text)) => Failed::from(*text),
        (None, None) => Failed::from("see above"),
    })
}

/// CI shows all animals: what one of them needs and is not here fails there.
fn is_to_be_seen(needs: Needs) -> bool {
    let all = ["CI", "TICKWARD_TEST_ZOO"].iter().any(|name| std::env::var_os(name).is_some());
    let is_root = nix::unistd::geteuid().is_root();
    match needs {
        Needs::Nothing => true,
        Needs::Root => is_root || all,
        Needs::Namespace => all || (is_root && cage::can_make_namespaces()),
        Needs::Time => all,
    }
}

fn print_table(mut rows: Vec<(usize, &str, Seen)>) {
    rows.sort_by_key(|(place, ..)| *place);
    if rows.is_empty() {
        return;
    }
    println!("| the body | outcome | left | tick took | memory of tick, supervisor |\n|---|---|---|---|---|");
    for (_, does, seen) in rows {
        let Seen { outcome, reason, left, took, tick_kib, supervisor_kib } = seen;
        let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
        let memory = format!("{} MiB, {} MiB", tick_kib / 1024, supervisor_kib / 1024);
        println!("| {does} | {outcome}{reason} | {left} | {:.1} s | {memory} |", took.as_secs_f64());
    }
}
