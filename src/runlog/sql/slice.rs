//! The part of a server's run-log that a commit is about: read under locks, changed by the rules, written back.
//!
//! The rules are those of `memory::Tables`, the reference: what a server adds is the locks. What is read stays true until
//! the transaction ends, since whoever changes an attempt or an entry of a pipeline holds the lock of its row.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::contract::{Adopted, Batch, Committed, Imported, Item, Spooled, Transition, Verdict};
use super::super::memory::{Key, Tables};
use super::columns::{ATTEMPT, Cells, Column, Kind, NOT_RUN, OUTBOX, Object, PIPELINE, Table, WAITING};
use super::dialect::{self, Dialect, insert, select, source, words};
use super::{decode, encode};
use crate::occurrence::{PipelineId, Run, Token};
use crate::run::{NotRun, Row};

/// What is to be read.
#[derive(Default)]
pub struct Wanted {
    /// Rows of which one that somebody else has locked is left out.
    pub claimed: BTreeSet<PipelineId>,
    /// Of those, rows that are made where they are not there. Making waits for whoever holds the row, or is just making it.
    pub new: BTreeSet<PipelineId>,
    /// Rows that are made where they are not there; one that somebody else has locked is waited for.
    pub rows: BTreeSet<PipelineId>,
    /// Attempts that end, and the rows of their pipelines.
    pub ended: BTreeSet<Token>,
    /// Further attempts.
    pub tokens: BTreeSet<Token>,
    /// Runs, with all their attempts.
    pub runs: BTreeSet<Run>,
    /// Entries of what was not run that these may go on from.
    pub not_run: Vec<NotRun>,
    /// The alerts that wait.
    pub alerts: bool,
    /// Those that are dead too.
    pub dead: bool,
}

impl Wanted {
    /// All that a commit may look at.
    pub fn by_commit(batch: &Batch) -> Wanted {
        let mut wanted = Wanted { alerts: !batch.ends.is_empty(), ..Wanted::default() };
        wanted.ended = batch.ends.iter().map(|end| end.completion.token).collect();
        for transition in &batch.transitions {
            wanted.claimed.insert(transition.row.pipeline.clone());
            if transition.row.version == 0 {
                wanted.new.insert(transition.row.pipeline.clone());
            }
            wanted.tokens.extend(transition.closed.iter().chain(transition.stops.iter().map(|(token, _)| token)));
            wanted.runs.extend(transition.claim.iter().map(|claim| claim.run.clone()));
            wanted.not_run.extend(transition.not_run.iter().cloned());
            wanted.alerts |= !transition.alerts.is_empty();
        }
        wanted
    }

    /// All that an import may look at.
    pub fn by_import(records: &[Spooled]) -> Wanted {
        let runs: BTreeSet<Run> = records.iter().map(|record| record.attempt.run.clone()).collect();
        Wanted {
            rows: runs.iter().map(|run| run.pipeline.clone()).collect(),
            tokens: records.iter().map(|record| record.attempt.token).collect(),
            runs,
            alerts: true,
            ..Wanted::default()
        }
    }

    /// Statements that read it and lock it: the last `PARTS` answers are what was asked for.
    pub fn statements(&self, dialect: &dyn Dialect) -> Vec<String> {
        let mut statements = dialect.begin_writing();
        let made: BTreeSet<&PipelineId> = self.new.iter().chain(&self.rows).collect();
        if !made.is_empty() {
            let rows = made.into_iter().map(|id| encode::of_row(&Row::absent(id.clone()))).collect();
            statements.push(insert(dialect, &PIPELINE, rows, &dialect.on_conflict_nothing(&PIPELINE)));
        }
        // What is waited for comes first, in one order: whoever holds the other locks waits for nobody.
        let join = dialect.join();
        let of_ended = format!(
            "SELECT {} FROM {} {join} tickward_attempt a {} ON a.token = d.token {join} tickward_pipeline p {} \
             ON p.namespace = a.namespace AND p.pipeline = a.pipeline ORDER BY p.namespace, p.pipeline {}",
            PIPELINE.names("p"),
            tokens(dialect, &self.ended),
            dialect.found_by(TOKEN),
            dialect.found_by(PIPELINE.key()),
            dialect.for_update("p", false)
        );
        statements.push(if self.ended.is_empty() { nothing() } else { of_ended });
        for (ids, skips) in [(&self.rows, false), (&self.claimed, true)] {
            let of_ids = format!(
                "{} ORDER BY p.namespace, p.pipeline {}",
                select(dialect, &PIPELINE, "p", PIPELINE.key(), &names(dialect, ids.iter())),
                dialect.for_update("p", skips)
            );
            statements.push(if ids.is_empty() { nothing() } else { of_ids });
        }
        let by_token: BTreeSet<Token> = self.ended.union(&self.tokens).copied().collect();
        let by_token_statement = format!(
            "{} ORDER BY a.token {}",
            select(dialect, &ATTEMPT, "a", TOKEN, &tokens(dialect, &by_token)),
            dialect.for_update("a", false)
        );
        statements.push(if by_token.is_empty() { nothing() } else { by_token_statement });
        // What else was made of the same run: while a host was alone, or after one was given up for lost.
        let others = format!(
            "SELECT {} FROM {} {join} tickward_attempt a ON a.token = d.token {join} tickward_attempt b \
             ON b.namespace = a.namespace AND b.pipeline = a.pipeline AND b.scheduled_for = a.scheduled_for \
             AND b.attempt <> a.attempt",
            ATTEMPT.names("b"),
            tokens(dialect, &self.ended)
        );
        statements.push(if self.ended.is_empty() { nothing() } else { others });
        let by_run = select(dialect, &ATTEMPT, "a", RUN, &runs(dialect, &self.runs));
        statements.push(if self.runs.is_empty() { nothing() } else { by_run });
        let entries = format!(
            "{} AND n.reason = d.reason AND (n.first_at = d.first_at OR n.last_at = d.last_at)",
            select(dialect, &NOT_RUN, "n", PIPELINE.key(), &entries(dialect, &self.not_run))
        );
        statements.push(if self.not_run.is_empty() { nothing() } else { entries });
        let which = if self.dead { String::new() } else { format!(" WHERE o.state = '{WAITING}'") };
        let waiting = format!("{}{which} ORDER BY o.number", OUTBOX.select("o"));
        statements.push(if self.alerts { waiting } else { nothing() });
        statements.push(format!("SELECT {}", dialect.now()));
        statements
    }
}

