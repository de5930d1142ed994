//! Carries what one run-log knows over to another, page by page, and compares both afterwards.
//!
//! Holds always: nothing takes the place of what is there; what runs is handed over as lost and not to be retried, because
//! its end is told to the run-log that it was claimed in, and nobody can tell whether it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::occurrence::PipelineId;
use crate::run::{Attempt, Completion, Outcome, Row};
use crate::runlog::Error;
use crate::runlog::contract::{Adopted, Item, Mark, RunLog, Scope};
use crate::runlog::copy::{holds, untaken};

/// So many items are handed over at once.
const PAGE: usize = 500;

/// Where items come from.
pub enum Source {
    /// A run-log.
    RunLog(Arc<dyn RunLog>),
    /// Another program's file, read whole.
    Items(Vec<Item>),
}

impl Source {
    async fn page(&self, after: Option<Mark>) -> Result<Vec<Item>, Error> {
        match self {
            Source::RunLog(run_log) => run_log.export(after, PAGE).await,
            Source::Items(items) => {
                let is_last = |item: &Item| Some(item.mark()) == after;
                let first = items.iter().rposition(is_last).map_or(0, |place| place + 1);
                Ok(items[first..].iter().take(PAGE).cloned().collect())
            }
        }
    }

    /// Every item, page by page, as it is to be handed over.
    ///
    /// # Errors
    /// Those of the run-log, and of `each`.
    pub async fn read(&self, mut each: impl AsyncFnMut(Vec<Item>) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.page(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.mark());
            each(page.into_iter().map(as_handed_over).collect()).await?;
        }
    }

    /// What runs now.
    ///
    /// # Errors
    /// Those of the run-log.
    pub async fn active(&self) -> Result<Vec<String>, Error> {
        let Source::RunLog(run_log) = self else { return Ok(Vec::new()) };
        let view = run_log.load(Scope::All).await?;
        let active = view.open.values().flatten().filter(|attempt| attempt.is_active());
        Ok(active.map(|attempt| attempt.run.id()).collect())
    }
}

/// What runs is handed over as lost: with the instant of its claim, so that it is the same whenever it is handed over.
fn as_handed_over(item: Item) -> Item {
    match item {
        Item::Attempt(attempt) if attempt.is_active() => {
            let error = "it ran while the run-log was copied: how it ended is in the one that it was copied from";
            let completion = Completion {
                fatal: true,
                error: Some(error.into()),
                ..Completion::bare(attempt.token, Outcome::Lost, attempt.claimed_at)
            };
            // Its lease is renewed there while this is under way.
            let lease = crate::lease::Lease {
                until: attempt.claimed_at,
                until_boot: crate::clock::BootTime(0),
                ..attempt.lease
            };
            Item::Attempt(Box::new(Attempt { end: Some(completion), retry_at: None, stop: None, lease, ..*attempt }))
        }
        Item::Waiting(waiting) => Item::Waiting(untaken(&waiting)),
        Item::Dead(dead) => Item::Dead(untaken(&dead)),
        item => item,
    }
}

/// How many of each there are, and a digest of them all that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pipelines of which more is known than a fence.
    pub pipelines: u64,
    /// Attempts.
    pub attempts: u64,
    /// Entries of what was not run.
    pub not_run: u64,
    /// Alerts that wait.
    pub waiting: u64,
    /// Alerts that are dead.
    pub dead: u64,
    /// The sum of the digests of all.
    pub digest: u128,
}

impl Tally {
    /// All of them together.
    pub fn items(&self) -> u64 {
        self.pipelines + self.attempts + self.not_run + self.waiting + self.dead
    }

