//! A run-log with its mirror beside it, on the disk of this host.
//!
//! Every call goes to the run-log. What is loaded or won is mirrored; where other ticks of this host have found no run-log
//! meanwhile, this one claims nothing until that outage has been ended (`tick::recover`), no run that this host has made
//! alone before the run-log knows its end, and nothing beside what runs alone and was not told to the run-log before it looked.
//!
//! Holds always: an outcome that lies in the spool wins over a loss; a claim and the beginning of an outage exclude each other; a mirror that cannot be written hinders nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::super::Error;
use super::super::contract::{
    Adopted, Batch, Committed, Condition, End, Ended, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning,
    Query, Record, Renewed, Retention, RunLog, Scope, Settled, Spooled, Transition, Verdict, View, Waiting,
};
use super::mirror::{self, Learned};
use super::{Folder, LOCK, keep};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::pipeline::OnGaveUp;
use crate::run::{Attempt, Outcome, Row};

/// A run-log and the folder of this host.
pub struct Mirrored {
    run_log: Arc<dyn RunLog>,
    folder: Folder,
    clock: Arc<dyn Clock>,
    /// The attempts of the spool that it has handed over, as they were then, by their tokens.
    told: Mutex<BTreeMap<Token, Attempt>>,
}

/// An attempt of the spool of which the run-log does not know all.
struct Alone {
    attempt: Attempt,
    /// It was handed over, but has gone on since.
    is_told: bool,
}

impl Mirrored {
    /// `run_log`, mirrored in `folder`.
    pub fn new(run_log: Arc<dyn RunLog>, folder: Folder, clock: Arc<dyn Clock>) -> Mirrored {
        Mirrored { run_log, folder, clock, told: Mutex::default() }
    }

    async fn note(&self, learned: Learned) {
        let now = self.clock.now();
        let noted = self.folder.work(move |folder| mirror::note(folder, learned, now)).await;
        if let Err(error) = noted {
            tracing::debug!(folder = %self.folder.path().display(), %error, "no mirror of the run-log");
        }
    }

    /// A worker of this host that is gone may have left its outcome in the spool since that was last taken in.
    async fn put_outcome_for_loss(&self, end: &mut End) {
        let token = end.completion.token;
        match self.folder.work(move |folder| keep::end_of(folder, token)).await {
            Ok(Some(completion)) => *end = End { completion, condition: Condition::Always },
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "nobody knows whether the spool has an outcome"),
        }
    }

    /// Whether the mirror is that of all that the run-log has. Asked at each idle tick: a thread for it costs more than it does.
    fn is_mirrored(&self, view: &View) -> bool {
        mirror::date(&self.folder, &mirror::digest(view.rows.values()), self.clock.now()).unwrap_or(false)
    }

    /// A hold that came with an end is to hold on without the run-log too; what else an end changes is for its next word.
    async fn note_holds(&self, ends: &[Ended]) {
        let holds = |attempt: &Attempt| attempt.gave_up && attempt.policy.on_gave_up == OnGaveUp::Hold;
        let held = ends.iter().filter_map(|end| match end {
            Ended::Folded(_, attempt) if holds(attempt) => Some(attempt.run.pipeline.clone()),
            _ => None,
        });
        let held: Vec<PipelineId> = held.collect();
        if held.is_empty() {
            return;
        }
        match self.run_log.load(Scope::Only(held)).await {
            Ok(view) => self.note(Learned { rows: view.rows.into_values().collect(), ..Learned::default() }).await,
            Err(error) => tracing::debug!(%error, "a hold is not mirrored"),
        }
    }

    /// What this host has made alone and hinders claims.
    async fn made_alone(&self) -> Vec<Alone> {
        let kept = self.folder.work(keep::attempts).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "nobody knows whether the spool has a run");
            Vec::new()
        });
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = kept.into_iter().filter(|made| made.is_active() || told.get(&made.token) != Some(made));
        untold.map(|attempt| Alone { is_told: told.contains_key(&attempt.token), attempt }).collect()
    }

    /// Keeps an outage from beginning; none where there is no disk for one, an error where one may be beginning.
    async fn no_outage(&self) -> io::Result<Option<File>> {
        match self.folder.work(|folder| folder.lock_shared(LOCK)).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
            locked => Ok(locked.ok()),
        }
    }
}

/// Claims under way. Where nobody hears what became of them, also because nobody waits any longer, they count as made in an
/// outage: who sent them may find them in the run-log, and start them, when that has begun. By the version that they were
/// decided on, for the run-log's next word to take their place.
struct Unheard<'a> {
    mirrored: &'a Mirrored,
    rows: Vec<Row>,
}

