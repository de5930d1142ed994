//! A run-log with a host's own files beside it: what the host has made alone is known before anything is claimed beside it.

use std::time::Duration;

use tickward::clock::Clock;
use tickward::pipeline::OnGaveUp;
use tickward::run::{KnownSchedule, Outcome, Policy, Row};
use tickward::runlog::contract::{Batch, Imported, Query, Record, RunLog, Scope, Spooled, Transition, Verdict};
use tickward::runlog::spool::beside::Mirrored;
use tickward::runlog::spool::mirror::{self, Learned};
use tickward::runlog::spool::{Folder, SpoolRunLog, Stored, keep};

use crate::bench::{Bench, at, changing, claiming, end, id, once};

async fn commit(log: &dyn RunLog, transition: Transition) -> Verdict {
    log.commit(Batch { ends: Vec::new(), transitions: vec![transition] }).await.unwrap().verdicts[0]
}

/// Another tick of the host has ended the outage, and what it told the run-log has not arrived.
pub async fn beside_what_its_host_runs_alone_a_tick_claims_nothing_that_has_not_told_of_it(bench: Bench) {
    let folder = Folder::at(bench.folder().join("host"));
    let spool = SpoolRunLog::open(folder.clone(), bench.clock.clone(), "outage".into()).unwrap();
    assert_eq!(commit(&spool, claiming(Row::absent(id("p")), at("02:00"), 1)).await, Verdict::Won);
    keep::end_outage(&folder).unwrap();

    let tick = Mirrored::new(bench.log.clone(), folder.clone(), bench.clock.clone());
    let next = async || claiming(bench.row(&id("p")).await, at("03:00"), 1);
    assert_eq!(commit(&tick, next().await).await, Verdict::Lost);
    assert_eq!(commit(&tick, claiming(bench.row(&id("q")).await, at("03:00"), 1)).await, Verdict::Won, "another one");

    assert_eq!(tick.import(kept(&folder)).await.unwrap(), [Imported::Taken]);
    assert_eq!(commit(&tick, next().await).await, Verdict::Won, "who has told of it has decided by it");
}

fn kept(folder: &Folder) -> Vec<Spooled> {
    let kept = keep::records(folder).unwrap().into_iter().filter_map(|(_, stored)| match stored {
        Stored::Attempt { spooled, .. } => Some(*spooled),
        Stored::End { .. } => None,
    });
    kept.collect()
}

/// Its worker stood still, was declared lost, and has come back with a success since the tick has read what to hand over.
pub async fn what_was_told_before_it_came_late_is_not_tried_again(bench: Bench) {
    let folder = Folder::at(bench.folder().join("host"));
    let spool = SpoolRunLog::open(folder.clone(), bench.clock.clone(), "outage".into()).unwrap();
    let claim = claiming(Row::absent(id("p")), at("02:00"), 1);
    let attempt = claim.claim.clone().unwrap();
    assert_eq!(commit(&spool, claim).await, Verdict::Won);
    let ended = async |outcome| {
        let ends = vec![end(&attempt, outcome, at("02:30"))];
        spool.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
    };
    ended(Outcome::Lost).await;
    keep::end_outage(&folder).unwrap();
    let before = kept(&folder);
    ended(Outcome::Succeeded).await;

    let tick = Mirrored::new(bench.log.clone(), folder.clone(), bench.clock.clone());
    assert_eq!(tick.import(before).await.unwrap(), [Imported::Taken]);
    let again = async || commit(&tick, claiming(bench.row(&id("p")).await, at("02:00"), 2)).await;
    assert_eq!(again().await, Verdict::Lost);
    tick.import(kept(&folder)).await.unwrap();
    let told = bench.history(Query::default()).await;
    let [Record::Attempt(told)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(told.late_outcome, Some(Outcome::Succeeded));
    assert_eq!(again().await, Verdict::Won, "a person may want it again");
}

/// The tick that looked has stood still meanwhile.
pub async fn a_look_that_another_tick_has_overtaken_undoes_no_claim_in_the_mirror(bench: Bench) {
    let folder = Folder::at(bench.folder().join("host"));
    let tick = Mirrored::new(bench.log.clone(), folder.clone(), bench.clock.clone());
    bench.claimed("p", "01:00").await;
    tick.load(Scope::All).await.unwrap();
    let before = mirror::digest_of(&folder);
    let rows = bench.view(Scope::All).await.rows.into_values().collect();
    assert_eq!(commit(&tick, claiming(bench.row(&id("p")).await, at("02:00"), 1)).await, Verdict::Won);

    let later = bench.clock.now() + Duration::from_secs(120);
    mirror::note(&folder, Learned { rows, is_all: true, before, running: Vec::new() }, later).unwrap();
    assert_eq!(mirror::read(&folder).rows[&id("p")].cursor, Some(at("02:00")));
}

/// A host without a mirror goes by its cursor alone, and sees each schedule for the first time in every outage.
pub async fn what_a_first_sight_has_left_out_is_no_part_of_what_a_claim_alone_decides(bench: Bench) {
    for (since, after) in [("01:00", Some(at("02:00"))), ("03:15", None)] {
        let folder = Folder::at(bench.folder().join(since));
        let spool = SpoolRunLog::open(folder.clone(), bench.clock.clone(), "outage".into()).unwrap();
        let row = Row { cursor: Some(at("02:00")), ..Row::absent(id("p")) };
        assert_eq!(commit(&spool, changing(row.clone())).await, Verdict::Won);

        let (rest, cursor) = (Default::default(), Some(at("04:00")));
        let seen = KnownSchedule { hash: "hourly".into(), since: at(since), cursor, replaced_at: None, rest };
        let row = Row { version: 1, schedules: vec![seen], ..row };
        assert_eq!(commit(&spool, claiming(row, at("04:00"), 1)).await, Verdict::Won);
        let kept = keep::records(&folder).unwrap();
        let [(_, Stored::Attempt { spooled, .. })] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(spooled.after, after, "seen since {since}");
    }
}

/// An end is no look: without this the mirror would hear of the hold from the next tick only.
pub async fn a_hold_that_comes_with_an_end_is_mirrored_with_it(bench: Bench) {
    for (name, on_gave_up, is_held) in [("p", OnGaveUp::Hold, true), ("q", OnGaveUp::Next, false)] {
        let folder = Folder::at(bench.folder().join(name));
        let tick = Mirrored::new(bench.log.clone(), folder.clone(), bench.clock.clone());
        let mut claim = claiming(bench.row(&id(name)).await, at("02:00"), 1);
        let attempt = claim.claim.as_mut().unwrap();
        attempt.policy = Policy { on_gave_up, ..once() };
        let attempt = attempt.clone();
        assert_eq!(commit(&tick, claim).await, Verdict::Won);
        let ends = vec![end(&attempt, Outcome::Failed, at("02:30"))];
        tick.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
        assert_eq!(mirror::read(&folder).rows[&id(name)].standing.held.is_some(), is_held, "{name}");
    }
}
