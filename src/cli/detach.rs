//! `run-due --detach`: the tick is done by a worker of its own, and who called is told as soon as all that is due has started.
//!
//! The worker is this program again, in a session of its own and with the same arguments. It does the whole tick, claims
//! included: a claim names the process that renews and records it, so none has to change hands. It tells what it has
//! started in one line of JSON.
//!
//! Holds always: once that line is told, nothing of the worker holds what the caller may wait for.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{dup2_stderr, dup2_stdout, geteuid, setsid};
use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Format};
use super::run_due::{as_json, exit_of, print_notes};
use crate::run::Attempt;
use crate::tick::{Event, Report, rfc3339};

/// What makes the program the worker.
const WORKER_FLAG: &str = "--detached";

/// How a worker can outlive who starts it.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// By a session of its own.
    Session,
    /// By a scope of systemd, too: its unit ends all that it has started.
    Scope,
    /// Not at all: why, and what to do.
    Refused(&'static str, &'static str),
}

/// The way for process `pid` with these variables; `has_systemd_run` is asked only where it matters.
fn way(pid: u32, variable: &dyn Fn(&str) -> bool, has_systemd_run: impl FnOnce() -> bool) -> Way {
    if pid == 1 {
        return Way::Refused(
            "`--detach` cannot be used as process 1: when it ends, so does everything in its container",
            "leave `--detach` out: the container then lives as long as its runs",
        );
    }
    if variable("KUBERNETES_SERVICE_HOST") {
        return Way::Refused(
            "`--detach` cannot be used in a pod: nothing outlives its container there",
            "leave `--detach` out: the pod then lives as long as its runs",
        );
    }
    if variable("TICKWARD_BODY") {
        return Way::Refused(
            "`--detach` cannot be used in the body of a pipeline: what a body starts ends with it",
            "leave `--detach` out",
        );
    }
    match variable("INVOCATION_ID") {
        false => Way::Session,
        true if has_systemd_run() => Way::Scope,
        true => Way::Refused(
            "`--detach` needs `systemd-run` in a unit of systemd: the unit ends all that it has started (`KillMode=`)",
            "leave `--detach` out, and set `TimeoutStartSec=infinity` in the unit",
        ),
    }
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Starts the worker and returns what it tells; `config` are the values of `--config`.
///
/// # Errors
/// `Usage` where no worker can outlive this process; otherwise how a worker has ended that started nothing.
pub fn start(config: &[String], output: Format, is_quiet: bool) -> Result<Exit, Exit> {
    if config.iter().any(|path| path == "-") {
        print::error("`--detach` cannot be used with `-c -`", "name a file: standard input is read once");
        return Err(Exit::Usage);
    }
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut command = match way(std::process::id(), &is_set, || is_in_path("systemd-run")) {
        Way::Refused(message, help) => {
            print::error(message, help);
            return Err(Exit::Usage);
        }
        Way::Session => this_again(),
        Way::Scope => in_scope(),
    };
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut worker = piped.spawn().map_err(|error| failed(&format!("no worker could be started: {error}")))?;
    let told = worker.stdout.take().and_then(|stdout| {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).ok()?;
        serde_json::from_str::<Value>(&line).ok()
    });
    let Some(object) = told else { return Err(ended_early(worker)) };
    if let Some(stderr) = worker.stderr.take() {
        pass_on(stderr);
    }
    match output {
        Format::Json => print::json(&object),
        Format::Text => tell(&object, is_quiet),
    }
    let code = object["rc"].as_u64().unwrap_or_default();
    let known = [Exit::Done, Exit::Failed, Exit::PartlyInvalid, Exit::RunLog, Exit::TimedOut];
    Ok(known.into_iter().find(|exit| u64::from(exit.code()) == code).unwrap_or(Exit::Failed))
}

fn failed(message: &str) -> Exit {
    print::error(message, "");
    Exit::Failed
}

fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1).chain([OsString::from(WORKER_FLAG)])
}

/// The running program itself, also where its file was replaced meanwhile.
fn this_again() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(std::env::args_os().next().unwrap_or_else(|| "tickward".into())).args(arguments());
    command
}

/// The same in a scope, which systemd ends only when the worker has ended.
fn in_scope() -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--scope", "--quiet", "--collect"]);
    if !geteuid().is_root() {
        command.arg("--user");
    }
    let program = std::env::current_exe().unwrap_or_else(|_| Path::new("tickward").into());
    command.arg("--").arg(program).args(arguments());
    command
}

