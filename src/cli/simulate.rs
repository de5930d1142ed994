//! `tickward simulate`: what would happen in a span of time, by the rules of real ticks and without running anything.
//!
//! The ticks are those of `run-due`, over a run-log in memory and by a clock that jumps (`course`). What bodies do is not
//! known: each takes the time that it is said to take, and succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::exit::Exit;
use super::print::{self, Format};
use super::run_due::{RunDue, WorkArgs, parse_duration};
use super::session::{ConfigArgs, RunLogArgs, Session};
use super::typed::{self, When};
use crate::clock::{Clock, SystemClock};
use crate::occurrence::PipelineId;
use crate::pipeline::Pipeline;
use crate::schedule::Schedule;
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
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    from: When,
    /// The end of the span, itself not in it
    #[arg(long, value_name = "T|DATE|AGO", value_parser = typed::when, allow_hyphen_values = true)]
    to: When,
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

/// The span as it was meant.
#[derive(Clone, Copy)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Simulate {
    pub fn execute(&self) -> Exit {
        self.work().unwrap_or_else(|exit| exit)
    }

    fn work(&self) -> Result<Exit, Exit> {
        let no_run_log = RunLogArgs { run_log_url: None, no_run_log: true };
        let session = Session::load(&self.config, &no_run_log)?;
        let told = RunDue::selected(&session, &self.only)?;
        let span = self.span(&told)?;
        check(span)?;
        let durations = self.durations(&session)?;
        let play = course::Play {
            pipelines: with_upstreams(&session.loaded.pipelines, &told),
            from: span.from,
            to: span.to,
            durations,
            options: Options { jobs: WorkArgs { jobs: self.jobs, time_budget: None }.jobs(), ..Options::default() },
        };
        let reports = course::play(play).map_err(|why| {
            print::error(&format!("the simulation failed: {why}"), "");
            Exit::Failed
        })?;
        let ids: BTreeSet<PipelineId> = told.iter().map(|pipeline| pipeline.id.clone()).collect();
        let findings = findings::find(&reports, &ids, span.from, span.to);
        let changes = clock_changes::find(told.into_iter(), span.from, span.to);
        let exit = session.exit();
        match self.output {
            Format::Json => print::json(&tell::as_json(span, &findings, &changes, exit)),
            Format::Text => print::out(&tell::as_text(span, &findings, &changes)),
        }
        Ok(exit)
    }

    /// From when to when; days begin in the zone of the pipelines.
    fn span(&self, told: &[&Pipeline]) -> Result<Span, Exit> {
        let refuse = |message: &str, help: &str| {
            print::error(message, help);
            Exit::Usage
        };
        let mut zones = told.iter().filter_map(|pipeline| pipeline.schedule.as_ref()).map(Schedule::zone);
        let zone = zones.next().cloned().unwrap_or(TimeZone::UTC);
        let is_a_day = [self.from, self.to].iter().any(|when| matches!(when, When::Day(_)));
        if is_a_day && zones.any(|other| *other != zone) {
            let help = "write instants, as 2026-11-01T00:00:00+01:00, or choose pipelines of one zone with `--only`";
            return Err(refuse("the day begins at different instants: the pipelines are in several zones", help));
        }
        let resolve = |when: When| when.resolve(SystemClock.now(), &zone).map_err(|message| refuse(&message, ""));
        Ok(Span { from: resolve(self.from)?, to: resolve(self.to)? })
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

fn check(span: Span) -> Result<(), Exit> {
    let length = span.to.duration_since(span.from);
    let message = match length {
        _ if span.from >= span.to => "the span is empty: `--from` is not before `--to`",
        _ if length > LONGEST => "the span is longer than ten years",
        _ => return Ok(()),
    };
    print::error(message, "a month or a year shows most of what can happen");
    Err(Exit::Usage)
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
