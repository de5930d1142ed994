//! Views: what a tick sees of the store.

use tickward::run::{Attempt, Outcome, Row};
use tickward::runlog::contract::{Batch, RunLog, Scope, Transition, Verdict};
use tickward::runlog::memory::MemoryRunLog;

use crate::bench::{Bench, at, changing, claiming, id, thrice};

pub async fn an_empty_store_knows_the_time_only(bench: Bench) {
    for scope in [Scope::All, Scope::Only(vec![id("p")]), Scope::Only(vec![])] {
        bench.clock.advance(std::time::Duration::from_micros(1_000_001));
        let view = bench.view(scope.clone()).await;
        assert!(view.rows.is_empty() && view.open.is_empty() && view.decided.is_empty(), "{scope:?}: {view:?}");
        assert_eq!(view.now, tickward::clock::Clock::now(&*bench.clock), "{scope:?}");
    }
}

pub async fn a_view_is_of_the_pipelines_asked_for(bench: Bench) {
    for name in ["a", "b", "c"] {
        bench.claimed(name, "02:00").await;
    }
    for (scope, expected) in [
        (Scope::All, vec!["a", "b", "c"]),
        (Scope::Only(vec![id("c"), id("a"), id("unknown")]), vec!["a", "c"]),
        (Scope::Only(vec![]), vec![]),
    ] {
        let view = bench.view(scope.clone()).await;
        let mut rows: Vec<String> = view.rows.keys().map(|id| id.to_string()).collect();
        let mut open: Vec<String> = view.open.keys().map(|id| id.to_string()).collect();
        rows.sort();
        open.sort();
        assert_eq!((rows, open), (expected.iter().map(|n| n.to_string()).collect(), names(&expected)), "{scope:?}");
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

pub async fn open_attempts_come_oldest_first(bench: Bench) {
    let late = bench.claimed("p", "03:00").await;
    let early = bench.claimed_under("p", "01:00", thrice()).await;
    let early = bench.ended(&early, Outcome::Failed).await;
    let middle = bench.claimed("p", "02:00").await;
    for scope in [Scope::All, Scope::Only(vec![id("p")])] {
        assert_eq!(bench.view(scope).await.open[&id("p")], [early.clone(), middle.clone(), late.clone()]);
    }
}

pub async fn ended_attempts_are_not_open(bench: Bench) {
    for (hour, outcome, is_open) in [
        ("01:00", Outcome::Succeeded, false),
        ("02:00", Outcome::Cancelled, false),
        ("03:00", Outcome::Failed, true),
        ("04:00", Outcome::Lost, true),
        ("05:00", Outcome::Released, true),
    ] {
        let attempt = bench.claimed_under("p", hour, thrice()).await;
        bench.ended(&attempt, outcome).await;
        for scope in [Scope::All, Scope::Only(vec![id("p")])] {
            let open = bench.view(scope).await.open.remove(&id("p")).unwrap_or_default();
            let found = open.iter().find(|open| open.token == attempt.token);
            assert_eq!(found.and_then(Attempt::outcome), is_open.then_some(outcome), "{outcome}");
        }
    }
}

pub async fn decided_occurrences_are_those_after_the_cursor(bench: Bench) {
    for (hour, number) in [("05:00", 1), ("03:00", 1), ("01:00", 1), ("04:00", 1), ("04:00", 2)] {
        let transition = claiming(bench.row(&id("p")).await, at(hour), number);
        let claim = transition.claim.clone().unwrap();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won, "{hour}#{number}");
        bench.ended(&claim, Outcome::Succeeded).await;
    }
    bench.claimed("q", "09:00").await;
    let row = bench.row(&id("p")).await;
    assert_eq!(bench.commit_one(changing(Row { cursor: Some(at("03:00")), ..row })).await, Verdict::Won);
    let view = bench.view(Scope::Only(vec![id("p"), id("q")])).await;
    assert_eq!(view.decided.get(&id("p")), Some(&vec![at("04:00"), at("05:00")]));
    assert_eq!(view.decided.get(&id("q")), None);
}

pub async fn before_the_first_decision_every_attempt_counts_as_decided(bench: Bench) {
    let by_hand = claiming(Row::absent(id("p")), at("05:00"), 1);
    let row = Row { cursor: None, ..by_hand.row };
    assert_eq!(bench.commit_one(Transition { row, ..by_hand }).await, Verdict::Won);
    let view = bench.view(Scope::Only(vec![id("p")])).await;
    assert_eq!(view.decided.get(&id("p")), Some(&vec![at("05:00")]));
}

/// Whose claim is refused looks again, and learns it then; who only looks claims nothing.
pub async fn a_look_at_all_says_what_is_decided_to_who_only_looks(bench: Bench) {
    let memory = MemoryRunLog::new(bench.clock.clone());
    let claim = claiming(Row::absent(id("p")), at("02:00"), 1);
    let row = Row { cursor: Some(at("01:00")), ..claim.row.clone() };
    let batch = Batch { ends: Vec::new(), transitions: vec![Transition { row, ..claim }] };
    assert_eq!(memory.commit(batch).await.unwrap().verdicts, [Verdict::Won]);
    let looked_at = MemoryRunLog::to_look_at(bench.clock.clone(), memory.copy());
    let decided = async |log: &MemoryRunLog| log.load(Scope::All).await.unwrap().decided.remove(&id("p"));
    assert_eq!(decided(&memory).await, None);
    assert_eq!(decided(&looked_at).await, Some(vec![at("02:00")]));
}
