//! `tickward simulate`: what would happen in a span of time, by the rules of real ticks and without running anything.
//!
//! The ticks are those of `run-due`, over a run-log in memory and by a clock that jumps (`course`). What bodies do is not
//! known: each takes the time that it is said to take, and succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::exit::Exit;
use super::print::{self, Format};
use super::run_due::{RunDue, WorkArgs, parse_duration};
use super::session::{ConfigArgs, RunLogArgs, Session};
use super::typed;
use crate::occurrence::PipelineId;
use crate::pipeline::Pipeline;
use crate::tick::Options;

mod clock;
mod clock_changes;
mod course;
mod findings;
mod pretend;
mod store;
mod tell;

/// How long a body takes where nothing is said.
const TAKES: Duration = Duration::from_secs(30);
/// Longer spans are refused.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// Shows what would happen in a span of time: what runs, what is skipped and why, what starts at once
#[derive(clap::Args, Debug)]
pub struct Simulate {
    #[command(flatten)]
    config: ConfigArgs,
    /// The first instant of the span
    #[arg(long, value_name = "T", value_parser = typed::instant)]
    from: Timestamp,
    /// The end of the span, itself not in it
    #[arg(long, value_name = "T", value_parser = typed::instant)]
    to: Timestamp,
    /// Tell of these pipelines only; what they depend on is played too; may be repeated
    #[arg(long, value_name = "NAME|tag:T")]
    only: Vec<String>,
    /// How long a run takes: of every pipeline, or of one; may be repeated, or a list with commas [default: 30s]
    #[arg(long, value_name = "D|NAME=D", value_delimiter = ',')]
    durations: Vec<String>,
    /// How many pipelines a tick may run at once [default: 4 for each processor, at least 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Simulate {
    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| exit)
    }

    fn work(&self) -> Result<Exit, Exit> {
        let no_run_log = RunLogArgs { run_log_url: None, no_run_log: true };
        let session = Session::load(&self.config, &no_run_log)?;
        self.check_span()?;
        let told = RunDue::selected(&session, &self.only)?;
        let durations = self.durations(&session)?;
        let play = course::Play {
            pipelines: with_upstreams(&session.loaded.pipelines, &told),
            from: self.from,
            to: self.to,
            durations,
            options: Options { jobs: WorkArgs { jobs: self.jobs, time_budget: None }.jobs(), ..Options::default() },
        };
        let reports = course::play(play).map_err(|why| {
            print::error(&format!("the simulation failed: {why}"), "");
            Exit::Failed
        })?;
        let ids: BTreeSet<PipelineId> = told.iter().map(|pipeline| pipeline.id.clone()).collect();
        let findings = findings::find(&reports, &ids, self.from, self.to);
        let changes = clock_changes::find(told.into_iter(), self.from, self.to);
        let exit = session.exit();
        match self.output {
            Format::Json => print::json(&tell::as_json(self, &findings, &changes, exit)),
            Format::Text => print::out(&tell::as_text(self, &findings, &changes)),
        }
        Ok(exit)
    }

    fn check_span(&self) -> Result<(), Exit> {
        let span = self.to.duration_since(self.from);
        let message = match span {
            _ if self.from >= self.to => "the span is empty: `--from` is not before `--to`",
            _ if span > LONGEST => "the span is longer than ten years",
            _ => return Ok(()),
        };
        print::error(message, "a month or a year shows most of what can happen");
        Err(Exit::Usage)
    }

    /// How long each pipeline takes, by its full name.
    fn durations(&self, session: &Session) -> Result<BTreeMap<String, Duration>, Exit> {
        let read = |text: &str| {
            parse_duration(text).map_err(|help| {
                print::error(&format!("`{text}` is no duration"), &help);
                Exit::Usage
            })
        };
        let mut of_all = TAKES;
        let mut of_one = BTreeMap::new();
        for text in &self.durations {
            match text.split_once('=') {
                Some((name, text)) => {
                    of_one.insert(session.pipeline(name)?.id.to_string(), read(text)?);
                }
                None => of_all = read(text)?,
            }
        }
        let names = session.loaded.pipelines.iter().map(|pipeline| pipeline.id.to_string());
        Ok(names.map(|name| (of_one.get(&name).copied().unwrap_or(of_all), name)).map(|(d, name)| (name, d)).collect())
    }
}

/// These pipelines, and all that they depend on.
fn with_upstreams(all: &[Pipeline], told: &[&Pipeline]) -> Vec<Pipeline> {
    let mut wanted: BTreeSet<&PipelineId> = BTreeSet::new();
    let mut next: Vec<&PipelineId> = told.iter().map(|pipeline| &pipeline.id).collect();
    while let Some(id) = next.pop() {
        let found = all.iter().find(|pipeline| pipeline.id == *id).filter(|_| wanted.insert(id));
        next.extend(found.into_iter().flat_map(|pipeline| &pipeline.depends_on).map(|upstream| &upstream.pipeline));
    }
    all.iter().filter(|pipeline| wanted.contains(&pipeline.id)).cloned().collect()
}
