//! Removes old history from a server's run-log, pipeline by pipeline.
//!
//! What goes is looked up without locks and removed under the lock of the pipeline's row, if that has not changed since.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::contract::{Pruned, Retention};
use super::super::retention::Spared;
use super::columns::{ATTEMPT, CLAIMED, Cells, Column, NOT_RUN, Table};
use super::decode::{self, Unreadable};
use super::dialect::{Dialect, literal, matched, source};
use super::encode;
use super::reading::last;
use super::slice::{TOKEN, nothing};
use crate::occurrence::PipelineId;
use crate::run::{NotRun, Outcome};

/// What stays of a pipeline whatever is asked for.
pub struct Stays {
    /// By the times of its runs.
    pub spared: Spared,
    /// Instants that have an attempt that is open.
    open: BTreeSet<Timestamp>,
    /// The token of its newest attempt that succeeded.
    success: Option<String>,
    /// The version of its row.
    pub version: u64,
}

fn of(dialect: &dyn Dialect, id: &PipelineId, alias: &str) -> String {
    let word = |word: &str| dialect.decoded(&literal(word));
    let (namespace, name) = (word(id.namespace.as_str()), word(id.name.as_str()));
    format!("{alias}.namespace = {namespace} AND {alias}.pipeline = {name}")
}

/// Statements that read what stays; `stays` reads their answers.
pub fn look(dialect: &dyn Dialect, id: &PipelineId, retention: &Retention) -> Vec<String> {
    let (of_it, of_row) = (of(dialect, id, "a"), of(dialect, id, "p"));
    let mut statements = dialect.begin_reading();
    statements.extend([
        format!("SELECT {}", dialect.now()),
        format!("{} WHERE {of_row} AND p.version > 0", super::columns::PIPELINE.select("p")),
        format!(
            "SELECT DISTINCT a.namespace, a.pipeline, a.scheduled_for FROM tickward_attempt a WHERE {of_it} \
             ORDER BY a.scheduled_for DESC LIMIT {}",
            retention.runs()
        ),
        format!(
            "SELECT a.namespace, a.pipeline, a.scheduled_for FROM tickward_attempt a WHERE {of_it} AND {}",
            dialect.is_open()
        ),
        format!(
            "SELECT a.token FROM tickward_attempt a WHERE {of_it} AND a.state IN ({}) \
             ORDER BY a.scheduled_for DESC, a.attempt DESC LIMIT 1",
            SUCCESSES
        ),
        "COMMIT".into(),
    ]);
    statements
}

/// More than there can be, and less than a server's largest number.
const WITHOUT_END: usize = 1 << 60;

const SUCCESSES: &str = "'succeeded', 'partial'";

/// What stays of a pipeline; none where there is none. `own` is the time of those who go by another one.
///
/// # Errors
/// A value that this program does not know.
pub fn stays(
    answers: Vec<Vec<Cells>>,
    retention: &Retention,
    own: Option<Timestamp>,
) -> Result<Option<Stays>, Unreadable> {
    let [now, row, runs, open, success, _] = last(answers);
    let now = own.map_or_else(|| decode::instant(now), Ok)?;
    let Some(row) = row.into_iter().next().map(decode::row).transpose()? else { return Ok(None) };
    let instants = |found: Vec<Cells>| found.into_iter().map(|cells| decode::occurrence(cells).map(|(_, at)| at));
    let runs: Vec<Timestamp> = instants(runs).collect::<Result<_, _>>()?;
    let spared = Spared::of(retention, Some(&row), &runs, now);
    let success = success.into_iter().next().and_then(|cells| cells.into_iter().next()?);
    Ok(Some(Stays { spared, open: instants(open).collect::<Result<_, _>>()?, success, version: row.version }))
}

