//! `tickward run-log check`: whether a run-log is fit for ticks.
//!
//! It is opened as a tick opens it. Then it is asked what it says of itself, claims are raced, and calls are timed.

use std::sync::Arc;
use std::time::Duration;

use anstyle::AnsiColor;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::exit::Exit;
use super::super::print::{self, Format};
use super::super::session::Session;
use super::super::{block_on, typed};
use super::Address;
use super::race::{Latencies, Racer};
use crate::clock::{Clock, SystemClock};
use crate::config::secret::masked;
use crate::runlog::contract::{Facts, Role};
use crate::runlog::{Error, Purpose, RunLog, tables_of};
use crate::scheme;

/// Tells whether a run-log is fit for use: rights, version, form, clock, claims, and how long calls take
#[derive(clap::Args, Debug)]
pub struct Check {
    #[command(flatten)]
    address: Address,
    /// How many at once claim the same occurrence
    #[arg(long, value_name = "N", default_value = "8", value_parser = typed::count)]
    claims: usize,
    /// How often each call is timed
    #[arg(long, value_name = "N", default_value = "5", value_parser = typed::count)]
    rounds: usize,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What was looked at, whether it is as it should be, and the fact.
type Line = (&'static str, bool, String);

/// A clock that differs by more is told of: what is due is due by the store's.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// By more than this, claims that are held look over, and what is over looks held.
const FAR: SignedDuration = SignedDuration::from_mins(5);
/// How often a race without a winner is held again: somebody else has changed the row.
const RACES: usize = 5;

impl Check {
    pub fn work(&self) -> Result<Exit, Exit> {
        let session = self.address.session()?;
        session.must_be_there("`tickward run-log migrate` makes it, and so does the first tick")?;
        let (lines, latencies) = block_on(self.look(&session))??;
        let is_good = lines.iter().all(|(_, good, _)| *good);
        let exit = if is_good { Exit::Done } else { Exit::RunLog };
        match self.output {
            Format::Json => print::json(&json!({
                "run_log": session.run_log_shown(),
                "checks": lines.iter().map(|(check, good, fact)| json!({"check": check, "good": good, "fact": fact})).collect::<Vec<_>>(),
                "latency": latencies.iter().filter_map(latency_json).collect::<Vec<_>>(),
                "rc": exit.code(),
            })),
            Format::Text => print_text(&lines, &latencies),
        }
        Ok(exit)
    }

    async fn look(&self, session: &Session) -> Result<(Vec<Line>, Latencies), Exit> {
        let mut lines = Vec::new();
        let looked = self.look_until_it_fails(session, &mut lines).await;
        let latencies = match looked {
            Ok(latencies) => latencies,
            Err((_, error @ Error::Address { .. })) => return Err(session.run_log_failed(&error)),
            Err((check, error)) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                let help = if error.help().is_empty() { String::new() } else { format!("; {}", error.help()) };
                lines.push((check, false, masked(&format!("{error}{cause}{help}"))));
                Vec::new()
            }
        };
        Ok((lines, latencies))
    }

    async fn look_until_it_fails(
        &self,
        session: &Session,
        lines: &mut Vec<Line>,
    ) -> Result<Latencies, (&'static str, Error)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let open = || session.open_run_log(Purpose::Work, clock.clone());
        let run_log = open().map_err(|error| ("connect", error))?;
        let shown = session.run_log_shown().unwrap_or_default();
        lines.push(("connect", true, shown.clone()));
        let before = clock.now();
        let facts = run_log.facts().await.map_err(|error| ("facts", error))?;
        let name = scheme::of(&shown).unwrap_or("sqlite");
        of_facts(&facts, name, lines);
        lines.push(of_clock(&facts, before, clock.now()));
        let can_write =
            facts.role == Role::Primary && facts.rights.insert && facts.rights.update && facts.rights.delete;
        let Some(racer) = Racer::new(clock.clone()).filter(|_| can_write) else {
            lines.push(("claims", false, "not tried: it takes no writes".into()));
            return Ok(Vec::new());
        };
        let is_memory = name == "memory";
        let mut ways = vec![run_log.clone()];
        for _ in 1..self.claims {
            ways.push(if is_memory { run_log.clone() } else { open().map_err(|error| ("claims", error))? });
        }
        let raced = race(&racer, &ways).await;
        let timed = match &raced {
            Ok(_) => racer.rounds(&*run_log, self.rounds).await,
            Err(_) => Ok(Vec::new()),
        };
        let forgotten = racer.forget(&*run_log).await;
        lines.push(of_race(ways.len(), raced.map_err(|error| ("claims", error))?));
        forgotten.map_err(|error| ("forget", error))?;
        timed.map_err(|error| ("calls", error))
    }
}

/// How many have won; a race that nobody wins is held again.
async fn race(racer: &Racer, ways: &[Arc<dyn RunLog>]) -> Result<usize, Error> {
    let mut winners = 0;
    for _ in 0..RACES {
        winners = racer.race(ways).await?;
        if winners > 0 {
            break;
        }
    }
    Ok(winners)
}

fn of_race(claims: usize, winners: usize) -> Line {
    let fact = match winners {
        1 => format!("{claims} claimed one occurrence at once, 1 won"),
        0 => format!("{claims} claimed one occurrence at once, none won"),
        more => format!("{claims} claimed one occurrence at once, {more} won: it would be run {more} times"),
    };
    ("claims", winners == 1, fact)
}

fn of_facts(facts: &Facts, name: &str, lines: &mut Vec<Line>) {
    lines.push(("product", true, format!("{} {}", facts.product, facts.version)));
    let is_primary = facts.role == Role::Primary;
    lines.push(("role", is_primary, if is_primary { "primary" } else { "a replica: it takes no writes" }.into()));
    let rights = &facts.rights;
    let all = [("insert", rights.insert), ("update", rights.update), ("delete", rights.delete)];
    let lacking: Vec<_> = all.iter().filter(|(_, may)| !may).map(|(right, _)| *right).collect();
    let create = match rights.create {
        true => "may create tables",
        false => {
            "may not create tables: later forms are applied by another role, as `tickward run-log ddl` prints them"
        }
    };
    let rows = match lacking.is_empty() {
        true => "may insert, update and delete".to_owned(),
        false => format!("may not {}", lacking.join(", ")),
    };
    lines.push(("rights", lacking.is_empty(), format!("{rows}; {create}")));
    let known = tables_of(name).map_or(0, |kind| kind.migrations.len());
    let fact = match facts.form as usize {
        form if form < known => format!("form {form}, and this program needs {known}: `tickward run-log migrate`"),
        form if form > known => format!("form {form}, newer than this program's {known}, which can use it"),
        form if facts.found as usize == form => format!("form {form}, as this program has it"),
        form => format!("form {form}, as this program has it; it was found with {}", facts.found),
    };
    lines.push(("form", facts.form as usize >= known, fact));
}

fn of_clock(facts: &Facts, before: Timestamp, after: Timestamp) -> Line {
    let Some(clock) = facts.clock else {
        return ("clock", true, "it goes by the clock of this host".into());
    };
    let middle = before.checked_add(after.duration_since(before) / 2).unwrap_or(before);
    let skew = clock.duration_since(middle);
    let side = if skew.is_negative() { "behind" } else { "ahead of" };
    let by = print::duration(Duration::try_from(skew.abs()).unwrap_or_default());
    let told = match skew.abs() {
        skew if skew <= SKEW => "what is due is due by its clock",
        skew if skew <= FAR => "what is due is due by its clock: commands see another time than their schedule",
        _ => "hosts that judge leases by it and by their own disagree: set the clocks",
    };
    ("clock", skew.abs() <= FAR, format!("{by} {side} this host; {told}"))
}

fn figures((_, took): &(&'static str, Vec<Duration>)) -> Option<[Duration; 3]> {
    let mut took = took.clone();
    took.sort_unstable();
    Some([*took.first()?, took[took.len() / 2], *took.last()?])
}

fn latency_json(latency: &(&'static str, Vec<Duration>)) -> Option<Value> {
    let [min, median, max] = figures(latency)?.map(|took| took.as_micros() as u64);
    Some(json!({ "call": latency.0, "min_us": min, "median_us": median, "max_us": max }))
}

fn print_text(lines: &[Line], latencies: &Latencies) {
    let word = |good: bool| match good {
        true => print::painted_out("good", AnsiColor::Green),
        false => print::painted_out("wrong", AnsiColor::Red),
    };
    let rows = lines.iter().map(|(check, good, fact)| vec![check.to_string(), word(*good), print::printable(fact)]);
    print::out(&print::table(&["check", "", "fact"], rows.collect()));
    let millis = |took: Duration| format!("{:.2} ms", took.as_secs_f64() * 1e3);
    let rows = latencies.iter().filter_map(|latency| {
        let [min, median, max] = figures(latency)?.map(millis);
        Some(vec![latency.0.to_owned(), min, median, max])
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        print::out(&format!("\n{}", print::table(&["call", "min", "median", "max"], rows)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runlog::contract::Rights;

    fn facts(clock: Option<Timestamp>) -> Facts {
        Facts {
            product: "x".into(),
            version: "1".into(),
            role: Role::Primary,
            form: 1,
            found: 1,
            clock,
            rights: Rights::ALL,
        }
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (seconds, good, told) in [
            (0, true, "0ms ahead of this host; what is due is due by its clock"),
            (-3, true, "3.0s behind this host; what is due is due by its clock"),
            (60, true, "1m 0s ahead of this host; what is due is due by its clock: commands see another time"),
            (-3600, false, "1h 0m behind this host; hosts that judge leases"),
        ] {
            let (_, is_good, fact) = of_clock(&facts(Some(now + SignedDuration::from_secs(seconds))), now, now);
            assert!(is_good == good && fact.starts_with(told), "{seconds}: {fact}");
        }
        assert_eq!(of_clock(&facts(None), now, now).2, "it goes by the clock of this host");
    }

    #[test]
    fn what_a_role_may_not_is_told_and_a_replica_is_no_good() {
        let told = |facts: &Facts| {
            let mut lines = Vec::new();
            of_facts(facts, "memory", &mut lines);
            lines.into_iter().map(|(check, good, _)| (check, good)).collect::<Vec<_>>()
        };
        let good = [("product", true), ("role", true), ("rights", true), ("form", true)];
        assert_eq!(told(&facts(None)), good);
        let rights = Rights { create: false, ..Rights::ALL };
        assert_eq!(told(&Facts { rights, ..facts(None) }), good, "tables that are there are used without that right");
        let rights = Rights { delete: false, ..Rights::ALL };
        assert_eq!(
            told(&Facts { rights, role: Role::Replica, ..facts(None) })[1..3],
            [("role", false), ("rights", false)]
        );
        assert!(!of_race(8, 2).1 && !of_race(8, 0).1 && of_race(8, 1).1);
    }
}
