//! What there is to tell, and how bad it is.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Kind {
    /// An attempt failed; another one will be made.
    Failed,
    /// An attempt failed, and no other will be made.
    GaveUp,
    /// The first success after a failure that was told.
    Recovered,
    /// An attempt was done with rejects.
    Partial,
    /// An attempt's worker is gone, and nobody knows how the attempt ended.
    Lost,
    /// Occurrences that nobody ran in time and that nobody will run.
    Missed,
    /// A tick could not use the run-log and fired by its own clock.
    Degraded,
    /// No tick was made for longer than the interval.
    TickGap,
    /// Hosts have different schedules for one pipeline.
    ConfigSplit,
    /// The outcome of a lost attempt turned up after all.
    LateOutcome,
    /// What a clock that was wrong has put far off counts from now on.
    ClockWrong,
    /// What a newer program tells, by its word.
    Other(String),
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Work has not been done, and nobody but a person will do it.
    Critical,
    /// Look at it when there is time.
    Warning,
    /// All is well again.
    Good,
}

impl Kind {
    /// Every kind that this program knows, in the order of the users' page.
    pub const ALL: [Kind; 11] = [
        Kind::Failed,
        Kind::GaveUp,
        Kind::Recovered,
        Kind::Partial,
        Kind::Lost,
        Kind::Missed,
        Kind::Degraded,
        Kind::TickGap,
        Kind::ConfigSplit,
        Kind::LateOutcome,
        Kind::ClockWrong,
    ];

    /// The word in configurations, JSON and the run-log.
    pub fn word(&self) -> &str {
        match self {
            Kind::Failed => "failed",
            Kind::GaveUp => "gave_up",
            Kind::Recovered => "recovered",
            Kind::Partial => "partial",
            Kind::Lost => "lost",
            Kind::Missed => "missed",
            Kind::Degraded => "degraded",
            Kind::TickGap => "tick_gap",
            Kind::ConfigSplit => "config_split",
            Kind::LateOutcome => "late_outcome",
            Kind::ClockWrong => "clock_wrong",
            Kind::Other(word) => word,
        }
    }

    /// How bad it is; what is not known is a warning.
    pub fn severity(&self) -> Severity {
        match self {
            Kind::Failed | Kind::GaveUp | Kind::Lost | Kind::Missed | Kind::Degraded => Severity::Critical,
            Kind::Recovered => Severity::Good,
            _ => Severity::Warning,
        }
    }
}

impl Severity {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Good => "good",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl From<String> for Kind {
    fn from(word: String) -> Kind {
        let known = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        known.unwrap_or(Kind::Other(word))
    }
}

impl FromStr for Kind {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Kind, Infallible> {
        Ok(word.to_owned().into())
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.word().to_owned()
    }
}
