//! Forgetting a pipeline, and giving it another name.

use tickward::plan::Folded;
use tickward::run::{Outcome, Paused, Reason, Row};
use tickward::runlog::contract::{Ended, Forgotten, Query, Record, Scope, Transition, Verdict};

use crate::bench::{Bench, at, changing, claiming, end, id, lease_until, stretch, thrice};

/// `p` has run twice, one of them is to be retried, and one occurrence was missed.
async fn past(bench: &Bench, name: &str) {
    let first = bench.claimed(name, "02:00").await;
    bench.ended(&first, Outcome::Succeeded).await;
    let second = bench.claimed_under(name, "03:00", thrice()).await;
    bench.ended(&second, Outcome::Failed).await;
    let missed = vec![stretch(&id(name), "04:00", "04:00", 1, Reason::Missed, None)];
    let row = bench.row(&id(name)).await;
    assert_eq!(bench.commit_one(Transition { not_run: missed, ..changing(row) }).await, Verdict::Won);
}

async fn forget(bench: &Bench, name: &str) -> Forgotten {
    bench.log.forget(id(name)).await.unwrap()
}

async fn rename(bench: &Bench, from: &str, to: &str) -> Verdict {
    bench.log.rename(id(from), id(to)).await.unwrap()
}

async fn of(bench: &Bench, name: &str) -> Vec<Record> {
    bench.history(Query { pipeline: Some(id(name)), ..Query::default() }).await
}

pub async fn what_is_forgotten_leaves_fence_and_version(bench: Bench) {
    past(&bench, "p").await;
    past(&bench, "other").await;
    let (before, other) = (bench.row(&id("p")).await, of(&bench, "other").await);
    assert_eq!(forget(&bench, "p").await, Forgotten::Done { records: 3 });
    let left = bench.row(&id("p")).await;
    let expected = Row { version: before.version + 1, fence: before.fence, ..Row::absent(id("p")) };
    assert_eq!((left, of(&bench, "p").await), (expected, vec![]));
    assert!(!bench.view(Scope::All).await.open.contains_key(&id("p")), "nothing is pending");
    assert_eq!(of(&bench, "other").await, other);
    assert_eq!(bench.commit_one(changing(before)).await, Verdict::Lost, "decided before it was forgotten");
    let again = bench.claimed("p", "02:00").await;
    assert_eq!(again.fence, 3, "a fence is never given out twice");
}

pub async fn nothing_is_forgotten_of_what_runs_or_is_unknown(bench: Bench) {
    let attempt = bench.claimed("p", "02:00").await;
    let before = bench.everything().await;
    assert_eq!(forget(&bench, "p").await, Forgotten::Active);
    assert_eq!(forget(&bench, "q").await, Forgotten::Unknown);
    assert_eq!(bench.everything().await, before);
    bench.ended(&attempt, Outcome::Succeeded).await;
    assert_eq!(forget(&bench, "p").await, Forgotten::Done { records: 1 });
    assert_eq!(forget(&bench, "p").await, Forgotten::Unknown);
    assert_eq!(bench.end(end(&attempt, Outcome::Failed, at("03:00"))).await, Ended::Orphan);
}

pub async fn what_has_never_run_is_forgotten_and_renamed_too(bench: Bench) {
    for name in ["p", "q"] {
        let row = Row { cursor: Some(at("01:00")), ..bench.row(&id(name)).await };
        assert_eq!(bench.commit_one(changing(row)).await, Verdict::Won);
    }
    for (from, to) in [("p", "q"), ("p", "p")] {
        assert_eq!(rename(&bench, from, to).await, Verdict::Lost, "{from} to {to}, of which something is known");
    }
    assert_eq!(forget(&bench, "p").await, Forgotten::Done { records: 0 });
    assert_eq!((bench.row(&id("p")).await.cursor, forget(&bench, "p").await), (None, Forgotten::Unknown));
    let not_run = vec![stretch(&id("r"), "04:00", "04:00", 1, Reason::Missed, None)];
    let row = bench.row(&id("r")).await;
    assert_eq!(bench.commit_one(Transition { not_run, ..changing(row) }).await, Verdict::Won);
    let done = Forgotten::Done { records: 1 };
    assert_eq!(forget(&bench, "r").await, done, "its row tells nothing, what was not run does");
    assert_eq!(rename(&bench, "q", "new").await, Verdict::Won);
    assert_eq!(bench.row(&id("new")).await.cursor, Some(at("01:00")));
}

