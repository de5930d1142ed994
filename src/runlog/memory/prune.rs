//! Removes old history, in the reference of all run-logs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::contract::{Pruned, Retention, Scope};
use super::super::retention::Spared;
use super::tables::{Key, Tables};
use crate::occurrence::PipelineId;
use crate::run::Attempt;

impl Tables {
    /// Removes what `retention` does not keep at `now`, as the contract says.
    pub fn prune(&mut self, scope: &Scope, retention: &Retention, limit: usize, now: Timestamp) -> Pruned {
        let mut pruned = Pruned::default();
        for id in self.rows.keys().filter(|id| scope.has(id)).cloned().collect::<Vec<_>>() {
            let left = |pruned: &Pruned| limit.saturating_sub((pruned.attempts + pruned.not_run) as usize);
            let (spared, mut keys) = self.over(&id, retention, now);
            pruned.more |= keys.len() > left(&pruned);
            keys.truncate(left(&pruned));
            keys.iter().for_each(|key| self.remove(key));
            pruned.attempts += keys.len() as u64;
            let mut room = left(&pruned);
            let mut is_left = false;
            self.not_run.sort_by_key(|entry| (entry.first, entry.reason.word()));
            self.not_run.retain(|entry| {
                let goes = entry.pipeline == id && retention.takes_not_run(entry, &spared);
                is_left |= goes && room == 0;
                let goes = goes && room > 0;
                room -= usize::from(goes);
                pruned.not_run += u64::from(goes);
                !goes
            });
            pruned.more |= is_left;
        }
        pruned
    }

    /// The attempts of a pipeline that go, oldest run first, and what stays in any case.
    fn over(&self, id: &PipelineId, retention: &Retention, now: Timestamp) -> (Spared, Vec<Key>) {
        let (first, end) = ((id.clone(), Timestamp::MIN, 0), (id.clone(), Timestamp::MAX, u32::MAX));
        let all: Vec<&Attempt> = self.attempts.range(first..=end).map(|(_, attempt)| attempt).collect();
        let mut runs: Vec<Timestamp> = all.iter().rev().map(|attempt| attempt.run.scheduled_for).collect();
        runs.dedup();
        let spared = Spared::of(retention, self.rows.get(id), &runs, now);
        let is_success = |attempt: &Attempt| attempt.outcome().is_some_and(|outcome| outcome.is_success());
        let success = all.iter().rev().find(|attempt| is_success(attempt)).map(|attempt| attempt.token);
        let open = all.iter().filter(|attempt| attempt.is_open()).map(|attempt| attempt.run.scheduled_for);
        let open: BTreeSet<Timestamp> = open.collect();
        let goes = |attempt: &&&Attempt| {
            retention.takes_attempt(attempt, &spared)
                && Some(attempt.token) != success
                && !open.contains(&attempt.run.scheduled_for)
        };
        let key = |attempt: &&Attempt| (id.clone(), attempt.run.scheduled_for, attempt.number);
        (spared, all.iter().filter(goes).map(key).collect())
    }
}
