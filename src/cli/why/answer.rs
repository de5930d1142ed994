//! The one sentence that answers `why`, and the gate that it names.

use jiff::SignedDuration;

use super::super::print;
use super::Question;
use crate::pipeline::Pipeline;
use crate::plan::{WaitsFor, constant_delay};
use crate::run::{Attempt, NotRun, Reason};
use crate::tick::{Host, SystemHost, rfc3339};

/// What is answered.
pub struct Answer {
    /// A whole sentence.
    pub sentence: String,
    /// The name of the gate that stops it, or stopped it.
    pub stops: Option<&'static str>,
}

impl Answer {
    fn passed(sentence: String) -> Answer {
        Answer { sentence, stops: None }
    }

    fn stopped(stops: &'static str, sentence: String) -> Answer {
        Answer { sentence, stops: Some(stops) }
    }
}

/// Answers by what happened; where nothing has, by what a tick would do now. What keeps the pipeline from starting now is
/// said even where it was not in the way of the instant.
pub fn of(question: &Question<'_>) -> Answer {
    let mut answer = of_instant(question);
    let standing = question.view.rows.get(question.id).map(|row| &row.standing);
    let is_paused = standing.is_some_and(|standing| standing.paused_at(question.view.now).is_some());
    let is_held = standing.is_some_and(|standing| standing.held.is_some());
    let is_in_no_file = question.pipeline.is_none() && !question.is_broken;
    for (is_so, gate, what) in [
        (is_paused, "paused", "it is paused"),
        (is_held, "held", "it is held"),
        (is_in_no_file, "configured", "no file has it"),
    ] {
        if is_so && answer.stops != Some(gate) {
            answer.sentence += &format!(" Now {what}: nothing of it starts.");
            answer.stops = answer.stops.or(Some(gate));
        }
    }
    answer
}

fn of_instant(question: &Question<'_>) -> Answer {
    let Some(at) = question.at else {
        return match question.pipeline {
            Some(pipeline) => never_ran(pipeline),
            None => not_configured(question),
        };
    };
    if let Some(answer) = happened(question) {
        return answer;
    }
    let Some(pipeline) = question.pipeline else { return not_configured(question) };
    if question.is_occurrence() == Some(false) {
        let sentence = format!("It did not run for {}: that is no instant of its schedule.", rfc3339(at));
        return Answer::stopped("schedule", sentence);
    }
    if question.is_skipped() {
        let (at, id) = (rfc3339(at), question.id);
        let undo = format!("`tickward skip {id} --at {at} --undo` takes that back");
        return Answer::stopped(
            "skipped",
            format!("It does not run for {at} because somebody has skipped it; {undo}."),
        );
    }
    if at > question.view.now {
        let sentence = format!("It has not run for {} because that is still to come.", rfc3339(at));
        return Answer::stopped("schedule", sentence);
    }
    if let Some(answer) = would_happen(question) {
        return answer;
    }
    let spread = SignedDuration::try_from(constant_delay(question.id, pipeline.jitter)).unwrap_or_default();
    if at.checked_add(spread).is_ok_and(|due| due > question.view.now) {
        let sentence = format!("The run of {} is not due yet: its jitter puts it off.", rfc3339(at));
        return Answer::stopped("jitter", sentence);
    }
    if question.view.rows.get(question.id).is_none_or(|row| row.schedules.is_empty()) {
        let sentence = "It has never been looked at: the first tick runs what fell due in the minute before.".into();
        return Answer::stopped("first sight", sentence);
    }
    if pipeline.schedule.is_none() {
        return Answer::passed(format!("Nothing of it is due; it last ran for {}.", rfc3339(at)));
    }
    let sentence = format!("It did not run for {}: that was before it, or its schedule, was seen first.", rfc3339(at));
    Answer::stopped("first sight", sentence)
}

fn never_ran(pipeline: &Pipeline) -> Answer {
    if pipeline.depends_on.is_empty() {
        return Answer::stopped("schedule", "It never ran: nothing but `tickward run` makes it due.".into());
    }
    let upstreams: Vec<_> = pipeline.depends_on.iter().map(|upstream| format!("`{}`", upstream.pipeline)).collect();
    let all = upstreams.join(", ");
    Answer::stopped("depends_on", format!("It never ran: it runs when each of these has succeeded: {all}."))
}

fn not_configured(question: &Question<'_>) -> Answer {
    let why = if question.is_broken { "its configuration is broken" } else { "no file has it" };
    Answer::stopped("configured", format!("It does not run because {why}."))
}

/// What the history says of the instant.
fn happened(question: &Question<'_>) -> Option<Answer> {
    if let Some(attempt) = question.attempts.first() {
        return Some(attempted(question, attempt));
    }
    let entry = question.not_run.as_ref()?;
    // A stretch covers instants between its occurrences too.
    (question.is_occurrence() != Some(false)).then(|| {
        let at = rfc3339(question.at.unwrap_or(entry.last));
        let sentence = format!("It did not run for {at} because {}.", why_not(entry.reason));
        Answer::stopped(gate_of(entry.reason), sentence)
    })
}

