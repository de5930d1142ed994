//! The command line: arguments in, one library function called, something printed, an exit code.
//!
//! One file a command; what they share is how the world is opened (`session`), how things are printed (`print`) and which
//! exit code wins (`exit`).

use std::pin::Pin;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod alert;
mod backfill;
mod cancel;
mod chosen;
mod degraded;
mod detach;
mod doctor;
mod exit;
mod foreseen;
mod forget;
mod history;
mod import;
mod init;
mod last_tick;
mod list;
mod logging;
mod logs;
mod next;
mod outlets;
mod pause;
mod print;
mod program;
mod progress;
mod prune;
mod reset;
mod resume;
mod retry;
mod run;
mod run_due;
mod run_log;
mod schema;
mod session;
mod shadow;
mod signals;
mod simulate;
mod skip;
mod spool;
mod status;
mod typed;
mod unrecorded;
mod validate;
mod verb;
mod version;
mod whose;
mod why;

use crate::registry::{Registry, run_body};
use exit::Exit;

/// Runs what is due, once: claims it in the run-log, runs it, retries, records.
///
/// Call `tickward run-due` every minute, from cron, a systemd timer or anything else that has a clock.
#[derive(Parser, Debug)]
#[command(name = "tickward", version = version::text(), max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    RunDue(run_due::RunDue),
    Run(run::Run),
    Backfill(backfill::Backfill),
    Simulate(simulate::Simulate),
    Shadow(shadow::Shadow),
    Status(status::Status),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Reset(reset::Reset),
    Skip(skip::Skip),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Forget(forget::Forget),
    Why(why::Why),
    History(history::History),
    Logs(logs::Logs),
    Next(next::Next),
    List(list::List),
    Validate(validate::Validate),
    Doctor(doctor::Doctor),
    Alert(alert::AlertCommand),
    RunLog(run_log::RunLogCommand),
    Prune(prune::Prune),
    Schema(schema::Schema),
    Init(init::Init),
    Import(import::Import),
    Spool(spool::Spool),
    Completions(schema::Completions),
    Version(version::Version),
}

/// What `tickward` does when it is called, for the pipelines of `registry`: reads the arguments of this process and obeys
/// them. With `Registry::new()` alone, this is `tickward` itself.
///
/// The whole of a program's `main`, but for the registry: no `#[tokio::main]`, no thread before `Registry::new()`. Such a
/// program is refused with code 2. To be called once in a process.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     let mut registry = tickward::Registry::new();
///     registry.pipeline("hello").schedule("@hourly").run(|ctx| async move {
///         println!("hello, it is {}", ctx.scheduled_for);
///         Ok(())
///     });
///     tickward::cli::main(registry)
/// }
/// ```
pub fn main(mut registry: Registry) -> ExitCode {
    if let Some(why) = registry.unfit() {
        print::error(why, "call it first in `main`, and leave `#[tokio::main]` out: bodies get an event loop");
        return Exit::Usage.into();
    }
    if let Some(code) = run_body(&mut registry) {
        return code;
    }
    program::is(registry);
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error),
    };
    logging::start();
    let exit = match &arguments.command {
        Command::RunDue(command) => command.execute(),
        Command::Run(command) => command.execute(),
        Command::Backfill(command) => command.execute(),
        Command::Simulate(command) => command.execute(),
        Command::Shadow(command) => command.execute(),
        Command::Status(command) => command.execute(),
        Command::Pause(command) => command.execute(),
        Command::Resume(command) => command.execute(),
        Command::Reset(command) => command.execute(),
        Command::Skip(command) => command.execute(),
        Command::Cancel(command) => command.execute(),
        Command::Retry(command) => command.execute(),
        Command::Forget(command) => command.execute(),
        Command::Why(command) => command.execute(),
        Command::History(command) => command.execute(),
        Command::Logs(command) => command.execute(),
        Command::Next(command) => command.execute(),
        Command::List(command) => command.execute(),
        Command::Validate(command) => command.execute(),
        Command::Doctor(command) => command.execute(),
        Command::Alert(command) => command.execute(),
        Command::RunLog(command) => command.execute(),
        Command::Prune(command) => command.execute(),
        Command::Schema(command) => command.execute(),
        Command::Init(command) => command.execute(),
        Command::Import(command) => command.execute(),
        Command::Spool(command) => command.execute(),
        Command::Completions(command) => command.execute(),
        Command::Version(command) => command.execute(),
    };
    exit.into()
}

/// Help and version go to standard output, mistakes to standard error; a reader that has gone away is no error.
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.render();
        let text = if print::colours_err() { text.ansi().to_string() } else { text.to_string() };
        // It repeats what was typed, which may be a URL in the wrong place.
        print::note(crate::config::secret::masked(&text).trim_end());
        return Exit::Usage.into();
    }
    let _ = error.print();
    Exit::Done.into()
}

/// How long the end of a command waits for threads that still ask somebody.
const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_millis(200);

/// Runs `work` on an event loop of one thread.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Exit> {
    let mut answer = None;
    run_to_its_end(Box::pin(async { answer = Some(work.await) }))?;
    answer.ok_or(Exit::RunLog)
}

/// Not generic, so that the event loop is in the program once, and not for each call of each command.
fn run_to_its_end(work: Pin<Box<dyn Future<Output = ()> + '_>>) -> Result<(), Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.block_on(work);
            // What is still asked of a run-log or an alerter that does not answer was given up long ago.
            runtime.shutdown_timeout(LEFT_BEHIND);
            Ok(())
        }
        Err(error) => {
            print::error(&format!("no event loop: {error}"), "");
            Err(Exit::RunLog)
        }
    }
}
