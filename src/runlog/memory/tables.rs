//! What a run-log does with a load, a commit and a renewal: the contract as a value, without a lock, a clock or a disk.
//!
//! The reference that every backend is read against, and the store of the model (tests/model), which holds it as a part
//! of its state.
//!
//! Holds always: what is refused has changed nothing; time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::again;
use super::super::contract::{
    Batch, Committed, Condition, End, Ended, Query, Record, Renewed, Scope, Transition, Verdict, View,
};
use super::super::import::{Imported, Spooled, hand_on, newer, take_in};
use super::outbox::Post;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Run, Token};
use crate::plan::{Folded, alerts, fold};
use crate::run::{Attempt, NotRun, Row};

/// All that a run-log knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tables {
    /// What is known of each pipeline.
    pub rows: BTreeMap<PipelineId, Row>,
    /// By the key that no two claims share.
    pub attempts: BTreeMap<Key, Attempt>,
    /// What was decided without being run, in the order of the first decision.
    pub not_run: Vec<NotRun>,
    /// The keys of those that are open, as a store's index has them: a long history costs a tick nothing.
    open: BTreeSet<Key>,
    tokens: BTreeMap<Token, Key>,
    /// Alerts that wait.
    pub post: Post,
}

/// Pipeline, instant and number of an attempt.
pub type Key = (PipelineId, Timestamp, u32);

impl Tables {
    /// What a load of `scope` gives at `now`.
    pub fn view(&self, scope: &Scope, now: Timestamp) -> View {
        let wanted = |id: &PipelineId| scope.has(id);
        let rows: BTreeMap<_, _> =
            self.rows.iter().filter(|(id, _)| wanted(id)).map(|(id, row)| (id.clone(), row.clone())).collect();
        let alerts_pending = self.post.is_pending();
        let mut view = View { now, rows, open: BTreeMap::new(), decided: BTreeMap::new(), alerts_pending };
        for key in self.open.iter().filter(|(id, ..)| wanted(id)) {
            view.open.entry(key.0.clone()).or_default().push(self.attempts[key].clone());
        }
        if let Scope::Only(ids) = scope {
            for id in ids {
                let cursor = self.rows.get(id).and_then(|row| row.undecided_after(now));
                let after = cursor.map_or((id.clone(), Timestamp::MIN, 0), |cursor| (id.clone(), cursor, u32::MAX));
                let mut decided: Vec<_> = self.of_pipeline_from(after).map(|((_, at, _), _)| *at).collect();
                decided.dedup();
                if !decided.is_empty() {
                    view.decided.insert(id.clone(), decided);
                }
            }
        }
        view
    }

    fn of_pipeline_from(&self, first: Key) -> impl Iterator<Item = (&Key, &Attempt)> {
        let last = (first.0.clone(), Timestamp::MAX, u32::MAX);
        self.attempts.range(first..=last)
    }

    /// The attempts of a run, by their numbers.
    pub fn of_run(&self, run: &Run) -> Vec<Attempt> {
        let from = self.of_pipeline_from((run.pipeline.clone(), run.scheduled_for, 0)).map(|(_, attempt)| attempt);
        from.take_while(|attempt| attempt.run == *run).cloned().collect()
    }

    /// Applies ends first, then transitions, each on its own: whole or not at all.
    pub fn commit(&mut self, batch: Batch, now: Timestamp) -> Committed {
        let ends = batch.ends.iter().map(|end| self.end(end, now)).collect();
        let verdicts = batch.transitions.into_iter().map(|transition| self.apply(transition, now)).collect();
        Committed { now: Some(now), ends, verdicts }
    }

    /// Gives `lease` to those claims of `tokens` that are still held, and returns them.
    pub fn renew(&mut self, tokens: &[Token], lease: Lease) -> Vec<Renewed> {
        let mut held = Vec::new();
        for key in &self.open {
            let Some(attempt) = self.attempts.get_mut(key) else { continue };
            if attempt.is_active() && tokens.contains(&attempt.token) {
                attempt.lease = attempt.lease.renewed(lease);
                held.push(Renewed { token: attempt.token, stop: attempt.stop.clone() });
            }
        }
        held
    }

