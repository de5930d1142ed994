//! Reads the keys of one pipeline, or of `defaults`, each on its own.
//!
//! What is inherited and whether the values fit together is for `validate`.
//!
//! Holds always: a key is absent, given, broken with a recorded mistake, or set back to what is built in by an empty
//! value; nothing is guessed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::body::{self, Program};
use super::env_files;
use super::exit_codes;
use super::keys;
use super::reader::{Entry, Reader, Scalar};
use super::surround;
use super::tree::NodeId;
use super::upstreams::{self, Wanted};
use super::value;
use crate::occurrence::Name;
use crate::pipeline::{
    Backoff, CatchUp, ExitMeaning, Hook, InheritEnv, OnGaveUp, OnInterrupt, OnRunLogError, Overlap, Results, Stdin,
    WhenNextDue,
};
use crate::template::Template;

/// What a configuration says about one key.
#[derive(Clone, Debug, Default)]
pub(super) enum Given<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Nothing, and that is to be so: what is built in holds.
    BuiltIn,
    /// Something wrong; the mistake is recorded.
    Broken,
    /// This, there.
    Is(T, NodeId),
}

/// What a configuration says about one pipeline, or by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings<'a> {
    pub(super) description: Given<String>,
    pub(super) owner: Given<String>,
    pub(super) runbook: Given<String>,
    pub(super) tags: Given<Vec<String>>,
    pub(super) schedule: Given<Vec<Scalar<'a>>>,
    pub(super) timezone: Given<TimeZone>,
    pub(super) namespace: Given<Name>,
    pub(super) jitter: Given<Duration>,
    pub(super) command: Given<Program>,
    pub(super) cwd: Given<PathBuf>,
    pub(super) env: Given<BTreeMap<String, Template>>,
    pub(super) env_files: Given<BTreeMap<String, Template>>,
    pub(super) inherit_env: Given<InheritEnv>,
    pub(super) stdin: Given<Stdin>,
    pub(super) user: Given<String>,
    pub(super) group: Given<String>,
    pub(super) memory: Given<u64>,
    pub(super) output: Given<u64>,
    pub(super) timeout: Given<Duration>,
    pub(super) kill_grace: Given<Duration>,
    pub(super) lease: Given<Duration>,
    pub(super) max_attempts: Given<u32>,
    pub(super) backoff: Given<Backoff>,
    pub(super) delay: Given<Duration>,
    pub(super) max_delay: Given<Duration>,
    pub(super) retry_jitter: Given<u32>,
    pub(super) when_next_due: Given<WhenNextDue>,
    pub(super) overlap: Given<Overlap>,
    pub(super) catch_up: Given<CatchUp>,
    pub(super) exit_codes: Given<BTreeMap<i32, ExitMeaning>>,
    pub(super) on_interrupt: Given<OnInterrupt>,
    pub(super) on_gave_up: Given<OnGaveUp>,
    pub(super) on_run_log_error: Given<OnRunLogError>,
    pub(super) idempotent: Given<bool>,
    pub(super) start_deadline: Given<Duration>,
    pub(super) min_interval: Given<Duration>,
    pub(super) depends_on: Given<Vec<Wanted>>,
    pub(super) previously: Given<Name>,
    pub(super) results: Given<Results>,
    pub(super) before: Given<Hook>,
    pub(super) after: Given<Hook>,
    pub(super) on_success: Given<Hook>,
    pub(super) on_failure: Given<Hook>,
    /// A mistake that is not about one key alone: whoever inherits this is broken.
    pub(super) broken: bool,
}

/// Whose keys are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Pipeline,
    Defaults,
}

