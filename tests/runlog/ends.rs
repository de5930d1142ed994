//! Ends: they fold into the attempt that has their token, once, and what follows is stored.

use std::time::Duration;

use tickward::pipeline::OnInterrupt;
use tickward::plan::Folded;
use tickward::run::{Attempt, LastEnd, Outcome, Policy};
use tickward::runlog::contract::{Batch, Condition, End, Ended, Scope, Verdict};

use crate::bench::{Bench, at, changing, claiming, completion, end, id, mint, once, thrice};

pub async fn an_end_is_kept_as_it_was_reported(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let end = end(&attempt, Outcome::Partial, at("02:03"));
    let expected = Attempt { end: Some(end.completion.clone()), ..attempt };
    assert_eq!(bench.end(end).await, Ended::Folded(Folded::Ended, Box::new(expected.clone())));
    assert_eq!(bench.everything().await.1, [tickward::runlog::contract::Record::Attempt(Box::new(expected))]);
}

pub async fn an_end_without_its_token_is_an_orphan(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let before = bench.everything().await;
    let stranger = Attempt { token: mint(), ..attempt };
    assert_eq!(bench.end(end(&stranger, Outcome::Succeeded, at("02:03"))).await, Ended::Orphan);
    assert_eq!(bench.everything().await, before);
}

pub async fn each_outcome_counts_as_it_should(bench: Bench) {
    use Outcome::*;
    // outcome → failures in a row after it, whether the attempt is given up
    let rows = [
        (Failed, 1, true),
        (TimedOut, 2, true),
        (Lost, 3, true),
        (Released, 3, false),
        (Interrupted, 4, true),
        (Succeeded, 0, false),
        (Cancelled, 1, false),
        (Partial, 0, false),
        (Failed, 1, true),
    ];
    let mut last = None;
    for (hour, (outcome, failures, gave_up)) in rows.into_iter().enumerate() {
        let hour = format!("{hour:02}:00");
        let attempt = bench.claimed("p", &hour).await;
        bench.clock.set(at(&hour) + Duration::from_secs(90));
        let ended = bench.ended(&attempt, outcome).await;
        assert_eq!((ended.outcome(), ended.gave_up), (Some(outcome), gave_up), "{hour} {outcome}");
        let row = bench.row(&id("p")).await;
        assert_eq!(row.failures_in_a_row, failures, "{hour} {outcome}");
        let ended_at = at(&hour) + Duration::from_secs(90);
        // What never started is no end that a person looks for.
        if outcome != Released {
            last = Some(LastEnd { scheduled_for: at(&hour), attempt: 1, outcome, ended_at });
        }
        assert_eq!(row.last, last, "{hour}");
    }
    let totals = bench.row(&id("p")).await.totals;
    let expected = Outcome::ALL.map(|outcome| (outcome.word().to_owned(), if outcome == Failed { 2 } else { 1 }));
    assert_eq!(totals, expected.into());
}

pub async fn an_end_is_taken_once(bench: Bench) {
    for (hour, first, second) in [
        ("01:00", Outcome::Succeeded, Outcome::Failed),
        ("02:00", Outcome::Failed, Outcome::Succeeded),
        ("03:00", Outcome::Failed, Outcome::Failed),
        ("04:00", Outcome::Lost, Outcome::Lost),
        ("05:00", Outcome::Released, Outcome::Succeeded),
    ] {
        let attempt = bench.claimed("p", hour).await;
        bench.ended(&attempt, first).await;
        let before = bench.everything().await;
        let answer = bench.end(end(&attempt, second, at("06:00"))).await;
        assert!(
            matches!(&answer, Ended::Folded(Folded::Already, a) if a.outcome() == Some(first)),
            "{hour}: {answer:?}"
        );
        assert_eq!(bench.everything().await, before, "{hour}");
    }
}

