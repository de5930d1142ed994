//! Accounts for every occurrence after a simulated world has come to rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tickward::occurrence::Run;
use tickward::run::{Attempt, NotRun, Outcome, Reason};
use tickward::runlog::contract::{Query, Record, RunLog, Scope};

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
    for pipeline in &world.pipelines {
        let Some(row) = view.rows.get(&pipeline.id) else {
            world.is_wrong(format!("{} was never seen", pipeline.id));
            continue;
        };
        let (Some(schedule), Some(since)) = (&pipeline.schedule, row.schedules.last().map(|known| known.since)) else {
            continue;
        };
        let Some(cursor) = row.cursor else { continue };
        let settled = world.last_tick() - jiff::SignedDuration::from_mins(3);
        let due: Vec<Timestamp> = schedule.occurrences_between(since, cursor.max(settled)).collect();
        let of_this: Vec<&NotRun> = not_run.iter().filter(|entry| entry.pipeline == pipeline.id).collect();
        let ran = |at: Timestamp| attempts.contains_key(&Run { pipeline: pipeline.id.clone(), scheduled_for: at });
        let passed = |at: Timestamp| {
            of_this.iter().filter(|e| e.reason != Reason::Superseded && e.first <= at && at <= e.last).count()
        };
        let waits = row.backlog_until.is_some();
        for at in due {
            match (ran(at), passed(at)) {
                (true, 0) | (false, 1) => {}
                (false, 0) if waits && at > cursor => {}
                (ran, passed) => {
                    world.is_wrong(format!("{} of {at}: run {ran}, passed over {passed} times", pipeline.id))
                }
            }
        }
        for entry in of_this.iter().filter(|entry| entry.reason != Reason::Superseded) {
            let count =
                schedule.occurrences_between(entry.first - jiff::SignedDuration::from_micros(1), entry.last).count();
            if count as u64 != entry.count {
                world.is_wrong(format!(
                    "{}: {} are counted, {count} there are, from {}",
                    pipeline.id, entry.count, entry.first
                ));
            }
        }
    }
}

fn check_run(world: &Arc<World>, run: &Run, attempts: &[Attempt]) {
    for (place, attempt) in attempts.iter().enumerate() {
        let name = format!("{} attempt {}", run.id(), attempt.number);
        if attempt.number as usize != place + 1 {
            world.is_wrong(format!("{name} stands at place {}", place + 1));
        }
        let settled = world.last_tick() - jiff::SignedDuration::from_mins(12);
        if attempt.is_active() && attempt.claimed_at < settled {
            world.is_wrong(format!("{name} never ended"));
        }
        if attempt.outcome() == Some(Outcome::Released) && world.has_started(&run.id(), attempt.number) {
            world.is_wrong(format!("{name} is released and has started"));
        }
        if attempt.tries > attempt.policy.retry.max_attempts {
            world.is_wrong(format!("{name} is beyond its policy"));
        }
        if place > 0 && attempts[place - 1].fence >= attempt.fence {
            world.is_wrong(format!("{name} has no higher fence than the one before"));
        }
    }
}
