//! `tickward pause`: nothing of a pipeline starts until somebody resumes it, or until an instant.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::exit::Exit;
use super::run_due::parse_duration;
use super::verb::{Needs, Several, Told, Verb};
use super::{print, typed};
use crate::occurrence::whole_micros;
use crate::plan::{Situation, controls};
use crate::run::Paused;
use crate::tick::rfc3339;

/// Keeps pipelines from starting; what falls due meanwhile is recorded as paused, and never run
#[derive(clap::Args, Debug)]
pub struct Pause {
    #[command(flatten)]
    several: Several,
    /// When it ends by itself: an instant, or how long from now, as 90m, 2d [default: when somebody resumes]
    #[arg(long, value_name = "T|DURATION", value_parser = until)]
    until: Option<Until>,
    /// Why, for those who look; '' for nothing [default: of a pipeline that is paused already, what was said before]
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// When a pause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    At(Timestamp),
    After(Duration),
}

fn until(text: &str) -> Result<Until, String> {
    let after = || parse_duration(text).map(Until::After);
    typed::instant(text).map(Until::At).or_else(|_| after()).map_err(|_| {
        "write an instant, as 2026-03-02T02:00:00Z, or a duration from now, such as 90m, 12h, 2d".to_string()
    })
}

impl Pause {
    pub fn execute(&self) -> Exit {
        let now = self.several.place.clock().now();
        let until = self.until.map(|until| match until {
            Until::At(at) => at,
            Until::After(after) => {
                let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
                end_of_second(now.checked_add(after).unwrap_or(Timestamp::MAX))
            }
        });
        if until.is_some_and(|until| until <= now) {
            print::error("the pause would be over already", "name a later instant with `--until`");
            return Exit::Usage;
        }
        let until = until.map(whole_micros);
        match Verb::open(&self.several, Needs::Row) {
            Ok(verb) => verb.obey(self.several.place.output, |situation| self.ask(situation, until)),
            Err(exit) => exit,
        }
    }

    fn ask(&self, situation: &Situation<'_>, until: Option<Timestamp>) -> (crate::plan::Decision, Told) {
        let before = situation.row.standing.paused_at(situation.now);
        let before = before.map(|paused| paused.note.clone()).unwrap_or_default();
        let note = self.note.clone().unwrap_or(before);
        let decision = controls::pause(situation, until, &note);
        let active = situation.open.iter().filter(|attempt| attempt.is_active()).count();
        let goes_on = if active > 0 { "; what runs goes on: `tickward cancel` ends it" } else { "" };
        let paused = decision.row.standing.paused.clone();
        let told = Told {
            done: format!("paused{}{goes_on}", paused.as_ref().map(in_words).unwrap_or_default()),
            already: format!("is paused already{}", paused.as_ref().map(in_words).unwrap_or_default()),
            more: json!({
                "since": paused.as_ref().map(|paused| rfc3339(paused.since)),
                "until": until.map(rfc3339),
                "note": note,
            }),
        };
        (decision, told)
    }
}

/// The first whole second that is not before `at`: nobody counts a pause in fractions.
fn end_of_second(at: Timestamp) -> Timestamp {
    let is_whole = at.subsec_nanosecond() == 0;
    Timestamp::from_second(at.as_second() + i64::from(!is_whole)).unwrap_or(at)
}

/// Until when, and why.
pub fn in_words(paused: &Paused) -> String {
    let until = paused.until.map_or_else(|| " until it is resumed".into(), |at| format!(" until {}", rfc3339(at)));
    let note = if paused.note.is_empty() { String::new() } else { format!(" ({})", paused.note) };
    until + &note
}
