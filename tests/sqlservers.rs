//! The run-log on Postgres and MariaDB under what networks, servers and operators do: `cargo test --features
//! postgres,mysql --test sqlservers` under `tests/servers/run`.
//!
//! What every store promises is asked of them by tests/runlog.rs; here is what only a server can go wrong by. What can't be
//! had here shows as ignored. Where the environment says `CI`, a program that is missing fails.

#![allow(clippy::disallowed_methods, reason = "what servers and other processes do takes real time")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[allow(dead_code, reason = "shared with tests/runlog.rs")]
#[path = "runlog/bench.rs"]
mod bench;
#[path = "sqlservers/clocks.rs"]
mod clocks;
#[path = "sqlservers/copies.rs"]
mod copies;
#[path = "sqlservers/cuts.rs"]
mod cuts;
#[path = "sqlservers/forms.rs"]
mod forms;
#[path = "servers/further.rs"]
mod further;
#[path = "sqlservers/kind.rs"]
mod kind;
#[path = "sqlservers/leftovers.rs"]
mod leftovers;
#[path = "sqlservers/outages.rs"]
mod outages;
#[path = "sqlservers/peer.rs"]
mod peer;
#[path = "sqlservers/pooled.rs"]
mod pooled;
#[path = "proxy/mod.rs"]
mod proxy;
#[path = "sqlservers/reach.rs"]
mod reach;
#[path = "sqlservers/rights.rs"]
mod rights;
#[allow(dead_code, reason = "shared with tests/cli.rs")]
#[path = "cli/sandbox.rs"]
mod sandbox;
#[path = "runlog/servers.rs"]
mod servers;
#[path = "sqlservers/sizes.rs"]
mod sizes;
#[path = "sqlservers/trips.rs"]
mod trips;
#[path = "sqlservers/verbs.rs"]
mod verbs;
#[path = "sqlservers/waits.rs"]
mod waits;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use further::Lack;
use kind::{KINDS, Kind};

/// One thing that holds over a kind of server.
pub type Case = (&'static str, fn(&'static Kind) -> Result<(), Lack>);

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
    let of_each = [
        clocks::CASES,
        leftovers::CASES,
        copies::CASES,
        cuts::CASES,
        forms::CASES,
        outages::CASES,
        peer::CASES,
        reach::CASES,
        rights::CASES,
        sizes::CASES,
        trips::CASES,
        verbs::CASES,
        waits::CASES,
    ];
    let of_each = KINDS.iter().flat_map(|kind| of_each.into_iter().flatten().map(move |case| (kind, case)));
    let of_postgres = pooled::CASES.iter().chain(rights::OF_POSTGRES).map(|case| (&KINDS[0], case));
    let of_mysql = peer::OF_MYSQL.iter().map(|case| (&KINDS[1], case));
    let trials = of_each
        .chain(of_postgres)
        .chain(of_mysql)
        .map(|(kind, (name, run))| Trial::ignorable_test(format!("{}::{name}", kind.name), move || outcome(run(kind))));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