pub async fn an_end_makes_older_decisions_lost(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let decided_before = bench.row(&id("p")).await;
    bench.ended(&attempt, Outcome::Succeeded).await;
    assert_eq!(bench.commit_one(changing(decided_before)).await, Verdict::Lost);
}

pub async fn a_failure_is_followed_by_the_retry_that_its_policy_says(bench: Bench) {
    let mut transition = claiming(bench.row(&id("p")).await, at("02:00"), 1);
    for (tries, retry_at) in [(1, Some("02:03")), (2, Some("02:03")), (3, None)] {
        let claim = transition.claim.as_mut().unwrap();
        (claim.tries, claim.policy) = (tries, thrice());
        let claim = claim.clone();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        bench.clock.set(at("02:02"));
        let ended = bench.ended(&claim, Outcome::Failed).await;
        assert_eq!((ended.retry_at, ended.gave_up), (retry_at.map(at), retry_at.is_none()), "try {tries}");
        let open: Vec<Attempt> = bench.view(Scope::All).await.open.remove(&id("p")).unwrap_or_default();
        assert_eq!(open, retry_at.map(|_| ended).into_iter().collect::<Vec<_>>(), "try {tries}");
        transition = claiming(bench.row(&id("p")).await, at("02:00"), tries + 1);
        transition.closed = open.iter().map(|attempt| attempt.token).collect();
    }
}

pub async fn a_fatal_failure_is_not_followed(bench: Bench) {
    let attempt = bench.claimed_under("p", "02:00", thrice()).await;
    let mut completion = completion(&attempt, Outcome::Failed, at("02:02"));
    completion.fatal = true;
    let answer = bench.end(End { completion, condition: Condition::Always }).await;
    let Ended::Folded(Folded::Ended, ended) = answer else { panic!("{answer:?}") };
    assert_eq!((ended.retry_at, ended.gave_up), (None, true));
    assert!(ended.end.unwrap().fatal);
}

pub async fn what_is_released_or_rerun_is_due_at_once(bench: Bench) {
    let rerun = Policy { on_interrupt: OnInterrupt::Rerun, ..once() };
    for (hour, outcome, policy) in [("01:00", Outcome::Released, once()), ("02:00", Outcome::Interrupted, rerun)] {
        let attempt = bench.claimed_under("p", hour, policy).await;
        bench.clock.set(at(hour) + Duration::from_secs(7));
        let ended = bench.ended(&attempt, outcome).await;
        assert_eq!((ended.retry_at, ended.gave_up), (Some(at(hour) + Duration::from_secs(7)), false), "{outcome}");
    }
}

pub async fn ends_are_applied_before_transitions(bench: Bench) {
    let first = bench.claimed("p", "02:00").await;
    let mut row = bench.row(&id("p")).await;
    row.version += 1;
    let second = claiming(row, at("02:00"), 2);
    let ends = vec![end(&first, Outcome::Failed, at("02:01"))];
    let committed = bench.log.commit(Batch { ends, transitions: vec![second] }).await.unwrap();
    assert_eq!(committed.verdicts, [Verdict::Won]);
}

pub async fn ends_are_answered_in_order(bench: Bench) {
    let (a, b) = (bench.claimed("a", "02:00").await, bench.claimed("b", "02:00").await);
    let stranger = Attempt { token: mint(), ..a.clone() };
    let ends = [&b, &stranger, &a, &b].map(|attempt| end(attempt, Outcome::Succeeded, at("02:01")));
    let committed = bench.log.commit(Batch { ends: ends.into(), transitions: Vec::new() }).await.unwrap();
    let answers: Vec<String> = committed.ends.iter().map(shown).collect();
    assert_eq!(answers, ["b Ended", "orphan", "a Ended", "b Already"]);
}

fn shown(ended: &Ended) -> String {
    match ended {
        Ended::Folded(folded, attempt) => format!("{} {folded:?}", attempt.run.pipeline),
        Ended::Orphan => "orphan".into(),
        Ended::Refused => "refused".into(),
    }
}
