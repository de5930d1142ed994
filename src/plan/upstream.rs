//! Decides whether what a pipeline depends on has succeeded.
//!
//! With a schedule of its own, an occurrence wants of each upstream that its latest occurrence at or before it succeeded, or
//! a later one. Without one, the pipeline falls due when every upstream has succeeded since the occurrence it followed last.
//!
//! Holds always: a success only ever makes more true, so that what was read a moment ago still holds at the commit.

use jiff::{SignedDuration, Timestamp};

use super::due::Due;
use super::{Situation, UpstreamSight};
use crate::occurrence::PipelineId;
use crate::run::{Done, Row};

/// The first upstream that the occurrence of `scheduled_for` waits for.
pub fn unmet<'a>(situation: &Situation<'a>, scheduled_for: Timestamp) -> Option<&'a PipelineId> {
    // Without a schedule it is due only once they have all succeeded.
    situation.pipeline.schedule.as_ref()?;
    let unmet = situation.upstreams.iter().find(|sight| !is_met(sight, situation, scheduled_for))?;
    Some(&unmet.upstream.pipeline)
}

fn is_met(sight: &UpstreamSight<'_>, situation: &Situation<'_>, scheduled_for: Timestamp) -> bool {
    let Some(done) = newest(sight) else { return false };
    let max_age = sight.upstream.max_age.and_then(|age| SignedDuration::try_from(age).ok());
    if max_age.is_some_and(|age| situation.now.duration_since(done.ended_at) <= age) {
        return true;
    }
    let theirs = sight.pipeline.and_then(|pipeline| pipeline.schedule.as_ref());
    match theirs.and_then(|schedule| schedule.previous_at_or_before(scheduled_for)) {
        Some(wanted) => done.scheduled_for >= wanted,
        // It has no occurrences: a run of it since our own last occurrence counts.
        None => {
            let just_before = scheduled_for.checked_sub(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN);
            let ours = situation.pipeline.schedule.as_ref().and_then(|own| own.previous_at_or_before(just_before));
            ours.is_none_or(|ours| done.scheduled_for > ours)
        }
    }
}

/// The newest occurrence of an upstream that counts.
fn newest(sight: &UpstreamSight<'_>) -> Option<Done> {
    let standing = &sight.row?.standing;
    let partial = standing.partial.filter(|_| sight.upstream.accepts_partial);
    [standing.succeeded, partial].into_iter().flatten().max_by_key(|done| done.scheduled_for)
}

/// The occurrence of a pipeline without a schedule, if it is due: the latest of its upstreams'.
pub fn due(situation: &Situation<'_>, row: &Row) -> Due {
    let is_new = |sight: &UpstreamSight<'_>| {
        let done = newest(sight)?;
        let followed = row.standing.followed.get(&sight.upstream.pipeline.to_string());
        followed.is_none_or(|followed| done.scheduled_for.as_microsecond() > *followed).then_some(done.scheduled_for)
    };
    let each: Option<Vec<Timestamp>> = situation.upstreams.iter().map(is_new).collect();
    Due { newest: each.and_then(|each| each.into_iter().max()).into_iter().collect(), older: None }
}

/// Notes which occurrences have been followed by now.
pub fn follow(situation: &Situation<'_>, row: &mut Row) {
    follow_those(situation, row, |_| true);
}

/// The same for those that ended at or before `until`: they are the past of a pipeline that is new.
pub fn follow_until(situation: &Situation<'_>, row: &mut Row, until: Timestamp) {
    follow_those(situation, row, |done| done.ended_at <= until);
}

fn follow_those(situation: &Situation<'_>, row: &mut Row, counts: impl Fn(&Done) -> bool) {
    for sight in situation.upstreams {
        if let Some(done) = newest(sight).filter(&counts) {
            let name = sight.upstream.pipeline.to_string();
            row.standing.followed.insert(name, done.scheduled_for.as_microsecond());
        }
    }
}
