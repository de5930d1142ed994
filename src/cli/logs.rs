//! `tickward logs`: what a body printed.
//!
//! Reads the file on this host; where there is none (another host ran it, or it is gone by age), the end of the output
//! that the run-log keeps.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::exit::Exit;
use super::print;
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, history};
use crate::clock::{Clock, SystemClock};
use crate::run::Attempt;
use crate::runlog::contract::{Query, Record};
use crate::runlog::{Purpose, RunLog};
use crate::tick::{find_output, output_file};

/// Shows what a pipeline's last run printed, or an earlier one's
#[derive(clap::Args, Debug)]
pub struct Logs {
    /// A pipeline, or a run's id as `history` shows it
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// Which attempt of the run [default: the last]
    #[arg(long)]
    attempt: Option<u32>,
    /// Go on until the attempt has ended
    #[arg(short, long)]
    follow: bool,
}

impl Logs {
    pub fn execute(&self) -> Exit {
        let session = Session::load_quietly(&self.config, &self.run_log);
        match self.show(&session) {
            Ok(()) => Exit::Done,
            Err(exit) => exit,
        }
    }

    fn show(&self, session: &Session) -> Result<(), Exit> {
        let run_log = session.run_log(Purpose::Read, Arc::new(SystemClock))?;
        let Some(attempt) = self.find(session, &*run_log)? else {
            let name = self.name.split_once('@').map_or(self.name.as_str(), |(name, _)| name);
            history::must_be_known(session, &history::id_within(session, name, &self.name)?, name)?;
            let there = self.attempts(session, &*run_log, None)?;
            let (message, help) = match (self.attempt, there.first()) {
                (Some(number), Some(last)) => {
                    let mut numbers: Vec<u32> =
                        there.iter().filter(|attempt| attempt.run == last.run).map(|attempt| attempt.number).collect();
                    numbers.sort_unstable();
                    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                    let help = format!("its last run is `{}`, with attempt {}", last.run.id(), numbers.join(", "));
                    (format!("no attempt {number} of `{}` is known", self.name), help)
                }
                _ => (format!("no run of `{}` is known", self.name), "`tickward history` shows what there is".into()),
            };
            print::error(&message, &help);
            return Err(Exit::Usage);
        };
        let folder = session.state_folder().join("output");
        let file = find_output(&folder, &attempt).unwrap_or_else(|| output_file(&folder, &attempt));
        if self.follow {
            return self.follow(&*run_log, &file, attempt);
        }
        match File::open(&file) {
            Ok(mut file) => copy(&mut file),
            Err(_) => self.show_kept(&attempt),
        }
        Ok(())
    }

    fn find(&self, session: &Session, run_log: &dyn RunLog) -> Result<Option<Attempt>, Exit> {
        Ok(self.attempts(session, run_log, self.attempt)?.into_iter().next())
    }

    /// The attempts with that number, or all of them, of what is named, the newest first; where one is enough, one.
    fn attempts(&self, session: &Session, run_log: &dyn RunLog, number: Option<u32>) -> Result<Vec<Attempt>, Exit> {
        let (name, run_id) = match self.name.split_once('@') {
            Some((name, _)) => (name, Some(self.name.as_str())),
            None => (self.name.as_str(), None),
        };
        let pipeline = Some(history::id_within(session, name, &self.name)?);
        let limit = if run_id.is_some() || self.attempt.is_some() { 10_000 } else { 1 };
        let query = Query { pipeline, attempts_only: true, limit, ..Query::default() };
        let records = block_on(run_log.history(query))?.map_err(|error| run_log_failed(&error))?;
        let attempts = records.into_iter().filter_map(|record| match record {
            Record::Attempt(attempt) => Some(*attempt),
            Record::NotRun(_) => None,
        });
        let is_wanted = |attempt: &Attempt| {
            run_id.is_none_or(|id| attempt.run.id() == id) && number.is_none_or(|number| attempt.number == number)
        };
        Ok(attempts.filter(is_wanted).collect())
    }

    fn show_kept(&self, attempt: &Attempt) {
        let Some(end) = &attempt.end else { return };
        if end.output_bytes == 0 {
            let why = end.error.as_deref().map(|error| format!(": {}", print::printable(error))).unwrap_or_default();
            return print::note(&format!("note: it printed nothing; the attempt is `{}`{why}", end.outcome));
        }
        if end.output_bytes > end.tail.len() as u64 {
            print::note("note: the file is not on this host; this is the end that the run-log keeps");
        }
        print::out(&shown(end.tail.as_bytes()));
    }

    fn follow(&self, run_log: &dyn RunLog, path: &Path, attempt: Attempt) -> Result<(), Exit> {
        let mut file: Option<File> = None;
        let mut attempt = attempt;
        loop {
            let over = !attempt.is_active();
            if file.is_none() {
                file = File::open(path).ok();
            }
            if let Some(file) = &mut file {
                copy(file);
            }
            if over {
                if file.is_none() {
                    self.show_kept(&attempt);
                }
                return Ok(());
            }
            block_on(SystemClock.sleep_until(SystemClock.boot().plus(Duration::from_millis(200))))?;
            attempt = same(run_log, &attempt)?.unwrap_or(attempt);
        }
    }
}

/// The same attempt as the run-log has it now: a newer run of the pipeline does not take its place.
fn same(run_log: &dyn RunLog, attempt: &Attempt) -> Result<Option<Attempt>, Exit> {
    let query = Query { run: Some(attempt.run.clone()), attempts_only: true, limit: 10_000, ..Query::default() };
    let records = block_on(run_log.history(query))?.map_err(|error| run_log_failed(&error))?;
    Ok(records.into_iter().find_map(|record| match record {
        Record::Attempt(now) if now.token == attempt.token => Some(*now),
        _ => None,
    }))
}

/// Copies what is left of a file: as it is into a pipe or a file, made harmless onto a terminal.
fn copy(file: &mut File) {
    use std::io::IsTerminal;
    let terminal = std::io::stdout().is_terminal();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = file.read(&mut buffer) {
        if terminal {
            print::out(&shown(&buffer[..length]));
        } else if std::io::stdout().lock().write_all(&buffer[..length]).is_err() {
            std::process::exit(0);
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    print::printable(&String::from_utf8_lossy(bytes))
}
