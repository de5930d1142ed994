//! Contested claims, on each run-log that several processes share: they send claims for the same attempts at the same time,
//! and each attempt is one's. On all but SQLite, ticks that are killed too.
//!
//! Real processes (this binary again, as a claimer), a real store behind the public contract, batches as a tick sends
//! them, and what was won is ended before the next round. Claimers are killed with SIGKILL while they
//! send; who comes after looks up by token what became of the request, and sends the same again if nothing did.
//!
//! An attempt counts as contested where the requests of at least two processes for it overlapped in time, from before
//! it was sent until after it was answered. `TICKWARD_TEST_CONTESTED` is how many there must be (2,000), on a server a
//! twentieth of it; `TICKWARD_TEST_CLAIMERS` is how many processes claim (3); `TICKWARD_TEST_CONTESTED_URL` names a fresh store
//! that is tried alone. A server that is not there shows as ignored, and fails where the environment says `CI`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

mod audit;
mod claimer;
mod killed;
#[path = "../cli/kills.rs"]
mod kills;
mod log;
mod many;
mod race;
#[path = "../cli/sandbox.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod sandbox;
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[path = "../runlog/servers.rs"]
#[allow(dead_code, reason = "shared with the suite of the contract")]
mod servers;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tickward::clock::boot_now;

use race::{CLAIMERS, PIPELINES, Race};

/// What is tried on the address of a fresh run-log, and its name.
type Case = (&'static str, fn(&str));

/// A kind of run-log that processes share.
struct Backend {
    name: &'static str,
    /// The address of one that is not there yet, below this folder if it needs one; or why there is none.
    fresh_url: fn(&Path) -> Result<String, String>,
    /// What part of the claims is asked of it.
    share: usize,
}

static BACKENDS: &[Backend] = &[
    Backend { name: "sqlite", fresh_url: |folder| Ok(format!("sqlite:{}/run_log.db", folder.display())), share: 1 },
    #[cfg(feature = "postgres")]
    Backend { name: "postgres", fresh_url: servers::fresh_postgres, share: 20 },
    #[cfg(feature = "mysql")]
    Backend { name: "mysql", fresh_url: servers::fresh_mysql, share: 20 },
    // They stand in line for one file, on whatever machine this is.
    #[cfg(feature = "duckdb")]
    Backend {
        name: "duckdb",
        fresh_url: |folder| Ok(format!("duckdb:{}/run_log.db?connect_timeout=300", folder.display())),
        share: 5,
    },
];

fn main() -> ExitCode {
    if let Some(claimer) = claimer::Claimer::from_environment() {
        return claimer.work();
    }
    // One after the other: each needs the processors.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let named = std::env::var("TICKWARD_TEST_CONTESTED_URL").ok();
    let trials = match named {
        Some(url) => vec![Trial::test("named::each_contested_attempt_is_won_once", move || {
            contest(&url, 1);
            Ok(())
        })],
        None => BACKENDS.iter().flat_map(of_backend).collect(),
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn of_backend(backend: &'static Backend) -> Vec<Trial> {
    let Backend { name, share, .. } = *backend;
    let everywhere = [
        trial(backend, "each_contested_attempt_is_won_once", move |url| contest(url, share)),
        trial(backend, "many_are_claimed_in_one_commit", move |url| many::are_claimed_in_one_commit(name, url)),
    ];
    let killed = match name {
        // There they are tests of the command line.
        "sqlite" => &[],
        "duckdb" => killed::ON_FILE,
        _ => killed::ON_SERVERS,
    };
    everywhere.into_iter().chain(killed.iter().map(|(name, run)| trial(backend, name, run))).collect()
}

/// Something tried on a fresh run-log: ignored where there is none, unless somebody relies on it.
fn trial(backend: &'static Backend, name: &str, run: impl FnOnce(&str) + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("{}::{name}", backend.name), move || {
        let folder = tempfile::tempdir()?;
        match (backend.fresh_url)(folder.path()) {
            Ok(url) => {
                run(&url);
                Ok(Completion::Completed)
            }
            Err(why) if std::env::var_os("CI").is_some() => Err(Failed::from(why)),
            Err(why) => Ok(Completion::ignored_with(why)),
        }
    })
}

fn contest(url: &str, share: usize) {
    let wanted = said("TICKWARD_TEST_CONTESTED", 2_000) / share;
    let claimers = said("TICKWARD_TEST_CLAIMERS", CLAIMERS);
    let began = boot_now();
    let folder = tempfile::tempdir().unwrap();
    let mut race = Race::begin(folder.path(), url, claimers);
    let mut found = audit::Found::default();
    // Not every attempt is contested: rounds are added until enough of them were.
    while found.contested < wanted {
        let missing = (wanted - found.contested).div_ceil(PIPELINES);
        race.run_rounds(missing.max(20));
        found = audit::read(folder.path());
        assert!(race.rounds < 40 + 4 * wanted.div_ceil(PIPELINES), "hardly any attempt was contested: {found}");
    }
    race.end();
    let found = audit::read(folder.path());
    let took = boot_now().since(began).as_secs_f64();
    println!("\n{CLAIMERS} claimers, {} rounds, {} killed: {found}, {took:.1} s", race.rounds, race.killed);
    assert!(race.killed > 0 && found.resolved > 0, "no claimer was killed while it sent");
    audit::check(folder.path(), url, race.rounds);
}

/// The number that a variable says, or the usual one.
fn said(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}
