//! `run-due --shadow`: a tick that decides and records, in a run-log of its own, and runs nothing.
//!
//! What it claims is recorded at once as if it had succeeded, and marked in its results; `tickward shadow report` shows it.
//!
//! Holds always: no body is started, and neither alerts nor figures leave this.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::exit::Exit;
use super::super::print::{self, Format};
use super::super::session::{Session, run_log_failed};
use super::super::shadow::{MARK, run_log_url};
use super::super::verb::clock_at;
use super::super::{block_on, signals};
use super::{RunDue, as_json, exit_of, print_notes, print_text};
use crate::clock::{BootTime, Clock};
use crate::executor::{End, Ended, Executor, Job, Output, Stop, Told};
use crate::occurrence::Token;
use crate::pipeline::Pipeline;
use crate::runlog::Purpose;
use crate::tick::{self, Env, Options, SystemHost};

/// Does the tick.
///
/// # Errors
/// The exit of a tick that could not be done, after saying why.
pub fn tick(command: &RunDue) -> Result<Exit, Exit> {
    let session = Session::load(&command.config, &command.run_log)?;
    let session = run_log_url(session, command.run_log.run_log_url.as_deref());
    let pipelines = RunDue::selected(&session, &command.only)?;
    block_on(decide(command, &session, &pipelines))?
}

async fn decide(command: &RunDue, session: &Session, pipelines: &[&Pipeline]) -> Result<Exit, Exit> {
    let clock = clock_at(command.now);
    let purpose = if command.now.is_some() { Purpose::RehearseShadow } else { Purpose::Shadow };
    let env = Env {
        run_log: session.run_log(purpose, clock.clone())?,
        executor: Arc::new(NoBodies(clock.clone())),
        host: Arc::new(SystemHost),
        owner: SystemHost.owner(),
        variables: Vec::new(),
        output: None,
        stop: signals::heeded(),
        clock,
    };
    let options = Options { interval: command.interval, jobs: command.work.jobs(), ..Options::default() };
    let report = tick::run_due(&env, pipelines, &options).await.map_err(|error| run_log_failed(&error))?;
    let exit = exit_of(&report).or_worse(session.exit());
    print_notes(&report);
    match command.output {
        Format::Json => print::json(&as_json(&report, None, None, exit)),
        Format::Text if command.quiet => {}
        Format::Text => {
            for attempt in report.ran() {
                print::note(&format!("would run {} ({})", attempt.run.id(), attempt.trigger.word()));
            }
            print_text(&report, None);
        }
    }
    Ok(exit)
}

/// Bodies that are not run and have succeeded at once.
struct NoBodies(Arc<dyn Clock>);

#[async_trait]
impl Executor for NoBodies {
    async fn run(&self, _: Job) -> Ended {
        let values = [(MARK.to_owned(), true.into())].into_iter().collect();
        Ended {
            end: End::Exited(0),
            stopped: None,
            started_at: Some(self.0.boot()),
            duration: Duration::ZERO,
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            output: Output { told: Told { values, ..Told::default() }, ..Output::default() },
        }
    }

    fn extend(&self, _: Token, _: BootTime) {}

    fn stop(&self, _: Token, _: Stop) {}

    fn kill_all(&self) {}

    async fn close(&self) {}
}
