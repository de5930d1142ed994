//! The outbox: alerts that are stored with what they tell of, taken, delivered, and dead in the end.

use std::time::Duration;

use tickward::alert::{Alert, Kind};
use tickward::clock::Clock;
use tickward::pipeline::Retry;
use tickward::run::{Attempt, Outcome};
use tickward::runlog::contract::{AlertVerdict, Item, Outbox, Scope, Settled, Transition, Verdict, Waiting};
use tickward::runlog::outbox::{Done, MOST, Why};

use crate::bench::{Bench, at, changing, claiming, id};

const LEASE: Duration = Duration::from_secs(30);

async fn take(bench: &Bench) -> Vec<Waiting> {
    bench.log.take_alerts(2 * MOST, LEASE).await.unwrap()
}

/// Kinds and pipelines, in order.
fn told(entries: &[Waiting]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.alert.kind, entry.alert.pipeline)).collect()
}

async fn outbox(bench: &Bench) -> Outbox {
    bench.log.outbox().await.unwrap()
}

async fn is_pending(bench: &Bench) -> bool {
    bench.view(Scope::Only(vec![])).await.alerts_pending
}

async fn claimed(bench: &Bench, name: &str, number: u32, retry: Retry) -> Attempt {
    let mut transition = claiming(bench.row(&id(name)).await, at("01:00"), number);
    let claim = transition.claim.as_mut().unwrap();
    (claim.policy.retry, claim.tries) = (retry, 1);
    let claim = claim.clone();
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    claim
}

fn alert(name: &str, what: &str, bench: &Bench) -> Alert {
    Alert::of_pipeline(Kind::Missed, &id(name), what, bench.clock.now())
}

fn settled(entry: &Waiting, verdict: AlertVerdict) -> Settled {
    Settled { id: entry.alert.id.clone(), done: Done::default(), verdict, error: "why".into() }
}

async fn settle(bench: &Bench, entry: &Waiting, verdict: AlertVerdict) {
    bench.log.settle_alerts(vec![settled(entry, verdict)]).await.unwrap();
}

pub async fn an_end_is_told_as_it_ended(bench: Bench) {
    for (number, (outcome, tries, kinds)) in [
        (Outcome::Succeeded, 1, vec![]),
        (Outcome::Failed, 1, vec!["gave_up"]),
        (Outcome::Succeeded, 1, vec!["recovered"]),
        (Outcome::Succeeded, 1, vec![]),
        (Outcome::TimedOut, 2, vec!["failed"]),
        (Outcome::Cancelled, 1, vec![]),
        (Outcome::Released, 1, vec![]),
        (Outcome::Partial, 1, vec!["partial", "recovered"]),
        (Outcome::Lost, 1, vec!["lost"]),
        (Outcome::Lost, 2, vec!["lost"]),
        (Outcome::Interrupted, 1, vec!["gave_up"]),
    ]
    .into_iter()
    .enumerate()
    {
        let retry = Retry { max_attempts: tries, ..Retry::NONE };
        let attempt = claimed(&bench, "p", 1 + number as u32, retry).await;
        let ended = bench.ended(&attempt, outcome).await;
        let entries = take(&bench).await;
        let found: Vec<_> = entries.iter().map(|entry| entry.alert.kind.word().to_owned()).collect();
        assert_eq!(found, kinds, "row {number}: {outcome}");
        for entry in &entries {
            assert_eq!(entry.alert.next_attempt_at, ended.retry_at, "row {number}");
            assert_eq!(entry.alert.outcome.as_deref(), Some(outcome.word()));
            settle(&bench, entry, AlertVerdict::Delivered).await;
        }
        assert!(!is_pending(&bench).await, "row {number}");
    }
}

pub async fn a_late_outcome_is_told_once(bench: Bench) {
    let attempt = claimed(&bench, "p", 1, Retry::NONE).await;
    bench.ended(&attempt, Outcome::Lost).await;
    bench.ended(&attempt, Outcome::Succeeded).await;
    bench.ended(&attempt, Outcome::Succeeded).await;
    let entries = take(&bench).await;
    assert_eq!(told(&entries), ["lost p", "late_outcome p"]);
    assert_eq!(entries[1].alert.outcome.as_deref(), Some("succeeded"));
}

