//! What a host did without the run-log is taken in: once, however often it comes, and in nobody's place.

use std::time::Duration;

use tickward::pipeline::Retry;
use tickward::run::{Attempt, KnownSchedule, Outcome};
use tickward::runlog::contract::{Imported, Scope, Spooled, Verdict};
use tickward::runlog::import::order;

use crate::bench::{Bench, at, attempt, changing, claiming, completion, id, lease_until, once, thrice};

/// An attempt as a spool has it, ended if there is an outcome.
pub fn spooled(scheduled_for: &str, number: u32, outcome: Option<Outcome>) -> Spooled {
    let scheduled_for = at(scheduled_for);
    let claimed = Attempt { degraded: true, policy: thrice(), ..attempt(&id("p"), scheduled_for, number, 7) };
    let end = outcome.map(|outcome| completion(&claimed, outcome, scheduled_for + Duration::from_secs(60)));
    let is_failed = outcome.is_some_and(|outcome| !outcome.is_success());
    let retry_at = is_failed.then(|| scheduled_for + Duration::from_secs(120));
    Spooled { attempt: Attempt { end, retry_at, ..claimed }, after: None, schedule: String::new() }
}

pub async fn import(bench: &Bench, records: impl Into<Vec<Spooled>>) -> Vec<Imported> {
    bench.log.import(records.into()).await.unwrap()
}

async fn attempts(bench: &Bench) -> Vec<Attempt> {
    use tickward::runlog::contract::Record;
    let all = bench.everything().await.1.into_iter().filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    let mut all: Vec<Attempt> = all.collect();
    all.sort_by_key(|attempt| (attempt.run.scheduled_for, attempt.number));
    all
}

pub async fn what_is_imported_is_there_as_it_was_made(bench: Bench) {
    let records = [spooled("02:00", 1, Some(Outcome::Succeeded)), spooled("03:00", 1, None)];
    assert_eq!(import(&bench, &records).await, [Imported::Taken, Imported::Taken]);
    assert_eq!(attempts(&bench).await, records.clone().map(|record| record.attempt));
    let row = bench.row(&id("p")).await;
    assert_eq!((row.fence, row.totals.get("succeeded"), row.last.unwrap().scheduled_for), (7, Some(&1), at("02:00")));
    let view = bench.view(Scope::Only(vec![id("p")])).await;
    assert_eq!(view.decided[&id("p")], [at("02:00"), at("03:00")], "neither is due any more");
}

pub async fn records_are_sorted_by_run_and_attempt(_: Bench) {
    let mut records = [("03:00", 1), ("02:00", 2), ("02:00", 1)].map(|(run, number)| spooled(run, number, None));
    records.sort_by_key(order);
    let sorted = records.map(|record| (record.attempt.run.scheduled_for, record.attempt.number));
    assert_eq!(sorted, [(at("02:00"), 1), (at("02:00"), 2), (at("03:00"), 1)]);
}

/// As people may hand it in: what follows an attempt that has not ended is not known.
pub async fn what_is_imported_was_made_without_the_run_log_and_runs_until_its_end(bench: Bench) {
    let whole = spooled("02:00", 1, None);
    let mut odd = whole.clone();
    odd.attempt = Attempt { degraded: false, gave_up: true, retry_at: Some(at("02:30")), ..whole.attempt.clone() };
    odd.attempt.late_outcome = Some(Outcome::Failed);
    assert_eq!(import(&bench, [odd]).await, [Imported::Taken]);
    assert_eq!(attempts(&bench).await, [whole.attempt]);
}

pub async fn the_same_records_may_come_again(bench: Bench) {
    let records = [spooled("02:00", 1, Some(Outcome::Failed)), spooled("03:00", 1, Some(Outcome::Succeeded))];
    import(&bench, &records).await;
    let before = bench.everything().await;
    assert_eq!(import(&bench, &records).await, [Imported::Known, Imported::Known]);
    assert_eq!(bench.everything().await, before);
}

pub async fn an_end_that_comes_later_is_folded(bench: Bench) {
    let mut record = spooled("02:00", 1, None);
    import(&bench, [record.clone()]).await;
    record.attempt.lease = lease_until(at("09:00"));
    assert_eq!(import(&bench, [record.clone()]).await, [Imported::Known]);
    assert_eq!(attempts(&bench).await[0].lease, record.attempt.lease, "who lives on keeps its claim");
    record.attempt.end = Some(completion(&record.attempt, Outcome::Succeeded, at("02:01")));
    import(&bench, [record.clone()]).await;
    assert_eq!(attempts(&bench).await, [record.attempt]);
}

