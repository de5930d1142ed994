//! The outbox in the SQLite run-log, inside a transaction of the caller's.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use super::super::outbox::{DIGEST, Done, MOST, Outbox, Settled, Verdict, Waiting, about, dead_before, digest};
use super::read::json;
use super::write::as_json;
use crate::alert::Alert;

/// The key of `tickward_meta` under which all that have died are counted.
const DEAD_EVER: &str = "alerts_dead";

const ENTRY: &str = "SELECT alert, done, not_before, error, about FROM tickward_outbox INDEXED BY tickward_outbox_waiting \
     WHERE state = 'waiting' ORDER BY number";

/// Whether something waits.
pub fn is_pending(connection: &Connection) -> rusqlite::Result<bool> {
    let any =
        "SELECT EXISTS (SELECT 1 FROM tickward_outbox INDEXED BY tickward_outbox_waiting WHERE state = 'waiting')";
    connection.prepare_cached(any)?.query_row((), |row| row.get(0))
}

/// Puts alerts in.
pub fn put(connection: &Connection, alerts: &[Alert], now: Timestamp) -> rusqlite::Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    bury(connection, now)?;
    let count = "SELECT count(*) FROM tickward_outbox WHERE state = 'waiting'";
    let mut waiting: u32 = connection.prepare_cached(count)?.query_row((), |row| row.get(0))?;
    for alert in alerts {
        let is_there = "SELECT EXISTS (SELECT 1 FROM tickward_outbox WHERE id = ?1)";
        if connection.prepare_cached(is_there)?.query_row([&alert.id], |row| row.get(0))? {
            continue;
        }
        match (waiting as usize) < MOST {
            true => insert(connection, alert, now)?,
            false => count_one_more(connection, now)?,
        }
        waiting += 1;
    }
    Ok(())
}

fn insert(connection: &Connection, alert: &Alert, now: Timestamp) -> rusqlite::Result<()> {
    let insert = "INSERT INTO tickward_outbox (id, about, alert, at) VALUES (?1, ?2, ?3, ?4)";
    let values = params![alert.id, about(alert), as_json(alert)?, now.as_microsecond()];
    connection.prepare_cached(insert)?.execute(values).map(drop)
}

fn count_one_more(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let find = "SELECT alert FROM tickward_outbox WHERE state = 'waiting' AND json_extract(alert, '$.kind') = ?1";
    let before = connection.prepare(find)?.query_row([DIGEST], |row| json::<Alert>(row, 0)).optional()?;
    let is_first = before.is_none();
    let digest = digest(before, now);
    if is_first {
        return insert(connection, &digest, now);
    }
    let update = "UPDATE tickward_outbox SET alert = ?2 WHERE id = ?1";
    connection.prepare(update)?.execute((&digest.id, as_json(&digest)?)).map(drop)
}

/// As the contract says.
pub fn take(connection: &Connection, limit: usize, lease: Duration, now: Timestamp) -> rusqlite::Result<Vec<Waiting>> {
    bury(connection, now)?;
    let until = SignedDuration::try_from(lease).ok().and_then(|lease| now.checked_add(lease).ok());
    let mut with_others = BTreeSet::new();
    let mut taken = Vec::new();
    let mut statement = connection.prepare_cached(ENTRY)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()?
        && taken.len() < limit
    {
        let (entry, about) = (waiting(row)?, row.get::<_, String>(4)?);
        if entry.is_taken(now, lease) {
            with_others.insert(about);
        } else if !with_others.contains(&about) {
            taken.push(Waiting { not_before: until, ..entry });
        }
    }
    let lend = "UPDATE tickward_outbox SET not_before = ?2 WHERE id = ?1";
    for entry in &taken {
        let until = entry.not_before.map(|until| until.as_microsecond());
        connection.prepare_cached(lend)?.execute((&entry.alert.id, until))?;
    }
    Ok(taken)
}

