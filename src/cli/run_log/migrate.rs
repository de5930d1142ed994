//! `tickward run-log migrate`: the tables are made, or brought up to what this program needs.

use std::sync::Arc;

use serde_json::json;

use super::super::exit::Exit;
use super::super::print::{self, Format};
use super::super::session::run_log_failed;
use super::super::{block_on, run_log::Address};
use crate::clock::SystemClock;
use crate::runlog::{Purpose, tables_of};
use crate::scheme;

/// Makes the tables, or brings them up to what this program needs, and says what it did
#[derive(clap::Args, Debug)]
pub struct Migrate {
    #[command(flatten)]
    address: Address,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Migrate {
    pub fn work(&self) -> Result<Exit, Exit> {
        let session = self.address.session()?;
        let run_log = session.run_log(Purpose::Work, Arc::new(SystemClock))?;
        let facts = block_on(run_log.facts())?.map_err(|error| run_log_failed(&error))?;
        let url = session.run_log_url().unwrap_or_default();
        let name = scheme::of(&url).unwrap_or("sqlite");
        let all = tables_of(name).map_or(&[][..], |kind| kind.migrations);
        let applied: Vec<_> = all.iter().skip(facts.found as usize).map(|migration| migration.name).collect();
        let shown = session.run_log_shown().unwrap_or_default();
        match self.output {
            Format::Json => print::json(&json!({
                "run_log": shown, "found": facts.found, "form": facts.form, "applied": applied,
            })),
            Format::Text if applied.is_empty() => {
                print::note(&format!("{shown}: has form {}, nothing is missing", facts.form))
            }
            Format::Text => {
                applied.iter().for_each(|name| print::note(&format!("applied   {name}")));
                print::note(&format!("{shown}: had form {}, has form {}", facts.found, facts.form));
            }
        }
        Ok(Exit::Done)
    }
}
