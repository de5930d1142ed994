//! What the run-log remembers of a pipeline beside its cursor: what people have asked for, and what its runs came to.
//!
//! Kept as one value that grows: what a newer program has written beside is written back as it was.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::micros;
use crate::metrics::Histogram;
use crate::rare::Rare;

/// How a pipeline stands. All of it is absent at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Nothing of it starts until somebody resumes it, or until an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Nothing of it starts until somebody resets it: a run gave up, and the pipeline says `on_gave_up: hold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Its newest occurrence that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Done>,
    /// Its newest occurrence that was done with rejects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<Done>,
    /// When an attempt of it was claimed last.
    #[serde(skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub claimed_at: Option<Timestamp>,
    /// For a pipeline that starts after others have succeeded: the occurrence of each that it has followed last, by its
    /// full name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub followed: BTreeMap<String, i64>,
    /// Occurrences to come that a person does not want, in microseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skips: Vec<i64>,
    /// The full name under which all that was known of it goes on: only its fence is left here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// What people have been told of it, so that they are told once.
    #[serde(skip_serializing_if = "Told::is_nothing")]
    pub told: Told,
    /// How long its attempts took, ever; none before one has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durations: Option<Histogram>,
    /// What a newer program has written beside.
    #[serde(flatten)]
    pub rest: Rare<serde_json::Map<String, serde_json::Value>>,
}

crate::rare::nothing!(Standing);

impl Standing {
    /// The pause that is in force at `now`; one that has reached its end is none.
    pub fn paused_at(&self, now: Timestamp) -> Option<&Paused> {
        self.paused.as_ref().filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// Whether the newest occurrence that was done, with rejects or without, is the one of this instant.
    pub fn has_succeeded(&self, scheduled_for: Timestamp) -> bool {
        [self.succeeded, self.partial].into_iter().flatten().any(|done| done.scheduled_for == scheduled_for)
    }
}

/// What was told in alerts, as far as it decides what is told next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// A failure was told, and no success has come since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failure: bool,
    /// The last occurrence of the stretch of missed ones that was told last.
    #[serde(skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub missed_until: Option<Timestamp>,
    /// When it was told last that hosts have different schedules.
    #[serde(skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub split_at: Option<Timestamp>,
    /// What a newer program has written beside.
    #[serde(flatten)]
    pub rest: Rare<serde_json::Map<String, serde_json::Value>>,
}

impl Told {
    fn is_nothing(&self) -> bool {
        *self == Told::default()
    }
}

/// A pause that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    #[serde(with = "micros")]
    pub since: Timestamp,
    /// When it ends by itself; none means when somebody resumes it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub until: Option<Timestamp>,
    /// Why, in the words of who asked for it; empty if not said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Why a pipeline is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// Since when.
    #[serde(with = "micros")]
    pub since: Timestamp,
    /// The occurrence whose run gave up.
    #[serde(with = "micros")]
    pub scheduled_for: Timestamp,
}

/// An occurrence that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    #[serde(with = "micros")]
    pub scheduled_for: Timestamp,
    /// When its run ended.
    #[serde(with = "micros")]
    pub ended_at: Timestamp,
}

/// A wish that an attempt ends, stored with it: who runs it sees the wish at the next renewal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StopRequest {
    /// When it was made.
    #[serde(with = "micros")]
    pub at: Timestamp,
    /// Why, for people.
    pub why: String,
}
