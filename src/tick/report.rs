//! What a tick has done, for whoever called it.
//!
//! Values only: printing them is for `cli`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::occurrence::Run;
use crate::plan::{Draft, Note, Waiting};
use crate::run::{Attempt, Completion, NotRun, Outcome};

/// The whole of a tick.
#[derive(Clone, Debug)]
pub struct Report {
    /// The tick's id.
    pub id: String,
    /// When it began, by the store's time.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// On which host.
    pub host: String,
    /// Attempts that ended in this tick, in order, also those of others that were taken over.
    pub ended: Vec<Attempt>,
    /// Occurrences decided without being run.
    pub not_run: Vec<NotRun>,
    /// What is due but waits.
    pub waiting: BTreeMap<Run, Waiting>,
    /// What would be claimed (`--dry-run` only).
    pub due: Vec<Draft>,
    /// Claims that others were faster at.
    pub claimed_elsewhere: u64,
    /// What a person should know, with the pipeline it is about.
    pub notes: Vec<(String, Note)>,
    /// The time budget was over before the work was.
    pub out_of_time: bool,
    /// The signal that stopped it.
    pub stopped_by: Option<i32>,
    /// Outcomes that could not be recorded, and why: the run-log failed in the middle.
    pub unrecorded: Option<String>,
    /// What the run-log has not taken, by the id of its run, for the spool.
    pub to_spool: Vec<(String, Completion)>,
    /// The ids of runs whose outcome is kept neither by the run-log nor by a spool.
    pub unkept: Vec<String>,
    /// The run-log failed before anything was claimed, and nothing of what was asked of it has happened.
    pub could_not_claim: bool,
    /// Why the run-log could not be used: what ended did so in the spool of this host.
    pub degraded: Option<String>,
    /// Runs that were due and did not start because the run-log could not be used, by their ids.
    pub left_out: Vec<Run>,
}

impl Report {
    /// A tick that has done nothing yet.
    pub fn begun(id: String, host: String, at: Timestamp) -> Report {
        Report {
            id,
            started_at: at,
            ended_at: at,
            host,
            ended: Vec::new(),
            not_run: Vec::new(),
            waiting: BTreeMap::new(),
            due: Vec::new(),
            claimed_elsewhere: 0,
            notes: Vec::new(),
            out_of_time: false,
            stopped_by: None,
            unrecorded: None,
            to_spool: Vec::new(),
            unkept: Vec::new(),
            could_not_claim: false,
            degraded: None,
            left_out: Vec::new(),
        }
    }

    /// Attempts that succeeded, also partly.
    pub fn ran(&self) -> impl Iterator<Item = &Attempt> {
        self.ended.iter().filter(|attempt| attempt.outcome().is_some_and(Outcome::is_success))
    }

    /// Attempts that did not; released ones, which never started, aside.
    pub fn failed(&self) -> impl Iterator<Item = &Attempt> {
        self.ended.iter().filter(|attempt| attempt.outcome().is_some_and(|o| !o.is_success() && o != Outcome::Released))
    }

    /// Whether a run's last attempt in this tick did not succeed.
    pub fn has_failure(&self) -> bool {
        let last: BTreeMap<&Run, &Attempt> = self.ended.iter().map(|attempt| (&attempt.run, attempt)).collect();
        self.failed().any(|attempt| last.get(&attempt.run).is_some_and(|last| last.number == attempt.number))
    }
}

/// What a tick tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A body was started.
    Started(&'a Attempt),
    /// An attempt has ended, and that is durable.
    Ended(&'a Attempt),
    /// Once, when all that is due has been started as far as there are places: the report as it is so far.
    Settled(&'a Report),
}
