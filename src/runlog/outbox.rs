//! The outbox as every store keeps it: alerts that wait until they are delivered, and how many may.
//!
//! Holds always: at most `MOST` wait, beyond that one alert counts the others; what waits for longer than `LASTS` is dead, and
//! at most `MOST` dead ones are kept to be looked at.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Kind};

/// So many alerts wait at most.
pub const MOST: usize = 1000;

/// So long an alert is tried.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24);

/// An alert that waits, and which alerters need it no more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The alert.
    pub alert: Alert,
    /// Who is done with it.
    pub done: Done,
    /// Nobody else takes it before this instant.
    pub not_before: Option<Timestamp>,
    /// Why it was not delivered the last time, without secrets; empty before it was tried.
    pub error: String,
}

/// Which alerters are done with an alert, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// They have it.
    pub delivered: Vec<String>,
    /// They will never take it.
    pub refused: Vec<String>,
}

impl Done {
    /// Whether that alerter is done with it.
    pub fn has(&self, name: &str) -> bool {
        self.delivered.iter().chain(&self.refused).any(|done| done == name)
    }

    /// Adds what another tick has come to.
    pub fn add(&mut self, other: &Done) {
        for (to, from) in [(&mut self.delivered, &other.delivered), (&mut self.refused, &other.refused)] {
            to.extend(from.iter().filter(|name| !to.contains(name)).cloned().collect::<Vec<_>>());
        }
    }
}

/// What has become of an alert that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The alert's id.
    pub id: String,
    /// Who is done with it by now.
    pub done: Done,
    /// What is to become of it.
    pub verdict: Verdict,
    /// Why not all have it, without secrets; empty where they have.
    pub error: String,
}

/// What is to become of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everybody who wants it has it: it goes.
    Delivered,
    /// Somebody will never take it, and nobody else waits for it: it is dead.
    Dead,
    /// It is tried again.
    Again,
}

/// What is in an outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// What waits, taken or not.
    pub waiting: Vec<Waiting>,
    /// What died last.
    pub dead: Vec<Waiting>,
    /// How many have died, ever.
    pub dead_ever: u64,
}

impl Waiting {
    /// An alert that nobody has tried.
    pub fn new(alert: Alert) -> Waiting {
        Waiting { alert, done: Done::default(), not_before: None, error: String::new() }
    }

    /// Whether somebody has it at `now`. A clock that was wrong once keeps it from others for one lease at most.
    pub fn is_taken(&self, now: Timestamp, lease: Duration) -> bool {
        self.not_before.is_some_and(|until| {
            until > now && until.duration_since(now) <= SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX)
        })
    }
}

/// Whose turn it is in the order of delivery: alerts of one pipeline go one after the other.
pub fn about(alert: &Alert) -> String {
    match alert.pipeline.is_empty() {
        true => String::new(),
        false => format!("{}:{}", alert.namespace, alert.pipeline),
    }
}

/// What was made before this instant is dead.
pub fn dead_before(now: Timestamp) -> Timestamp {
    now.checked_sub(LASTS).unwrap_or(Timestamp::MIN)
}

/// What stands in the place of alerts that there is no room for: the one that counts them, with one more.
pub fn digest(before: Option<Alert>, at: Timestamp) -> Alert {
    let kind = Kind::Other(DIGEST.into());
    let before = before.unwrap_or_else(|| Alert::new(kind, format!("{DIGEST}/{}", at.as_microsecond()), at));
    let count = before.count.unwrap_or(0).saturating_add(1);
    let error = format!("{count} more alerts: {MOST} wait already, and no more are kept");
    Alert { count: Some(count), error: Some(error), ..before }
}

/// The kind of that alert.
pub const DIGEST: &str = "digest";
