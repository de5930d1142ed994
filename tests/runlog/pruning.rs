//! What goes of old history, and what stays whatever is asked for.

use std::time::Duration;

use tickward::run::{Outcome, Reason, Row};
use tickward::runlog::contract::{Item, Pruned, Pruning, Query, Record, Retention, Scope, Transition, Verdict};

use crate::bench::{Bench, at, attempt, changing, claiming, completion, id, stretch, thrice};

fn before(text: &str) -> Retention {
    Retention { before: Some(at(text)), ..Retention::default() }
}

fn pruned(attempts: u64, not_run: u64, more: bool) -> Pruned {
    Pruned { attempts, not_run, more }
}

async fn prune(bench: &Bench, retention: &Retention, limit: usize) -> Pruned {
    bench.log.prune(Scope::All, retention.clone(), limit, Pruning::Remove).await.unwrap()
}

/// A run of `name` at this hour.
async fn ran(bench: &Bench, name: &str, hour: &str, outcome: Outcome) {
    let claim = bench.claimed(name, hour).await;
    bench.ended(&claim, outcome).await;
}

/// What is left of `name`, as hours, with a letter for what was not run.
async fn left(bench: &Bench, name: &str) -> Vec<String> {
    let records = bench.history(Query { pipeline: Some(id(name)), ..Query::default() }).await;
    let hour = |at: jiff::Timestamp| at.strftime("%H").to_string();
    let mut shown: Vec<_> = records
        .iter()
        .map(|record| match record {
            Record::Attempt(attempt) => hour(attempt.run.scheduled_for),
            Record::NotRun(entry) => format!("{}n", hour(entry.first)),
        })
        .collect();
    shown.sort();
    shown
}

pub async fn what_is_older_goes_and_the_newest_run_and_success_stay(bench: Bench) {
    for (hour, outcome) in [
        ("01:00", Outcome::Failed),
        ("02:00", Outcome::Succeeded),
        ("03:00", Outcome::Succeeded),
        ("04:00", Outcome::Failed),
        ("05:00", Outcome::Lost),
    ] {
        ran(&bench, "p", hour, outcome).await;
    }
    let missed = ["01:30", "04:30"].map(|hour| stretch(&id("p"), hour, hour, 1, Reason::Overlap, None));
    let row = bench.row(&id("p")).await;
    assert_eq!(bench.commit_one(Transition { not_run: missed.into(), ..changing(row) }).await, Verdict::Won);
    bench.clock.set(at("12:00"));
    let row = bench.row(&id("p")).await;
    let counted = bench.log.prune(Scope::All, before("04:00"), usize::MAX, Pruning::Count).await.unwrap();
    assert_eq!((counted, left(&bench, "p").await.len()), (pruned(2, 1, false), 7), "counting removes nothing");
    assert_eq!(prune(&bench, &before("04:00"), 100).await, pruned(2, 1, false));
    assert_eq!(left(&bench, "p").await, ["03", "04", "04n", "05"]);
    assert_eq!(prune(&bench, &before("23:00"), 100).await, pruned(1, 1, false));
    assert_eq!(left(&bench, "p").await, ["03", "05"], "the newest success and the newest run");
    assert_eq!(prune(&bench, &before("23:00"), 100).await, pruned(0, 0, false));
    assert_eq!(bench.row(&id("p")).await, row, "nothing of a row is history");
    assert_eq!(bench.claimed("p", "06:00").await.fence, 6, "a fence is never given out twice");
}

pub async fn failures_are_kept_for_longer_and_counts_leave_them_alone_then(bench: Bench) {
    for (hour, outcome) in [
        ("01:00", Outcome::Failed),
        ("02:00", Outcome::Succeeded),
        ("03:00", Outcome::Failed),
        ("04:00", Outcome::Succeeded),
        ("05:00", Outcome::Succeeded),
        ("06:00", Outcome::Succeeded),
    ] {
        ran(&bench, "p", hour, outcome).await;
        ran(&bench, "q", hour, outcome).await;
    }
    bench.clock.set(at("12:00"));
    let kept = Retention { before: Some(at("05:00")), failed_before: Some(at("02:00")), keep: None };
    let only = Scope::Only(vec![id("p"), id("nobody")]);
    let done = bench.log.prune(only, kept, 100, Pruning::Remove).await.unwrap();
    assert_eq!((done, left(&bench, "p").await), (pruned(3, 0, false), vec!["03".into(), "05".into(), "06".into()]));
    assert_eq!(left(&bench, "q").await.len(), 6, "it was not asked for");
    let newest = Retention { keep: Some(2), failed_before: Some(at("02:00")), ..Retention::default() };
    assert_eq!(prune(&bench, &newest, 100).await, pruned(3, 0, false));
    assert_eq!(left(&bench, "q").await, ["03", "05", "06"]);
    let newest = Retention { keep: Some(1), ..Retention::default() };
    assert_eq!(prune(&bench, &newest, 100).await, pruned(4, 0, false));
    assert_eq!((left(&bench, "p").await, left(&bench, "q").await), (vec!["06".into()], vec!["06".into()]));
}

