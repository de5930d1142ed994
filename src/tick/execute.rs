//! Turns a claimed attempt into a job: templates filled in, environment put together.
//!
//! Holds always: none of our own settings reaches a body.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;

use super::env::Env;
use super::output_files::output_file;
use crate::clock::BootTime;
use crate::executor::{Around, Input, Job, Program, Step};
use crate::occurrence::compact;
use crate::pipeline::{Body, Command, Hook, InheritEnv, Pipeline, Results, Stdin};
use crate::run::Attempt;
use crate::template::{Template, Value};

/// Our own settings, which no body inherits: they may hold secrets, and a tick run by a body is another tick.
pub const OWN_PREFIXES: [&str; 2] = ["TICKWARD_", "EMATIX_FLOW_"];

/// The job for `attempt` of `pipeline`, to be stopped at `stop_at` unless extended, one of `places` at once.
pub fn job(
    env: &Env,
    pipeline: &Pipeline,
    attempt: &Attempt,
    stop_at: BootTime,
    deadline: Option<Timestamp>,
    places: u32,
) -> Job {
    let values = |value| value_of(env, pipeline, attempt, value);
    let fill = |template: &Template| template.render(values);
    let command = &pipeline.command;
    let around = around(env, pipeline, &fill);
    let result_file = around.as_ref().and_then(|around| around.result_file.clone());
    let mut variables = environment(env, pipeline, attempt, deadline);
    variables.extend(result_file.map(|path| ("TICKWARD_RESULT_FILE".into(), path.into_os_string())));
    Job {
        token: attempt.token,
        program: program(&command.body, &fill),
        cwd: command.cwd.clone(),
        env: variables,
        stdin: match &command.stdin {
            Stdin::Null => Input::Null,
            Stdin::Text(text) => Input::Text(fill(text)),
            Stdin::File(path) => Input::File(path.clone()),
        },
        user: command.user.clone(),
        group: command.group.clone(),
        memory_limit_bytes: command.memory_limit_bytes,
        timeout: pipeline.timeout,
        kill_grace: pipeline.kill_grace,
        stop_at,
        start_mark: env.run_log.start_marks().map(|folder| folder.join(attempt.token.to_string())),
        output: env.output.as_ref().map(|folder| output_file(folder, attempt)),
        output_limit_bytes: command.output_limit_bytes,
        places: Some(places),
        around,
    }
}

/// What stands around the body; none where nothing does.
fn around(env: &Env, pipeline: &Pipeline, fill: &dyn Fn(&Template) -> String) -> Option<Box<Around>> {
    let (hooks, results) = (&pipeline.hooks, &pipeline.results);
    if hooks.is_empty() && **results == Results::default() {
        return None;
    }
    let step = |hook: &Option<Hook>| {
        let hook = hook.as_ref()?;
        Some(Step { program: program(&hook.body, fill), timeout: hook.timeout })
    };
    Some(Box::new(Around {
        before: step(&hooks.before),
        on_success: step(&hooks.on_success),
        on_failure: step(&hooks.on_failure),
        after: step(&hooks.after),
        results: Results::clone(results),
        result_file: results.json.then(|| result_file(env)),
        exit_codes: pipeline.exit_codes.clone(),
    }))
}

/// A file that nobody can guess, where the body's user may write, whoever that is.
fn result_file(env: &Env) -> PathBuf {
    let temporary = match variable(env, "TMPDIR") {
        folder if folder.starts_with('/') => folder,
        _ => "/tmp".into(),
    };
    PathBuf::from(temporary).join(format!("tickward-result-{:032x}", env.host.mint()))
}

fn program(body: &Body, fill: &dyn Fn(&Template) -> String) -> Program {
    match body {
        Body::Argv(elements) => Program::Argv(elements.iter().map(fill).collect()),
        Body::Shell(line) => Program::Shell(line.clone()),
    }
}

fn environment(
    env: &Env,
    pipeline: &Pipeline,
    attempt: &Attempt,
    deadline: Option<Timestamp>,
) -> Vec<(OsString, OsString)> {
    let mut all: BTreeMap<OsString, OsString> =
        env.variables.iter().filter(|(name, _)| is_inherited(&pipeline.command, name)).cloned().collect();
    let of = |value| value_of(env, pipeline, attempt, value);
    for (name, template) in &pipeline.command.env {
        all.insert(name.into(), template.render(of).into());
    }
    let ours = [
        ("TICKWARD_PIPELINE", of(Value::Pipeline)),
        ("TICKWARD_RUN_ID", of(Value::RunId)),
        ("TICKWARD_BATCH_ID", of(Value::BatchId)),
        ("TICKWARD_SCHEDULED_FOR", rfc3339(attempt.run.scheduled_for)),
        ("TICKWARD_ATTEMPT", of(Value::Attempt)),
        ("TICKWARD_MAX_ATTEMPTS", of(Value::MaxAttempts)),
        ("TICKWARD_TRIGGER", of(Value::Trigger)),
        ("TICKWARD_FENCE", of(Value::Fence)),
        ("TICKWARD_DEADLINE", deadline.map(rfc3339).unwrap_or_default()),
        ("TICKWARD_DEGRADED", u8::from(attempt.degraded).to_string()),
    ];
    all.extend(ours.map(|(name, value)| (name.into(), value.into())));
    all.into_iter().collect()
}

/// What tells a process whose it is: not ours where the body runs as somebody else, for whom the executor fills them in.
const OF_THE_USER: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

fn is_inherited(command: &Command, name: &OsString) -> bool {
    let text = name.to_string_lossy();
    let own = OWN_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    let of_another = command.user.is_some() && OF_THE_USER.contains(&&*text);
    match &command.inherit_env {
        InheritEnv::All => !own && !of_another,
        InheritEnv::Nothing => false,
        InheritEnv::Only(names) => !own && names.iter().any(|wanted| *wanted == text),
    }
}

fn value_of(env: &Env, pipeline: &Pipeline, attempt: &Attempt, value: Value) -> String {
    let scheduled_for = attempt.run.scheduled_for;
    let local = |instant: Timestamp| instant.to_zoned(pipeline.zone.clone());
    match value {
        Value::Pipeline => attempt.run.pipeline.name.to_string(),
        Value::Namespace => attempt.run.pipeline.namespace.to_string(),
        Value::ScheduledFor => local(scheduled_for).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Value::ScheduledDate => local(scheduled_for).date().to_string(),
        Value::PreviousScheduledFor => previous(pipeline, scheduled_for)
            .map(|instant| local(instant).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
            .unwrap_or_default(),
        Value::Attempt => attempt.number.to_string(),
        Value::AttemptSuffix => attempt.suffix(),
        Value::MaxAttempts => attempt.policy.retry.max_attempts.to_string(),
        Value::RunId => attempt.run.id(),
        Value::BatchId => format!("{}-{}", attempt.run.pipeline.name, compact(scheduled_for)),
        Value::Trigger => attempt.trigger.word().into(),
        Value::Env => variable(env, "TICKWARD_ENV"),
        Value::Host => env.owner.host.clone(),
        Value::Fence => attempt.fence.to_string(),
    }
}

fn variable(env: &Env, name: &str) -> String {
    let found = env.variables.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
}

fn previous(pipeline: &Pipeline, scheduled_for: Timestamp) -> Option<Timestamp> {
    let before = scheduled_for.checked_sub(jiff::SignedDuration::from_micros(1)).ok()?;
    pipeline.schedule.as_ref()?.previous_at_or_before(before)
}

/// An instant as everybody outside reads it: RFC 3339 in UTC.
pub fn rfc3339(instant: Timestamp) -> String {
    instant.to_string()
}
