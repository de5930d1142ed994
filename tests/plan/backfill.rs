//! What is decided about one occurrence of a span that a person wants done.

use std::time::Duration;

use tickward::pipeline::Pipeline;
use tickward::plan::{Backfill, Busy, Decision, Draft, Situation, backfill};
use tickward::run::{Attempt, Outcome, Row, Trigger};

use crate::story::{Story, at, pipeline, run_of};

const RETRIED: &str =
    "schedule: '@daily'; retry: { max_attempts: 2, delay: 10m, jitter: 0% }; overlap: { policy: allow, max: 5 }";

/// The attempts of the run of midnight, after its first one has ended so, and what others are open.
fn story(pipeline: &Pipeline, ends: &[Outcome], others: usize) -> Story {
    let mut story = Story::new(pipeline);
    story.tick(pipeline, at("00:00"));
    let claimed = story.attempts[0].clone();
    for outcome in ends {
        story.end_of(0, *outcome, false, at("00:05"));
    }
    for hour in 1..=others {
        let mut other = claimed.clone();
        other.run.scheduled_for = at(&format!("0{hour}:00"));
        story.attempts.push(other);
    }
    story
}

fn decided(story: &Story, pipeline: &Pipeline, now: &str, at_once: usize, again: bool) -> Backfill {
    let of_run: Vec<Attempt> =
        story.attempts.iter().filter(|attempt| attempt.run.scheduled_for == at("00:00")).cloned().collect();
    let open: Vec<&Attempt> = story.attempts.iter().filter(|attempt| attempt.is_open()).collect();
    let situation = Situation {
        pipeline,
        row: &story.row,
        open: &open,
        decided: &[],
        upstreams: &[],
        now: at(now),
        interval: Duration::from_secs(60),
    };
    backfill(&situation, at("00:00"), &of_run, at_once, again)
}

fn claim(row: &Row, draft: Draft) -> Backfill {
    Backfill::Claim(Box::new(Decision {
        row: row.clone(),
        changed: true,
        claim: Some(draft),
        closed: Vec::new(),
        not_run: Vec::new(),
        stops: Vec::new(),
        waiting: None,
        wake_at: None,
        more_is_due: false,
        notes: Vec::new(),
        alerts: Vec::new(),
    }))
}

/// An attempt that a person asks for anew.
fn anew(pipeline: &Pipeline, number: u32, earlier_starts: u32) -> Draft {
    Draft {
        run: run_of(pipeline, at("00:00")),
        number,
        tries: 1,
        earlier_starts,
        interruptions: 0,
        trigger: Trigger::Backfill,
        by_hand: true,
        follows: None,
    }
}

#[test]
fn what_was_never_tried_is_claimed() {
    let pipeline = pipeline(RETRIED);
    let story = Story::new(&pipeline);
    assert_eq!(decided(&story, &pipeline, "00:06", 1, false), claim(&story.row, anew(&pipeline, 1, 0)));
}

#[test]
fn what_was_done_is_left_unless_it_is_wanted_again() {
    use Outcome::{Cancelled, Failed, Lost, Partial, Succeeded};
    let pipeline = pipeline("schedule: '@daily'");
    // How the attempt ended, and what came late → whether that is done.
    for (ends, is_done) in [
        (&[Succeeded][..], true),
        (&[Partial], true),
        (&[Lost, Succeeded], true),
        (&[Failed], false),
        (&[Cancelled], false),
        (&[Lost], false),
        (&[Lost, Failed], false),
    ] {
        let story = story(&pipeline, ends, 0);
        let anew = claim(&story.row, anew(&pipeline, 2, 1));
        let wanted = if is_done { &Backfill::Done } else { &anew };
        assert_eq!(&decided(&story, &pipeline, "00:06", 1, false), wanted, "{ends:?}");
        assert_eq!(decided(&story, &pipeline, "00:06", 1, true), anew, "{ends:?}");
    }
}

#[test]
fn what_runs_is_left_alone() {
    let pipeline = pipeline(RETRIED);
    for again in [false, true] {
        assert_eq!(decided(&story(&pipeline, &[], 0), &pipeline, "00:06", 1, again), Backfill::Active);
    }
}

#[test]
fn a_pending_retry_is_waited_for_and_made() {
    let pipeline = pipeline(RETRIED);
    let story = story(&pipeline, &[Outcome::Failed], 0);
    let follows = Some(story.attempts[0].token);
    let retry = Draft { tries: 2, trigger: Trigger::Retry, by_hand: false, follows, ..anew(&pipeline, 2, 1) };
    for (now, wanted) in [
        ("00:14:59", Backfill::Later(at("00:15"))),
        ("00:15", claim(&story.row, retry.clone())),
        ("00:16", claim(&story.row, retry)),
    ] {
        assert_eq!(decided(&story, &pipeline, now, 1, false), wanted, "{now}");
    }
}

#[test]
fn no_more_run_at_once_than_was_asked_for() {
    let pipeline = pipeline(RETRIED);
    // How many others are active, how many may be → which of them is waited for.
    for row @ (others, at_once, busy) in [
        (1, 0, Some("01:00")),
        (1, 1, Some("01:00")),
        (1, 2, None),
        (2, 2, Some("02:00")),
        (3, 2, Some("02:00")),
        (2, 3, None),
    ] {
        let story = story(&pipeline, &[Outcome::Cancelled], others);
        let wanted = match busy {
            Some(instant) => Backfill::Busy(Busy(run_of(&pipeline, at(instant)))),
            None => claim(&story.row, anew(&pipeline, 2, 1)),
        };
        assert_eq!(decided(&story, &pipeline, "00:06", at_once, false), wanted, "{row:?}");
    }
}