/// Reads the entries of one mapping.
pub(super) fn read<'a>(reader: &mut Reader<'a>, entries: &[Entry<'a>], whose: Whose) -> Settings<'a> {
    let mut settings = Settings::default();
    let outside = reader.environment.clone();
    // First, wherever they stand: what follows is filled in from them.
    let files = |entry: &&Entry<'a>| entry.name == "env_files" && whose == Whose::Pipeline;
    for entry in entries.iter().filter(files) {
        settings.env_files = given(reader, *entry, env_files::read);
    }
    for entry in entries.iter().filter(|entry| !entry.name.starts_with("x-") && !files(entry)) {
        if is_known(reader, entry, whose) {
            read_key(reader, *entry, &mut settings);
        } else {
            settings.broken = true;
        }
    }
    reader.environment = outside;
    settings
}

fn is_known(reader: &mut Reader<'_>, entry: &Entry<'_>, whose: Whose) -> bool {
    let name = entry.name;
    if let Some((_, instead)) = keys::NOT_YET_IN_PIPELINE.iter().find(|(key, _)| *key == name) {
        reader.refuse(entry.key, format!("this version does not support `{name}`"), instead);
        return false;
    }
    if keys::find(keys::PIPELINE, name).is_none() {
        reader.refuse(entry.key, format!("unknown key `{name}`"), keys::advice(keys::PIPELINE, name));
        return false;
    }
    if whose == Whose::Defaults && keys::NOT_IN_DEFAULTS.contains(&name) {
        reader.refuse(entry.key, format!("`{name}` cannot be a default"), "put it into each pipeline");
        return false;
    }
    true
}

fn read_key<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, to: &mut Settings<'a>) {
    match entry.name {
        "description" => to.description = given(reader, entry, value::text),
        "owner" => to.owner = given(reader, entry, value::text),
        "runbook" => to.runbook = given(reader, entry, value::text),
        "tags" => to.tags = given(reader, entry, value::texts),
        "schedule" => to.schedule = given(reader, entry, value::schedules),
        "timezone" => to.timezone = given(reader, entry, value::zone),
        "namespace" => to.namespace = given(reader, entry, value::name),
        "jitter" => to.jitter = given(reader, entry, value::duration),
        "command" => to.command = given(reader, entry, body::program),
        "cwd" => to.cwd = given(reader, entry, |reader, entry| value::text(reader, entry).map(PathBuf::from)),
        "env" => to.env = given(reader, entry, body::env),
        "inherit_env" => to.inherit_env = given(reader, entry, body::inherit_env),
        "stdin" => to.stdin = given(reader, entry, body::stdin),
        "user" => to.user = given(reader, entry, value::text),
        "group" => to.group = given(reader, entry, value::text),
        "limits" => read_limits(reader, entry, to),
        "timeout" => to.timeout = given(reader, entry, value::positive_duration),
        "kill_grace" => to.kill_grace = given(reader, entry, value::duration),
        "lease" => to.lease = given(reader, entry, value::positive_duration),
        "retry" => read_retry(reader, entry, to),
        "overlap" => to.overlap = given(reader, entry, overlap),
        "catch_up" => to.catch_up = given(reader, entry, catch_up),
        "exit_codes" => to.exit_codes = given(reader, entry, exit_codes::read),
        "results" => to.results = given(reader, entry, surround::results),
        "hooks" => read_hooks(reader, entry, to),
        "on_interrupt" => {
            let words = [("retry", OnInterrupt::Retry), ("rerun", OnInterrupt::Rerun)];
            to.on_interrupt = given(reader, entry, |reader, entry| value::word(reader, entry, &words));
        }
        "on_gave_up" => {
            let words = [("next", OnGaveUp::Next), ("hold", OnGaveUp::Hold)];
            to.on_gave_up = given(reader, entry, |reader, entry| value::word(reader, entry, &words));
        }
        "on_run_log_error" => to.on_run_log_error = given(reader, entry, on_run_log_error),
        "idempotent" => {
            let words = [("true", true), ("false", false)];
            to.idempotent = given(reader, entry, |reader, entry| value::word(reader, entry, &words));
        }
        "start_deadline" => to.start_deadline = given(reader, entry, value::positive_duration),
        "min_interval" => to.min_interval = given(reader, entry, value::duration),
        "depends_on" => to.depends_on = given(reader, entry, upstreams::read),
        "previously" => to.previously = given(reader, entry, value::name),
        // `is_known` let it pass: a key of the list without a reader, which the tests would find.
        _ => to.broken = true,
    }
}

