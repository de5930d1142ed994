//! What did run: attempts, their outcomes, and what the run-log knows of a pipeline.
//!
//! These are the rows of the run-log as values. Deciding what follows from them is for `plan`; keeping them is for
//! `runlog`.
//!
//! Holds always: an attempt has at most one outcome; `number` counts claims, `tries` counts what uses up the policy.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lease::Lease;
use crate::occurrence::{PipelineId, Run, Token};
use crate::owner::Owner;
use crate::pipeline::{OnGaveUp, OnInterrupt, Pipeline, Retry};
use crate::rare::Rare;

pub mod micros;
mod moved;
mod not_run;
mod standing;

pub use not_run::{NotRun, Reason};
pub use standing::{Done, Held, Paused, Standing, StopRequest, Told};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Succeeded,
    /// Done, with rejects.
    Partial,
    /// It said so by its exit code, was ended by a signal, or could not be started.
    Failed,
    /// Stopped because it took longer than its timeout.
    TimedOut,
    /// Its lease was over and nobody knows the end; it may have run.
    Lost,
    /// Stopped because we were told to stop.
    Interrupted,
    /// A person stopped it.
    Cancelled,
    /// Claimed, and provably never started.
    Released,
}

impl Outcome {
    /// Every outcome, in the order of the glossary's table.
    pub const ALL: [Outcome; 8] = [
        Outcome::Succeeded,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::TimedOut,
        Outcome::Lost,
        Outcome::Interrupted,
        Outcome::Cancelled,
        Outcome::Released,
    ];

    /// The word in stores, logs and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Partial => "partial",
            Outcome::Failed => "failed",
            Outcome::TimedOut => "timed_out",
            Outcome::Lost => "lost",
            Outcome::Interrupted => "interrupted",
            Outcome::Cancelled => "cancelled",
            Outcome::Released => "released",
        }
    }

    /// Reads `word` back.
    pub fn from_word(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.word() == word)
    }

    /// Whether the work is done (partly, at least).
    pub fn is_success(self) -> bool {
        matches!(self, Outcome::Succeeded | Outcome::Partial)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why an attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its occurrence fell due.
    Schedule,
    /// Its occurrence had been due for longer, with others.
    CatchUp,
    /// The attempt before it did not succeed.
    Retry,
    /// A person asked for it.
    Manual,
    /// A person asked for a span of the past.
    Backfill,
}

impl Trigger {
    /// The word in stores, logs and the body's environment.
    pub fn word(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::CatchUp => "catch_up",
            Trigger::Retry => "retry",
            Trigger::Manual => "manual",
            Trigger::Backfill => "backfill",
        }
    }

    /// Reads `word` back.
    pub fn from_word(word: &str) -> Option<Trigger> {
        use Trigger::*;
        [Schedule, CatchUp, Retry, Manual, Backfill].into_iter().find(|t| t.word() == word)
    }
}

/// What to do after an attempt, as it stood when the attempt was claimed: whoever records the end needs no
/// configuration for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    /// Retry policy.
    pub retry: Retry,
    /// What an interruption means.
    pub on_interrupt: OnInterrupt,
    /// What giving up means for the occurrences that follow.
    #[serde(default)]
    pub on_gave_up: OnGaveUp,
    /// Whether it may be done twice: yes, a lost attempt is followed by another whatever the retry policy says, three times
    /// at most; no, never; not said, the retry policy decides.
    #[serde(default)]
    pub idempotent: Option<bool>,
}

impl Policy {
    /// One attempt, and the next occurrence starts afresh: what is built in.
    pub const NONE: Policy =
        Policy { retry: Retry::NONE, on_interrupt: OnInterrupt::Retry, on_gave_up: OnGaveUp::Next, idempotent: None };

    /// That of a pipeline as it is configured now.
    pub fn of(pipeline: &Pipeline) -> Policy {
        Policy {
            retry: pipeline.retry.clone(),
            on_interrupt: pipeline.on_interrupt,
            on_gave_up: pipeline.on_gave_up,
            idempotent: pipeline.idempotent,
        }
    }
}

/// One try at a run: a claim, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Which run.
    pub run: Run,
    /// Counted from 1; every claim of the run has its own.
    pub number: u32,
    /// Attempts that count against the policy, this one included.
    pub tries: u32,
    /// Earlier attempts of the run that may have started.
    pub earlier_starts: u32,
    /// Earlier interruptions of the run that burned no attempt.
    pub interruptions: u32,
    /// Why it was made.
    pub trigger: Trigger,
    /// The run was asked for by a person: the cursor does not know it, and no occurrence supersedes it.
    pub by_hand: bool,
    /// The claim's secret.
    pub token: Token,
    /// Grows with each claim of the pipeline.
    pub fence: u64,
    /// Who claimed it.
    pub owner: Owner,
    /// What follows when it does not succeed.
    pub policy: Policy,
    /// When it was claimed, by the store's clock.
    pub claimed_at: Timestamp,
    /// How long the claim holds unless renewed.
    pub lease: Lease,
    /// How it ended; none while it is claimed or running.
    pub end: Option<Completion>,
    /// When the next attempt is due; none when there will be none, or when it has been made.
    pub retry_at: Option<Timestamp>,
    /// No further attempt will be made for want of success.
    pub gave_up: bool,
    /// An outcome that arrived after the attempt had been declared lost.
    pub late_outcome: Option<Outcome>,
    /// Somebody wants it to end.
    pub stop: Option<StopRequest>,
    /// It was claimed on its host alone, while the run-log could not be used.
    #[serde(default)]
    pub degraded: bool,
}

