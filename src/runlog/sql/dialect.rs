//! What differs between the servers' SQL.
//!
//! All that varies from call to call goes into a statement as literals whose letters no quoting rule of any server touches:
//! JSON in base64, or numbers, plain words and hexadecimal digits. So a transaction is one text, sent and answered in one
//! round trip, with no prepared statement that a pooler in between would have to know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::columns::{Column, Kind, Object, Table};

/// The SQL of one kind of server.
pub trait Dialect: Send + Sync {
    /// Statements that begin a transaction which sees one state of the store and changes nothing.
    fn begin_reading(&self) -> Vec<String>;

    /// Statements that begin one which sees what others commit meanwhile, and waits for locks for a few seconds at most.
    fn begin_writing(&self) -> Vec<String>;

    /// Selects why the server takes no writes, in words that follow its name; nothing where it takes them.
    fn role(&self) -> &'static str;

    /// Selects the server's name for itself, and its version.
    fn product(&self) -> &'static str;

    /// Selects whether this user may create tables, insert, update and delete: four numbers, 0 for no.
    fn rights(&self) -> &'static str;

    /// It has a time of its own, and not that of the host that asks.
    fn has_own_clock(&self) -> bool {
        true
    }

    /// Statements that begin to make tables and keep others from it meanwhile.
    fn begin_migrating(&self) -> Vec<String>;

    /// Statements that end that.
    fn end_migrating(&self) -> Vec<String>;

    /// The statements of a migration: done whole, or such that they may be done again from the beginning.
    fn migration(&self, statements: &str) -> Vec<String>;

    /// Selects how many tables of the name `tickward_meta` there are.
    fn has_tables(&self) -> &'static str;

    /// The server's time in microseconds since 1970, as it goes on within a transaction.
    fn now(&self) -> &'static str;

    /// The text of a literal that was written by `literal`.
    fn decoded(&self, literal: &str) -> String;

    /// A table of `columns`, called `d`, with a row for each object of the JSON array that the expression gives.
    fn unpacked(&self, json: &str, columns: &[Column]) -> String;

    /// What, behind `INSERT INTO t (…)`, gives rows in this order, where the server takes that more cheaply than JSON.
    fn values(&self, _columns: &[Column], _rows: &[Object]) -> Option<String> {
        None
    }

    /// What, behind a SELECT, locks the rows of the table called `alias` that it finds.
    fn for_update(&self, alias: &str, skips_locked: bool) -> String;

    /// Which attempts are open, as the index for them is declared.
    fn is_open(&self) -> &'static str;

    /// What joins a table to the rows of a source before it: those few are walked, not the table.
    fn join(&self) -> &'static str;

    /// What, behind the name of a table, has its rows found by an index of these columns.
    fn found_by(&self, columns: &[Column]) -> &'static str;

    /// Gives the rows `t` of `table` that are in `source` its values of `set`, where `which` holds.
    fn update(&self, table: &Table, set: &[&str], source: &str, which: &str) -> String;

    /// Deletes the rows of a table whose values of `columns` are in `source`.
    fn delete(&self, table: &str, columns: &[Column], source: &str) -> String;

    /// What, behind an INSERT, leaves rows as they are whose key is there.
    fn on_conflict_nothing(&self, table: &Table) -> String;

    /// What, behind an INSERT, gives rows whose key is there the new values of all other columns.
    fn on_conflict_replace(&self, table: &Table) -> String;
}

/// Text as letters, digits, `+`, `/` and `=`, between quotes.
pub fn literal(text: &str) -> String {
    format!("'{}'", STANDARD.encode(text))
}

/// Rows as a table called `d`.
pub fn source(dialect: &dyn Dialect, rows: Vec<Object>, columns: &[Column]) -> String {
    let json = Value::Array(rows.into_iter().map(Value::Object).collect()).to_string();
    dialect.unpacked(&dialect.decoded(&literal(&json)), columns)
}

/// Inserts rows, in the order in which they are given; `conflict` says what becomes of those that are there.
///
/// Who inserts rows that others may insert as well gives them in the order of their key: so that two wait for one another
/// instead of for each other.
pub fn insert(dialect: &dyn Dialect, table: &Table, rows: Vec<Object>, conflict: &str) -> String {
    // What no row has is not asked for.
    let has = |name: &str| rows.iter().any(|row| row.contains_key(name));
    let columns: Vec<Column> = table.columns.iter().copied().filter(|(name, _)| has(name)).collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let rows = dialect.values(&columns, &rows).unwrap_or_else(|| unpacked_in_order(dialect, columns, rows));
    format!("INSERT INTO {} ({}) {rows} {conflict}", table.name, names.join(", "))
}

fn unpacked_in_order(dialect: &dyn Dialect, mut columns: Vec<Column>, rows: Vec<Object>) -> String {
    let values: Vec<String> = columns.iter().map(|(name, _)| format!("d.{name}")).collect();
    columns.push((PLACE, Kind::Number));
    let placed = rows.into_iter().enumerate().map(|(place, mut row)| {
        row.insert(PLACE.into(), place.into());
        row
    });
    let source = source(dialect, placed.collect(), &columns);
    format!("SELECT {} FROM {source} WHERE true ORDER BY d.{PLACE}", values.join(", "))
}

/// The column of a row's place among those that are inserted.
const PLACE: &str = "place";

/// Selects the rows of a table whose values of `columns` are in `source`.
pub fn select(dialect: &dyn Dialect, table: &Table, alias: &str, columns: &[Column], source: &str) -> String {
    let (names, join, on) = (table.names(alias), dialect.join(), matched(alias, columns));
    format!("SELECT {names} FROM {source} {join} {} {alias} {} ON {on}", table.name, dialect.found_by(columns))
}

/// `t.a = d.a AND …` over the columns.
pub fn matched(alias: &str, columns: &[Column]) -> String {
    let each: Vec<String> = columns.iter().map(|(name, _)| format!("{alias}.{name} = d.{name}")).collect();
    each.join(" AND ")
}

/// A table of one column of words, called `d`.
pub fn words<'a>(dialect: &dyn Dialect, name: &'static str, words: impl Iterator<Item = &'a str>) -> String {
    let rows = words.map(|word| Object::from_iter([(name.to_owned(), Value::from(word))])).collect();
    source(dialect, rows, &[(name, Kind::Word)])
}
