//! `tickward cancel`: what runs of a pipeline is told to end, and what would follow it does not start.
//!
//! The wish lies in the run-log; the tick that runs the command sees it when it renews its lease, every third of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::exit::Exit;
use super::print::{self, Format};
use super::session::run_log_failed;
use super::verb::{self, Needs, Several, Told, Verb};
use super::{block_on, history};
use crate::occurrence::Token;
use crate::plan::{Decision, Situation, controls};
use crate::run::Attempt;
use crate::runlog::contract::{Query, Record, Scope};

/// Ends what runs, wherever it runs, and drops its retries; the schedule goes on
#[derive(clap::Args, Debug)]
pub struct Cancel {
    #[command(flatten)]
    several: Several,
    /// Why, for those who look
    #[arg(long, value_name = "TEXT", default_value = "cancelled by hand")]
    why: String,
    /// Return only when all of it has ended
    #[arg(long)]
    wait: bool,
}

/// How often it is looked whether all has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Cancel {
    pub fn execute(&self) -> Exit {
        let verb = match Verb::open(&self.several, Needs::Row) {
            Ok(verb) => verb,
            Err(exit) => return exit,
        };
        let place = &self.several.place;
        let taken = match block_on(verb::take_over(&verb.session, &verb.run_log, place, &verb.ids)).flatten() {
            Ok(taken) => taken,
            Err(exit) => return exit,
        };
        let exit = verb.obey(place.output, |situation| self.ask(situation, &taken));
        match (exit, self.wait) {
            (Exit::Done, true) => block_on(self.until_ended(&verb)).unwrap_or_else(|exit| exit),
            _ => exit,
        }
    }

    fn ask(&self, situation: &Situation<'_>, taken: &[Attempt]) -> (Decision, Told) {
        let (decision, stops) = controls::cancel(situation, &self.why);
        let active: Vec<&Attempt> = situation.open.iter().copied().filter(|attempt| attempt.is_active()).collect();
        // Its tick renews at a third of the lease, and has what it needs to end the command after that.
        let seen_within = active.iter().map(|attempt| attempt.lease.length / 3).max().unwrap_or_default();
        let mut parts = Vec::new();
        if stops > 0 {
            let runs = if stops == 1 { "1 run is".into() } else { format!("{stops} runs are") };
            parts.push(format!("{runs} told to end: seen within {}", print::duration(seen_within)));
        }
        if !decision.closed.is_empty() {
            parts.push(format!("pending retries dropped: {}", decision.closed.len()));
        }
        let already = if active.is_empty() { "nothing of it runs" } else { "what runs is told to end already" };
        let told = Told {
            done: parts.join("; "),
            already: already.into(),
            more: json!({
                "told_to_end": stops,
                "retries_dropped": decision.closed.len(),
                "taken_over": taken
                    .iter()
                    .filter(|attempt| attempt.run.pipeline == situation.pipeline.id)
                    .map(history::attempt_json)
                    .collect::<Vec<_>>(),
                "seen_within_ms": u64::try_from(seen_within.as_millis()).unwrap_or(u64::MAX),
                "active": active.iter().map(|attempt| history::attempt_json(attempt)).collect::<Vec<_>>(),
            }),
        };
        (decision, told)
    }

    /// Waits until none of the attempts that are told to end is active, and says how each has ended: it may have been faster. A
    /// tick that is dead ends none: what it has left is taken over.
    async fn until_ended(&self, verb: &Verb) -> Exit {
        let clock = self.several.place.clock();
        let mut ending = BTreeSet::new();
        loop {
            let view = match verb.run_log.load(Scope::Only(verb.ids.clone())).await {
                Ok(view) => view,
                Err(error) => return run_log_failed(&error),
            };
            let is_ending = |attempt: &Attempt| attempt.is_active() && attempt.stop.is_some();
            let active: Vec<Token> =
                view.open.values().flatten().filter(|a| is_ending(a)).map(|attempt| attempt.token).collect();
            if active.is_empty() {
                return self.tell_ends(verb, &ending).await;
            }
            ending.extend(active);
            if let Err(exit) = verb::take_over(&verb.session, &verb.run_log, &self.several.place, &verb.ids).await {
                return exit;
            }
            clock.sleep_until(clock.boot().plus(LOOK_AGAIN)).await;
        }
    }

    async fn tell_ends(&self, verb: &Verb, ended: &BTreeSet<Token>) -> Exit {
        for token in ended.iter().filter(|_| self.several.place.output == Format::Text) {
            let query = Query { token: Some(*token), attempts_only: true, limit: 1, ..Query::default() };
            let found = match verb.run_log.history(query).await {
                Ok(found) => found,
                Err(error) => return run_log_failed(&error),
            };
            if let Some(Record::Attempt(attempt)) = found.first() {
                print::note(&format!("{}: {}", attempt.run.id(), history::state_word(attempt)));
            }
        }
        Exit::Done
    }
}
