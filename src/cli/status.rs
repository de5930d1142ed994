//! `tickward status`: what runs, what failed, what comes next.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, foreseen, history, typed, verb};
use crate::config::Severity;
use crate::occurrence::{Name, PipelineId};
use crate::pipeline::Pipeline;
use crate::plan::{Decision, WaitsFor};
use crate::run::{Attempt, LastEnd, Row, Standing};
use crate::runlog::Purpose;
use crate::runlog::contract::{Scope, View};
use crate::tick::{Pipelines, rfc3339, would_decide};

/// Shows what runs, what failed and what comes next
#[derive(clap::Args, Debug)]
pub struct Status {
    /// Which pipeline [default: all]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// Pretend that it is this instant, for rehearsals
    #[arg(long, value_name = "T", value_parser = typed::rehearsed)]
    now: Option<Timestamp>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How one pipeline stands.
struct Line<'a> {
    id: PipelineId,
    pipeline: Option<&'a Pipeline>,
    active: Vec<&'a Attempt>,
    retry: Option<&'a Attempt>,
    last: Option<&'a LastEnd>,
    failures_in_a_row: u64,
    standing: Option<&'a Standing>,
    /// Nothing starts: somebody has asked for that.
    is_paused: bool,
    waits_for: Option<WaitsFor>,
    next: Option<Timestamp>,
    /// Since when a tick should have started something.
    overdue_since: Option<Timestamp>,
    is_broken: bool,
}

/// A clock that calls a tick every minute is late when something has been due for longer.
const LATE: SignedDuration = SignedDuration::from_secs(90);

impl Status {
    pub fn execute(&self) -> Exit {
        let session = Session::load_quietly(&self.config, &self.run_log);
        let only = match self.name.as_deref().map(|name| history::id_of(&session, name)).transpose() {
            Ok(only) => only,
            Err(exit) => return exit,
        };
        let (view, undelivered) = match self.view(&session) {
            Ok(known) => known,
            Err(exit) => return exit,
        };
        let exit = tell_problems(&session);
        let mut lines = lines(&session, &view);
        lines.retain(|line| only.as_ref().is_none_or(|only| *only == line.id));
        if let (Some(name), true) = (&self.name, lines.is_empty()) {
            return history::refuse_unknown(&session, view.rows.keys(), name);
        }
        match self.output {
            Format::Json => print::json(&lines.iter().map(as_json).collect()),
            Format::Text if lines.is_empty() => print::note("no pipeline is registered, and none has ever run"),
            Format::Text => {
                let runs = lines.iter().any(|line| !line.active.is_empty());
                let header = ["pipeline", "state", "last run", "outcome", "failures", "next", "runs"];
                let columns = if runs { header.len() } else { header.len() - 1 };
                let rows = lines.iter().map(|line| as_row(line).into_iter().take(columns).collect());
                print::out(&print::table(&header[..columns], rows.collect()));
                if undelivered {
                    print::note("alerts could not be delivered yet: `tickward alert list` shows them and why");
                }
                if lines.iter().any(|line| line.overdue_since.is_some()) {
                    print::note("something is overdue: does cron, or what else calls `tickward run-due`, still do so?");
                }
            }
        }
        exit
    }

    /// What is known, and whether an alert was tried in vain.
    fn view(&self, session: &Session) -> Result<(View, bool), Exit> {
        let run_log = session.run_log(Purpose::Read, verb::clock_at(self.now))?;
        let failed = |error| run_log_failed(&error);
        let view = block_on(run_log.load(Scope::All))?.map_err(failed)?;
        let waiting = match view.alerts_pending {
            true => block_on(run_log.outbox())?.map_err(failed)?.waiting,
            false => Vec::new(),
        };
        let undelivered = waiting.iter().any(|waiting| !waiting.error.is_empty());
        let view = match foreseen::told(session, &run_log)? {
            Some(foreseen) => block_on(foreseen.view(Scope::All, view))?.map_err(failed)?,
            None => view,
        };
        Ok((view, undelivered))
    }
}

