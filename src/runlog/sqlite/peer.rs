//! Reads the history that ematix-flow keeps in an SQLite file, as items that a run-log of ours takes in.
//!
//! Its tables: `run_log` (the last run of each pipeline), `attempt_state` (whether it gave up), `run_records` (runs one by one,
//! where something wrote them). Instants are texts of whole seconds.
//!
//! Holds always: the file is opened for reading only; the same file gives the same items.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::super::Error;
use super::super::copy::{Foreign, Item};
use super::{address::Address, sorted};
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{Name, PipelineId, Run, Token};
use crate::owner::Owner;
use crate::run::{Attempt, Completion, LastEnd, Outcome, Policy, Row, Trigger};

/// What is in the file that `url` names; none where it is no such file, or has tables of ours.
///
/// # Errors
/// `Address` for a URL that cannot be read, `Unavailable` for a file that cannot.
pub fn read(url: &str) -> Result<Option<Foreign>, Error> {
    let path = Address::parse(url)?.path;
    if !path.metadata().is_ok_and(|data| data.is_file() && data.len() > 0) {
        return Ok(None);
    }
    of_file(&path).map_err(|error| sorted(&path, error))
}

fn of_file(path: &Path) -> rusqlite::Result<Option<Foreign>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let has = |name: &str| {
        let statement = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
        connection.prepare(statement)?.query_row([name], |_| Ok(())).optional().map(|found| found.is_some())
    };
    if has("tickward_meta")? || !has("run_log")? {
        return Ok(None);
    }
    let mut reading = Reading::default();
    if has("run_records")? {
        reading.records(&connection)?;
    }
    reading.last_runs(&connection)?;
    if has("attempt_state")? {
        reading.given_up(&connection)?;
    }
    Ok(Some(reading.done()))
}

/// An end as the file tells it.
struct Told {
    outcome: Outcome,
    started_at: Timestamp,
    ended_at: Timestamp,
    error: Option<String>,
}

#[derive(Default)]
struct Reading {
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

    fn records(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let statement = "SELECT run_id, pipeline, status, started_at, finished_at, error_summary FROM run_records \
             ORDER BY pipeline, started_at, run_id";
        let mut statement = connection.prepare(statement)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (run_id, name, status): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let outcome = match status.as_str() {
                "succeeded" => Some(Outcome::Succeeded),
                "failed" => Some(Outcome::Failed),
                "cancelled" => Some(Outcome::Cancelled),
                _ => None,
            };
            let started_at = instant(&row.get::<_, String>(3)?);
            let finished_at: Option<String> = row.get(4)?;
            let ended_at = finished_at.as_deref().map_or(started_at, instant);
            let Some(id) = self.id(&name) else { continue };
            match (outcome, started_at, ended_at) {
                (Some(outcome), Some(started_at), Some(ended_at)) => {
                    let told = Told { outcome, started_at, ended_at, error: row.get(5)? };
                    self.ends.entry(id).or_default().push(told);
                }
                _ => self.left_out.push(format!("run `{run_id}` of `{name}` ({status})")),
            }
        }
        Ok(())
    }

    /// The last run of each, where it is not one of the records.
    fn last_runs(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare("SELECT pipeline_name, last_run_at, success FROM run_log ORDER BY 1")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (name, at, success): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(id) = self.id(&name) else { continue };
            let Some(at) = instant(&at) else {
                self.left_out.push(format!("last run of `{name}` at `{at}`"));
                continue;
            };
            let ends = self.ends.entry(id).or_default();
            if !ends.iter().any(|told| told.started_at <= at && at <= told.ended_at) {
                let outcome = if success { Outcome::Succeeded } else { Outcome::Failed };
                ends.push(Told { outcome, started_at: at, ended_at: at, error: None });
            }
        }
        Ok(())
    }

    fn given_up(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare("SELECT pipeline_name FROM attempt_state WHERE gave_up <> 0")?;
        let names = statement.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        for name in names {
            let id = self.id(&name);
            self.given_up.extend(id);
        }
        Ok(())
    }

    fn done(self) -> Foreign {
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
        token,
        outcome: told.outcome,
        fatal: false,
        started_at: Some(told.started_at),
        ended_at: told.ended_at,
        duration: Duration::try_from(told.ended_at.duration_since(told.started_at)).unwrap_or_default(),
        exit_code: None,
        error: told.error,
        cpu: Duration::ZERO,
        peak_memory_bytes: 0,
        output_bytes: 0,
        tail: String::new(),
        results: None,
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

/// An instant as the file writes it; without a zone it is in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let whole = text.parse::<Timestamp>().ok();
    whole.or_else(|| format!("{text}Z").parse().ok()).map(crate::occurrence::whole_micros)
}
