//! The outbox as every store keeps it: alerts that wait until they are delivered, and how many may.
//!
//! Holds always: at most `MOST` wait, beyond that one alert counts the others; what waits for longer than `LASTS` is dead, and
//! at most `MOST` dead ones are kept to be looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Kind};

/// So many alerts wait at most.
pub const MOST: usize = 1000;

/// So long an alert is tried.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24);

/// What was refused is tried again after this, then after twice as long each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// Up to this: an address that a person has mended is tried so soon.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// An alert that waits, and how far each alerter is with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The alert.
    pub alert: Alert,
    /// How far each alerter is.
    pub done: Done,
    /// Nobody else takes it before this instant.
    pub not_before: Option<Timestamp>,
    /// Why it was not delivered the last time, without secrets; empty before it was tried.
    pub error: String,
}

/// How far each alerter is with an alert, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// They have it.
    pub delivered: Vec<String>,
    /// They are not told it again before an instant.
    pub put_off: BTreeMap<String, PutOff>,
}

/// Until when an alerter is not told an alert again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PutOff {
    /// Since when, by the store's clock: before that the clock was wrong then.
    pub from: Timestamp,
    /// The first instant at which it is told again.
    pub until: Timestamp,
    /// Why.
    pub why: Why,
    /// How often it was refused until now; none where the other side only asked for time.
    #[serde(default)]
    pub refusals: u32,
}

/// Why an alerter is not told an alert just now, and what else waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It has asked to be left alone: with every alert.
    Asked,
    /// It refuses whatever comes: what follows of the same pipeline keeps its place.
    Refused,
    /// It refuses this very alert: the others pass it.
    Unfit,
}

impl Done {
    /// Whether that alerter has it.
    pub fn has(&self, name: &str) -> bool {
        self.delivered.iter().any(|done| done == name)
    }

    /// Why that alerter is not told it at `now`, and until when. A clock that was ahead puts nothing off once it is right.
    pub fn put_off(&self, name: &str, now: Timestamp) -> Option<&PutOff> {
        self.put_off.get(name).filter(|off| off.from <= now && now < off.until)
    }

    /// Notes that the other side asks to be left alone for so long from `now` on.
    pub fn wait(&mut self, name: &str, after: Duration, now: Timestamp) {
        let after = SignedDuration::try_from(after).unwrap_or(LASTS).min(LASTS);
        let refusals = self.put_off.get(name).map_or(0, |off| off.refusals);
        let until = now.saturating_add(after).unwrap_or(now);
        self.put_off.insert(name.into(), PutOff { from: now, until, why: Why::Asked, refusals });
    }

    /// Notes a refusal at `now`: the wait for the next try doubles with each, up to a limit.
    pub fn refuse(&mut self, name: &str, why: Why, now: Timestamp) {
        let refusals = self.put_off.get(name).map_or(0, |off| off.refusals).saturating_add(1);
        let wait = FIRST_WAIT.saturating_mul(1 << refusals.saturating_sub(1).min(16)).min(LONGEST_WAIT);
        let until = now.saturating_add(wait).unwrap_or(now);
        self.put_off.insert(name.into(), PutOff { from: now, until, why, refusals });
    }

    /// Adds what another tick has come to.
    pub fn add(&mut self, other: &Done) {
        let new = other.delivered.iter().filter(|name| !self.has(name)).cloned().collect::<Vec<_>>();
        self.delivered.extend(new);
        for (name, off) in &other.put_off {
            if self.put_off.get(name).is_none_or(|known| known.until <= off.until) {
                self.put_off.insert(name.clone(), off.clone());
            }
        }
        self.put_off.retain(|name, _| !self.delivered.contains(name));
    }
}

/// What has become of an alert that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The alert's id.
    pub id: String,
    /// How far each alerter is by now.
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
    /// It is tried again, until it has waited for too long.
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