pub async fn what_has_ended_is_left_as_it_is_by_an_older_record(bench: Bench) {
    let older = spooled("02:00", 1, None);
    let ended = spooled("02:00", 1, Some(Outcome::Failed)).attempt;
    let ended =
        Spooled { attempt: Attempt { token: older.attempt.token, ..ended }, after: None, schedule: String::new() };
    import(&bench, [older.clone()]).await;
    assert_eq!(import(&bench, [ended.clone()]).await, [Imported::Known]);
    let before = bench.everything().await;
    assert_eq!(attempts(&bench).await[0].retry_at, ended.attempt.retry_at, "its retry is pending");
    let longer = Attempt { lease: lease_until(at("09:00")), ..older.attempt };
    assert_eq!(
        import(&bench, [Spooled { attempt: longer, after: None, schedule: String::new() }]).await,
        [Imported::Known]
    );
    assert_eq!(bench.everything().await, before);
}

pub async fn a_retry_is_pending_unless_it_was_made(bench: Bench) {
    let mut first = spooled("02:00", 1, Some(Outcome::Failed));
    import(&bench, [first.clone()]).await;
    assert_eq!(attempts(&bench).await[0].retry_at, first.attempt.retry_at);
    first = spooled("03:00", 1, Some(Outcome::Failed));
    first.attempt.retry_at = None;
    let second = spooled("03:00", 2, Some(Outcome::Succeeded));
    import(&bench, [first, second]).await;
    assert_eq!(attempts(&bench).await[1].retry_at, None);
}

pub async fn a_key_that_is_taken_keeps_its_attempt_and_the_other_comes_beside_it(bench: Bench) {
    let own = bench.claimed("p", "02:00").await;
    let running = spooled("02:00", 1, None);
    assert_eq!(import(&bench, [running.clone()]).await, [Imported::Waits], "it has not ended");
    bench.ended(&own, Outcome::Succeeded).await;
    let kept = attempts(&bench).await[0].clone();
    let ended = spooled("02:00", 1, Some(Outcome::Failed));
    assert_eq!(import(&bench, [ended.clone()]).await, [Imported::Duplicate(2)]);
    assert_eq!(import(&bench, [ended.clone()]).await, [Imported::Known]);
    let all = attempts(&bench).await;
    assert_eq!((all.len(), &all[0]), (2, &kept));
    assert_eq!((all[1].number, all[1].token, all[1].retry_at), (2, ended.attempt.token, None), "it is not retried");
    let error = all[1].end.as_ref().unwrap().error.clone().unwrap();
    assert_eq!(error, "exit code 3; ran twice: attempt 1 was made elsewhere too");
}

pub async fn a_retry_is_made_after_what_ran_twice(bench: Bench) {
    // how the other host's attempt ended, what it came to after its loss, the attempt that is retried
    for (name, outcome, late, retried) in [
        ("a", Outcome::Failed, None, Some(2)),
        ("b", Outcome::Succeeded, None, None),
        ("c", Outcome::Lost, None, Some(2)),
        ("d", Outcome::Lost, Some(Outcome::Succeeded), None),
        ("e", Outcome::Lost, Some(Outcome::Interrupted), Some(2)),
    ] {
        let mut transition = claiming(bench.row(&id(name)).await, at("02:00"), 1);
        let claim = transition.claim.as_mut().unwrap();
        (claim.policy.retry, claim.tries) = (Retry { max_attempts: 3, ..Retry::NONE }, 1);
        let claim = claim.clone();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        let failed = bench.ended(&claim, Outcome::Failed).await;
        let mut record = spooled("02:00", 1, Some(outcome));
        (record.attempt.run.pipeline, record.attempt.late_outcome) = (id(name), late);
        assert_eq!(import(&bench, [record]).await, [Imported::Duplicate(2)], "{name}");
        let open = bench.view(Scope::All).await.open.remove(&id(name)).unwrap_or_default();
        let found: Vec<_> = open.iter().map(|attempt| (attempt.number, attempt.retry_at)).collect();
        let expected: Vec<_> = retried.into_iter().map(|number| (number, failed.retry_at)).collect();
        assert_eq!(found, expected, "{name}: the number after it is free");
        // The same where it ends after the other was taken in.
        let mut transition = claiming(bench.row(&id(name)).await, at("03:00"), 1);
        let claim = transition.claim.as_mut().unwrap();
        (claim.policy.retry, claim.tries) = (Retry { max_attempts: 3, ..Retry::NONE }, 1);
        let claim = claim.clone();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        let mut record = spooled("03:00", 1, Some(outcome));
        (record.attempt.run.pipeline, record.attempt.late_outcome) = (id(name), late);
        assert_eq!(import(&bench, [record]).await, [Imported::Duplicate(2)], "{name}");
        bench.ended(&claim, Outcome::Failed).await;
        let open = bench.view(Scope::All).await.open.remove(&id(name)).unwrap_or_default();
        let of_run = open.iter().filter(|attempt| attempt.run.scheduled_for == at("03:00"));
        assert_eq!(of_run.map(|attempt| attempt.number).next(), retried, "{name}: ended later");
    }
}

