//! Looks at what is configured: schedules, time limits, programs, folders and users.
//!
//! Holds always: what variables have filled in is not shown.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::unistd::{Uid, User, geteuid};

use super::finding::{Findings, Level};
use super::line::{self, Begun};
use crate::pipeline::{Backoff, Body, Command, InheritEnv, Pipeline, Retry, WhenNextDue};
use crate::plan::constant_delay;
use crate::template::Template;

/// From how many on a minute is crowded.
const CROWD: usize = 10;
/// Where cron looks for programs.
const CRON_PATH: &str = "/usr/bin:/bin";
/// Where a command without `PATH` looks.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What runs the lines of a shell.
const SHELL: &str = "/bin/sh";

/// Looks at every pipeline, and at all together.
pub fn look(pipelines: &[Pipeline], now: Timestamp, findings: &mut Findings) {
    for pipeline in pipelines {
        schedule(pipeline, now, findings);
        times(pipeline, now, findings);
        identity(pipeline, findings);
        program(pipeline, findings);
    }
    crowds(pipelines, now, findings);
}

fn schedule(pipeline: &Pipeline, now: Timestamp, findings: &mut Findings) {
    let Some(schedule) = &pipeline.schedule else { return };
    if schedule.next_after(now).is_none() {
        let name = pipeline.id.to_string();
        let help = "give it another schedule, or leave `schedule` out to run it by hand";
        findings.add(Level::Wrong, "schedule", Some(&name), "it is never due again", help);
    }
}

/// How long until the next occurrence but one, at the shortest of the next few.
fn period(pipeline: &Pipeline, now: Timestamp) -> Option<SignedDuration> {
    let schedule = pipeline.schedule.as_ref()?;
    let next: Vec<_> = schedule.occurrences_between(now, Timestamp::MAX).take(5).collect();
    next.windows(2).map(|pair| pair[1].duration_since(pair[0])).min()
}

fn times(pipeline: &Pipeline, now: Timestamp, findings: &mut Findings) {
    let name = pipeline.id.to_string();
    if pipeline.timeout.is_none() {
        let help = "set `timeout`: one that hangs keeps all later occurrences from running";
        findings.add(Level::Advice, "timeout", Some(&name), "it may run as long as it likes", help);
    }
    let retry = &pipeline.retry;
    let Some(period) = period(pipeline, now).filter(|_| retry.max_attempts > 1) else { return };
    let mut waits = Duration::ZERO;
    for attempt in 1..retry.max_attempts.min(64) {
        waits = waits.saturating_add(wait_after(retry, attempt));
    }
    let runs = pipeline.timeout.unwrap_or_default().saturating_mul(retry.max_attempts);
    let longest = SignedDuration::try_from(waits.saturating_add(runs)).unwrap_or(SignedDuration::MAX);
    if longest > period {
        let what = format!("its attempts may take {longest:#}, and it is due again after {period:#}");
        let help = match retry.when_next_due {
            WhenNextDue::Supersede => {
                "the next occurrence supersedes what is left of the retries: shorten `timeout`, `delay` or `max_attempts`"
            }
            WhenNextDue::FinishFirst => {
                "the next occurrence meets `overlap` while they go on: shorten `timeout`, `delay` or `max_attempts`"
            }
        };
        findings.add(Level::Advice, "retry", Some(&name), &what, help);
    }
}

/// The wait after an attempt, jitter aside.
fn wait_after(retry: &Retry, attempt: u32) -> Duration {
    let times = match retry.backoff {
        Backoff::Fixed => 1,
        Backoff::Linear => attempt,
        Backoff::Exponential => 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX),
    };
    retry.delay.saturating_mul(times).min(retry.max_delay.unwrap_or(Duration::MAX))
}

/// Names the most crowded minute of the next day.
fn crowds(pipelines: &[Pipeline], now: Timestamp, findings: &mut Findings) {
    let until = now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for pipeline in pipelines {
        let Some(schedule) = &pipeline.schedule else { continue };
        let delay = constant_delay(&pipeline.id, pipeline.jitter).as_secs() as i64;
        let mut last = None;
        for at in schedule.occurrences_between(now, until) {
            let minute = (at.as_second() + delay).div_euclid(60);
            // Once for each pipeline, however often it is due within the minute.
            if last.replace(minute) != Some(minute) {
                *minutes.entry(minute).or_default() += 1;
            }
        }
    }
    let most = minutes.iter().max_by_key(|(minute, count)| (**count, -**minute)).filter(|(_, count)| **count >= CROWD);
    if let Some((minute, count)) = most {
        let at = Timestamp::from_second(minute * 60).unwrap_or(now);
        let what = format!("{count} pipelines are due at {}", at.strftime("%Y-%m-%d %H:%MZ"));
        findings.add(Level::Advice, "crowd", None, &what, "spread them: `defaults: { jitter: 5m }`, or other minutes");
    }
}

