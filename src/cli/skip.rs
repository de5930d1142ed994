//! `tickward skip`: what would run next of a pipeline does not.

use std::cell::Cell;
use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;

use super::exit::Exit;
use super::verb::{Needs, Place, Several, Told, Verb};
use super::{typed, why};
use crate::occurrence::whole_micros;
use crate::plan::controls::NoSkip;
use crate::plan::{Decision, Situation, controls};
use crate::tick::rfc3339;

/// Leaves out the pending retry, or else the next occurrence
#[derive(clap::Args, Debug)]
pub struct Skip {
    /// Which pipelines: names, patterns with `*` and `?`, or `tag:T`
    #[arg(value_name = "NAME|PATTERN|tag:T", required = true)]
    names: Vec<String>,
    /// The occurrence of this instant instead
    #[arg(long, value_name = "T", value_parser = typed::instant)]
    at: Option<Timestamp>,
    /// Take it back: that occurrence, or else the last one that is skipped, runs after all
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    place: Place,
}

impl Skip {
    pub fn execute(&self) -> Exit {
        let several = Several { names: self.names.clone(), all: false, place: self.place.clone() };
        let verb = match Verb::open(&several, Needs::Schedule) {
            Ok(verb) => verb,
            Err(exit) => return exit,
        };
        let mut became = HashMap::new();
        if let Some(at) = self.at.map(whole_micros).filter(|_| self.undo) {
            for id in &verb.ids {
                match why::became(&verb.run_log, id, at) {
                    Ok(told) => became.extend(told.map(|told| (id.clone(), told))),
                    Err(exit) => return exit,
                }
            }
        }
        let is_refused = Cell::new(false);
        let exit = verb.obey(self.place.output, |situation| match (self.undo, self.at.map(whole_micros)) {
            (true, at) => undo(situation, at, became.get(&situation.pipeline.id).map(String::as_str)),
            (false, None) => next(situation),
            (false, Some(at)) => {
                let (decision, told, refused) = one(situation, at);
                is_refused.set(is_refused.get() || refused);
                (decision, told)
            }
        });
        if is_refused.get() { exit.or_worse(Exit::Usage) } else { exit }
    }
}

fn next(situation: &Situation<'_>) -> (Decision, Told) {
    let (decision, instant) = controls::skip(situation);
    let what = if decision.closed.is_empty() { "its occurrence" } else { "the pending retry of its run" };
    let told = Told {
        done: format!("{what} of {} is skipped", instant.map(rfc3339).unwrap_or_default()),
        already: "nothing of it is to come".into(),
        more: json!({ "skipped": instant.map(rfc3339), "was_retry": !decision.closed.is_empty() }),
    };
    (decision, told)
}

/// The last value says whether it was refused.
fn one(situation: &Situation<'_>, at: Timestamp) -> (Decision, Told, bool) {
    let (decision, answer) = controls::skip_at(situation, at);
    let why = match answer {
        Ok(()) => None,
        Err(NoSkip::NoOccurrence) => Some("is no instant of its schedule"),
        Err(NoSkip::Decided) => Some("is decided already: it ran, or was recorded as not run"),
    };
    let at = rfc3339(at);
    let told = Told {
        done: format!("its occurrence of {at} is skipped"),
        already: why.map_or(format!("its occurrence of {at} is skipped already"), |why| format!("{at} {why}")),
        more: json!({ "skipped": why.is_none().then_some(&at), "was_retry": false, "error": why }),
    };
    (decision, told, why.is_some())
}

/// `became` is what the history has of the occurrence of `at`.
fn undo(situation: &Situation<'_>, at: Option<Timestamp>, became: Option<&str>) -> (Decision, Told) {
    let (decision, instant) = controls::unskip(situation, at);
    let is_passed = at.is_some_and(|at| situation.row.cursor.is_some_and(|cursor| cursor >= at));
    let decided = became.or(is_passed.then_some("the run-log has no more of it"));
    let told = Told {
        done: format!("its occurrence of {} is skipped no more", instant.map(rfc3339).unwrap_or_default()),
        already: match (at.map(rfc3339), decided) {
            (Some(at), Some(decided)) => {
                format!("its occurrence of {at} has been decided, and nothing is to be taken back: {decided}")
            }
            (Some(at), None) => format!("its occurrence of {at} is not skipped"),
            (None, _) => "nothing of it is skipped".into(),
        },
        more: json!({ "skipped": null, "undone": instant.map(rfc3339), "decided": decided }),
    };
    (decision, told)
}
