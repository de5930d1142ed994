//! What tests of run-logs stand on: the proxy before their servers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "proxy/mod.rs"]
mod proxy;
#[path = "proxy/rules.rs"]
mod rules;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let of_proxy = rules::CASES.iter().map(|(name, run)| {
        Trial::test(format!("proxy::{name}"), || {
            run();
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, of_proxy.collect()).exit_code()
}
