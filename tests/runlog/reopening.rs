//! Reopening: a durable store goes on where it was, and knows a rehearsal from the real thing.

use tickward::run::{Outcome, Reason, Row};
use tickward::runlog::contract::{Query, Scope, Transition, Verdict};
use tickward::runlog::spool::Folder;
use tickward::runlog::spool::mirror::{self, Learned};
use tickward::runlog::{self, Error, OpenOptions, Purpose};

use crate::bench::{Bench, at, changing, claiming, id, stretch, thrice};

/// Closes the log's only connection and opens it again.
fn reopened(mut bench: Bench) -> Bench {
    assert_eq!(std::sync::Arc::strong_count(&bench.log), 1);
    bench.log = bench.open("memory:", Purpose::Work).unwrap();
    bench.log = bench.again(Purpose::Work).unwrap();
    bench
}

pub async fn everything_is_there_after_reopening(bench: Bench) {
    let first = bench.claimed_under("p", "01:00", thrice()).await;
    bench.ended(&first, Outcome::Failed).await;
    bench.claimed("Q", "02:00").await;
    let not_run = vec![stretch(&id("p"), "02:00", "04:00", 3, Reason::Missed, Some("01:00"))];
    let row = Row { cursor: Some(at("04:00")), ..bench.row(&id("p")).await };
    assert_eq!(bench.commit_one(Transition { not_run, ..changing(row) }).await, Verdict::Won);
    let (before, open) = (bench.everything().await, bench.view(Scope::All).await.open);
    let bench = reopened(bench);
    assert_eq!(bench.everything().await, before);
    assert_eq!(bench.view(Scope::All).await.open, open);
    let more = vec![stretch(&id("p"), "05:00", "05:00", 1, Reason::Missed, Some("04:00"))];
    let transition = Transition { not_run: more, ..changing(bench.row(&id("p")).await) };
    assert_eq!(bench.commit_one(transition).await, Verdict::Won);
    assert_eq!(bench.history(Query::default()).await.len(), before.1.len(), "stretches touch across a reopening");
}

pub async fn fences_and_versions_go_on_after_reopening(bench: Bench) {
    bench.claimed("p", "01:00").await;
    let before = bench.row(&id("p")).await;
    let bench = reopened(bench);
    let row = bench.row(&id("p")).await;
    assert_eq!((row.fence, row.version), (before.fence, before.version));
    assert_eq!(bench.commit_one(claiming(Row::absent(id("p")), at("01:00"), 1)).await, Verdict::Lost);
    assert_eq!(bench.commit_one(claiming(row, at("02:00"), 1)).await, Verdict::Won);
    assert_eq!(bench.row(&id("p")).await.fence, 2);
}

fn address_error(bench: &Bench, url: &str, purpose: Purpose) -> (String, String) {
    match bench.open(url, purpose) {
        Err(Error::Address { message, help }) => (message, help),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

pub async fn a_rehearsals_store_is_refused_for_work(bench: Bench) {
    let url = bench.another_url();
    drop(bench.open(&url, Purpose::Rehearse).unwrap());
    bench.open(&url, Purpose::Rehearse).unwrap();
    let (message, help) = address_error(&bench, &url, Purpose::Work);
    assert!(message.contains("created under --now, for a rehearsal"), "{message}");
    assert!(!help.is_empty());
}

pub async fn a_real_store_is_refused_for_a_rehearsal(bench: Bench) {
    let (message, help) = address_error(&bench, &bench.url, Purpose::Rehearse);
    assert!(message.contains("is a real one"), "{message}");
    assert!(!help.is_empty());
    bench.again(Purpose::Work).unwrap();
}

pub async fn any_store_may_be_read(bench: Bench) {
    bench.claimed("p", "01:00").await;
    let url = bench.another_url();
    drop(bench.open(&url, Purpose::Rehearse).unwrap());
    for url in [&bench.url, &url] {
        bench.open(url, Purpose::Read).unwrap().load(Scope::All).await.unwrap();
    }
}

pub async fn a_shadows_store_is_for_shadows_alone(bench: Bench) {
    let url = bench.another_url();
    drop(bench.open(&url, Purpose::Shadow).unwrap());
    bench.open(&url, Purpose::Shadow).unwrap();
    for purpose in [Purpose::Work, Purpose::Rehearse] {
        let (message, help) = address_error(&bench, &url, purpose);
        assert!(message.contains("created under --shadow"), "{message}");
        assert!(!help.is_empty());
    }
    let (message, _) = address_error(&bench, &bench.url, Purpose::Shadow);
    assert!(message.contains("no shadow's"), "{message}");
    bench.again(Purpose::Work).unwrap();
}

pub async fn a_store_without_tables_that_its_host_has_used_is_no_new_one(bench: Bench) {
    let (url, host) = (bench.another_url(), bench.folder().join("host"));
    let opened = |purpose| {
        let options = OpenOptions { host: Some(host.clone()), ..OpenOptions::new(bench.clock.clone(), purpose) };
        runlog::open(&url, options).map(drop)
    };
    let use_it = || {
        let known = Learned { rows: vec![Row::absent(id("p"))], is_all: true, ..Learned::default() };
        mirror::note(&Folder::at(host.clone()), known, at("00:00")).unwrap();
    };
    use_it();
    for purpose in [Purpose::Work, Purpose::Read, Purpose::Work] {
        let refused = opened(purpose).unwrap_err();
        let says = "has none of its tables, and this host knows 1 of its pipelines: put it back, or remove `";
        assert!(matches!(refused, Error::Unavailable { .. }) && refused.to_string().contains(says), "{refused}");
    }
    std::fs::remove_dir_all(&host).unwrap();
    opened(Purpose::Work).unwrap();
    use_it();
    opened(Purpose::Work).unwrap();
}
