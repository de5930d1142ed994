//! Accounts for every occurrence after a simulated world has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tickward::occurrence::Run;
use tickward::pipeline::{Overlap, Pipeline};
use tickward::run::{Attempt, NotRun, Outcome, Reason, Row};
use tickward::runlog::contract::{Query, Record, RunLog, Scope};
use tickward::tick::{Pipelines, would_decide};

use crate::clocks;
use crate::world::World;

/// Notes in the world what is wrong with what its run-log says in the end.
pub async fn audit(world: &Arc<World>) {
    let query = Query { limit: usize::MAX, ..Query::default() };
    let records = world.truth.history(query).await.unwrap();
    let view = world.truth.load(Scope::All).await.unwrap();
    let (mut attempts, mut not_run): (BTreeMap<Run, Vec<Attempt>>, Vec<NotRun>) = Default::default();
    for record in records {
        match record {
            Record::Attempt(attempt) => attempts.entry(attempt.run.clone()).or_default().push(*attempt),
            Record::NotRun(entry) => not_run.push(entry),
        }
    }
    for (run, of_run) in &mut attempts {
        of_run.sort_by_key(|attempt| attempt.number);
        check_run(world, run, of_run);
    }
    check_starts(world, &attempts);
    check_outcomes(world, &attempts);
    let pipelines: Pipelines<'_> = world.pipelines[1].iter().map(|p| (p.id.clone(), p)).collect();
    for pipeline in &world.pipelines[1] {
        match view.rows.get(&pipeline.id) {
            Some(row) => {
                // What has waited for its turn is decided by the next tick.
                let next = would_decide(pipeline, &pipelines, &view);
                let is_plain = pipeline.overlap == Overlap::Skip && pipeline.depends_on.is_empty();
                let waits = !is_plain || !pipeline.min_interval.is_zero();
                let turn = next.claim.filter(|_| waits).map(|draft| draft.run.scheduled_for);
                let passed = next.not_run.iter().filter(|_| waits).map(|entry| entry.first);
                let waiting = next.waiting.map(|waiting| waiting.run.scheduled_for);
                let waiting = passed.chain(turn).chain(waiting).min();
                check_pipeline(world, pipeline, row, &attempts, &not_run, waiting);
            }
            None => world.is_wrong(format!("{} was never seen", pipeline.id)),
        }
    }
}

/// Every occurrence was run, or passed over, once; nothing else was (I7).
fn check_pipeline(
    world: &Arc<World>,
    pipeline: &Pipeline,
    row: &Row,
    attempts: &BTreeMap<Run, Vec<Attempt>>,
    not_run: &[NotRun],
    waiting: Option<Timestamp>,
) {
    let known = row.schedules.first();
    let (Some(schedule), Some(since), Some(cursor)) = (&pipeline.schedule, known.map(|known| known.since), row.cursor)
    else {
        return;
    };
    let canonical = |pipeline: &Pipeline| pipeline.schedule.as_ref().map(|schedule| schedule.canonical());
    let before = world.pipelines[0].iter().find(|before| before.id == pipeline.id);
    let is_edited = before.map(canonical) != Some(canonical(pipeline));
    let settled = world.last_tick() - SignedDuration::from_mins(3);
    let of_this: Vec<&NotRun> = not_run.iter().filter(|entry| entry.pipeline == pipeline.id).collect();
    let waits = row.backlog_until.is_some();
    let ran_alone = |at: Timestamp| {
        let run = Run { pipeline: pipeline.id.clone(), scheduled_for: at };
        attempts.get(&run).is_some_and(|of_run| of_run.iter().any(|attempt| attempt.degraded))
    };
    let of_pipeline: BTreeMap<Timestamp, &Attempt> = attempts
        .iter()
        .filter(|(run, _)| run.pipeline == pipeline.id)
        .map(|(run, of_run)| (run.scheduled_for, &of_run[0]))
        .collect();
    let until = if world.shape.has_steps { settled } else { cursor.max(settled) };
    // What a wrong clock has counted of the years around is not gone through one by one.
    for at in schedule.occurrences_between(since.max(clocks::begin()), until) {
        let ran = of_pipeline.contains_key(&at);
        // Of what has run, these say that its retry is not made.
        let of_retry = |entry: &NotRun| ran && matches!(entry.reason, Reason::Superseded | Reason::Skipped);
        let passed = of_this.iter().filter(|e| e.first <= at && at <= e.last && !of_retry(e)).count();
        match (ran, passed) {
            (true, 0) | (false, 1) => {}
            (false, 0) if waits && at > cursor => {}
            // It waits for its turn, or for another pipeline.
            (false, 0) if waiting.is_some_and(|waiting| at >= waiting) => {}
            // A wrong clock has passed over what came true later.
            (ran, passed) if (ran || passed > 0) && world.shape.has_steps => {}
            // One host has passed over what another has run alone.
            (true, _) if ran_alone(at) => {}
            // Another schedule may have passed over the same instant for its own reasons.
            (true, 1) | (false, 2) if is_edited => {}
            (ran, passed) => world.is_wrong(format!("{} of {at}: run {ran}, passed over {passed} times", pipeline.id)),
        }
    }
    if is_edited {
        return;
    }
    let just_before = |instant: Timestamp| instant - SignedDuration::from_micros(1);
    let is_due = |at: Timestamp| schedule.occurrences_between(just_before(at), at).next().is_some();
    for (at, first) in of_pipeline.into_iter().filter(|(_, first)| !first.by_hand) {
        if !is_due(at) {
            world.is_wrong(format!("{} was run and is no occurrence", first.run.id()));
        }
    }
    let of_occurrences = |e: &&&NotRun| !matches!(e.reason, Reason::Superseded | Reason::Skipped);
    for entry in of_this.iter().filter(of_occurrences).filter(|entry| !entry.at_least && !world.shape.has_steps) {
        let all: Vec<Timestamp> = schedule.occurrences_between(just_before(entry.first), entry.last).collect();
        // What a host has run alone is not counted, unless that became known later.
        let (count, alone) = (all.len(), all.iter().filter(|at| ran_alone(**at)).count());
        if !((count - alone) as u64..=count as u64).contains(&entry.count) {
            let (said, first) = (entry.count, entry.first);
            world.is_wrong(format!("{}: {said} are counted, {count} there are, from {first}", pipeline.id));
        }
    }
}

