//! What production asks of every pipeline: somebody who answers, a page to read, limits, a policy, an alert.
//!
//! Holds always: each item is told, as good or as wrong with the names of those that lack it.

use super::finding::{Findings, Level};
use crate::config::Loaded;
use crate::pipeline::Pipeline;

type Item = (&'static str, fn(&Pipeline) -> bool, &'static str);

const ITEMS: [Item; 4] = [
    ("owner", |pipeline| !pipeline.owner.is_empty(), "say who answers for it: `owner: data-team`"),
    (
        "runbook",
        |pipeline| !pipeline.runbook.is_empty(),
        "say where to read what to do when it fails: `runbook: https://…`",
    ),
    ("timeout", |pipeline| pipeline.timeout.is_some(), "say how long it may take: `timeout: 1h`"),
    ("retry", |pipeline| pipeline.retry.max_attempts > 1, "say how often it is tried: `retry: { max_attempts: 3 }`"),
];

/// Goes through the checklist.
pub fn look(loaded: &Loaded, findings: &mut Findings) {
    for (item, has, help) in ITEMS {
        let lacking: Vec<_> = loaded.pipelines.iter().filter(|pipeline| !has(pipeline)).collect();
        let names: Vec<_> = lacking.iter().take(5).map(|pipeline| format!("`{}`", pipeline.id)).collect();
        let more = if lacking.len() > names.len() {
            format!(" and {} more", lacking.len() - names.len())
        } else {
            String::new()
        };
        match lacking.is_empty() {
            true => findings.add(Level::Good, "production", None, &format!("every pipeline has `{item}`"), ""),
            false => {
                let what = format!("no `{item}`: {}{more}", names.join(", "));
                findings.add(Level::Wrong, "production", None, &what, help);
            }
        }
    }
    alerter(loaded, findings);
}

fn alerter(loaded: &Loaded, findings: &mut Findings) {
    match loaded.alerters.is_empty() {
        false => findings.add(Level::Good, "production", None, "there are `alerters`", ""),
        true => {
            findings.add(Level::Wrong, "production", None, "there are no `alerters`", "say who is told of failures")
        }
    }
}
