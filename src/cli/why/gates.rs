//! The gates between an occurrence and its run, in the order in which they are passed, each with the fact it rests on.

use jiff::Timestamp;

use super::super::history::state_word;
use super::super::pause;
use super::super::{list, print};
use super::Question;
use super::answer::is_gone;
use crate::pipeline::{CatchUp, Overlap, Pipeline, Upstream};
use crate::plan::{WaitsFor, constant_delay};
use crate::run::Row;
use crate::tick::{rfc3339, would_decide};

/// One gate.
pub struct Gate {
    /// The key of the configuration that it comes from, or a word.
    pub name: &'static str,
    /// It is the one that the answer names, or it holds back by itself.
    pub stops: bool,
    /// What there is to know.
    pub fact: String,
}

impl Gate {
    /// `stops` or `passed`.
    pub fn verdict(&self) -> &'static str {
        if self.stops { "stops" } else { "passed" }
    }
}

/// All gates; `stops` is the name of the one that the answer names.
pub fn of(question: &Question<'_>, stops: Option<&'static str>) -> Vec<Gate> {
    let mut gates = vec![("configured", configured(question)), ("schedule", schedule(question))];
    let absent;
    let row = match question.view.rows.get(question.id) {
        Some(row) => row,
        None => {
            absent = Row::absent(question.id.clone());
            &absent
        }
    };
    gates.push(("first sight", first_sight(row)));
    gates.push((
        "cursor",
        row.cursor.map_or("nothing is decided yet".into(), |at| format!("decided up to {}", rfc3339(at))),
    ));
    gates.push(("history", recorded(question)));
    let standing = &row.standing;
    let paused = standing.paused.as_ref();
    gates.push((
        "paused",
        paused.map_or("no".into(), |paused| format!("since {},{}", rfc3339(paused.since), pause::in_words(paused))),
    ));
    let held = standing.held.as_ref();
    let in_words = |held: &crate::run::Held| {
        format!("since {}: the run of {} gave up", rfc3339(held.since), rfc3339(held.scheduled_for))
    };
    gates.push(("held", held.map_or("no".into(), in_words)));
    gates.push(("skipped", instants(&standing.skips)));
    if let Some(pipeline) = question.pipeline {
        gates.extend(policies(question, pipeline, row));
    }
    let of_answer = |(name, fact)| Gate { name, stops: stops == Some(name), fact };
    let mut gates: Vec<Gate> = gates.into_iter().map(of_answer).collect();
    if let Some(pipeline) = question.pipeline {
        let place = gates.iter().position(|gate| gate.name == "catch_up").unwrap_or(gates.len());
        let upstreams = pipeline.depends_on.iter().map(|upstream| depends_on(question, pipeline, upstream));
        gates.splice(place..place, upstreams);
    }
    gates
}

fn policies(question: &Question<'_>, pipeline: &Pipeline, row: &Row) -> Vec<(&'static str, String)> {
    let deadline = pipeline.start_deadline.map_or("none".into(), print::duration);
    let min_interval = match (pipeline.min_interval.is_zero(), row.standing.claimed_at) {
        (true, _) => "none".into(),
        (false, None) => print::duration(pipeline.min_interval),
        (false, Some(last)) => {
            format!("{}; the last start was at {}", print::duration(pipeline.min_interval), rfc3339(last))
        }
    };
    let spread = constant_delay(question.id, pipeline.jitter);
    vec![
        ("start_deadline", deadline),
        ("min_interval", min_interval),
        ("overlap", overlap(question, pipeline)),
        ("retry", retry(question, pipeline)),
        ("catch_up", catch_up(pipeline).into()),
        (
            "jitter",
            if spread.is_zero() { "none".into() } else { format!("{} after each instant", print::duration(spread)) },
        ),
    ]
}

fn configured(question: &Question<'_>) -> String {
    match (question.pipeline, question.is_broken) {
        (Some(_), _) => "yes".into(),
        (None, true) => "broken: `tickward validate` says what is wrong".into(),
        (None, false) => "no file has it".into(),
    }
}

