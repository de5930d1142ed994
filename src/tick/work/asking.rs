//! Asks the run-log: what to send next, and when.
//!
//! A commit that carries ends carries the next claims; while bodies end quickly, ends go together.
//!
//! Holds always: one request is under way at a time, each bounded in time; a renewal goes before all else.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::claim::{self, Held};
use super::{AHEAD, Answer, BATCH, LATELY, TOGETHER, Work};
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::plan::Decision;
use crate::runlog::contract::{Batch, Scope, Transition};

impl Work<'_> {
    /// Sends the next request to the run-log, if one is wanted and none is under way.
    pub(super) fn ask(&mut self) {
        let now = self.env.clock.boot();
        self.wake_up();
        let has_given_up = self.running.is_empty() && self.gives_up_at.is_some_and(|at| now >= at);
        if self.asked.is_some() || now < self.ask_not_before || has_given_up {
            return;
        }
        self.asked_at = now;
        if let Some((tokens, length)) = self.to_renew(now) {
            self.ask_renewal(tokens, length, now);
        } else if !self.look_again.is_empty() {
            let ids: Vec<_> = std::mem::take(&mut self.look_again);
            let scope = Scope::Only(self.with_upstreams(&ids));
            let env = self.env.clone();
            self.asked = Some(Box::pin(async move {
                let view = env.in_time(env.run_log.load(scope)).await;
                Answer::Loaded(ids, view)
            }));
        } else if let Some(batch) = self.next_batch(now) {
            let env = self.env.clone();
            self.sent.clone_from(&batch.ends);
            self.asked = Some(Box::pin(async move {
                let committed = env.in_time(env.run_log.commit(batch.clone())).await;
                Answer::Committed(batch, committed)
            }));
        }
    }

    /// These pipelines, and what they depend on.
    fn with_upstreams(&self, ids: &[PipelineId]) -> Vec<PipelineId> {
        let upstreams = ids.iter().filter_map(|id| self.pipelines.get(id)).flat_map(|pipeline| &pipeline.depends_on);
        let all = ids.iter().chain(upstreams.map(|upstream| &upstream.pipeline));
        all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn next_batch(&mut self, now: BootTime) -> Option<Batch> {
        let places = self.places(now);
        let quick = self.lately.len() > self.options.jobs;
        let waited = self.ended_since.is_some_and(|since| !quick || now >= since.plus(TOGETHER));
        let idle = self.running.is_empty() && self.claimed.is_empty();
        let record = !self.ended.is_empty() && (waited || idle);
        let claim = places > 0 && !self.to_claim.is_empty();
        if !(record || claim || !self.to_note.is_empty()) {
            return None;
        }
        if claim {
            self.make_mark_folder();
        }
        self.ended_since = None;
        let ends = std::mem::take(&mut self.ended);
        let notes = self.to_note.split_off(self.to_note.len().saturating_sub(BATCH));
        let claims = self.to_claim.drain(..places.min(self.to_claim.len()).min(BATCH));
        let decisions: Vec<Decision> = notes.into_iter().chain(claims).collect();
        let transitions = decisions.iter().filter_map(|decision| self.transition(decision)).collect();
        Some(Batch { ends, transitions })
    }

    fn transition(&self, decision: &Decision) -> Option<Transition> {
        let pipeline = self.pipelines.get(&decision.row.pipeline)?;
        Some(claim::transition(self.env, &self.time, pipeline, decision))
    }

    /// How many more claims there is a place for, free or soon to be.
    fn places(&mut self, now: BootTime) -> usize {
        while self.lately.front().is_some_and(|at| now >= at.plus(LATELY)) {
            self.lately.pop_front();
        }
        if self.stopping {
            return 0;
        }
        let ahead = self.lately.len().min(AHEAD);
        let (held, free) = (self.running.len() + self.claimed.len(), self.options.jobs + ahead);
        let enough = held >= self.options.jobs && self.claimed.len() * 2 >= ahead;
        if enough { 0 } else { free.saturating_sub(held) }
    }

    /// The claims that there is something to renew of.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.claimed.iter().chain(self.running.values()).filter(|held| !held.is_gone)
    }

    /// The claims whose renewal is due: all of one length of lease.
    fn to_renew(&self, now: BootTime) -> Option<(Vec<Token>, Duration)> {
        let due = self.held().find(|held| held.renew_at() <= now)?.attempt.lease.length;
        let with_it = self.held().filter(|held| held.attempt.lease.length == due);
        Some((with_it.map(|held| held.attempt.token).collect(), due))
    }

    fn ask_renewal(&mut self, tokens: Vec<Token>, length: Duration, now: BootTime) {
        let lease = Lease::from(self.time.of(now), now, length);
        let env = self.env.clone();
        self.asked = Some(Box::pin(async move {
            let held = env.in_time(env.run_log.renew(tokens.clone(), lease)).await;
            Answer::Renewed(tokens, lease, held)
        }));
    }
}
