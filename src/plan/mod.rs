//! Decides, for one pipeline at a time, what follows from what the run-log knows: claim, wait, skip or nothing.
//!
//! Pure: values in, values out. Claiming, running and recording are for `tick`; each rule has its file here. What is not
//! run is returned with its reason.
//!
//! Holds always: a decision claims one attempt at most, and only while no more attempts of the pipeline are active than its
//! overlap policy allows; the cursor moves only past occurrences that the same decision claims or accounts for.

use std::time::Duration;

use jiff::Timestamp;

use crate::alert::Alert;
use crate::occurrence::{PipelineId, Run, Token};
use crate::pipeline::{Pipeline, Upstream};
use crate::run::{Attempt, NotRun, Row, StopRequest, Trigger};

pub mod alerts;
mod backfill;
mod backoff;
mod by_hand;
mod catch_up;
pub mod controls;
mod decide;
mod due;
mod fold;
mod gate;
mod jitter;
mod overlap;
mod progress;
mod recovery;
mod retry;
mod sight;
mod tally;
mod upstream;

pub use backfill::{Backfill, backfill, was_done};
pub use by_hand::{Busy, by_hand};
pub use decide::decide;
pub use fold::{Folded, fold};
pub use jitter::{constant_delay, stable_hash};
pub use recovery::{Evidence, take_over};
pub(crate) use retry::next_attempt;
pub use sight::note_seen;
pub use tally::tally;

/// What is known when a pipeline is decided.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What should run.
    pub pipeline: &'a Pipeline,
    /// What the run-log knows of it.
    pub row: &'a Row,
    /// Its open attempts: active ones, and those whose retry has not been made.
    pub open: &'a [&'a Attempt],
    /// Occurrences after the cursor that have attempts already: they count as decided.
    pub decided: &'a [Timestamp],
    /// What it depends on, in the order of the configuration.
    pub upstreams: &'a [UpstreamSight<'a>],
    /// The store's time.
    pub now: Timestamp,
    /// How far back a schedule that is seen for the first time reaches; what is late by more counts as caught up.
    pub interval: Duration,
}

/// What is known of a pipeline that another one depends on.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamSight<'a> {
    /// How it is depended on.
    pub upstream: &'a Upstream,
    /// What the run-log knows of it.
    pub row: Option<&'a Row>,
    /// What should run of it; none where no file has it.
    pub pipeline: Option<&'a Pipeline>,
}

/// What to do about one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The row as it becomes; its `version` is still the one it was decided on.
    pub row: Row,
    /// Whether anything is to be committed.
    pub changed: bool,
    /// The attempt to claim.
    pub claim: Option<Draft>,
    /// Retries that will not be made: the tokens of the attempts they would have followed.
    pub closed: Vec<Token>,
    /// Occurrences that are decided without being run.
    pub not_run: Vec<NotRun>,
    /// Active attempts that are to end.
    pub stops: Vec<(Token, StopRequest)>,
    /// What is due but waits.
    pub waiting: Option<Waiting>,
    /// When there may be something to do again, as far as is known: the next retry.
    pub wake_at: Option<Timestamp>,
    /// More is due already once the claimed attempt has ended.
    pub more_is_due: bool,
    /// What a person should know.
    pub notes: Vec<Note>,
    /// What people are told once it is committed.
    pub alerts: Vec<Alert>,
}

impl Decision {
    /// Nothing is committed, nothing waits, and nobody is told anything.
    pub fn says_nothing(&self) -> bool {
        let Decision { row: _, changed, claim, closed, not_run, stops, waiting, wake_at, more_is_due, notes, alerts } =
            self;
        let nothing_new = !changed && claim.is_none() && closed.is_empty() && not_run.is_empty() && stops.is_empty();
        let nothing_comes = waiting.is_none() && wake_at.is_none() && !more_is_due;
        nothing_new && nothing_comes && notes.is_empty() && alerts.is_empty()
    }

    fn unchanged(row: &Row) -> Decision {
        Decision {
            row: row.clone(),
            changed: false,
            claim: None,
            closed: Vec::new(),
            not_run: Vec::new(),
            stops: Vec::new(),
            waiting: None,
            wake_at: None,
            more_is_due: false,
            notes: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

/// An attempt to claim, but for what the claiming process adds: token, owner, times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Draft {
    /// Which run.
    pub run: Run,
    /// Which attempt, counted from 1.
    pub number: u32,
    /// Attempts that count against the policy, this one included.
    pub tries: u32,
    /// Earlier attempts of the run that may have started.
    pub earlier_starts: u32,
    /// Earlier interruptions that burned no attempt.
    pub interruptions: u32,
    /// Why.
    pub trigger: Trigger,
    /// Asked for by a person.
    pub by_hand: bool,
    /// The attempt this one follows: its pending retry is made by this.
    pub follows: Option<Token>,
}

/// A run that is due and waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Which run.
    pub run: Run,
    /// For what.
    pub for_what: WaitsFor,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// Its next attempt is due at this instant.
    Backoff(Timestamp),
    /// An earlier run of the same pipeline has to end first.
    EarlierRun,
    /// A pipeline that it depends on has to succeed.
    Upstream(PipelineId),
    /// The run before it started less than the shortest interval ago, until this instant.
    MinInterval(Timestamp),
    /// Somebody has to resume the pipeline, or its pause to end.
    Resume,
    /// Somebody has to reset the pipeline, which is held.
    Reset,
}

/// Something about a pipeline that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// Two schedules are in force at once: hosts with different configurations.
    ConfigSplit,
    /// The cursor, or the instant since which the schedule counts, was ahead of the store's time by more than an hour and
    /// was set back: a clock was wrong once.
    CursorAhead(Timestamp),
    /// A retry was put further off than its wait plus an hour, for the same reason, and is due now.
    RetryAhead(Timestamp),
}
