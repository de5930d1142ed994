//! `tickward why`: why a pipeline runs, or did or does not.
//!
//! What happened is taken from the history, what would happen from what a tick would decide (`tick::would_decide`). The
//! facts that they rest on are in `why/gates`; no rule is written down here a second time.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::block_on;
use super::exit::Exit;
use super::foreseen::{self, Foreseen};
use super::history;
use super::print::{self, Format};
use super::session::{Session, run_log_failed};
use super::typed;
use super::verb::Place;
use crate::occurrence::{PipelineId, Run, whole_micros};
use crate::pipeline::Pipeline;
use crate::plan::Decision;
use crate::run::{Attempt, NotRun};
use crate::runlog::contract::{Query, Record, Scope, View};
use crate::runlog::{Purpose, RunLog};
use crate::tick::{Pipelines, rfc3339, would_decide};

mod answer;
mod gates;

/// Says why a pipeline did, does or does not run: every gate on the way, and one sentence
#[derive(clap::Args, Debug)]
pub struct Why {
    /// Which pipeline
    name: String,
    /// The instant in question [default: what runs or is due, else the latest occurrence]
    #[arg(long, value_name = "T", value_parser = typed::instant)]
    at: Option<Timestamp>,
    #[command(flatten)]
    place: Place,
}

/// All that there is to say about one instant.
struct Question<'a> {
    id: &'a PipelineId,
    pipeline: Option<&'a Pipeline>,
    is_broken: bool,
    pipelines: &'a Pipelines<'a>,
    view: &'a View,
    /// What a tick would decide now.
    decision: Option<Decision>,
    /// The instant in question; none where the pipeline never ran and nothing makes it due.
    at: Option<Timestamp>,
    /// Attempts of that run, the last one first.
    attempts: Vec<Attempt>,
    /// What was recorded of it without being run.
    not_run: Option<NotRun>,
    /// So many records of this host's spool are counted in that the run-log does not have yet.
    from_spool: usize,
}

impl Why {
    pub fn execute(&self) -> Exit {
        let session = Session::load_quietly(&self.place.config, &self.place.run_log());
        self.answer(&session).unwrap_or_else(|exit| exit)
    }

    fn answer(&self, session: &Session) -> Result<Exit, Exit> {
        let run_log = session.run_log(Purpose::Read, self.place.clock())?;
        let id = history::id_of(session, &self.name)?;
        let loaded = &session.loaded;
        let pipeline = loaded.pipelines.iter().find(|pipeline| pipeline.id == id);
        let upstreams = pipeline.into_iter().flat_map(|pipeline| &pipeline.depends_on);
        let scope: Vec<_> =
            std::iter::once(id.clone()).chain(upstreams.map(|upstream| upstream.pipeline.clone())).collect();
        let mut view = block_on(run_log.load(Scope::Only(scope.clone())))?.map_err(|error| run_log_failed(&error))?;
        let foreseen = foreseen::told(session, &run_log)?;
        if let Some(foreseen) = &foreseen {
            view = block_on(foreseen.view(Scope::Only(scope), view))?.map_err(|error| run_log_failed(&error))?;
        }
        let is_broken = loaded.broken.iter().any(|broken| *broken == id.to_string() || broken == id.name.as_str());
        if pipeline.is_none() && !is_broken && !view.rows.contains_key(&id) {
            let all = block_on(run_log.load(Scope::All))?.map_err(|error| run_log_failed(&error))?;
            return Err(history::refuse_unknown(session, all.rows.keys(), &self.name));
        }
        if is_broken {
            session.tell_problems();
        }
        let pipelines: Pipelines<'_> = loaded.pipelines.iter().map(|p| (p.id.clone(), p)).collect();
        let decision = pipeline.map(|pipeline| would_decide(pipeline, &pipelines, &view));
        let at = self.at.map(whole_micros).or_else(|| subject(&id, pipeline, decision.as_ref(), &view));
        let (attempts, not_run) = recorded(&run_log, foreseen.as_ref(), &id, at)?;
        let from_spool = foreseen.map_or(0, |foreseen| foreseen.records);
        let is_broken = is_broken && pipeline.is_none();
        let question = Question {
            id: &id,
            pipeline,
            is_broken,
            pipelines: &pipelines,
            view: &view,
            decision,
            at,
            attempts,
            not_run,
            from_spool,
        };
        self.print(&question);
        Ok(Exit::Done)
    }

