//! `tickward run-log copy`: another place for what a run-log knows.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::exit::Exit;
use super::super::print::{self, Format};
use super::super::session::{ConfigArgs, RunLogArgs, Session, goes_on_when_asked_again, run_log_failed};
use super::super::{block_on, degraded};
use super::transfer::{Held, Source, Tally, hand_over};
use crate::clock::SystemClock;
use crate::runlog::contract::Adopted;
use crate::runlog::{self, Error, Purpose, RunLog};
use crate::scheme;

/// Copies all that a run-log knows into another one, and compares both; ended in the middle, it goes on when called again
#[derive(clap::Args, Debug)]
pub struct Copy {
    /// The run-log to copy, or ematix-flow's
    #[arg(value_name = "FROM")]
    from: String,
    /// The run-log to copy into; it must not know any of the pipelines
    #[arg(value_name = "TO")]
    to: String,
    /// Copy while something runs: there it counts as lost, and is not retried
    #[arg(long)]
    force: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What is said where nothing is.
const WHICH: &str = "name the run-log that there is";

/// So many names are told, and no more.
const NAMES: usize = 5;

impl Copy {
    pub fn work(&self) -> Result<Exit, Exit> {
        let (from, left_out) = self.source()?;
        let to = on(&self.to).run_log(Purpose::Work, Arc::new(SystemClock))?;
        if self.is_one_place() {
            print::error("both are the same run-log", "name another one to copy into");
            return Err(Exit::Usage);
        }
        let (adopted, exit) = block_on(self.copy(&from, to, &left_out))??;
        if self.output == Format::Text {
            for what in left_out.iter().take(NAMES) {
                print::note(&print::printable(&format!("left out  {what}")));
            }
            if left_out.len() > NAMES {
                print::note(&format!("left out  {} more", left_out.len() - NAMES));
            }
        }
        tracing::info!(new = adopted.new, known = adopted.known, "copied");
        Ok(exit)
    }

    /// What is to be copied, and what of it is not.
    fn source(&self) -> Result<(Source, Vec<String>), Exit> {
        let session = on(&self.from);
        session.must_be_there(WHICH)?;
        if let Some(found) = runlog::foreign(&self.from).map_err(|error| run_log_failed(&error))? {
            print::note("notice: this is a run-log of ematix-flow: its rows become history, its last runs cursors");
            return Ok((Source::Items(found.items), found.left_out));
        }
        // A server has none until somebody makes its tables; whoever copies from there does not.
        let looked = session.run_log(Purpose::Read, Arc::new(SystemClock))?;
        if block_on(looked.facts())?.map_err(|error| run_log_failed(&error))?.form == 0 {
            let shown = session.run_log_shown().unwrap_or_default();
            let help = match matches!(scheme::of(&self.from), Some("mysql" | "mariadb")) {
                true => format!("{WHICH}; if its tables are ematix-flow's and have a prefix: `?table_prefix=…`"),
                false => WHICH.to_owned(),
            };
            print::error(&format!("there is no run-log `{shown}` yet"), &help);
            return Err(Exit::RunLog);
        }
        let run_log = session.run_log(Purpose::Work, Arc::new(SystemClock))?;
        // What this host has done without it belongs to it, and waits for it by its place.
        degraded::recover_into(&session, &run_log, Arc::new(SystemClock))?;
        Ok((Source::RunLog(run_log), Vec::new()))
    }

    fn is_one_place(&self) -> bool {
        let file = |url: &str| on(url).run_log_file().and_then(|file| std::fs::canonicalize(file).ok());
        self.from == self.to || file(&self.from).is_some_and(|from| Some(from) == file(&self.to))
    }

