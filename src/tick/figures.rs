//! Hands over the figures of monitoring when all work of a tick is done and durable.
//!
//! Counters are the run-log's totals. A tick that has changed something loads them once more; an idle one has them from its
//! first look.
//!
//! Holds always: each sink has 2 s of its own; one that fails is named in the log and changes nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::env::Env;
use super::report::Report;
use super::{Options, gather};
use crate::metrics::{Figures, Runs, Snapshot};
use crate::occurrence::PipelineId;
use crate::run::{Attempt, Done, Row};
use crate::runlog::contract::View;

/// How long a sink may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Hands over what `view` says, or what the run-log says now where the tick has changed something.
pub async fn hand_over<'a>(
    env: &Env,
    options: &Options,
    known: impl Iterator<Item = &'a PipelineId>,
    report: &Report,
    view: View,
) {
    let sinks = &options.outlets.sinks;
    if sinks.is_empty() || env.must_end_now() {
        return;
    }
    let is_idle = report.ended.is_empty() && report.not_run.is_empty() && report.claimed_elsewhere == 0;
    let view = match is_idle {
        true => view,
        false => match gather::look(env).await {
            Ok((view, _)) => view,
            Err(error) => return tracing::warn!(%error, "no figures: the run-log did not give them"),
        },
    };
    let mut snapshot = snapshot(options, known, report, &view);
    if env.run_log.is_degraded() {
        // The counters are in the run-log: what this host knows without it would be a step back.
        snapshot = Snapshot { degraded: true, pipelines: BTreeMap::new(), ..snapshot };
    }
    let snapshot = Arc::new(snapshot);
    let mut tasks = JoinSet::new();
    for sink in sinks {
        let (sink, snapshot, clock) = (sink.clone(), snapshot.clone(), env.clock.clone());
        tasks.spawn(async move {
            tokio::select! {
                biased;
                recorded = sink.record(&snapshot) => {
                    if let Err(error) = recorded {
                        tracing::warn!(sink = sink.name(), %error, "figures not handed over");
                    }
                }
                () = clock.sleep_until(clock.boot().plus(LIMIT)) => {
                    tracing::warn!(sink = sink.name(), "figures not handed over in time");
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

fn snapshot<'a>(
    options: &Options,
    known: impl Iterator<Item = &'a PipelineId>,
    report: &Report,
    view: &View,
) -> Snapshot {
    let known = known.map(|id| (id.clone(), Figures::default()));
    let mut snapshot = Snapshot {
        at: report.ended_at,
        duration: Duration::try_from(report.ended_at.duration_since(report.started_at)).unwrap_or_default(),
        gap: options.gap,
        degraded: false,
        pipelines: known.collect(),
    };
    for (id, row) in &view.rows {
        let open = view.open.get(id).map_or(&[][..], Vec::as_slice);
        snapshot.pipelines.insert(id.clone(), figures(row, open));
    }
    snapshot
}

fn figures(row: &Row, open: &[Attempt]) -> Figures {
    let retry = |attempt: &Attempt| match attempt.is_active() {
        true => Some(attempt.number).filter(|number| *number > 1),
        false => attempt.retry_at.map(|_| attempt.number + 1),
    };
    let standing = &row.standing;
    let done = [standing.succeeded, standing.partial].into_iter().flatten();
    Figures {
        runs: Runs::of_totals(&row.totals),
        durations: standing.durations.clone().unwrap_or_default(),
        retry_attempt: open.iter().filter_map(retry).max().unwrap_or(0),
        last_success: done.map(|Done { ended_at, .. }| ended_at).max(),
    }
}