/// As the contract says.
pub fn settle(connection: &Connection, settled: &[Settled]) -> rusqlite::Result<()> {
    let find = "SELECT alert, done, not_before, error FROM tickward_outbox WHERE id = ?1 AND state = 'waiting'";
    let update = "UPDATE tickward_outbox SET done = ?2, error = ?3, not_before = NULL WHERE id = ?1";
    for Settled { id, done, verdict, error } in settled {
        let found = connection.prepare_cached(find)?.query_row([id], waiting).optional()?;
        let Some(mut entry) = found else { continue };
        if *verdict == Verdict::Delivered {
            connection.prepare_cached("DELETE FROM tickward_outbox WHERE id = ?1")?.execute([id])?;
            continue;
        }
        entry.done.add(done);
        connection.prepare_cached(update)?.execute((id, as_json(&entry.done)?, error))?;
    }
    Ok(())
}

/// As the contract says.
pub fn look(connection: &Connection) -> rusqlite::Result<Outbox> {
    let dead = "SELECT alert, done, not_before, error FROM tickward_outbox WHERE state = 'dead' ORDER BY number";
    let all = |statement: &str| connection.prepare(statement)?.query_map((), waiting)?.collect::<Result<Vec<_>, _>>();
    let ever = "SELECT CAST(value AS INTEGER) FROM tickward_meta WHERE key = ?1";
    let dead_ever: Option<i64> = connection.prepare(ever)?.query_row([DEAD_EVER], |row| row.get(0)).optional()?;
    Ok(Outbox { waiting: all(ENTRY)?, dead: all(dead)?, dead_ever: dead_ever.unwrap_or(0).unsigned_abs() })
}

/// Takes in an alert of another run-log; whether it was there already.
pub fn adopt(connection: &Connection, entry: &Waiting, is_dead: bool) -> rusqlite::Result<bool> {
    let is_there = "SELECT EXISTS (SELECT 1 FROM tickward_outbox WHERE id = ?1)";
    if connection.prepare_cached(is_there)?.query_row([&entry.alert.id], |row| row.get(0))? {
        return Ok(true);
    }
    insert(connection, &entry.alert, entry.alert.at)?;
    let update = "UPDATE tickward_outbox SET done = ?2, error = ?3, state = ?4 WHERE id = ?1";
    let done = if entry.done == Done::default() { "{}".into() } else { as_json(&entry.done)? };
    let state = if is_dead { "dead" } else { "waiting" };
    connection.prepare_cached(update)?.execute((&entry.alert.id, done, &entry.error, state))?;
    if is_dead {
        count_dead(connection, 1)?;
    }
    Ok(false)
}

/// What has waited for too long is dead; of the dead, the last ones are kept.
fn bury(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let over = "UPDATE tickward_outbox SET state = 'dead', not_before = NULL WHERE state = 'waiting' AND at < ?1";
    let died = connection.prepare_cached(over)?.execute([dead_before(now).as_microsecond()])?;
    if died > 0 {
        count_dead(connection, died)?;
    }
    Ok(())
}

fn count_dead(connection: &Connection, more: usize) -> rusqlite::Result<()> {
    let count = "INSERT INTO tickward_meta (key, value) VALUES (?1, CAST(?2 AS TEXT)) ON CONFLICT (key) \
         DO UPDATE SET value = CAST(CAST(value AS INTEGER) + ?2 AS TEXT)";
    connection.prepare(count)?.execute(params![DEAD_EVER, i64::try_from(more).unwrap_or(i64::MAX)])?;
    let old = "DELETE FROM tickward_outbox WHERE state = 'dead' AND number NOT IN \
         (SELECT number FROM tickward_outbox WHERE state = 'dead' ORDER BY number DESC LIMIT ?1)";
    connection.prepare(old)?.execute([i64::try_from(MOST).unwrap_or(i64::MAX)]).map(drop)
}

fn waiting(row: &SqlRow<'_>) -> rusqlite::Result<Waiting> {
    let not_before: Option<i64> = row.get(2)?;
    let not_before = not_before.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    Ok(Waiting { alert: json(row, 0)?, done: json(row, 1)?, not_before, error: row.get(3)? })
}