/// Whatever has started is in the run-log, by whichever way its claim came there (I2).
fn check_starts(world: &Arc<World>, attempts: &BTreeMap<Run, Vec<Attempt>>) {
    let tokens: BTreeSet<_> = attempts.values().flatten().map(|attempt| attempt.token).collect();
    let unknown: Vec<_> = world.known().started.difference(&tokens).copied().collect();
    for token in unknown.into_iter().filter(|_| !world.shape.is_restored) {
        world.is_wrong(format!("{token:?} has started, and the run-log does not know of it"));
    }
}

/// What a body came to is recorded, unless its tick was killed or said that it could not be (I5).
fn check_outcomes(world: &Arc<World>, attempts: &BTreeMap<Run, Vec<Attempt>>) {
    let by_token: BTreeMap<_, _> = attempts.values().flatten().map(|attempt| (attempt.token, attempt)).collect();
    let known = world.known();
    let mut wrong = Vec::new();
    for (token, (who, owner)) in &known.ended_bodies {
        let attempt = by_token.get(token);
        let is_recorded = attempt.is_some_and(|attempt| {
            attempt.late_outcome.is_some() || attempt.outcome().is_some_and(|outcome| outcome != Outcome::Lost)
        });
        if known.complete.contains(owner) && !is_recorded {
            wrong.push(format!("{who} has ended, and its outcome is nowhere"));
        }
    }
    for (token, outcome) in &known.outcomes {
        let now = by_token.get(token).and_then(|attempt| attempt.outcome());
        if now != Some(*outcome) {
            wrong.push(format!("{token:?} was recorded as {outcome} and is {now:?}"));
        }
    }
    drop(known);
    wrong.into_iter().for_each(|line| world.is_wrong(line));
}

fn check_run(world: &Arc<World>, run: &Run, attempts: &[Attempt]) {
    let settled = world.last_tick() - SignedDuration::from_mins(15);
    for (place, attempt) in attempts.iter().enumerate() {
        let name = format!("{} attempt {}", run.id(), attempt.number);
        if attempt.number as usize != place + 1 {
            world.is_wrong(format!("{name} stands at place {}", place + 1));
        }
        if attempt.is_active() && (attempt.claimed_at < settled || world.shape.has_steps) {
            world.is_wrong(format!("{name} never ended"));
        }
        if attempt.outcome() == Some(Outcome::Released) && world.has_started(attempt.token) {
            world.is_wrong(format!("{name} is released and has started"));
        }
        // Another attempt is made under the policy of the one before it; that may have taken over what another host's file allows.
        let before = &attempts[place.saturating_sub(1)];
        let from = if before.degraded { 0 } else { place.saturating_sub(1) };
        let most =
            attempts[from..place.max(1)].iter().map(|earlier| earlier.policy.retry.max_attempts).max().unwrap_or(0);
        let is_counted = place == 0 || attempt.tries > before.tries;
        let more = if before.policy.idempotent == Some(true) { 3 } else { 0 };
        if is_counted && attempt.tries > most + more && !attempt.by_hand {
            world.is_wrong(format!("{name} is beyond its policy"));
        }
        // A host alone counts its fences on by itself.
        let is_alone = place > 0 && (attempt.degraded || attempts[..place].iter().any(|earlier| earlier.degraded));
        if place > 0 && !is_alone && attempts[place - 1].fence >= attempt.fence {
            world.is_wrong(format!("{name} has no higher fence than the one before"));
        }
    }
}