fn lines<'a>(session: &'a Session, view: &'a View) -> Vec<Line<'a>> {
    let configured: Vec<&PipelineId> = session.loaded.pipelines.iter().map(|pipeline| &pipeline.id).collect();
    let is_left_behind = |id: &PipelineId| view.rows[id].is_guard() && !view.open.contains_key(id);
    let mut unknown: Vec<&PipelineId> = view.rows.keys().filter(|id| !configured.contains(id)).collect();
    unknown.retain(|id| !is_left_behind(id));
    unknown.sort();
    let broken = session.loaded.broken.iter().filter_map(|name| id_as_written(name));
    let broken: Vec<PipelineId> = broken.filter(|id| !configured.contains(&id)).collect();
    unknown.retain(|id| !broken.contains(id));
    let pipelines: Pipelines<'_> = session.loaded.pipelines.iter().map(|p| (p.id.clone(), p)).collect();
    let known = configured.into_iter().chain(unknown).map(|id| line(&pipelines, view, id));
    let broken = broken.iter().map(|id| Line { is_broken: true, ..line(&pipelines, view, id) });
    known.chain(broken).collect()
}

pub fn id_as_written(name: &str) -> Option<PipelineId> {
    let (namespace, name) = name.split_once(':').unwrap_or(("default", name));
    Some(PipelineId { namespace: Name::parse(namespace).ok()?, name: Name::parse(name).ok()? })
}

/// Shows what is wrong with the configuration; having none at all is no mistake of somebody who looks at the run-log.
fn tell_problems(session: &Session) -> Exit {
    let loaded = &session.loaded;
    if loaded.files.is_empty() && loaded.pipelines.is_empty() && loaded.broken.is_empty() {
        for problem in loaded.problems.iter().filter(|problem| problem.severity == Severity::Error) {
            print::note(&print::printable(&format!(
                "note: {}: {}",
                problem.message,
                problem.help.as_deref().unwrap_or_default()
            )));
        }
        return Exit::Done;
    }
    session.tell_problems();
    if loaded.pipelines.is_empty() && loaded.has_errors() { Exit::Usage } else { session.exit() }
}

/// Since when a tick should have started something of the pipeline.
pub fn overdue_since(pipeline: &Pipeline, decision: &Decision, view: &View) -> Option<Timestamp> {
    let row = view.rows.get(&pipeline.id)?;
    let draft = decision.claim.as_ref()?;
    let followed = |attempt: &&Attempt| Some(attempt.token) == draft.follows;
    let retry = view.open.get(&pipeline.id).into_iter().flatten().find(followed).and_then(|attempt| attempt.retry_at);
    // The newest one that is due is hardly late where one is due every minute: the oldest tells since when nothing ticks.
    // What fell due in a pause was not to be started.
    let pause_ended = row.standing.paused.as_ref().and_then(|pause| pause.until).filter(|until| *until <= view.now);
    let oldest = row
        .cursor
        .and_then(|cursor| pipeline.schedule.as_ref()?.next_after(pause_ended.map_or(cursor, |at| at.max(cursor))));
    let scheduled_for = oldest.map_or(draft.run.scheduled_for, |oldest| oldest.min(draft.run.scheduled_for));
    let due = retry.unwrap_or(scheduled_for);
    let spread = SignedDuration::try_from(pipeline.jitter).unwrap_or_default();
    (view.now.duration_since(due) > LATE + spread).then_some(due)
}

/// The next occurrence that is to run as things stand: nobody has asked to skip it, and no pause or hold forbids it.
fn next_wanted(pipeline: &Pipeline, row: Option<&Row>, now: Timestamp) -> Option<Timestamp> {
    let standing = row.map(|row| &row.standing);
    if standing.is_some_and(|standing| standing.held.is_some()) {
        return None;
    }
    let skips = standing.map_or(&[][..], |standing| &standing.skips);
    let mut next = match standing.and_then(|standing| standing.paused_at(now)) {
        Some(pause) => pipeline.schedule.as_ref()?.next_after(pause.until?)?,
        None => pipeline.schedule.as_ref()?.next_after(now)?,
    };
    while skips.contains(&next.as_microsecond()) {
        next = pipeline.schedule.as_ref()?.next_after(next)?;
    }
    Some(next)
}

fn line<'a>(pipelines: &Pipelines<'a>, view: &'a View, id: &PipelineId) -> Line<'a> {
    let pipeline = pipelines.get(id).copied();
    let decision = pipeline.map(|pipeline| would_decide(pipeline, pipelines, view));
    let open = || view.open.get(id).into_iter().flatten();
    let row = view.rows.get(id);
    Line {
        id: id.clone(),
        pipeline,
        active: open().filter(|attempt| attempt.is_active()).collect(),
        retry: open().find(|attempt| attempt.retry_at.is_some()),
        last: row.and_then(|row| row.last.as_ref()),
        failures_in_a_row: row.map_or(0, |row| row.failures_in_a_row),
        next: pipeline.and_then(|pipeline| next_wanted(pipeline, row, view.now)),
        overdue_since: pipeline
            .zip(decision.as_ref())
            .and_then(|(pipeline, decision)| overdue_since(pipeline, decision, view)),
        standing: row.map(|row| &*row.standing),
        is_paused: row.is_some_and(|row| row.standing.paused_at(view.now).is_some()),
        waits_for: decision.and_then(|decision| decision.waiting).map(|waiting| waiting.for_what),
        is_broken: false,
    }
}

