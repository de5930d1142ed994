//! What was not run: missed stretches that touch are one.

use tickward::run::{NotRun, Reason};
use tickward::runlog::contract::{Query, Record, Transition, Verdict};

use crate::bench::{Bench, changing, id, stretch};

async fn record(bench: &Bench, entries: Vec<NotRun>) {
    for entry in entries {
        let row = bench.row(&entry.pipeline).await;
        let transition = Transition { not_run: vec![entry], ..changing(row) };
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    }
}

/// First, last, count and reason of each entry, oldest first.
async fn recorded(bench: &Bench, name: &str) -> Vec<String> {
    let history = bench.history(Query { pipeline: Some(id(name)), ..Query::default() }).await;
    let shown = |record: &Record| match record {
        Record::NotRun(e) => {
            assert_eq!(e.after, None, "`after` is for merging, not for keeping");
            let more = if e.at_least { "+" } else { "" };
            let time = |instant: jiff::Timestamp| instant.strftime("%H:%M").to_string();
            let (first, last, decided) = (time(e.first), time(e.last), time(e.decided_at));
            format!("{first}-{last} {}{more} {} at {decided}", e.count, e.reason.word())
        }
        Record::Attempt(attempt) => panic!("{attempt:?}"),
    };
    history.iter().rev().map(shown).collect()
}

pub async fn adjacent_missed_stretches_are_one(bench: Bench) {
    let p = id("p");
    let missed = |first, last, count, after| stretch(&p, first, last, count, Reason::Missed, after);
    let many = NotRun { at_least: true, ..missed("04:00", "05:00", 100_000, Some("03:00")) };
    record(&bench, vec![missed("01:00", "02:00", 2, Some("00:00")), missed("03:00", "03:00", 1, Some("02:00"))]).await;
    assert_eq!(recorded(&bench, "p").await, ["01:00-03:00 3 missed at 03:00"]);
    record(&bench, vec![many, missed("06:00", "06:00", 1, Some("05:00"))]).await;
    assert_eq!(recorded(&bench, "p").await, ["01:00-06:00 100004+ missed at 06:00"]);
}

pub async fn what_was_paused_or_held_is_one_stretch_each(bench: Bench) {
    let p = id("p");
    for (reason, name) in [(Reason::Paused, "paused"), (Reason::Held, "held")] {
        record(&bench, vec![stretch(&p, "01:00", "02:00", 2, reason, Some("00:00"))]).await;
        record(&bench, vec![stretch(&p, "03:00", "03:00", 1, reason, Some("02:00"))]).await;
        assert!(recorded(&bench, "p").await.contains(&format!("01:00-03:00 3 {name} at 03:00")));
    }
}

pub async fn stretches_that_do_not_touch_stay_apart(bench: Bench) {
    use Reason::*;
    let (p, q) = (id("p"), id("q"));
    record(
        &bench,
        vec![
            stretch(&p, "01:00", "02:00", 2, Missed, Some("00:00")),
            stretch(&p, "04:00", "04:00", 1, Missed, Some("03:00")),
            stretch(&p, "05:00", "05:00", 1, Overlap, Some("04:00")),
            stretch(&p, "06:00", "06:00", 1, Overlap, Some("05:00")),
            stretch(&p, "07:00", "07:00", 1, Missed, Some("06:00")),
            stretch(&q, "08:00", "08:00", 1, Missed, Some("07:00")),
            stretch(&p, "09:00", "09:00", 1, Missed, None),
            stretch(&p, "10:00", "10:00", 1, Superseded, Some("09:00")),
        ],
    )
    .await;
    let expected = [
        "01:00-02:00 2 missed at 02:00",
        "04:00-04:00 1 missed at 04:00",
        "05:00-05:00 1 overlap at 05:00",
        "06:00-06:00 1 overlap at 06:00",
        "07:00-07:00 1 missed at 07:00",
        "09:00-09:00 1 missed at 09:00",
        "10:00-10:00 1 superseded at 10:00",
    ];
    assert_eq!(recorded(&bench, "p").await, expected);
    assert_eq!(recorded(&bench, "q").await, ["08:00-08:00 1 missed at 08:00"]);
}

/// A cursor that was set back meets the same occurrences again: they are recorded once, as they were decided last.
pub async fn a_stretch_recorded_again_reaches_as_far_as_the_longer(bench: Bench) {
    let p = id("p");
    record(&bench, vec![stretch(&p, "01:00", "02:00", 2, Reason::Overlap, None)]).await;
    record(&bench, vec![stretch(&p, "01:00", "03:00", 3, Reason::Overlap, None)]).await;
    record(&bench, vec![stretch(&p, "01:00", "01:00", 1, Reason::Overlap, None)]).await;
    record(&bench, vec![stretch(&p, "01:00", "01:00", 1, Reason::Superseded, None)]).await;
    assert_eq!(recorded(&bench, "p").await, ["01:00-01:00 1 superseded at 01:00", "01:00-03:00 3 overlap at 01:00"]);
    // Once there may have been more, there may be still.
    for (name, first, second) in [("a", true, false), ("b", false, true), ("c", true, true)] {
        for at_least in [first, second] {
            let entry = stretch(&id(name), "01:00", "02:00", 2, Reason::Overlap, None);
            record(&bench, vec![NotRun { at_least, ..entry }]).await;
        }
        assert_eq!(recorded(&bench, name).await, ["01:00-02:00 2+ overlap at 02:00"]);
    }
}
