//! Looks at everything that the store takes: what must never be taken is noticed at that moment.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tickward::clock::Clock;
use tickward::occurrence::Token;
use tickward::plan::Folded;
use tickward::run::{Attempt, NotRun, Outcome};
use tickward::runlog::contract::{Batch, Committed, Condition, Ended, RunLog, Scope, Transition, Verdict, View};

use crate::hosts::boot_id;
use crate::post;
use crate::store::Remote;
use crate::world::World;

/// The store before a commit that declares losses.
pub async fn before(world: &Arc<World>, batch: &Batch) -> Option<View> {
    let declares = batch.ends.iter().any(|end| end.condition != Condition::Always);
    if declares { world.truth.load(Scope::All).await.ok() } else { None }
}

/// Notes what a commit has done, and what of it may not be.
pub fn committed(way: &Remote, batch: &Batch, committed: &Committed, before: Option<&View>, heard: &str) {
    let (world, owner) = (&way.world, &way.owner);
    for (end, ended) in batch.ends.iter().zip(&committed.ends) {
        let completion = &end.completion;
        let Ended::Folded(folded, attempt) = ended else {
            world.say(format!("{owner}: {:?} {}: {ended:?}{heard}", completion.token, completion.outcome));
            continue;
        };
        let who = name(attempt);
        world.say(format!("{owner}: records {who} as {}: {folded:?}{heard}", completion.outcome));
        if attempt.token != completion.token {
            world.is_wrong(format!("{who} has taken the outcome of another attempt"));
        }
        let first = *world.known().outcomes.entry(attempt.token).or_insert(attempt.outcome().unwrap());
        if attempt.outcome() != Some(first) {
            world.is_wrong(format!("{who} was {first} and is {}", attempt.outcome().unwrap()));
        }
        let is_bad = matches!(attempt.outcome(), Some(Outcome::Failed | Outcome::TimedOut | Outcome::Lost));
        if is_bad && *folded == Folded::Ended && !post::was_told(world, &attempt.run.id(), attempt.number) {
            world.is_wrong(format!("{who} has failed, and nobody is told"));
        }
        if end.condition != Condition::Always && *folded == Folded::Ended {
            check_loss(way, completion.token, &who, before);
        }
    }
    for (transition, verdict) in batch.transitions.iter().zip(&committed.verdicts) {
        say_transition(world, owner, transition, *verdict, heard);
        if *verdict == Verdict::Won {
            check_row(world, transition);
        }
    }
}

fn name(attempt: &Attempt) -> String {
    format!("{} attempt {}", attempt.run.id(), attempt.number)
}

fn say_transition(world: &World, owner: &str, transition: &Transition, verdict: Verdict, heard: &str) {
    let word = if verdict == Verdict::Won { "won" } else { "refused" };
    if let Some(claim) = &transition.claim {
        world.say(format!("{owner}: claims {}: {word}{heard}", name(claim)));
    }
    for NotRun { pipeline, first, last, count, reason, .. } in &transition.not_run {
        let reason = reason.word();
        world.say(format!("{owner}: passes over {pipeline} {first} to {last} ({count}, {reason}): {word}{heard}"));
    }
}

/// A loss is declared only after the lease has ended, by the clock that counts: the boot clock, where it is the owner's.
fn check_loss(way: &Remote, token: Token, who: &str, before: Option<&View>) {
    let Some(attempt) = before.and_then(|view| view.open.values().flatten().find(|attempt| attempt.token == token))
    else {
        return;
    };
    let clock = way.world.clock(way.of_loop);
    let boot = (attempt.owner.boot == boot_id(&clock)).then(|| clock.boot());
    if !attempt.lease.is_over(way.world.now(), boot) {
        way.world.is_wrong(format!("{who} is taken over while its lease holds"));
    }
}

/// Cursors move forward but for a wrong clock's, fences always (I9).
fn check_row(world: &Arc<World>, transition: &Transition) {
    let row = &transition.row;
    let fence = transition.claim.as_ref().map_or(row.fence, |claim| claim.fence);
    // What is paused or held stays so in the same commit; nothing but a person starts it then (I8).
    let standing = &row.standing;
    let is_closed = standing.paused.as_ref().is_some_and(|pause| pause.until.is_none()) || standing.held.is_some();
    if let Some(claim) = transition.claim.as_ref().filter(|claim| is_closed && !claim.by_hand) {
        world.is_wrong(format!("{} is claimed while its pipeline is paused or held", name(claim)));
    }
    let before = world.known().rows.insert(row.pipeline.clone(), (row.cursor, fence));
    let Some((cursor, last_fence)) = before else { return };
    // What is further ahead than an hour is set back to the time of the tick that decides so, which may be wrong itself.
    let back = |cursor: Timestamp| row.cursor.map(|now| cursor.duration_since(now));
    let was_ahead = cursor.and_then(back).is_some_and(|back| back > SignedDuration::from_mins(55));
    if row.cursor < cursor && !(was_ahead && world.shape.has_steps) {
        world.is_wrong(format!("{}: its cursor goes back from {cursor:?} to {:?}", row.pipeline, row.cursor));
    }
    if fence < last_fence || transition.claim.is_some() && fence == last_fence {
        world.is_wrong(format!("{}: fence {fence} comes after {last_fence}", row.pipeline));
    }
}