    /// Takes in what was run on a host alone.
    pub fn import(&mut self, records: &[Spooled], now: Timestamp) -> Vec<Imported> {
        records.iter().map(|spooled| self.import_one(spooled, now)).collect()
    }

    fn import_one(&mut self, spooled: &Spooled, now: Timestamp) -> Imported {
        let run = &spooled.attempt.run;
        let there = self.with_token(spooled.attempt.token).cloned();
        let others = self.of_run(run);
        let mut row = self.rows.get(&run.pipeline).cloned().unwrap_or_else(|| Row::absent(run.pipeline.clone()));
        let (imported, changed, alerts) = take_in(&mut row, there, &others, spooled);
        self.post.put(alerts, now);
        if !changed.is_empty() {
            row.version += 1;
            self.rows.insert(row.pipeline.clone(), row);
        }
        changed.into_iter().for_each(|attempt| self.put(attempt));
        imported
    }

    /// Stores an attempt in the place of the one with its key.
    pub fn put(&mut self, attempt: Attempt) {
        let key = (attempt.run.pipeline.clone(), attempt.run.scheduled_for, attempt.number);
        self.tokens.insert(attempt.token, key.clone());
        match attempt.is_open() {
            true => self.open.insert(key.clone()),
            false => self.open.remove(&key),
        };
        self.attempts.insert(key, attempt);
    }

    /// Takes the attempts of a pipeline out, and all that finds them.
    pub(super) fn take_attempts(&mut self, id: &PipelineId) -> Vec<Attempt> {
        let of_it: Vec<Key> =
            self.of_pipeline_from((id.clone(), Timestamp::MIN, 0)).map(|(key, _)| key.clone()).collect();
        self.open.retain(|key| key.0 != *id);
        self.tokens.retain(|_, key| key.0 != *id);
        of_it.into_iter().filter_map(|key| self.attempts.remove(&key)).collect()
    }

