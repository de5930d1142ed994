//! Jobs that have come to the supervisor and wait for a place.
//!
//! Waiting here and not at the tick saves two messages between one body's end and the next one's start.

use std::collections::VecDeque;

use super::Job;
use crate::clock::BootTime;
use crate::occurrence::Token;

/// Waiting jobs, in the order in which they came.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Job>);

impl Queue {
    pub(super) fn push(&mut self, job: Job) {
        self.0.push_back(job);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next job, if there is a place for it beside `running` others.
    pub(super) fn next(&mut self, running: usize) -> Option<Job> {
        let has_place = |job: &Job| job.places.is_none_or(|places| running < places as usize);
        self.0.front().is_some_and(has_place).then(|| self.0.pop_front()).flatten()
    }

    /// Moves the instant after which a job must not be started.
    pub(super) fn extend(&mut self, token: Token, stop_at: BootTime) {
        if let Some(job) = self.0.iter_mut().find(|job| job.token == token) {
            job.stop_at = stop_at;
        }
    }

    /// Takes out the jobs that `which` names; returns their tokens.
    pub(super) fn take(&mut self, which: impl Fn(&Job) -> bool) -> Vec<Token> {
        let (out, stay): (Vec<_>, Vec<_>) = self.0.drain(..).partition(which);
        self.0.extend(stay);
        out.into_iter().map(|job| job.token).collect()
    }
}
