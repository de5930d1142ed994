//! The contract between a tick and a run-log: load, commit, renew, history.
//!
//! `plan` decides; a store only loads and commits. What must hold for every store is said here once and proved by the
//! behaviour suite, which runs every case over every backend.
//!
//! Holds always (the rules of claiming):
//! - a transition is won only if the row still has the version it was decided on, its claim's key is new, no other
//!   attempt of that run is active, and every retry it closes was still pending; else nothing of it is stored;
//! - an end folds only into the attempt that has its token; a lost lease is tested again inside the same commit;
//! - fences and versions only grow; no row that guards a claim is ever deleted;
//! - what people are to be told of an end or a transition is in the outbox with it, or neither is stored.
//!
//! No call has a body here: a wrapper that forgets one does not compile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
pub use super::copy::{Adopted, Item, Mark};
pub use super::facts::{Facts, Rights, Role};
pub use super::import::{Imported, Spooled};
pub use super::outbox::{Outbox, Settled, Verdict as AlertVerdict, Waiting};
pub use super::retention::{Pruned, Pruning, Retention};
use crate::alert::Alert;
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Run, Token};
use crate::plan::Folded;
use crate::run::{Attempt, Completion, NotRun, Row, StopRequest};

/// A durable run-log. Every call is one unit: it happens whole or not at all.
#[async_trait]
pub trait RunLog: Send + Sync {
    /// Loads what a tick needs to decide: rows, open attempts and the store's time.
    ///
    /// # Errors
    /// `Unavailable`, `Refused`.
    async fn load(&self, scope: Scope) -> Result<View, Error>;

    /// Applies ends first, then transitions, each on its own: one that is refused does not hinder the others. What is
    /// applied is durable when this returns.
    ///
    /// # Errors
    /// `Unavailable`: nothing was applied. `Unknown`: read again; an own token that is there was won.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped call may or may not have been applied.
    async fn commit(&self, batch: Batch) -> Result<Committed, Error>;

    /// Gives `lease` to the claims of `tokens` and returns those that are still held: active, with that token, and which of
    /// them are wanted to end. A lease
    /// that lasts longer already, by the boot clock, is left so: a renewal that arrives late takes nothing back.
    ///
    /// # Errors
    /// `Unavailable`, `Unknown`.
    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error>;

    /// Takes in attempts that were made on a host alone while the store could not be used: one answer for each record, in
    /// order. Records come with the earlier runs and attempts first; the same ones may come again.
    ///
    /// # Errors
    /// `Unavailable`: nothing was applied. `Unknown`: send the same records again.
    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error>;

    /// What happened, newest decision first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn history(&self, query: Query) -> Result<Vec<Record>, Error>;

    /// Forgets all that is known of a pipeline: history, standing, schedules, cursor. Its row stays, with nothing but fence
    /// and version, which is raised. While an attempt is active, nothing is forgotten.
    ///
    /// # Errors
    /// `Unavailable`: nothing was forgotten. `Unknown`: it may have been.
    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error>;

    /// Gives all that is known of `from` the name `to`: row, attempts, active ones too, and what was not run. An end that
    /// is reported afterwards finds its attempt by the token. A row that guards the claims of `from` stays, as
    /// `Row::moved` says.
    ///
    /// `Lost`, and nothing changed: there is nothing under `from`, or something under `to`.
    ///
    /// # Errors
    /// `Unavailable`: nothing was moved. `Unknown`: it may have been.
    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error>;

    /// What the store says of itself, asked anew; what it tries for that leaves nothing behind.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn facts(&self) -> Result<Facts, Error>;

    /// What is known, item by item, in the order of `Mark`: what comes after `after`, from the beginning where that is none, at
    /// most `limit` items, and fewer only at the end. The outbox is an exception: once all else has been handed over, it comes
    /// whole, in an answer of its own. An empty answer means that there is nothing more.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error>;

    /// Takes in what another run-log has exported, as it is: ends and retries included, nothing is told again. What is there
    /// already stays (`copy::adopted` says what becomes of a row); an attempt is there where its key or its token is. The same
    /// items may come again. A mark of taken alerts is dropped; they wait
    /// since they happened.
    ///
    /// # Errors
    /// `Unavailable`: nothing was taken in. `Unknown`: send the same items again.
    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error>;

    /// Removes, or counts, history that `retention` does not keep: at most `limit` rows, pipeline by pipeline in the order of their names,
    /// of each its attempts, the oldest run first, then what was not run. Stays whatever is asked for: rows of pipelines,
    /// alerts, open attempts and all of their runs, and what `Spared` says; of each pipeline the newest attempt that succeeded.
    ///
    /// # Errors
    /// `Unavailable`: nothing was removed. `Unknown`: some may have been.
    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error>;

    /// Takes alerts that wait, oldest first: at most `limit`, each the caller's alone for `lease`. An alert is not taken while
    /// an older one of the same pipeline is with somebody else. What waits for longer than a day is dead.
    ///
    /// # Errors
    /// `Unavailable`; `Unknown`: what was taken is free again after `lease`.
    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error>;

