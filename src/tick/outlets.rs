//! What leaves a tick: alerts out of the outbox, and the figures of monitoring.
//!
//! Both go when all work of the tick is done and durable. What an alert says is for `plan`, how it is sent for `alerter`; whom
//! it is for says the configuration.
//!
//! Holds always: each alerter is told the alerts of a pipeline in their order, so what it has not taken holds back what comes
//! after, unless it was refused for what is in it; who asks for time is left alone; one that fails holds up no other; nothing
//! here changes what the tick has come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::Options;
use super::env::{Env, StopWish, StoreTime};
use super::report::Report;
use crate::alert::{Alert, Kind};
use crate::alerter::{Alerter, SendError};
use crate::clock::BootTime;
use crate::config::AlerterSpec;
use crate::failpoint::{self, Point};
use crate::occurrence::{Name, PipelineId};
use crate::pipeline::Pipeline;
use crate::runlog::contract::{AlertVerdict, Settled, Waiting};
use crate::runlog::outbox::{Done, MOST, Why, about};
use crate::sink::Sink;

/// Where a tick's alerts and figures go.
#[derive(Clone, Default)]
pub struct Outlets {
    /// Whom alerts are for.
    pub alerters: Vec<Outlet>,
    /// Where figures go.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// All pipelines of the configuration, also those that a tick does not look at: what is told of them goes out with it. Nobody needs them
    /// where there is nobody to tell.
    pub known: Arc<BTreeMap<PipelineId, About>>,
}

/// What people are told of a pipeline beside what has happened to it.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What it does; empty where nobody says.
    pub description: String,
    /// Who looks after it; empty where nobody says.
    pub owner: String,
    /// What to do when it fails; empty where nobody says.
    pub runbook: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl About {
    /// What its configuration says.
    pub fn of(pipeline: &Pipeline) -> About {
        About {
            description: pipeline.description.clone(),
            owner: pipeline.owner.clone(),
            runbook: pipeline.runbook.clone(),
            tags: pipeline.tags.clone(),
        }
    }
}

/// An alerter, and what it wants to be told.
#[derive(Clone)]
pub struct Outlet {
    /// What it wants.
    pub spec: AlerterSpec,
    /// The way to it.
    pub alerter: Arc<dyn Alerter>,
}

/// How long the alerts that a tick has taken are its own.
const LEASE: Duration = Duration::from_secs(30);
/// No alert is begun to be sent later than this. Each may take 5 s, so that all is over after 10.
const BEGIN: Duration = Duration::from_secs(5);
/// An alerter that has not ended by then is left.
const ALL: Duration = Duration::from_secs(10);
/// A gap between two ticks of a host is told from three intervals on, but not below this.
const SHORTEST_GAP: Duration = Duration::from_secs(300);

/// Delivers what waits in the outbox. `pending` says that something may.
pub async fn deliver(env: &Env, options: &Options, report: &Report, pending: bool) {
    let outlets = &options.outlets.alerters;
    // A tick that is told to stop leaves it to the next one.
    if outlets.is_empty() || *env.stop.borrow() != StopWish::None {
        return;
    }
    let told = tell_gap(env, options, report).await;
    if !(told || pending || !report.ended.is_empty() || !report.not_run.is_empty() || !report.notes.is_empty()) {
        return;
    }
    let asked_at = env.clock.boot();
    let taken = match env.in_time(env.run_log.take_alerts(MOST, LEASE)).await {
        Ok(taken) => taken,
        Err(error) => return tracing::warn!(%error, "alerts wait: the run-log did not give them"),
    };
    let Some(time) = taken.first().map(|entry| store_time(env, entry, asked_at)) else { return };
    failpoint::reached(Point::AlertsTaken);
    let alerts: Arc<Vec<Alert>> =
        Arc::new(taken.iter().map(|entry| dressed(&entry.alert, &options.outlets.known, report)).collect());
    let mut settling: Vec<Settling> = taken.into_iter().map(Settling::new).collect();
    let begin = env.clock.boot();
    let mut tasks = JoinSet::new();
    for outlet in outlets {
        let wants = |alert: &Alert| wants(&outlet.spec, alert, &options.outlets.known);
        let wanted = |at: &usize| !settling[*at].done.has(outlet.alerter.name()) && wants(&alerts[*at]);
        let wanted: Vec<usize> = (0..alerts.len()).filter(wanted).collect();
        wanted.iter().for_each(|at| settling[*at].wanted += 1);
        let now = time.now(&*env.clock);
        let why = |at: usize| settling[at].done.put_off(outlet.alerter.name(), now).map(|off| off.why);
        let wanted = wanted.into_iter().map(|at| (at, why(at))).collect();
        tasks.spawn(tell(env.clone(), outlet.clone(), alerts.clone(), wanted, begin));
    }
    while let Some(joined) = tasks.join_next().await {
        let Ok((name, answers)) = joined else { continue };
        let now = time.now(&*env.clock);
        answers.into_iter().for_each(|(at, answer)| settling[at].answered(&name, answer, now));
    }
    let settled = settling.into_iter().map(Settling::settled).collect();
    if let Err(error) = env.in_time(env.run_log.settle_alerts(settled)).await {
        tracing::warn!(%error, "alerts may be told again: the run-log did not take that they were delivered");
    }
    failpoint::reached(Point::AlertsSettled);
}

