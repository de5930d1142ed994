//! Takes decisions in: what is committed now, what when there is a place, what is left to a later tick.
//!
//! Holds always: nothing is committed of a decision that is left.

use std::collections::HashMap;

use jiff::Timestamp;

use super::super::Pipelines;
use super::Work;
use crate::occurrence::PipelineId;
use crate::plan::{Decision, Draft, Waiting, WaitsFor};

impl Work<'_> {
    /// Leaves out what has to be decided on more than the first look showed: what seems to be missed or skipped may have
    /// been run.
    pub(super) fn sift(&mut self, decided: Vec<Decision>) -> Vec<Decision> {
        let passes_over = |decision: &Decision| !decision.not_run.is_empty();
        let (unsure, sure): (Vec<_>, Vec<_>) = decided.into_iter().partition(passes_over);
        self.look_again.extend(unsure.into_iter().map(|decision| decision.row.pipeline));
        sure
    }

    /// Sorts decisions into what is committed now and what is when there is a place.
    pub(super) fn take(&mut self, decided: Vec<Decision>) {
        let soon = self.soon();
        for decision in decided {
            let id = decision.row.pipeline.clone();
            if self.only.is_some() && decision.claim.as_ref().map(|draft| &draft.run) != self.only.as_ref() {
                // By what is counted here its time had come; by the store's clock, which may be behind, it has not yet.
                if let Some(at) = self.backoff_of_the_only(&decision).filter(|at| *at <= soon) {
                    self.wakes.insert((self.time.boot_at(at), id));
                }
                continue;
            }
            if self.is_for_a_later_tick(&decision) {
                continue;
            }
            super::super::note(&mut self.report, &decision);
            if decision.more_is_due {
                self.more_is_due.insert(id.clone());
            }
            if let Some(at) = decision.wake_at.filter(|at| *at <= soon) {
                self.wakes.insert((self.time.boot_at(at), id));
            }
            match (decision.changed, decision.claim.is_some()) {
                (false, _) => {}
                (true, false) => self.to_note.push(decision),
                (true, true) => self.to_claim.push_back(decision),
            }
        }
    }

    /// Until when a tick waits itself for what is not due yet.
    pub(super) fn soon(&self) -> Timestamp {
        let short = jiff::SignedDuration::try_from(self.options.short_retry).unwrap_or(jiff::SignedDuration::ZERO);
        self.time.now(&*self.env.clock).checked_add(short).unwrap_or(Timestamp::MAX)
    }

    /// When the next attempt at the only run is due, if that is what it waits for.
    fn backoff_of_the_only(&self, decision: &Decision) -> Option<Timestamp> {
        match decision.waiting.as_ref()? {
            Waiting { run, for_what: WaitsFor::Backoff(at) } if Some(run) == self.only.as_ref() => Some(*at),
            _ => None,
        }
    }

    /// What fell due after the tick had begun, unless it follows what the tick has done: else a tick would go on for as long
    /// as something falls due while it runs.
    fn is_for_a_later_tick(&mut self, decision: &Decision) -> bool {
        let follows = self.following.remove(&decision.row.pipeline);
        let first_attempt = |draft: &&Draft| draft.follows.is_none() && !draft.by_hand;
        let draft = decision.claim.as_ref().filter(first_attempt);
        !follows && draft.is_some_and(|draft| draft.run.scheduled_for > self.report.started_at)
    }
}

/// Who depends on whom.
pub fn dependents(pipelines: &Pipelines<'_>) -> HashMap<PipelineId, Vec<PipelineId>> {
    let mut dependents: HashMap<PipelineId, Vec<PipelineId>> = HashMap::new();
    for (id, pipeline) in pipelines {
        for upstream in &pipeline.depends_on {
            dependents.entry(upstream.pipeline.clone()).or_default().push(id.clone());
        }
    }
    dependents
}