impl Unheard<'_> {
    fn settle(mut self) {
        self.rows.clear();
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return;
        }
        let Mirrored { folder, clock, .. } = self.mirrored;
        if let Err(error) = mirror::note(folder, Learned { rows, ..Learned::default() }, clock.now()) {
            tracing::warn!(folder = %folder.path().display(), %error, "claims that nobody heard of are not mirrored");
        }
    }
}

#[async_trait]
impl RunLog for Mirrored {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        let is_all = scope == Scope::All;
        let before = mirror::digest_of(&self.folder).filter(|_| is_all);
        let view = self.run_log.load(scope).await?;
        if is_all && self.is_mirrored(&view) {
            return Ok(view);
        }
        let marks = self.run_log.start_marks();
        let active = view.open.values().flatten().filter(|attempt| attempt.is_active());
        let running = active.filter_map(|attempt| Some((attempt.clone(), marks.clone()?))).collect();
        let rows = view.rows.values().cloned().collect();
        self.note(Learned { rows, is_all, before, running }).await;
        Ok(view)
    }

    async fn commit(&self, mut batch: Batch) -> Result<Committed, Error> {
        for end in batch.ends.iter_mut().filter(|end| end.completion.outcome == Outcome::Lost) {
            self.put_outcome_for_loss(end).await;
        }
        let claims = batch.transitions.iter().any(|transition| transition.claim.is_some());
        let lock = if claims { self.no_outage().await } else { Ok(None) };
        let hindered = claims && (lock.is_err() || keep::is_outage(&self.folder));
        let alone = if claims && !hindered { self.made_alone().await } else { Vec::new() };
        let is_hindered = |claim: &Attempt| {
            let is_beside = |Alone { attempt: made, is_told }: &Alone| {
                let is_unknown = !is_told && made.is_active() && made.run.pipeline == claim.run.pipeline;
                made.run == claim.run || is_unknown
            };
            hindered || alone.iter().any(is_beside)
        };
        let places: BTreeMap<usize, Transition> = batch.transitions.into_iter().enumerate().collect();
        let (left, sent): (BTreeMap<_, _>, BTreeMap<_, _>) =
            places.into_iter().partition(|(_, transition)| transition.claim.as_ref().is_some_and(is_hindered));
        batch.transitions = sent.values().cloned().collect();
        let claimed = batch.transitions.iter().filter(|transition| transition.claim.is_some());
        let unheard = Unheard { mirrored: self, rows: claimed.map(|transition| transition.row.clone()).collect() };
        let committed = self.run_log.commit(batch).await;
        if !matches!(committed, Err(Error::Unknown { .. })) {
            unheard.settle();
        }
        let mut committed = committed?;
        self.note_holds(&committed.ends).await;
        let mut verdicts: BTreeMap<usize, Verdict> = sent.keys().copied().zip(committed.verdicts).collect();
        let won = sent.into_iter().filter(|(place, _)| verdicts.get(place) == Some(&Verdict::Won));
        let rows: Vec<Row> = won.map(|(_, transition)| as_stored(transition)).collect();
        if !rows.is_empty() {
            self.note(Learned { rows, ..Learned::default() }).await;
        }
        verdicts.extend(left.into_keys().map(|place| (place, Verdict::Lost)));
        committed.verdicts = verdicts.into_values().collect();
        Ok(committed)
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        self.run_log.renew(tokens, lease).await
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        let attempts = records.iter().map(|spooled| spooled.attempt.clone());
        let handed_over: Vec<_> = attempts.map(|attempt| (attempt.token, attempt)).collect();
        let imported = self.run_log.import(records).await?;
        // Only what is active is told to wait: it runs beside another attempt of its run already.
        self.told.lock().unwrap_or_else(PoisonError::into_inner).extend(handed_over);
        Ok(imported)
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        self.run_log.history(query).await
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.run_log.forget(id).await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        self.run_log.rename(from, to).await
    }

    async fn facts(&self) -> Result<Facts, Error> {
        self.run_log.facts().await
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        self.run_log.export(after, limit).await
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        self.run_log.adopt(items).await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        self.run_log.prune(scope, retention, limit, how).await
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        self.run_log.take_alerts(limit, lease).await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.run_log.settle_alerts(settled).await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        self.run_log.post_alerts(alerts).await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        self.run_log.outbox().await
    }

    fn start_marks(&self) -> Option<PathBuf> {
        self.run_log.start_marks()
    }

    fn is_degraded(&self) -> bool {
        self.run_log.is_degraded()
    }
}

/// The row as the store has it after the transition was won.
fn as_stored(transition: Transition) -> Row {
    let fence = transition.claim.as_ref().map_or(transition.row.fence, |claim| claim.fence);
    Row { version: transition.row.version + 1, fence, ..transition.row }
}
