//! Contested claims: several processes send claims for the same attempts at the same time, and each attempt is one's.
//!
//! Real processes (this binary again, as a claimer), a real store behind the public contract, batches as a tick sends
//! them, and what was won is ended before the next round. Claimers are killed with SIGKILL while they
//! send; who comes after looks up by token what became of the request, and sends the same again if nothing did.
//!
//! An attempt counts as contested where the requests of at least two processes for it overlapped in time, from before
//! it was sent until after it was answered. `TICKWARD_TEST_CONTESTED` is how many there must be (2,000);
//! `TICKWARD_TEST_CLAIMERS` says how many processes claim (3). `TICKWARD_TEST_CONTESTED_URL` names a fresh store other than a new SQLite file, `duckdb:` a new file of DuckDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod audit;
mod claimer;
mod log;
mod race;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tickward::clock::boot_now;

use race::{CLAIMERS, PIPELINES, Race};

fn main() -> ExitCode {
    if let Some(claimer) = claimer::Claimer::from_environment() {
        return claimer.work();
    }
    let arguments = Arguments::from_args();
    let trial = Trial::test("each_contested_attempt_is_won_once", || {
        contest();
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn contest() {
    let wanted = said("TICKWARD_TEST_CONTESTED", 2_000);
    let began = boot_now();
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("TICKWARD_TEST_CONTESTED_URL");
    let new = |scheme| format!("{scheme}{}/run_log.db", folder.path().display());
    let url = match url.as_deref() {
        Err(_) => new("sqlite:"),
        // They stand in line for one file, on whatever machine this is.
        Ok("duckdb:") => new("duckdb:") + "?connect_timeout=300",
        Ok(url) => url.to_owned(),
    };
    let claimers = said("TICKWARD_TEST_CLAIMERS", CLAIMERS);
    let mut race = Race::begin(folder.path(), &url, claimers);
    let mut found = audit::Found::default();
    // Not every attempt is contested: rounds are added until enough of them were.
    while found.contested < wanted {
        let missing = (wanted - found.contested).div_ceil(PIPELINES);
        race.run_rounds(missing.max(5));
        found = audit::read(folder.path());
        assert!(race.rounds < 20 + 4 * wanted.div_ceil(PIPELINES), "hardly any attempt was contested: {found}");
    }
    race.end();
    let found = audit::read(folder.path());
    let took = boot_now().since(began).as_secs_f64();
    println!("\n{claimers} claimers, {} rounds, {} killed: {found}, {took:.1} s", race.rounds, race.killed);
    assert!(race.killed > 0 && found.resolved > 0, "no claimer was killed while it sent");
    audit::check(folder.path(), &url, race.rounds);
}

/// The number that a variable says, or the usual one.
fn said(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}
