//! How a call becomes a transaction: what is read, what is made of it, and what happens where others are in the way.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::super::Error;
use super::super::contract::{Batch, Committed, Pruned, Pruning, Retention};
use super::super::memory::Post;
use super::decode::{self, Unreadable};
use super::dialect::Dialect;
use super::line::{Answers, Failure, Line};
use super::pruning::{self, Goes, Stays};
use super::reading::last;
use super::slice::{Slice, Wanted};
use super::{SqlRunLog, failed, outbox, renaming};
use crate::occurrence::PipelineId;

/// How often a row is asked for again that somebody else holds.
const ASKED_AGAIN: u32 = 6;

/// How often what may have been removed is asked for, after its answer was lost.
const ASKED_FOR: u32 = 3;

/// How often a transaction is done again that the server has undone because of another one.
pub const TRIES: u32 = 10;

impl SqlRunLog {
    /// Its SQL.
    pub fn dialect(&self) -> &dyn Dialect {
        &*self.backend.dialect
    }

    /// The time of a clock that somebody has set, which is gone by instead of the server's.
    pub fn own_time(&self) -> Option<Timestamp> {
        self.clock.is_set().then(|| self.clock.now())
    }

    /// What it means that a value cannot be read.
    pub fn unreadable(&self, source: Unreadable) -> Error {
        let message = format!("the run-log `{}` holds what this program cannot read", self.backend.shown);
        Error::Unavailable { message, source: Some(Box::new(source)) }
    }

    /// Runs statements that are a transaction of their own.
    ///
    /// # Errors
    /// As `failed` says.
    pub async fn whole(&self, statements: Vec<String>) -> Result<Answers, Error> {
        whole(&self.line, statements).await.map_err(|failure| failed(&self.backend, failure))
    }

