//! The run-log on a server: one core for all of them, a dialect and a connection for each.
//!
//! Every call is one transaction. What changes by the rules of the contract is read under the locks of the pipelines' rows
//! (one round trip), decided by the reference (`memory::Tables`) and written (another one); all else is one round trip.
//! Who claims leaves out what others hold just then; who reports waits for it.
//!
//! Holds always: the server's time is asked for after the locks are held; nothing is applied unless the commit of its
//! transaction was sent; where its answer is lost, that is said (`Unknown`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::contract::{
    Adopted, Batch, Committed, Facts, Forgotten, Imported, Item, Mark, Outbox, Pruned, Pruning, Query, Record, Renewed,
    Retention, RunLog, Scope, Settled, Spooled, Verdict, View, Waiting,
};
use super::facts::Migration;
use super::memory::MemoryRunLog;
use super::{Error, OpenOptions};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::lease::Lease;
use crate::occurrence::{PipelineId, Token};
use crate::run::Row;

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub mod address;
pub mod columns;
mod copying;
mod decode;
pub mod dialect;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub mod driver;
mod encode;
mod facts;
pub mod line;
mod migrate;
mod outbox;
mod parts;
pub mod peer;
mod pruning;
mod reading;
mod renaming;
mod slice;
mod transaction;

use dialect::Dialect;
use line::{Failure, Line, Server};
use reading::last;
use slice::Wanted;

/// One kind of server at one address.
pub struct Backend {
    /// Its SQL.
    pub dialect: Box<dyn Dialect>,
    /// How to reach it.
    pub server: Arc<dyn Server>,
    /// Its migrations, oldest first.
    pub migrations: &'static [Migration],
    /// Its address, as messages name it: without secrets.
    pub shown: String,
    /// It may create and change its tables.
    pub creates_tables: bool,
    /// Where start marks lie, for one that lives on this host's disk.
    pub start_marks: Option<PathBuf>,
}

/// A run-log on a server.
pub struct SqlRunLog {
    backend: Backend,
    line: Line,
    clock: Arc<dyn Clock>,
    /// The form in which the tables were found.
    found: usize,
}

/// Opens the run-log of `backend`.
///
/// # Errors
/// `Refused` and `Address` for one that must not be used; `Unavailable` for one that cannot be reached.
pub fn open(backend: Backend, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    let line = connected(&backend)?;
    Ok(match apart(&backend, migrate::open(&line, &backend, &options))? {
        migrate::Opened::Ready { found } => Arc::new(SqlRunLog { backend, line, clock: options.clock, found }),
        migrate::Opened::Nothing => Arc::new(MemoryRunLog::new(options.clock)),
    })
}

fn connected(backend: &Backend) -> Result<Line, Error> {
    Line::to(backend.server.clone()).map_err(|error| cannot_be_opened(backend, error))
}

fn cannot_be_opened(backend: &Backend, error: std::io::Error) -> Error {
    Error::Unavailable {
        message: format!("the run-log `{}` cannot be opened", backend.shown),
        source: Some(Box::new(error)),
    }
}

/// Waits for `work` on a thread of its own: the caller's may have an event loop already.
fn apart<T: Send>(backend: &Backend, work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.map_err(|error| cannot_be_opened(backend, error))?.block_on(work)
    };
    let done = std::thread::scope(|scope| scope.spawn(wait).join());
    let gone = |_| Err(Error::Unavailable { message: "the thread of the connection has ended".into(), source: None });
    done.unwrap_or_else(gone)
}

/// What a failure means for the caller.
fn failed(backend: &Backend, failure: Failure) -> Error {
    let shown = &backend.shown;
    match failure {
        Failure::Refused { message, help } => {
            Error::Refused { message: format!("the run-log `{shown}` {message}"), help }
        }
        Failure::NoTables => {
            Error::Unavailable { message: format!("the run-log `{shown}` has no tables"), source: None }
        }
        Failure::Unreachable(why) => {
            Error::Unavailable { message: format!("the run-log `{shown}` cannot be reached: {why}"), source: None }
        }
        Failure::Again(why) => Error::Unavailable {
            message: format!(
                "the run-log `{shown}` undid each of {} tries because of others: {why}",
                transaction::TRIES
            ),
            source: None,
        },
        Failure::Unfit(why) => Error::Unavailable { message: format!("the run-log `{shown}` {why}"), source: None },
        Failure::Failed(why) => {
            Error::Unavailable { message: format!("the run-log `{shown}` failed: {why}"), source: None }
        }
        Failure::Unanswered(why) => {
            Error::Unknown { message: format!("the run-log `{shown}` did not answer: {why}"), source: None }
        }
    }
}

