//! What one run-log hands over and another takes in.

use tickward::alert::{Alert, Kind};
use tickward::run::{Attempt, NotRun, Outcome, Reason, Row};
use tickward::runlog::contract::{
    Adopted, Batch, Forgotten, Item, Mark, Query, Record, RunLog, Scope, Transition, Verdict, Waiting,
};
use tickward::runlog::outbox::Done;
use tickward::runlog::{Purpose, contract::Role};

use crate::bench::{Bench, at, attempt, changing, end, id, id_in, lost, stretch, thrice};

/// Three pipelines with all that a run-log can know.
async fn filled(bench: &Bench) {
    for name in ["b", "a"] {
        for hour in ["01:00", "03:00"] {
            let claim = bench.claimed(name, hour).await;
            bench.ended(&claim, Outcome::Succeeded).await;
        }
        let failed = bench.claimed_under(name, "04:00", thrice()).await;
        bench.ended(&failed, Outcome::Failed).await;
        let not_run = vec![
            stretch(&id(name), "02:00", "02:30", 3, Reason::Missed, None),
            stretch(&id(name), "02:00", "02:00", 1, Reason::Overlap, None),
        ];
        let row = bench.row(&id(name)).await;
        assert_eq!(bench.commit_one(Transition { not_run, ..changing(row) }).await, Verdict::Won);
    }
    let late = bench.claimed("a", "05:00").await;
    bench.clock.set(at("06:00"));
    bench.end(lost(&late, at("06:00"))).await;
    bench.end(end(&late, Outcome::Succeeded, at("06:01"))).await;
    bench.claimed("gone", "01:00").await;
    let claim = bench.view(Scope::All).await.open[&id("gone")][0].clone();
    bench.ended(&claim, Outcome::Succeeded).await;
    assert!(matches!(bench.log.forget(id("gone")).await.unwrap(), Forgotten::Done { .. }));
    let told = |id: &str| Alert::new(Kind::Other("test".into()), id, at("06:00"));
    bench.log.post_alerts(vec![told("first"), told("second")]).await.unwrap();
    let done = Done { delivered: vec!["x".into()], ..Done::default() };
    let dead = Waiting { done, error: "no".into(), ..Waiting::new(told("dead")) };
    bench.log.adopt(vec![Item::Dead(dead)]).await.unwrap();
}

async fn exported(log: &dyn RunLog, limit: usize) -> Vec<Item> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = log.export(after, limit).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.mark());
        assert!(page.len() <= limit || after == Some(Mark::Outbox), "{}", page.len());
        all.extend(page);
    }
}

/// Another fresh log of the same kind.
fn another(bench: &Bench) -> std::sync::Arc<dyn RunLog> {
    bench.open(&bench.another_url(), Purpose::Work).unwrap()
}

pub async fn everything_comes_once_in_a_fixed_order_whatever_the_page(bench: Bench) {
    assert_eq!(exported(&*bench.log, 3).await, []);
    filled(&bench).await;
    let all = exported(&*bench.log, 1000).await;
    let shown: Vec<String> = all
        .iter()
        .map(|item| match item {
            Item::Row(row) => format!("row {}", row.pipeline),
            Item::Attempt(a) => format!("{} {}", a.run.pipeline, a.run.scheduled_for.strftime("%H")),
            Item::NotRun(entry) => format!("{} not {}", entry.pipeline, entry.reason.word()),
            Item::Waiting(entry) => format!("waits {}", entry.alert.kind),
            Item::Dead(entry) => format!("dead {}", entry.alert.kind),
        })
        .filter(|text| !text.starts_with("waits failed") && !text.starts_with("waits l"))
        .collect();
    let expected = [
        "row a",
        "row b",
        "row gone",
        "a 01",
        "a 03",
        "a 04",
        "a 05",
        "b 01",
        "b 03",
        "b 04",
        "a not missed",
        "a not overlap",
        "b not missed",
        "b not overlap",
        "waits test",
        "waits test",
        "dead test",
    ];
    let mut sorted = shown.clone();
    sorted.sort();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    assert_eq!(shown[..10], expected[..10]);
    assert_eq!(shown[10..12], ["a not missed", "a not overlap"]);
    for limit in [1, 2, 5] {
        assert_eq!(exported(&*bench.log, limit).await, all, "{limit} at once");
    }
}