    /// Runs `reads`, which begin a transaction and lock what they find, then `more`; commits what `decide` makes of the
    /// answers to both.
    async fn transact<T>(
        &self,
        reads: Vec<String>,
        more: Vec<String>,
        mut decide: impl FnMut(Answers, Answers) -> Result<(T, Vec<String>), Unreadable> + Send,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            match self.try_once(reads.clone(), more.clone(), &mut decide).await {
                Err(Failed::Server(Failure::Again(_))) if tries < TRIES => pause(&mut tries).await,
                Err(Failed::Server(failure)) => return Err(failed(&self.backend, failure)),
                Err(Failed::Reading(error)) => return Err(self.unreadable(error)),
                Ok(result) => return Ok(result),
            }
        }
    }

    async fn try_once<T>(
        &self,
        reads: Vec<String>,
        more: Vec<String>,
        decide: &mut (impl FnMut(Answers, Answers) -> Result<(T, Vec<String>), Unreadable> + Send),
    ) -> Result<T, Failed> {
        let (mut open, read) = self.line.begin(reads).await.map_err(before_commit)?;
        let more = match more.is_empty() {
            true => Vec::new(),
            false => open.more(more).await.map_err(before_commit)?,
        };
        let (result, mut writes) = decide(read, more).map_err(Failed::Reading)?;
        let is_idle = writes.is_empty();
        writes.push(if is_idle { "ROLLBACK" } else { "COMMIT" }.into());
        open.end(writes).await.map_err(if is_idle { before_commit } else { Failed::Server })?;
        Ok(result)
    }

    /// Reads and locks what is wanted, and commits what `decide` makes of it.
    pub async fn change<T>(&self, wanted: &Wanted, mut decide: impl FnMut(&mut Slice) -> T + Send) -> Result<T, Error> {
        let reads = wanted.statements(self.dialect());
        self.transact(reads, Vec::new(), |read, _| {
            let mut slice = Slice::read(read, self.own_time())?;
            let result = decide(&mut slice);
            Ok((result, slice.changes(self.dialect())))
        })
        .await
    }

    /// Commits a part of a batch. What somebody else holds just then is asked for again: he may come to nothing, and then it
    /// is nobody's. Who holds it for long is taken to have it.
    ///
    /// # Errors
    /// As `failed` says; `Unknown` also where the first try was applied and a further one failed.
    pub async fn commit_part(&self, part: Batch) -> Result<Committed, Error> {
        let once = async |part: &Batch| {
            let decide = |slice: &mut Slice| (slice.commit(part.clone()), slice.held_by_others(&part.transitions));
            self.change(&Wanted::by_commit(part), decide).await
        };
        let (mut committed, mut held) = once(&part).await?;
        let mut tries = 0;
        while !held.is_empty() && tries < ASKED_AGAIN {
            pause(&mut tries).await;
            let transitions = held.iter().map(|at| part.transitions[*at].clone()).collect();
            let (again, still) = match once(&Batch { ends: Vec::new(), transitions }).await {
                Err(Error::Unavailable { message, source }) => return Err(Error::Unknown { message, source }),
                done => done?,
            };
            for (at, verdict) in held.iter().zip(again.verdicts) {
                committed.verdicts[*at] = verdict;
            }
            held = still.into_iter().map(|at| held[at]).collect();
        }
        Ok(committed)
    }

    /// Reads what waits in the outbox, keeping others from it where it `locks`, and commits what `change` makes of it.
    pub async fn change_outbox<T>(
        &self,
        locks: bool,
        mut change: impl FnMut(&mut Post, Timestamp) -> T + Send,
    ) -> Result<T, Error> {
        let mut reads = self.dialect().begin_writing();
        reads.extend([outbox::waiting(self.dialect(), locks), format!("SELECT {}", self.dialect().now())]);
        self.transact(reads, Vec::new(), |read, _| {
            let [waiting, now] = last(read);
            let now = self.own_time().map_or_else(|| decode::instant(now), Ok)?;
            let mut post = Post::default();
            for cells in waiting {
                let (entry, since, is_dead) = decode::waiting(cells)?;
                post.load(entry, since, is_dead);
            }
            let before = post.look();
            let result = change(&mut post, now);
            Ok((result, outbox::changes(self.dialect(), &before, &post.look(), now, &[])))
        })
        .await
    }

    /// Removes or counts what goes of one pipeline, at most `limit` rows.
    pub async fn prune_one(
        &self,
        id: &PipelineId,
        retention: &Retention,
        limit: usize,
        how: Pruning,
    ) -> Result<Pruned, Error> {
        let dialect = self.dialect();
        let unreadable = |error| self.unreadable(error);
        let answers = self.whole(pruning::look(dialect, id, retention)).await?;
        let Some(stays) = pruning::stays(answers, retention, self.own_time()).map_err(unreadable)? else {
            return Ok(Pruned::default());
        };
        let answers = self.whole(pruning::find(dialect, id, retention, &stays, limit)).await?;
        let goes = pruning::goes(answers, retention, &stays, limit).map_err(unreadable)?;
        let pruned = goes.pruned();
        if how == Pruning::Count || pruned.attempts + pruned.not_run == 0 {
            return Ok(pruned);
        }
        let mut removed = self.remove(id, &goes, &stays, false).await;
        let mut tries = 0;
        while tries < ASKED_FOR {
            let unanswered = match removed {
                Err(error @ Error::Unknown { .. }) => error,
                done => return done,
            };
            pause(&mut tries).await;
            removed = match self.remove(id, &goes, &stays, true).await {
                Err(Error::Unavailable { .. }) => Err(unanswered),
                done => done,
            };
        }
        removed
    }

    /// Removes what goes of a pipeline, if its row has not changed since. `again` says that an answer to this was lost: what is
    /// gone by now counts as removed.
    async fn remove(&self, id: &PipelineId, goes: &Goes, stays: &Stays, again: bool) -> Result<Pruned, Error> {
        let wanted = Wanted { rows: BTreeSet::from([id.clone()]), ..Wanted::default() };
        let left = if again { goes.left(self.dialect()) } else { Vec::new() };
        self.transact(wanted.statements(self.dialect()), left, |read, left| {
            let slice = Slice::read(read, self.own_time())?;
            Ok(match slice.row(id).is_some_and(|row| row.version == stays.version) {
                true => (goes.pruned(), goes.removal(self.dialect())),
                false if again => (goes.gone(&left), Vec::new()),
                false => (Pruned { more: true, ..Pruned::default() }, Vec::new()),
            })
        })
        .await
    }

    /// Locks the rows of `ids`, counts what is known of each, and commits what `decide` says.
    pub async fn rewrite<T>(
        &self,
        ids: &[&PipelineId],
        mut decide: impl FnMut(&Slice, &[renaming::Known]) -> (T, Vec<String>) + Send,
    ) -> Result<T, Error> {
        let wanted = Wanted { rows: ids.iter().map(|id| (*id).clone()).collect(), ..Wanted::default() };
        self.transact(wanted.statements(self.dialect()), renaming::count(self.dialect(), ids), |read, counts| {
            let slice = Slice::read(read, self.own_time())?;
            Ok(decide(&slice, &renaming::counted(&counts)))
        })
        .await
    }
}

/// Runs statements that are a transaction of their own, again where others were in the way.
pub async fn whole(line: &Line, statements: Vec<String>) -> Result<Answers, Failure> {
    let mut tries = 0;
    loop {
        match line.whole(statements.clone()).await {
            Err(Failure::Again(_)) if tries < TRIES => pause(&mut tries).await,
            done => return done,
        }
    }
}

enum Failed {
    Server(Failure),
    Reading(Unreadable),
}

/// Before the commit is sent, a lost connection has changed nothing.
fn before_commit(failure: Failure) -> Failed {
    Failed::Server(match failure {
        Failure::Unanswered(why) => Failure::Unreachable(why),
        failure => failure,
    })
}

/// Waits a little longer each time, and not as long as the others.
async fn pause(tries: &mut u32) {
    *tries += 1;
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    let most = 10_u64 << (*tries).min(6);
    tokio::time::sleep(Duration::from_millis(1 + u64::from(u16::from_le_bytes(bytes)) % most)).await;
}
