//! `tickward forget`: what the run-log knows of a pipeline is removed.

use serde_json::json;

use super::exit::Exit;
use super::print::{self, Format};
use super::session::run_log_failed;
use super::verb::{self, Place};
use super::{block_on, history};
use crate::runlog::Error;
use crate::runlog::contract::Forgotten;

/// Removes what the run-log knows of a pipeline: history, pause and hold, its place in the schedule
#[derive(clap::Args, Debug)]
pub struct Forget {
    /// Which pipeline
    name: String,
    /// Do it; without this it is only said what would be done
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

impl Forget {
    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| exit)
    }

    fn work(&self) -> Result<Exit, Exit> {
        let (session, run_log) = self.place.open()?;
        let id = history::id_of(&session, &self.name)?;
        let view = verb::load(&*run_log)?;
        let is_configured = session.loaded.pipelines.iter().any(|pipeline| pipeline.id == id);
        if !is_configured && !view.rows.contains_key(&id) {
            return Err(history::refuse_unknown(&session, view.rows.keys(), &self.name));
        }
        if !self.yes {
            let what = format!("all that the run-log knows of `{id}` would be removed, for good");
            print::error(&what, "say so with `--yes`; its next occurrence then starts as that of a new pipeline");
            return Err(Exit::Usage);
        }
        block_on(verb::take_over(&session, &run_log, &self.place, std::slice::from_ref(&id)))??;
        let mut forgotten = block_on(run_log.forget(id.clone()))?;
        if matches!(forgotten, Err(Error::Unknown { .. })) {
            // Whether that was done or not, it is after this.
            forgotten = block_on(run_log.forget(id.clone()))?;
        }
        let forgotten = forgotten.map_err(|error| run_log_failed(&error))?;
        let (records, exit) = match forgotten {
            Forgotten::Done { records } => (Some(records), Exit::Done),
            Forgotten::Unknown => (None, Exit::Done),
            Forgotten::Active => {
                let help = format!("wait until it has ended, or `tickward cancel {id} --wait`");
                print::error(&format!("a run of `{id}` is active: nothing was forgotten"), &help);
                (None, Exit::Busy)
            }
        };
        match (self.place.output, records) {
            (Format::Json, _) => print::json(&json!({
                "pipeline": id.to_string(),
                "changed": records.is_some(),
                "records": records.unwrap_or(0),
                "rc": exit.code(),
            })),
            (Format::Text, Some(records)) => {
                print::note(&format!("{id}: forgotten, with {records} records of history"))
            }
            (Format::Text, None) if exit == Exit::Done => print::note(&format!("{id}: nothing is known of it")),
            (Format::Text, None) => {}
        }
        Ok(exit)
    }
}
