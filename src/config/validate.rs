//! Makes a pipeline of what it says itself, what it inherits and what is built in, if the values fit together.
//!
//! Maps (`env`, `limits`, `retry`, `exit_codes`) are inherited key by key, all else as a whole.
//!
//! Holds always: a pipeline is made only of what is in force as written; a mistake in `defaults` is reported once, there,
//! and breaks those that inherit it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::quantity::written;
use super::reader::{Reader, Scalar};
use super::settings::{Given, Settings};
use super::tree::NodeId;
use super::upstreams::{self, Reference};
use super::value;
use crate::occurrence::{Name, PipelineId};
use crate::pipeline::{
    CatchUp, Command, ExitCodes, Filled, Hooks, InheritEnv, OnGaveUp, OnInterrupt, OnRunLogError, Overlap, Pipeline,
    Results, Retry, Stdin,
};
use crate::schedule::Schedule;
use crate::template::Template;

const KILL_GRACE: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(300);
const OUTPUT_LIMIT_BYTES: u64 = 10 << 20;

/// Nothing but an interval comes due more often, so that most pipelines need no search.
const A_MINUTE: Duration = Duration::from_secs(60);

/// A Monday: occurrences after it show a schedule's period.
const SOME_MONDAY: i64 = 1_767_571_200;

/// What pipelines of a file inherit.
#[derive(Debug, Default)]
pub(super) struct Inherited<'a> {
    pub(super) timezone: Given<TimeZone>,
    pub(super) namespace: Given<Name>,
    pub(super) on_run_log_error: Given<OnRunLogError>,
    pub(super) defaults: Settings<'a>,
    pub(super) env_files: Given<BTreeMap<String, Template>>,
    /// The file is not what it seems: all its pipelines are broken.
    pub(super) is_broken: bool,
}

/// Takes values in order of precedence and remembers whether one was broken.
struct Taker {
    is_broken: bool,
}

impl Taker {
    fn option<T: Clone>(&mut self, own: Given<T>, inherited: &Given<T>) -> Option<T> {
        match own {
            Given::Is(value, _) => Some(value),
            Given::BuiltIn => None,
            Given::Absent => match inherited {
                Given::Is(value, _) => Some(value.clone()),
                Given::Broken => self.broken(),
                Given::Absent | Given::BuiltIn => None,
            },
            Given::Broken => self.broken(),
        }
    }

    fn or<T: Clone>(&mut self, own: Given<T>, inherited: &Given<T>, built_in: T) -> T {
        self.option(own, inherited).unwrap_or(built_in)
    }

    /// A map of the inherited entries and over them its own.
    fn map<K: Ord + Clone, V: Clone>(
        &mut self,
        own: Given<BTreeMap<K, V>>,
        inherited: &Given<BTreeMap<K, V>>,
    ) -> BTreeMap<K, V> {
        match (own, inherited) {
            (Given::Is(own, _), Given::Is(inherited, _)) => {
                let mut both = inherited.clone();
                both.extend(own);
                both
            }
            (Given::Is(own, _), Given::Broken) => self.broken().unwrap_or(own),
            (own, inherited) => self.option(own, inherited).unwrap_or_default(),
        }
    }

    fn broken<T>(&mut self) -> Option<T> {
        self.is_broken = true;
        None
    }
}

/// The namespace a pipeline is in; none where it is broken.
pub(super) fn namespace(own: &Given<Name>, inherited: &Inherited<'_>, built_in: &Name) -> Option<Name> {
    let mut taker = Taker { is_broken: false };
    let outer = match &inherited.defaults.namespace {
        Given::Absent => &inherited.namespace,
        given => given,
    };
    let name = taker.or(own.clone(), outer, built_in.clone());
    (!taker.is_broken).then_some(name)
}

/// Reports what in `defaults` does not fit together.
pub(super) fn check_defaults<'a>(reader: &mut Reader<'a>, defaults: &mut Settings<'a>, at: NodeId) {
    let errors = reader.errors;
    check_times(reader, &defaults.kill_grace, &defaults.lease, at);
    check_delays(reader, &defaults.delay, &defaults.max_delay, at);
    defaults.broken |= reader.errors > errors;
}

