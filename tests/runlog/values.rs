//! Values: what is stored comes back as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tickward::pipeline::{Backoff, OnInterrupt, Retry, WhenNextDue};
use tickward::run::{
    Attempt, Done, Held, KnownSchedule, LastEnd, Outcome, Paused, Policy, Reason, Row, Standing, Told, Trigger,
};
use tickward::runlog::contract::{Condition, End, Ended, Query, Record, Scope, Transition, Verdict};

use crate::bench::{Bench, at, changing, claiming, completion, end, id, stretch};

pub async fn instants_are_kept_to_the_microsecond(bench: Bench) {
    let step = bench.backend.precision;
    for (number, text) in [
        "2026-01-01T00:00:00.000001Z",
        "2026-01-01T00:00:00.999999Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1900-03-01T12:34:56.654321Z",
        "2262-04-12T00:47:16.854775Z",
        "9998-12-31T23:59:59.999999Z",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("p{number}");
        let instant = cut(at(text), step);
        let mut transition = claiming(Row::absent(id(&name)), instant, 1);
        let row = &mut transition.row;
        row.backlog_until = Some(instant);
        row.standing = standing(instant).into();
        row.last = Some(LastEnd { scheduled_for: instant, attempt: 9, outcome: Outcome::Lost, ended_at: instant });
        row.schedules = [(text, None), ("old", Some(instant))]
            .map(|(hash, replaced_at)| KnownSchedule {
                hash: hash.into(),
                since: instant,
                cursor: replaced_at,
                replaced_at,
                rest: serde_json::Map::from_iter([("newer".into(), serde_json::json!({ "a": [1, null] }))]).into(),
            })
            .into();
        let claim = transition.claim.as_mut().unwrap();
        (claim.claimed_at, claim.lease.until) = (instant, instant);
        let (claim, row) = (claim.clone(), Row { version: 1, fence: 1, ..row.clone() });
        assert_eq!(bench.commit_one(transition).await, Verdict::Won, "{text}");
        let view = bench.view(Scope::Only(vec![id(&name)])).await;
        assert_eq!((&view.rows[&id(&name)], &view.open[&id(&name)]), (&row, &vec![claim.clone()]), "{text}");
        let mut end = end(&claim, Outcome::Released, instant);
        end.completion.started_at = Some(instant);
        let Ended::Folded(_, ended) = bench.end(end.clone()).await else { panic!("{text}") };
        assert_eq!((ended.retry_at, ended.end.as_ref()), (Some(instant), Some(&end.completion)), "{text}");
        assert_eq!(bench.view(Scope::Only(vec![id(&name)])).await.open[&id(&name)], [*ended], "{text}");
    }
}

fn standing(instant: Timestamp) -> Standing {
    let done = Some(Done { scheduled_for: instant, ended_at: instant });
    Standing {
        paused: Some(Paused { since: instant, until: Some(instant), note: "é \" '".into() }),
        held: Some(Held { since: instant, scheduled_for: instant }),
        succeeded: done,
        partial: done,
        claimed_at: Some(instant),
        followed: BTreeMap::from([("team:p".into(), instant.as_microsecond())]),
        moved_to: Some("default:später".into()),
        skips: vec![instant.as_microsecond()],
        told: Told { failure: true, missed_until: Some(instant), split_at: Some(instant), ..Told::default() },
        durations: Some(tickward::metrics::Histogram::default()),
        rest: serde_json::Map::from_iter([("newer".into(), serde_json::json!({ "a": [1, null] }))]).into(),
    }
}

fn cut(instant: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap();
    Timestamp::from_microsecond(instant.as_microsecond().div_euclid(step) * step).unwrap()
}

pub async fn odd_text_is_kept(bench: Bench) {
    let scripts = "e\u{301} ß 漢字 🏳️‍🌈 \u{202e}rtl\u{202c} \u{fffd} \u{feff} \u{10ffff} \u{1b}[31m \u{7f}\r\n\t ' \" \\ %s ${x} -- ;";
    let full: String = scripts.chars().cycle().take(2800).collect();
    assert!(full.len() > 4096, "{}", full.len());
    for (hour, text) in ["", " ", "\n", "0", "NULL", scripts, &full].into_iter().enumerate() {
        let attempt = bench.claimed("p", &format!("{hour:02}:00")).await;
        let mut completion = completion(&attempt, Outcome::Failed, at("12:00"));
        (completion.tail, completion.error) = (text.into(), Some(text.into()));
        bench.end(End { completion: completion.clone(), condition: Condition::Always }).await;
        assert_eq!(stored(&bench, &attempt).await.end, Some(completion), "{text:?}");
    }
}