    async fn copy(&self, from: &Source, to: Arc<dyn RunLog>, left_out: &[String]) -> Result<(Adopted, Exit), Exit> {
        let failed = |error: Error| run_log_failed(&error);
        self.refuse_what_runs(&from.active().await.map_err(failed)?)?;
        let there = Source::RunLog(to.clone());
        let before = Held::of(from, None).await.map_err(failed)?;
        let known = Held::of(&there, Some(&before)).await.map_err(failed)?;
        let names: Vec<_> = before.known_otherwise_in(&known).take(NAMES).map(|id| format!("`{id}`")).collect();
        if !names.is_empty() {
            let message = format!("the run-log to copy into knows {} already: nothing was copied", names.join(", "));
            print::error(&message, "copy into an empty one, or `tickward forget` them there first");
            return Err(Exit::RunLog);
        }
        let there_already = known.tally;
        drop(known);
        let bar = self.bar(before.tally.items());
        let adopted = hand_over(from, &*to, |items| bar.inc(items)).await;
        bar.finish_and_clear();
        let adopted = adopted.map_err(|error| goes_on_when_asked_again(&error))?;
        let from_held = Held::of(from, None).await.map_err(failed)?;
        let to_held = Held::of(&there, Some(&from_held)).await.map_err(failed)?;
        let not_passed = from_held.not_passed_in(&to_held).count();
        let is_same = adopted.differs == 0 && not_passed == 0 && from_held.tally == to_held.tally;
        let exit = if is_same { Exit::Done } else { Exit::RunLog };
        self.tell(adopted, &from_held.tally, (&there_already, &to_held.tally), left_out, exit);
        Ok((adopted, exit))
    }

    fn refuse_what_runs(&self, active: &[String]) -> Result<(), Exit> {
        if active.is_empty() || self.force {
            return Ok(());
        }
        let shown: Vec<_> = active.iter().take(NAMES).map(|run| format!("`{run}`")).collect();
        let help = "stop the ticks and wait until it has ended; with `--force` it counts as lost in the copy";
        print::error(&format!("{} runs: nothing was copied", shown.join(", ")), help);
        Err(Exit::Busy)
    }

    fn bar(&self, items: u64) -> ProgressBar {
        if self.output == Format::Json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}");
        ProgressBar::new(items).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    fn tell(&self, adopted: Adopted, from: &Tally, (before, to): (&Tally, &Tally), left_out: &[String], exit: Exit) {
        if self.output == Format::Json {
            let counts = |tally: &Tally| {
                json!({
                    "pipelines": tally.pipelines, "attempts": tally.attempts, "not_run": tally.not_run,
                    "alerts_waiting": tally.waiting, "alerts_dead": tally.dead, "digest": format!("{:032x}", tally.digest),
                })
            };
            print::json(&json!({
                "new": adopted.new, "known": adopted.known, "differs": adopted.differs, "left_out": left_out,
                "from": counts(from), "to": counts(to), "verified": exit == Exit::Done, "rc": exit.code(),
            }));
        }
        if exit == Exit::Done {
            if self.output == Format::Text {
                print::note(&format!(
                    "copied    {} pipelines, {} attempts, {} entries of what was not run, {} alerts; {} items were there already",
                    to.pipelines.saturating_sub(before.pipelines),
                    to.attempts.saturating_sub(before.attempts),
                    to.not_run.saturating_sub(before.not_run),
                    (to.waiting + to.dead).saturating_sub(before.waiting + before.dead),
                    before.items()
                ));
                print::note(&format!("verified  both have the digest {:032x}", from.digest));
            }
            return;
        }
        let message = format!(
            "the copy is not the same: {} items from there, {} here, {} in whose place is something else",
            from.items(),
            to.items(),
            adopted.differs
        );
        print::error(&message, "stop the ticks of both and copy again, into an empty one");
    }
}

/// No configuration has a say in which run-logs are meant.
fn on(url: &str) -> Session {
    let config = ConfigArgs { config: Vec::new(), env: None };
    Session::load_quietly(&config, &RunLogArgs { run_log_url: Some(url.into()), no_run_log: false })
}
