//! Sums up what the ticks of a simulated span have done: per pipeline, per minute, per upstream.
//!
//! Only occurrences of the span count. Values in, values out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::occurrence::PipelineId;
use crate::plan::WaitsFor;
use crate::run::{Attempt, NotRun, Outcome, Reason};
use crate::tick::Report;

/// At most so many crowds are told.
const CROWDS: usize = 5;

/// All that is to be told of a span, clock changes aside.
#[derive(Debug, Default)]
pub struct Findings {
    /// Each pipeline, by full name.
    pub pipelines: BTreeMap<String, Sum>,
    /// The largest groups that start in one minute.
    pub crowds: Vec<Crowd>,
    /// The most bodies at one instant.
    pub at_once: usize,
    /// Upstreams that had not succeeded when the next occurrence of who waits for them was due.
    pub in_vain: BTreeMap<(String, String), u64>,
}

/// What has become of a pipeline.
#[derive(Debug, Default)]
pub struct Sum {
    /// Occurrences that were run, with success or not.
    pub runs: u64,
    /// Attempts that did not succeed.
    pub failed: u64,
    /// The first and the last occurrence that were run.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Occurrences that were not run: how many, the first and the last.
    pub not_run: BTreeMap<Reason, (u64, Timestamp, Timestamp)>,
}

/// Pipelines that start in the same minute.
#[derive(Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Their full names, at least two.
    pub pipelines: BTreeSet<String>,
    /// In how many minutes.
    pub minutes: u64,
    /// The first of these.
    pub first: Timestamp,
}

/// Sums up the reports of all ticks for the pipelines `told`; `[from, to)` is the span.
pub fn find(reports: &[Report], told: &BTreeSet<PipelineId>, from: Timestamp, to: Timestamp) -> Findings {
    let is_within = |at: Timestamp| from <= at && at < to;
    let attempts: Vec<&Attempt> = reports
        .iter()
        .flat_map(|report| &report.ended)
        .filter(|attempt| is_within(attempt.run.scheduled_for) && attempt.outcome() != Some(Outcome::Released))
        .collect();
    let not_run: Vec<&NotRun> =
        reports.iter().flat_map(|report| &report.not_run).filter(|entry| is_within(entry.last)).collect();
    let mut findings = Findings {
        pipelines: told.iter().map(|id| (id.to_string(), Sum::default())).collect(),
        crowds: crowds(&attempts),
        at_once: most_at_once(&attempts),
        in_vain: in_vain(reports, &not_run),
    };
    for attempt in attempts {
        if let Some(sum) = findings.pipelines.get_mut(&attempt.run.pipeline.to_string()) {
            sum.take_attempt(attempt);
        }
    }
    for entry in not_run {
        if let Some(sum) = findings.pipelines.get_mut(&entry.pipeline.to_string()) {
            sum.take_not_run(entry);
        }
    }
    findings
}

impl Sum {
    fn take_attempt(&mut self, attempt: &Attempt) {
        let at = attempt.run.scheduled_for;
        self.runs += u64::from(attempt.number == 1);
        self.failed += u64::from(!attempt.outcome().is_some_and(Outcome::is_success));
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    fn take_not_run(&mut self, entry: &NotRun) {
        let sum = self.not_run.entry(entry.reason).or_insert((0, entry.first, entry.last));
        *sum = (sum.0 + entry.count, sum.1.min(entry.first), sum.2.max(entry.last));
    }
}

/// When a body was started; none where it never was.
fn started(attempt: &Attempt) -> Option<Timestamp> {
    attempt.end.as_ref().and_then(|end| end.started_at)
}

fn crowds(attempts: &[&Attempt]) -> Vec<Crowd> {
    let mut minutes: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for attempt in attempts {
        if let Some(at) = started(attempt) {
            minutes.entry(at.as_second().div_euclid(60)).or_default().insert(attempt.run.pipeline.to_string());
        }
    }
    let mut groups: BTreeMap<BTreeSet<String>, (u64, i64)> = BTreeMap::new();
    for (minute, names) in minutes.into_iter().filter(|(_, names)| names.len() > 1) {
        groups.entry(names).or_insert((0, minute)).0 += 1;
    }
    let mut crowds: Vec<Crowd> = groups
        .into_iter()
        .map(|(pipelines, (minutes, first))| Crowd {
            pipelines,
            minutes,
            first: Timestamp::from_second(first * 60).unwrap_or(Timestamp::MIN),
        })
        .collect();
    crowds.sort_by_key(|crowd| (std::cmp::Reverse((crowd.pipelines.len(), crowd.minutes)), crowd.first));
    crowds.truncate(CROWDS);
    crowds
}

fn most_at_once(attempts: &[&Attempt]) -> usize {
    let mut steps: Vec<(Timestamp, i32)> = Vec::new();
    for attempt in attempts {
        if let Some((start, end)) = started(attempt).zip(attempt.end.as_ref().map(|end| end.ended_at)) {
            steps.extend([(start, 1), (end, -1)]);
        }
    }
    // Who ends at an instant makes place for who starts then.
    steps.sort_unstable();
    let counts = steps.iter().scan(0, |now, (_, step)| {
        *now += step;
        Some(*now)
    });
    usize::try_from(counts.max().unwrap_or(0)).unwrap_or(0)
}

/// Who waited for whom, of those runs that ended as skipped for it.
fn in_vain(reports: &[Report], not_run: &[&NotRun]) -> BTreeMap<(String, String), u64> {
    let mut waited: BTreeMap<(&PipelineId, Timestamp), &PipelineId> = BTreeMap::new();
    for waiting in reports.iter().flat_map(|report| report.waiting.values()) {
        if let WaitsFor::Upstream(upstream) = &waiting.for_what {
            waited.insert((&waiting.run.pipeline, waiting.run.scheduled_for), upstream);
        }
    }
    let mut found = BTreeMap::new();
    for entry in not_run.iter().filter(|entry| entry.reason == Reason::Upstream) {
        if let Some(upstream) = waited.get(&(&entry.pipeline, entry.last)) {
            *found.entry((entry.pipeline.to_string(), upstream.to_string())).or_default() += entry.count;
        }
    }
    found
}
