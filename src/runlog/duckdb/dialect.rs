//! The SQL of DuckDB. Who is in a transaction has the file to himself: there are no locks on rows.

use super::super::sql::columns::{Column, Kind, Table};
use super::super::sql::dialect::{Dialect, matched};

/// The SQL of DuckDB 1.5.
pub struct DuckDb;

impl Dialect for DuckDb {
    fn begin_reading(&self) -> Vec<String> {
        vec!["BEGIN".into()]
    }

    fn begin_writing(&self) -> Vec<String> {
        vec!["BEGIN".into()]
    }

    fn role(&self) -> &'static str {
        "SELECT ''"
    }

    fn product(&self) -> &'static str {
        "SELECT 'DuckDB', version()"
    }

    fn rights(&self) -> &'static str {
        // Who has opened the file may do everything in it.
        "SELECT 1, 1, 1, 1"
    }

    fn has_own_clock(&self) -> bool {
        false
    }

    fn begin_migrating(&self) -> Vec<String> {
        vec!["BEGIN".into()]
    }

    fn end_migrating(&self) -> Vec<String> {
        vec!["COMMIT".into()]
    }

    fn has_tables(&self) -> &'static str {
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'tickward_meta'"
    }

    fn now(&self) -> &'static str {
        // The beginning of the transaction, by this host's clock: the turn has come by then.
        "epoch_us(now())"
    }

    fn migration(&self, statements: &str) -> Vec<String> {
        vec![statements.trim().trim_end_matches(';').to_owned()]
    }

    fn decoded(&self, literal: &str) -> String {
        format!("decode(from_base64({literal}))")
    }

    fn unpacked(&self, json: &str, columns: &[Column]) -> String {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Number => format!("\"{name}\":\"BIGINT\""),
                Kind::Word | Kind::Text => format!("\"{name}\":\"VARCHAR\""),
            })
            .collect();
        let columns = columns.join(",");
        format!("(SELECT unnest(from_json({json}, '[{{{columns}}}]'), recursive := true)) AS d")
    }

    fn for_update(&self, _: &str, _: bool) -> String {
        String::new()
    }

    fn is_open(&self) -> &'static str {
        "(a.state = 'claimed' OR a.retry_at IS NOT NULL)"
    }

    fn join(&self) -> &'static str {
        "JOIN"
    }

    fn found_by(&self, _: &[Column]) -> &'static str {
        ""
    }

    fn update(&self, table: &Table, set: &[&str], source: &str, which: &str) -> String {
        let set: Vec<String> = set.iter().map(|name| format!("{name} = d.{name}")).collect();
        let on = matched("t", table.key());
        format!("UPDATE {} t SET {} FROM {source} WHERE {on} AND {which}", table.name, set.join(", "))
    }

    fn delete(&self, table: &str, columns: &[Column], source: &str) -> String {
        format!("DELETE FROM {table} t USING {source} WHERE {}", matched("t", columns))
    }

    fn on_conflict_nothing(&self, _: &Table) -> String {
        "ON CONFLICT DO NOTHING".into()
    }

    fn on_conflict_replace(&self, table: &Table) -> String {
        let key: Vec<&str> = table.key().iter().map(|(name, _)| *name).collect();
        let set: Vec<String> =
            table.columns[table.key..].iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect();
        format!("ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), set.join(", "))
    }
}
