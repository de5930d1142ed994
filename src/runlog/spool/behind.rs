//! Renews in the run-log what was claimed without it and still runs.
//!
//! Once another tick has taken the claim in, everybody who looks there judges it by its lease there; the spool, where its own
//! tick renews it, is read by this host alone.
//!
//! Holds always: what the run-log does not answer, or does not know, changes nothing: the spool's claim holds on; what it says has
//! ended is held no more.

use std::sync::Arc;
use std::time::Duration;

use super::super::contract::{Query, Record, Renewed, RunLog, Scope};
use super::super::{Error, Reach};
use super::Folder;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::Token;

/// So long is an answer waited for: the tick that asks has ends to keep meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Renews `held`, claims of the spool in `folder`, for `length` where the run-log that `reach` opens knows them; returns those that
/// are held still, and which of them are wanted to end.
pub async fn renew(
    reach: &Reach,
    folder: &Folder,
    clock: &dyn Clock,
    held: Vec<Renewed>,
    length: Duration,
) -> Vec<Renewed> {
    let answer = async {
        let reach = reach.clone();
        let opened = folder.work(move |_| Ok(reach())).await;
        let run_log = opened.unwrap_or_else(|error| {
            Err(Error::Unavailable { message: "the run-log was not opened".into(), source: Some(Box::new(error)) })
        })?;
        renew_in(&run_log, clock, &held, length).await
    };
    let renewed = tokio::select! {
        biased;
        answer = answer => answer.map_err(|error| error.to_string()),
        () = clock.sleep_until(clock.boot().plus(PATIENCE)) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    renewed.unwrap_or_else(|error| {
        tracing::debug!(error, "what was claimed without the run-log is not renewed in it");
        held
    })
}

async fn renew_in(
    run_log: &Arc<dyn RunLog>,
    clock: &dyn Clock,
    held: &[Renewed],
    length: Duration,
) -> Result<Vec<Renewed>, Error> {
    let asked_at = clock.boot();
    let now = run_log.load(Scope::Only(Vec::new())).await?.now;
    let tokens = held.iter().map(|held| held.token).collect();
    let there = run_log.renew(tokens, Lease::from(now, asked_at, length)).await?;
    let mut renewed = Vec::new();
    for claim in held {
        match there.iter().find(|there| there.token == claim.token) {
            Some(there) => renewed.push(Renewed { stop: there.stop.clone().or(claim.stop.clone()), ..*claim }),
            None if has_ended(run_log, claim.token).await? => {}
            None => renewed.push(claim.clone()),
        }
    }
    Ok(renewed)
}

async fn has_ended(run_log: &Arc<dyn RunLog>, token: Token) -> Result<bool, Error> {
    let query = Query { token: Some(token), attempts_only: true, limit: 1, ..Query::default() };
    let records = run_log.history(query).await?;
    Ok(records.iter().any(|record| matches!(record, Record::Attempt(attempt) if !attempt.is_active())))
}