fn schedule(question: &Question<'_>) -> String {
    let Some(pipeline) = question.pipeline else { return "unknown".into() };
    let Some(schedule) = &pipeline.schedule else {
        return if pipeline.depends_on.is_empty() { "none: by hand" } else { "none: after what it depends on" }.into();
    };
    let told = |at: Option<Timestamp>| at.map_or("none".into(), rfc3339);
    let at = question.at.unwrap_or(question.view.now);
    let just_before = at.checked_sub(jiff::SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN);
    let is_one = if question.is_occurrence() == Some(true) { "is one" } else { "is none" };
    format!(
        "{}; {} {is_one}; before it {}, after it {}",
        list::schedule_of(pipeline),
        rfc3339(at),
        told(schedule.previous_at_or_before(just_before)),
        told(schedule.next_after(at)),
    )
}

fn first_sight(row: &Row) -> String {
    match row.schedules.first() {
        Some(known) => format!("this schedule counts since {}", rfc3339(known.since)),
        None => "no tick has seen it".into(),
    }
}

fn recorded(question: &Question<'_>) -> String {
    let attempts = question.attempts.iter().rev();
    let mut parts: Vec<String> =
        attempts.map(|attempt| format!("attempt {} {}", attempt.number, state_word(attempt))).collect();
    parts.extend(question.not_run.iter().map(|entry| format!("not run: {}", entry.reason.word())));
    if parts.is_empty() { "nothing of this instant".into() } else { parts.join(", ") }
}

fn instants(skips: &[i64]) -> String {
    let each = skips.iter().filter_map(|skip| Timestamp::from_microsecond(*skip).ok()).map(rfc3339);
    let each: Vec<_> = each.collect();
    if each.is_empty() { "none to come".into() } else { each.join(", ") }
}

fn overlap(question: &Question<'_>, pipeline: &Pipeline) -> String {
    let policy = match pipeline.overlap {
        Overlap::Skip => "skip".into(),
        Overlap::Queue => "queue".into(),
        Overlap::Allow(most) => format!("allow {most}"),
        Overlap::Replace => "replace".into(),
    };
    let active = question.open().filter(|attempt| attempt.is_active()).map(|attempt| {
        let owner = &attempt.owner;
        format!(
            "`{}` is active on `{}`, process {}{}, since {}, lease until {}",
            attempt.run.id(),
            owner.host,
            owner.pid,
            if is_gone(attempt) { ", which is gone" } else { "" },
            rfc3339(attempt.claimed_at),
            rfc3339(attempt.lease.until)
        )
    });
    let active: Vec<_> = active.collect();
    format!("{policy}; {}", if active.is_empty() { "nothing of it runs".into() } else { active.join(", ") })
}

fn retry(question: &Question<'_>, pipeline: &Pipeline) -> String {
    let pending = question.open().find_map(|attempt| attempt.retry_at.map(|at| (attempt, at)));
    match pending {
        Some((attempt, at)) => format!("attempt {} of `{}` at {}", attempt.number + 1, attempt.run.id(), rfc3339(at)),
        None => format!("none pending; {} attempts at most", pipeline.retry.max_attempts),
    }
}

fn catch_up(pipeline: &Pipeline) -> &'static str {
    match pipeline.catch_up {
        CatchUp::Skip => "skip: what fell due within the interval",
        CatchUp::Latest => "latest: the newest, however late",
        CatchUp::All { .. } => "all, one after the other",
    }
}

/// One upstream: the plan is asked about it alone.
fn depends_on(question: &Question<'_>, pipeline: &Pipeline, upstream: &Upstream) -> Gate {
    let alone = Pipeline { depends_on: vec![upstream.clone()], ..pipeline.clone() };
    let decision = would_decide(&alone, question.pipelines, question.view);
    let waits_for = decision.waiting.map(|waiting| waiting.for_what);
    let standing = question.view.rows.get(&upstream.pipeline).map(|row| &row.standing);
    let done = standing.and_then(|standing| {
        [standing.succeeded, standing.partial].into_iter().flatten().max_by_key(|done| done.scheduled_for)
    });
    let is_awaited = pipeline.schedule.is_none() && done.is_none();
    let stops = matches!(waits_for, Some(WaitsFor::Upstream(_))) || is_awaited;
    let fact = match done {
        Some(done) => format!(
            "`{}` succeeded for {} at {}",
            upstream.pipeline,
            rfc3339(done.scheduled_for),
            rfc3339(done.ended_at)
        ),
        None => format!("`{}` has never succeeded", upstream.pipeline),
    };
    Gate { name: "depends_on", stops, fact }
}
