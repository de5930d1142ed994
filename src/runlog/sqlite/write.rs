//! Writes ends, claims and renewals into the SQLite run-log, inside a transaction that holds the write lock.
//!
//! Holds always: a transition is applied whole or not at all (a savepoint of its own).

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::again;
use super::super::contract::{Condition, End, Ended, Renewed, Transition, Verdict};
use super::super::import::{hand_on, newer};
use super::{outbox, read};
use crate::lease::Lease;
use crate::occurrence::Token;
use crate::plan::{Folded, alerts, fold};
use crate::run::{Attempt, NotRun, Row};

/// Folds one end.
pub fn end(transaction: &Transaction<'_>, end: &End, now: Timestamp) -> rusqlite::Result<Ended> {
    let Some(mut attempt) = read::attempt_by_token(transaction, end.completion.token)? else {
        return Ok(Ended::Orphan);
    };
    if let Condition::LeaseOver { boot } = end.condition
        && !attempt.lease.is_over(now, boot)
    {
        return Ok(Ended::Refused);
    }
    let id = &attempt.run.pipeline;
    let mut row = read::row(transaction, id)?.unwrap_or_else(|| Row::absent(id.clone()));
    let folded = fold(&mut row, &mut attempt, &end.completion);
    if folded != Folded::Already {
        let others = match again::concerns_others(&attempt, folded) {
            true => read::attempts_of(transaction, &attempt.run)?,
            false => Vec::new(),
        };
        for other in again::give_up(&mut attempt, &others) {
            update_attempt(transaction, &other)?;
        }
        outbox::put(transaction, &alerts::of_end(&mut row, &attempt, &end.completion, folded), now)?;
        put_row(transaction, &row)?;
        if let Some(mut newer) = newer(&attempt, &others) {
            attempt = hand_on(&attempt, &mut newer);
            update_attempt(transaction, &newer)?;
        }
        update_attempt(transaction, &attempt)?;
    }
    Ok(Ended::Folded(folded, Box::new(attempt)))
}

/// Applies one transition whole, or nothing of it.
pub fn transition(transaction: &Transaction<'_>, transition: &Transition, now: Timestamp) -> rusqlite::Result<Verdict> {
    transaction.prepare_cached("SAVEPOINT one")?.execute(())?;
    if apply(transaction, transition, now)? {
        transaction.prepare_cached("RELEASE one")?.execute(())?;
        return Ok(Verdict::Won);
    }
    transaction.prepare_cached("ROLLBACK TO one")?.execute(())?;
    transaction.prepare_cached("RELEASE one")?.execute(())?;
    Ok(Verdict::Lost)
}

fn apply(transaction: &Transaction<'_>, transition: &Transition, now: Timestamp) -> rusqlite::Result<bool> {
    let Transition { row, claim, closed, not_run, stops, alerts } = transition;
    let mut row = row.clone();
    if let Some(claim) = claim {
        row.fence = claim.fence;
    }
    if !put_row(transaction, &row)? {
        return Ok(false);
    }
    let close = "UPDATE tickward_attempt SET retry_at = NULL WHERE token = ?1 AND retry_at IS NOT NULL";
    for token in closed {
        if transaction.prepare_cached(close)?.execute([token.to_string()])? == 0 {
            return Ok(false);
        }
    }
    if let Some(claim) = claim
        && !insert_attempt(transaction, claim, true)?
    {
        return Ok(false);
    }
    let stop = "UPDATE tickward_attempt SET stop_request = ?2 WHERE token = ?1 AND state = 'claimed'";
    for (token, request) in stops {
        transaction.prepare_cached(stop)?.execute((token.to_string(), as_json(request)?))?;
    }
    for entry in not_run {
        record(transaction, entry)?;
    }
    outbox::put(transaction, alerts, now)?;
    Ok(true)
}

/// Writes a row whose `version` is the one it was read with; false if it has another one now.
pub fn put_row(connection: &Connection, row: &Row) -> rusqlite::Result<bool> {
    let insert = "INSERT INTO tickward_pipeline (version, fence, cursor, backlog_until, schedules, totals, \
         failures_in_a_row, last_scheduled_for, last_attempt, last_outcome, last_ended_at, standing, namespace, pipeline) \
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
    let update = "UPDATE tickward_pipeline SET version = version + 1, fence = ?1, cursor = ?2, backlog_until = ?3, \
         schedules = ?4, totals = ?5, failures_in_a_row = ?6, last_scheduled_for = ?7, last_attempt = ?8, \
         last_outcome = ?9, last_ended_at = ?10, standing = ?11 WHERE namespace = ?12 AND pipeline = ?13 \
         AND version = ?14";
    let (namespace, name) = (row.pipeline.namespace.as_str(), row.pipeline.name.as_str());
    let last = row.last.as_ref();
    let common: [&dyn rusqlite::ToSql; 14] = [
        &signed(row.fence),
        &row.cursor.map(|t| t.as_microsecond()),
        &row.backlog_until.map(|t| t.as_microsecond()),
        &as_json(&row.schedules)?,
        &as_json(&row.totals)?,
        &signed(row.failures_in_a_row),
        &last.map(|last| last.scheduled_for.as_microsecond()),
        &last.map(|last| last.attempt),
        &last.map(|last| last.outcome.word()),
        &last.map(|last| last.ended_at.as_microsecond()),
        &as_json(&row.standing)?,
        &namespace,
        &name,
        &signed(row.version),
    ];
    let changed = match row.version {
        0 => connection.prepare_cached(insert)?.execute(&common[..13])?,
        _ => connection.prepare_cached(update)?.execute(&common[..])?,
    };
    Ok(changed == 1)
}

