//! Clears away the start marks and lock files that killed ticks have left.
//!
//! A tick that is killed between recording an end and removing its start mark leaves the mark for good: nobody takes over
//! what has ended. So a tick that has worked looks at what lies in the folder.
//!
//! Holds always: a mark goes only where its attempt has ended and all who could still start it are gone; a lock file goes
//! only where nobody holds it.

use std::path::PathBuf;

use super::env::{Env, held_file};
use crate::failpoint::{self, Point};
use crate::occurrence::Token;
use crate::runlog::contract::{Query, Record};

/// At most so many marks are asked about by one tick.
const AT_ONCE: usize = 100;

/// A file in the folder of start marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkFile {
    /// The start mark of the attempt with this token.
    Start(Token, PathBuf),
    /// A lock file that was made long ago.
    OldHold(PathBuf),
}

/// Removes what nobody needs any more. What cannot be asked or removed stays for another tick.
pub async fn sweep(env: &Env) {
    let Some(folder) = env.run_log.start_marks() else { return };
    failpoint::reached(Point::SweepBegun);
    for file in env.host.mark_files(&folder).into_iter().take(AT_ONCE) {
        match file {
            // It is removed by being looked at.
            MarkFile::OldHold(path) => drop(env.host.is_held(&path)),
            MarkFile::Start(token, path) => {
                let query = Query { token: Some(token), limit: 1, ..Query::default() };
                let Ok(found) = env.in_time(env.run_log.history(query)).await else { return };
                if let Some(Record::Attempt(attempt)) = found.first()
                    && !attempt.is_active()
                    && env.host.is_gone(&attempt.owner)
                    && !env.host.is_held(&held_file(&folder, &attempt.owner))
                {
                    env.host.remove_mark(&path);
                    failpoint::reached(Point::MarkSwept);
                }
            }
        }
    }
}
