//! `tickward doctor`: what is wrong with this installation, and what to do about it.
//!
//! `pipelines` looks at what is configured, `host` at files, clock and callers, `record` at the run-log, `production` is a
//! checklist on top.
//!
//! Holds always: it only looks; nothing is created, not even where the run-log would be.

mod finding;
mod host;
mod line;
mod pipelines;
mod production;
mod record;

use anstyle::AnsiColor;
use serde_json::json;

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session};
use crate::clock::{Clock, SystemClock};
use crate::config::Severity;
use finding::{Findings, Level};

/// Looks for what is wrong with this installation, and says what to do about it
#[derive(clap::Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// Ask of every pipeline what production asks for: owner, runbook, timeout, retry, alerts
    #[arg(long)]
    production: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Doctor {
    pub fn execute(&self) -> Exit {
        let session = Session::load_quietly(&self.config, &self.run_log);
        let now = SystemClock.now();
        let mut findings = Findings::default();
        configuration(&session, &mut findings);
        pipelines::look(&session.loaded.pipelines, now, &mut findings);
        host::look(&session, now, &mut findings);
        record::look(&session, &mut findings);
        if self.production {
            production::look(&session.loaded, &mut findings);
        }
        let is_wrong = findings.all.iter().any(|finding| finding.level == Level::Wrong);
        let exit = if is_wrong { Exit::Failed } else { Exit::Done };
        match self.output {
            Format::Json => print::json(&json!({ "findings": findings.all, "rc": exit.code() })),
            Format::Text => print_text(&findings),
        }
        exit
    }
}

fn configuration(session: &Session, findings: &mut Findings) {
    let loaded = &session.loaded;
    for problem in &loaded.problems {
        let place = problem.place.as_ref().map(|place| match place.line {
            0 => format!(" ({})", place.file),
            line => format!(" ({}:{line})", place.file),
        });
        let place = place.unwrap_or_default();
        let what = format!("{}{place}", problem.message);
        let level = if problem.severity == Severity::Error { Level::Wrong } else { Level::Advice };
        findings.add(
            level,
            "configuration",
            problem.pipeline.as_deref(),
            &what,
            problem.help.as_deref().unwrap_or_default(),
        );
    }
    if !loaded.has_errors() {
        findings.add(Level::Good, "configuration", None, &format!("{} pipelines load", loaded.pipelines.len()), "");
    }
}

fn print_text(findings: &Findings) {
    let mut text = String::new();
    for finding in &findings.all {
        let (word, colour) = match finding.level {
            Level::Good => ("good  ", AnsiColor::Green),
            Level::Advice => ("advice", AnsiColor::Yellow),
            Level::Wrong => ("wrong ", AnsiColor::Red),
        };
        let whose = finding.pipeline.as_ref().map(|name| format!("`{name}`: ")).unwrap_or_default();
        let line = print::printable(&format!("{whose}{}", finding.what));
        text += &format!("{} {:<13}  {line}\n", print::painted_out(word, colour), finding.check);
        if !finding.help.is_empty() {
            text += &format!("{:22}help: {}\n", "", print::printable(&finding.help));
        }
    }
    let count = |level| findings.all.iter().filter(|finding| finding.level == level).count();
    print::out(&format!("{text}{} wrong, {} to consider\n", count(Level::Wrong), count(Level::Advice)));
}
