//! A fresh run-log to try a case on, and the values that cases are made of.
//!
//! Holds always: no two benches share anything; tokens are never minted twice.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tickward::clock::BootTime;
use tickward::clock::ManualClock;
use tickward::lease::Lease;
use tickward::occurrence::{Name, PipelineId, Run, Token};
use tickward::owner::Owner;
use tickward::pipeline::Retry;
use tickward::run::{Attempt, Completion, NotRun, Outcome, Policy, Reason, Row, Trigger};
use tickward::runlog::contract::{Batch, Condition, End, Ended, Query, Record, Scope, Transition, Verdict, View};
use tickward::runlog::{self, Error, OpenOptions, Purpose, RunLog};

/// A backend as the suite sees it.
pub struct Backend {
    pub name: &'static str,
    /// The address of a log that is not there yet, below this folder if it needs one; or why there is none.
    pub fresh_url: fn(&Path) -> Result<String, String>,
    /// Removes what is at such an address, where that does not go with the folder.
    pub remove: fn(&str),
    /// The shortest time that it tells apart.
    pub precision: Duration,
    /// Several connections, of several processes too, see one store.
    pub is_shared: bool,
    /// What it has taken is there when it is opened again.
    pub is_durable: bool,
}

/// A fresh run-log and the clock it goes by.
pub struct Bench {
    pub backend: &'static Backend,
    pub log: Arc<dyn RunLog>,
    pub clock: Arc<ManualClock>,
    pub url: String,
    folder: TempDir,
    others: Mutex<Vec<String>>,
}

/// A server may be somebody's own: nothing of ours stays there, however the case has ended.
impl Drop for Bench {
    fn drop(&mut self) {
        let others = self.others.get_mut().map(std::mem::take).unwrap_or_default();
        for url in std::iter::once(&self.url).chain(&others) {
            (self.backend.remove)(url);
        }
    }
}

impl Bench {
    /// A fresh log, at midnight; or why there is none.
    pub fn new(backend: &'static Backend) -> Result<Bench, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let clock = Arc::new(ManualClock::new(at("00:00")));
        let url = (backend.fresh_url)(folder.path())?;
        let opened = open(&url, &clock, Purpose::Work).map_err(|error| error.to_string());
        let log = opened.inspect_err(|_| (backend.remove)(&url))?;
        Ok(Bench { backend, log, clock, url, folder, others: Mutex::default() })
    }

    /// A folder for this case alone.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Another connection to the same log.
    pub fn again(&self, purpose: Purpose) -> Result<Arc<dyn RunLog>, Error> {
        open(&self.url, &self.clock, purpose)
    }

    /// The address of another fresh log of the same backend.
    pub fn another_url(&self) -> String {
        let folder = self.folder.path().join("another");
        let url = (self.backend.fresh_url)(&folder).unwrap();
        self.others.lock().unwrap().push(url.clone());
        url
    }

    /// Opens any address by this clock.
    pub fn open(&self, url: &str, purpose: Purpose) -> Result<Arc<dyn RunLog>, Error> {
        open(url, &self.clock, purpose)
    }

    /// `count` ways to the same log: connections of their own where it can be shared.
    pub fn ways(&self, count: usize) -> Vec<Arc<dyn RunLog>> {
        let way = |_| match self.backend.is_shared {
            true => self.again(Purpose::Work).unwrap(),
            false => self.log.clone(),
        };
        (0..count).map(way).collect()
    }

    pub async fn view(&self, scope: Scope) -> View {
        self.log.load(scope).await.unwrap()
    }

    /// The row of a pipeline, as it is before its first change if there is none.
    pub async fn row(&self, id: &PipelineId) -> Row {
        let view = self.view(Scope::Only(vec![id.clone()])).await;
        view.rows.get(id).cloned().unwrap_or_else(|| Row::absent(id.clone()))
    }

    pub async fn commit(&self, transitions: Vec<Transition>) -> Vec<Verdict> {
        self.log.commit(Batch { ends: Vec::new(), transitions }).await.unwrap().verdicts
    }

    pub async fn commit_one(&self, transition: Transition) -> Verdict {
        self.commit(vec![transition]).await[0]
    }

    /// The tokens that are still held.
    pub async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Vec<Token> {
        self.log.renew(tokens, lease).await.unwrap().into_iter().map(|renewed| renewed.token).collect()
    }

    pub async fn end(&self, end: End) -> Ended {
        let batch = Batch { ends: vec![end], transitions: Vec::new() };
        self.log.commit(batch).await.unwrap().ends.remove(0)
    }

    /// The attempt as it stands after `outcome` at the clock's time.
    pub async fn ended(&self, attempt: &Attempt, outcome: Outcome) -> Attempt {
        use tickward::clock::Clock;
        match self.end(end(attempt, outcome, self.clock.now())).await {
            Ended::Folded(_, attempt) => *attempt,
            other => panic!("{other:?}"),
        }
    }

    /// Claims the first attempt of an occurrence under `policy`.
    pub async fn claimed_under(&self, name: &str, scheduled_for: &str, policy: Policy) -> Attempt {
        let mut transition = claiming(self.row(&id(name)).await, at(scheduled_for), 1);
        let claim = transition.claim.as_mut().unwrap();
        claim.policy = policy;
        let claim = claim.clone();
        assert_eq!(self.commit_one(transition).await, Verdict::Won);
        claim
    }

    /// Claims the first attempt of an occurrence; it is not retried.
    pub async fn claimed(&self, name: &str, scheduled_for: &str) -> Attempt {
        self.claimed_under(name, scheduled_for, once()).await
    }

