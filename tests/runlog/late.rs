//! Losses: a lease is over only if it is so in the committing statement, and an outcome that comes late is kept.

use tickward::plan::Folded;
use tickward::run::{Attempt, Outcome};
use tickward::runlog::contract::{Condition, End, Ended, Scope, Transition, Verdict};

use crate::bench::{Bench, at, changing, claiming, end, id, lease_from, lease_until, lost, once, thrice};

/// Declares the attempt lost ten minutes after its claim.
pub async fn declared_lost(bench: &Bench, attempt: &Attempt) -> Attempt {
    bench.clock.set(at("02:10"));
    match bench.end(lost(attempt, at("02:10"))).await {
        Ended::Folded(Folded::Ended, attempt) => *attempt,
        other => panic!("{other:?}"),
    }
}

pub async fn a_lease_that_holds_is_not_lost(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let before = bench.everything().await;
    bench.clock.set(at("2026-01-01T02:04:59.999999Z"));
    assert_eq!(bench.end(lost(&attempt, at("09:00"))).await, Ended::Refused);
    assert_eq!(bench.everything().await, before);
}

pub async fn a_lease_is_over_at_its_last_instant(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    bench.clock.set(at("02:05"));
    let answer = bench.end(lost(&attempt, at("02:05"))).await;
    assert!(matches!(&answer, Ended::Folded(Folded::Ended, a) if a.outcome() == Some(Outcome::Lost)), "{answer:?}");
}

pub async fn a_lease_renewed_meanwhile_is_not_lost(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    bench.clock.set(at("02:06"));
    let decided_before_the_renewal = lost(&attempt, at("02:06"));
    bench.log.renew(vec![attempt.token], lease_until(at("02:11"))).await.unwrap();
    assert_eq!(bench.end(decided_before_the_renewal).await, Ended::Refused);
    assert!(bench.view(Scope::All).await.open[&id("p")][0].is_active());
}

/// The claiming host's boot clock shows 02:00 minutes at the claim; the store's clock is stepped about it.
pub async fn where_the_boot_clock_is_known_it_alone_ends_a_lease(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    for (store, boot, is_over) in [("09:00", "02:04", false), ("01:00", "02:05", true)] {
        bench.clock.set(at(store));
        let boot = Some(lease_from(at(boot)).since_boot());
        let answer = bench.end(End { condition: Condition::LeaseOver { boot }, ..lost(&attempt, at(store)) }).await;
        assert_eq!(matches!(answer, Ended::Folded(Folded::Ended, _)), is_over, "{store}: {answer:?}");
    }
}

pub async fn an_outcome_that_came_first_wins(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    bench.ended(&attempt, Outcome::Succeeded).await;
    let before = bench.everything().await;
    bench.clock.set(at("02:10"));
    let answer = bench.end(lost(&attempt, at("02:10"))).await;
    assert!(!matches!(answer, Ended::Folded(Folded::Ended | Folded::Late, _)), "{answer:?}");
    assert_eq!(bench.everything().await, before);
}

pub async fn a_late_failure_is_kept_beside_the_loss(bench: Bench) {
    let attempt = bench.claimed_under("p", "02:00", thrice()).await;
    let gone = declared_lost(&bench, &attempt).await;
    let row = bench.row(&id("p")).await;
    let expected = Attempt { late_outcome: Some(Outcome::Failed), ..gone };
    assert_eq!(expected.retry_at, Some(at("02:11")));
    let answer = bench.end(end(&attempt, Outcome::Failed, at("02:12"))).await;
    assert_eq!(answer, Ended::Folded(Folded::Late, Box::new(expected.clone())));
    assert_eq!(bench.view(Scope::All).await.open[&id("p")], [expected]);
    let after = bench.row(&id("p")).await;
    assert_eq!((after.totals, after.last, after.failures_in_a_row), (row.totals, row.last, row.failures_in_a_row));
}

pub async fn a_late_success_cancels_the_retry(bench: Bench) {
    for (name, outcome) in [("p", Outcome::Succeeded), ("q", Outcome::Partial)] {
        let attempt = bench.claimed_under(name, "02:00", thrice()).await;
        declared_lost(&bench, &attempt).await;
        let row = bench.row(&id(name)).await;
        let ended = bench.ended(&attempt, outcome).await;
        assert_eq!((ended.outcome(), ended.late_outcome), (Some(Outcome::Lost), Some(outcome)));
        assert_eq!(ended.retry_at, None);
        assert!(!bench.view(Scope::All).await.open.contains_key(&id(name)), "{outcome}: nothing is pending");
        let retry = Transition { closed: vec![attempt.token], ..claiming(row, at("02:00"), 2) };
        assert_eq!(bench.commit_one(retry).await, Verdict::Lost, "{outcome}");
    }
}

pub async fn a_late_success_leaves_a_retry_that_was_made(bench: Bench) {
    let attempt = bench.claimed_under("p", "02:00", thrice()).await;
    declared_lost(&bench, &attempt).await;
    let row = bench.row(&id("p")).await;
    let retry = Transition { closed: vec![attempt.token], ..claiming(row, at("02:00"), 2) };
    assert_eq!(bench.commit_one(retry.clone()).await, Verdict::Won);
    let ended = bench.ended(&attempt, Outcome::Succeeded).await;
    assert_eq!(ended.late_outcome, Some(Outcome::Succeeded));
    assert_eq!(bench.view(Scope::All).await.open[&id("p")], [retry.claim.unwrap()]);
}

pub async fn of_late_outcomes_the_first_is_kept(bench: Bench) {
    let attempt = bench.claimed_under("p", "02:00", once()).await;
    declared_lost(&bench, &attempt).await;
    bench.ended(&attempt, Outcome::Failed).await;
    let before = bench.everything().await;
    let answer = bench.end(end(&attempt, Outcome::Succeeded, at("02:30"))).await;
    assert!(matches!(answer, Ended::Folded(Folded::Already, _)), "{answer:?}");
    assert_eq!(bench.everything().await, before);
}

pub async fn a_late_outcome_makes_older_decisions_lost(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    declared_lost(&bench, &attempt).await;
    let decided_before = bench.row(&id("p")).await;
    bench.ended(&attempt, Outcome::Succeeded).await;
    assert_eq!(bench.commit_one(changing(decided_before)).await, Verdict::Lost);
}
