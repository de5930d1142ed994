//! Claims: who wins, who loses, and that a loser changes nothing.

use tickward::occurrence::PipelineId;
use tickward::run::{Outcome, Reason, Row};
use tickward::runlog::contract::{Query, Scope, Transition, Verdict};

use crate::bench::{Bench, at, attempt, changing, claiming, end, id, id_in, mint, stretch, thrice};

pub async fn a_claim_is_won_and_found_as_it_was_made(bench: Bench) {
    let transition = claiming(Row::absent(id("p")), at("02:00"), 1);
    assert_eq!(bench.commit_one(transition.clone()).await, Verdict::Won);
    let view = bench.view(Scope::All).await;
    assert_eq!(view.open[&id("p")], [transition.claim.unwrap()]);
    assert_eq!(view.rows[&id("p")], Row { version: 1, fence: 1, ..transition.row });
}

/// A pending retry of 01:00, and a change that is right but for what the caller spoils.
async fn all_at_once(bench: &Bench) -> Transition {
    let first = bench.claimed_under("p", "01:00", thrice()).await;
    bench.ended(&first, Outcome::Failed).await;
    let mut transition = claiming(bench.row(&id("p")).await, at("02:00"), 1);
    transition.closed = vec![first.token];
    transition.not_run = vec![stretch(&id("p"), "01:30", "01:30", 1, Reason::Missed, Some("01:00"))];
    transition
}

pub async fn a_decision_on_an_old_version_is_lost_and_changes_nothing(bench: Bench) {
    let right = all_at_once(&bench).await;
    let before = bench.everything().await;
    for wrong in [right.row.version - 1, right.row.version + 1, 0] {
        let row = Row { version: wrong, ..right.row.clone() };
        let transition = Transition { row, ..right.clone() };
        assert_eq!(bench.commit_one(transition).await, Verdict::Lost, "version {wrong}");
        assert_eq!(bench.everything().await, before, "version {wrong}");
    }
    assert_eq!(bench.commit_one(right).await, Verdict::Won, "it was right but for that");
}

pub async fn a_row_is_made_once(bench: Bench) {
    let mut other = changing(Row { backlog_until: Some(at("09:00")), ..Row::absent(id("p")) });
    assert_eq!(bench.commit_one(claiming(Row::absent(id("p")), at("02:00"), 1)).await, Verdict::Won);
    let before = bench.everything().await;
    assert_eq!(bench.commit_one(other.clone()).await, Verdict::Lost);
    assert_eq!(bench.everything().await, before);
    other.row.version = 1;
    assert_eq!(bench.commit_one(other).await, Verdict::Won);
}

pub async fn a_row_that_is_not_there_has_no_version(bench: Bench) {
    let row = Row { version: 7, ..Row::absent(id("p")) };
    assert_eq!(bench.commit_one(claiming(row, at("02:00"), 1)).await, Verdict::Lost);
    assert_eq!(bench.everything().await, (vec![], vec![]));
}

pub async fn a_key_that_is_taken_is_lost_and_changes_nothing(bench: Bench) {
    let mut transition = all_at_once(&bench).await;
    let taken = attempt(&id("p"), at("01:00"), 1, transition.row.fence + 1);
    transition.claim = Some(taken);
    let before = bench.everything().await;
    assert_eq!(bench.commit_one(transition).await, Verdict::Lost);
    assert_eq!(bench.everything().await, before);
}

pub async fn the_next_attempt_waits_for_the_end_of_the_one_before(bench: Bench) {
    let first = bench.claimed("p", "02:00").await;
    let before = bench.everything().await;
    let second = claiming(bench.row(&id("p")).await, at("02:00"), 2);
    assert_eq!(bench.commit_one(second).await, Verdict::Lost);
    assert_eq!(bench.everything().await, before);
    bench.ended(&first, Outcome::Succeeded).await;
    let second = claiming(bench.row(&id("p")).await, at("02:00"), 2);
    assert_eq!(bench.commit_one(second).await, Verdict::Won);
}

pub async fn another_run_may_be_claimed_while_one_is_active(bench: Bench) {
    bench.claimed("p", "02:00").await;
    bench.claimed("p", "03:00").await;
    assert_eq!(bench.view(Scope::All).await.open[&id("p")].len(), 2);
}

pub async fn a_retry_is_closed_once(bench: Bench) {
    let transition = all_at_once(&bench).await;
    let closed = transition.closed.clone();
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    let history = bench.history(Query { attempts_only: true, ..Query::default() }).await;
    assert!(history.iter().all(|record| !format!("{record:?}").contains("retry_at: Some")), "{history:?}");
    let before = bench.everything().await;
    let again = Transition { closed, ..claiming(bench.row(&id("p")).await, at("03:00"), 1) };
    assert_eq!(bench.commit_one(again).await, Verdict::Lost);
    assert_eq!(bench.everything().await, before);
}

pub async fn a_retry_is_made_once(bench: Bench) {
    let first = bench.claimed_under("p", "01:00", thrice()).await;
    bench.ended(&first, Outcome::Failed).await;
    let row = bench.row(&id("p")).await;
    let second = Transition { closed: vec![first.token], ..claiming(row, at("01:00"), 2) };
    assert_eq!(bench.commit_one(second).await, Verdict::Won);
    let row = bench.row(&id("p")).await;
    let third = Transition { closed: vec![first.token], ..claiming(row, at("01:00"), 3) };
    assert_eq!(bench.commit_one(third).await, Verdict::Lost);
}