pub async fn what_is_open_or_still_guards_an_occurrence_stays(bench: Bench) {
    // A retry is pending, another run is active, and one is for an instant that the schedule has yet to come to.
    let retried = bench.claimed_under("p", "01:00", thrice()).await;
    bench.ended(&retried, Outcome::Failed).await;
    ran(&bench, "p", "02:00", Outcome::Succeeded).await;
    bench.claimed("p", "03:00").await;
    let row = bench.row(&id("p")).await;
    let mut ahead = claiming(Row { cursor: row.cursor, ..row.clone() }, at("08:00"), 1);
    ahead.row.cursor = row.cursor;
    let claim = ahead.claim.clone().unwrap();
    assert_eq!(bench.commit_one(ahead).await, Verdict::Won);
    bench.ended(&claim, Outcome::Succeeded).await;
    ran(&bench, "p", "09:00", Outcome::Succeeded).await;
    let mut row = bench.row(&id("p")).await;
    row.cursor = Some(at("03:00"));
    assert_eq!(bench.commit_one(changing(row)).await, Verdict::Won);
    bench.clock.set(at("23:00"));
    assert_eq!(prune(&bench, &before("22:00"), 100).await, pruned(1, 0, false));
    assert_eq!(left(&bench, "p").await, ["01", "03", "08", "09"]);
    let open = &bench.view(Scope::All).await.open[&id("p")];
    assert_eq!(open.len(), 2);
}

/// Of `p` and `q` go three attempts and three entries of what was not run; of a third, before or after them, three attempts.
pub async fn no_step_takes_more_than_it_may_of_both_kinds(bench: Bench) {
    for (limit, steps) in [
        (2, vec![2, 2, 2, 2, 2, 2, 2, 1]),
        (3, vec![3; 5]),
        (4, vec![4, 4, 4, 3]),
        (5, vec![5, 5, 5]),
        (7, vec![7, 7, 1]),
        (15, vec![15]),
        (16, vec![15]),
    ] {
        for third in ["a", "r"] {
            let names = ["p", "q", third].map(|name| format!("{name}-{third}{limit}"));
            let scope = Scope::Only(names.iter().map(|name| id(name)).collect());
            for name in &names {
                filled(&bench, name, !name.starts_with(third)).await;
            }
            let last = steps.len() - 1;
            for (number, taken) in steps.iter().enumerate() {
                let done = bench.log.prune(scope.clone(), before("23:00"), limit, Pruning::Remove).await.unwrap();
                let found = (done.attempts + done.not_run, done.more);
                assert_eq!(found, (*taken, number < last), "{limit}, {third}: step {number}");
            }
            for name in &names {
                assert_eq!(left(&bench, name).await, ["04"], "{limit}");
            }
        }
    }
}

/// Four runs, and what was not run between them.
async fn filled(bench: &Bench, name: &str, with_not_run: bool) {
    bench.clock.set(at("01:00"));
    for hour in ["01:00", "02:00", "03:00", "04:00"] {
        ran(bench, name, hour, Outcome::Succeeded).await;
    }
    bench.clock.set(at("23:00"));
    if with_not_run {
        let entries = ["01:30", "02:30", "03:30"].map(|hour| stretch(&id(name), hour, hour, 1, Reason::Overlap, None));
        let row = bench.row(&id(name)).await;
        let transition = Transition { not_run: entries.into(), ..changing(row) };
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    }
}

/// A hundred thousand rows go in steps: none takes more than it may, and the last one says that nothing is left.
pub async fn much_goes_in_bounded_steps(bench: Bench) {
    let runs: u32 = 100_000;
    let first = at("2025-01-01T00:00:00Z");
    let mut fence = 0;
    for page in 0..50 {
        let ended = (0..runs / 50).map(|number| {
            fence += 1;
            let scheduled_for = first + Duration::from_secs(60 * u64::from(page * (runs / 50) + number));
            let claim = attempt(&id("p"), scheduled_for, 1, fence);
            let end = completion(&claim, Outcome::Succeeded, scheduled_for);
            Item::Attempt(Box::new(tickward::run::Attempt { end: Some(end), ..claim }))
        });
        let mut items: Vec<Item> = ended.collect();
        if page == 0 {
            let row = Row { version: 1, fence: u64::from(runs), cursor: Some(at("00:00")), ..Row::absent(id("p")) };
            items.push(Item::Row(Box::new(row)));
        }
        let count = items.len() as u64;
        assert_eq!(bench.log.adopt(items).await.unwrap().new, count);
    }
    let (mut gone, mut steps) = (0, 0);
    loop {
        let step = prune(&bench, &before("00:00"), 9_000).await;
        assert!(step.attempts <= 9_000);
        (gone, steps) = (gone + step.attempts, steps + 1);
        if !step.more {
            break;
        }
    }
    assert_eq!((gone, steps), (u64::from(runs) - 1, 12));
    assert_eq!(left(&bench, "p").await.len(), 1);
}
