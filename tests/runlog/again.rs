//! A run that has succeeded is not tried again, whichever of its attempts has, and whenever that becomes known.

use tickward::plan::Folded;
use tickward::run::{Attempt, Outcome};
use tickward::runlog::again::{concerns_others, give_up};
use tickward::runlog::contract::{Imported, Scope, Transition, Verdict};

use crate::bench::{Bench, at, claiming, completion, id, lost, thrice};
use crate::imports::{import, spooled};
use crate::late::declared_lost;

/// The numbers of the attempts of that run that are open.
async fn open_of(bench: &Bench, name: &str, time: &str) -> Vec<u32> {
    let open = bench.view(Scope::All).await.open.remove(&id(name)).unwrap_or_default();
    open.iter().filter(|attempt| attempt.run.scheduled_for == at(time)).map(|attempt| attempt.number).collect()
}

pub async fn no_retry_is_made_of_a_run_of_which_any_attempt_has_succeeded(bench: Bench) {
    use Outcome::{Failed, Succeeded};
    // how the attempts of other hosts ended, in the order in which they come; whether the run-log's own has ended before
    for (place, (name, outcomes, is_first)) in (0..).zip([
        ("a", [Succeeded, Failed], false),
        ("b", [Failed, Succeeded], false),
        ("c", [Succeeded, Failed], true),
        ("d", [Failed, Succeeded], true),
    ]) {
        let own = bench.claimed_under(name, "02:00", thrice()).await;
        if is_first {
            bench.ended(&own, Failed).await;
        }
        for outcome in outcomes {
            let mut record = spooled("02:00", 1, Some(outcome));
            record.attempt.run.pipeline = id(name);
            import(&bench, [record]).await;
        }
        if !is_first {
            bench.ended(&own, Failed).await;
        }
        assert_eq!(open_of(&bench, name, "02:00").await, [0; 0], "row {place}");
    }
}

pub async fn a_late_success_ends_the_retry_that_was_handed_on(bench: Bench) {
    // whether the attempt that succeeds late was made without the run-log as well
    for (name, alone) in [("a", false), ("b", true)] {
        let mut record = spooled("02:00", 1, None);
        record.attempt.run.pipeline = id(name);
        let own = match alone {
            true => {
                assert_eq!(import(&bench, [record.clone()]).await, [Imported::Taken]);
                record.attempt.clone()
            }
            false => bench.claimed_under(name, "02:00", thrice()).await,
        };
        let mut other = spooled("02:00", 1, Some(Outcome::Failed));
        other.attempt.run.pipeline = id(name);
        assert_eq!(import(&bench, [other]).await, [Imported::Duplicate(2)], "{name}");
        bench.clock.set(at("09:00"));
        bench.end(lost(&own, at("09:00"))).await;
        assert_eq!(open_of(&bench, name, "02:00").await, [2], "{name}");
        match alone {
            true => {
                record.attempt.end = Some(completion(&own, Outcome::Succeeded, at("02:01")));
                assert_eq!(import(&bench, [record]).await, [Imported::Known]);
            }
            false => drop(bench.ended(&own, Outcome::Succeeded).await),
        }
        assert_eq!(open_of(&bench, name, "02:00").await, [0; 0], "{name}");
    }
}

/// A host gives back what a killed tick of it had claimed, and makes it under the next number.
pub async fn what_a_host_gave_back_and_made_after_that_has_one_retry_pending(bench: Bench) {
    let given_back = |number| spooled("02:00", number, Some(Outcome::Released));
    let mut failed = spooled("02:00", 3, Some(Outcome::Failed));
    failed.attempt.tries = 1;
    let records = [given_back(1), given_back(2), failed];
    assert_eq!(import(&bench, records).await, [Imported::Taken; 3]);
    assert_eq!(open_of(&bench, "p", "02:00").await, [3], "what was made is not pending");
    let mut others = spooled("02:00", 1, Some(Outcome::Succeeded));
    others.attempt.owner.host = "other".into();
    assert_eq!(import(&bench, [others]).await, [Imported::Duplicate(4)]);
    assert_eq!(open_of(&bench, "p", "02:00").await, [0; 0], "it is done");
    let last = [given_back(1), given_back(2)].map(|mut record| {
        record.attempt.run.pipeline = id("q");
        record
    });
    import(&bench, last).await;
    assert_eq!(open_of(&bench, "q", "02:00").await, [2], "the newest has not been made");
}

