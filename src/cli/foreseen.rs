//! What the run-log will know once the next tick of this host has taken in its spool: for those who only look.
//!
//! What the run-log has of the runs in question is copied into a run-log in memory, which takes in the records by the rules of a
//! tick (`tick::take_in`).
//!
//! Holds always: nothing is written, neither to the run-log nor to the spool; what a dead worker has left is not taken over, as by
//! anybody who only looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use super::exit::Exit;
use super::session::{Session, run_log_failed};
use super::{block_on, print};
use crate::clock::{Shifted, SystemClock};
use crate::occurrence::Run;
use crate::plan::note_seen;
use crate::run::{Attempt, Row};
use crate::runlog::contract::{Query, Record, Scope, View};
use crate::runlog::memory::{MemoryRunLog, Tables};
use crate::runlog::spool::{Folder, Seen, Stored, keep};
use crate::runlog::{Error, RunLog};
use crate::tick::{self, Recovered, StopWish};

/// So many attempts of a run are looked at.
const MOST: usize = 1000;

/// The run-log with what waits for it.
pub struct Foreseen {
    /// Rows, open attempts, and all attempts of the runs that the spool is about.
    pub run_log: Arc<dyn RunLog>,
    /// So many records of the spool are in it that the run-log does not have.
    pub records: usize,
}

impl Foreseen {
    /// What a load of `scope` gave, as it will be.
    ///
    /// # Errors
    /// Those of a run-log.
    pub async fn view(&self, scope: Scope, before: View) -> Result<View, Error> {
        let mut view = self.run_log.load(scope).await?;
        for (id, instants) in before.decided {
            let decided = view.decided.entry(id).or_default();
            decided.extend(instants);
            decided.sort_unstable();
            decided.dedup();
        }
        Ok(view)
    }

    /// The attempts of a run, as they will be.
    ///
    /// # Errors
    /// Those of a run-log.
    pub async fn attempts(&self, run: &Run, before: Vec<Attempt>) -> Result<Vec<Attempt>, Error> {
        let mut attempts = of_run(&self.run_log, run).await?;
        let is_new = |other: &Attempt| attempts.iter().all(|attempt| attempt.number != other.number);
        let others: Vec<Attempt> = before.into_iter().filter(is_new).collect();
        attempts.extend(others);
        Ok(attempts)
    }
}

/// What `run_log` will know; none where nothing waits for it on this host.
///
/// # Errors
/// Those of the run-log; `Refused`, as for a tick, where the spool cannot be read.
pub async fn foresee(session: &Session, run_log: &Arc<dyn RunLog>) -> Result<Option<Foreseen>, Error> {
    let Some(folder) = session.host_folder() else { return Ok(None) };
    // First the spool: what a tick takes out of it meanwhile is in the run-log then.
    let (kept, seen) = kept(&folder)?;
    if kept.is_empty() && seen.is_empty() {
        return Ok(None);
    }
    let view = run_log.load(Scope::All).await?;
    let now = view.now;
    let mut tables = Tables::default();
    tables.rows = view.rows;
    view.open.into_values().flatten().for_each(|attempt| tables.put(attempt));
    for run in runs(run_log, &kept).await? {
        of_run(run_log, &run).await?.into_iter().for_each(|attempt| tables.put(attempt));
    }
    for Seen { pipeline, schedule } in seen {
        let row = tables.rows.entry(pipeline.clone()).or_insert_with(|| Row::absent(pipeline));
        note_seen(row, &schedule, now);
    }
    let foreseen = Arc::new(MemoryRunLog::to_look_at(Arc::new(Shifted::starting_at(now, SystemClock)), tables));
    let env = session.env_with(foreseen.clone(), Arc::new(SystemClock), watch::channel(StopWish::None).1);
    let mut recovered = Recovered::default();
    tick::take_in(&env, &kept, &mut recovered, |_, _| Ok(true)).await?;
    Ok(Some(Foreseen { run_log: foreseen, records: recovered.taken }))
}

/// The same, said to people; where the spool cannot be read they are warned, and told what is known all the same.
///
/// # Errors
/// `RunLog`, after saying why.
pub fn told(session: &Session, run_log: &Arc<dyn RunLog>) -> Result<Option<Foreseen>, Exit> {
    match block_on(foresee(session, run_log))? {
        Err(error @ Error::Refused { .. }) => {
            print::note(&format!("warning: {error}: what waits there is not counted in"));
            Ok(None)
        }
        Err(error) => Err(run_log_failed(&error)),
        Ok(foreseen) => {
            if let Some(Foreseen { records: count @ 1.., .. }) = foreseen {
                let counted = format!("{count} from the spool of this host is counted in: the next tick records it");
                print::note(&format!("note: {counted}"));
            }
            Ok(foreseen)
        }
    }
}

/// Records with the names of their files, and schedules that were seen first.
type Kept = (Vec<(String, Stored)>, Vec<Seen>);

fn kept(folder: &Folder) -> Result<Kept, Error> {
    let read = keep::records(folder).and_then(|kept| Ok((kept, keep::seen(folder)?)));
    read.map_err(|error| Error::Refused {
        message: format!("the spool `{}` cannot be read: {error}", folder.path().display()),
        help: "what is in it has run and is not in the run-log yet: make it readable, or move it away".into(),
    })
}

/// The runs that the records are about.
async fn runs(run_log: &Arc<dyn RunLog>, kept: &[(String, Stored)]) -> Result<BTreeSet<Run>, Error> {
    let mut runs = BTreeSet::new();
    for (_, stored) in kept {
        match stored {
            Stored::Attempt { spooled, .. } => drop(runs.insert(spooled.attempt.run.clone())),
            Stored::End { completion, .. } => {
                let query = Query { token: Some(completion.token), limit: 1, ..Query::default() };
                runs.extend(attempts(run_log, query).await?.into_iter().map(|attempt| attempt.run));
            }
        }
    }
    Ok(runs)
}

async fn of_run(run_log: &Arc<dyn RunLog>, run: &Run) -> Result<Vec<Attempt>, Error> {
    attempts(run_log, Query { run: Some(run.clone()), attempts_only: true, limit: MOST, ..Query::default() }).await
}

async fn attempts(run_log: &Arc<dyn RunLog>, query: Query) -> Result<Vec<Attempt>, Error> {
    let records = run_log.history(query).await?.into_iter();
    let attempts = records.filter_map(|record| match record {
        Record::Attempt(attempt) => Some(*attempt),
        Record::NotRun(_) => None,
    });
    Ok(attempts.collect())
}