fn identity(pipeline: &Pipeline, findings: &mut Findings) {
    let Some(user) = &pipeline.command.user else { return };
    let entry = match user.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_) => User::from_name(user),
    };
    // A number needs no entry.
    let number = user.parse().ok().map(Uid::from_raw);
    let (what, help) = match entry.ok().flatten().map(|entry| entry.uid).or(number) {
        None => (format!("the user `{user}` is unknown here"), "make the user, or name another"),
        Some(uid) if !geteuid().is_root() && uid != geteuid() => (
            format!("it runs as `{user}`, which only root may do"),
            "let root's cron call the tick, or leave `user` out",
        ),
        Some(_) => return,
    };
    let what = pipeline.command.filled.concealed_in(&what);
    findings.add(Level::Wrong, "user", Some(&pipeline.id.to_string()), &what, help);
}

/// The text of a template that names no value.
fn fixed(template: &Template) -> Option<String> {
    let is_fixed = Cell::new(true);
    let text = template.render(|_| {
        is_fixed.set(false);
        String::new()
    });
    is_fixed.get().then_some(text)
}

fn program(pipeline: &Pipeline, findings: &mut Findings) {
    let command = &pipeline.command;
    let name = pipeline.id.to_string();
    let mut add = |level, check, what: &str, help| {
        findings.add(level, check, Some(&name), &command.filled.concealed_in(what), help);
    };
    if let Some(cwd) = command.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        add(Level::Wrong, "cwd", &format!("the folder `{}` is not there", cwd.display()), "make it, or correct `cwd`");
        return;
    }
    let mut programs = Vec::new();
    let line = match &command.body {
        Body::Argv(elements) => {
            let elements: Vec<Option<String>> = elements.iter().map(fixed).collect();
            programs.extend(elements.first().cloned().flatten().map(here));
            line::handed_over(&elements).map(str::to_owned)
        }
        Body::Shell(line) => {
            programs.push(here(SHELL.into()));
            Some(line.clone())
        }
    };
    // A name that a variable has filled in is not told.
    let begun = line.as_deref().and_then(line::begin).filter(|begun| command.shown.contains(&begun.program));
    programs.extend(begun);
    let cwd = command.cwd.clone().unwrap_or_default();
    let missing = programs.iter().find_map(|begun| missing(command, &cwd, begun));
    if let Some((level, what, help)) = missing {
        add(level, "program", &what, help);
    }
}

fn here(program: String) -> Begun {
    Begun { program, folder: PathBuf::new() }
}

/// What is wrong with a program; none where nothing is.
fn missing(command: &Command, cwd: &Path, begun: &Begun) -> Option<(Level, String, &'static str)> {
    let program = &begun.program;
    if program.contains('/') {
        return match is_executable(&cwd.join(&begun.folder).join(program)) {
            Some(true) => None,
            Some(false) => {
                let help = "chmod +x, or name its interpreter first";
                Some((Level::Wrong, format!("`{program}` is not executable"), help))
            }
            None => Some((Level::Wrong, format!("`{program}` was not found"), "install it, or correct the path")),
        };
    }
    let own = command.env.get("PATH").map(|path| fixed(path).unwrap_or_default());
    let inherits = match &command.inherit_env {
        InheritEnv::All => true,
        InheritEnv::Nothing => false,
        InheritEnv::Only(names) => names.iter().any(|name| name == "PATH"),
    };
    let ours = std::env::var("PATH").ok().filter(|_| inherits);
    let path = own.clone().or(ours).unwrap_or_else(|| DEFAULT_PATH.into());
    if !is_on(&path, program) {
        let what = format!("`{program}` was not found in PATH");
        return Some((Level::Wrong, what, "install it, or write its full path"));
    }
    if own.is_none() && inherits && !is_on(CRON_PATH, program) {
        let what = format!("cron, whose PATH is {CRON_PATH}, would not find `{program}`");
        return Some((Level::Advice, what, "write its full path, or set `PATH` in `env` or in the crontab"));
    }
    None
}

/// Whether a file can be executed by anybody; none where there is none.
fn is_executable(path: &Path) -> Option<bool> {
    let data = path.metadata().ok()?;
    Some(data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn is_on(path: &str, program: &str) -> bool {
    path.split(':').any(|folder| is_executable(&PathBuf::from(folder).join(program)) == Some(true))
}