pub async fn an_end_that_is_not_retried_leaves_what_ran_twice_as_it_was(bench: Bench) {
    for (name, outcome) in [("a", Outcome::Failed), ("b", Outcome::Succeeded)] {
        let claim = bench.claimed(name, "02:00").await;
        let mut record = spooled("02:00", 1, Some(Outcome::Failed));
        (record.attempt.run.pipeline, record.attempt.policy, record.attempt.retry_at) = (id(name), once(), None);
        let token = record.attempt.token;
        assert_eq!(import(&bench, [record]).await, [Imported::Duplicate(2)]);
        let before = attempts(&bench).await.into_iter().find(|attempt| attempt.token == token).unwrap();
        assert!(before.gave_up);
        bench.ended(&claim, outcome).await;
        assert!(attempts(&bench).await.contains(&before), "{outcome}");
    }
}

pub async fn what_another_host_gave_back_before_its_start_has_not_run_and_allows_no_second_start(bench: Bench) {
    // most attempts by policy, how the one ended that ran, whether it is tried again
    for (name, most, outcome, retried) in [
        ("a", 1, Outcome::Lost, false),
        ("b", 1, Outcome::Failed, false),
        ("c", 3, Outcome::Failed, true),
        ("d", 3, Outcome::Succeeded, false),
        ("e", 1, Outcome::Released, true),
    ] {
        // given back before the spool is taken in, and after
        for (time, is_first) in [("02:00", true), ("03:00", false)] {
            let what = format!("{name}, given back first: {is_first}");
            let transition = claiming(bench.row(&id(name)).await, at(time), 1);
            let claim = transition.claim.clone().unwrap();
            assert_eq!(bench.commit_one(transition).await, Verdict::Won, "{what}");
            if is_first {
                bench.ended(&claim, Outcome::Released).await;
            }
            let mut record = spooled(time, 1, Some(outcome));
            record.attempt.run.pipeline = id(name);
            record.attempt.policy.retry.max_attempts = most;
            let has_retry = retried || outcome == Outcome::Released;
            record.attempt.retry_at = has_retry.then(|| at(time) + Duration::from_secs(120));
            let imported = import(&bench, [record.clone()]).await;
            assert_eq!(imported, [if is_first { Imported::Taken } else { Imported::Duplicate(2) }], "{what}");
            if !is_first {
                bench.ended(&claim, Outcome::Released).await;
            }
            assert_eq!(import(&bench, [record]).await, [Imported::Known], "{what}");
            let open = bench.view(Scope::All).await.open.remove(&id(name)).unwrap_or_default();
            let of_run = open.iter().filter(|attempt| attempt.run.scheduled_for == at(time));
            let expected: Vec<u32> = if retried { vec![2] } else { vec![] };
            assert_eq!(of_run.map(|attempt| attempt.number).collect::<Vec<_>>(), expected, "{what}");
        }
    }
}

pub async fn what_came_of_an_attempt_after_it_was_lost_is_taken_in_too(bench: Bench) {
    // as new, and as what was taken in as lost before
    for (time, is_known) in [("02:00", false), ("03:00", true)] {
        let mut record = spooled(time, 1, Some(Outcome::Lost));
        if is_known {
            assert_eq!(import(&bench, [record.clone()]).await, [Imported::Taken]);
        }
        record.attempt.late_outcome = Some(Outcome::Succeeded);
        record.attempt.retry_at = None;
        for _ in 0..2 {
            import(&bench, [record.clone()]).await;
            let all = attempts(&bench).await;
            let found = all.iter().find(|attempt| attempt.token == record.attempt.token).unwrap();
            let expected = (Some(Outcome::Lost), Some(Outcome::Succeeded), None);
            assert_eq!((found.outcome(), found.late_outcome, found.retry_at), expected, "{time}");
        }
    }
}

pub async fn the_cursor_moves_where_nothing_is_left_out(bench: Bench) {
    // the cursor before as the record has it, by which schedule it was moved, the cursor after
    for (name, after, by, expected) in [
        ("a", Some("01:00"), "x", "02:00"),
        ("b", Some("00:30"), "x", "01:00"),
        ("c", None, "x", "01:00"),
        ("d", Some("01:00"), "y", "01:00"),
        ("e", Some("01:00"), "", "01:00"),
    ] {
        let mut row = bench.row(&id(name)).await;
        row.cursor = Some(at("01:00"));
        let known = KnownSchedule {
            hash: "x".into(),
            since: at("00:00"),
            cursor: row.cursor,
            replaced_at: None,
            rest: Default::default(),
        };
        row.schedules = vec![known];
        assert_eq!(bench.commit_one(changing(row)).await, Verdict::Won);
        let mut record = spooled("02:00", 1, Some(Outcome::Succeeded));
        record.attempt.run.pipeline = id(name);
        (record.after, record.schedule) = (after.map(at), by.into());
        import(&bench, [record]).await;
        let row = bench.row(&id(name)).await;
        assert_eq!((row.cursor, row.schedules[0].cursor), (Some(at(expected)), Some(at(expected))), "{name}");
    }
}

pub async fn an_import_makes_older_decisions_lost(bench: Bench) {
    let decided_before = bench.row(&id("p")).await;
    import(&bench, [spooled("02:00", 1, Some(Outcome::Succeeded))]).await;
    assert_eq!(bench.commit_one(changing(decided_before)).await, Verdict::Lost);
}