/// Reads one value, unless it is empty.
pub(super) fn given<'a, T>(
    reader: &mut Reader<'a>,
    entry: Entry<'a>,
    read: impl FnOnce(&mut Reader<'a>, Entry<'a>) -> Option<T>,
) -> Given<T> {
    if reader.is_null(entry.value) {
        return Given::BuiltIn;
    }
    match read(reader, entry) {
        Some(value) => Given::Is(value, entry.value),
        None => Given::Broken,
    }
}

/// The entries of a mapping whose keys are all in `known`; false after a mistake.
pub(super) fn known_entries<'a>(
    reader: &mut Reader<'a>,
    entry: Entry<'a>,
    known: &'static [keys::Key],
) -> (Vec<Entry<'a>>, bool) {
    let errors = reader.errors;
    let mut entries = reader.entries(entry.value, format_args!("`{}`", entry.name)).unwrap_or_default();
    entries.retain(|inner| {
        let is_known = keys::find(known, inner.name).is_some();
        if !is_known {
            let message = format!("unknown key `{}` in `{}`", inner.name, entry.name);
            reader.refuse(inner.key, message, keys::advice(known, inner.name));
        }
        is_known
    });
    (entries, reader.errors == errors)
}

fn read_limits<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, to: &mut Settings<'a>) {
    if reader.is_null(entry.value) {
        (to.memory, to.output) = (Given::BuiltIn, Given::BuiltIn);
        return;
    }
    let (entries, is_right) = known_entries(reader, entry, keys::LIMITS);
    to.broken |= !is_right;
    for inner in entries {
        match inner.name {
            "memory" => to.memory = given(reader, inner, value::positive_size),
            _ => to.output = given(reader, inner, value::size),
        }
    }
}

fn read_hooks<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, to: &mut Settings<'a>) {
    if reader.is_null(entry.value) {
        (to.before, to.after, to.on_success) = (Given::BuiltIn, Given::BuiltIn, Given::BuiltIn);
        to.on_failure = Given::BuiltIn;
        return;
    }
    let (entries, is_right) = known_entries(reader, entry, keys::HOOKS);
    to.broken |= !is_right;
    for inner in entries {
        let hook = given(reader, inner, surround::hook);
        match inner.name {
            "before" => to.before = hook,
            "after" => to.after = hook,
            "on_success" => to.on_success = hook,
            _ => to.on_failure = hook,
        }
    }
}

fn read_retry<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, to: &mut Settings<'a>) {
    if reader.is_null(entry.value) {
        (to.max_attempts, to.backoff, to.delay) = (Given::BuiltIn, Given::BuiltIn, Given::BuiltIn);
        (to.max_delay, to.retry_jitter, to.when_next_due) = (Given::BuiltIn, Given::BuiltIn, Given::BuiltIn);
        return;
    }
    if let Some(number) = reader.plain_number(entry.value) {
        let help = format!("write `retry: {{ max_attempts: {number} }}`");
        reader.refuse(entry.value, "`retry` is a single value", help);
        to.broken = true;
        return;
    }
    let (entries, is_right) = known_entries(reader, entry, keys::RETRY);
    to.broken |= !is_right;
    for inner in entries {
        match inner.name {
            "max_attempts" => to.max_attempts = given(reader, inner, |r, e| value::count(r, e, 1, 1000)),
            "backoff" => {
                let words =
                    [("fixed", Backoff::Fixed), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];
                to.backoff = given(reader, inner, |reader, entry| value::word(reader, entry, &words));
            }
            "delay" => to.delay = given(reader, inner, value::duration),
            "max_delay" => to.max_delay = given(reader, inner, value::positive_duration),
            "jitter" => to.retry_jitter = given(reader, inner, value::percent),
            _ => {
                let words = [
                    ("supersede", WhenNextDue::Supersede),
                    ("finish_first", WhenNextDue::FinishFirst),
                    ("superseded", WhenNextDue::Supersede),
                ];
                to.when_next_due = given(reader, inner, |reader, entry| value::word(reader, entry, &words));
            }
        }
    }
}

