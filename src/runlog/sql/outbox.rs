//! The outbox on a server: what waits is read whole, changed by the rules of `memory::Post`, and written back.

use jiff::Timestamp;

use super::super::outbox::{MOST, Outbox, Waiting};
use super::columns::{DEAD, OUTBOX, OUTBOX_CHANGE, WAITING};
use super::dialect::{Dialect, insert, words};
use super::encode::{of_change, of_waiting};
use super::slice::update;

/// The key of `tickward_meta` under which all that have died are counted.
pub const DEAD_EVER: &str = "alerts_dead";

/// Reads what waits; who takes or settles keeps others out meanwhile.
pub fn waiting(dialect: &dyn Dialect, locks: bool) -> String {
    let lock = if locks { dialect.for_update("o", false) } else { String::new() };
    format!("{} WHERE o.state = '{WAITING}' ORDER BY o.number {lock}", OUTBOX.select("o"))
}

/// Reads all of it: what waits, what is dead, and how many have died.
pub fn all(dialect: &dyn Dialect) -> Vec<String> {
    let mut statements = dialect.begin_reading();
    statements.push(format!("{} ORDER BY o.number", OUTBOX.select("o")));
    statements.push(format!("SELECT value FROM tickward_meta WHERE name = '{DEAD_EVER}'"));
    statements.push("COMMIT".into());
    statements
}

/// Statements that make the outbox `after` of the one `before`, at `now`; `brought` is the order of alerts that another
/// run-log has handed over.
pub fn changes(
    dialect: &dyn Dialect,
    before: &Outbox,
    after: &Outbox,
    now: Timestamp,
    brought: &[String],
) -> Vec<String> {
    let mut statements = Vec::new();
    let was = |entry: &Waiting| before.waiting.iter().find(|other| other.alert.id == entry.alert.id);
    let (known, mut new): (Vec<_>, Vec<_>) = after.waiting.iter().partition(|entry| was(entry).is_some());
    new.sort_by_key(|entry| brought.iter().position(|id| *id == entry.alert.id));
    if !new.is_empty() {
        let since = |entry: &Waiting| if brought.contains(&entry.alert.id) { entry.alert.at } else { now };
        let rows = new.into_iter().map(|entry| of_waiting(entry, since(entry), false)).collect();
        statements.push(insert(dialect, &OUTBOX, rows, &dialect.on_conflict_nothing(&OUTBOX)));
    }
    let died: Vec<&Waiting> = after.dead.iter().filter(|entry| was(entry).is_some()).collect();
    let was_dead = |entry: &&Waiting| before.dead.iter().any(|other| other.alert.id == entry.alert.id);
    let brought = after.dead.iter().filter(|entry| was(entry).is_none() && !was_dead(entry));
    let brought: Vec<_> = brought.map(|entry| of_waiting(entry, now, true)).collect();
    let dead = died.len() + brought.len();
    if !brought.is_empty() {
        statements.push(insert(dialect, &OUTBOX, brought, &dialect.on_conflict_nothing(&OUTBOX)));
    }
    let changed = known.into_iter().filter(|entry| was(entry) != Some(*entry)).map(|entry| of_change(entry, false));
    let changed: Vec<_> = changed.chain(died.iter().map(|entry| of_change(entry, true))).collect();
    if !changed.is_empty() {
        statements.push(update(dialect, &OUTBOX_CHANGE, changed));
    }
    let remains =
        |entry: &Waiting| after.waiting.iter().chain(&after.dead).any(|other| other.alert.id == entry.alert.id);
    let gone: Vec<&str> =
        before.waiting.iter().filter(|entry| !remains(entry)).map(|entry| entry.alert.id.as_str()).collect();
    if !gone.is_empty() {
        let ids = words(dialect, "id", gone.into_iter());
        statements.push(dialect.delete(OUTBOX.name, OUTBOX.key(), &ids));
    }
    if dead > 0 {
        // Decimals and back: the one way to count in a column of text that every server has.
        statements.push(format!(
            "UPDATE tickward_meta SET value = CAST(CAST(value AS DECIMAL(20)) + {} AS CHAR(30)) WHERE name = '{DEAD_EVER}'",
            dead
        ));
        statements.push(format!(
            "DELETE FROM tickward_outbox WHERE state = '{DEAD}' AND number <= (SELECT n FROM (SELECT number AS n \
             FROM tickward_outbox WHERE state = '{DEAD}' ORDER BY number DESC LIMIT 1 OFFSET {MOST}) oldest)"
        ));
    }
    statements
}