/// An answer without rows, so that answers keep their places.
pub fn nothing() -> String {
    "SELECT 1 FROM (SELECT 1 AS one) none WHERE 1 = 0".into()
}

/// The column of tokens.
pub const TOKEN: &[Column] = &[("token", Kind::Word)];

const RUN: &[Column] = &[("namespace", Kind::Word), ("pipeline", Kind::Word), ("scheduled_for", Kind::Number)];

/// Names of pipelines as a table called `d`.
pub fn names<'a>(dialect: &dyn Dialect, ids: impl Iterator<Item = &'a PipelineId>) -> String {
    source(dialect, ids.map(name).collect(), PIPELINE.key())
}

/// The key of a pipeline.
pub fn name(id: &PipelineId) -> Object {
    let words = [("namespace", &id.namespace), ("pipeline", &id.name)];
    words.into_iter().map(|(column, word)| (column.into(), word.as_str().into())).collect()
}

fn runs(dialect: &dyn Dialect, runs: &BTreeSet<Run>) -> String {
    let object = |run: &Run| {
        let mut object = name(&run.pipeline);
        object.insert("scheduled_for".into(), run.scheduled_for.as_microsecond().into());
        object
    };
    source(dialect, runs.iter().map(object).collect(), RUN)
}

/// Tokens as a table called `d`.
pub fn tokens(dialect: &dyn Dialect, tokens: &BTreeSet<Token>) -> String {
    let texts: Vec<String> = tokens.iter().map(Token::to_string).collect();
    words(dialect, "token", texts.iter().map(String::as_str))
}

fn entries(dialect: &dyn Dialect, entries: &[NotRun]) -> String {
    const COLUMNS: &[Column] = &[
        ("namespace", Kind::Word),
        ("pipeline", Kind::Word),
        ("reason", Kind::Word),
        ("first_at", Kind::Number),
        ("last_at", Kind::Number),
    ];
    let object = |entry: &NotRun| {
        let mut object = name(&entry.pipeline);
        object.insert("reason".into(), entry.reason.word().into());
        object.insert("first_at".into(), entry.first.as_microsecond().into());
        if let Some(after) = entry.after {
            object.insert("last_at".into(), after.as_microsecond().into());
        }
        object
    };
    source(dialect, entries.iter().map(object).collect(), COLUMNS)
}

/// What was read, and what it becomes.
pub struct Slice {
    before: Tables,
    /// Rows that could be locked.
    locked: BTreeSet<PipelineId>,
    tables: Tables,
    /// Alerts of another run-log, in their order.
    brought: Vec<String>,
    /// The server's time, once the locks were held.
    pub now: Timestamp,
}

