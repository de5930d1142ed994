//! Forgets a pipeline on a server, and gives one another name, under the locks of its rows.
//!
//! Holds always: what is refused has written nothing; a row stays under every name that a claim was ever made under.

use super::columns::{CLAIMED, Cells, PIPELINE};
use super::dialect::{Dialect, literal};
use super::encode::of_row;
use super::slice::update;
use crate::occurrence::PipelineId;
use crate::run::Row;

/// How much is known of a pipeline.
pub struct Known {
    /// Attempts that have not ended.
    pub active: u64,
    /// Attempts.
    pub attempts: u64,
    /// Entries of what was not run.
    pub not_run: u64,
}

/// Statements that count what is known of each, three for each.
pub fn count(dialect: &dyn Dialect, ids: &[&PipelineId]) -> Vec<String> {
    let counts = |id: &&PipelineId| {
        let of_it = of(dialect, id);
        [
            ("tickward_attempt", format!(" AND state = '{CLAIMED}'")),
            ("tickward_attempt", String::new()),
            ("tickward_not_run", String::new()),
        ]
        .map(|(table, which)| format!("SELECT count(*) FROM {table} WHERE {of_it}{which}"))
    };
    ids.iter().flat_map(counts).collect()
}

/// The answers to `count`.
pub fn counted(answers: &[Vec<Cells>]) -> Vec<Known> {
    let number = |answer: &Vec<Cells>| answer.first()?.first()?.as_ref()?.parse().ok();
    let numbers: Vec<u64> = answers.iter().map(|answer| number(answer).unwrap_or(0)).collect();
    numbers.chunks_exact(3).map(|of| Known { active: of[0], attempts: of[1], not_run: of[2] }).collect()
}

/// Statements that leave nothing of a pipeline but its row.
pub fn forget(dialect: &dyn Dialect, row: &Row) -> Vec<String> {
    let of_it = of(dialect, &row.pipeline);
    let deleted = ["tickward_attempt", "tickward_not_run"].map(|table| format!("DELETE FROM {table} WHERE {of_it}"));
    deleted.into_iter().chain([put(dialect, [row])]).collect()
}

/// Statements that give all that is known of the second row's pipeline the name of the first's.
pub fn rename(dialect: &dyn Dialect, moved: &Row, left: &Row) -> Vec<String> {
    let (to, from) = (of(dialect, &moved.pipeline), of(dialect, &left.pipeline));
    let name = |word: &str| dialect.decoded(&literal(word));
    let (namespace, pipeline) = (name(moved.pipeline.namespace.as_str()), name(moved.pipeline.name.as_str()));
    let mut statements = vec![format!("DELETE FROM tickward_not_run WHERE {to}")];
    for table in ["tickward_attempt", "tickward_not_run"] {
        statements.push(format!("UPDATE {table} SET namespace = {namespace}, pipeline = {pipeline} WHERE {from}"));
    }
    statements.push(put(dialect, [moved, left]));
    statements
}

fn put<const N: usize>(dialect: &dyn Dialect, rows: [&Row; N]) -> String {
    let raised = |row: &Row| of_row(&Row { version: row.version + 1, ..row.clone() });
    update(dialect, &PIPELINE, rows.into_iter().map(raised).collect())
}

fn of(dialect: &dyn Dialect, id: &PipelineId) -> String {
    let name = |word: &str| dialect.decoded(&literal(word));
    format!("namespace = {} AND pipeline = {}", name(id.namespace.as_str()), name(id.name.as_str()))
}
