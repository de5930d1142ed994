//! Alerts and metrics as others receive them: over HTTP, by mail, in files.
//!
//! Mail, TLS and the readers of other makers need a virtual environment: `OUTLETS_VENV`, else `tests/outlets/.venv`, which
//! tests/outlets/setup.sh makes. Without it they are shown as ignored; where `CI` is set, they fail instead. Mail needs
//! the feature `smtp` too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod addresses;
mod failures;
mod http_server;
#[cfg(feature = "smtp")]
mod mail;
#[cfg(not(feature = "smtp"))]
mod mail {
    pub const TESTS: &[crate::WithPython] = &[];
}
mod metrics;
mod python;
mod slack;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use libtest_mimic::{Arguments, Failed, Trial};
use tickward::alert::{Alert, Kind};
use tickward::alerter::{self, Alerter, OpenOptions, SendError};
use tickward::clock::ManualClock;
use tickward::config::{AlerterSpec, Environment, Secret};
use tickward::occurrence::{Name, PipelineId, Run};

/// A test and its name.
type Test = (&'static str, fn());

/// A test that needs the virtual environment.
type WithPython = (&'static str, fn(&python::Python));

fn main() {
    let arguments = Arguments::from_args();
    // Before there is a second thread: whom the clients trust besides the system is for the tests to say.
    let mut python = python::Python::find();
    if let Some(authority) = python.authority() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("SSL_CERT_FILE", authority) };
    }
    python.listen();
    let mut trials = Vec::new();
    for (name, test) in [addresses::TESTS, failures::TESTS, metrics::TESTS, slack::TESTS, webhook::TESTS].concat() {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    let python = Arc::new(python);
    for (name, test) in [mail::TESTS, metrics::WITH_PYTHON, webhook::WITH_PYTHON].concat() {
        let python = python.clone();
        let is_ignored = python.is_missing() && !is_ci();
        let run = move || match python.is_missing() {
            true => Err(Failed::from("the virtual environment is missing: run tests/outlets/setup.sh")),
            false => {
                test(&python);
                Ok(())
            }
        };
        trials.push(Trial::test(name, run).with_ignored_flag(is_ignored));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(python);
    conclusion.exit();
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// The instant of every test.
fn now() -> Timestamp {
    "2026-01-01T02:00:20Z".parse().unwrap()
}

fn options() -> OpenOptions {
    let environment = Environment::of([("HOOK_SECRET", "hunter2 hunter2"), ("EMPTY", "")]);
    OpenOptions { limit: Duration::from_secs(5), ..OpenOptions::new(Arc::new(ManualClock::new(now())), environment) }
}

fn spec(url: &str) -> AlerterSpec {
    AlerterSpec::of_url(Secret::new(url))
}

fn open(url: &str) -> Arc<dyn Alerter> {
    alerter::open(&spec(url), options()).unwrap_or_else(|error| panic!("{url}: {error}: {}", error.help()))
}

/// Sends as a tick does: on a runtime of one thread.
fn send(alerter: &dyn Alerter, alert: &Alert) -> Result<(), SendError> {
    runtime().block_on(alerter.send(alert))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn pipeline(name: &str) -> PipelineId {
    PipelineId { namespace: Name::parse("default").unwrap(), name: Name::parse(name).unwrap() }
}

/// An alert with everything in it.
fn alert() -> Alert {
    let run = Run { pipeline: pipeline("daily_etl"), scheduled_for: "2026-01-01T02:00:00Z".parse().unwrap() };
    Alert {
        max_attempts: Some(3),
        outcome: Some("failed".into()),
        error: Some("exit code 1".into()),
        exit_code: Some(1),
        next_attempt_at: Some("2026-01-01T02:00:45Z".parse().unwrap()),
        host: "etl-1".into(),
        description: "Customer load".into(),
        owner: "data-team".into(),
        runbook: "https://wiki.example.com/daily-etl".into(),
        tags: vec!["critical".into()],
        tail: tickward::alert::tail("connecting\n\u{1b}[31mno route to <db>\u{1b}[0m é\n"),
        ..Alert::of_attempt(Kind::Failed, &run, 2, now())
    }
}
