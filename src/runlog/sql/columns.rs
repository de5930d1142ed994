//! The tables of the run-log as every server has them; `migrations/` creates them.
//!
//! A row travels to the store as an object of JSON (`encode`) and comes back as text, column by column in the order of the
//! table (`decode`).

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A short word that rows are found by, told apart byte for byte.
    Word,
    /// A whole number of 64 bits with a sign; instants in microseconds since 1970.
    Number,
    /// Text of any length.
    Text,
}

/// A column: its name and what it holds.
pub type Column = (&'static str, Kind);

/// A table and its columns, of which the first `key` tell its rows apart.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order in which they are read.
    pub columns: &'static [Column],
    /// How many of them are its key.
    pub key: usize,
}

use Kind::{Number, Text, Word};

/// A row for each pipeline.
pub const PIPELINE: Table = Table {
    name: "tickward_pipeline",
    key: 2,
    columns: &[
        ("namespace", Word),
        ("pipeline", Word),
        ("version", Number),
        ("fence", Number),
        ("cursor_at", Number),
        ("backlog_until", Number),
        ("schedules", Text),
        ("totals", Text),
        ("failures_in_a_row", Number),
        ("last_scheduled_for", Number),
        ("last_attempt", Number),
        ("last_outcome", Word),
        ("last_ended_at", Number),
        ("standing", Text),
    ],
};

/// A row for each attempt.
pub const ATTEMPT: Table = Table {
    name: "tickward_attempt",
    key: 4,
    columns: &[
        ("namespace", Word),
        ("pipeline", Word),
        ("scheduled_for", Number),
        ("attempt", Number),
        ("token", Word),
        ("fence", Number),
        ("state", Word),
        ("triggered_by", Word),
        ("by_hand", Number),
        ("tries", Number),
        ("earlier_starts", Number),
        ("interruptions", Number),
        ("owner", Text),
        ("policy", Text),
        ("claimed_at", Number),
        ("lease_us", Number),
        ("lease_until", Number),
        ("lease_until_boot", Number),
        ("retry_at", Number),
        ("gave_up", Number),
        ("late_outcome", Word),
        ("stop_request", Text),
        ("degraded", Number),
        ("fatal", Number),
        ("started_at", Number),
        ("ended_at", Number),
        ("duration_us", Number),
        ("exit_code", Number),
        ("error", Text),
        ("cpu_us", Number),
        ("peak_memory_bytes", Number),
        ("output_bytes", Number),
        ("tail", Text),
        ("results", Text),
    ],
};

/// A row for each stretch of occurrences that were not run.
pub const NOT_RUN: Table = Table {
    name: "tickward_not_run",
    key: 4,
    columns: &[
        ("namespace", Word),
        ("pipeline", Word),
        ("first_at", Number),
        ("reason", Word),
        ("last_at", Number),
        ("occurrences", Number),
        ("at_least", Number),
        ("decided_at", Number),
    ],
};

/// A row for each alert that waits or is dead.
pub const OUTBOX: Table = Table {
    name: "tickward_outbox",
    key: 1,
    columns: &[
        ("id", Word),
        ("about", Text),
        ("alert", Text),
        ("since", Number),
        ("state", Word),
        ("done", Text),
        ("not_before", Number),
        ("error", Text),
    ],
};

/// What may change of an alert in the outbox.
pub const OUTBOX_CHANGE: Table = Table {
    name: "tickward_outbox",
    key: 1,
    columns: &[("id", Word), ("alert", Text), ("state", Word), ("done", Text), ("not_before", Number), ("error", Text)],
};

impl Table {
    /// Its columns, for a SELECT of `alias`.
    pub fn names(&self, alias: &str) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, _)| format!("{alias}.{name}")).collect();
        columns.join(", ")
    }

    /// A SELECT of it.
    pub fn select(&self, alias: &str) -> String {
        format!("SELECT {} FROM {} {alias}", self.names(alias), self.name)
    }

    /// Its key.
    pub fn key(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }
}

/// The state of an attempt that has not ended.
pub const CLAIMED: &str = "claimed";
/// The state of an alert that is to be delivered.
pub const WAITING: &str = "waiting";
/// The state of one that never will be.
pub const DEAD: &str = "dead";

/// A row on its way to the store.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// One that came from there: what each column holds, as text.
pub type Cells = Vec<Option<String>>;
