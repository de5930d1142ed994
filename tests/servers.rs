//! What tests of run-logs stand on: the scripts that start servers, and the proxy before them.
//!
//! What can't be had here shows as ignored. Where the environment says `CI`, a program that is missing fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "servers/alone.rs"]
mod alone;
#[path = "servers/further.rs"]
mod further;
#[path = "proxy/mod.rs"]
mod proxy;
#[path = "proxy/rules.rs"]
mod rules;
#[path = "servers/together.rs"]
mod together;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use further::Lack;

/// One thing that scripts promise.
type Case = fn() -> Result<(), Lack>;

/// There is nothing to test: for a user's machine that is no failure, for a machine that tests on purpose it is.
fn outcome(tried: Result<(), Lack>) -> Result<Completion, Failed> {
    match tried {
        Ok(()) => Ok(Completion::Completed),
        Err(Lack::Program(why)) if std::env::var_os("CI").is_some() => Err(Failed::from(why)),
        Err(Lack::Program(why) | Lack::Right(why)) => Ok(Completion::ignored_with(why)),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let of_proxy = rules::CASES.iter().map(|(name, run)| {
        Trial::test(format!("proxy::{name}"), || {
            run();
            Ok(())
        })
    });
    let of_servers = alone::CASES.iter().chain(together::CASES);
    let of_servers = of_servers.map(|(name, run)| Trial::ignorable_test(*name, || outcome(run())));
    libtest_mimic::run(&arguments, of_proxy.chain(of_servers).collect()).exit_code()
}