/// The pipeline; none where something about it, own or inherited, is broken.
pub(super) fn pipeline<'a>(
    reader: &mut Reader<'a>,
    id: Option<PipelineId>,
    key: NodeId,
    own: Settings<'a>,
    inherited: &Inherited<'a>,
) -> Option<(Pipeline, Vec<Reference>)> {
    let errors = reader.errors;
    let defaults = &inherited.defaults;
    let mut taker = Taker { is_broken: own.broken || defaults.broken };
    check_own_times(reader, &own, defaults, key);
    if matches!(own.command, Given::Absent | Given::BuiltIn) {
        reader.refuse(
            key,
            "no `command`",
            "add `command: …`: a list of program and arguments, or a line for the shell",
        );
    }
    let outer_zone = match &defaults.timezone {
        Given::Absent => &inherited.timezone,
        given => given,
    };
    let retry_place = if let Given::Is(_, at) = &own.delay { *at } else { key };
    let zone = taker.or(own.timezone, outer_zone, TimeZone::UTC);
    let schedule = match taker.option(own.schedule, &Given::Absent) {
        Some(texts) if !taker.is_broken => schedule(reader, &texts, zone.clone()),
        _ => None,
    };
    let lease = taker.or(own.lease, &defaults.lease, LEASE);
    let retry = Retry {
        max_attempts: taker.or(own.max_attempts, &defaults.max_attempts, Retry::NONE.max_attempts),
        backoff: taker.or(own.backoff, &defaults.backoff, Retry::NONE.backoff),
        delay: taker.or(own.delay, &defaults.delay, Retry::NONE.delay),
        max_delay: taker.option(own.max_delay, &defaults.max_delay),
        jitter_percent: taker.or(own.retry_jitter, &defaults.retry_jitter, Retry::NONE.jitter_percent),
        when_next_due: taker.or(own.when_next_due, &defaults.when_next_due, Retry::NONE.when_next_due),
    };
    let wanted = taker.or(own.depends_on, &Given::Absent, Vec::new());
    let id = id?;
    let (depends_on, references) = upstreams::resolve(reader, &id, wanted);
    let program = taker.option(own.command, &Given::Absent);
    let command = |taker: &mut Taker| -> Option<Command> {
        let program = program?;
        Some(Command {
            body: program.body,
            shown: program.shown,
            cwd: taker.option(own.cwd, &defaults.cwd),
            env: env(taker, own.env_files, own.env, inherited),
            inherit_env: taker.or(own.inherit_env, &defaults.inherit_env, InheritEnv::All),
            stdin: taker.or(own.stdin, &defaults.stdin, Stdin::Null),
            user: taker.option(own.user, &defaults.user),
            group: taker.option(own.group, &defaults.group),
            memory_limit_bytes: taker.option(own.memory, &defaults.memory),
            output_limit_bytes: taker.or(own.output, &defaults.output, OUTPUT_LIMIT_BYTES),
            filled: Filled::default(),
        })
    };
    let outer = match &defaults.on_run_log_error {
        Given::Absent => &inherited.on_run_log_error,
        given => given,
    };
    let pipeline = Pipeline {
        command: command(&mut taker)?,
        id,
        description: taker.or(own.description, &Given::Absent, String::new()),
        owner: taker.or(own.owner, &defaults.owner, String::new()),
        runbook: taker.or(own.runbook, &defaults.runbook, String::new()),
        tags: taker.or(own.tags, &defaults.tags, Vec::new()),
        schedule,
        zone,
        jitter: taker.or(own.jitter, &defaults.jitter, Duration::ZERO),
        timeout: taker.option(own.timeout, &defaults.timeout),
        kill_grace: taker.or(own.kill_grace, &defaults.kill_grace, KILL_GRACE),
        lease,
        retry,
        overlap: taker.or(own.overlap, &defaults.overlap, Overlap::Skip),
        catch_up: taker.or(own.catch_up, &defaults.catch_up, CatchUp::Latest),
        exit_codes: ExitCodes(taker.map(own.exit_codes, &defaults.exit_codes)),
        on_interrupt: taker.or(own.on_interrupt, &defaults.on_interrupt, OnInterrupt::Retry),
        on_gave_up: taker.or(own.on_gave_up, &defaults.on_gave_up, OnGaveUp::Next),
        on_run_log_error: taker.or(own.on_run_log_error, outer, OnRunLogError::Run),
        idempotent: taker.option(own.idempotent, &defaults.idempotent),
        start_deadline: taker.option(own.start_deadline, &defaults.start_deadline),
        min_interval: taker.or(own.min_interval, &defaults.min_interval, Duration::ZERO),
        depends_on,
        previously: taker.option(own.previously, &Given::Absent),
        results: taker.or(own.results, &defaults.results, Results::default()).into(),
        hooks: Hooks {
            before: taker.option(own.before, &defaults.before),
            after: taker.option(own.after, &defaults.after),
            on_success: taker.option(own.on_success, &defaults.on_success),
            on_failure: taker.option(own.on_failure, &defaults.on_failure),
        }
        .into(),
    };
    if taker.is_broken || reader.errors > errors {
        return None;
    }
    warn_of_long_delay(reader, &pipeline, retry_place);
    Some((pipeline, references))
}

/// Variables of the files, of the document first; over them those that are written out, the pipeline's own last.
fn env(
    taker: &mut Taker,
    files: Given<BTreeMap<String, Template>>,
    own: Given<BTreeMap<String, Template>>,
    inherited: &Inherited<'_>,
) -> BTreeMap<String, Template> {
    let mut all = taker.option(Given::Absent, &inherited.env_files).unwrap_or_default();
    all.extend(taker.option(files, &Given::Absent).unwrap_or_default());
    all.extend(taker.map(own, &inherited.defaults.env));
    all
}

