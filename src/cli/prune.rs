//! `tickward prune`: old history goes.

use std::time::Duration;

use serde_json::json;

use super::chosen::chosen;
use super::exit::Exit;
use super::print::{self, Format};
use super::run_due::parse_duration;
use super::session::goes_on_when_asked_again;
use super::verb::{self, Place};
use super::{block_on, typed};
use crate::config;
use crate::runlog::Error;
use crate::runlog::contract::{Pruned, Pruning, Retention, RunLog, Scope};
use crate::tick;

/// Removes old history from the run-log; what is open, and the newest run and success of each pipeline, stays
#[derive(clap::Args, Debug)]
pub struct Prune {
    /// Of these pipelines: names, patterns with `*` and `?`, or `tag:T` [default: of all that the run-log knows]
    #[arg(value_name = "NAME|PATTERN|tag:T")]
    names: Vec<String>,
    /// What is older goes [default: `retention.max_age` of the configuration]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// All but the newest N runs of each pipeline go [default: `retention.max_runs`]
    #[arg(long, value_name = "N", value_parser = typed::count)]
    keep: Option<usize>,
    /// Attempts that did not succeed go when they are older than this, and not before [default: `retention.failed_max_age`]
    #[arg(long, value_name = "D", value_parser = parse_duration)]
    failed_older_than: Option<Duration>,
    /// Count what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

/// So many rows go in one transaction: ticks wait for no longer.
const STEP: usize = 1000;

impl Prune {
    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| exit)
    }

    fn work(&self) -> Result<Exit, Exit> {
        let (session, run_log) = self.place.open()?;
        let said = self.older_than.is_some() || self.keep.is_some() || self.failed_older_than.is_some();
        let flags = config::Retention {
            max_age: self.older_than,
            failed_max_age: self.failed_older_than,
            max_runs: self.keep.map(|keep| u32::try_from(keep).unwrap_or(u32::MAX)),
        };
        let kept = if said { Some(flags) } else { session.loaded.retention.clone() };
        let Some(kept) = kept else {
            let help = "add `--older-than 90d` or `--keep 100`, or write `retention:` into the configuration";
            print::error("nothing says what is to go", help);
            return Err(Exit::Usage);
        };
        let view = verb::load(&*run_log)?;
        let scope = match self.names.is_empty() {
            true => Scope::All,
            false => Scope::Only(chosen(&session, &view, &self.names, false)?.into_iter().collect()),
        };
        let retention = tick::retention(&kept, view.now);
        let pruned = block_on(self.prune(&*run_log, &scope, &retention))?;
        let pruned = pruned.map_err(|error| goes_on_when_asked_again(&error))?;
        match self.place.output {
            Format::Json => print::json(&json!({
                "attempts": pruned.attempts, "not_run": pruned.not_run, "dry_run": self.dry_run,
            })),
            Format::Text => {
                let verb = if self.dry_run { "would go  " } else { "removed   " };
                let (attempts, entries) = (pruned.attempts, pruned.not_run);
                print::note(&format!("{verb}{attempts} attempts, {entries} entries of what was not run"));
            }
        }
        Ok(Exit::Done)
    }

    async fn prune(&self, run_log: &dyn RunLog, scope: &Scope, retention: &Retention) -> Result<Pruned, Error> {
        if self.dry_run {
            return run_log.prune(scope.clone(), retention.clone(), usize::MAX, Pruning::Count).await;
        }
        let mut all = Pruned::default();
        loop {
            let step = run_log.prune(scope.clone(), retention.clone(), STEP, Pruning::Remove).await?;
            all.attempts += step.attempts;
            all.not_run += step.not_run;
            if !step.more {
                return Ok(all);
            }
        }
    }
}
