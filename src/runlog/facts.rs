//! What a store says of itself, so that people can see whether it is fit for use.
//!
//! Values only; asking is for each backend, judging for `cli`.

use jiff::Timestamp;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What keeps the rows, by its own name: `SQLite`, `PostgreSQL`.
    pub product: String,
    /// Its version, in its own words.
    pub version: String,
    /// Whether it takes writes.
    pub role: Role,
    /// The form of its tables as this program has left it, counted from 1; 0 where it has none.
    pub form: u32,
    /// The form as it was found when this way to it was opened; 0 where there were no tables.
    pub found: u32,
    /// The store's own time; none where it goes by the clock of the host that asks.
    pub clock: Option<Timestamp>,
    /// What this user may do in it.
    pub rights: Rights,
}

/// Whether a store takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does.
    Primary,
    /// It repeats what another one takes.
    Replica,
}

/// What a user may do in a store, each tried or looked up without leaving anything behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Create tables. A store whose form is up to date is used without.
    pub create: bool,
    /// Insert rows.
    pub insert: bool,
    /// Change rows.
    pub update: bool,
    /// Delete rows.
    pub delete: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Rights = Rights { create: true, insert: true, update: true, delete: true };
}

/// One step of the tables to their present form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its file's name without the ending, `0001_run_log`.
    pub name: &'static str,
    /// Its statements.
    pub statements: &'static str,
}

/// How the tables of a kind of store are made.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The kind: the first of its names in `SCHEMES`.
    pub name: &'static str,
    /// All steps, in order; the form is how many of them a store has seen.
    pub migrations: &'static [Migration],
    /// The column of `tickward_meta` that values are found by.
    pub meta_key: &'static str,
    /// What a role without the right to create tables needs, as statements; empty where there are no roles.
    pub grants: &'static str,
    /// Statements that make views with the columns of ematix-flow's tables, for those who want them.
    pub views: &'static str,
}
