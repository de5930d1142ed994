//! Looks at everything that the store takes: what must never be taken is noticed at that moment.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tickward::clock::Clock;
use tickward::occurrence::Token;
use tickward::plan::Folded;
use tickward::run::{Attempt, NotRun, Outcome};
use tickward::runlog::contract::{
    Batch, Committed, Condition, Ended, Imported, Query, Record, RunLog, Scope, Transition, Verdict, View,
};

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
            if let Some(claim) = &transition.claim {
                let now = world.time.elapsed();
                world.known().claimed_at.insert(claim.token, now);
            }
            check_row(world, transition);
        }
    }
}

/// Notes what became of an attempt that a host has made alone.
pub fn imported(world: &World, owner: &str, attempt: &Attempt, imported: Imported) {
    let outcome = attempt.outcome().map_or("running".into(), |outcome| outcome.to_string());
    world.say(format!("{owner}: hands over {}, {outcome}: {imported:?}", name(attempt)));
    if imported == Imported::Waits {
        world.known().waiting.insert(attempt.token);
    }
}

/// What is claimed has not succeeded by anything that the store knows, whichever host has made it, and however late it was told.
pub async fn check_claims(world: &Arc<World>, batch: &Batch, committed: &Committed) {
    let won = batch.transitions.iter().zip(&committed.verdicts).filter(|(_, verdict)| **verdict == Verdict::Won);
    for claim in won.filter_map(|(transition, _)| transition.claim.as_ref()).filter(|claim| !claim.by_hand) {
        let query = Query { run: Some(claim.run.clone()), attempts_only: true, limit: usize::MAX, ..Query::default() };
        for record in world.truth.history(query).await.unwrap_or_default() {
            let Record::Attempt(other) = record else { continue };
            let outcomes = [other.outcome(), other.late_outcome];
            if outcomes.into_iter().flatten().any(Outcome::is_success) {
                world.is_wrong(format!("{} is claimed, and {} has succeeded", name(claim), name(&other)));
            }
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
