//! `tickward reset`: a pipeline that is held after a run gave up goes on.

use serde_json::json;

use super::exit::Exit;
use super::resume::{count, not_run};
use super::verb::{Needs, Several, Told, Verb};
use crate::plan::controls;
use crate::tick::rfc3339;

/// Ends a hold (`on_gave_up: hold`); what fell due meanwhile is recorded as held, not run
#[derive(clap::Args, Debug)]
pub struct Reset {
    #[command(flatten)]
    several: Several,
}

impl Reset {
    pub fn execute(&self) -> Exit {
        let verb = match Verb::open(&self.several, Needs::Schedule) {
            Ok(verb) => verb,
            Err(exit) => return exit,
        };
        verb.obey(self.several.place.output, |situation| {
            let decision = controls::reset(situation);
            let held = situation.row.standing.held.as_ref();
            let paused = decision.row.standing.paused.is_some();
            let told = Told {
                done: format!(
                    "is held no more{}{}",
                    not_run(&decision),
                    if paused { ", but it is paused: see resume" } else { "" }
                ),
                already: "is not held".into(),
                more: json!({
                    "held_since": held.map(|held| rfc3339(held.since)),
                    "not_run": count(&decision),
                    "paused": paused,
                }),
            };
            (decision, told)
        })
    }
}
