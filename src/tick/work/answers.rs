//! Takes in what the run-log has answered.
//!
//! Holds always: a claim whose answer was lost counts as won only where its token is found in the store; an end is sent
//! again until it is recorded or the tick gives up and says so.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::super::env::StoreTime;
use super::super::record;
use super::{Answer, Held, Work};
use crate::clock::BootTime;
use crate::executor::Stop;
use crate::failpoint::{self, Point};
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::pipeline::Overlap;
use crate::plan::Folded;
use crate::run::{Attempt, Outcome, Row};
use crate::runlog::Error;
use crate::runlog::contract::{Batch, Committed, Condition, End, Ended, Renewed, Scope, Transition, Verdict, View};

/// The first wait after a failed request; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// So many failures in a row, about 25 seconds, and a tick with nothing else to do gives up.
const FAILURES: u32 = 7;

impl Work<'_> {
    pub(super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Committed(batch, Ok(committed)) => self.committed(batch, committed),
            Answer::Committed(batch, Err(error)) => {
                self.may_have_claimed |= !matches!(error, Error::Unavailable { .. });
                self.failed(&error);
                self.report.unrecorded = Some(error.to_string());
                self.ask_what_is_there(batch);
            }
            Answer::Resolved(batch, Ok(view)) => self.resolved(batch, &view),
            Answer::Resolved(batch, Err(error)) => {
                self.failed(&error);
                batch.ends.into_iter().for_each(|end| self.note_end(end));
                for transition in batch.transitions {
                    if self.failures < FAILURES && !self.stopping {
                        self.is_under_way(transition);
                    } else if let Some(claim) = transition.claim {
                        tracing::warn!(run = claim.run.id(), "claim unknown: not run");
                    }
                }
            }
            Answer::Loaded(ids, Ok(view)) => self.loaded(&ids, &view),
            Answer::Loaded(ids, Err(error)) => {
                self.failed(&error);
                if self.failures < FAILURES && !self.stopping {
                    self.look_again.extend(ids);
                }
            }
            Answer::Renewed(tokens, lease, Ok(held)) => self.renewed(&tokens, lease, held),
            Answer::Renewed(_, _, Err(error)) => self.failed(&error),
        }
    }

    fn committed(&mut self, batch: Batch, committed: Committed) {
        (self.failures, self.gives_up_at) = (0, None);
        self.report.unrecorded = None;
        for (end, ended) in batch.ends.iter().zip(committed.ends) {
            match ended {
                Ended::Folded(folded, attempt) => self.folded(folded, *attempt),
                // The run-log has it by now, and takes its end from the spool.
                Ended::Orphan if self.env.run_log.is_degraded() => self.handed_over.push(end.clone()),
                Ended::Orphan | Ended::Refused => {
                    tracing::error!(token = ?end.completion.token, outcome = %end.completion.outcome, "end not taken");
                    self.untaken = Some("it does not know an attempt that has ended in this tick".into());
                }
            }
        }
        let now = self.env.clock.boot();
        self.told(committed.now);
        for (transition, verdict) in batch.transitions.into_iter().zip(committed.verdicts) {
            match verdict {
                Verdict::Won => self.won(transition, now),
                Verdict::Lost => self.lost(transition),
            }
        }
    }

    fn folded(&mut self, folded: Folded, attempt: Attempt) {
        failpoint::reached(Point::EndCommitted);
        self.unrecorded.remove(&attempt.token);
        if let Some(folder) = self.env.run_log.start_marks()
            && attempt.outcome() != Some(Outcome::Released)
        {
            self.env.host.remove_mark(&folder.join(attempt.token.to_string()));
            failpoint::reached(Point::MarkRemoved);
        }
        if folded == Folded::Late {
            tracing::error!(run = attempt.run.id(), attempt = attempt.number, "ended after it had been declared lost");
        }
        let id = &attempt.run.pipeline;
        if !self.stopping && self.more_is_due.remove(id) {
            self.look_again.push(id.clone());
        } else if let Some(at) = attempt.retry_at.filter(|at| !self.stopping && *at <= self.soon())
            && attempt.outcome() != Some(Outcome::Released)
        {
            self.wakes.insert((self.time.boot_at(at), id.clone()));
        }
        if !self.stopping && self.only.is_none() && attempt.outcome().is_some_and(Outcome::is_success) {
            let followers = self.dependents.get(id).into_iter().flatten();
            self.look_again.extend(followers.clone().cloned());
            self.following.extend(followers.cloned());
        }
        self.tell_ended(attempt);
    }

    pub(super) fn won(&mut self, transition: Transition, now: BootTime) {
        self.report.not_run.extend(transition.not_run);
        let Some(attempt) = transition.claim else { return };
        self.may_have_claimed = true;
        let Some(pipeline) = self.pipelines.get(&attempt.run.pipeline) else { return };
        failpoint::reached(Point::ClaimWon);
        self.report.waiting.remove(&attempt.run);
        if matches!(pipeline.overlap, Overlap::Allow(_)) && self.more_is_due.remove(&attempt.run.pipeline) {
            self.look_again.push(attempt.run.pipeline.clone());
        }
        self.claimed.push_back(Held { claimed_at: now, kill_grace: pipeline.kill_grace, is_gone: false, attempt });
        if self.stopping {
            self.wind_up("the tick was told to stop");
        }
    }

    fn lost(&mut self, transition: Transition) {
        let id = transition.row.pipeline;
        if self.may_have_lost_to_ours(&id) {
            self.look_again.push(id);
            return;
        }
        if transition.claim.is_some() {
            self.report.claimed_elsewhere += 1;
        }
        tracing::debug!(pipeline = %id, "decided elsewhere meanwhile");
        if !self.stopping && self.only.is_none() && self.lost_once.insert(id.clone()) {
            self.look_again.push(id);
        }
    }

    fn ask_what_is_there(&mut self, batch: Batch) {
        let ids: Vec<PipelineId> = batch.transitions.iter().map(|transition| transition.row.pipeline.clone()).collect();
        let env = self.env.clone();
        let not_before = self.ask_not_before;
        self.asked_at = not_before.max(self.env.clock.boot());
        self.asked = Some(Box::pin(async move {
            env.clock.sleep_until(not_before).await;
            let view = env.in_time(env.run_log.load(Scope::Only(ids))).await;
            Answer::Resolved(batch, view)
        }));
    }

    /// A commit whose answer was lost: own tokens that are in the store were won; ends are sent again.
    fn resolved(&mut self, batch: Batch, view: &View) {
        let now = self.env.clock.boot();
        let there = tokens_of(view);
        self.told(Some(view.now));
        self.report.unrecorded = None;
        batch.ends.into_iter().for_each(|end| self.note_end(end));
        for transition in batch.transitions {
            let row = view.rows.get(&transition.row.pipeline);
            let is_there = match &transition.claim {
                Some(claim) => there.contains_key(&claim.token),
                None => row.is_some_and(|row| is_result(&transition, row)),
            };
            let is_untouched = row.map_or(0, |row| row.version) == transition.row.version;
            match (is_there, is_untouched) {
                (true, _) => self.won(transition, now),
                // Nothing was applied yet: decided again and sent again, as long as the tick has not given up.
                (false, true) if self.stopping => {}
                (false, true) => self.is_under_way(transition),
                (false, false) => self.lost(transition),
            }
        }
    }

    fn loaded(&mut self, ids: &[PipelineId], view: &View) {
        self.told(Some(view.now));
        self.arrived(ids, view);
        let pipelines: Vec<_> = ids.iter().filter_map(|id| self.pipelines.get(id).copied()).collect();
        let decided = pipelines
            .into_iter()
            .map(|pipeline| super::super::decide(pipeline, &self.pipelines, view, self.options.interval));
        let decided: Vec<_> = decided.collect();
        if !self.stopping {
            self.take(decided);
        }
    }

    fn renewed(&mut self, tokens: &[Token], lease: Lease, held: Vec<Renewed>) {
        (self.failures, self.gives_up_at) = (0, None);
        for claim in self.claimed.iter_mut().chain(self.running.values_mut()) {
            let token = claim.attempt.token;
            if let Some(renewed) = held.iter().find(|renewed| renewed.token == token) {
                claim.attempt.lease = claim.attempt.lease.renewed(lease);
                claim.attempt.stop = renewed.stop.clone();
                match claim.attempt.stop {
                    Some(_) => self.env.executor.stop(token, Stop::Cancelled),
                    None => self.env.executor.extend(token, claim.stop_at()),
                }
            } else if tokens.contains(&token) {
                tracing::error!(run = claim.attempt.run.id(), "claim taken over: the body is stopped");
                claim.is_gone = true;
                self.env.executor.stop(token, Stop::LeaseOver);
            }
        }
        let is_held = |token: &Token| held.iter().any(|renewed| renewed.token == *token);
        let taken_over = |token: &Token| tokens.contains(token) && !is_held(token);
        self.claimed.retain(|claim| !taken_over(&claim.attempt.token));
        let is_unwanted = |held: &Held| held.attempt.stop.is_some();
        let (unwanted, wanted): (Vec<_>, Vec<_>) = self.claimed.drain(..).partition(is_unwanted);
        self.claimed = wanted.into();
        for held in unwanted {
            let completion = record::cancelled(&held.attempt, self.time.now(&*self.env.clock));
            self.note_end(End { completion, condition: Condition::Always });
        }
    }

    /// The store's clock may have been set since its last word.
    fn told(&mut self, now: Option<Timestamp>) {
        if let Some(now) = now {
            self.time = StoreTime::told(now, self.asked_at);
        }
    }

    /// The run-log did not do what it was asked: wait a little, then ask again.
    fn failed(&mut self, error: &Error) {
        self.failures += 1;
        self.last_failure = Some(error.to_string());
        let wait = FIRST_WAIT * (1 << self.failures.min(6));
        let now = self.env.clock.boot();
        self.ask_not_before = now.plus(wait);
        tracing::error!(%error, failures = self.failures, "run-log failed in the middle of a tick");
        if self.failures >= FAILURES {
            self.gives_up_at.get_or_insert(now);
        }
    }
}

/// Whether a row is what a transition without a claim made of it.
fn is_result(transition: &Transition, row: &Row) -> bool {
    row.version == transition.row.version + 1 && row.cursor == transition.row.cursor
}

/// Claims by token, to tell which ones a store has.
pub(super) fn tokens_of(view: &View) -> BTreeMap<Token, &Attempt> {
    view.open.values().flatten().map(|attempt| (attempt.token, attempt)).collect()
}
