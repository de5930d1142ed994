//! A run-log with a host's own files beside it: what the host has made alone is known before anything is claimed beside it.

use tickward::run::Row;
use tickward::runlog::contract::{Batch, Imported, RunLog, Spooled, Transition, Verdict};
use tickward::runlog::spool::beside::Mirrored;
use tickward::runlog::spool::{Folder, SpoolRunLog, Stored, keep};

use crate::bench::{Bench, at, claiming, id};

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

    let kept = keep::records(&folder).unwrap().into_iter().filter_map(|(_, stored)| match stored {
        Stored::Attempt { spooled, .. } => Some(*spooled),
        Stored::End { .. } => None,
    });
    let kept: Vec<Spooled> = kept.collect();
    assert_eq!(tick.import(kept).await.unwrap(), [Imported::Taken]);
    assert_eq!(commit(&tick, next().await).await, Verdict::Won, "who has told of it has decided by it");
}