#[async_trait]
impl RunLog for SqlRunLog {
    async fn load(&self, scope: Scope) -> Result<View, Error> {
        let ids = match &scope {
            Scope::All => None,
            Scope::Only(ids) => Some(ids.as_slice()),
        };
        let answers = self.whole(reading::load(self.dialect(), ids)).await?;
        let mut view = reading::view(answers, self.own_time()).map_err(|error| self.unreadable(error))?;
        if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
            let answers = self.whole(reading::load_decided(self.dialect(), ids, &view)).await?;
            view.decided = reading::decided(answers).map_err(|error| self.unreadable(error))?;
        }
        Ok(view)
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let mut all = Committed::default();
        for part in parts::of(batch) {
            let committed = match self.commit_part(part).await {
                Err(Error::Unavailable { message, source }) if all.now.is_some() => {
                    return Err(Error::Unknown { message, source });
                }
                done => done?,
            };
            all.now = committed.now;
            all.ends.extend(committed.ends);
            all.verdicts.extend(committed.verdicts);
        }
        Ok(all)
    }

    async fn renew(&self, tokens: Vec<Token>, lease: Lease) -> Result<Vec<Renewed>, Error> {
        let held: BTreeSet<Token> = tokens.into_iter().collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.whole(reading::renew(self.dialect(), &held, lease)).await?;
        let [renewed, _] = last(answers);
        renewed.into_iter().map(|cells| decode::renewed(cells).map_err(|error| self.unreadable(error))).collect()
    }

    async fn import(&self, records: Vec<Spooled>) -> Result<Vec<Imported>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = Wanted::by_import(&records);
        self.change(&wanted, |slice| slice.import(&records)).await
    }

    async fn history(&self, query: Query) -> Result<Vec<Record>, Error> {
        let answers = self.whole(reading::load_history(self.dialect(), &query)).await?;
        reading::history(answers, &query).map_err(|error| self.unreadable(error))
    }

    async fn forget(&self, id: PipelineId) -> Result<Forgotten, Error> {
        self.rewrite(&[&id], |slice, known| {
            let [known] = known else { return (Forgotten::Unknown, Vec::new()) };
            let records = known.attempts + known.not_run;
            match slice.row(&id) {
                Some(_) if known.active > 0 => (Forgotten::Active, Vec::new()),
                Some(row) if records > 0 || !row.is_guard() => {
                    (Forgotten::Done { records }, renaming::forget(self.dialect(), &row.forgotten()))
                }
                _ => (Forgotten::Unknown, Vec::new()),
            }
        })
        .await
    }

    async fn rename(&self, from: PipelineId, to: PipelineId) -> Result<Verdict, Error> {
        if from == to {
            return Ok(Verdict::Lost);
        }
        self.rewrite(&[&from, &to], |slice, known| {
            let ([of_old, of_new], Some(old)) = (known, slice.row(&from)) else { return (Verdict::Lost, Vec::new()) };
            let new = slice.row(&to).cloned().unwrap_or_else(|| Row::absent(to.clone()));
            let may_move = old.may_move() || of_old.attempts > 0;
            if !may_move || !new.gives_way() || of_new.attempts > 0 {
                return (Verdict::Lost, Vec::new());
            }
            let (moved, left) = old.moved(&new, slice.now);
            (Verdict::Won, renaming::rename(self.dialect(), &moved, &left))
        })
        .await
    }

    async fn take_alerts(&self, limit: usize, lease: Duration) -> Result<Vec<Waiting>, Error> {
        self.change_outbox(true, |post, now| post.take(limit, lease, now)).await
    }

    async fn settle_alerts(&self, settled: Vec<Settled>) -> Result<(), Error> {
        self.change_outbox(true, |post, _| post.settle(settled.clone())).await
    }

    async fn post_alerts(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        self.change_outbox(false, |post, now| post.put(alerts.clone(), now)).await
    }

    async fn outbox(&self) -> Result<Outbox, Error> {
        let answers = self.whole(outbox::all(self.dialect())).await?;
        let [entries, dead_ever, _] = last(answers);
        let mut all = Outbox::default();
        for cells in entries {
            let (entry, _, is_dead) = decode::waiting(cells).map_err(|error| self.unreadable(error))?;
            if is_dead { all.dead.push(entry) } else { all.waiting.push(entry) }
        }
        let count = dead_ever.into_iter().next().and_then(|cells| cells.into_iter().next()?);
        all.dead_ever = count.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
        Ok(all)
    }

    async fn facts(&self) -> Result<Facts, Error> {
        let answers = self.whole(facts::ask(self.dialect())).await?;
        let facts = facts::read(answers, self.found).map_err(|error| self.unreadable(error))?;
        Ok(Facts { clock: facts.clock.filter(|_| self.dialect().has_own_clock()), ..facts })
    }

    async fn export(&self, after: Option<Mark>, limit: usize) -> Result<Vec<Item>, Error> {
        let answers = self.whole(copying::export(self.dialect(), after.as_ref(), limit)).await?;
        copying::items(answers, limit).map_err(|error| self.unreadable(error))
    }

    async fn adopt(&self, items: Vec<Item>) -> Result<Adopted, Error> {
        let wanted = Wanted::by_adoption(&items);
        self.change(&wanted, |slice| slice.adopt(items.clone())).await
    }

    async fn prune(&self, scope: Scope, retention: Retention, limit: usize, how: Pruning) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let ids: BTreeSet<PipelineId> = match scope {
            Scope::Only(ids) => ids.into_iter().collect(),
            Scope::All => self.load(Scope::All).await?.rows.into_keys().collect(),
        };
        for id in ids {
            let left = limit.saturating_sub((pruned.attempts + pruned.not_run) as usize);
            let one = match self.prune_one(&id, &retention, left, how).await {
                Err(Error::Unavailable { message, source })
                    if how == Pruning::Remove && pruned.attempts + pruned.not_run > 0 =>
                {
                    return Err(Error::Unknown { message, source });
                }
                one => one?,
            };
            pruned.attempts += one.attempts;
            pruned.not_run += one.not_run;
            pruned.more |= one.more;
            if pruned.more {
                break;
            }
        }
        Ok(pruned)
    }

    fn start_marks(&self) -> Option<PathBuf> {
        self.backend.start_marks.clone()
    }

    fn is_degraded(&self) -> bool {
        false
    }
}