/// Reads what happens while the run-log cannot be used.
pub(super) fn on_run_log_error<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<OnRunLogError> {
    value::word(reader, entry, &[("run", OnRunLogError::Run), ("skip", OnRunLogError::Skip)])
}

/// How many run beside each other at most where `overlap: allow` does not say.
const ALLOWED: u32 = 10;

fn overlap<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Overlap> {
    let words = [
        ("skip", Overlap::Skip),
        ("queue", Overlap::Queue),
        ("allow", Overlap::Allow(ALLOWED)),
        ("replace", Overlap::Replace),
        ("Forbid", Overlap::Skip),
        ("Allow", Overlap::Allow(ALLOWED)),
        ("Replace", Overlap::Replace),
    ];
    if !reader.is_mapping(entry.value) {
        return value::word(reader, entry, &words);
    }
    let (entries, mut is_right) = known_entries(reader, entry, keys::OVERLAP);
    let (mut policy, mut max) = (None, None);
    for inner in entries {
        match inner.name {
            "policy" => {
                policy = value::word(reader, inner, &words);
                is_right &= policy.is_some();
            }
            _ => {
                max = value::count(reader, inner, 1, 1000).map(|count| (count, inner.key));
                is_right &= max.is_some();
            }
        }
    }
    match (policy, max) {
        _ if !is_right => None,
        (None, _) => {
            reader.refuse(entry.value, "`overlap` has no `policy`", "write `{ policy: allow, max: 3 }`");
            None
        }
        (Some(Overlap::Allow(_)), Some((max, _))) => Some(Overlap::Allow(max)),
        (Some(_), Some((_, at))) => {
            reader.refuse(at, "`max` goes only with `policy: allow`", "write `policy: allow`, or leave it out");
            None
        }
        (Some(policy), None) => Some(policy),
    }
}

fn catch_up<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<CatchUp> {
    let words =
        [("skip", CatchUp::Skip), ("latest", CatchUp::Latest), ("all", CatchUp::All { max: 100, window: None })];
    if !reader.is_mapping(entry.value) {
        return value::word(reader, entry, &words);
    }
    let (entries, mut is_right) = known_entries(reader, entry, keys::CATCH_UP);
    let (mut policy, mut max, mut window, mut for_all) = (None, Given::Absent, Given::Absent, None);
    for inner in entries {
        match inner.name {
            "policy" => {
                policy = value::word(reader, inner, &words);
                is_right &= policy.is_some();
            }
            "max" => max = given(reader, inner, |reader, entry| value::count(reader, entry, 1, 10_000)),
            _ => window = given(reader, inner, value::positive_duration),
        }
        for_all = if inner.name == "policy" { for_all } else { Some(inner) };
    }
    if !is_right || matches!(max, Given::Broken) || matches!(window, Given::Broken) {
        return None;
    }
    match (policy, for_all) {
        (None, _) => {
            reader.refuse(entry.value, "`catch_up` has no `policy`", "write `{ policy: all, … }`");
            None
        }
        (Some(CatchUp::All { .. }), _) => {
            let max = if let Given::Is(max, _) = max { max } else { 100 };
            let window = if let Given::Is(window, _) = window { Some(window) } else { None };
            Some(CatchUp::All { max, window })
        }
        (Some(_), Some(inner)) => {
            let help = "write `policy: all`, or leave it out";
            reader.refuse(inner.key, format!("`{}` goes only with `policy: all`", inner.name), help);
            None
        }
        (Some(policy), None) => Some(policy),
    }
}