pub async fn an_end_that_comes_later_hands_its_retry_on_as_well(bench: Bench) {
    let mut record = spooled("02:00", 1, None);
    assert_eq!(import(&bench, [record.clone()]).await, [Imported::Taken]);
    assert_eq!(import(&bench, [spooled("02:00", 1, Some(Outcome::Failed))]).await, [Imported::Duplicate(2)]);
    record.attempt.end = Some(completion(&record.attempt, Outcome::Failed, at("02:01")));
    record.attempt.retry_at = Some(at("02:02"));
    assert_eq!(import(&bench, [record]).await, [Imported::Known]);
    assert_eq!(open_of(&bench, "p", "02:00").await, [2], "the number after it is free");
}

/// A person's wish is another matter than the run's own retries.
pub async fn after_a_late_success_the_run_is_tried_again_only_by_hand(bench: Bench) {
    for (name, by_hand, is_pending) in [("p", false, false), ("q", true, true)] {
        let first = bench.claimed_under(name, "02:00", thrice()).await;
        declared_lost(&bench, &first).await;
        let row = bench.row(&id(name)).await;
        let mut retry = Transition { closed: vec![first.token], ..claiming(row, at("02:00"), 2) };
        let second = retry.claim.as_mut().unwrap();
        (second.policy, second.by_hand) = (thrice(), by_hand);
        let second = second.clone();
        assert_eq!(bench.commit_one(retry).await, Verdict::Won);
        bench.ended(&first, Outcome::Succeeded).await;
        let failed = bench.ended(&second, Outcome::Failed).await;
        assert_eq!(failed.retry_at.is_some(), is_pending, "by hand: {by_hand}");
        assert_eq!(bench.view(Scope::All).await.open.contains_key(&id(name)), is_pending, "by hand: {by_hand}");
    }
}

pub async fn only_an_end_that_may_matter_to_other_attempts_asks_for_them(_: Bench) {
    use Folded::{Already, Ended, Late};
    use Outcome::{Failed, Succeeded};
    // its number, whether made without the run-log, what it came to, whether that is new, its retry; whether it asks
    for row @ (number, degraded, outcome, folded, has_retry, asks) in [
        (1, false, Succeeded, Ended, false, false),
        (1, false, Succeeded, Late, false, true),
        (1, true, Succeeded, Ended, false, true),
        (2, false, Succeeded, Ended, false, true),
        (2, false, Succeeded, Already, false, false),
        (2, false, Failed, Ended, false, false),
        (1, false, Failed, Ended, true, true),
        (1, false, Failed, Already, true, false),
    ] {
        let attempt = spooled("02:00", number, Some(outcome)).attempt;
        let attempt = Attempt { degraded, retry_at: has_retry.then(|| at("02:02")), ..attempt };
        assert_eq!(concerns_others(&attempt, folded), asks, "{row:?}");
    }
}

pub async fn a_success_gives_up_the_pending_retries_that_nobody_asked_for(_: Bench) {
    let of = |outcome, retry_at, by_hand| Attempt { retry_at, by_hand, ..spooled("02:00", 1, Some(outcome)).attempt };
    let retry = Some(at("02:02"));
    let pending = of(Outcome::Failed, retry, false);
    let mut done = of(Outcome::Succeeded, None, false);
    let all = [done.clone(), pending.clone(), of(Outcome::Failed, None, false), of(Outcome::Failed, retry, true)];
    assert_eq!(give_up(&mut done, &all), [Attempt { retry_at: None, ..pending }]);
}
