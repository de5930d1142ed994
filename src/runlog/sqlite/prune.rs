//! Removes old history from the SQLite run-log, inside a transaction of the caller's.
//!
//! Walks each pipeline's attempts along the primary key, and no further than something may go.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::contract::{Pruned, Pruning, Retention, Scope};
use super::super::retention::Spared;
use super::{pages, read};
use crate::occurrence::PipelineId;
use crate::run::Outcome;

/// Removes or counts what `retention` does not keep at `now`.
pub fn prune(
    connection: &Connection,
    scope: &Scope,
    retention: &Retention,
    (limit, how): (usize, Pruning),
    now: Timestamp,
) -> rusqlite::Result<Pruned> {
    let mut pruned = Pruned::default();
    let ids = match scope {
        Scope::All => pages::rows(connection, None, usize::MAX)?.into_iter().map(|row| row.pipeline).collect(),
        Scope::Only(ids) => ids.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect::<Vec<_>>(),
    };
    for id in &ids {
        let Some(row) = read::row(connection, id)? else { continue };
        let runs = newest_runs(connection, id, retention.runs())?;
        let spared = Spared::of(retention, Some(&row), &runs, now);
        let left = limit.saturating_sub((pruned.attempts + pruned.not_run) as usize);
        let attempts = attempts(connection, id, retention, &spared, left)?;
        let taken = attempts.len().min(left);
        if how == Pruning::Remove {
            let mut delete = connection.prepare_cached("DELETE FROM tickward_attempt WHERE rowid = ?1")?;
            attempts[..taken].iter().try_for_each(|rowid| delete.execute([rowid]).map(drop))?;
        }
        let entries = not_run(connection, id, retention, &spared, left - taken)?;
        let entries_taken = entries.len().min(left - taken);
        if how == Pruning::Remove {
            let delete =
                "DELETE FROM tickward_not_run WHERE namespace = ?1 AND pipeline = ?2 AND first = ?3 AND reason = ?4";
            let mut delete = connection.prepare_cached(delete)?;
            for (first, reason) in &entries[..entries_taken] {
                delete.execute(params![id.namespace.as_str(), id.name.as_str(), first, reason])?;
            }
        }
        pruned.attempts += taken as u64;
        pruned.not_run += entries_taken as u64;
        pruned.more |= attempts.len() > taken || entries.len() > entries_taken;
        if pruned.more {
            break;
        }
    }
    Ok(pruned)
}

/// What the newest runs are for, newest first.
fn newest_runs(connection: &Connection, id: &PipelineId, count: usize) -> rusqlite::Result<Vec<Timestamp>> {
    let statement = "SELECT DISTINCT scheduled_for FROM tickward_attempt WHERE namespace = ?1 AND pipeline = ?2 \
         ORDER BY scheduled_for DESC LIMIT ?3";
    let parameters = params![id.namespace.as_str(), id.name.as_str(), i64::try_from(count).unwrap_or(i64::MAX)];
    connection.prepare_cached(statement)?.query_map(parameters, |row| read::instant(row, 0))?.collect()
}

/// The row numbers of attempts that go, one more than `limit` at most, oldest run first.
fn attempts(
    connection: &Connection,
    id: &PipelineId,
    retention: &Retention,
    spared: &Spared,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let (namespace, name) = (id.namespace.as_str(), id.name.as_str());
    let open = "SELECT scheduled_for FROM tickward_attempt INDEXED BY tickward_attempt_open \
         WHERE namespace = ?1 AND pipeline = ?2 AND (state = 'claimed' OR retry_at IS NOT NULL)";
    let mut open = connection.prepare_cached(open)?;
    let open = open.query_map((namespace, name), |row| read::instant(row, 0))?;
    let open: BTreeSet<Timestamp> = open.collect::<rusqlite::Result<_>>()?;
    let success = "SELECT rowid FROM tickward_attempt WHERE namespace = ?1 AND pipeline = ?2 \
         AND state IN ('succeeded', 'partial') ORDER BY scheduled_for DESC, attempt DESC LIMIT 1";
    let success: Option<i64> =
        connection.prepare_cached(success)?.query_row((namespace, name), |row| row.get(0)).optional()?;
    let all = "SELECT rowid, state, claimed_at, scheduled_for FROM tickward_attempt \
         WHERE namespace = ?1 AND pipeline = ?2 AND scheduled_for < ?3 ORDER BY scheduled_for, attempt";
    let mut all = connection.prepare_cached(all)?;
    let mut rows = all.query(params![namespace, name, retention.end(spared).as_microsecond()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()?
        && found.len() <= limit
    {
        let (rowid, state): (i64, String) = (row.get(0)?, row.get(1)?);
        let (claimed_at, scheduled_for) = (read::instant(row, 2)?, read::instant(row, 3)?);
        // A word that a newer program has written is left to that.
        let goes = |outcome| retention.takes(outcome, claimed_at, scheduled_for, spared);
        if Outcome::from_word(&state).is_some_and(goes) && !open.contains(&scheduled_for) && success != Some(rowid) {
            found.push(rowid);
        }
    }
    Ok(found)
}

/// The keys of entries of what was not run that go, likewise.
fn not_run(
    connection: &Connection,
    id: &PipelineId,
    retention: &Retention,
    spared: &Spared,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let Some(before) = retention.end_not_run(spared) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut after = None;
    while found.len() <= limit {
        let page = pages::not_run_of(connection, id, after, before, 500)?;
        let Some(last) = page.last() else { break };
        after = Some((last.first, last.reason));
        let goes = page.iter().filter(|entry| retention.takes_not_run(entry, spared));
        found.extend(goes.map(|entry| (entry.first.as_microsecond(), entry.reason.word().to_owned())));
    }
    found.truncate(limit.saturating_add(1));
    Ok(found)
}
