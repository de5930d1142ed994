//! Forgets a pipeline, and gives one another name, in the reference of all run-logs.
//!
//! Holds always: a row stays under every name that a claim was ever made under.

use jiff::Timestamp;

use super::super::contract::{Forgotten, Verdict};
use super::tables::{Key, Tables};
use crate::occurrence::{PipelineId, Run};
use crate::run::{Attempt, Row};

impl Tables {
    /// Forgets a pipeline, unless an attempt of it is active.
    pub fn forget(&mut self, id: &PipelineId) -> Forgotten {
        let Some(row) = self.rows.get(id).filter(|row| !row.is_guard() || self.has_records(id)) else {
            return Forgotten::Unknown;
        };
        let row = row.forgotten();
        if self.keys_of(id).iter().any(|key| self.attempts[key].is_active()) {
            return Forgotten::Active;
        }
        let entries = self.not_run.len();
        self.not_run.retain(|entry| entry.pipeline != *id);
        let attempts = self.take_attempts(id);
        self.rows.insert(id.clone(), Row { version: row.version + 1, ..row });
        Forgotten::Done { records: (attempts.len() + entries - self.not_run.len()) as u64 }
    }

    /// Gives what is known of `from` the name `to`.
    pub fn rename(&mut self, from: &PipelineId, to: &PipelineId, now: Timestamp) -> Verdict {
        let Some(old) = self.rows.get(from).filter(|row| row.may_move() || self.has_attempts(from)) else {
            return Verdict::Lost;
        };
        let new = self.rows.get(to).cloned().unwrap_or_else(|| Row::absent(to.clone()));
        if from == to || !new.gives_way() || self.has_attempts(to) {
            return Verdict::Lost;
        }
        let (moved, left) = old.moved(&new, now);
        self.not_run.retain(|entry| entry.pipeline != *to);
        self.not_run.iter_mut().filter(|entry| entry.pipeline == *from).for_each(|entry| entry.pipeline = to.clone());
        for attempt in self.take_attempts(from) {
            let run = Run { pipeline: to.clone(), ..attempt.run };
            self.put(Attempt { run, ..attempt });
        }
        for row in [moved, left] {
            self.rows.insert(row.pipeline.clone(), Row { version: row.version + 1, ..row });
        }
        Verdict::Won
    }

    fn has_records(&self, id: &PipelineId) -> bool {
        self.has_attempts(id) || self.not_run.iter().any(|entry| entry.pipeline == *id)
    }

    fn has_attempts(&self, id: &PipelineId) -> bool {
        !self.keys_of(id).is_empty()
    }

    fn keys_of(&self, id: &PipelineId) -> Vec<Key> {
        let (first, last) = ((id.clone(), Timestamp::MIN, 0), (id.clone(), Timestamp::MAX, u32::MAX));
        self.attempts.range(first..=last).map(|(key, _)| key.clone()).collect()
    }
}
