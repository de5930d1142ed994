//! What pause, resume, reset, skip and cancel have in common: find the pipelines, change each, say what became of it.
//!
//! Pipelines that no file has any more are decided about by what the run-log knows: as if they had no schedule.
//!
//! Holds always: a run-log that is not there is not made; what is so already is said and is no failure.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::chosen::chosen;
use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, degraded, history, typed};
use crate::clock::{Clock, Shifted, SystemClock};
use crate::config::{self, Environment, Source};
use crate::occurrence::PipelineId;
use crate::pipeline::Pipeline;
use crate::plan::{Decision, Situation};
use crate::run::Attempt;
use crate::runlog::contract::{Scope, View};
use crate::runlog::{Error, RunLog};
use crate::tick::{self, Controlled, Pipelines, StopWish};

/// Where a command looks, and by which time
#[derive(clap::Args, Debug, Clone)]
pub struct Place {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Run-log to use [default: sqlite, in the state folder]
    #[arg(long, value_name = "URL")]
    pub run_log_url: Option<String>,
    /// Pretend that it is this instant, for tests and rehearsals
    #[arg(long, value_name = "T", value_parser = typed::rehearsed)]
    pub now: Option<Timestamp>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

impl Place {
    /// The time to go by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        clock_at(self.now)
    }

    /// Which run-log: there is no asking without one.
    pub fn run_log(&self) -> RunLogArgs {
        RunLogArgs { run_log_url: self.run_log_url.clone(), no_run_log: false }
    }

    /// The configuration as far as it can be read, and the run-log that is there, with what this host has done without it.
    ///
    /// # Errors
    /// As `Session::existing_run_log`.
    pub fn open(&self) -> Result<(Session, Arc<dyn RunLog>), Exit> {
        let session = Session::load_quietly(&self.config, &self.run_log());
        let run_log = session.existing_run_log(self.now.is_some(), self.clock())?;
        if self.now.is_none() {
            degraded::recover_into(&session, &run_log, self.clock())?;
        }
        Ok((session, run_log))
    }
}

/// The machine's clock, or one that was set to `now` this moment.
pub fn clock_at(now: Option<Timestamp>) -> Arc<dyn Clock> {
    match now {
        None => Arc::new(SystemClock),
        Some(now) => Arc::new(Shifted::starting_at(now, SystemClock)),
    }
}

/// Which pipelines, and where they are
#[derive(clap::Args, Debug)]
pub struct Several {
    /// Which pipelines: names, patterns with `*` and `?`, or `tag:T`
    #[arg(value_name = "NAME|PATTERN|tag:T", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// All that the configuration or the run-log knows
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub place: Place,
}

/// What is said of one pipeline.
#[derive(Debug, Default)]
pub struct Told {
    /// A word and the rest of a line, where it was done.
    pub done: String,
    /// The same where it was so already.
    pub already: String,
    /// Beside `pipeline` and `changed` in the JSON object.
    pub more: Value,
}

/// Whether a command has to know the schedule of what it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// What the run-log knows is enough.
    Row,
    /// A pipeline whose file is broken is refused.
    Schedule,
}

/// Everything that a command changes the pipelines with.
pub struct Verb {
    pub session: Session,
    pub run_log: Arc<dyn RunLog>,
    pub ids: Vec<PipelineId>,
}

impl Verb {
    /// Opens what `several` names.
    ///
    /// # Errors
    /// `Usage` for names that nobody knows; else as `Place::open`; after saying so.
    pub fn open(several: &Several, needs: Needs) -> Result<Verb, Exit> {
        let (session, run_log) = several.place.open()?;
        let view = load(&*run_log)?;
        let ids: Vec<_> = chosen(&session, &view, &several.names, several.all)?.into_iter().collect();
        let is_broken = |id: &&PipelineId| {
            let names = &session.loaded.broken;
            let is_whole = session.loaded.pipelines.iter().any(|pipeline| pipeline.id == **id);
            !is_whole && names.iter().any(|broken| *broken == id.to_string() || broken == id.name.as_str())
        };
        if let Some(id) = ids.iter().find(is_broken).filter(|_| needs == Needs::Schedule) {
            print::error(
                &format!("pipeline `{id}` is broken"),
                "mend it first: `tickward validate` says what is wrong",
            );
            return Err(Exit::Usage);
        }
        Ok(Verb { session, run_log, ids })
    }

