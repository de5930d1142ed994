//! Races: many at once, and each claim and each end is one's.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Barrier};

use tickward::plan::Folded;
use tickward::run::{Outcome, Row};
use tickward::runlog::contract::{Batch, Ended, Scope, Verdict};
use tickward::runlog::{Purpose, RunLog};

use crate::bench::{Bench, at, claiming, end, id, lease_until, lost};

/// Does `work` on `count` threads at once, each with its own way to the log.
fn all_at_once<T: Send + 'static, F: Future<Output = T>>(
    bench: &Bench,
    count: usize,
    work: impl Fn(usize, Arc<dyn RunLog>, Arc<Barrier>) -> F + Send + Clone + 'static,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(count));
    let threads = bench.ways(count).into_iter().enumerate().map(|(number, log)| {
        let (start, work) = (start.clone(), work.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            start.wait();
            runtime.block_on(work(number, log, start))
        })
    });
    threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Sixteen ticks want the same 200 occurrences, 20 of each of 10 pipelines; a thousand where the environment says `CI`.
pub async fn each_occurrence_is_won_once(bench: Bench) {
    let pipelines = if std::env::var_os("CI").is_some() { 50 } else { 10 };
    let ids: Vec<_> = (0..pipelines).map(|number| id(&format!("p{number}"))).collect();
    let (threads, rounds) = (16, 20);
    let won = all_at_once(&bench, threads, move |_, log, start| {
        let ids = ids.clone();
        async move {
            let mut won = Vec::new();
            for round in 0..rounds {
                start.wait();
                let view = log.load(Scope::Only(ids.clone())).await.unwrap();
                let row = |id| view.rows.get(id).cloned().unwrap_or_else(|| Row::absent(id.clone()));
                let instant = at(&format!("{round:02}:00"));
                let transitions: Vec<_> = ids.iter().map(|id| claiming(row(id), instant, 1)).collect();
                let committed = log.commit(Batch { ends: Vec::new(), transitions: transitions.clone() }).await.unwrap();
                let verdicts = transitions.into_iter().zip(committed.verdicts);
                won.extend(verdicts.filter(|(_, verdict)| *verdict == Verdict::Won).filter_map(|(t, _)| t.claim));
            }
            won
        }
    });
    let mut winners: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for claim in won.into_iter().flatten() {
        winners.entry(claim.run.clone()).or_default().push(claim);
    }
    let view = bench.view(Scope::All).await;
    let stored: Vec<_> = view.open.into_values().flatten().collect();
    assert_eq!((winners.len(), stored.len()), (20 * pipelines, 20 * pipelines));
    for claim in stored {
        assert_eq!(winners[&claim.run], std::slice::from_ref(&claim), "{}", claim.run.id());
    }
    for row in view.rows.into_values() {
        assert_eq!(row.fence, rounds, "{}: a fence for each claim", row.pipeline);
    }
}

/// The worker reports its success eight times over while eight others declare it lost.
pub async fn an_end_is_folded_once(bench: Bench) {
    for round in 0..10 {
        let attempt = bench.claimed("p", &format!("{round:02}:00")).await;
        bench.clock.set(attempt.lease.until);
        let claimed = attempt.clone();
        let answers = all_at_once(&bench, 16, move |number, log, _| {
            let now = claimed.lease.until;
            let end = if number % 2 == 0 { end(&claimed, Outcome::Succeeded, now) } else { lost(&claimed, now) };
            async move { log.commit(Batch { ends: vec![end], transitions: Vec::new() }).await.unwrap().ends.remove(0) }
        });
        let folded =
            |wanted| answers.iter().filter(|a| matches!(a, Ended::Folded(folded, _) if *folded == wanted)).count();
        let row = bench.row(&id("p")).await;
        let lost_first = row.last.as_ref().is_some_and(|last| last.outcome == Outcome::Lost);
        assert_eq!(folded(Folded::Ended), 1, "round {round}: {answers:?}");
        assert_eq!(folded(Folded::Late), usize::from(lost_first), "round {round}");
        assert_eq!(row.totals.values().sum::<u64>(), round + 1, "round {round}");
    }
}

/// Ticks with the new name and ticks with the old one at once: each occurrence is claimed under one of them.
pub async fn of_many_renamings_one_is_won(bench: Bench) {
    for round in 0..10 {
        let (old, new) = (format!("old{round}"), format!("new{round}"));
        let attempt = bench.claimed(&old, "02:00").await;
        bench.ended(&attempt, Outcome::Succeeded).await;
        let row = bench.row(&id(&old)).await;
        let (from, to) = (id(&old), id(&new));
        let answers = all_at_once(&bench, 16, move |number, log, start| {
            let (from, to, row) = (from.clone(), to.clone(), row.clone());
            async move {
                start.wait();
                if number % 2 == 0 {
                    return (log.rename(from, to).await.unwrap(), false);
                }
                let batch = Batch { ends: Vec::new(), transitions: vec![claiming(row, at("03:00"), 1)] };
                (log.commit(batch).await.unwrap().verdicts[0], true)
            }
        });
        let won = |claims| answers.iter().filter(|answer| **answer == (Verdict::Won, claims)).count();
        assert_eq!(won(false), 1, "round {round}: {answers:?}");
        assert!(won(true) <= 1, "round {round}: {answers:?}");
        let view = bench.view(Scope::All).await;
        assert!(!view.open.contains_key(&id(&old)), "round {round}: nothing stays under the old name");
        assert_eq!(view.open.get(&id(&new)).map_or(0, Vec::len), won(true), "round {round}");
        assert_eq!(bench.row(&id(&new)).await.fence, 1 + won(true) as u64, "round {round}");
    }
}

pub async fn many_connections_make_one_store(bench: Bench) {
    let url = bench.another_url();
    let clock = bench.clock.clone();
    let opened = all_at_once(&bench, 16, move |number, _, _| {
        let options = tickward::runlog::OpenOptions::new(clock.clone(), Purpose::Work);
        let opened = tickward::runlog::open(&url, options);
        async move {
            let log = opened.map_err(|error| error.to_string())?;
            let transitions = vec![claiming(Row::absent(id(&format!("p{number}"))), at("02:00"), 1)];
            let committed = log.commit(Batch { ends: Vec::new(), transitions }).await.map_err(|e| e.to_string())?;
            Ok::<_, String>(committed.verdicts)
        }
    });
    assert_eq!(opened, vec![Ok(vec![Verdict::Won]); 16]);
    let log = bench.open(&bench.another_url(), Purpose::Work).unwrap();
    assert_eq!(log.load(Scope::All).await.unwrap().rows.len(), 16);
}

pub async fn what_one_connection_commits_the_other_sees(bench: Bench) {
    let other = bench.again(Purpose::Work).unwrap();
    let attempt = bench.claimed("p", "02:00").await;
    assert_eq!(other.load(Scope::All).await.unwrap().open[&id("p")], std::slice::from_ref(&attempt));
    let transitions = vec![claiming(Row::absent(id("p")), at("02:00"), 1)];
    assert_eq!(other.commit(Batch { ends: Vec::new(), transitions }).await.unwrap().verdicts, [Verdict::Lost]);
    let ends = vec![end(&attempt, Outcome::Succeeded, at("02:01"))];
    other.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
    assert!(bench.view(Scope::All).await.open.is_empty());
    assert_eq!(bench.log.renew(vec![attempt.token], lease_until(at("09:00"))).await.unwrap(), []);
}