    fn add(&mut self, item: &Item) {
        let text = match item {
            Item::Row(row) => format!("{:?}", Row { version: 0, fence: 0, ..(**row).clone() }),
            item => format!("{item:?}"),
        };
        match item {
            Item::Row(_) => self.pipelines += 1,
            Item::Attempt(_) => self.attempts += 1,
            Item::NotRun(_) => self.not_run += 1,
            Item::Waiting(_) => self.waiting += 1,
            Item::Dead(_) => self.dead += 1,
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let bytes: [u8; 16] = std::array::from_fn(|at| digest.as_ref()[at]);
        self.digest = self.digest.wrapping_add(u128::from_be_bytes(bytes));
    }
}

/// What a run-log holds, as far as two are compared.
#[derive(Default)]
pub struct Held {
    /// Counts and digest.
    pub tally: Tally,
    rows: BTreeMap<PipelineId, Row>,
    /// Pipelines of which more is known than a fence.
    known: BTreeSet<PipelineId>,
    alerts: BTreeSet<String>,
}

impl Held {
    /// What `source` holds; as far as `like` has it too, if that is given.
    ///
    /// # Errors
    /// Those of the run-log.
    pub async fn of(source: &Source, like: Option<&Held>) -> Result<Held, Error> {
        let mut held = Held::default();
        let all = source.read(async |page| {
            page.iter().for_each(|item| held.take(item, like));
            Ok(())
        });
        all.await?;
        Ok(held)
    }

    fn take(&mut self, item: &Item, like: Option<&Held>) {
        let (about, tells) = match item {
            Item::Row(row) => (Some(&row.pipeline), !row.is_guard()),
            Item::Attempt(attempt) => (Some(&attempt.run.pipeline), true),
            Item::NotRun(entry) => (Some(&entry.pipeline), true),
            Item::Waiting(_) | Item::Dead(_) => (None, true),
        };
        if let Item::Row(row) = item {
            self.rows.insert(row.pipeline.clone(), (**row).clone());
        }
        if let Item::Waiting(entry) | Item::Dead(entry) = item {
            self.alerts.insert(entry.alert.id.clone());
        }
        self.known.extend(about.filter(|_| tells).cloned());
        let is_compared = like.is_none_or(|like| match (about, item) {
            (Some(id), _) => like.known.contains(id),
            (None, Item::Waiting(entry) | Item::Dead(entry)) => like.alerts.contains(&entry.alert.id),
            (None, _) => true,
        });
        if tells && is_compared {
            self.tally.add(item);
        }
    }

    /// Pipelines of this one of which `to` knows something else.
    pub fn known_otherwise_in<'a>(&'a self, to: &'a Held) -> impl Iterator<Item = &'a PipelineId> {
        let holds = |id: &PipelineId| {
            let row = self.rows.get(id);
            row.is_some_and(|row| to.rows.get(id).is_some_and(|there| holds(there, row)))
        };
        self.known.intersection(&to.known).filter(move |id| !holds(id))
    }

    /// Pipelines whose fence or version would come a second time in `to`.
    pub fn not_passed_in<'a>(&'a self, to: &'a Held) -> impl Iterator<Item = &'a PipelineId> {
        let is_passed = |row: &Row| to.rows.get(&row.pipeline).is_some_and(|there| holds(there, row));
        self.rows.values().filter(move |row| !is_passed(row)).map(|row| &row.pipeline)
    }
}

/// How often a page is handed over whose answer is lost.
const TRIES: u32 = 4;

/// Hands all of `from` over to `to`; `done` is told how many items each page has brought. Where an answer was lost, what it would
/// have told of counts as there already.
///
/// # Errors
/// Those of both: what was handed over is there, and it may be begun again.
pub async fn hand_over(from: &Source, to: &dyn RunLog, done: impl Fn(u64)) -> Result<Adopted, Error> {
    let mut count = Adopted::default();
    let all = from.read(async |page| {
        let items = page.len() as u64;
        count.add(taken_in(to, page).await?);
        done(items);
        Ok(())
    });
    all.await?;
    Ok(count)
}

async fn taken_in(to: &dyn RunLog, page: Vec<Item>) -> Result<Adopted, Error> {
    let mut taken = to.adopt(page.clone()).await;
    for _ in 1..TRIES {
        let unanswered = match taken {
            Err(error @ Error::Unknown { .. }) => error,
            done => return done,
        };
        taken = match to.adopt(page.clone()).await {
            Err(Error::Unavailable { .. }) => Err(unanswered),
            done => done,
        };
    }
    taken
}
