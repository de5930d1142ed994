//! `tickward version`: the program, its zone database and what is built in.

use super::exit::Exit;
use super::print::{self, Format};
use crate::runlog;

/// Prints the version, the zone database's and what is built in
#[derive(clap::Args, Debug)]
pub struct Version {
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Version {
    pub fn execute(&self) -> Exit {
        match self.output {
            Format::Text => print::out(&format!("tickward {}\n", text())),
            Format::Json => print::json(&serde_json::json!({
                "version": env!("CARGO_PKG_VERSION"),
                "zone_database": crate::schedule::database_version(),
                "run_logs": run_logs(),
            })),
        }
        Exit::Done
    }
}

/// The version in one line.
pub fn text() -> String {
    format!(
        "{} (time zones {}; run-logs: {})",
        env!("CARGO_PKG_VERSION"),
        crate::schedule::database_version(),
        run_logs().join(", ")
    )
}

fn run_logs() -> Vec<&'static str> {
    runlog::SCHEMES.iter().filter(|scheme| scheme.backend.is_some()).map(|scheme| scheme.names[0]).collect()
}