impl Slice {
    /// Reads the answers to `Wanted::statements`; `own` is the time of those who go by another one.
    ///
    /// # Errors
    /// A value that this program does not know.
    pub fn read(mut answers: Vec<Vec<Cells>>, own: Option<Timestamp>) -> Result<Slice, decode::Unreadable> {
        let last = answers.split_off(answers.len().saturating_sub(PARTS));
        let [of_ended, of_rows, of_claimed, by_token, others, by_run, entries, waiting, now] =
            <[Vec<Cells>; PARTS]>::try_from(last).unwrap_or_default();
        let mut tables = Tables::default();
        let mut locked = BTreeSet::new();
        for cells in of_ended.into_iter().chain(of_rows).chain(of_claimed) {
            let row = decode::row(cells)?;
            locked.insert(row.pipeline.clone());
            tables.rows.insert(row.pipeline.clone(), row);
        }
        for cells in by_token.into_iter().chain(others).chain(by_run) {
            tables.put(decode::attempt(cells)?);
        }
        let mut seen = BTreeSet::new();
        for cells in entries {
            let entry = decode::not_run(cells)?;
            if seen.insert((entry.pipeline.clone(), entry.first, entry.reason.word())) {
                tables.not_run.push(entry);
            }
        }
        tables.not_run.sort_by_key(|entry| entry.first);
        for cells in waiting {
            let (entry, since, is_dead) = decode::waiting(cells)?;
            tables.post.load(entry, since, is_dead);
        }
        let now = own.map_or_else(|| decode::instant(now), Ok)?;
        Ok(Slice { before: tables.clone(), locked, tables, brought: Vec::new(), now })
    }

    /// Applies a batch, but for what is about rows that somebody else holds.
    pub fn commit(&mut self, batch: Batch) -> Committed {
        let mut verdicts = Vec::new();
        let (now, mut committed) = (self.now, Committed { now: Some(self.now), ..Committed::default() });
        committed.ends = self.tables.commit(Batch { ends: batch.ends, transitions: Vec::new() }, now).ends;
        for transition in batch.transitions {
            let is_ours = self.locked.contains(&transition.row.pipeline);
            let alone = Batch { ends: Vec::new(), transitions: vec![transition] };
            verdicts.extend(if is_ours { self.tables.commit(alone, now).verdicts } else { vec![Verdict::Lost] });
        }
        committed.verdicts = verdicts;
        committed
    }

    /// Which of these pipelines' rows somebody else holds just now: nothing is known of what becomes of them.
    pub fn held_by_others(&self, transitions: &[Transition]) -> Vec<usize> {
        let is_held = |at: &usize| !self.locked.contains(&transitions[*at].row.pipeline);
        (0..transitions.len()).filter(is_held).collect()
    }

    /// Takes records in.
    pub fn import(&mut self, records: &[Spooled]) -> Vec<Imported> {
        self.tables.import(records, self.now)
    }

    /// Takes in what another run-log has exported.
    pub fn adopt(&mut self, items: Vec<Item>) -> Adopted {
        self.brought = items.iter().filter_map(Item::alert_id).map(str::to_owned).collect();
        // A place that is held for a row is none.
        self.tables.rows.retain(|_, row| row.version > 0);
        self.tables.adopt(items)
    }

    /// What is known of a pipeline; none where it is as good as not there.
    pub fn row(&self, id: &PipelineId) -> Option<&Row> {
        self.tables.rows.get(id).filter(|row| row.version > 0)
    }

    /// Statements that write what has changed; none where nothing has.
    pub fn changes(&self, dialect: &dyn Dialect) -> Vec<String> {
        let mut statements = Vec::new();
        let new = |id: &PipelineId| self.before.rows.get(id);
        let rows: Vec<Object> = self
            .tables
            .rows
            .iter()
            .filter(|(id, row)| new(id) != Some(*row))
            .map(|(_, row)| encode::of_row(row))
            .collect();
        if !rows.is_empty() {
            statements.push(update(dialect, &PIPELINE, rows));
        }
        let old = |key: &Key| self.before.attempts.get(key);
        let (made, changed): (Vec<_>, Vec<_>) = self
            .tables
            .attempts
            .iter()
            .filter(|(key, attempt)| old(key) != Some(*attempt))
            .partition(|(key, _)| old(key).is_none());
        if !made.is_empty() {
            let rows = made.into_iter().map(|(_, attempt)| encode::of_attempt(attempt)).collect();
            // A key that is taken is an error here: it was looked at under the lock.
            statements.push(insert(dialect, &ATTEMPT, rows, ""));
        }
        if !changed.is_empty() {
            let rows = changed.into_iter().map(|(_, attempt)| encode::of_attempt(attempt)).collect();
            statements.push(update(dialect, &ATTEMPT, rows));
        }
        let entries: Vec<Object> = self
            .tables
            .not_run
            .iter()
            .filter(|entry| !self.before.not_run.contains(entry))
            .map(encode::of_not_run)
            .collect();
        if !entries.is_empty() {
            statements.push(insert(dialect, &NOT_RUN, entries, &dialect.on_conflict_replace(&NOT_RUN)));
        }
        statements.extend(super::outbox::changes(
            dialect,
            &self.before.post.look(),
            &self.tables.post.look(),
            self.now,
            &self.brought,
        ));
        statements
    }
}

/// How many answers `Wanted::statements` ends with.
const PARTS: usize = 9;

/// Gives rows of a table all their values anew, but for the key.
pub fn update(dialect: &dyn Dialect, table: &Table, rows: Vec<Object>) -> String {
    let set: Vec<&str> = table.columns[table.key..].iter().map(|(name, _)| *name).collect();
    dialect.update(table, &set, &dialect::source(dialect, rows, table.columns), "1 = 1")
}