pub async fn a_transition_that_is_refused_tells_nothing(bench: Bench) {
    let old = bench.row(&id("p")).await;
    let with = |row, what: &str| Transition { alerts: vec![alert("p", what, &bench)], ..changing(row) };
    assert!(!is_pending(&bench).await);
    assert_eq!(bench.commit_one(with(old.clone(), "1")).await, Verdict::Won);
    assert_eq!(bench.commit_one(with(old, "2")).await, Verdict::Lost);
    assert!(is_pending(&bench).await);
    let entries = take(&bench).await;
    assert_eq!(entries.iter().map(|entry| entry.alert.id.as_str()).collect::<Vec<_>>(), ["missed/default/p/1"]);
}

pub async fn an_alert_is_with_one_tick_at_a_time(bench: Bench) {
    let ways = bench.ways(2);
    bench.log.post_alerts(vec![alert("p", "1", &bench), alert("q", "1", &bench)]).await.unwrap();
    assert_eq!(ways[0].take_alerts(1, LEASE).await.unwrap().len(), 1, "no more than was asked for");
    assert_eq!(told(&ways[1].take_alerts(9, LEASE).await.unwrap()), ["missed q"]);
    assert!(take(&bench).await.is_empty() && is_pending(&bench).await);
    bench.clock.advance(LEASE - Duration::from_micros(1));
    assert!(take(&bench).await.is_empty());
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(take(&bench).await.len(), 2, "who took them has not settled them in time");
    bench.clock.set("2020-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(take(&bench).await.len(), 2, "a clock that was wrong once holds nothing back");
}

pub async fn alerts_of_a_pipeline_stay_in_order(bench: Bench) {
    bench.log.post_alerts(vec![alert("p", "1", &bench)]).await.unwrap();
    let first = take(&bench).await.remove(0);
    bench.clock.advance(Duration::from_secs(1));
    bench.log.post_alerts(vec![alert("p", "2", &bench), alert("q", "1", &bench)]).await.unwrap();
    let other = take(&bench).await;
    assert_eq!(told(&other), ["missed q"], "what is about `p` waits for the older one");
    let mut again = settled(&first, AlertVerdict::Again);
    again.done.delivered.push("slack".into());
    bench.log.settle_alerts(vec![again]).await.unwrap();
    let both = take(&bench).await;
    let ids: Vec<_> = both.iter().map(|entry| entry.alert.id.as_str()).collect();
    assert_eq!(ids, ["missed/default/p/1", "missed/default/p/2"]);
    assert!(both[0].done.has("slack") && !both[0].done.has("page"), "who has it is not told again");
    assert_eq!((both[0].error.as_str(), both[1].error.as_str()), ("why", ""));
    settle(&bench, &both[0], AlertVerdict::Delivered).await;
    let left = outbox(&bench).await;
    assert_eq!((told(&left.waiting).len(), told(&left.dead), left.dead_ever), (2, vec![], 0));
}

pub async fn what_happened_long_ago_is_told_for_a_day_too_and_in_its_turn(bench: Bench) {
    let long_ago = |what: &str| Alert { at: at("2025-12-01T00:00:00Z"), ..alert("p", what, &bench) };
    for alert in [alert("p", "1", &bench), long_ago("2"), alert("p", "3", &bench), long_ago("4")] {
        bench.log.post_alerts(vec![alert]).await.unwrap();
    }
    let entries = take(&bench).await;
    let ids: Vec<_> = entries.iter().map(|entry| entry.alert.id.rsplit('/').next().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"], "as they came in");
    let shown: Vec<_> = outbox(&bench).await.waiting.into_iter().map(|entry| entry.alert.id).collect();
    assert_eq!(shown, entries.iter().map(|entry| entry.alert.id.clone()).collect::<Vec<_>>());
    bench.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(take(&bench).await.len(), 4);
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!((take(&bench).await.len(), outbox(&bench).await.dead_ever), (0, 4));
}

pub async fn what_is_put_off_is_kept_with_its_instant(bench: Bench) {
    bench.log.post_alerts(vec![alert("p", "1", &bench)]).await.unwrap();
    // what the alerter has answered (none: a refusal), seconds until it is told again
    for (row, (asked, seconds)) in [
        (None, 60),
        (None, 120),
        (None, 240),
        (Some(7200), 7200),
        (None, 480),
        (None, 900),
        (None, 900),
        (Some(200_000), 86_400),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut entry, now) = (take(&bench).await.remove(0), bench.clock.now());
        assert_eq!(entry.done.put_off("slack", now), None, "row {row}: it is its time");
        match asked {
            None => entry.done.refuse("slack", Why::Refused, now),
            Some(asked) => entry.done.wait("slack", Duration::from_secs(asked), now),
        }
        let again = settled(&entry, AlertVerdict::Again);
        bench.log.settle_alerts(vec![Settled { done: entry.done, ..again }]).await.unwrap();
        let kept = outbox(&bench).await.waiting.remove(0).done;
        let (off, expected) = (kept.put_off("slack", now).unwrap(), Duration::from_secs(seconds));
        assert_eq!(Duration::try_from(off.until.duration_since(now)).unwrap(), expected, "row {row}");
        assert_eq!(off.why, if asked.is_some() { Why::Asked } else { Why::Refused }, "row {row}");
        assert_eq!(kept.put_off("page", now), None, "row {row}: nobody else is put off");
        assert_eq!(kept.put_off("slack", at("2020-01-01T00:00:00Z")), None, "row {row}: a clock that was wrong once");
        if row < 7 {
            bench.clock.advance(expected);
        }
    }
}

pub async fn the_same_alert_is_kept_once(bench: Bench) {
    for _ in 0..2 {
        bench.log.post_alerts(vec![alert("p", "1", &bench), alert("p", "1", &bench)]).await.unwrap();
    }
    assert_eq!(outbox(&bench).await.waiting.len(), 1);
}

pub async fn after_a_day_an_alert_is_dead(bench: Bench) {
    bench.log.post_alerts(vec![alert("p", "1", &bench)]).await.unwrap();
    bench.clock.advance(Duration::from_secs(24 * 3600));
    let entries = take(&bench).await;
    assert_eq!(entries.len(), 1, "it is tried at its last instant");
    settle(&bench, &entries[0], AlertVerdict::Again).await;
    bench.clock.advance(Duration::from_micros(1));
    assert!(take(&bench).await.is_empty() && !is_pending(&bench).await);
    let left = outbox(&bench).await;
    assert_eq!((left.waiting.len(), left.dead.len(), left.dead_ever), (0, 1, 1));
}

pub async fn what_is_posted_finds_those_dead_that_nobody_took(bench: Bench) {
    bench.log.post_alerts(vec![alert("p", "1", &bench)]).await.unwrap();
    bench.clock.advance(Duration::from_secs(24 * 3600) + Duration::from_micros(1));
    // How many are posted, how many wait then and are dead.
    for (posted, waiting, dead) in [(0, 1, 0), (1, 1, 1)] {
        let alerts = (0..posted).map(|_| alert("p", "2", &bench)).collect();
        bench.log.post_alerts(alerts).await.unwrap();
        let left = outbox(&bench).await;
        assert_eq!((left.waiting.len(), left.dead.len()), (waiting, dead), "{posted}");
    }
}

pub async fn of_the_dead_the_last_ones_are_kept(bench: Bench) {
    let dead = |n: usize| Item::Dead(Waiting::new(alert("p", &n.to_string(), &bench)));
    for (from, to, kept) in [(0, MOST - 1, MOST - 1), (MOST - 1, MOST, MOST), (MOST, MOST + 2, MOST)] {
        bench.log.adopt((from..to).map(dead).collect()).await.unwrap();
        let left = outbox(&bench).await;
        assert_eq!((left.dead.len(), left.dead_ever), (kept, to as u64));
        assert_eq!(left.dead[kept - 1].alert.id, alert("p", &(to - 1).to_string(), &bench).id);
    }
}

pub async fn what_there_is_no_room_for_is_counted(bench: Bench) {
    let alerts = |from: usize, to: usize| (from..to).map(|n| alert("p", &n.to_string(), &bench)).collect::<Vec<_>>();
    bench.log.post_alerts(alerts(0, MOST)).await.unwrap();
    assert_eq!(outbox(&bench).await.waiting.len(), MOST);
    bench.log.post_alerts(alerts(MOST, MOST + 2)).await.unwrap();
    bench.log.post_alerts(alerts(MOST + 2, MOST + 3)).await.unwrap();
    let entries = take(&bench).await;
    assert_eq!(entries.len(), MOST + 1);
    let digest: Vec<_> = entries.iter().filter(|entry| entry.alert.kind.word() == "digest").collect();
    assert_eq!(digest.len(), 1);
    assert_eq!(digest[0].alert.count, Some(3));
    let error = format!("3 more alerts: {MOST} wait already, and no more are kept");
    assert_eq!(digest[0].alert.error, Some(error));
    settle(&bench, &entries[5], AlertVerdict::Delivered).await;
    settle(&bench, digest[0], AlertVerdict::Delivered).await;
    bench.log.post_alerts(alerts(MOST + 3, MOST + 4)).await.unwrap();
    assert_eq!(outbox(&bench).await.waiting.len(), MOST, "there is room again");
}
