//! Claims whose commit was not answered and not found: a server may carry it out still, for a connection that is gone.
//!
//! Holds always: while its row is untouched such a claim may arrive, also in the place of what is sent after it; once the row has
//! changed it is there or never will be.

use super::Work;
use super::answers::tokens_of;
use crate::occurrence::{PipelineId, Token};
use crate::runlog::contract::{Transition, View};

/// A claim whose commit was not answered.
pub(super) struct UnderWay {
    transition: Transition,
    /// A later claim has lost, perhaps to this one.
    is_suspected: bool,
}

impl Work<'_> {
    /// Its commit was not answered, and may be carried out still: while its row is untouched, also by what replaces it.
    pub(super) fn is_under_way(&mut self, transition: Transition) {
        self.look_again.push(transition.row.pipeline.clone());
        if let Some(claim) = &transition.claim {
            let token = claim.token;
            self.under_way.insert(token, UnderWay { transition, is_suspected: false });
        }
    }

    /// What has become of claims that were under way: those that are in the store are won, those whose row was changed
    /// otherwise can no longer be.
    pub(super) fn arrived(&mut self, ids: &[PipelineId], view: &View) {
        let now = self.env.clock.boot();
        let there = tokens_of(view);
        let version = |id: &PipelineId| view.rows.get(id).map_or(0, |row| row.version);
        let is_known = |token: &Token, claim: &mut UnderWay| {
            let row = &claim.transition.row;
            ids.contains(&row.pipeline) && (there.contains_key(token) || version(&row.pipeline) != row.version)
        };
        for (token, claim) in self.under_way.extract_if(.., is_known).collect::<Vec<_>>() {
            match there.contains_key(&token) {
                true => self.won(claim.transition, now),
                false => self.report.claimed_elsewhere += 1,
            }
        }
    }

    /// Whether what a claim of this pipeline has lost to may be one that is under way: then the next look finds it. It may
    /// also have been kept back by something else: no second look is wanted for that.
    pub(super) fn may_have_lost_to_ours(&mut self, id: &PipelineId) -> bool {
        let mut may = false;
        for earlier in self.under_way.values_mut().filter(|earlier| earlier.transition.row.pipeline == *id) {
            may |= !std::mem::replace(&mut earlier.is_suspected, true);
        }
        may
    }
}
