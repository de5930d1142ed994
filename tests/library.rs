//! Programs that use the library, run as programs: this file is the tests and the programs.
//!
//! What the program is called with says which it is: the supervisor and bodies are started by their programs, and a body
//! finds `LIBRARY_PROGRAM` in its environment as the tick did. So nothing else has to be built.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tickward::executor::SUPERVISE_ARG;

#[path = "library/bodies.rs"]
mod bodies;
#[path = "library/example.rs"]
mod example;
#[path = "../examples/library/pipelines.rs"]
mod pipelines;
#[path = "library/programs.rs"]
mod programs;
#[path = "library/refused.rs"]
mod refused;
#[path = "library/sandbox.rs"]
mod sandbox;

fn main() -> ExitCode {
    // The supervisor has no environment: any program of this file will do.
    if std::env::args().nth(1).is_some_and(|first| first == SUPERVISE_ARG) {
        return tickward::cli::main(programs::needy());
    }
    match std::env::var("LIBRARY_PROGRAM").as_deref() {
        Ok("example") => tickward::cli::main(pipelines::registry()),
        Ok("bodies") => tickward::cli::main(programs::bodies()),
        Ok("mistakes") => tickward::cli::main(programs::mistakes()),
        Ok("needy") => tickward::cli::main(programs::needy()),
        Ok("nothing") => tickward::cli::main(tickward::Registry::new()),
        Ok("threads") => programs::threads(),
        Ok("event_loop") => programs::event_loop(),
        Ok(other) => panic!("there is no program `{other}`"),
        Err(_) => {
            let tests = [example::TESTS, bodies::TESTS, refused::TESTS].concat();
            let trials = tests.into_iter().map(|(name, test)| {
                Trial::test(name, move || {
                    test();
                    Ok(())
                })
            });
            libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
        }
    }
}