/// The store's time, from until when it has lent an alert.
fn store_time(env: &Env, entry: &Waiting, asked_at: BootTime) -> StoreTime {
    let lease = SignedDuration::try_from(LEASE).unwrap_or_default();
    let told = entry.not_before.and_then(|until| until.checked_sub(lease).ok());
    StoreTime::told(told.unwrap_or_else(|| env.clock.now()), asked_at)
}

/// Tells an alert at once, without an outbox: whether everybody who wants it has taken it.
pub async fn tell_at_once(env: &Env, options: &Options, alert: Alert) -> bool {
    let known = &options.outlets.known;
    let wanting = options.outlets.alerters.iter().filter(|outlet| wants(&outlet.spec, &alert, known));
    let (alerts, begin) = (Arc::new(vec![alert.clone()]), env.clock.boot());
    let mut tasks = JoinSet::new();
    for outlet in wanting {
        tasks.spawn(tell(env.clone(), outlet.clone(), alerts.clone(), vec![(0, None)], begin));
    }
    let mut all_have = true;
    while let Some(joined) = tasks.join_next().await {
        all_have &= joined.is_ok_and(|(_, answers)| answers.iter().all(|(_, answer)| answer.is_ok()));
    }
    all_have
}

/// Tells one alerter what it wants and what is not put off, in order; returns what it has answered to which.
async fn tell(
    env: Env,
    outlet: Outlet,
    alerts: Arc<Vec<Alert>>,
    wanted: Vec<(usize, Option<Why>)>,
    begin: BootTime,
) -> (String, Vec<(usize, Result<(), SendError>)>) {
    let name = outlet.alerter.name().to_owned();
    let mut answers: Vec<(usize, Result<(), SendError>)> = Vec::new();
    let mut held_back = BTreeSet::new();
    let mut warned = false;
    if wanted.iter().any(|(_, why)| *why == Some(Why::Asked)) {
        return (name, answers);
    }
    for (at, why) in wanted {
        let alert = &alerts[at];
        if why == Some(Why::Refused) {
            held_back.insert(about(alert));
        }
        if why.is_some() || held_back.contains(&about(alert)) {
            continue;
        }
        // A tick that is told to stop leaves the rest to the next one.
        if env.clock.boot() >= begin.plus(BEGIN) || *env.stop.borrow() != StopWish::None {
            break;
        }
        let answer = tokio::select! {
            biased;
            answer = outlet.alerter.send(alert) => answer,
            () = env.hurried() => {
                Err(SendError::Retriable { message: "no answer before the tick had to end".into(), after: None })
            }
            () = env.clock.sleep_until(begin.plus(ALL)) => {
                Err(SendError::Retriable { message: "no answer in time".into(), after: None })
            }
        };
        if let Err(error) = &answer {
            // One line for an alerter that is down, not one for each alert.
            if !std::mem::replace(&mut warned, true) {
                tracing::warn!(alerter = name, alert = alert.id, %error, "alert not delivered");
            }
        }
        if let Err(SendError::Retriable { .. } | SendError::Refused { .. }) = &answer {
            held_back.insert(about(alert));
        }
        failpoint::reached(Point::AlertSent);
        let wants_time = matches!(answer, Err(SendError::Retriable { after: Some(_), .. }));
        answers.push((at, answer));
        if wants_time {
            break;
        }
    }
    (name, answers)
}

