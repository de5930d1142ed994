//! Clears away the start marks and lock files that killed ticks have left.
//!
//! A tick that is killed between recording an end and removing its start mark leaves the mark for good: nobody takes over
//! what has ended. So a tick that has worked looks at what lies in the folder.
//!
//! Holds always: a mark goes only where its attempt has ended and all who could still start it are gone, or where it is very
//! old and the run-log has no such attempt (any more); a lock file goes only where nobody holds it. However many marks stay,
//! each is looked at in the end.

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
    let mut files = env.host.mark_files(&folder);
    if let beyond @ 1.. = files.len().saturating_sub(AT_ONCE) {
        // Those that have to stay must not keep the others from being looked at.
        let first = env.host.mint() % (beyond as u128 + 1);
        files.rotate_left(usize::try_from(first).unwrap_or(0));
    }
    for file in files.into_iter().take(AT_ONCE) {
        match file {
            // It is removed by being looked at.
            MarkFile::OldHold(path) => drop(env.host.is_held(&path)),
            MarkFile::Start(token, path) => {
                let query = Query { token: Some(token), limit: 1, ..Query::default() };
                let Ok(found) = env.in_time(env.run_log.history(query)).await else { return };
                let is_over = match found.first() {
                    Some(Record::Attempt(attempt)) => {
                        !attempt.is_active()
                            && env.host.is_gone(&attempt.owner)
                            && !env.host.is_held(&held_file(&folder, &attempt.owner))
                    }
                    _ => env.host.is_very_old(&path),
                };
                if is_over {
                    env.host.remove_mark(&path);
                    failpoint::reached(Point::MarkSwept);
                }
            }
        }
    }
}