impl Attempt {
    /// Claimed, and no end recorded.
    pub fn is_active(&self) -> bool {
        self.end.is_none()
    }

    /// Still of interest to a tick: active, or followed by a retry not yet made.
    pub fn is_open(&self) -> bool {
        self.is_active() || self.retry_at.is_some()
    }

    /// The outcome, once there is one.
    pub fn outcome(&self) -> Option<Outcome> {
        self.end.as_ref().map(|end| end.outcome)
    }

    /// What templates call `attempt_suffix`: empty for the first start of a run, then `-retry-1`, `-retry-2` …
    pub fn suffix(&self) -> String {
        match self.earlier_starts {
            0 => String::new(),
            n => format!("-retry-{n}"),
        }
    }
}

/// The end of an attempt, as the one who saw it reports it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Completion {
    /// Whose end: only the attempt with this token takes it.
    pub token: Token,
    /// How it ended.
    pub outcome: Outcome,
    /// Another attempt would not help.
    pub fatal: bool,
    /// When the body was started; none if it never was.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the store's clock as far as the worker could tell.
    pub ended_at: Timestamp,
    /// How long the body ran.
    pub duration: Duration,
    /// Exit code, where the body exited by itself.
    pub exit_code: Option<i32>,
    /// What went wrong, in words; none on success.
    pub error: Option<String>,
    /// Processor time of the whole process tree.
    pub cpu: Duration,
    /// Peak memory of the largest process of the tree, in bytes.
    pub peak_memory_bytes: u64,
    /// All that the body printed, in bytes, kept or not.
    pub output_bytes: u64,
    /// The last of what it printed, as text, for people on other hosts.
    pub tail: String,
    /// What it told of itself: figures and short texts, 4 KiB of JSON at most; none where it told nothing.
    pub results: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Completion {
    /// An end of which nothing more is known: no start, no figures, nothing printed, no reason.
    pub fn bare(token: Token, outcome: Outcome, ended_at: Timestamp) -> Completion {
        Completion {
            token,
            outcome,
            fatal: false,
            started_at: None,
            ended_at,
            duration: Duration::ZERO,
            exit_code: None,
            error: None,
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            output_bytes: 0,
            tail: String::new(),
            results: None,
        }
    }
}

/// A schedule that the store has seen for a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KnownSchedule {
    /// Hash of the schedule's canonical text.
    pub hash: String,
    /// No occurrence at or before this instant belongs to it.
    #[serde(with = "micros")]
    pub since: Timestamp,
    /// The latest occurrence that was decided by it; none in rows that do not tell: the pipeline's cursor counts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub cursor: Option<Timestamp>,
    /// When another schedule took its place; none for the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "micros::option")]
    pub replaced_at: Option<Timestamp>,
    /// What a newer program has written beside: it is written back as it was.
    #[serde(flatten)]
    pub rest: Rare<serde_json::Map<String, serde_json::Value>>,
}

/// How long a replaced schedule is still taken for another host's, and not for an edit that was taken back.
pub const ROLL_OUT: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

impl KnownSchedule {
    /// Whether it was replaced so recently that some hosts may still have it.
    pub fn is_rolled_out(&self, now: Timestamp) -> bool {
        self.replaced_at.is_some_and(|at| now.duration_since(at) < ROLL_OUT)
    }
}

/// What the run-log knows of a pipeline. Changed only as a whole, under its `version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// Whose.
    pub pipeline: PipelineId,
    /// Raised by every change; 0 means the row is not in the store yet.
    pub version: u64,
    /// The last fence given out.
    pub fence: u64,
    /// The latest decided occurrence; none before the first decision.
    pub cursor: Option<Timestamp>,
    /// Occurrences up to here are caught up one after the other; none when nothing is to be caught up.
    pub backlog_until: Option<Timestamp>,
    /// The schedules seen last, the one in force first; a few at most.
    pub schedules: Vec<KnownSchedule>,
    /// Ended attempts by the word of their outcome, ever; a newer program may know further words.
    pub totals: BTreeMap<String, u64>,
    /// The last recorded end.
    pub last: Option<LastEnd>,
    /// Failures in a row since the last success.
    pub failures_in_a_row: u64,
    /// What people have asked for, and what its runs came to.
    pub standing: Rare<Standing>,
}

impl Row {
    /// All that is decided by any schedule that some host may still have is at or before this instant; none before the
    /// first decision.
    pub fn undecided_after(&self, now: Timestamp) -> Option<Timestamp> {
        let in_force =
            self.schedules.iter().enumerate().filter(|(place, known)| *place == 0 || known.is_rolled_out(now));
        in_force.filter_map(|(_, known)| known.cursor).chain(self.cursor).min()
    }

    /// A row as it stands before the store knows the pipeline.
    pub fn absent(pipeline: PipelineId) -> Row {
        Row {
            pipeline,
            version: 0,
            fence: 0,
            cursor: None,
            backlog_until: None,
            schedules: Vec::new(),
            totals: BTreeMap::new(),
            last: None,
            failures_in_a_row: 0,
            standing: Rare::default(),
        }
    }
}

/// The last recorded end of a pipeline's attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastEnd {
    /// Of which occurrence.
    pub scheduled_for: Timestamp,
    /// Of which attempt.
    pub attempt: u32,
    /// How.
    pub outcome: Outcome,
    /// When.
    pub ended_at: Timestamp,
}
