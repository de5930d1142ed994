//! Ends a tick before its work is done.
//!
//! Holds always: what was claimed and not started is given back; what runs is told to end, and its end is recorded.

use std::collections::BTreeMap;

use super::super::env::StopWish;
use super::{AT_ONCE, Work};
use crate::executor::Stop;
use crate::occurrence::{Run, Token};
use crate::run::Completion;
use crate::runlog::contract::End;

impl Work<'_> {
    pub(super) fn heed(&mut self, wish: StopWish) {
        match wish {
            StopWish::None => {}
            StopWish::Soon(signal) => {
                self.report.stopped_by.get_or_insert(signal);
                self.wind_up("the tick was told to stop");
            }
            StopWish::Now(signal) => {
                self.report.stopped_by.get_or_insert(signal);
                self.wind_up("the tick was told to stop");
                self.env.executor.kill_all();
                self.leaves_at.get_or_insert(self.env.clock.boot().plus(AT_ONCE));
            }
        }
    }

    /// Claims nothing more, gives back what was not started, and stops what runs.
    pub(super) fn wind_up(&mut self, why: &str) {
        self.stopping = true;
        self.to_claim.clear();
        self.wakes.clear();
        self.look_again.clear();
        for held in std::mem::take(&mut self.claimed) {
            self.release(&held, why);
        }
        for token in self.running.keys() {
            self.env.executor.stop(*token, Stop::Interrupted);
        }
    }
}

/// The ends that were not recorded, each with the id of its run where that is known.
pub(super) fn to_spool(ended: &[End], runs: &BTreeMap<Token, Run>) -> Vec<(String, Completion)> {
    let named = |end: &End| {
        let token = end.completion.token;
        (runs.get(&token).map_or_else(|| token.to_string(), Run::id), end.completion.clone())
    };
    ended.iter().map(named).collect()
}