pub async fn only_a_pending_retry_can_be_closed(bench: Bench) {
    let active = bench.claimed("p", "01:00").await;
    let done = bench.claimed("p", "01:10").await;
    bench.ended(&done, Outcome::Succeeded).await;
    let pending = bench.claimed_under("p", "01:20", thrice()).await;
    bench.ended(&pending, Outcome::Failed).await;
    for (what, token) in [("active", active.token), ("done", done.token), ("unknown", mint())] {
        let before = bench.everything().await;
        let closed = vec![pending.token, token];
        let transition = Transition { closed, ..changing(bench.row(&id("p")).await) };
        assert_eq!(bench.commit_one(transition).await, Verdict::Lost, "{what}");
        assert_eq!(bench.everything().await, before, "{what}");
    }
}

pub async fn one_that_is_refused_does_not_hinder_the_others(bench: Bench) {
    let stale = claiming(Row { version: 3, ..Row::absent(id("b")) }, at("02:00"), 1);
    let fresh = |name| claiming(Row::absent(id(name)), at("02:00"), 1);
    let verdicts = bench.commit(vec![fresh("a"), stale, fresh("c")]).await;
    assert_eq!(verdicts, [Verdict::Won, Verdict::Lost, Verdict::Won]);
    let view = bench.view(Scope::All).await;
    let mut there: Vec<String> = view.rows.keys().chain(view.open.keys()).map(|id| id.to_string()).collect();
    there.sort();
    assert_eq!(there, ["a", "a", "c", "c"]);
}

pub async fn of_two_for_one_pipeline_the_first_is_won(bench: Bench) {
    let fresh = |scheduled_for| claiming(Row::absent(id("p")), at(scheduled_for), 1);
    assert_eq!(bench.commit(vec![fresh("02:00"), fresh("03:00")]).await, [Verdict::Won, Verdict::Lost]);
    assert_eq!(bench.row(&id("p")).await.cursor, Some(at("02:00")));
}

pub async fn the_same_claim_sent_again_is_lost_and_its_token_is_there(bench: Bench) {
    let transition = claiming(Row::absent(id("p")), at("02:00"), 1);
    assert_eq!(bench.commit_one(transition.clone()).await, Verdict::Won);
    assert_eq!(bench.commit_one(transition.clone()).await, Verdict::Lost);
    let view = bench.view(Scope::Only(vec![id("p")])).await;
    assert_eq!(view.open[&id("p")], [transition.claim.unwrap()]);
}

pub async fn a_change_without_a_claim_keeps_the_fence(bench: Bench) {
    bench.claimed("p", "02:00").await;
    let row = bench.row(&id("p")).await;
    let changed = Row { cursor: Some(at("03:00")), ..row.clone() };
    assert_eq!(bench.commit_one(changing(changed.clone())).await, Verdict::Won);
    assert_eq!(bench.row(&id("p")).await, Row { version: row.version + 1, ..changed });
}

pub async fn fences_and_versions_only_grow(bench: Bench) {
    let (mut fence, mut version) = (0, 0);
    for number in 1..=5 {
        let mut transition = claiming(bench.row(&id("p")).await, at("02:00"), number);
        transition.claim.as_mut().unwrap().policy = thrice();
        let claim = transition.claim.clone().unwrap();
        assert_eq!(bench.commit_one(transition).await, Verdict::Won);
        let row = bench.row(&id("p")).await;
        assert_eq!((row.fence, claim.fence), (fence + 1, fence + 1), "claim {number}");
        assert!(row.version > version, "claim {number}");
        (fence, version) = (row.fence, row.version);
        bench.end(end(&claim, Outcome::Failed, at("02:01"))).await;
        let row = bench.row(&id("p")).await;
        assert_eq!(row.fence, fence, "end {number}");
        assert!(row.version > version, "end {number}");
        version = row.version;
    }
}

async fn are_kept_apart(bench: &Bench, ids: &[PipelineId]) {
    for (hour, id) in ids.iter().enumerate() {
        let transition = claiming(bench.row(id).await, at(&format!("{hour:02}:00")), 1);
        assert_eq!(transition.row.version, 0, "{id}");
        assert_eq!(bench.commit_one(transition).await, Verdict::Won, "{id}");
    }
    let all = bench.view(Scope::All).await;
    for (hour, id) in ids.iter().enumerate() {
        let only = bench.view(Scope::Only(vec![id.clone()])).await;
        for view in [&all, &only] {
            let runs: Vec<_> = view.open[id].iter().map(|attempt| attempt.run.scheduled_for).collect();
            assert_eq!(runs, [at(&format!("{hour:02}:00"))], "{id}");
        }
        assert_eq!(only.rows.len(), 1, "{id}");
        let history = bench.history(Query { pipeline: Some(id.clone()), ..Query::default() }).await;
        assert_eq!(history.len(), 1, "{id}");
    }
}

pub async fn names_that_differ_in_case_are_two_pipelines(bench: Bench) {
    are_kept_apart(&bench, &["Foo", "foo", "FOO"].map(id)).await;
}

pub async fn names_with_slashes_and_dots_are_kept_apart(bench: Bench) {
    are_kept_apart(&bench, &["a/b", "a.b", "a_b", "a-2Fb", ".", "..", "/", "a/../b"].map(id)).await;
}

pub async fn namespaces_are_kept_apart(bench: Bench) {
    are_kept_apart(&bench, &[id_in("a", "p"), id_in("b", "p"), id_in("A", "p"), id("p"), id_in("a/p", "p")]).await;
}