/// An alert that is being delivered.
struct Settling {
    id: String,
    done: Done,
    /// How many alerters have still to take it.
    wanted: usize,
    /// Why it was not delivered the last time.
    error: String,
    /// What each alerter has said this time that has not taken it.
    errors: Vec<String>,
}

impl Settling {
    fn new(entry: Waiting) -> Settling {
        Settling { id: entry.alert.id, done: entry.done, wanted: 0, error: entry.error, errors: Vec::new() }
    }

    fn answered(&mut self, name: &str, answer: Result<(), SendError>, now: Timestamp) {
        let Err(error) = answer else {
            self.done.delivered.push(name.into());
            self.wanted -= 1;
            return;
        };
        self.errors.push(format!("{name}: {error}"));
        match error {
            SendError::Retriable { after: None, .. } => {}
            SendError::Retriable { after: Some(after), .. } => self.done.wait(name, after, now),
            SendError::Refused { .. } => self.done.refuse(name, Why::Refused, now),
            SendError::Unfit { .. } => self.done.refuse(name, Why::Unfit, now),
        }
    }

    fn settled(mut self) -> Settled {
        let verdict = if self.wanted == 0 { AlertVerdict::Delivered } else { AlertVerdict::Again };
        // They answer in any order.
        self.errors.sort();
        let error = if self.errors.is_empty() { self.error } else { self.errors.join("; ") };
        Settled { id: self.id, done: self.done, verdict, error }
    }
}

/// Whether an alert is for it. Of a pipeline that is in no file here, nobody knows the tags: rather told than kept quiet.
fn wants(spec: &AlerterSpec, alert: &Alert, known: &BTreeMap<PipelineId, About>) -> bool {
    match id_of(alert).is_none_or(|id| known.contains_key(&id)) {
        true => spec.wants(alert),
        false => spec.wants(&Alert { tags: spec.tags.clone(), ..alert.clone() }),
    }
}

fn id_of(alert: &Alert) -> Option<PipelineId> {
    Some(PipelineId { namespace: Name::parse(&alert.namespace).ok()?, name: Name::parse(&alert.pipeline).ok()? })
}

/// The alert with what the configuration says of its pipeline, and the last of what the command printed, if this tick saw it.
fn dressed(alert: &Alert, known: &BTreeMap<PipelineId, About>, report: &Report) -> Alert {
    let mut alert = alert.clone();
    let Some(id) = id_of(&alert) else { return alert };
    if let Some(about) = known.get(&id) {
        alert.description.clone_from(&about.description);
        alert.owner.clone_from(&about.owner);
        alert.runbook.clone_from(&about.runbook);
        alert.tags.clone_from(&about.tags);
    }
    let is_its = |run_id: String, number: u32| run_id == alert.run_id && Some(number) == alert.attempt;
    let ended = report.ended.iter().find(|ended| ended.run.pipeline == id && is_its(ended.run.id(), ended.number));
    if let Some(end) = ended.and_then(|attempt| attempt.end.as_ref()) {
        alert.tail = crate::alert::tail(&end.tail);
    }
    alert
}

/// Tells that no tick was made on this host for long; returns whether the outbox has it now.
async fn tell_gap(env: &Env, options: &Options, report: &Report) -> bool {
    let longest = SHORTEST_GAP.max(options.interval * 3);
    let Some(gap) = options.gap.filter(|gap| *gap > longest) else { return false };
    let id = format!("{}/{}/{}", Kind::TickGap, report.host, report.started_at.as_microsecond());
    let alert = Alert {
        gap_seconds: Some(gap.as_secs()),
        host: report.host.clone(),
        ..Alert::new(Kind::TickGap, id, report.started_at)
    };
    // What stands in for the run-log has no outbox.
    if env.run_log.is_degraded() {
        tell_at_once(env, options, alert).await;
        return false;
    }
    match env.in_time(env.run_log.post_alerts(vec![alert])).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "a gap between ticks is not told: the run-log did not take the alert");
            false
        }
    }
}
