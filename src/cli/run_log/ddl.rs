//! `tickward run-log ddl`: the statements that make the tables.

use super::super::exit::Exit;
use super::super::print;
use super::super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use crate::runlog::{DDL, Schema, must_be_built_in, tables_of};
use crate::scheme;

/// Prints the statements that make the tables, in order, for a person to apply
#[derive(clap::Args, Debug)]
pub struct Ddl {
    /// For which kind of store [default: that of the run-log in use]
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// Print instead those of two views, `run_log` and `attempt_state`, with the columns of ematix-flow's tables
    #[arg(long)]
    views: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Ddl {
    pub fn work(&self) -> Result<Exit, Exit> {
        let dialect = self.found()?;
        if self.views {
            print::out(dialect.views);
            return Ok(Exit::Done);
        }
        let mut text = String::new();
        for (done, migration) in dialect.migrations.iter().enumerate() {
            text.push_str(&format!("-- {} {}: form {}\n", dialect.name, migration.name, done + 1));
            text.push_str(migration.statements.trim_end());
            text.push_str("\n\n");
        }
        let (form, key) = (dialect.migrations.len(), dialect.meta_key);
        text.push_str(&format!(
            "-- which form this is\nINSERT INTO tickward_meta ({key}, value) VALUES ('schema', '{form}'), ('needs', '1');\n"
        ));
        if !dialect.grants.is_empty() {
            text.push_str(&format!("\n-- for a role that creates no tables\n{}\n", dialect.grants.trim_end()));
        }
        print::out(&text);
        Ok(Exit::Done)
    }

    fn found(&self) -> Result<&'static Schema, Exit> {
        let of_url = || {
            let none = RunLogArgs { run_log_url: None, no_run_log: false };
            let url = Session::load_quietly(&self.config, &none).run_log_url().unwrap_or_default();
            scheme::of(&url).unwrap_or("sqlite").to_owned()
        };
        let name = self.dialect.clone().unwrap_or_else(of_url);
        must_be_built_in(&name).map_err(|error| run_log_failed(&error))?;
        tables_of(&name).ok_or_else(|| {
            let names: Vec<_> = DDL.iter().map(|dialect| dialect.name).collect();
            let help = format!("known are: {}", names.join(", "));
            print::error(&format!("there are no tables of the kind `{name}`"), &help);
            Exit::Usage
        })
    }
}
