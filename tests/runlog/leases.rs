//! Leases: renewed for those who hold them, and for nobody else.

use std::collections::BTreeMap;

use tickward::lease::Lease;
use tickward::run::{Outcome, Row, StopRequest};
use tickward::runlog::contract::{Query, Record, Scope, Transition, Verdict};

use crate::bench::{Bench, at, changing, id, lease_from, lease_until, mint, thrice};

pub async fn only_held_tokens_are_renewed(bench: Bench) {
    let held = bench.claimed("held", "02:00").await;
    let other = bench.claimed("other", "02:00").await;
    let ended = bench.claimed("ended", "02:00").await;
    bench.ended(&ended, Outcome::Succeeded).await;
    let pending = bench.claimed_under("pending", "02:00", thrice()).await;
    bench.ended(&pending, Outcome::Lost).await;
    let tokens = vec![ended.token, held.token, mint(), pending.token];
    assert_eq!(bench.renew(tokens, lease_until(at("03:00"))).await, [held.token]);
    assert_eq!(bench.renew(vec![], lease_until(at("04:00"))).await, []);
    for (attempt, lease_until) in [(&held, "03:00"), (&other, "02:05"), (&pending, "02:05")] {
        let open = &bench.view(Scope::All).await.open[&attempt.run.pipeline];
        assert_eq!(open[0].lease.until, at(lease_until), "{}", attempt.run.pipeline);
    }
}

pub async fn a_renewal_lasts_until_its_instant(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let until = at("2026-01-01T02:06:40.123456Z");
    bench.log.renew(vec![attempt.token], lease_until(until)).await.unwrap();
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].lease.until, until);
}

pub async fn a_renewal_never_shortens_a_lease(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    for until in ["02:20", "02:10"] {
        assert_eq!(bench.renew(vec![attempt.token], lease_until(at(until))).await, [attempt.token], "{until}");
        assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].lease.until, at("02:20"), "{until}");
    }
}

/// Which of two renewals is the later one, the boot clock tells: the wall clock may have been set back between them.
pub async fn a_renewal_replaces_what_a_wrong_clock_has_set(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let renewal = Lease { until: at("00:20"), ..lease_from(at("02:02")) };
    bench.log.renew(vec![attempt.token], renewal).await.unwrap();
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].lease, renewal);
}

/// A wrong clock has put the end far off; somebody else sets it back, and the owner, who lives, renews it.
pub async fn a_lease_that_was_set_back_ends_with_its_length(bench: Bench) {
    let attempt = bench.claimed("p", "09:00").await;
    let set_back = attempt.lease.set_back(at("02:00")).unwrap();
    assert_eq!(bench.renew(vec![attempt.token], set_back).await, [attempt.token]);
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].lease.until, at("02:05"));
    let renewal = Lease { until: at("02:07"), ..lease_from(at("09:02")) };
    bench.log.renew(vec![attempt.token], renewal).await.unwrap();
    bench.log.renew(vec![attempt.token], set_back).await.unwrap();
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].lease, renewal);
}

pub async fn a_renewal_leaves_decisions_valid(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let decided_before = bench.row(&id("p")).await;
    bench.log.renew(vec![attempt.token], lease_until(at("02:20"))).await.unwrap();
    assert_eq!(bench.commit_one(changing(decided_before)).await, Verdict::Won);
}

pub async fn a_lease_that_is_over_may_still_be_renewed(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    bench.clock.set(at("02:30"));
    assert_eq!(bench.renew(vec![attempt.token], lease_until(at("02:35"))).await, [attempt.token]);
}

pub async fn who_renews_is_told_who_is_to_end(bench: Bench) {
    let unwanted = bench.claimed("p", "02:00").await;
    let other = bench.claimed("q", "02:00").await;
    let stop = StopRequest { at: at("02:01"), why: "a person said \"stop\" é".into() };
    let stops = vec![(unwanted.token, stop.clone()), (mint(), stop.clone())];
    let transition = Transition { stops, ..changing(bench.row(&id("p")).await) };
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    let told = bench.log.renew(vec![unwanted.token, other.token], lease_until(at("03:00"))).await.unwrap();
    let told: BTreeMap<_, _> = told.into_iter().map(|renewed| (renewed.token, renewed.stop)).collect();
    assert_eq!(told, BTreeMap::from([(unwanted.token, Some(stop.clone())), (other.token, None)]));
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].stop, Some(stop.clone()));
    bench.ended(&unwanted, Outcome::Cancelled).await;
    let stops = vec![(unwanted.token, StopRequest { why: "again".into(), ..stop.clone() })];
    let transition = Transition { stops, ..changing(bench.row(&id("p")).await) };
    assert_eq!(bench.commit_one(transition).await, Verdict::Won, "who has ended is no matter");
    let query = Query { token: Some(unwanted.token), ..Query::default() };
    let Record::Attempt(ended) = bench.history(query).await.remove(0) else { panic!("no attempt") };
    assert_eq!(ended.stop, Some(stop), "what has ended is left as it was");
}

pub async fn a_refused_transition_stops_nothing(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let stops = vec![(attempt.token, StopRequest { at: at("02:01"), why: "no".into() })];
    let old = Row { version: 7, ..bench.row(&id("p")).await };
    assert_eq!(bench.commit_one(Transition { stops, ..changing(old) }).await, Verdict::Lost);
    assert_eq!(bench.view(Scope::All).await.open[&id("p")][0].stop, None);
}
