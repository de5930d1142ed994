//! `tickward list`: the registered pipelines and when each is due.

use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session};
use crate::clock::{Clock, SystemClock};
use crate::pipeline::Pipeline;
use crate::tick::rfc3339;

/// Lists the registered pipelines
#[derive(clap::Args, Debug)]
pub struct List {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl List {
    pub fn execute(&self) -> Exit {
        let no_run_log = RunLogArgs { run_log_url: None, no_run_log: true };
        let session = match Session::load(&self.config, &no_run_log) {
            Ok(session) => session,
            Err(exit) => return exit,
        };
        let pipelines = &session.loaded.pipelines;
        match self.output {
            Format::Json => print::json(&pipelines.iter().map(as_json).collect()),
            Format::Text => {
                let mut rows: Vec<_> = pipelines.iter().map(as_row).collect();
                rows.extend(
                    session.loaded.broken.iter().map(|name| {
                        vec![name.clone(), "broken: see above".into(), "–".into(), "–".into(), String::new()]
                    }),
                );
                print::out(&print::table(&["pipeline", "schedule", "zone", "next", "command"], rows));
            }
        }
        session.exit()
    }
}

/// The next occurrence, none for pipelines without a schedule.
fn next_of(pipeline: &Pipeline) -> Option<jiff::Timestamp> {
    pipeline.schedule.as_ref()?.next_after(SystemClock.now())
}

/// The schedule as written; what it follows, where it has none of its own.
pub fn schedule_of(pipeline: &Pipeline) -> String {
    let upstreams: Vec<String> = pipeline.depends_on.iter().map(|upstream| upstream.pipeline.to_string()).collect();
    match &pipeline.schedule {
        Some(schedule) => schedule.texts().join(" | "),
        None if upstreams.is_empty() => "by hand".into(),
        None => format!("after {}", upstreams.join(", ")),
    }
}

fn zone_of(pipeline: &Pipeline) -> String {
    pipeline.zone.iana_name().unwrap_or("UTC").into()
}

fn as_row(pipeline: &Pipeline) -> Vec<String> {
    let shown: String = pipeline.command.shown.lines().next().unwrap_or_default().chars().take(60).collect();
    vec![
        pipeline.id.to_string(),
        schedule_of(pipeline),
        zone_of(pipeline),
        next_of(pipeline).map_or("–".into(), print::instant),
        print::printable(&shown),
    ]
}

fn as_json(pipeline: &Pipeline) -> Value {
    json!({
        "pipeline": pipeline.id.name.as_str(),
        "namespace": pipeline.id.namespace.as_str(),
        "description": pipeline.description,
        "owner": pipeline.owner,
        "runbook": pipeline.runbook,
        "tags": pipeline.tags,
        "schedule": pipeline.schedule.as_ref().map(|schedule| schedule.texts()),
        "timezone": zone_of(pipeline),
        "next": next_of(pipeline).map(rfc3339),
        "command": pipeline.command.shown,
    })
}
