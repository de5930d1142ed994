//! History: newest decision first, filtered and limited.

use tickward::occurrence::{Run, Token};
use tickward::run::{Outcome, Reason, Row};
use tickward::runlog::contract::{Query, Record, Transition, Verdict};

use crate::bench::{Bench, at, changing, claiming, id, stretch};

/// Attempts of `p` and `q`, and what was not run of both; claimed late, so that decisions and occurrences differ in order.
async fn filled(bench: &Bench) {
    for (name, scheduled_for, number, claimed_at) in
        [("p", "01:00", 1, "01:00"), ("p", "05:00", 1, "05:00"), ("q", "02:00", 1, "06:00"), ("p", "01:00", 2, "07:00")]
    {
        let mut transition = claiming(bench.row(&id(name)).await, at(scheduled_for), number);
        let claim = transition.claim.as_mut().unwrap();
        claim.claimed_at = at(claimed_at);
        let claim = claim.clone();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        bench.ended(&claim, Outcome::Succeeded).await;
    }
    for (name, first, last) in [("p", "02:00", "04:00"), ("q", "03:00", "03:00")] {
        note(bench, name, first, last).await;
    }
}

async fn note(bench: &Bench, name: &str, first: &str, last: &str) {
    let not_run = vec![stretch(&id(name), first, last, 3, Reason::Missed, None)];
    let transition = Transition { not_run, ..changing(bench.row(&id(name)).await) };
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
}

fn shown(records: &[Record]) -> Vec<String> {
    let time = |instant: jiff::Timestamp| instant.strftime("%H:%M").to_string();
    let shown = |record: &Record| match record {
        Record::Attempt(a) => format!("{} {}#{}", a.run.pipeline, time(a.run.scheduled_for), a.number),
        Record::NotRun(e) => format!("{} {}-{}", e.pipeline, time(e.first), time(e.last)),
    };
    records.iter().map(shown).collect()
}

pub async fn newest_decisions_come_first(bench: Bench) {
    filled(&bench).await;
    let all = bench.history(Query::default()).await;
    assert_eq!(shown(&all), ["p 01:00#2", "q 02:00#1", "p 05:00#1", "p 02:00-04:00", "q 03:00-03:00", "p 01:00#1"]);
}

pub async fn equal_decisions_have_a_fixed_order(bench: Bench) {
    // All decided at one instant: the later occurrence first, then the later attempt, then by name.
    for (name, scheduled_for, number) in [
        ("b", "01:00", 1),
        ("a", "02:00", 1),
        ("a", "01:00", 1),
        ("c", "01:00", 1),
        ("a", "01:00", 2),
        ("c", "02:00", 1),
    ] {
        let mut transition = claiming(bench.row(&id(name)).await, at(scheduled_for), number);
        transition.claim.as_mut().unwrap().claimed_at = at("04:00");
        let claim = transition.claim.clone().unwrap();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        bench.ended(&claim, Outcome::Succeeded).await;
    }
    for name in ["e", "d"] {
        note(&bench, name, "03:00", "04:00").await;
    }
    let expected = [
        "d 03:00-04:00",
        "e 03:00-04:00",
        "a 02:00#1",
        "c 02:00#1",
        "a 01:00#2",
        "a 01:00#1",
        "b 01:00#1",
        "c 01:00#1",
    ];
    assert_eq!(shown(&bench.history(Query::default()).await), expected);
    for limit in 0..=expected.len() {
        let some = bench.log.history(Query { limit, ..Query::default() }).await.unwrap();
        assert_eq!(shown(&some), expected[..limit], "limit {limit}");
    }
}

pub async fn a_limit_keeps_the_newest(bench: Bench) {
    filled(&bench).await;
    let all = bench.history(Query::default()).await;
    for limit in [0, 1, 3, 6, 7, usize::MAX] {
        let some = bench.log.history(Query { limit, ..Query::default() }).await.unwrap();
        assert_eq!(some, all[..limit.min(all.len())], "limit {limit}");
    }
}

pub async fn filters_leave_what_they_say(bench: Bench) {
    filled(&bench).await;
    let run = |name, scheduled_for| Some(Run { pipeline: id(name), scheduled_for: at(scheduled_for) });
    for (query, expected) in [
        (Query { pipeline: Some(id("q")), ..Query::default() }, vec!["q 02:00#1", "q 03:00-03:00"]),
        (Query { pipeline: Some(id("Q")), ..Query::default() }, vec![]),
        (Query { attempts_only: true, ..Query::default() }, vec!["p 01:00#2", "q 02:00#1", "p 05:00#1", "p 01:00#1"]),
        (Query { run: run("p", "01:00"), ..Query::default() }, vec!["p 01:00#2", "p 01:00#1"]),
        (Query { run: run("p", "02:00"), ..Query::default() }, vec!["p 02:00-04:00"]),
        (Query { run: run("p", "03:00"), ..Query::default() }, vec!["p 02:00-04:00"]),
        (Query { run: run("p", "04:00"), ..Query::default() }, vec!["p 02:00-04:00"]),
        (Query { run: run("p", "03:00"), attempts_only: true, ..Query::default() }, vec![]),
        (Query { run: run("q", "01:00"), ..Query::default() }, vec![]),
        (Query { run: run("p", "01:00"), pipeline: Some(id("p")), ..Query::default() }, vec!["p 01:00#2", "p 01:00#1"]),
        (Query { run: run("p", "01:00"), pipeline: Some(id("q")), ..Query::default() }, vec![]),
    ] {
        let row = format!("{query:?}");
        assert_eq!(shown(&bench.history(query).await), expected, "{row}");
    }
    let all = bench.history(Query { attempts_only: true, ..Query::default() }).await;
    for record in &all {
        let Record::Attempt(attempt) = record else { panic!("{record:?}") };
        let token = Some(attempt.token);
        let of_token = Query { token, ..Query::default() };
        assert_eq!(bench.history(of_token.clone()).await, std::slice::from_ref(record), "{token:?}");
        let elsewhere = Query { run: run("p", "09:00"), ..of_token };
        assert_eq!(bench.history(elsewhere).await, [], "{token:?} of another run");
    }
    assert_eq!(bench.history(Query { token: Some(Token(0)), ..Query::default() }).await, [], "no such token");
}

pub async fn what_is_merged_counts_as_newly_decided(bench: Bench) {
    filled(&bench).await;
    let not_run = vec![stretch(&id("p"), "08:00", "08:00", 1, Reason::Missed, Some("04:00"))];
    let row: Row = bench.row(&id("p")).await;
    assert_eq!(bench.commit_one(Transition { not_run, ..changing(row) }).await, Verdict::Won);
    let newest = bench.log.history(Query { limit: 1, ..Query::default() }).await.unwrap();
    assert_eq!(shown(&newest), ["p 02:00-08:00"]);
}