impl Line<'_> {
    fn is_held(&self) -> bool {
        self.standing.is_some_and(|standing| standing.held.is_some())
    }

    fn state(&self) -> &'static str {
        match (self.active.is_empty(), self.retry, self.pipeline) {
            (false, ..) => "running",
            _ if self.is_broken => "broken",
            _ if self.is_paused => "paused",
            _ if self.is_held() => "held",
            _ if self.overdue_since.is_some() => "overdue",
            (true, Some(_), Some(_)) => "retrying",
            (true, None, Some(_)) if self.waits_for.is_some() => "waiting",
            (true, None, Some(_)) if self.next.is_some() => "scheduled",
            (true, None, Some(_)) => "idle",
            (true, _, None) => "not configured",
        }
    }
}

fn as_row(line: &Line<'_>) -> Vec<String> {
    let dash = || "–".to_string();
    let retry = line.retry.and_then(|attempt| attempt.retry_at);
    let next = match (line.overdue_since, retry) {
        (Some(at), _) => format!("{} (overdue)", print::instant(at)),
        // Whatever is pending: nothing starts.
        _ if line.is_paused => {
            let pause = line.standing.and_then(|standing| standing.paused.as_ref());
            let end = pause
                .and_then(|pause| pause.until)
                .map_or("when resumed".into(), |at| format!("paused until {}", print::instant(at)));
            let note = pause.map_or("", |pause| &pause.note);
            print::printable(&if note.is_empty() { end } else { format!("{end} ({note})") })
        }
        _ if line.is_held() => "when reset".into(),
        (None, Some(_)) if line.pipeline.is_none() => "a retry, when a file has it".into(),
        (None, Some(at)) => format!("{} (retry)", print::instant(at)),
        (None, None) if line.waits_for.is_some() => {
            format!("waits for {}", line.waits_for.as_ref().map(print::waits_for).unwrap_or_default())
        }
        (None, None) => line.next.map_or_else(dash, print::instant),
    };
    vec![
        line.id.to_string(),
        print::outcome_out(line.state()),
        line.last.map_or_else(dash, |last| print::instant(last.scheduled_for)),
        line.last.map_or_else(dash, |last| print::outcome_out(last.outcome.word())),
        if line.failures_in_a_row > 0 { line.failures_in_a_row.to_string() } else { dash() },
        next,
        runs(&line.active),
    ]
}

/// The runs that go on, by the ids that `logs` takes.
fn runs(active: &[&Attempt]) -> String {
    let each = active.iter().map(|attempt| match attempt.number {
        1 => attempt.run.id(),
        number => format!("{} attempt {number}", attempt.run.id()),
    });
    let all: Vec<String> = each.collect();
    if all.is_empty() { "–".into() } else { all.join(", ") }
}

fn as_json(line: &Line<'_>) -> Value {
    json!({
        "pipeline": line.id.to_string(),
        "state": line.state(),
        "configured": line.pipeline.is_some(),
        "active": line.active.iter().map(|attempt| history::attempt_json(attempt)).collect::<Vec<_>>(),
        "last": line.last.map(|last| json!({
            "scheduled_for": rfc3339(last.scheduled_for),
            "attempt": last.attempt,
            "outcome": last.outcome.word(),
            "ended_at": rfc3339(last.ended_at),
        })),
        "failures_in_a_row": line.failures_in_a_row,
        "next_attempt_at": line.retry.and_then(|attempt| attempt.retry_at).map(rfc3339),
        "next": line.next.map(rfc3339),
        "paused": line.standing.and_then(|standing| standing.paused.as_ref()).map(|pause| json!({
            "since": rfc3339(pause.since),
            "until": pause.until.map(rfc3339),
            "note": pause.note,
        })),
        "held": line.standing.and_then(|standing| standing.held.as_ref()).map(|held| json!({
            "since": rfc3339(held.since),
            "scheduled_for": rfc3339(held.scheduled_for),
        })),
        "waits_for": line.waits_for.as_ref().map(print::waits_for),
        "overdue_since": line.overdue_since.map(rfc3339),
    })
}
