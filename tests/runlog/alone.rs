//! What was claimed without the run-log and runs on when that is back: it knows it, and so it has to hear of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tickward::clock::{Clock, ManualClock};
use tickward::lease::Lease;
use tickward::run::{Attempt, Outcome, Row, StopRequest};
use tickward::runlog::contract::{Batch, Query, Record, Renewed, Spooled, Transition, Verdict};
use tickward::runlog::spool::{Folder, SpoolRunLog, keep};
use tickward::runlog::{Error, RunLog};

use crate::bench::{Bench, at, changing, claiming, id, lost};

const LENGTH: Duration = Duration::from_secs(300);

/// A host without the run-log, its clock ten minutes behind that of the store, and what it has claimed.
struct Alone {
    folder: Folder,
    spool: SpoolRunLog,
    clock: Arc<ManualClock>,
    claim: Attempt,
    asked: Arc<AtomicUsize>,
}

impl Alone {
    async fn on(bench: &Bench, reaches: bool) -> Alone {
        let clock = Arc::new(ManualClock::new(at("00:00")));
        bench.clock.set(at("00:10"));
        let folder = Folder::in_step(bench.folder().join("host"));
        let spool = SpoolRunLog::open(folder.clone(), clock.clone(), "outage".into()).unwrap();
        let (log, asked) = (bench.log.clone(), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        let spool = spool.renewing_in(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let unreachable = || Error::Unavailable { message: "away".into(), source: None };
            reaches.then(|| log.clone()).ok_or_else(unreachable)
        }));
        let mut transition = claiming(Row::absent(id("p")), at("00:00"), 1);
        let claim = transition.claim.as_mut().unwrap();
        claim.lease = Lease::from(clock.now(), clock.boot(), LENGTH);
        let claim = claim.clone();
        let batch = Batch { ends: Vec::new(), transitions: vec![transition] };
        assert_eq!(spool.commit(batch).await.unwrap().verdicts, [Verdict::Won]);
        Alone { folder, spool, clock, claim, asked }
    }

    /// What the next tick of this host does when the run-log is back.
    async fn import(&self, bench: &Bench) {
        keep::end_outage(&self.folder).unwrap();
        let spooled = Spooled { attempt: self.claim.clone(), after: None, schedule: String::new() };
        bench.log.import(vec![spooled]).await.unwrap();
    }

    fn pass(&self, bench: &Bench, time: Duration) {
        self.clock.advance(time);
        bench.clock.advance(time);
    }

    async fn renew(&self) -> Vec<Renewed> {
        let lease = Lease::from(self.clock.now(), self.clock.boot(), LENGTH);
        self.spool.renew(vec![self.claim.token], lease).await.unwrap()
    }

    fn held(&self, stop: Option<StopRequest>) -> Vec<Renewed> {
        vec![Renewed { token: self.claim.token, stop }]
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn known(bench: &Bench, alone: &Alone) -> Attempt {
    let query = Query { token: Some(alone.claim.token), attempts_only: true, limit: 1, ..Query::default() };
    match bench.log.history(query).await.unwrap().remove(0) {
        Record::Attempt(attempt) => *attempt,
        Record::NotRun(entry) => panic!("{entry:?}"),
    }
}

pub async fn what_runs_on_is_renewed_where_it_is_known_by_the_time_of_the_store(bench: Bench) {
    let alone = Alone::on(&bench, true).await;
    assert_eq!(alone.renew().await, alone.held(None));
    assert_eq!(alone.asked(), 0, "the run-log cannot be used yet");
    alone.import(&bench).await;
    alone.pass(&bench, LENGTH / 3);
    assert_eq!(alone.renew().await, alone.held(None));
    let lease = known(&bench, &alone).await.lease;
    assert_eq!(lease, Lease::from(bench.clock.now(), alone.clock.boot(), LENGTH));
}

pub async fn what_the_run_log_has_declared_lost_is_held_no_more(bench: Bench) {
    let alone = Alone::on(&bench, true).await;
    alone.import(&bench).await;
    alone.pass(&bench, 2 * LENGTH);
    bench.end(lost(&alone.claim, bench.clock.now())).await;
    assert_eq!(known(&bench, &alone).await.outcome(), Some(Outcome::Lost));
    assert_eq!(alone.renew().await, []);
}

pub async fn a_wish_that_it_ends_reaches_it(bench: Bench) {
    let alone = Alone::on(&bench, true).await;
    alone.import(&bench).await;
    let stop = StopRequest { at: at("00:11"), why: "a person said so".into() };
    let stops = vec![(alone.claim.token, stop.clone())];
    let asked = Transition { stops, ..changing(bench.row(&id("p")).await) };
    assert_eq!(bench.commit_one(asked).await, Verdict::Won);
    assert_eq!(alone.renew().await, alone.held(Some(stop)));
}

pub async fn what_the_run_log_does_not_know_or_say_changes_nothing(bench: Bench) {
    for reaches in [true, false] {
        let alone = Alone::on(&bench, reaches).await;
        keep::end_outage(&alone.folder).unwrap();
        assert_eq!(alone.renew().await, alone.held(None), "reaches: {reaches}");
        assert_eq!(alone.asked(), 1);
        std::fs::remove_dir_all(alone.folder.path()).unwrap();
    }
}
