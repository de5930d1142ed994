//! What is read without locks: what a tick decides by, and history.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::contract::{Query, Record, View};
use super::super::newest_first;
use super::columns::{ATTEMPT, Cells, Column, Kind, NOT_RUN, Object, PIPELINE, Table, WAITING};
use super::decode::{self, Unreadable};
use super::dialect::{Dialect, literal, matched, select, source};
use super::slice::{TOKEN, names, nothing, tokens};
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};

/// Statements that load everything a tick decides by, or what is about `ids`; `view` reads their answers.
pub fn load(dialect: &dyn Dialect, ids: Option<&[PipelineId]>) -> Vec<String> {
    let mut statements = dialect.begin_reading();
    statements.push(format!("SELECT {}", dialect.now()));
    let of = |table: &Table, alias: &str| match ids {
        None => table.select(alias),
        Some(ids) => select(dialect, table, alias, PIPELINE.key(), &names(dialect, ids.iter())),
    };
    let is_empty = ids.is_some_and(<[_]>::is_empty);
    let unless_empty = |statement: String| if is_empty { nothing() } else { statement };
    statements.push(unless_empty(format!("{} WHERE p.version > 0", of(&PIPELINE, "p"))));
    statements.push(unless_empty(format!("{} WHERE {}", of(&ATTEMPT, "a"), dialect.is_open())));
    statements.push(format!("SELECT count(*) FROM tickward_outbox o WHERE o.state = '{WAITING}'"));
    statements.push("COMMIT".into());
    statements
}

/// What a tick decides by; `own` is the time of those who go by another one.
///
/// # Errors
/// A value that this program does not know.
pub fn view(answers: Vec<Vec<Cells>>, own: Option<Timestamp>) -> Result<View, Unreadable> {
    let [now, rows, open, waiting, _] = last(answers);
    let now = own.map_or_else(|| decode::instant(now), Ok)?;
    let alerts_pending =
        waiting.first().and_then(|cells| cells.first()).is_some_and(|count| count.as_deref() != Some("0"));
    let mut view = View { now, rows: BTreeMap::new(), open: BTreeMap::new(), decided: BTreeMap::new(), alerts_pending };
    for cells in rows {
        let row = decode::row(cells)?;
        view.rows.insert(row.pipeline.clone(), row);
    }
    for cells in open {
        let attempt = decode::attempt(cells)?;
        view.open.entry(attempt.run.pipeline.clone()).or_default().push(attempt);
    }
    for attempts in view.open.values_mut() {
        attempts.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
    }
    Ok(view)
}

/// Statements that read which occurrences of `ids` after the cursor have attempts; `decided` reads their answers.
pub fn load_decided(dialect: &dyn Dialect, ids: &[PipelineId], view: &View) -> Vec<String> {
    const COLUMNS: &[Column] = &[("namespace", Kind::Word), ("pipeline", Kind::Word), ("after_at", Kind::Number)];
    let object = |id: &PipelineId| {
        let after = view.rows.get(id).and_then(|row| row.undecided_after(view.now));
        let mut object = super::slice::name(id);
        object.insert("after_at".into(), after.map_or(i64::MIN, Timestamp::as_microsecond).into());
        object
    };
    let source = source(dialect, ids.iter().map(object).collect::<Vec<Object>>(), COLUMNS);
    let mut statements = dialect.begin_reading();
    statements.push(format!(
        "SELECT DISTINCT a.namespace, a.pipeline, a.scheduled_for FROM {source} {} tickward_attempt a \
         ON {} AND a.scheduled_for > d.after_at ORDER BY a.namespace, a.pipeline, a.scheduled_for",
        dialect.join(),
        matched("a", PIPELINE.key())
    ));
    statements.push("COMMIT".into());
    statements
}

/// Which occurrences have attempts.
///
/// # Errors
/// A value that this program does not know.
pub fn decided(answers: Vec<Vec<Cells>>) -> Result<BTreeMap<PipelineId, Vec<Timestamp>>, Unreadable> {
    let [found, _] = last(answers);
    let mut decided: BTreeMap<PipelineId, Vec<Timestamp>> = BTreeMap::new();
    for cells in found {
        let (id, at) = decode::occurrence(cells)?;
        decided.entry(id).or_default().push(at);
    }
    Ok(decided)
}