fn attempted(question: &Question<'_>, attempt: &Attempt) -> Answer {
    let (at, number) = (rfc3339(attempt.run.scheduled_for), attempt.number);
    let Some(end) = &attempt.end else {
        let (host, pid) = (&attempt.owner.host, attempt.owner.pid);
        let since = rfc3339(attempt.claimed_at);
        if is_gone(attempt) {
            return Answer::passed(format!(
                "It does not run for {at} any more: attempt {number}, claimed at {since}, has no outcome, and process \
                 {pid} on `{host}` is gone; the next tick takes it over."
            ));
        }
        let told = if attempt.stop.is_some() { "; it is told to end" } else { "" };
        return Answer::passed(format!(
            "It runs for {at}: attempt {number}, since {since}, on `{host}` by process {pid}{told}."
        ));
    };
    let ended = format!("attempt {number} {} at {}", participle(attempt), rfc3339(end.ended_at));
    let decided = question.decision.as_ref().and_then(|decision| decision.waiting.as_ref());
    let waiting = decided.filter(|waiting| waiting.run == attempt.run);
    match (waiting, attempt.retry_at) {
        (Some(waiting), Some(_)) => {
            let what = print::waits_for(&waiting.for_what);
            Answer::stopped(gate_of_wait(&waiting.for_what), format!("It ran for {at}: {ended}; now it waits: {what}."))
        }
        (None, Some(retry_at)) => {
            Answer::passed(format!("It ran for {at}: {ended}; the next attempt is due at {}.", rfc3339(retry_at)))
        }
        (_, None) => Answer::passed(format!("It ran for {at}: {ended}.")),
    }
}

/// Whether the process that holds the claim is provably gone, as the next tick will find.
pub fn is_gone(attempt: &Attempt) -> bool {
    attempt.is_active() && SystemHost.is_gone(&attempt.owner)
}

fn participle(attempt: &Attempt) -> String {
    let outcome = attempt.outcome().map_or("ended", |outcome| outcome.word());
    match attempt.late_outcome {
        Some(late) => format!("was {outcome}, and later reported as {late},"),
        None if matches!(outcome, "succeeded" | "failed") => outcome.into(),
        None => format!("ended as {outcome}"),
    }
}

/// What became of an occurrence by its last attempt, or by why it was not run.
pub fn became(last: Option<&Attempt>, not_run: Option<&NotRun>) -> Option<String> {
    match (last, not_run) {
        (Some(attempt), _) if attempt.is_active() => Some(format!("attempt {} runs", attempt.number)),
        (Some(attempt), _) => Some(format!("attempt {} {}", attempt.number, participle(attempt))),
        (None, Some(entry)) => Some(format!("it was not run because {}", why_not(entry.reason))),
        (None, None) => None,
    }
}

/// What a tick would do with the instant now.
fn would_happen(question: &Question<'_>) -> Option<Answer> {
    let (at, decision) = (question.at?, question.decision.as_ref()?);
    let told = rfc3339(at);
    if decision.claim.as_ref().is_some_and(|draft| draft.run.scheduled_for == at) {
        let sentence = format!("Nothing stops it: the next tick starts the run of {told}; does one come every minute?");
        return Some(Answer::passed(sentence));
    }
    if let Some(left) = question.open().find(|attempt| is_gone(attempt)) {
        let sentence = format!(
            "The run of {told} is decided by the next tick, after it has taken over that of {}, whose worker is gone.",
            rfc3339(left.run.scheduled_for)
        );
        return Some(Answer::passed(sentence));
    }
    if let Some(waiting) = decision.waiting.as_ref().filter(|waiting| waiting.run.scheduled_for == at) {
        let what = print::waits_for(&waiting.for_what);
        return Some(Answer::stopped(gate_of_wait(&waiting.for_what), format!("The run of {told} waits for {what}.")));
    }
    let covers = |entry: &&NotRun| (entry.first..=entry.last).contains(&at);
    if let Some(entry) = decision.not_run.iter().find(covers) {
        let why = why_not(entry.reason);
        let sentence = format!("The next tick records the run of {told} as not run, because {why}.");
        return Some(Answer::stopped(gate_of(entry.reason), sentence));
    }
    // Of what is due, only the oldest is claimed or waited for; the others follow it.
    let oldest = decision.claim.as_ref().map(|draft| &draft.run).or(decision.waiting.as_ref().map(|w| &w.run))?;
    (decision.more_is_due && oldest.scheduled_for < at).then(|| {
        let first = rfc3339(oldest.scheduled_for);
        Answer::stopped("catch_up", format!("The run of {told} comes after that of {first}, which is due before it."))
    })
}

fn why_not(reason: Reason) -> &'static str {
    match reason {
        Reason::Missed => "nobody ran it in time and `catch_up` drops it",
        Reason::Overlap => "the previous run was still going",
        Reason::Superseded => "a newer occurrence took its place",
        Reason::Paused => "the pipeline was paused",
        Reason::Held => "the pipeline was held after a run had given up",
        Reason::Upstream => "what it depends on had not succeeded when its next occurrence fell due",
        Reason::Deadline => "it could not start before its `start_deadline`",
        Reason::Skipped => "a person said so",
    }
}

fn gate_of(reason: Reason) -> &'static str {
    match reason {
        Reason::Missed => "catch_up",
        Reason::Overlap | Reason::Superseded => "overlap",
        Reason::Paused => "paused",
        Reason::Held => "held",
        Reason::Upstream => "depends_on",
        Reason::Deadline => "start_deadline",
        Reason::Skipped => "skipped",
    }
}

fn gate_of_wait(what: &WaitsFor) -> &'static str {
    match what {
        WaitsFor::Backoff(_) => "retry",
        WaitsFor::EarlierRun => "overlap",
        WaitsFor::Upstream(_) => "depends_on",
        WaitsFor::MinInterval(_) => "min_interval",
        WaitsFor::Resume => "paused",
        WaitsFor::Reset => "held",
    }
}
