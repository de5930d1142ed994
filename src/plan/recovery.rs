//! Decides what becomes of an attempt whose worker cannot report any more.
//!
//! Holds always: `released` only where the attempt can never start any more; in every doubt it is `lost`.

use jiff::Timestamp;

use crate::run::{Attempt, Completion, Outcome};

/// What is known about an attempt that somebody else has claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The claiming process is provably gone.
    OwnerGone,
    /// The lease is over by the store's clock.
    LeaseOver,
}

/// The end to record for `attempt`; `never_starts` means its start mark was created by us, so that no start can follow.
pub fn take_over(attempt: &Attempt, evidence: Evidence, never_starts: bool, now: Timestamp) -> Completion {
    let outcome = if never_starts { Outcome::Released } else { Outcome::Lost };
    let why = match evidence {
        Evidence::OwnerGone => "the process that ran it is gone",
        Evidence::LeaseOver => "its lease was over",
    };
    let pid = attempt.owner.pid;
    let host = &attempt.owner.host;
    let error = Some(format!("{why} (process {pid} on {host})"));
    Completion { error, ..Completion::bare(attempt.token, outcome, now) }
}
