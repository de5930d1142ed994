//! `tickward spool`: what this host has done without the run-log and that does not know yet.

mod lines;

use std::io::Read;

use serde_json::{Value, json};

use super::degraded;
use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, signals};
use crate::runlog::spool::Stored;
use crate::runlog::spool::keep::{self, Flawed};
use crate::tick::{self, Recovered, rfc3339};

/// So many numbers of lines are told.
const NAMED: usize = 10;

/// What this host has done without the run-log, and that does not know yet
#[derive(clap::Args, Debug)]
pub struct Spool {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Lists what the next tick of this host will take into the run-log
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// How to print
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Takes lines into the run-log that ticks without a disk have printed
    Import {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        run_log: RunLogArgs,
        /// File with the lines, or `-` for standard input; other lines in it are passed over
        #[arg(value_name = "FILE|-", default_value = "-")]
        file: String,
    },
}

impl Spool {
    pub fn execute(&self) -> Exit {
        match &self.what {
            What::List { config, output } => list(config, *output),
            What::Import { config, run_log, file } => {
                let session = Session::load_quietly(config, run_log);
                match block_on(import(&session, file)) {
                    Ok(Ok(exit) | Err(exit)) | Err(exit) => exit,
                }
            }
        }
    }
}

fn list(config: &ConfigArgs, output: Format) -> Exit {
    let session = Session::load_quietly(config, &RunLogArgs { run_log_url: None, no_run_log: false });
    let state = session.state_folder();
    let own = session.host_folder().zip(session.run_log_shown());
    let all = degraded::folders(&state).and_then(|folders| {
        let mut all = Vec::new();
        for folder in folders {
            let shown = || own.iter().find(|(own, _)| own.path() == folder.path()).map(|(_, shown)| shown.clone());
            let run_log = keep::run_log(&folder).or_else(shown);
            all.extend(keep::records(&folder)?.into_iter().map(|(_, stored)| as_json(&stored, run_log.as_deref())));
        }
        Ok(all)
    });
    let all = match all {
        Ok(all) => all,
        Err(error) => {
            print::error(&format!("the spool in `{}` cannot be read: {error}", state.display()), "");
            return Exit::RunLog;
        }
    };
    match output {
        Format::Json => print::json(&Value::Array(all)),
        Format::Text if all.is_empty() => print::note("nothing waits for the run-log"),
        Format::Text => {
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), print::printable);
            let keys = ["run", "attempt", "outcome", "at", "run_log"];
            let row = |object: &Value| {
                keys.map(|key| if object[key].is_null() { "-".into() } else { text(object[key].clone()) }).to_vec()
            };
            print::out(&print::table(&["RUN", "ATTEMPT", "OUTCOME", "AT", "RUN-LOG"], all.iter().map(row).collect()));
        }
    }
    Exit::Done
}

fn as_json(stored: &Stored, run_log: Option<&str>) -> Value {
    let mut object = match stored {
        Stored::Attempt { spooled, .. } => json!({
            "kind": "attempt",
            "run": spooled.attempt.run.id(),
            "attempt": spooled.attempt.number,
            "outcome": spooled.attempt.outcome().map(|outcome| outcome.word()),
            "at": rfc3339(spooled.attempt.end.as_ref().map_or(spooled.attempt.claimed_at, |end| end.ended_at)),
        }),
        Stored::End { run, completion } => json!({
            "kind": "end",
            "run": run,
            "attempt": null,
            "outcome": completion.outcome.word(),
            "at": rfc3339(completion.ended_at),
        }),
    };
    object["run_log"] = run_log.into();
    object
}

async fn import(session: &Session, file: &str) -> Result<Exit, Exit> {
    let text = match file {
        "-" => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map(|_| text)
        }
        file => std::fs::read(file),
    };
    let text = text.map_err(|error| {
        print::error(&format!("`{file}` cannot be read: {error}"), "");
        Exit::Usage
    })?;
    let lines = lines::read(&text);
    for number in &lines.damaged {
        print::note(&format!(
            "warning: line {number} of `{file}` is not recorded: it is damaged, or of a newer tickward"
        ));
    }
    let mut kept = Vec::new();
    let mut recovered = Recovered::default();
    for (number, stored) in lines.records {
        match stored.flaw() {
            Some(why) => {
                let run = format!("line {number} of `{file}`, {}", stored.run());
                recovered.flawed.push(Flawed { run, why, path: None });
            }
            None => kept.push((String::new(), stored)),
        }
    }
    if kept.is_empty() && recovered.flawed.is_empty() {
        let readable = if lines.damaged.is_empty() { "" } else { " that can be read" };
        print::error(
            &format!("`{file}` has no line of a spool{readable}"),
            "such lines begin with {\"tickward_spool\": ticks print them where they have no disk",
        );
        return Err(Exit::Usage);
    }
    let env = session.env(None, false, signals::heeded())?;
    let taken = tick::take_in(&env, &kept, &mut recovered, |_, _| Ok(true)).await;
    taken.map_err(|error| run_log_failed(&error))?;
    let new = recovered.taken - recovered.known;
    let known = if recovered.known > 0 { format!("; known already: {}", recovered.known) } else { String::new() };
    print::note(&format!("recorded  {new} from `{file}`{known}"));
    degraded::tell_trouble(&recovered);
    tell_others(&lines.others);
    let is_whole = lines.damaged.is_empty() && recovered.flawed.is_empty() && recovered.unknown.is_empty();
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

/// Says which lines were somebody else's, where they are few by their numbers.
fn tell_others(lines: &[usize]) {
    let numbers: Vec<String> = lines.iter().take(NAMED).map(usize::to_string).collect();
    let more = if lines.len() > NAMED { ", …" } else { "" };
    if !lines.is_empty() {
        let (count, numbers) = (lines.len(), numbers.join(", "));
        print::note(&format!("notice: lines passed over, in which nothing of a spool is: {count} ({numbers}{more})"));
    }
}
