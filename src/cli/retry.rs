//! `tickward retry`: the last run that failed or was lost, once more.

use std::time::Duration;

use jiff::Timestamp;

use super::block_on;
use super::exit::Exit;
use super::print;
use super::run::{Again, Run};
use super::run_due::{WorkArgs, parse_duration};
use super::session::{Session, run_log_failed};
use super::verb::{self, Place};
use crate::occurrence::PipelineId;
use crate::run::{Attempt, Outcome};
use crate::runlog::contract::{Query, Record};
use crate::tick::rfc3339;

/// Makes another attempt of the last run that failed or was lost; a retry that is pending is made now
#[derive(clap::Args, Debug)]
pub struct Retry {
    /// Which pipeline
    name: String,
    #[command(flatten)]
    place: Place,
    /// Stop what runs after this long
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    time_budget: Option<Duration>,
}

/// So far back it is looked.
const LOOKED_AT: usize = 10_000;

impl Retry {
    pub fn execute(&self) -> Exit {
        let (session, run_log) = match self.place.open() {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
        let id = match session.pipeline(&self.name) {
            Ok(pipeline) => pipeline.id.clone(),
            Err(exit) => return self.refused(&session, exit),
        };
        let ids = [id.clone()];
        if let Err(exit) = block_on(verb::take_over(&session, &run_log, &self.place, &ids)).flatten() {
            return exit;
        }
        let query = Query { pipeline: Some(id.clone()), attempts_only: true, limit: LOOKED_AT, ..Query::default() };
        let records = match block_on(run_log.history(query)) {
            Ok(Ok(records)) => records,
            Ok(Err(error)) => return run_log_failed(&error),
            Err(exit) => return exit,
        };
        drop(run_log);
        let Some(scheduled_for) = last_that_failed(&records) else { return self.nothing(&id) };
        print::note(&format!("{id}: once more the run of {}", rfc3339(scheduled_for)));
        let run_log = self.place.run_log();
        let Place { config, now, output, .. } = self.place.clone();
        let work = WorkArgs { jobs: None, time_budget: self.time_budget };
        let how = Again { config, run_log, now, work, output };
        Run::again(self.name.clone(), scheduled_for, how).execute()
    }

    /// What the run-log alone knows has no command to run.
    fn refused(&self, session: &Session, exit: Exit) -> Exit {
        if session.loaded.has_errors() {
            session.tell_problems();
        }
        exit
    }

    fn nothing(&self, id: &PipelineId) -> Exit {
        if self.place.output == print::Format::Json {
            print::json(&serde_json::json!({ "pipeline": id.to_string(), "scheduled_for": null, "rc": 0 }));
        } else {
            print::note(&format!("{id}: no run of it has failed or was lost"));
        }
        Exit::Done
    }
}

/// The newest run whose last attempt did not succeed; `records` come newest first.
fn last_that_failed(records: &[Record]) -> Option<Timestamp> {
    let mut seen = std::collections::HashSet::new();
    let attempts = records.iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(attempt),
        Record::NotRun(_) => None,
    });
    let mut last_of_each = attempts.filter(|attempt| seen.insert(attempt.run.scheduled_for));
    last_of_each.find(|attempt| wants_another(attempt)).map(|attempt| attempt.run.scheduled_for)
}

fn wants_another(attempt: &Attempt) -> bool {
    let late = attempt.late_outcome.unwrap_or(Outcome::Failed);
    attempt.outcome().is_some_and(|outcome| !outcome.is_success()) && !late.is_success()
}
