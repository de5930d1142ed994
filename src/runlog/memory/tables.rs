//! What a run-log does with a load, a commit and a renewal: the contract as a value, without a lock, a clock or a disk.
//!
//! The reference that every backend is read against, and the store of the model (tests/model), which holds it as a part
//! of its state.
//!
//! Holds always: what is refused has changed nothing; time is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::contract::{
    Batch, Committed, Condition, End, Ended, Query, Record, Scope, Transition, Verdict, View,
};
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::plan::{Folded, fold};
use crate::run::{Attempt, NotRun, Reason, Row};

/// All that a run-log knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tables {
    /// What is known of each pipeline.
    pub rows: BTreeMap<PipelineId, Row>,
    /// By pipeline, instant and number: the key that no two claims share.
    pub attempts: BTreeMap<(PipelineId, Timestamp, u32), Attempt>,
    /// What was decided without being run, in the order of the first decision.
    pub not_run: Vec<NotRun>,
}

impl Tables {
    /// What a load of `scope` gives at `now`.
    pub fn view(&self, scope: &Scope, now: Timestamp) -> View {
        let wanted = |id: &PipelineId| match scope {
            Scope::All => true,
            Scope::Only(ids) => ids.contains(id),
        };
        let rows: BTreeMap<_, _> =
            self.rows.iter().filter(|(id, _)| wanted(id)).map(|(id, row)| (id.clone(), row.clone())).collect();
        let mut view = View { now, rows, open: BTreeMap::new(), decided: BTreeMap::new() };
        for ((id, scheduled_for, _), attempt) in self.attempts.iter().filter(|((id, ..), _)| wanted(id)) {
            if attempt.is_open() {
                view.open.entry(id.clone()).or_default().push(attempt.clone());
            }
            let cursor = || self.rows.get(id).and_then(|row| row.cursor);
            if matches!(scope, Scope::Only(_)) && cursor().is_none_or(|cursor| *scheduled_for > cursor) {
                let decided = view.decided.entry(id.clone()).or_default();
                if decided.last() != Some(scheduled_for) {
                    decided.push(*scheduled_for);
                }
            }
        }
        view
    }

    /// Applies ends first, then transitions, each on its own: whole or not at all.
    pub fn commit(&mut self, batch: Batch, now: Timestamp) -> Committed {
        let ends = batch.ends.iter().map(|end| self.end(end, now)).collect();
        let verdicts = batch.transitions.into_iter().map(|transition| self.apply(transition)).collect();
        Committed { now: Some(now), ends, verdicts }
    }

    /// Gives `lease` to those claims of `tokens` that are still held, and returns them.
    pub fn renew(&mut self, tokens: &[Token], lease: Lease) -> Vec<Token> {
        let held = self.attempts.values_mut().filter(|a| a.is_active() && tokens.contains(&a.token));
        held.map(|attempt| (attempt.lease = attempt.lease.renewed(lease), attempt.token).1).collect()
    }

    fn end(&mut self, end: &End, now: Timestamp) -> Ended {
        let Some(attempt) = self.attempts.values_mut().find(|a| a.token == end.completion.token) else {
            return Ended::Orphan;
        };
        if let Condition::LeaseOver { boot } = end.condition
            && !attempt.lease.is_over(now, boot)
        {
            return Ended::Refused;
        }
        let id = attempt.run.pipeline.clone();
        let row = self.rows.entry(id.clone()).or_insert_with(|| Row::absent(id));
        let folded = fold(row, attempt, &end.completion);
        row.version += u64::from(folded != Folded::Already);
        Ended::Folded(folded, Box::new(attempt.clone()))
    }

    fn apply(&mut self, transition: Transition) -> Verdict {
        let Transition { mut row, claim, closed, not_run } = transition;
        let version = self.rows.get(&row.pipeline).map_or(0, |row| row.version);
        let closes_pending = closed
            .iter()
            .all(|token| self.attempts.values().any(|attempt| attempt.token == *token && attempt.retry_at.is_some()));
        let claim_is_new = claim.as_ref().is_none_or(|claim| self.may_insert(claim));
        if version != row.version || !closes_pending || !claim_is_new {
            return Verdict::Lost;
        }
        for attempt in self.attempts.values_mut().filter(|attempt| closed.contains(&attempt.token)) {
            attempt.retry_at = None;
        }
        if let Some(claim) = claim {
            row.fence = claim.fence;
            self.attempts.insert((claim.run.pipeline.clone(), claim.run.scheduled_for, claim.number), claim);
        }
        not_run.into_iter().for_each(|entry| self.record(entry));
        row.version += 1;
        self.rows.insert(row.pipeline.clone(), row);
        Verdict::Won
    }

    fn may_insert(&self, claim: &Attempt) -> bool {
        let mut of_run = self.attempts.values().filter(|attempt| attempt.run == claim.run);
        of_run.all(|attempt| attempt.number != claim.number && !attempt.is_active())
    }

    fn record(&mut self, entry: NotRun) {
        let continues = |before: &&mut NotRun| {
            before.pipeline == entry.pipeline
                && entry.reason == Reason::Missed
                && before.reason == Reason::Missed
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
                self.not_run.retain(|other| !same(other));
                self.not_run.push(NotRun { after: None, ..entry });
            }
        }
    }

    /// What happened, newest decision first.
    pub fn history(&self, query: &Query) -> Vec<Record> {
        let of_pipeline = |id: &PipelineId| query.pipeline.as_ref().is_none_or(|wanted| wanted == id);
        let attempts = self.attempts.values().filter(|attempt| {
            of_pipeline(&attempt.run.pipeline)
                && query.run.as_ref().is_none_or(|run| *run == attempt.run)
                && query.token.is_none_or(|token| token == attempt.token)
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
