//! Prints what a simulated span has shown.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::exit::Exit;
use super::super::print;
use super::Span;
use super::clock_changes::ClockChange;
use super::findings::{Findings, Sum};
use crate::tick::rfc3339;

/// At most so many names in one line.
const NAMES: usize = 6;

/// All of it, for people.
pub fn as_text(span: Span, findings: &Findings, changes: &[ClockChange]) -> String {
    let runs: u64 = findings.pipelines.values().map(|sum| sum.runs).sum();
    let mut text = format!(
        "{} to {}: {runs} runs of {} pipelines, at most {} at once\n\n",
        print::instant(span.from),
        print::instant(span.to),
        findings.pipelines.len(),
        findings.at_once,
    );
    let rows = findings.pipelines.iter().map(|(name, sum)| row(name, sum)).collect();
    text += &print::table(&["pipeline", "runs", "first", "last", "failed", "not run"], rows);
    let crowds = findings.crowds.iter().map(|crowd| {
        let names: Vec<&str> = crowd.pipelines.iter().map(String::as_str).collect();
        let more = if names.len() > NAMES { ", …" } else { "" };
        let named = names[..names.len().min(NAMES)].join(", ");
        let first = print::instant(crowd.first);
        format!("{} in one minute, {} times, first {first}: {named}{more}", names.len(), crowd.minutes)
    });
    section(&mut text, "starts together", crowds);
    let in_vain = findings.in_vain.iter().map(|((pipeline, upstream), count)| {
        let never = findings.pipelines.get(pipeline).is_some_and(|sum| sum.runs == 0);
        let always = if never { ": it never runs" } else { "" };
        format!("{pipeline} was skipped {count} times because {upstream} had not succeeded in time{always}")
    });
    section(&mut text, "waits in vain", in_vain);
    section(&mut text, "clock changes", changes.iter().map(change_line));
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.map(|line| format!("  {line}\n")).collect();
    if !lines.is_empty() {
        *text += &format!("\n{title}\n{}", lines.concat());
    }
}

fn row(name: &str, sum: &Sum) -> Vec<String> {
    let at = |instant: Option<Timestamp>| instant.map_or_else(|| "–".into(), print::instant);
    let not_run: Vec<String> =
        sum.not_run.iter().map(|(reason, (count, ..))| format!("{} {count}", reason.word())).collect();
    vec![
        name.into(),
        sum.runs.to_string(),
        at(sum.span.map(|span| span.0)),
        at(sum.span.map(|span| span.1)),
        sum.failed.to_string(),
        if not_run.is_empty() { "–".into() } else { not_run.join(", ") },
    ]
}

fn change_line(change: &ClockChange) -> String {
    let ClockChange { pipeline, zone, at, hours: (begin, end), is_skipped, wanted, runs } = change;
    let what = if *is_skipped { "does not exist" } else { "comes twice" };
    let runs = if runs.is_empty() { "nothing".into() } else { runs.join(", ") };
    let at = print::instant(*at);
    let times = if *wanted == 1 { "one occurrence".into() } else { format!("{wanted} occurrences") };
    format!("{at} {zone}: {begin} to {end} {what}; {pipeline} has {times} there and runs at {runs}")
}

/// All of it, for scripts.
pub fn as_json(span: Span, findings: &Findings, changes: &[ClockChange], exit: Exit) -> Value {
    let pipeline = |(name, sum): (&String, &Sum)| {
        let not_run = sum.not_run.iter().map(|(reason, (count, first, last))| {
            json!({ "reason": reason.word(), "count": count, "first": rfc3339(*first), "last": rfc3339(*last) })
        });
        json!({
            "pipeline": name,
            "runs": sum.runs,
            "failed": sum.failed,
            "first": sum.span.map(|span| rfc3339(span.0)),
            "last": sum.span.map(|span| rfc3339(span.1)),
            "not_run": not_run.collect::<Vec<_>>(),
        })
    };
    json!({
        "from": rfc3339(span.from),
        "to": rfc3339(span.to),
        "at_once": findings.at_once,
        "pipelines": findings.pipelines.iter().map(pipeline).collect::<Vec<_>>(),
        "crowds": findings.crowds.iter().map(|crowd| json!({
            "pipelines": crowd.pipelines,
            "minutes": crowd.minutes,
            "first": rfc3339(crowd.first),
        })).collect::<Vec<_>>(),
        "waits_in_vain": findings.in_vain.iter().map(|((pipeline, upstream), count)| json!({
            "pipeline": pipeline,
            "upstream": upstream,
            "count": count,
        })).collect::<Vec<_>>(),
        "clock_changes": changes.iter().map(|change| json!({
            "pipeline": change.pipeline,
            "zone": change.zone,
            "at": rfc3339(change.at),
            "begin": change.hours.0,
            "end": change.hours.1,
            "skipped": change.is_skipped,
            "occurrences": change.wanted,
            "runs": change.runs,
        })).collect::<Vec<_>>(),
        "rc": exit.code(),
    })
}