    /// All that the log holds: what must not change where nothing is applied.
    pub async fn everything(&self) -> (Vec<Row>, Vec<Record>) {
        let mut rows: Vec<Row> = self.view(Scope::All).await.rows.into_values().collect();
        rows.sort_by(|a, b| a.pipeline.cmp(&b.pipeline));
        (rows, self.history(Query::default()).await)
    }

    /// History without a limit.
    pub async fn history(&self, query: Query) -> Vec<Record> {
        self.log.history(Query { limit: 10_000, ..query }).await.unwrap()
    }
}

fn open(url: &str, clock: &Arc<ManualClock>, purpose: Purpose) -> Result<Arc<dyn RunLog>, Error> {
    runlog::open(url, OpenOptions::new(clock.clone(), purpose))
}

/// An instant of the first of January 2026, or a whole one.
pub fn at(text: &str) -> Timestamp {
    let whole = if text.contains('T') { text.to_owned() } else { format!("2026-01-01T{text}:00Z") };
    whole.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A pipeline of the default namespace.
pub fn id(name: &str) -> PipelineId {
    id_in("default", name)
}

pub fn id_in(namespace: &str, name: &str) -> PipelineId {
    PipelineId { namespace: Name::parse(namespace).unwrap(), name: Name::parse(name).unwrap() }
}

pub fn mint() -> Token {
    static MINTED: AtomicU64 = AtomicU64::new(1);
    // The highest bit is set, so that a token shows whether all 128 are kept.
    Token(1 << 127 | u128::from(MINTED.fetch_add(1, Ordering::Relaxed)))
}

/// One attempt, and none after it.
pub fn once() -> Policy {
    Policy::NONE
}

/// Three attempts, a minute apart.
pub fn thrice() -> Policy {
    let retry = Retry {
        max_attempts: 3,
        delay: Duration::from_secs(60),
        backoff: tickward::pipeline::Backoff::Fixed,
        ..Retry::NONE
    };
    Policy { retry, ..once() }
}

/// An attempt as it is claimed, at its occurrence, for five minutes.
pub fn attempt(id: &PipelineId, scheduled_for: Timestamp, number: u32, fence: u64) -> Attempt {
    Attempt {
        run: Run { pipeline: id.clone(), scheduled_for },
        number,
        tries: number,
        earlier_starts: number - 1,
        interruptions: 0,
        trigger: Trigger::Schedule,
        by_hand: false,
        token: mint(),
        fence,
        owner: owner(),
        policy: once(),
        claimed_at: scheduled_for,
        lease: lease_from(scheduled_for),
        end: None,
        retry_at: None,
        gave_up: false,
        late_outcome: None,
        stop: None,
        degraded: false,
    }
}

/// Five minutes from `now`, on a host whose boot clock shows the minutes of 2026.
pub fn lease_from(now: Timestamp) -> Lease {
    let boot = BootTime(now.as_microsecond() - at("2026-01-01T00:00:00Z").as_microsecond());
    Lease::from(now, boot, Duration::from_secs(300))
}

/// The lease that a renewal asks for so that it ends at `until`.
pub fn lease_until(until: Timestamp) -> Lease {
    lease_from(until - Duration::from_secs(300))
}

fn owner() -> Owner {
    Owner {
        id: "0123456789abcdef".into(),
        host: "büro-1".into(),
        pid: 4_194_304,
        started: u64::from(u32::MAX) + 7,
        boot: "5f7f0b6e-0d5c-4a53-9c1f-3d2c8b7a6e5d".into(),
        pid_namespace: 4_026_531_836,
    }
}

/// The row goes on to `scheduled_for` and its attempt `number` is claimed.
pub fn claiming(row: Row, scheduled_for: Timestamp, number: u32) -> Transition {
    let claim = attempt(&row.pipeline, scheduled_for, number, row.fence + 1);
    let cursor = row.cursor.max(Some(scheduled_for));
    Transition {
        row: Row { cursor, ..row },
        claim: Some(claim),
        closed: Vec::new(),
        not_run: Vec::new(),
        stops: Vec::new(),
        alerts: Vec::new(),
    }
}

/// The row changes, and nothing is claimed.
pub fn changing(row: Row) -> Transition {
    Transition { row, claim: None, closed: Vec::new(), not_run: Vec::new(), stops: Vec::new(), alerts: Vec::new() }
}

pub fn completion(attempt: &Attempt, outcome: Outcome, ended_at: Timestamp) -> Completion {
    Completion {
        token: attempt.token,
        outcome,
        fatal: false,
        started_at: Some(attempt.claimed_at),
        ended_at,
        duration: Duration::from_micros(1_234_567),
        exit_code: Some(3),
        error: (!outcome.is_success()).then(|| "exit code 3".into()),
        cpu: Duration::from_micros(765_432),
        peak_memory_bytes: 9_000_000,
        output_bytes: 5,
        tail: "done\n".into(),
        results: Some(serde_json::Map::from_iter([("rows".into(), 3.into()), ("told".into(), "é".into())])),
    }
}

/// An end as the worker itself reports it.
pub fn end(attempt: &Attempt, outcome: Outcome, ended_at: Timestamp) -> End {
    End { completion: completion(attempt, outcome, ended_at), condition: Condition::Always }
}

/// What somebody else reports about a worker whose lease looks over.
pub fn lost(attempt: &Attempt, now: Timestamp) -> End {
    End { completion: completion(attempt, Outcome::Lost, now), condition: Condition::LeaseOver { boot: None } }
}

/// A stretch that was not run; `after` is the decided occurrence before it.
pub fn stretch(id: &PipelineId, first: &str, last: &str, count: u64, reason: Reason, after: Option<&str>) -> NotRun {
    NotRun {
        pipeline: id.clone(),
        first: at(first),
        last: at(last),
        count,
        at_least: false,
        reason,
        decided_at: at(last),
        after: after.map(at),
    }
}
