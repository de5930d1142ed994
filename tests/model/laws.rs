//! What must never happen, looked for in every step; the numbers are those of the invariants that all tests share.

use std::collections::BTreeSet;

use tickward::occurrence::Token;
use tickward::owner::Owner;
use tickward::run::{Attempt, Outcome};
use tickward::runlog::memory::Tables;

use super::Model;
use super::bounds::boot;
use super::world::{BodyState, Process, World, process_of};

/// A law, by the name under which its breach is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// I1.
    NoAttemptStartsTwice,
    /// I2.
    AStartFollowsItsClaim,
    /// I3.
    AnEndIsFinal,
    /// I4.
    TheNextFollowsTheEnd,
    /// I5.
    AnEndIsItsOwn,
    /// I6.
    NoRunBeyondItsPolicy,
    /// I9.
    FencesGrow,
    /// Released is what never starts.
    WhatIsReleasedNeverStarts,
    /// A take-over finds the lease over, or the process gone.
    WhatHoldsIsNotTakenOver,
    /// A tick that ends in order has recorded its ends and holds no claim any more.
    NothingIsLeftBehind,
}

impl Law {
    pub const ALL: [Law; 10] = [
        Law::NoAttemptStartsTwice,
        Law::AStartFollowsItsClaim,
        Law::AnEndIsFinal,
        Law::TheNextFollowsTheEnd,
        Law::AnEndIsItsOwn,
        Law::NoRunBeyondItsPolicy,
        Law::FencesGrow,
        Law::WhatIsReleasedNeverStarts,
        Law::WhatHoldsIsNotTakenOver,
        Law::NothingIsLeftBehind,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Law::NoAttemptStartsTwice => "no attempt starts twice",
            Law::AStartFollowsItsClaim => "a start follows its claim",
            Law::AnEndIsFinal => "an end is final",
            Law::TheNextFollowsTheEnd => "the next follows the end",
            Law::AnEndIsItsOwn => "an end is its own",
            Law::NoRunBeyondItsPolicy => "no run beyond its policy",
            Law::FencesGrow => "fences grow",
            Law::WhatIsReleasedNeverStarts => "what is released never starts",
            Law::WhatHoldsIsNotTakenOver => "what holds is not taken over",
            Law::NothingIsLeftBehind => "nothing is left behind",
        }
    }

    /// At the start of a body, which has been counted.
    pub fn at_the_start_of(world: &World, token: Token) -> BTreeSet<Law> {
        let mut broken = BTreeSet::new();
        if world.bodies[&token].starts > 1 {
            broken.insert(Law::NoAttemptStartsTwice);
        }
        let Some(attempt) = world.attempt(token) else {
            broken.insert(Law::AStartFollowsItsClaim);
            return broken;
        };
        let of_run = || world.tables.attempts.values().filter(|other| other.run == attempt.run);
        if of_run().any(|earlier| earlier.number < attempt.number && earlier.is_active()) {
            broken.insert(Law::TheNextFollowsTheEnd);
        }
        let starts: u32 = of_run().filter_map(|a| world.bodies.get(&a.token)).map(|body| u32::from(body.starts)).sum();
        if starts > attempt.policy.retry.max_attempts {
            broken.insert(Law::NoRunBeyondItsPolicy);
        }
        if attempt.outcome() == Some(Outcome::Released) {
            broken.insert(Law::WhatIsReleasedNeverStarts);
        }
        broken
    }

    /// At the end of a tick that was not killed.
    pub fn at_the_end_of(world: &World, me: Process, owner: &Owner) -> BTreeSet<Law> {
        let is_forgotten = |attempt: &&Attempt| {
            attempt.is_active() && attempt.owner.id == owner.id && !world.given_up.contains(&attempt.token)
        };
        let is_recorded = |token: &Token, outcome: Outcome| {
            world.attempt(*token).is_none_or(|attempt| {
                // Of what never started there is nothing to keep beside a loss.
                let is_kept = attempt.outcome() == Some(outcome) || attempt.late_outcome == Some(outcome);
                is_kept || (outcome == Outcome::Released && !attempt.is_active())
            })
        };
        let mut mine = world.bodies.iter().filter(|(_, body)| body.of == me);
        let all_recorded = mine.all(|(token, body)| match body.state {
            BodyState::Ended(outcome) => is_recorded(token, outcome),
            _ => false,
        });
        let left = world.tables.attempts.values().any(|attempt| is_forgotten(&attempt)) || !all_recorded;
        left.then_some(Law::NothingIsLeftBehind).into_iter().collect()
    }

    /// After a commit.
    pub fn at_a_commit(model: &Model, before: &Tables, world: &World) -> BTreeSet<Law> {
        let mut broken = BTreeSet::new();
        let after = &world.tables;
        for (key, attempt) in &after.attempts {
            let earlier = before.attempts.get(key);
            if !is_its_own(world, attempt) {
                broken.insert(Law::AnEndIsItsOwn);
            }
            if earlier.is_some_and(|earlier| earlier.is_active()) && is_taken_over(attempt) {
                let process = process_of(&attempt.owner);
                if world.tick(process).is_some() && attempt.lease.until_boot > boot(world.clock) {
                    broken.insert(Law::WhatHoldsIsNotTakenOver);
                }
            }
            let started = world.bodies.get(&attempt.token).is_some_and(|body| body.starts > 0);
            if attempt.outcome() == Some(Outcome::Released) && started {
                broken.insert(Law::WhatIsReleasedNeverStarts);
            }
            let of_run = after.attempts.values().filter(|other| other.run == attempt.run);
            if of_run.filter(|other| other.number < attempt.number).any(Attempt::is_active) {
                broken.insert(Law::TheNextFollowsTheEnd);
            }
            if attempt.tries > attempt.policy.retry.max_attempts {
                broken.insert(Law::NoRunBeyondItsPolicy);
            }
            let of_pipeline = after.attempts.values().filter(|other| other.run.pipeline == attempt.run.pipeline);
            if of_pipeline.filter(|other| other.fence == attempt.fence).count() > 1 {
                broken.insert(Law::FencesGrow);
            }
        }
        let is_final = |(key, earlier): (_, &Attempt)| {
            let now: Option<&Attempt> = after.attempts.get(key);
            now.is_some_and(|now| {
                (earlier.is_active() || earlier.end == now.end)
                    && (earlier.late_outcome.is_none() || earlier.late_outcome == now.late_outcome)
            })
        };
        if !before.attempts.iter().all(is_final) {
            broken.insert(Law::AnEndIsFinal);
        }
        let grows = |id| {
            let (earlier, now) = (before.rows.get(id), after.rows.get(id));
            earlier.map(|row| (row.fence, row.version, row.cursor))
                <= now.map(|row| (row.fence, row.version, row.cursor))
                && earlier.map(|row| row.cursor) <= now.map(|row| row.cursor)
        };
        if !model.pipelines.iter().all(|pipeline| grows(&pipeline.id)) {
            broken.insert(Law::FencesGrow);
        }
        broken
    }
}

/// Somebody else has ended it: what a worker itself reports keeps its token in the tail.
fn is_taken_over(attempt: &Attempt) -> bool {
    attempt.end.as_ref().is_some_and(|end| end.tail.is_empty())
}

/// Its end is what its own worker said, or a take-over; what came late is what its worker said.
fn is_its_own(world: &World, attempt: &Attempt) -> bool {
    let by_itself = attempt.end.as_ref().is_none_or(|end| {
        let by_token = end.token == attempt.token && (end.tail.is_empty() || end.tail == attempt.token.to_string());
        by_token && (!end.tail.is_empty() || matches!(end.outcome, Outcome::Lost | Outcome::Released))
    });
    let said = world.bodies.get(&attempt.token).map(|body| body.state);
    let late = attempt.late_outcome.is_none_or(|outcome| said == Some(BodyState::Ended(outcome)));
    by_itself && late
}
