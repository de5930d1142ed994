//! `tickward skip`: what would run next of a pipeline does not.

use serde_json::json;

use super::exit::Exit;
use super::verb::{Needs, Place, Several, Told, Verb};
use crate::plan::controls;
use crate::tick::rfc3339;

/// Leaves out the pending retry, or else the next occurrence
#[derive(clap::Args, Debug)]
pub struct Skip {
    /// Which pipelines: names, patterns with `*` and `?`, or `tag:T`
    #[arg(value_name = "NAME|PATTERN|tag:T", required = true)]
    names: Vec<String>,
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
        verb.obey(self.place.output, |situation| {
            let (decision, instant) = controls::skip(situation);
            let what = if decision.closed.is_empty() { "its occurrence" } else { "the pending retry of its run" };
            let told = Told {
                done: format!("{what} of {} is skipped", instant.map(rfc3339).unwrap_or_default()),
                already: "nothing of it is to come".into(),
                more: json!({ "skipped": instant.map(rfc3339), "was_retry": !decision.closed.is_empty() }),
            };
            (decision, told)
        })
    }
}
