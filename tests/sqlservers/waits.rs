//! Who waits for whom: a transaction of somebody who is frozen, and many commits about the same pipelines.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tickward::run::{Attempt, Outcome, Row};
use tickward::runlog::contract::{Batch, Ended, Scope, Transition, Verdict};
use tickward::runlog::{Error, RunLog};

use crate::bench::{Bench, at, claiming, end, id, lease_until};
use crate::further::Lack;
use crate::kind::{Kind, commit, open_by, open_of, wait};
use crate::proxy::{Direction, Proxy};

pub const CASES: &[crate::Case] = &[
    ("waits::who_is_frozen_within_a_claim_holds_up_nobody_elses", frozen),
    ("waits::who_is_frozen_while_he_makes_a_row_is_waited_for_until_the_server_ends_it", frozen_at_first),
    ("waits::many_commits_about_the_same_in_any_order_all_succeed", tangled),
];

/// A first text whose answer is held back: its locks are held, and the second text never comes.
struct Frozen {
    bench: Bench,
    proxy: Proxy,
    freezing: std::thread::JoinHandle<Result<Vec<Verdict>, Error>>,
}

impl Frozen {
    /// Somebody is frozen while he claims this.
    fn within(bench: Bench, claim: Transition) -> Frozen {
        let proxy = Proxy::before(&bench.url).unwrap();
        let log = open_by(&proxy.url(&bench.url), bench.clock.clone()).unwrap();
        wait(open_of(&*log, &[id("nobody")]));
        proxy.hold(Direction::ToClient);
        let freezing = std::thread::spawn(move || wait(commit(&*log, vec![claim])));
        proxy.wait_until(|traffic| traffic.held > 0);
        // MariaDB answers statement by statement: he holds his locks once it has nothing more to say.
        let mut said = 0;
        while proxy.traffic().held != said {
            said = proxy.traffic().held;
            std::thread::sleep(Duration::from_millis(300));
        }
        Frozen { bench, proxy, freezing }
    }

    /// He goes on, late: by now the server has ended his transaction, and somebody else was faster.
    fn thaw(self) -> Bench {
        self.proxy.release(Direction::ToClient);
        let answer = self.freezing.join().unwrap();
        assert!(matches!(&answer, Ok(verdicts) if *verdicts == [Verdict::Lost]) || answer.is_err(), "{answer:?}");
        self.bench
    }
}

/// How long a server lets a transaction of ours be idle, and a little.
const IDLE: Duration = Duration::from_secs(25);

