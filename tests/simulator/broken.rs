//! What a broken rule makes of requests and answers on their way; nothing, where none is broken.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tickward::clock::Clock;
use tickward::plan::fold;
use tickward::run::{Outcome, Row};
use tickward::runlog::Error;
use tickward::runlog::contract::{
    AlertVerdict, Batch, Committed, Condition, End, Ended, Query, Record, RunLog, Scope, Settled, Transition, Verdict,
    View, Waiting,
};
use tickward::runlog::memory::MemoryRunLog;

use crate::plants::Plant;
use crate::store::Remote;

/// A view as the broken tick takes it.
pub fn view(way: &Remote, mut view: View) -> View {
    match way.world.shape.plant {
        Some(Plant::WindowForCursor) => {
            let from = view.now - SignedDuration::from_mins(1);
            for row in view.rows.values_mut().filter(|row| row.cursor.is_some()) {
                row.cursor = Some(from);
                for known in &mut row.schedules {
                    (known.since, known.cursor) = (known.since.min(from), Some(from));
                }
            }
        }
        Some(Plant::HostClockForLeases) => {
            let off = way.world.clock(way.of_loop).now().duration_since(view.now);
            for attempt in view.open.values_mut().flatten() {
                attempt.lease.until -= off;
            }
        }
        Some(Plant::WallClockOnOneHost) => {
            view.open.values_mut().flatten().for_each(|attempt| attempt.owner.boot = String::new());
        }
        Some(Plant::FenceStartsAgain) => {
            let idle = view.rows.iter_mut().filter(|(id, _)| !view.open.contains_key(id));
            idle.for_each(|(_, row)| row.fence = 0);
        }
        _ => {}
    }
    view
}

/// The commit as the broken store carries it out.
pub async fn commit(way: &Remote, batch: &Batch) -> Result<Committed, Error> {
    let truth = &way.world.truth;
    let mut batch = batch.clone();
    match way.world.shape.plant {
        Some(Plant::VersionNotCompared) => {
            let rows = truth.load(Scope::All).await?.rows;
            for row in batch.transitions.iter_mut().map(|transition| &mut transition.row) {
                row.version = rows.get(&row.pipeline).map_or(0, |row| row.version);
            }
            truth.commit(batch).await
        }
        Some(Plant::OutcomeOfAnother) => {
            for end in &mut batch.ends {
                let id = pipeline_of(truth, end).await?;
                if let Some(newest) = truth.load(Scope::All).await?.open.get(&id).and_then(|open| open.last()) {
                    end.completion.token = newest.token;
                }
            }
            truth.commit(batch).await
        }
        Some(Plant::LeaseNotTestedAgain | Plant::HostClockForLeases) => {
            batch.ends.iter_mut().for_each(|end| end.condition = Condition::Always);
            truth.commit(batch).await
        }
        Some(Plant::RowWithoutAttempt) => {
            let committed = truth.commit(batch.clone()).await?;
            let lost = batch
                .transitions
                .into_iter()
                .zip(&committed.verdicts)
                .filter(|(_, verdict)| **verdict == Verdict::Lost);
            let rows = truth.load(Scope::All).await?.rows;
            let alone = |transition: Transition| {
                let version = rows.get(&transition.row.pipeline).map_or(0, |row| row.version);
                let row = Row { version, ..transition.row };
                Transition {
                    row,
                    claim: None,
                    closed: Vec::new(),
                    not_run: Vec::new(),
                    stops: Vec::new(),
                    alerts: Vec::new(),
                }
            };
            let transitions = lost.map(|(transition, _)| alone(transition)).collect();
            truth.commit(Batch { ends: Vec::new(), transitions }).await?;
            Ok(committed)
        }
        Some(Plant::LostBeforeMail) => lost_before_mail(way, batch).await,
        _ => truth.commit(batch).await,
    }
}

async fn pipeline_of(truth: &MemoryRunLog, end: &End) -> Result<tickward::occurrence::PipelineId, Error> {
    let records = truth.history(Query { attempts_only: true, limit: usize::MAX, ..Query::default() }).await?;
    let of_token = records.into_iter().find_map(|record| match record {
        Record::Attempt(attempt) if attempt.token == end.completion.token => Some(attempt.run.pipeline),
        _ => None,
    });
    of_token.ok_or(Error::Unavailable { message: "no such attempt".into(), source: None })
}

/// Outcomes are answered at once and read three minutes later; losses are recorded meanwhile.
async fn lost_before_mail(way: &Remote, batch: Batch) -> Result<Committed, Error> {
    let truth = way.world.truth.clone();
    let (losses, mail): (Vec<End>, Vec<End>) =
        batch.ends.iter().cloned().partition(|end| end.completion.outcome == Outcome::Lost);
    let rest = truth.commit(Batch { ends: losses, transitions: batch.transitions }).await?;
    let mut of_losses = rest.ends.into_iter();
    let mut ends = Vec::new();
    for end in &batch.ends {
        if end.completion.outcome == Outcome::Lost {
            ends.extend(of_losses.next());
            continue;
        }
        let view = truth.load(Scope::All).await?;
        let found = view.open.values().flatten().find(|attempt| attempt.token == end.completion.token);
        ends.push(found.cloned().map_or(Ended::Orphan, |mut attempt| {
            let folded = fold(&mut Row::absent(attempt.run.pipeline.clone()), &mut attempt, &end.completion);
            Ended::Folded(folded, Box::new(attempt))
        }));
    }
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(180)).await;
        let _ = Arc::clone(&truth).commit(Batch { ends: mail, transitions: Vec::new() }).await;
    });
    Ok(Committed { ends, ..rest })
}

/// Alerts as the broken store gives them.
pub async fn take_alerts(way: &Remote, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
    let truth = &way.world.truth;
    let mut taken = truth.take_alerts(limit, lease).await?;
    match way.world.shape.plant {
        Some(Plant::SettleBeforeSend) => {
            let verdict = AlertVerdict::Delivered;
            let settled = |entry: &Waiting| Settled {
                id: entry.alert.id.clone(),
                done: entry.done.clone(),
                verdict,
                error: String::new(),
            };
            truth.settle_alerts(taken.iter().map(settled).collect()).await?;
        }
        Some(Plant::NewestFirst) => taken.reverse(),
        _ => {}
    }
    Ok(taken)
}

/// An answer as the broken tick takes it.
pub fn answer(way: &Remote, mut committed: Committed) -> Committed {
    if way.world.shape.plant == Some(Plant::StartWithoutWon) {
        committed.verdicts.iter_mut().for_each(|verdict| *verdict = Verdict::Won);
    }
    committed
}

/// What the broken tick takes a missing answer for, if for anything.
pub fn unheard(way: &Remote, batch: &Batch) -> Option<Committed> {
    (way.world.shape.plant == Some(Plant::UnknownIsWon)).then(|| {
        let ends = batch.ends.iter().map(|_| Ended::Orphan).collect();
        Committed { now: None, ends, verdicts: vec![Verdict::Won; batch.transitions.len()] }
    })
}