/// Statements that read history; `history` reads their answers.
pub fn load_history(dialect: &dyn Dialect, query: &Query) -> Vec<String> {
    let mut statements = dialect.begin_reading();
    let id = query.run.as_ref().map(|run| &run.pipeline).or(query.pipeline.as_ref());
    let text = |text: &str| dialect.decoded(&literal(text));
    let of_id = |alias: &str| match id {
        None => "1 = 1".to_owned(),
        Some(id) => format!(
            "{alias}.namespace = {} AND {alias}.pipeline = {}",
            text(id.namespace.as_str()),
            text(id.name.as_str())
        ),
    };
    let at = query.run.as_ref().map(|run| run.scheduled_for.as_microsecond());
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let of_token = query.token.map(|token| format!("{} WHERE a.token = '{token}'", ATTEMPT.select("a")));
    statements.push(of_token.unwrap_or_else(|| {
        let of_run = at.map_or(String::new(), |at| format!(" AND a.scheduled_for = {at}"));
        format!(
            "{} WHERE {}{of_run} ORDER BY a.claimed_at DESC, a.scheduled_for DESC, a.attempt DESC, a.namespace, a.pipeline \
             LIMIT {limit}",
            ATTEMPT.select("a"),
            of_id("a"),
        )
    }));
    statements.push(if query.attempts_only || query.token.is_some() {
        nothing()
    } else {
        let of_run = at.map_or(String::new(), |at| format!(" AND n.first_at <= {at} AND n.last_at >= {at}"));
        format!(
            "{} WHERE {}{of_run} ORDER BY n.decided_at DESC, n.last_at DESC, n.namespace, n.pipeline LIMIT {limit}",
            NOT_RUN.select("n"),
            of_id("n"),
        )
    });
    statements.push("COMMIT".into());
    statements
}

/// What happened, newest first.
///
/// # Errors
/// A value that this program does not know.
pub fn history(answers: Vec<Vec<Cells>>, query: &Query) -> Result<Vec<Record>, Unreadable> {
    let [attempts, not_run, _] = last(answers);
    let mut records = Vec::new();
    for cells in attempts {
        let attempt = decode::attempt(cells)?;
        let is_of_run = query.run.as_ref().is_none_or(|run| *run == attempt.run);
        if is_of_run && query.pipeline.as_ref().is_none_or(|id| *id == attempt.run.pipeline) {
            records.push(Record::Attempt(Box::new(attempt)));
        }
    }
    for cells in not_run {
        let entry = decode::not_run(cells)?;
        if query.pipeline.as_ref().is_none_or(|id| *id == entry.pipeline) {
            records.push(Record::NotRun(entry));
        }
    }
    records.sort_by(newest_first);
    records.truncate(query.limit);
    Ok(records)
}

/// Statements that give claims a lease; `renewed` reads their answers.
pub fn renew(dialect: &dyn Dialect, held: &BTreeSet<Token>, lease: Lease) -> Vec<String> {
    const LEASE: Table = Table {
        name: "tickward_attempt",
        key: 1,
        columns: &[
            ("token", Kind::Word),
            ("lease_us", Kind::Number),
            ("lease_until", Kind::Number),
            ("lease_until_boot", Kind::Number),
        ],
    };
    let values = [
        ("lease_us", i64::try_from(lease.length.as_micros()).unwrap_or(i64::MAX)),
        ("lease_until", lease.until.as_microsecond()),
        ("lease_until_boot", lease.until_boot.0),
    ];
    let row = |token: &Token| {
        let mut row = Object::from_iter([("token".to_owned(), token.to_string().into())]);
        row.extend(values.map(|(column, value)| (column.to_owned(), value.into())));
        row
    };
    let set = values.map(|(column, _)| column);
    let mut statements = dialect.begin_writing();
    // In one order everywhere: two who lock the same attempts wait for one another instead of for each other.
    statements.push(format!(
        "{} ORDER BY a.token {}",
        select(dialect, &LEASE, "a", TOKEN, &tokens(dialect, held)),
        dialect.for_update("a", false)
    ));
    // What arrives late takes nothing back: `Lease::renewed`.
    statements.push(dialect.update(
        &LEASE,
        &set,
        &source(dialect, held.iter().map(row).collect(), LEASE.columns),
        "t.state = 'claimed' AND t.lease_until_boot <= d.lease_until_boot",
    ));
    statements.push(format!(
        "SELECT a.token, a.stop_request FROM {} {} tickward_attempt a ON a.token = d.token WHERE a.state = 'claimed'",
        tokens(dialect, held),
        dialect.join()
    ));
    statements.push("COMMIT".into());
    statements
}

/// The last answers.
pub fn last<const N: usize>(mut answers: Vec<Vec<Cells>>) -> [Vec<Cells>; N] {
    let last = answers.split_off(answers.len().saturating_sub(N));
    <[Vec<Cells>; N]>::try_from(last).unwrap_or_else(|_| std::array::from_fn(|_| Vec::new()))
}