fn frozen(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let claims = |rows: Vec<Row>| rows.into_iter().map(|row| claiming(row, at("03:00"), 1)).collect::<Vec<_>>();
    wait(async {
        for name in ["held", "free"] {
            let attempt = bench.claimed(name, "02:00").await;
            bench.ended(&attempt, Outcome::Succeeded).await;
        }
    });
    let [held, free] = ["held", "free"].map(|name| wait(bench.row(&id(name))));
    let frozen = Frozen::within(bench, claiming(held.clone(), at("03:00"), 1));
    wait(async {
        let log = &*frozen.bench.log;
        let began = Instant::now();
        // What he holds is left out, and nothing waits for it.
        let verdicts = commit(log, claims(vec![free, held.clone(), Row::absent(id("new"))])).await.unwrap();
        assert_eq!(verdicts, [Verdict::Won, Verdict::Lost, Verdict::Won]);
        let open = log.load(Scope::All).await.unwrap().open;
        assert_eq!(open.keys().map(|id| id.name.as_str()).collect::<Vec<_>>(), ["free", "new"]);
        let free = open[&id("free")][0].clone();
        assert_eq!(log.renew(vec![free.token], lease_until(at("09:00"))).await.unwrap().len(), 1);
        let ends = vec![end(&free, Outcome::Succeeded, at("03:01"))];
        assert!(is_first(&log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap().ends[0]));
        assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
        // The server ends it.
        while commit(log, claims(vec![held.clone()])).await.unwrap() != [Verdict::Won] {
            assert!(began.elapsed() < IDLE, "it is still held");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let bench = frozen.thaw();
    assert_eq!(wait(open_of(&*bench.log, &[id("held")])).len(), 1);
    Ok(())
}

/// He who makes a row is waited for: whether it will be there nobody knows. Not for longer than the server lets him.
fn frozen_at_first(kind: &'static Kind) -> Result<(), Lack> {
    let frozen = Frozen::within(kind.bench()?, claiming(Row::absent(id("p")), at("02:00"), 1));
    wait(async {
        let began = Instant::now();
        let log = &*frozen.bench.log;
        let other = commit(log, vec![claiming(Row::absent(id("other")), at("02:00"), 1)]).await.unwrap();
        assert_eq!(other, [Verdict::Won]);
        assert!(began.elapsed() < Duration::from_secs(4), "others wait {:?}", began.elapsed());
        let verdicts = commit(log, vec![claiming(Row::absent(id("p")), at("02:00"), 1)]).await.unwrap();
        assert_eq!(verdicts, [Verdict::Won]);
        assert!(began.elapsed() < IDLE, "{:?}", began.elapsed());
    });
    let bench = frozen.thaw();
    assert_eq!(wait(open_of(&*bench.log, &[id("p")])).len(), 1);
    Ok(())
}

/// Sixteen workers end and claim the same twelve pipelines, each in an order of its own.
fn tangled(kind: &'static Kind) -> Result<(), Lack> {
    const WORKERS: usize = 16;
    const PIPELINES: usize = 12;
    const ROUNDS: usize = 6;
    let bench = kind.bench()?;
    let ids: Vec<_> = (0..PIPELINES).map(|number| id(&format!("p{number:02}"))).collect();
    let start = Arc::new(Barrier::new(WORKERS));
    let work = |worker: usize, log: Arc<dyn RunLog>| {
        let (ids, start) = (ids.clone(), start.clone());
        move || {
            start.wait();
            wait(async {
                let (mut held, mut folded): (Vec<Attempt>, usize) = (Vec::new(), 0);
                for round in 0..ROUNDS {
                    let view = log.load(Scope::Only(ids.clone())).await.unwrap();
                    let row = |id| view.rows.get(id).cloned().unwrap_or_else(|| Row::absent(id.clone()));
                    let mut order: Vec<_> = ids.iter().collect();
                    order.rotate_left((worker * 5 + round) % PIPELINES);
                    if worker % 2 == 1 {
                        order.reverse();
                    }
                    let instant = at(&format!("{:02}:{:02}", round, worker));
                    let transitions: Vec<_> = order.into_iter().map(|id| claiming(row(id), instant, 1)).collect();
                    // Mine, and what others hold: whoever reports first is folded.
                    let mut ends: Vec<_> = held.drain(..).map(|held| end(&held, Outcome::Succeeded, instant)).collect();
                    let others = view.open.values().flatten().map(|attempt| end(attempt, Outcome::Succeeded, instant));
                    ends.extend(others.filter(|_| round % 2 == 0));
                    if worker.is_multiple_of(3) {
                        ends.reverse();
                    }
                    let batch = Batch { ends, transitions: transitions.clone() };
                    let done = log.commit(batch).await.unwrap_or_else(|error| panic!("worker {worker}: {error}"));
                    folded += done.ends.iter().filter(|ended| is_first(ended)).count();
                    let verdicts = transitions.into_iter().zip(done.verdicts);
                    held = verdicts.filter(|(_, v)| *v == Verdict::Won).filter_map(|(t, _)| t.claim).collect();
                }
                let ends: Vec<_> = held.iter().map(|held| end(held, Outcome::Succeeded, at("20:00"))).collect();
                let done = log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
                folded + done.ends.iter().filter(|ended| is_first(ended)).count()
            })
        }
    };
    let ways = bench.ways(WORKERS).into_iter().enumerate();
    let threads: Vec<_> = ways.map(|(worker, log)| std::thread::spawn(work(worker, log))).collect();
    let folded: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let view = wait(bench.view(Scope::All));
    assert!(view.open.is_empty(), "{:?}", view.open);
    let ended: u64 = view.rows.values().flat_map(|row| row.totals.values()).sum();
    let claimed: u64 = view.rows.values().map(|row| row.fence).sum();
    assert_eq!((ended, folded as u64), (claimed, claimed), "each claim has one end");
    assert!(claimed >= PIPELINES as u64, "{claimed}");
    Ok(())
}

fn is_first(ended: &Ended) -> bool {
    matches!(ended, Ended::Folded(tickward::plan::Folded::Ended, _))
}
