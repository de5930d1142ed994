//! Claims, renews and ends an attempt of a pipeline that nobody has, to see whether a run-log keeps its promises and how long
//! each call takes.
//!
//! The pipeline is `check` in the namespace `tickward`, which no configuration may well have; it is forgotten afterwards: what
//! stays is its row with nothing but fence and version, as of every pipeline that was ever claimed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{Name, PipelineId, Run, Token};
use crate::owner::Owner;
use crate::run::{Attempt, Completion, Outcome, Policy, Row, Trigger};
use crate::runlog::contract::{Batch, Committed, Condition, End, Query, Scope, Transition, Verdict};
use crate::runlog::{Error, RunLog};
use crate::tick::{Host, SystemHost};

/// How long a claim of this holds: whoever dies in the middle leaves nothing for long.
const LEASE: Duration = Duration::from_secs(60);

/// How long the calls took.
pub type Latencies = Vec<(&'static str, Vec<Duration>)>;

/// Who claims here, and by which clock.
pub struct Racer {
    id: PipelineId,
    owner: Owner,
    clock: Arc<dyn Clock>,
}

impl Racer {
    /// A racer of this process; none where the name is none.
    pub fn new(clock: Arc<dyn Clock>) -> Option<Racer> {
        let (namespace, name) = (Name::parse("tickward").ok()?, Name::parse("check").ok()?);
        Some(Racer { id: PipelineId { namespace, name }, owner: SystemHost.owner(), clock })
    }

    /// How many of `ways` to one run-log win the claim of the same occurrence, all decided on the same row; the winner's
    /// attempt is ended.
    ///
    /// # Errors
    /// Those of the run-log.
    pub async fn race(&self, ways: &[Arc<dyn RunLog>]) -> Result<usize, Error> {
        let Some(first) = ways.first() else { return Ok(0) };
        let (row, now) = self.row(&**first).await?;
        let mut tokens = Vec::new();
        let mut claims = Vec::new();
        for way in ways {
            let claim = self.claim(&row, now);
            tokens.push(claim.claim.as_ref().map(|attempt| attempt.token));
            claims.push(way.commit(Batch { ends: Vec::new(), transitions: vec![claim] }));
        }
        let mut winners = Vec::new();
        for (token, committed) in tokens.into_iter().zip(all_at_once(claims).await) {
            let has_won = committed?.verdicts.first() == Some(&Verdict::Won);
            winners.extend(token.filter(|_| has_won));
        }
        for token in &winners {
            self.end(&**first, *token, now).await?;
        }
        Ok(winners.len())
    }

    /// How long each call takes, `rounds` times.
    ///
    /// # Errors
    /// Those of the run-log.
    pub async fn rounds(&self, run_log: &dyn RunLog, rounds: usize) -> Result<Latencies, Error> {
        let mut all: Latencies =
            ["load", "claim", "renew", "end", "history"].into_iter().map(|call| (call, Vec::new())).collect();
        for _ in 0..rounds {
            let mut began = self.clock.boot();
            let mut took = |place: usize| {
                let now = self.clock.boot();
                all[place].1.push(now.since(std::mem::replace(&mut began, now)));
            };
            let (row, now) = self.row(run_log).await?;
            took(0);
            let claim = self.claim(&row, now);
            let token = claim.claim.as_ref().map_or(Token(0), |attempt| attempt.token);
            let committed = run_log.commit(Batch { ends: Vec::new(), transitions: vec![claim] }).await?;
            took(1);
            if committed.verdicts.first() != Some(&Verdict::Won) {
                continue;
            }
            run_log.renew(vec![token], Lease::from(now, self.clock.boot(), LEASE)).await?;
            took(2);
            self.end(run_log, token, now).await?;
            took(3);
            run_log.history(Query { pipeline: Some(self.id.clone()), limit: 1, ..Query::default() }).await?;
            took(4);
        }
        Ok(all)
    }

    /// Leaves nothing but what guards claims.
    ///
    /// # Errors
    /// Those of the run-log.
    pub async fn forget(&self, run_log: &dyn RunLog) -> Result<(), Error> {
        run_log.forget(self.id.clone()).await.map(drop)
    }

    async fn row(&self, run_log: &dyn RunLog) -> Result<(Row, Timestamp), Error> {
        let mut view = run_log.load(Scope::Only(vec![self.id.clone()])).await?;
        let row = view.rows.remove(&self.id).unwrap_or_else(|| Row::absent(self.id.clone()));
        // Each occurrence is another one, also where the clock stands still or another check is under way.
        let micros = i64::try_from(SystemHost.mint() % 1_000_000).unwrap_or(0);
        let at = view.now.checked_add(SignedDuration::from_micros(micros)).unwrap_or(view.now);
        Ok((row, at))
    }

    fn claim(&self, row: &Row, at: Timestamp) -> Transition {
        let claim = Attempt {
            run: Run { pipeline: self.id.clone(), scheduled_for: at },
            number: 1,
            tries: 1,
            earlier_starts: 0,
            interruptions: 0,
            trigger: Trigger::Manual,
            by_hand: true,
            token: Token(SystemHost.mint()),
            fence: row.fence + 1,
            owner: self.owner.clone(),
            policy: Policy::NONE,
            claimed_at: at,
            lease: Lease::from(at, self.clock.boot(), LEASE),
            end: None,
            retry_at: None,
            gave_up: false,
            late_outcome: None,
            stop: None,
            degraded: false,
        };
        Transition {
            row: row.clone(),
            claim: Some(claim),
            closed: Vec::new(),
            not_run: Vec::new(),
            stops: Vec::new(),
            alerts: Vec::new(),
        }
    }

    async fn end(&self, run_log: &dyn RunLog, token: Token, at: Timestamp) -> Result<(), Error> {
        let completion = Completion { started_at: Some(at), ..Completion::bare(token, Outcome::Succeeded, at) };
        let end = End { completion, condition: Condition::Always };
        run_log.commit(Batch { ends: vec![end], transitions: Vec::new() }).await.map(drop)
    }
}

type Claim<'a> = Pin<Box<dyn Future<Output = Result<Committed, Error>> + Send + 'a>>;

/// Waits for all of them, which go on side by side; the answers in their order.
async fn all_at_once(claims: Vec<Claim<'_>>) -> Vec<Result<Committed, Error>> {
    let mut running: Vec<Result<Result<Committed, Error>, Claim<'_>>> = claims.into_iter().map(Err).collect();
    std::future::poll_fn(|context| {
        for one in &mut running {
            if let Err(claim) = one
                && let Poll::Ready(answer) = claim.as_mut().poll(context)
            {
                *one = Ok(answer);
            }
        }
        if running.iter().all(Result::is_ok) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().flatten().collect()
}