    /// Takes an attempt out, and all that finds it.
    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(attempt) = self.attempts.remove(key) {
            self.tokens.remove(&attempt.token);
            self.open.remove(key);
        }
    }

    /// The attempt that was claimed with a token.
    pub fn with_token(&self, token: Token) -> Option<&Attempt> {
        self.tokens.get(&token).and_then(|key| self.attempts.get(key))
    }

    fn end(&mut self, end: &End, now: Timestamp) -> Ended {
        let Some(mut attempt) = self.with_token(end.completion.token).cloned() else { return Ended::Orphan };
        if let Condition::LeaseOver { boot } = end.condition
            && !attempt.lease.is_over(now, boot)
        {
            return Ended::Refused;
        }
        let id = attempt.run.pipeline.clone();
        let row = self.rows.entry(id.clone()).or_insert_with(|| Row::absent(id));
        let folded = fold(row, &mut attempt, &end.completion);
        row.version += u64::from(folded != Folded::Already);
        let others = if again::concerns_others(&attempt, folded) { self.of_run(&attempt.run) } else { Vec::new() };
        again::give_up(&mut attempt, &others).into_iter().for_each(|other| self.put(other));
        if let Some(row) = self.rows.get_mut(&attempt.run.pipeline) {
            let alerts = alerts::of_end(row, &attempt, &end.completion, folded);
            self.post.put(alerts, now);
        }
        if let Some(mut newer) = newer(&attempt, &others) {
            attempt = hand_on(&attempt, &mut newer);
            self.put(newer);
        }
        self.put(attempt.clone());
        Ended::Folded(folded, Box::new(attempt))
    }

    fn apply(&mut self, transition: Transition, now: Timestamp) -> Verdict {
        let Transition { mut row, claim, closed, not_run, stops, alerts } = transition;
        let version = self.rows.get(&row.pipeline).map_or(0, |row| row.version);
        let is_pending = |token: &Token| self.with_token(*token).is_some_and(|attempt| attempt.retry_at.is_some());
        let closes_pending = closed.iter().all(is_pending);
        let claim_is_new = claim.as_ref().is_none_or(|claim| self.may_insert(claim));
        if version != row.version || !closes_pending || !claim_is_new {
            return Verdict::Lost;
        }
        for token in closed {
            if let Some(attempt) = self.with_token(token).cloned() {
                self.put(Attempt { retry_at: None, ..attempt });
            }
        }
        if let Some(claim) = claim {
            row.fence = claim.fence;
            self.put(claim);
        }
        for (token, stop) in stops {
            if let Some(attempt) = self.with_token(token).filter(|attempt| attempt.is_active()).cloned() {
                self.put(Attempt { stop: Some(stop), ..attempt });
            }
        }
        not_run.into_iter().for_each(|entry| self.record(entry));
        self.post.put(alerts, now);
        row.version += 1;
        self.rows.insert(row.pipeline.clone(), row);
        Verdict::Won
    }

    fn may_insert(&self, claim: &Attempt) -> bool {
        let Run { pipeline, scheduled_for } = &claim.run;
        let first = (pipeline.clone(), *scheduled_for, 0);
        let mut of_run = self.of_pipeline_from(first).map(|(_, attempt)| attempt).take_while(|a| a.run == claim.run);
        of_run.all(|attempt| attempt.number != claim.number && !attempt.is_active())
    }

    fn record(&mut self, entry: NotRun) {
        let continues = |before: &&mut NotRun| {
            before.pipeline == entry.pipeline
                && entry.reason.is_stretch()
                && before.reason == entry.reason
                && Some(before.last) == entry.after
        };
        match self.not_run.iter_mut().find(continues) {
            Some(before) => {
                before.last = entry.last;
                before.count += entry.count;
                before.at_least |= entry.at_least;
                before.decided_at = entry.decided_at;
            }
            None => {
                let same = |other: &NotRun| {
                    (&other.pipeline, other.first, other.reason) == (&entry.pipeline, entry.first, entry.reason)
                };
                let before = self.not_run.iter().position(same);
                let mut entry = NotRun { after: None, ..entry };
                if let Some(at) = before {
                    let before = self.not_run.remove(at);
                    entry.last = entry.last.max(before.last);
                    entry.count = entry.count.max(before.count);
                    entry.at_least |= before.at_least;
                }
                self.not_run.push(entry);
            }
        }
    }

    /// What happened, newest decision first.
    pub fn history(&self, query: &Query) -> Vec<Record> {
        let of_pipeline = |id: &PipelineId| query.pipeline.as_ref().is_none_or(|wanted| wanted == id);
        let those: Box<dyn Iterator<Item = &Attempt>> = match query.token {
            Some(token) => Box::new(self.with_token(token).into_iter()),
            None => Box::new(self.attempts.values()),
        };
        let attempts = those.filter(|attempt| {
            of_pipeline(&attempt.run.pipeline) && query.run.as_ref().is_none_or(|run| *run == attempt.run)
        });
        let not_run = self.not_run.iter().filter(|entry| {
            let of_run = query.run.as_ref().is_none_or(|run| {
                run.pipeline == entry.pipeline && (entry.first..=entry.last).contains(&run.scheduled_for)
            });
            !query.attempts_only && query.token.is_none() && of_pipeline(&entry.pipeline) && of_run
        });
        let mut records: Vec<Record> = attempts
            .map(|attempt| Record::Attempt(Box::new(attempt.clone())))
            .chain(not_run.map(|entry| Record::NotRun(entry.clone())))
            .collect();
        records.sort_by(super::super::newest_first);
        records.truncate(query.limit);
        records
    }
}
