//! Turns decisions into what the run-log is asked to commit, and makes claims of drafts.

use std::time::Duration;

use super::env::{Env, StoreTime};
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::Token;
use crate::pipeline::Pipeline;
use crate::plan::{Decision, Draft, tally};
use crate::run::{Attempt, Policy};
use crate::runlog::contract::Transition;

/// Room between the end of a lease and the instant at which the body must be gone.
const MARGIN: Duration = Duration::from_secs(5);

/// A claim that we hold.
#[derive(Clone, Debug)]
pub struct Held {
    /// The attempt as it was claimed.
    pub attempt: Attempt,
    /// When it was claimed, by the boot clock.
    pub claimed_at: BootTime,
    /// How long its body may take to end.
    pub kill_grace: Duration,
    /// Somebody else has ended it, or taken it over: there is nothing left to renew.
    pub is_gone: bool,
}

impl Held {
    /// When the body must be told to end unless the lease is renewed.
    pub fn stop_at(&self) -> BootTime {
        let room = MARGIN.min(self.attempt.lease.length / 6);
        self.attempt.lease.until_boot.minus(room).minus(self.kill_grace)
    }

    /// When the lease is to be renewed.
    pub fn renew_at(&self) -> BootTime {
        let lease = &self.attempt.lease;
        lease.since_boot().plus(lease.length / 3)
    }
}

/// The transition that carries out a decision. Its claim counts from now, before it is sent.
pub fn transition(env: &Env, time: &StoreTime, pipeline: &Pipeline, decision: &Decision) -> Transition {
    let claim = decision.claim.as_ref().map(|draft| attempt(env, time, pipeline, draft, decision.row.fence + 1));
    let follows = decision.claim.as_ref().and_then(|draft| draft.follows);
    let mut row = decision.row.clone();
    tally(&mut row, &decision.not_run);
    Transition {
        row,
        claim,
        closed: decision.closed.iter().copied().chain(follows).collect(),
        not_run: decision.not_run.clone(),
        stops: decision.stops.clone(),
        alerts: decision.alerts.clone(),
    }
}

fn attempt(env: &Env, time: &StoreTime, pipeline: &Pipeline, draft: &Draft, fence: u64) -> Attempt {
    let boot = env.clock.boot();
    let now = time.of(boot);
    Attempt {
        run: draft.run.clone(),
        number: draft.number,
        tries: draft.tries,
        earlier_starts: draft.earlier_starts,
        interruptions: draft.interruptions,
        trigger: draft.trigger,
        by_hand: draft.by_hand,
        token: Token(env.host.mint()),
        fence,
        owner: env.owner.clone(),
        policy: Policy::of(pipeline),
        claimed_at: now,
        lease: Lease::from(now, boot, pipeline.lease),
        end: None,
        retry_at: None,
        gave_up: false,
        late_outcome: None,
        stop: None,
        degraded: env.run_log.is_degraded(),
    }
}