    fn print(&self, question: &Question<'_>) {
        let answer = answer::of(question);
        let gates = gates::of(question, answer.stops);
        if self.place.output == Format::Json {
            return print::json(&json!({
                "pipeline": question.id.to_string(),
                "at": question.at.map(rfc3339),
                "gates": gates.iter().map(|gate| json!({
                    "gate": gate.name,
                    "verdict": gate.verdict(),
                    "fact": gate.fact,
                })).collect::<Vec<_>>(),
                "answer": answer.sentence,
                "spool": question.from_spool,
            }));
        }
        let rows = gates
            .iter()
            .map(|gate| vec![gate.name.to_string(), gate.verdict().to_string(), print::printable(&gate.fact)]);
        print::out(&print::table(&["gate", "", "fact"], rows.collect()));
        print::out(&format!("\n{}\n", print::printable(&answer.sentence)));
    }
}

/// What a person who names no instant asks about.
fn subject(
    id: &PipelineId,
    pipeline: Option<&Pipeline>,
    decision: Option<&Decision>,
    view: &View,
) -> Option<Timestamp> {
    let active = view.open.get(id).into_iter().flatten().rfind(|attempt| attempt.is_active());
    let claimed = decision.and_then(|decision| decision.claim.as_ref()).map(|draft| draft.run.scheduled_for);
    let waiting = decision.and_then(|decision| decision.waiting.as_ref()).map(|waiting| waiting.run.scheduled_for);
    let passed = decision.and_then(|decision| decision.not_run.last()).map(|entry| entry.last);
    let schedule = pipeline.and_then(|pipeline| pipeline.schedule.as_ref());
    let latest = schedule.and_then(|schedule| schedule.previous_at_or_before(view.now));
    let last = view.rows.get(id).and_then(|row| row.last.as_ref()).map(|last| last.scheduled_for);
    let due = claimed.or(waiting).or(passed);
    due.or(active.map(|attempt| attempt.run.scheduled_for)).or(latest).or(last)
}

/// What became of the occurrence of `at`, as a fragment; none where the history has nothing of it.
///
/// # Errors
/// `RunLog`, after saying why.
pub fn became(run_log: &Arc<dyn RunLog>, id: &PipelineId, at: Timestamp) -> Result<Option<String>, Exit> {
    let (attempts, not_run) = recorded(run_log, None, id, Some(at))?;
    Ok(answer::became(attempts.first(), not_run.as_ref()))
}

/// What the history has of the run of `at`: its attempts, the last one first, and why it was not run.
fn recorded(
    run_log: &Arc<dyn RunLog>,
    foreseen: Option<&Foreseen>,
    id: &PipelineId,
    at: Option<Timestamp>,
) -> Result<(Vec<Attempt>, Option<NotRun>), Exit> {
    let Some(scheduled_for) = at else { return Ok((Vec::new(), None)) };
    let run = Run { pipeline: id.clone(), scheduled_for };
    let query = Query { run: Some(run.clone()), limit: 1000, ..Query::default() };
    let records = block_on(run_log.history(query))?.map_err(|error| run_log_failed(&error))?;
    let (mut attempts, mut not_run) = (Vec::new(), None);
    for record in records {
        match record {
            Record::Attempt(attempt) => attempts.push(*attempt),
            Record::NotRun(entry) => not_run = not_run.or(Some(entry)),
        }
    }
    if let Some(foreseen) = foreseen {
        attempts = block_on(foreseen.attempts(&run, attempts))?.map_err(|error| run_log_failed(&error))?;
    }
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.number));
    Ok((attempts, not_run))
}

impl Question<'_> {
    /// Whether the instant is one of the schedule's; none where there is no schedule.
    fn is_occurrence(&self) -> Option<bool> {
        let schedule = self.pipeline?.schedule.as_ref()?;
        Some(schedule.previous_at_or_before(self.at?) == self.at)
    }

    /// Whether a person does not want the run of the instant, which is not decided yet.
    fn is_skipped(&self) -> bool {
        let skips = self.view.rows.get(self.id).map_or(&[][..], |row| &row.standing.skips);
        self.at.is_some_and(|at| skips.contains(&at.as_microsecond()))
    }

    fn open(&self) -> impl Iterator<Item = &Attempt> {
        self.view.open.get(self.id).into_iter().flatten()
    }
}