    /// Takes in what has become of alerts that were taken, by their ids. An id that is not there is no matter.
    ///
    /// # Errors
    /// `Unavailable`, `Unknown`; the alerts are told again then.
    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error>;

    /// Puts alerts that follow from no commit into the outbox; one with an id that is there already changes nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Unknown`.
    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error>;

    /// What is in the outbox, oldest first; nothing is taken.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn outbox(&self) -> Result<Outbox, Error>;

    /// Where the start marks of this store's claims lie, for stores that live on this host's disk: a body starts only
    /// after creating its mark, so who creates it first has proved that it never starts. None for remote stores.
    fn start_marks(&self) -> Option<PathBuf>;

    /// Whether it stands in for one that cannot be used: what is claimed in it is known on this host alone.
    fn is_degraded(&self) -> bool;
}

/// A claim that is still held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Renewed {
    /// Whose.
    pub token: Token,
    /// Somebody wants it to end.
    pub stop: Option<StopRequest>,
}

/// Which pipelines to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that the store knows.
    All,
    /// These only, and with them the occurrences after the cursor that have attempts already.
    Only(Vec<PipelineId>),
}

impl Scope {
    /// Whether it is about that pipeline.
    pub fn has(&self, id: &PipelineId) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(ids) => ids.contains(id),
        }
    }
}

/// What a store knew at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The store's time.
    pub now: Timestamp,
    /// Rows by pipeline; a pipeline without one is unknown to the store.
    pub rows: BTreeMap<PipelineId, Row>,
    /// Open attempts by pipeline, oldest run first.
    pub open: BTreeMap<PipelineId, Vec<Attempt>>,
    /// With `Scope::Only`: occurrences after the cursor that have attempts, ascending; all that have, where there is no
    /// cursor yet.
    pub decided: BTreeMap<PipelineId, Vec<Timestamp>>,
    /// Alerts wait in the outbox, taken or not.
    pub alerts_pending: bool,
}

/// What to apply in one commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Batch {
    /// Ends of attempts.
    pub ends: Vec<End>,
    /// Changes of pipelines.
    pub transitions: Vec<Transition>,
}

/// The end of an attempt, and when it may be applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// What ended, and how.
    pub completion: Completion,
    /// What must still be so in the committing statement.
    pub condition: Condition,
}

/// What must hold when an end is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Nothing more: the worker itself reports, or its process is provably gone.
    Always,
    /// The lease is over: by `boot`, an instant of the claiming host's boot clock, where it is known; else by the store's
    /// time.
    LeaseOver {
        /// The instant, not later than now.
        boot: Option<BootTime>,
    },
}

/// A change of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The row as it becomes, but for `version`: that is the one it was decided on, and is raised by the store.
    pub row: Row,
    /// The attempt to claim; its fence is the row's new one.
    pub claim: Option<Attempt>,
    /// Attempts whose pending retry is made or given up by this.
    pub closed: Vec<Token>,
    /// Occurrences decided without being run. A stretch goes on where the one of the same reason that ends at its `after`
    /// ended; an entry with the same first occurrence and reason as one before is one with it, as far as the
    /// longer reaches.
    pub not_run: Vec<NotRun>,
    /// Active attempts that are to end: who runs them is told at the next renewal. One that has ended meanwhile is no
    /// matter.
    pub stops: Vec<(Token, StopRequest)>,
    /// What people are told, stored with it or not at all.
    pub alerts: Vec<Alert>,
}

/// What became of the wish to forget a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// It is forgotten: so many records of its history are gone.
    Done {
        /// Attempts, and entries of what was not run.
        records: u64,
    },
    /// An attempt of it is active: nothing was forgotten.
    Active,
    /// Nothing was known of it.
    Unknown,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Committed {
    /// The store's time when it was applied; none where the store does not tell.
    pub now: Option<Timestamp>,
    /// One for each end, in order.
    pub ends: Vec<Ended>,
    /// One for each transition, in order.
    pub verdicts: Vec<Verdict>,
}

/// What became of an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It was folded, as said, and this is how the attempt now stands.
    Folded(Folded, Box<Attempt>),
    /// No attempt has this token.
    Orphan,
    /// Its condition does not hold: the lease is not over, or was renewed. An outcome that came first is `Already`.
    Refused,
}

/// What became of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Applied whole.
    Won,
    /// Nothing of it was applied: the pipeline has changed since it was loaded.
    Lost,
}

/// Which part of the history to read: what fits all that is asked.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this pipeline only.
    pub pipeline: Option<PipelineId>,
    /// Of this run only.
    pub run: Option<Run>,
    /// The attempt with this token only.
    pub token: Option<Token>,
    /// Attempts only, without what was not run.
    pub attempts_only: bool,
    /// At most this many records.
    pub limit: usize,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An attempt, ended or not.
    Attempt(Box<Attempt>),
    /// Occurrences that were not run.
    NotRun(NotRun),
}

impl Record {
    /// When it was decided, by the store's clock.
    pub fn decided_at(&self) -> Timestamp {
        match self {
            Record::Attempt(attempt) => attempt.claimed_at,
            Record::NotRun(not_run) => not_run.decided_at,
        }
    }
}