pub async fn what_is_taken_in_is_there_as_it_was(bench: Bench) {
    filled(&bench).await;
    let to = another(&bench);
    let all = exported(&*bench.log, 1000).await;
    let count = all.len() as u64;
    let new = Adopted { new: count, ..Adopted::default() };
    assert_eq!(to.adopt(all.clone()).await.unwrap(), new);
    assert_eq!(exported(&*to, 1000).await, all);
    let of = async |log: &dyn RunLog| {
        let history = log.history(Query { limit: 100, ..Query::default() }).await.unwrap();
        (log.load(Scope::All).await.unwrap(), history, log.outbox().await.unwrap())
    };
    assert_eq!(of(&*to).await, of(&*bench.log).await);
    assert_eq!(to.adopt(all).await.unwrap(), Adopted { known: count, ..Adopted::default() }, "and once again");
    // What is decided there goes on from here.
    let row = to.load(Scope::All).await.unwrap().rows[&id("a")].clone();
    let next = crate::bench::claiming(row, at("09:00"), 1);
    let committed = to.commit(Batch { ends: Vec::new(), transitions: vec![next] }).await.unwrap();
    assert_eq!(committed.verdicts, [Verdict::Won]);
}

pub async fn what_is_there_stays(bench: Bench) {
    let there = bench.claimed("p", "01:00").await;
    let ended = bench.ended(&there, Outcome::Failed).await;
    let before = bench.everything().await;
    let row = Row { version: 90, fence: 90, ..Row::absent(id("p")) };
    let other = attempt(&id("p"), at("01:00"), 1, 7);
    let same_token = Attempt { number: 2, ..ended.clone() };
    let items = vec![
        Item::Row(Box::new(Row { cursor: Some(at("00:30")), ..row.clone() })),
        Item::Attempt(Box::new(other)),
        Item::Attempt(Box::new(same_token)),
        Item::Attempt(Box::new(ended)),
    ];
    assert_eq!(bench.log.adopt(items).await.unwrap(), Adopted { new: 0, known: 1, differs: 3 });
    assert_eq!(bench.everything().await, before);
    // A fence that was given out elsewhere is passed here too.
    assert_eq!(bench.log.adopt(vec![Item::Row(Box::new(row))]).await.unwrap().new, 1);
    let raised = bench.row(&id("p")).await;
    assert_eq!((raised.fence, raised.version), (90, 91));
    assert_eq!(raised.cursor, before.0[0].cursor);
    assert_eq!(bench.claimed("p", "02:00").await.fence, 91);
}

pub async fn a_stretch_that_is_taken_in_ends_where_it_ended(bench: Bench) {
    let entry = stretch(&id("p"), "02:00", "02:30", 3, Reason::Missed, Some("01:00"));
    for (after, adopted) in [(Some("01:00"), (1, 0)), (Some("01:30"), (0, 1)), (None, (0, 1))] {
        let item = Item::NotRun(NotRun { after: after.map(at), ..entry.clone() });
        let Adopted { new, known, differs } = bench.log.adopt(vec![item]).await.unwrap();
        assert_eq!(((new, known), differs), (adopted, 0), "after {after:?}");
        assert_eq!(bench.everything().await.1, [Record::NotRun(NotRun { after: None, ..entry.clone() })], "{after:?}");
    }
}

pub async fn names_sort_by_their_bytes(bench: Bench) {
    let names =
        [("A", "b"), ("default", "B"), ("default", "a"), ("default", "a-b"), ("default", "a.b"), ("default", "a/b")];
    for (namespace, name) in names.iter().rev() {
        let row = bench.row(&id_in(namespace, name)).await;
        assert_eq!(bench.commit_one(changing(row)).await, Verdict::Won);
    }
    let rows = exported(&*bench.log, 2).await;
    let found: Vec<_> = rows.iter().map(|item| item.mark()).collect();
    let expected: Vec<_> = names.iter().map(|(namespace, name)| Mark::Row(id_in(namespace, name))).collect();
    assert_eq!(found, expected);
}

pub async fn a_store_says_what_it_is_and_asking_leaves_nothing(bench: Bench) {
    filled(&bench).await;
    let before = bench.everything().await;
    let facts = bench.log.facts().await.unwrap();
    assert!(!facts.product.is_empty() && !facts.version.is_empty());
    assert_eq!(facts.role, Role::Primary);
    let rights = facts.rights;
    assert!(rights.create && rights.insert && rights.update && rights.delete);
    assert_eq!(bench.log.facts().await.unwrap().form, facts.form);
    assert_eq!(bench.everything().await, before);
    if bench.backend.is_durable {
        assert_eq!(facts.found, 0, "this way to it has made the tables");
        assert_eq!(bench.again(Purpose::Work).unwrap().facts().await.unwrap().found, facts.form);
    }
}
