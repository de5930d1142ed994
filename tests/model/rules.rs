//! Rules that can be taken away, one at a time, to see that the check misses them.

use jiff::Timestamp;
use tickward::run::Attempt;
use tickward::runlog::contract::{Batch, Committed, Condition, Transition, Verdict};
use tickward::runlog::memory::Tables;

/// What holds, unless it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A transition is won only if the row still has the version it was decided on.
    VersionIsCompared,
    /// A commit without an answer is no win.
    UnknownIsNotWon,
    /// After a commit without an answer the store is read; nothing is sent again under another token.
    UnknownIsReadAgain,
    /// A body starts after the answer, not after the request.
    StartAfterWon,
    /// A lease is tested again in the commit that ends its attempt.
    LeaseIsTestedAgain,
    /// An end folds into the attempt that has its token.
    EndGoesByToken,
    /// A successor is claimed after the loss is in the store, which inserts none while its predecessor is active.
    LossBeforeSuccessor,
    /// What may have started, as its start mark tells, is not released.
    MarkBeforeReleased,
}

/// What the store does with a batch, with one rule dropped.
pub fn commit(tables: &mut Tables, mut batch: Batch, now: Timestamp, dropped: Option<Rule>) -> Committed {
    match dropped {
        Some(Rule::VersionIsCompared) => {
            for row in batch.transitions.iter_mut().map(|transition| &mut transition.row) {
                row.version = tables.rows.get(&row.pipeline).map_or(0, |row| row.version);
            }
        }
        Some(Rule::LeaseIsTestedAgain) => {
            batch.ends.iter_mut().for_each(|end| end.condition = Condition::Always);
        }
        Some(Rule::EndGoesByToken) => {
            for completion in batch.ends.iter_mut().map(|end| &mut end.completion) {
                completion.token = last_of_its_run(tables, completion.token).map_or(completion.token, |a| a.token);
            }
        }
        Some(Rule::LossBeforeSuccessor) => {
            let transitions = std::mem::take(&mut batch.transitions);
            let mut committed = tables.commit(batch, now);
            for transition in transitions {
                committed.verdicts.push(insert_anyhow(tables, transition, now));
            }
            return committed;
        }
        _ => {}
    }
    tables.commit(batch, now)
}

fn last_of_its_run(tables: &Tables, token: tickward::occurrence::Token) -> Option<&Attempt> {
    let run = &tables.attempts.values().find(|attempt| attempt.token == token)?.run;
    tables.attempts.values().rfind(|attempt| attempt.run == *run)
}

/// Inserts a claim where the version is right, whatever its run is doing.
fn insert_anyhow(tables: &mut Tables, transition: Transition, now: Timestamp) -> Verdict {
    let version = tables.rows.get(&transition.row.pipeline).map_or(0, |row| row.version);
    let Some(claim) = transition.claim.clone().filter(|claim| claim.number > 1) else {
        let batch = Batch { ends: Vec::new(), transitions: vec![transition] };
        return tables.commit(batch, now).verdicts[0];
    };
    if version != transition.row.version {
        return Verdict::Lost;
    }
    let mut row = transition.row;
    (row.version, row.fence) = (version + 1, claim.fence);
    tables.rows.insert(row.pipeline.clone(), row);
    tables.put(claim);
    Verdict::Won
}
