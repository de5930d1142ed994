//! The command line: arguments in, one library function called, something printed, an exit code.
//!
//! One file a command; what they share is how the world is opened (`session`), how things are printed (`print`) and which
//! exit code wins (`exit`).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod backfill;
mod doctor;
mod exit;
mod history;
mod import;
mod init;
mod list;
mod logging;
mod logs;
mod next;
mod print;
mod progress;
mod run;
mod run_due;
mod schema;
mod session;
mod shadow;
mod signals;
mod simulate;
mod status;
mod typed;
mod validate;
mod version;

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
    History(history::History),
    Logs(logs::Logs),
    Next(next::Next),
    List(list::List),
    Validate(validate::Validate),
    Doctor(doctor::Doctor),
    Schema(schema::Schema),
    Init(init::Init),
    Import(import::Import),
    Completions(schema::Completions),
    Version(version::Version),
}

/// What `tickward` does when it is called: reads the arguments of this process and obeys them.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == crate::executor::SUPERVISE_ARG) {
        return crate::executor::supervise_main();
    }
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
        Command::History(command) => command.execute(),
        Command::Logs(command) => command.execute(),
        Command::Next(command) => command.execute(),
        Command::List(command) => command.execute(),
        Command::Validate(command) => command.execute(),
        Command::Doctor(command) => command.execute(),
        Command::Schema(command) => command.execute(),
        Command::Init(command) => command.execute(),
        Command::Import(command) => command.execute(),
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

/// Runs `work` on an event loop of one thread.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Ok(runtime.block_on(work)),
        Err(error) => {
            print::error(&format!("no event loop: {error}"), "");
            Err(Exit::RunLog)
        }
    }
}