    /// Changes each as `ask` decides, and prints what became of it.
    pub fn obey(&self, format: Format, ask: impl Fn(&Situation<'_>) -> (Decision, Told)) -> Exit {
        self.obey_each(format, &ask)
    }

    /// Compiled once, whatever is asked for.
    fn obey_each(&self, format: Format, ask: &dyn Fn(&Situation<'_>) -> (Decision, Told)) -> Exit {
        let pipelines: Pipelines<'_> = self.session.loaded.pipelines.iter().map(|p| (p.id.clone(), p)).collect();
        let (mut exit, mut list) = (Exit::Done, Vec::new());
        for id in &self.ids {
            let stand_in;
            let pipeline = match pipelines.get(id) {
                Some(pipeline) => *pipeline,
                None => {
                    stand_in = without_schedule(id);
                    match &stand_in {
                        Some(pipeline) => pipeline,
                        None => continue,
                    }
                }
            };
            match block_on(tick::control(&*self.run_log, pipeline, &pipelines, ask)) {
                Err(failed) => return failed,
                Ok(Err(error @ Error::Unknown { .. })) => {
                    let help = "look with `tickward status`, then ask again";
                    print::error(&format!("{error}; for `{id}` it may have been done or not"), help);
                    return Exit::RunLog;
                }
                Ok(Err(error)) => return run_log_failed(&error),
                Ok(Ok(Controlled::Busy)) => {
                    let help = "nothing was done for it: try again";
                    print::error(&format!("`{id}` was changed by others again and again"), help);
                    exit = exit.or_worse(Exit::Busy);
                }
                Ok(Ok(Controlled::Done(told))) => tell(format, id, true, told, &mut list),
                Ok(Ok(Controlled::Already(told))) => tell(format, id, false, told, &mut list),
            }
        }
        if format == Format::Json {
            print::json(&Value::Array(list));
        }
        exit
    }
}

/// Takes over what workers that are gone have left of `ids`, as the next tick would, and says so in the text form; returns
/// what has ended by it.
///
/// # Errors
/// `RunLog`, after saying why.
pub async fn take_over(
    session: &Session,
    run_log: &Arc<dyn RunLog>,
    place: &Place,
    ids: &[PipelineId],
) -> Result<Vec<Attempt>, Exit> {
    let (_asks, stop) = watch::channel(StopWish::None);
    let env = session.env_with(run_log.clone(), place.clock(), stop);
    let taken = tick::take_over_left(&env, ids).await.map_err(|error| run_log_failed(&error))?;
    for attempt in taken.iter().filter(|_| place.output == Format::Text) {
        let Attempt { run, number, .. } = attempt;
        let what = format!("the worker of its run of {} is gone", tick::rfc3339(run.scheduled_for));
        print::note(&format!("{}: {what}: attempt {number} is {}", run.pipeline, history::state_word(attempt)));
    }
    Ok(taken)
}

/// All that the run-log knows.
///
/// # Errors
/// `RunLog`, after saying why.
pub fn load(run_log: &dyn RunLog) -> Result<View, Exit> {
    block_on(run_log.load(Scope::All))?.map_err(|error| run_log_failed(&error))
}

fn tell(format: Format, id: &PipelineId, changed: bool, told: Told, list: &mut Vec<Value>) {
    if format == Format::Text {
        let words = if changed { told.done } else { told.already };
        print::note(&print::printable(&format!("{id}: {words}")));
        return;
    }
    let mut object = json!({ "pipeline": id.to_string(), "changed": changed });
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), told.more) {
        object.extend(more);
    }
    list.push(object);
}

/// A pipeline of that name that nothing makes due. Read like any other, so that it lacks nothing that one has.
fn without_schedule(id: &PipelineId) -> Option<Pipeline> {
    let text = "pipelines: { gone: { command: ['true'] } }";
    let nothing: [(String, String); 0] = [];
    let sources = [Source::Text { name: "gone".into(), text: text.into() }];
    let pipeline = config::load(&sources, &Environment::of(nothing)).pipelines.pop()?;
    Some(Pipeline { id: id.clone(), ..pipeline })
}
