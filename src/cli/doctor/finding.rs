//! What a look at the installation has found.
//!
//! Holds always: a finding shows no secret that the configuration knows to recognise.

use serde::Serialize;

use crate::config::secret::masked;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, but hardly as well as it could.
    Advice,
    /// It does not work, or not safely: the exit code is 1.
    Wrong,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: a word.
    pub check: &'static str,
    /// Whose it is; none if no pipeline's.
    pub pipeline: Option<String>,
    /// A lower-case fragment.
    pub what: String,
    /// What to do about it; empty where nothing.
    pub help: String,
}

/// All findings, in the order in which things are looked at.
#[derive(Debug, Default)]
pub struct Findings {
    /// As found.
    pub all: Vec<Finding>,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, level: Level, check: &'static str, pipeline: Option<&str>, what: &str, help: &str) {
        let pipeline = pipeline.map(str::to_owned);
        self.all.push(Finding { level, check, pipeline, what: masked(what), help: masked(help) });
    }
}
