//! `tickward run-log`: looks after the run-log itself.
//!
//! One file for each verb; what they share is how an address is named.

use super::exit::Exit;
use super::print;
use super::session::{ConfigArgs, RunLogArgs, Session};

mod check;
mod copy;
mod ddl;
mod migrate;
mod race;
mod show;
mod transfer;

/// Looks after the run-log: whether it is fit for use, what it knows, its tables, another place for it
#[derive(clap::Args, Debug)]
pub struct RunLogCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Check(check::Check),
    Show(show::Show),
    Copy(copy::Copy),
    Migrate(migrate::Migrate),
    Ddl(ddl::Ddl),
}

impl RunLogCommand {
    pub fn execute(&self) -> Exit {
        let done = match &self.what {
            What::Check(check) => check.work(),
            What::Show(show) => show.work(),
            What::Copy(copy) => copy.work(),
            What::Migrate(migrate) => migrate.work(),
            What::Ddl(ddl) => ddl.work(),
        };
        done.unwrap_or_else(|exit| exit)
    }
}

/// Which run-log
#[derive(clap::Args, Debug)]
struct Address {
    /// Its address [default: the one that ticks use]
    #[arg(value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Address {
    /// The configuration as far as it can be read, on that run-log.
    ///
    /// # Errors
    /// `Usage` where none is named, after saying so.
    fn session(&self) -> Result<Session, Exit> {
        let none = RunLogArgs { run_log_url: self.url.clone(), no_run_log: false };
        let session = Session::load_quietly(&self.config, &none);
        match session.run_log_url() {
            Some(_) => Ok(session),
            None => {
                print::error("no run-log is named", "name one: its URL, or `run_log:` in the configuration");
                Err(Exit::Usage)
            }
        }
    }
}
