//! `tickward shadow report`: what ticks with `--shadow` have decided, to be compared with what cron has done.
//!
//! Where such ticks keep their decisions is said here too: in a run-log of their own, which real ticks refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::block_on;
use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::typed::{self, When};
use crate::clock::{Clock, SystemClock};
use crate::run::{Attempt, NotRun, Outcome};
use crate::runlog::Purpose;
use crate::runlog::contract::{Query, Record};
use crate::tick::rfc3339;

/// The key in the results of a run that was only decided.
pub const MARK: &str = "shadow";
/// More than this is not read.
const RECORDS: usize = 1_000_000;

/// Looks at what ticks with `run-due --shadow` have decided
#[derive(clap::Args, Debug)]
pub struct Shadow {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Report(Report),
}

/// Shows what would have run, and what would not and why, by pipeline
#[derive(clap::Args, Debug)]
pub struct Report {
    #[command(flatten)]
    config: ConfigArgs,
    /// Run-log of the shadow [default: shadow.db in the state folder]
    #[arg(long, value_name = "URL")]
    run_log_url: Option<String>,
    /// Occurrences at or after this instant only; a date is the midnight that begins it in UTC, 7d a week ago
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    since: Option<When>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// The same session on the shadow's run-log: the one that was typed, or the file in the state folder.
pub fn run_log_url(session: Session, typed: Option<&str>) -> Session {
    let default = || session.state_folder().join("shadow.db").to_string_lossy().into_owned();
    let url = typed.map_or_else(default, str::to_owned);
    session.on_run_log(url)
}

/// What was decided about a pipeline, oldest occurrence first.
#[derive(Default)]
struct Decided {
    runs: Vec<Attempt>,
    not_run: Vec<NotRun>,
}

impl Shadow {
    pub fn execute(&self) -> Exit {
        let What::Report(report) = &self.what;
        report.work().unwrap_or_else(|exit| exit)
    }
}

impl Report {
    fn work(&self) -> Result<Exit, Exit> {
        let args = RunLogArgs { run_log_url: None, no_run_log: false };
        let session = run_log_url(Session::load_quietly(&self.config, &args), self.run_log_url.as_deref());
        let run_log = session.run_log(Purpose::Read, Arc::new(SystemClock))?;
        let query = Query { limit: RECORDS, ..Query::default() };
        let records = block_on(run_log.history(query))?.map_err(|error| run_log_failed(&error))?;
        let since = self.since.map(|since| since.resolve(SystemClock.now(), &TimeZone::UTC)).transpose();
        let since = since.map_err(|error| {
            print::error(&error, "");
            Exit::Usage
        })?;
        let decided = by_pipeline(records, since)?;
        match self.output {
            Format::Json => print::json(&as_json(&decided, since)),
            Format::Text if decided.is_empty() => {
                print::note("nothing was decided yet: call `tickward run-due --shadow` every minute, beside cron");
            }
            Format::Text => print::out(&as_text(&decided)),
        }
        Ok(Exit::Done)
    }
}

fn by_pipeline(records: Vec<Record>, since: Option<Timestamp>) -> Result<BTreeMap<String, Decided>, Exit> {
    let mut decided: BTreeMap<String, Decided> = BTreeMap::new();
    let is_wanted = |at: Timestamp| since.is_none_or(|since| at >= since);
    for record in records {
        match record {
            // It was killed before it was recorded, and is claimed again.
            Record::Attempt(attempt) if !attempt.outcome().is_some_and(Outcome::is_success) => {}
            Record::Attempt(attempt) if !is_marked(&attempt) => {
                print::error("this run-log is no shadow's: it has runs that were really made", "");
                return Err(Exit::Usage);
            }
            Record::Attempt(attempt) if is_wanted(attempt.run.scheduled_for) => {
                decided.entry(attempt.run.pipeline.to_string()).or_default().runs.push(*attempt);
            }
            Record::NotRun(entry) if is_wanted(entry.last) => {
                decided.entry(entry.pipeline.to_string()).or_default().not_run.push(entry);
            }
            Record::Attempt(_) | Record::NotRun(_) => {}
        }
    }
    for of_one in decided.values_mut() {
        of_one.runs.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
        of_one.not_run.sort_by_key(|entry| (entry.first, entry.last));
    }
    Ok(decided)
}

fn as_json(decided: &BTreeMap<String, Decided>, since: Option<Timestamp>) -> Value {
    let pipelines = decided.iter().map(|(name, of_one)| {
        let runs = of_one.runs.iter().map(|attempt| {
            json!({
                "scheduled_for": rfc3339(attempt.run.scheduled_for),
                "decided_at": rfc3339(attempt.claimed_at),
                "trigger": attempt.trigger.word(),
            })
        });
        let not_run = of_one.not_run.iter().map(|entry| {
            json!({
                "reason": entry.reason.word(),
                "from": rfc3339(entry.first),
                "to": rfc3339(entry.last),
                "count": entry.count,
                "at_least": entry.at_least,
                "decided_at": rfc3339(entry.decided_at),
            })
        });
        json!({
            "pipeline": name,
            "would_run": runs.collect::<Vec<_>>(),
            "not_run": not_run.collect::<Vec<_>>(),
        })
    });
    json!({
        "since": since.map(rfc3339),
        "pipelines": pipelines.collect::<Vec<_>>(),
        "rc": Exit::Done.code(),
    })
}

fn is_marked(attempt: &Attempt) -> bool {
    let results = attempt.end.as_ref().and_then(|end| end.results.as_ref());
    results.is_some_and(|results| results.contains_key(MARK))
}

fn as_text(decided: &BTreeMap<String, Decided>) -> String {
    let mut rows = Vec::new();
    for (name, of_one) in decided {
        let mut of_pipeline: Vec<(Timestamp, Vec<String>)> = Vec::new();
        for attempt in &of_one.runs {
            let at = attempt.run.scheduled_for;
            let would = format!("run ({})", attempt.trigger.word());
            of_pipeline.push((at, vec![name.clone(), print::instant(at), would, print::instant(attempt.claimed_at)]));
        }
        for entry in &of_one.not_run {
            let more = if entry.count > 1 { format!(", {} since {}", entry.count, entry.first) } else { String::new() };
            let would = format!("not run ({}{more})", entry.reason.word());
            of_pipeline.push((
                entry.first,
                vec![name.clone(), print::instant(entry.last), would, print::instant(entry.decided_at)],
            ));
        }
        of_pipeline.sort();
        rows.extend(of_pipeline.into_iter().map(|(_, row)| row));
    }
    print::table(&["pipeline", "scheduled for", "would", "decided at"], rows)
}