/// The schedule of these texts; mistakes are recorded where they stand.
fn schedule<'a>(reader: &mut Reader<'a>, texts: &[Scalar<'a>], zone: TimeZone) -> Option<Schedule> {
    let plain: Vec<&str> = texts.iter().map(|scalar| scalar.text.as_ref()).collect();
    match Schedule::parse(&plain, zone) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let scalar = texts.get(error.index).or(texts.first())?;
            if scalar.is_filled() {
                return value::refuse_filled(reader, scalar, "schedule", "a schedule");
            }
            reader.refuse_inside(scalar, error.span.start, &error.message, error.help.as_deref().unwrap_or_default());
            None
        }
    }
}

/// Checks what a pipeline says itself against what it inherits. What is inherited alone is checked already.
fn check_own_times<'a>(reader: &mut Reader<'a>, own: &Settings<'a>, defaults: &Settings<'a>, key: NodeId) {
    let says = |given: &Given<Duration>| matches!(given, Given::Is(..) | Given::BuiltIn);
    if says(&own.kill_grace) || says(&own.lease) {
        check_times(reader, over(&own.kill_grace, &defaults.kill_grace), over(&own.lease, &defaults.lease), key);
    }
    if says(&own.delay) || says(&own.max_delay) {
        check_delays(reader, over(&own.delay, &defaults.delay), over(&own.max_delay, &defaults.max_delay), key);
    }
}

fn over<'g, T>(own: &'g Given<T>, inherited: &'g Given<T>) -> &'g Given<T> {
    if let Given::Absent = own { inherited } else { own }
}

fn value_and_place(given: &Given<Duration>, built_in: Duration) -> Option<(Duration, Option<NodeId>)> {
    match given {
        Given::Is(value, at) => Some((*value, Some(*at))),
        Given::Absent | Given::BuiltIn => Some((built_in, None)),
        Given::Broken => None,
    }
}

/// A child must have ended before the lease does: `kill_grace` is at most a third of `lease`.
fn check_times(reader: &mut Reader<'_>, kill_grace: &Given<Duration>, lease: &Given<Duration>, key: NodeId) {
    let (Some((grace, grace_at)), Some((lease, lease_at))) =
        (value_and_place(kill_grace, KILL_GRACE), value_and_place(lease, LEASE))
    else {
        return;
    };
    if grace * 3 > lease {
        let message =
            format!("`kill_grace` of {} is over a third of the `lease` of {}", written(grace), written(lease));
        let help = format!("use at most {} for `kill_grace`, or a lease of {}", written(lease / 3), written(grace * 3));
        reader.refuse(grace_at.or(lease_at).unwrap_or(key), message, help);
    }
}

fn check_delays(reader: &mut Reader<'_>, delay: &Given<Duration>, max_delay: &Given<Duration>, key: NodeId) {
    let (Some((delay, delay_at)), Given::Is(most, most_at)) = (value_and_place(delay, Retry::NONE.delay), max_delay)
    else {
        return;
    };
    if *most < delay {
        let message = format!("`max_delay` of {} is shorter than the `delay` of {}", written(*most), written(delay));
        let at = if delay_at.is_some_and(|at| at.is_after(*most_at)) { delay_at.unwrap_or(key) } else { *most_at };
        reader.refuse(at, message, format!("use at least {} for `max_delay`", written(delay)));
    }
}

/// Says so where the next occurrence falls due before the first retry.
fn warn_of_long_delay(reader: &mut Reader<'_>, pipeline: &Pipeline, at: NodeId) {
    let (Some(schedule), true) = (&pipeline.schedule, pipeline.retry.max_attempts > 1) else { return };
    let wait = pipeline.retry.max_delay.map_or(pipeline.retry.delay, |most| most.min(pipeline.retry.delay));
    let is_interval =
        |text: &String| text.trim_start().trim_start_matches('@').to_ascii_lowercase().starts_with("every");
    if wait <= A_MINUTE && !schedule.texts().iter().any(is_interval) {
        return;
    }
    let Some(period) = period(schedule) else { return };
    if wait > period {
        let message =
            format!("the retry delay of {} is longer than the schedule's period of {}", written(wait), written(period));
        let help = "the next occurrence falls due before the retry: use a shorter `delay`, or fewer occurrences";
        reader.warn(at, 0, &message, help);
    }
}

/// The shortest of the first few waits between occurrences; none where there are not two.
fn period(schedule: &Schedule) -> Option<Duration> {
    let mut shortest: Option<Duration> = None;
    let mut at = schedule.next_after(Timestamp::from_second(SOME_MONDAY).ok()?)?;
    for _ in 0..3 {
        let Some(next) = schedule.next_after(at) else { break };
        let wait = Duration::try_from(next.duration_since(at)).ok()?;
        shortest = Some(shortest.map_or(wait, |shortest| shortest.min(wait)));
        at = next;
    }
    shortest
}
