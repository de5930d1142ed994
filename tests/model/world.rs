//! What the model's state is made of: the store, the ticks on their way, what is on the wire, and the bodies.
//!
//! The store is the contract core itself (`Tables`). A host is a number, 0 or 1, with one tick at a time; who ticked before
//! is gone.

use std::collections::{BTreeMap, BTreeSet};

use tickward::occurrence::{PipelineId, Token};
use tickward::owner::Owner;
use tickward::plan::Decision;
use tickward::run::{Attempt, Outcome};
use tickward::runlog::contract::{Batch, Committed, End, View};
use tickward::runlog::memory::Tables;

use super::laws::Law;

/// Everything at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct World {
    pub tables: Tables,
    /// Which instant it is.
    pub clock: u8,
    /// The tick of each host.
    pub ticks: [Option<Tick>; 2],
    /// Commits under way.
    pub wire: Vec<Flight>,
    /// Jobs, by the token of their claim.
    pub bodies: BTreeMap<Token, Body>,
    /// Start marks on the disk of the one host.
    pub marks: BTreeSet<Token>,
    pub spent: Spent,
    /// Claims that arrived when nobody waited for them any more, or that nobody could ask after.
    pub given_up: BTreeSet<Token>,
    /// A law that the last step has broken: the end of the path.
    pub broken: BTreeSet<Law>,
}

/// What has gone wrong so far, or was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Spent {
    pub crashes: u8,
    pub losses: u8,
    pub renewals: u8,
    pub stops: u8,
    pub zombies: u8,
    pub failures: u8,
}

/// Which process: its host, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    pub host: usize,
    pub number: u32,
}

/// A commit on its way to the store, or its answer on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    /// The host whose tick waits for the answer; none if nobody does any more.
    pub from: Option<usize>,
    pub batch: Batch,
    /// There once the store has applied it.
    pub answer: Option<Committed>,
}

/// A tick between two of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tick {
    pub process: Process,
    pub doing: Doing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// It has loaded; `again` after what was left behind has been taken over.
    Looked { view: Box<View>, again: bool },
    /// Its take-overs are on the wire.
    TakingOver,
    /// It is in its loop.
    Working(Box<Work>),
}

/// The loop of a tick: the fields of `tick/work.rs` that decide what it does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Work {
    pub asked: Asked,
    pub to_note: Vec<Decision>,
    pub to_claim: Vec<Decision>,
    /// Claims won: their jobs are handed over at once.
    pub held: Vec<Attempt>,
    pub ended: Vec<End>,
    pub look_again: Vec<PipelineId>,
    pub lost_once: BTreeSet<PipelineId>,
    pub more_is_due: BTreeSet<PipelineId>,
    pub stopping: bool,
}

/// The one request of a tick that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Asked {
    #[default]
    Nothing,
    Commit,
    /// These pipelines are to be loaded and decided.
    Read(Vec<PipelineId>),
    /// After an answer that did not come: what the store has of this batch.
    Resolve(Box<Batch>),
}

/// A job, handed to a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    pub of: Process,
    pub starts: u8,
    pub state: BodyState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyState {
    Sent,
    Running,
    /// It has ended, and its tick was told so.
    Ended(Outcome),
    /// It is gone, and nobody was told.
    Gone,
}

impl World {
    /// A number for the next process of a host: one that no trace of an earlier process has.
    pub fn next_process(&self, host: usize) -> u32 {
        let bodies = self.bodies.values().map(|body| body.of);
        let owners = self.claims().map(|claim| process_of(&claim.owner));
        bodies.chain(owners).filter(|process| process.host == host).map(|process| process.number).max().unwrap_or(0) + 1
    }

    /// A token that is nowhere yet; each host has a thousand.
    pub fn next_token(&self, host: usize) -> Token {
        let first = host as u128 * 1000;
        let known = self.claims().map(|claim| claim.token).chain(self.bodies.keys().copied());
        let of_host = known.chain(self.given_up.iter().copied()).filter(|token| token.0 / 1000 == host as u128);
        Token(of_host.map(|token| token.0).max().unwrap_or(first) + 1)
    }

    /// Every claim in the store and on the wire.
    fn claims(&self) -> impl Iterator<Item = &Attempt> {
        let resolving = self.ticks.iter().flatten().filter_map(|tick| match &tick.doing {
            Doing::Working(work) => match &work.asked {
                Asked::Resolve(batch) => Some(&**batch),
                _ => None,
            },
            _ => None,
        });
        let batches = self.wire.iter().map(|flight| &flight.batch).chain(resolving);
        let sent = batches.flat_map(|batch| &batch.transitions).filter_map(|transition| transition.claim.as_ref());
        self.tables.attempts.values().chain(sent)
    }

    pub fn attempt(&self, token: Token) -> Option<&Attempt> {
        self.tables.attempts.values().find(|attempt| attempt.token == token)
    }

    /// The tick of this process, while it lives.
    pub fn tick(&self, process: Process) -> Option<&Tick> {
        self.ticks[process.host].as_ref().filter(|tick| tick.process == process)
    }

    /// The tick of this process in its loop.
    pub fn work(&mut self, process: Process) -> Option<&mut Work> {
        match self.ticks[process.host].as_mut() {
            Some(Tick { process: found, doing: Doing::Working(work) }) if *found == process => Some(work),
            _ => None,
        }
    }

    /// A supervisor still has a body of this process.
    pub fn is_held(&self, process: Process) -> bool {
        let alive = |body: &Body| matches!(body.state, BodyState::Sent | BodyState::Running);
        self.bodies.values().any(|body| body.of == process && alive(body))
    }

    /// Nobody waits for the answer of this host's commit any more: one that was applied has lost its answer, one that
    /// was not may still arrive.
    pub fn hang_up(&mut self, host: usize) -> Option<Batch> {
        let at = self.wire.iter().position(|flight| flight.from == Some(host))?;
        match self.wire[at].answer {
            Some(_) => Some(self.wire.remove(at).batch),
            None => {
                self.wire[at].from = None;
                Some(self.wire[at].batch.clone())
            }
        }
    }
}

/// The process that an owner is.
pub fn process_of(owner: &Owner) -> Process {
    let (host, number) = owner.id.split_once('.').unwrap();
    Process { host: host.parse().unwrap(), number: number.parse().unwrap() }
}
