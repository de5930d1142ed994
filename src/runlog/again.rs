//! Whether a run may be tried again, by what all its attempts have come to.
//!
//! More attempts of a run than one are under way where one that was given up for lost goes on, and where hosts went on without
//! the run-log. So one of them may have succeeded when another fails, or succeed when the retry after another is pending.
//!
//! Holds always: no retry is pending of a run of which an attempt has succeeded, but one that a person asked for.

use crate::plan::Folded;
use crate::run::{Attempt, Outcome};

/// Whether the other attempts of its run matter to an attempt that has just ended so, or theirs to it.
pub fn concerns_others(attempt: &Attempt, folded: Folded) -> bool {
    let may_have_others = attempt.number > 1 || attempt.degraded || folded == Folded::Late;
    folded != Folded::Already && (attempt.retry_at.is_some() || may_have_others && has_succeeded(attempt))
}

/// Gives up the retry of `attempt`, which has just ended, where another one of `all` attempts of its run has succeeded.
/// Returns those whose retry is given up because it has succeeded itself.
pub fn give_up(attempt: &mut Attempt, all: &[Attempt]) -> Vec<Attempt> {
    let others = || all.iter().filter(|other| other.token != attempt.token);
    if has_succeeded(attempt) {
        let pending = others().filter(|other| other.retry_at.is_some() && !other.by_hand);
        return pending.map(|other| Attempt { retry_at: None, ..other.clone() }).collect();
    }
    if !attempt.by_hand && others().any(has_succeeded) {
        attempt.retry_at = None;
    }
    Vec::new()
}

/// Whether it has succeeded, if only after it had been declared lost.
pub fn has_succeeded(attempt: &Attempt) -> bool {
    [attempt.outcome(), attempt.late_outcome].into_iter().flatten().any(Outcome::is_success)
}