async fn stored(bench: &Bench, attempt: &Attempt) -> Attempt {
    let query = Query { run: Some(attempt.run.clone()), attempts_only: true, ..Query::default() };
    match bench.history(query).await.remove(0) {
        Record::Attempt(attempt) => *attempt,
        Record::NotRun(entry) => panic!("{entry:?}"),
    }
}

pub async fn large_numbers_are_kept(bench: Bench) {
    let largest = u64::try_from(i64::MAX).unwrap();
    let row = Row {
        failures_in_a_row: largest,
        totals: BTreeMap::from([("succeeded".into(), u64::MAX), ("of_a_newer_program".into(), 0)]),
        ..Row::absent(id("p"))
    };
    let mut transition = claiming(row, at("02:00"), 1);
    let claim = transition.claim.as_mut().unwrap();
    (claim.number, claim.tries, claim.earlier_starts, claim.interruptions) = (u32::MAX, u32::MAX, u32::MAX, u32::MAX);
    claim.fence = largest;
    (claim.owner.pid, claim.owner.started, claim.owner.pid_namespace) = (u32::MAX, u64::MAX, u64::MAX);
    let claim = claim.clone();
    let row = Row { version: 1, fence: largest, ..transition.row.clone() };
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    let view = bench.view(Scope::All).await;
    assert_eq!((&view.rows[&id("p")], &view.open[&id("p")]), (&row, &vec![claim]));

    let attempt = bench.claimed("q", "02:00").await;
    for exit_code in [i32::MIN, i32::MAX] {
        let attempt = match exit_code {
            i32::MIN => attempt.clone(),
            _ => bench.claimed("q", "03:00").await,
        };
        let mut completion = completion(&attempt, Outcome::Succeeded, at("12:00"));
        completion.exit_code = Some(exit_code);
        (completion.duration, completion.cpu) = (Duration::from_micros(largest), Duration::from_micros(largest));
        (completion.peak_memory_bytes, completion.output_bytes) = (largest, largest);
        bench.end(End { completion: completion.clone(), condition: Condition::Always }).await;
        assert_eq!(stored(&bench, &attempt).await.end, Some(completion), "{exit_code}");
    }
}

pub async fn every_word_is_kept(bench: Bench) {
    let retry = Retry {
        max_attempts: 7,
        backoff: Backoff::Linear,
        delay: Duration::from_millis(1500),
        max_delay: Some(Duration::from_secs(90)),
        jitter_percent: 20,
        when_next_due: WhenNextDue::FinishFirst,
    };
    let triggers = [Trigger::Schedule, Trigger::CatchUp, Trigger::Retry, Trigger::Manual, Trigger::Backfill];
    for (hour, trigger) in triggers.into_iter().enumerate() {
        let mut transition = claiming(bench.row(&id("p")).await, at(&format!("{hour:02}:00")), 1);
        let claim = transition.claim.as_mut().unwrap();
        (claim.trigger, claim.by_hand) = (trigger, trigger == Trigger::Manual);
        claim.policy = Policy { retry: retry.clone(), on_interrupt: OnInterrupt::Rerun, ..Policy::NONE };
        let claim = claim.clone();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        assert_eq!(stored(&bench, &claim).await, claim, "{trigger:?}");
    }
    for reason in [Reason::Missed, Reason::Overlap, Reason::Superseded] {
        let entry = stretch(&id("q"), "02:00", "04:00", 3, reason, None);
        let transition = Transition { not_run: vec![entry.clone()], ..changing(bench.row(&id("q")).await) };
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        let history = bench.history(Query { pipeline: Some(id("q")), ..Query::default() }).await;
        assert!(history.contains(&Record::NotRun(entry)), "{reason:?}: {history:?}");
    }
}