/// Statements that read what goes, at most `limit` of each kind and one more; `goes` reads their answers.
pub fn find(dialect: &dyn Dialect, id: &PipelineId, retention: &Retention, stays: &Stays, limit: usize) -> Vec<String> {
    let (spared, limit) = (&stays.spared, limit.min(WITHOUT_END));
    let micros = |at: Timestamp| at.as_microsecond();
    let older = |before: Timestamp| format!("(a.claimed_at < {0} AND a.scheduled_for < {0})", micros(before));
    // As `Retention::takes` says.
    let by_age = retention.before.map(older);
    let by_number = retention.keep.map(|_| format!("a.scheduled_for < {}", micros(spared.among)));
    let others: Vec<String> = by_age.into_iter().chain(by_number).collect();
    let others = if others.is_empty() { "1 = 0".to_owned() } else { format!("({})", others.join(" OR ")) };
    let is_failure = format!("a.state NOT IN ({SUCCESSES}, '{}')", Outcome::Released.word());
    let goes = match retention.failed_before {
        None => others,
        Some(before) => format!("(({is_failure} AND {}) OR (NOT {is_failure} AND {others}))", older(before)),
    };
    let mut statements = dialect.begin_reading();
    statements.push(format!(
        "SELECT a.namespace, a.pipeline, a.scheduled_for, a.token FROM tickward_attempt a WHERE {} AND a.state <> '{CLAIMED}' \
         AND a.scheduled_for < {} AND {goes} ORDER BY a.scheduled_for, a.attempt LIMIT {}",
        of(dialect, id, "a"),
        micros(retention.end(spared)),
        // What is open or the newest success is found as well, and left.
        limit.saturating_add(2).saturating_add(stays.open.len() * 100),
    ));
    let before = retention.end_not_run(spared).unwrap_or(Timestamp::MIN);
    let by_age = retention.before.map(|before| format!("(n.decided_at < {0} AND n.last_at < {0})", micros(before)));
    let by_number = retention.keep.map(|_| format!("n.last_at < {}", micros(spared.among)));
    let over: Vec<String> = by_age.into_iter().chain(by_number).chain(["1 = 0".into()]).collect();
    statements.push(format!(
        "{} WHERE {} AND n.first_at < {} AND n.last_at <= {} AND ({}) ORDER BY n.first_at, n.reason LIMIT {}",
        NOT_RUN.select("n"),
        of(dialect, id, "n"),
        micros(before),
        micros(spared.last),
        over.join(" OR "),
        limit.saturating_add(1)
    ));
    statements.push("COMMIT".into());
    statements
}

/// What goes of a pipeline.
pub struct Goes {
    /// The tokens of attempts, of the oldest run first.
    tokens: Vec<String>,
    entries: Vec<NotRun>,
    /// More would go than may go at once.
    more: bool,
}

/// What goes, at most `limit` of both kinds together.
///
/// # Errors
/// A value that this program does not know.
pub fn goes(answers: Vec<Vec<Cells>>, retention: &Retention, stays: &Stays, limit: usize) -> Result<Goes, Unreadable> {
    let [attempts, entries, _] = last(answers);
    let mut tokens = Vec::new();
    for mut cells in attempts {
        let token = cells.pop().flatten();
        let (_, at) = decode::occurrence(cells)?;
        tokens.extend(token.filter(|token| !stays.open.contains(&at) && stays.success.as_ref() != Some(token)));
    }
    let entries = entries.into_iter().map(decode::not_run).collect::<Result<Vec<_>, _>>()?;
    let mut entries: Vec<NotRun> =
        entries.into_iter().filter(|entry| retention.takes_not_run(entry, &stays.spared)).collect();
    let more = tokens.len() > limit || entries.len() > limit.saturating_sub(tokens.len());
    tokens.truncate(limit);
    entries.truncate(limit - tokens.len());
    Ok(Goes { tokens, entries, more })
}

impl Goes {
    /// What is told once it is removed.
    pub fn pruned(&self) -> Pruned {
        Pruned { attempts: self.tokens.len() as u64, not_run: self.entries.len() as u64, more: self.more }
    }

    /// Statements that remove it.
    pub fn removal(&self, dialect: &dyn Dialect) -> Vec<String> {
        let delete = |(table, key, rows): (&Table, &[Column], String)| dialect.delete(table.name, key, &rows);
        self.rows(dialect).into_iter().flatten().map(delete).collect()
    }

    /// Statements that count what of it is there; `gone` reads their answers.
    pub fn left(&self, dialect: &dyn Dialect) -> Vec<String> {
        let count = |(table, key, rows): (&Table, &[Column], String)| {
            let (join, by, on) = (dialect.join(), dialect.found_by(key), matched("t", key));
            format!("SELECT count(*) FROM {rows} {join} {} t {by} ON {on}", table.name)
        };
        self.rows(dialect).map(|rows| rows.map_or_else(nothing, count)).into()
    }

    /// What is told where something of it is left, and is to be looked for once more.
    pub fn gone(&self, left: &[Vec<Cells>]) -> Pruned {
        let left = |at: usize| left.get(at).and_then(|rows| rows.first()?.first()?.as_deref()?.trim().parse().ok());
        let of = |all: u64, at: usize| all.saturating_sub(left(at).unwrap_or(0));
        let all = self.pruned();
        Pruned { attempts: of(all.attempts, 0), not_run: of(all.not_run, 1), more: true }
    }

    /// The keys of each kind, as a table.
    fn rows(&self, dialect: &dyn Dialect) -> [Option<(&'static Table, &'static [Column], String)>; 2] {
        let tokens = || super::dialect::words(dialect, "token", self.tokens.iter().map(String::as_str));
        let entries = || source(dialect, self.entries.iter().map(encode::of_not_run).collect(), NOT_RUN.columns);
        [
            (!self.tokens.is_empty()).then(|| (&ATTEMPT, TOKEN, tokens())),
            (!self.entries.is_empty()).then(|| (&NOT_RUN, NOT_RUN.key(), entries())),
        ]
    }
}
