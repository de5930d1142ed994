//! Stand-in until the evaluator lands.
use jiff::{Timestamp, tz::TimeZone};
/// Stand-in.
#[derive(Clone, Debug)]
pub struct Schedule {
    texts: Vec<String>,
    zone: TimeZone,
}
/// Stand-in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub message: String,
    pub span: std::ops::Range<usize>,
    pub help: Option<String>,
    pub index: usize,
}
impl Schedule {
    pub fn parse(texts: &[&str], zone: TimeZone) -> Result<Schedule, Error> {
        Ok(Schedule { texts: texts.iter().map(|t| t.to_string()).collect(), zone })
    }
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        Some(t)
    }
    pub fn previous_at_or_before(&self, t: Timestamp) -> Option<Timestamp> {
        Some(t)
    }
    pub fn occurrences_between(&self, _after: Timestamp, _until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::empty()
    }
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
    pub fn canonical(&self) -> String {
        self.texts.join("\n")
    }
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}
pub fn parse_zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|e| Error { message: e.to_string(), span: 0..name.len(), help: None, index: 0 })
}