/// Inserts a claim; false if its key is taken or, where it is `alone`, another attempt of its run is active.
pub(super) fn insert_attempt(connection: &Connection, attempt: &Attempt, alone: bool) -> rusqlite::Result<bool> {
    let insert = "INSERT INTO tickward_attempt (namespace, pipeline, scheduled_for, attempt, token, fence, state, trigger, \
         by_hand, tries, earlier_starts, interruptions, owner, policy, claimed_at, lease_us, lease_until, \
         lease_until_boot, degraded) SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'claimed', ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18 \
         WHERE NOT EXISTS (SELECT 1 FROM tickward_attempt WHERE namespace = ?1 AND pipeline = ?2 \
         AND scheduled_for = ?3 AND (attempt = ?4 OR (?19 AND state = 'claimed')))";
    let inserted = connection.prepare_cached(insert)?.execute(params![
        attempt.run.pipeline.namespace.as_str(),
        attempt.run.pipeline.name.as_str(),
        attempt.run.scheduled_for.as_microsecond(),
        attempt.number,
        attempt.token.to_string(),
        signed(attempt.fence),
        attempt.trigger.word(),
        attempt.by_hand,
        attempt.tries,
        attempt.earlier_starts,
        attempt.interruptions,
        as_json(&attempt.owner)?,
        as_json(&attempt.policy)?,
        attempt.claimed_at.as_microsecond(),
        micros(attempt.lease.length),
        attempt.lease.until.as_microsecond(),
        attempt.lease.until_boot.0,
        attempt.degraded,
        alone,
    ])?;
    Ok(inserted == 1)
}

pub(super) fn update_attempt(connection: &Connection, attempt: &Attempt) -> rusqlite::Result<()> {
    let Some(end) = &attempt.end else { return Ok(()) };
    let update = "UPDATE tickward_attempt SET state = ?1, retry_at = ?2, gave_up = ?3, late_outcome = ?4, fatal = ?5, \
         started_at = ?6, ended_at = ?7, duration_us = ?8, exit_code = ?9, error = ?10, cpu_us = ?11, \
         peak_memory_bytes = ?12, output_bytes = ?13, tail = ?14, results = ?15, \
         tries = ?16, interruptions = ?17 WHERE token = ?18";
    connection.prepare_cached(update)?.execute(params![
        end.outcome.word(),
        attempt.retry_at.map(|t| t.as_microsecond()),
        attempt.gave_up,
        attempt.late_outcome.map(|outcome| outcome.word()),
        end.fatal,
        end.started_at.map(|t| t.as_microsecond()),
        end.ended_at.as_microsecond(),
        micros(end.duration),
        end.exit_code,
        end.error,
        micros(end.cpu),
        signed(end.peak_memory_bytes),
        signed(end.output_bytes),
        end.tail,
        end.results.as_ref().map(as_json).transpose()?,
        attempt.tries,
        attempt.interruptions,
        attempt.token.to_string(),
    ])?;
    Ok(())
}

/// Records what was not run; a missed stretch that goes on where the last one ended is one with it.
fn record(connection: &Connection, entry: &NotRun) -> rusqlite::Result<()> {
    let key = (entry.pipeline.namespace.as_str(), entry.pipeline.name.as_str());
    if entry.reason.is_stretch() {
        let extend = "UPDATE tickward_not_run SET last = ?3, count = count + ?4, at_least = max(at_least, ?5), \
             decided_at = ?6 WHERE namespace = ?1 AND pipeline = ?2 AND reason = ?8 AND last = ?7";
        let extended = connection.prepare_cached(extend)?.execute(params![
            key.0,
            key.1,
            entry.last.as_microsecond(),
            signed(entry.count),
            entry.at_least,
            entry.decided_at.as_microsecond(),
            entry.after.map(|t| t.as_microsecond()),
            entry.reason.word(),
        ])?;
        if extended > 0 {
            return Ok(());
        }
    }
    let insert = "INSERT INTO tickward_not_run (namespace, pipeline, first, last, count, at_least, reason, decided_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (namespace, pipeline, first, reason) DO UPDATE SET \
         last = max(last, excluded.last), count = max(count, excluded.count), \
         at_least = max(at_least, excluded.at_least), decided_at = excluded.decided_at";
    connection.prepare_cached(insert)?.execute(params![
        key.0,
        key.1,
        entry.first.as_microsecond(),
        entry.last.as_microsecond(),
        signed(entry.count),
        entry.at_least,
        entry.reason.word(),
        entry.decided_at.as_microsecond(),
    ])?;
    Ok(())
}

/// Extends leases and returns the tokens that are still held.
pub fn renew(connection: &Connection, tokens: &[Token], lease: Lease) -> rusqlite::Result<Vec<Renewed>> {
    // As `Lease::renewed` says: what arrives late takes nothing back.
    let renew = "UPDATE tickward_attempt SET lease_us = iif(lease_until_boot > ?4, lease_us, ?2), \
         lease_until = iif(lease_until_boot > ?4, lease_until, ?3), lease_until_boot = max(lease_until_boot, ?4) \
         WHERE token = ?1 AND state = 'claimed' RETURNING stop_request";
    let mut statement = connection.prepare_cached(renew)?;
    let mut held = Vec::with_capacity(tokens.len());
    for token in tokens {
        let (until, until_boot) = (lease.until.as_microsecond(), lease.until_boot.0);
        let renewed = params![token.to_string(), micros(lease.length), until, until_boot];
        if let Some(stop) = statement.query_row(renewed, |row| read::stop_request(row, 0)).optional()? {
            held.push(Renewed { token: *token, stop });
        }
    }
    Ok(held)
}

/// As a column of JSON holds it.
pub fn as_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed; none of our counters comes near the limit.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
