//! `tickward resume`: a paused pipeline goes on.

use serde_json::json;

use super::exit::Exit;
use super::verb::{Needs, Several, Told, Verb};
use crate::plan::{Decision, controls};

/// Ends a pause; what fell due meanwhile is recorded as paused, not run
#[derive(clap::Args, Debug)]
pub struct Resume {
    #[command(flatten)]
    several: Several,
}

impl Resume {
    pub fn execute(&self) -> Exit {
        let verb = match Verb::open(&self.several, Needs::Schedule) {
            Ok(verb) => verb,
            Err(exit) => return exit,
        };
        verb.obey(self.several.place.output, |situation| {
            let decision = controls::resume(situation);
            let held = decision.row.standing.held.is_some();
            let told = Told {
                done: format!("goes on{}{}", not_run(&decision), if held { ", but it is held: see reset" } else { "" }),
                already: "is not paused".into(),
                more: json!({ "not_run": count(&decision), "held": held }),
            };
            (decision, told)
        })
    }
}

/// How many occurrences are recorded as not run by this decision.
pub fn count(decision: &Decision) -> u64 {
    decision.not_run.iter().map(|entry| entry.count).sum()
}

/// The same in words.
pub fn not_run(decision: &Decision) -> String {
    let more = if decision.not_run.iter().any(|entry| entry.at_least) { "at least " } else { "" };
    match count(decision) {
        0 => String::new(),
        1 => "; 1 occurrence that fell due meanwhile is not run".into(),
        count => format!("; {more}{count} occurrences that fell due meanwhile are not run"),
    }
}
