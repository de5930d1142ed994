//! The history that ematix-flow keeps, as items that a run-log of ours takes in.
//!
//! Its tables, in whichever store: `run_log` (the last run of each pipeline), `attempt_state` (whether it gave up); in SQLite
//! also `run_records` (runs one by one, where something wrote them). Instants are texts. Reading them is for each backend.
//!
//! Holds always: the same history gives the same items.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::copy::{Foreign, Item};
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{Name, PipelineId, Run, Token};
use crate::owner::Owner;
use crate::run::{Attempt, Completion, LastEnd, Outcome, Policy, Row, Trigger};

/// An end as the store tells it.
struct Told {
    outcome: Outcome,
    started_at: Timestamp,
    ended_at: Timestamp,
    error: Option<String>,
}

/// A run, in the words of the store.
pub struct Record {
    /// Its name there.
    pub run_id: String,
    /// Of which pipeline.
    pub name: String,
    /// How it stands.
    pub status: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// What was wrong.
    pub error: Option<String>,
}

/// What has been read so far.
#[derive(Default)]
pub struct Reading {
    ends: BTreeMap<PipelineId, Vec<Told>>,
    given_up: BTreeSet<PipelineId>,
    left_out: Vec<String>,
}

impl Reading {
    fn id(&mut self, name: &str) -> Option<PipelineId> {
        let namespace = Name::parse("default").ok()?;
        match Name::parse(name) {
            Ok(name) => Some(PipelineId { namespace, name }),
            Err(_) => {
                let told = format!("pipeline `{name}`");
                if !self.left_out.contains(&told) {
                    self.left_out.push(told);
                }
                None
            }
        }
    }

    /// A run that was written down, in the words of the store.
    pub fn record(&mut self, record: Record) {
        let Record { run_id, name, status, started_at, finished_at, error } = record;
        let outcome = match status.as_str() {
            "succeeded" => Some(Outcome::Succeeded),
            "failed" => Some(Outcome::Failed),
            "cancelled" => Some(Outcome::Cancelled),
            _ => None,
        };
        let started_at = instant(&started_at);
        let ended_at = finished_at.as_deref().map_or(started_at, instant);
        let Some(id) = self.id(&name) else { return };
        match (outcome, started_at, ended_at) {
            (Some(outcome), Some(started_at), Some(ended_at)) => {
                self.ends.entry(id).or_default().push(Told { outcome, started_at, ended_at, error });
            }
            _ => self.left_out.push(format!("run `{run_id}` of `{name}` ({status})")),
        }
    }

    /// The last run of a pipeline, where it is not one of the records, which come first.
    pub fn last_run(&mut self, name: &str, at: &str, succeeded: bool) {
        let Some(id) = self.id(name) else { return };
        let Some(at) = instant(at) else {
            self.left_out.push(format!("last run of `{name}` at `{at}`"));
            return;
        };
        let ends = self.ends.entry(id).or_default();
        if !ends.iter().any(|told| told.started_at <= at && at <= told.ended_at) {
            let outcome = if succeeded { Outcome::Succeeded } else { Outcome::Failed };
            ends.push(Told { outcome, started_at: at, ended_at: at, error: None });
        }
    }

    /// A pipeline that is not tried any more there.
    pub fn given_up(&mut self, name: &str) {
        let id = self.id(name);
        self.given_up.extend(id);
    }

    /// All of it, as items that a run-log of ours takes in.
    pub fn done(self) -> Foreign {
        let (mut rows, mut attempts) = (Vec::new(), Vec::new());
        for (id, mut ends) in self.ends {
            ends.sort_by_key(|told| (told.started_at, told.ended_at));
            let mut row = Row { version: 1, ..Row::absent(id.clone()) };
            let has_given_up = self.given_up.contains(&id);
            let last = ends.len().saturating_sub(1);
            let mut before = None;
            for (place, told) in ends.into_iter().enumerate() {
                let number = match before {
                    Some((at, number)) if at == told.started_at => number + 1,
                    _ => 1,
                };
                before = Some((told.started_at, number));
                row.fence += 1;
                let gave_up = has_given_up && place == last && !told.outcome.is_success();
                let attempt = attempt(&id, number, row.fence, told, gave_up);
                count(&mut row, &attempt);
                attempts.push(Item::Attempt(Box::new(attempt)));
            }
            rows.push(Item::Row(Box::new(row)));
        }
        rows.extend(attempts);
        Foreign { items: rows, left_out: self.left_out }
    }
}

/// What the row says of an attempt that has ended.
fn count(row: &mut Row, attempt: &Attempt) {
    let Some(end) = &attempt.end else { return };
    *row.totals.entry(end.outcome.word().into()).or_default() += 1;
    row.failures_in_a_row = if end.outcome.is_success() { 0 } else { row.failures_in_a_row + 1 };
    // What fell due up to its last run is decided.
    row.cursor = row.cursor.max(Some(attempt.run.scheduled_for));
    let scheduled_for = attempt.run.scheduled_for;
    row.last = Some(LastEnd { scheduled_for, attempt: attempt.number, outcome: end.outcome, ended_at: end.ended_at });
    if end.outcome == Outcome::Succeeded {
        row.standing.succeeded = Some(crate::run::Done { scheduled_for, ended_at: end.ended_at });
    }
}

fn attempt(id: &PipelineId, number: u32, fence: u64, told: Told, gave_up: bool) -> Attempt {
    let run = Run { pipeline: id.clone(), scheduled_for: told.started_at };
    let token = token(&format!("ematix-flow {} {number}", run.id()));
    let completion = Completion {
        started_at: Some(told.started_at),
        duration: Duration::try_from(told.ended_at.duration_since(told.started_at)).unwrap_or_default(),
        error: told.error,
        ..Completion::bare(token, told.outcome, told.ended_at)
    };
    Attempt {
        run,
        number,
        tries: number,
        earlier_starts: number - 1,
        interruptions: 0,
        trigger: Trigger::Schedule,
        by_hand: false,
        token,
        fence,
        owner: Owner {
            id: "ematix-flow".into(),
            host: "ematix-flow".into(),
            pid: 0,
            started: 0,
            boot: String::new(),
            pid_namespace: 0,
        },
        policy: Policy::NONE,
        claimed_at: told.started_at,
        lease: Lease { length: Duration::ZERO, until: told.started_at, until_boot: BootTime(0) },
        end: Some(completion),
        retry_at: None,
        gave_up,
        late_outcome: None,
        stop: None,
        degraded: false,
    }
}

/// The same for the same run, another one for every other.
fn token(text: &str) -> Token {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let bytes: [u8; 16] = std::array::from_fn(|at| digest.as_ref()[at]);
    Token(u128::from_be_bytes(bytes))
}

/// An instant as the store writes it; without a zone it is in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let whole = text.parse::<Timestamp>().ok();
    whole.or_else(|| format!("{text}Z").parse().ok()).map(crate::occurrence::whole_micros)
}