/// How a worker has ended that told nothing, after passing on what it said.
fn ended_early(mut worker: Child) -> Exit {
    let mut said = String::new();
    if let Some(mut stderr) = worker.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    let code = worker.wait().ok().and_then(|status| status.code());
    if !said.trim().is_empty() {
        print::note(&print::printable(said.trim_end()));
    }
    match code {
        Some(2) => Exit::Usage,
        Some(4) => Exit::RunLog,
        _ => failed("the detached worker ended before it had started anything"),
    }
}

/// Prints what the worker has said so far; it goes on.
fn pass_on(mut stderr: ChildStderr) {
    if fcntl(&stderr, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_err() {
        return;
    }
    let mut said = Vec::new();
    // Ends with an error, because there is nothing more yet.
    let _ = stderr.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    if !said.trim().is_empty() {
        print::note(&print::printable(said.trim_end()));
    }
}

/// What a worker has told, for people.
fn tell(object: &Value, is_quiet: bool) {
    let groups = [("started", "started"), ("ran", "succeeded"), ("failed", "failed"), ("skipped", "skipped")];
    for (key, word) in groups.into_iter().filter(|(key, _)| !is_quiet || *key == "failed") {
        for run in object[key].as_array().into_iter().flatten() {
            let text = |key: &str| print::printable(run[key].as_str().unwrap_or_default());
            let why = run["reason"].as_str().map(|why| format!(" ({})", print::printable(why))).unwrap_or_default();
            let what = match run["count"].as_u64() {
                None => format!(" of {}", text("scheduled_for")),
                Some(count) => format!(": {count} from {} to {}", text("from"), text("scheduled_for")),
            };
            print::note(&format!("{word:<9} {}{what}{why}", text("pipeline")));
        }
    }
    for run in object["missed"].as_array().into_iter().flatten().filter(|_| !is_quiet) {
        let text = |key: &str| print::printable(run[key].as_str().unwrap_or_default());
        print::note(&format!(
            "missed    {}: {} from {} to {}",
            text("pipeline"),
            run["count"],
            text("from"),
            text("to")
        ));
    }
}

/// The worker's side: collects what has started, and tells it once.
pub struct Telling {
    configured: Exit,
    gap: Option<Duration>,
    started: Mutex<Vec<Attempt>>,
}

impl Telling {
    /// Makes this process the worker; `configured` is what the configuration means for the exit code, `gap` how long no tick
    /// was made before this one.
    pub fn begin(configured: Exit, gap: Option<Duration>) -> Telling {
        // Fails where systemd-run has made a session already.
        let _ = setsid();
        Telling { configured, gap, started: Mutex::default() }
    }

    /// Takes in what happens.
    pub fn hear(&self, event: &Event<'_>) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(attempt) => started.push((*attempt).clone()),
            Event::Ended(attempt) => started.retain(|other| other.token != attempt.token),
            Event::Settled(report) => self.tell(report, &started),
        }
    }

    fn tell(&self, report: &Report, started: &[Attempt]) {
        print_notes(report);
        let exit = exit_of(report).or_worse(self.configured);
        let mut object = as_json(report, self.gap, None, exit);
        object["started"] = started.iter().map(started_json).collect();
        // Whoever asked may be gone: the runs go on.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(format!("{object}\n").as_bytes()).and_then(|()| out.flush());
        if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
            let _ = dup2_stdout(&null);
            let _ = dup2_stderr(&null);
        }
    }
}

fn started_json(attempt: &Attempt) -> Value {
    json!({
        "pipeline": attempt.run.pipeline.to_string(),
        "scheduled_for": rfc3339(attempt.run.scheduled_for),
        "attempt": attempt.number,
        "trigger": attempt.trigger.word(),
        "worker": std::process::id(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_refused_where_nothing_outlives_its_parent() {
        for (pid, variables, has_systemd_run, expected) in [
            (7, &[][..], false, "Session"),
            (1, &[], true, "process 1"),
            (7, &["KUBERNETES_SERVICE_HOST"], true, "in a pod"),
            (7, &["TICKWARD_BODY", "INVOCATION_ID"], true, "body of a pipeline"),
            (7, &["INVOCATION_ID"], true, "Scope"),
            (7, &["INVOCATION_ID"], false, "KillMode"),
        ] {
            let way = way(pid, &|name| variables.contains(&name), || has_systemd_run);
            assert!(format!("{way:?}").contains(expected), "{pid} {variables:?}: {way:?}");
        }
    }
}