/// As a run by hand of a pipeline that no tick has seen.
pub async fn a_claim_alone_is_known_too(bench: Bench) {
    let mut by_hand = claiming(bench.row(&id("p")).await, at("02:00"), 1);
    by_hand.row.cursor = None;
    assert_eq!(bench.commit_one(by_hand).await, Verdict::Won);
    let running = bench.claimed("other", "02:00").await;
    past(&bench, "old").await;
    assert_eq!(forget(&bench, "p").await, Forgotten::Active);
    assert_eq!(rename(&bench, "old", "p").await, Verdict::Lost, "something runs under that name");
    assert_eq!(rename(&bench, "p", "new").await, Verdict::Won);
    assert_eq!((of(&bench, "p").await.len(), of(&bench, "new").await.len()), (0, 1));
    assert_eq!(forget(&bench, "old").await, Forgotten::Done { records: 3 });
    let answer = bench.end(end(&running, Outcome::Succeeded, at("03:00"))).await;
    assert!(matches!(answer, Ended::Folded(Folded::Ended, _)), "what others have claimed is found: {answer:?}");
}

pub async fn all_that_is_known_goes_over_to_a_new_name(bench: Bench) {
    past(&bench, "old").await;
    let (row, records) = (bench.row(&id("old")).await, of(&bench, "old").await);
    let pending = bench.view(Scope::All).await.open[&id("old")].clone();
    bench.clock.set(at("05:00"));
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Won);
    let moved = bench.row(&id("new")).await;
    assert_eq!(Row { pipeline: id("old"), version: row.version, ..moved.clone() }, row);
    assert!(moved.version > 0);
    let told = of(&bench, "new").await;
    assert_eq!((told.len(), records.len(), of(&bench, "old").await.len()), (3, 3, 0));
    let open = bench.view(Scope::All).await.open;
    assert_eq!(open.keys().collect::<Vec<_>>(), [&id("new")]);
    assert_eq!((open[&id("new")][0].token, open[&id("new")][0].retry_at), (pending[0].token, pending[0].retry_at));
    let left = bench.row(&id("old")).await;
    assert_eq!((left.version, left.fence, left.cursor), (row.version + 1, row.fence, None));
    let paused = Paused { since: at("05:00"), until: None, note: "its name is `new` now".into() };
    assert_eq!((&left.standing.paused, left.standing.moved_to.as_deref()), (&Some(paused), Some("default:new")));
    assert_eq!(bench.claimed("new", "05:00").await.fence, 3);
}

pub async fn a_name_takes_over_once_and_only_where_it_is_free(bench: Bench) {
    past(&bench, "old").await;
    past(&bench, "taken").await;
    let before = bench.everything().await;
    for (from, to) in [("old", "taken"), ("nobody", "new"), ("old", "old")] {
        assert_eq!(rename(&bench, from, to).await, Verdict::Lost, "{from} {to}");
        assert_eq!(bench.everything().await, before, "{from} {to}");
    }
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Won);
    let after = bench.everything().await;
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Lost);
    assert_eq!(rename(&bench, "old", "another").await, Verdict::Lost);
    assert_eq!(bench.everything().await, after);
}

pub async fn a_pipeline_may_get_its_old_name_back(bench: Bench) {
    past(&bench, "old").await;
    let row = bench.row(&id("old")).await;
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Won);
    assert_eq!(rename(&bench, "new", "old").await, Verdict::Won);
    let back = bench.row(&id("old")).await;
    assert!(back.version > row.version + 1);
    assert_eq!(Row { version: row.version, ..back }, row, "not paused either");
    assert_eq!((of(&bench, "old").await.len(), of(&bench, "new").await.len()), (3, 0));
}

pub async fn a_pause_under_the_new_name_is_kept(bench: Bench) {
    past(&bench, "old").await;
    let mut row = bench.row(&id("new")).await;
    let paused = Paused { since: at("01:00"), until: None, note: "not yet".into() };
    row.standing.paused = Some(paused.clone());
    assert_eq!(bench.commit_one(changing(row)).await, Verdict::Won);
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Won);
    assert_eq!(bench.row(&id("new")).await.standing.paused, Some(paused));
}

pub async fn what_runs_meanwhile_ends_under_the_new_name(bench: Bench) {
    let attempt = bench.claimed("old", "02:00").await;
    let (old, new) = (bench.row(&id("old")).await, bench.row(&id("new")).await);
    assert_eq!(rename(&bench, "old", "new").await, Verdict::Won);
    for (name, row) in [("old", old), ("new", new)] {
        let late = claiming(row, at("03:00"), 1);
        assert_eq!(bench.commit_one(late).await, Verdict::Lost, "{name}: decided before the renaming");
    }
    assert_eq!(bench.renew(vec![attempt.token], lease_until(at("09:00"))).await, [attempt.token]);
    match bench.end(end(&attempt, Outcome::Succeeded, at("02:10"))).await {
        Ended::Folded(Folded::Ended, ended) => assert_eq!(ended.run.pipeline, id("new")),
        other => panic!("{other:?}"),
    }
    let (old, new) = (bench.row(&id("old")).await, bench.row(&id("new")).await);
    assert_eq!((old.last, new.last.map(|last| last.outcome)), (None, Some(Outcome::Succeeded)));
    assert_eq!((of(&bench, "old").await.len(), of(&bench, "new").await.len()), (0, 1));
}
