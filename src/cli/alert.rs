//! `tickward alert`: tries whether alerts arrive, and shows what waits.

use serde_json::{Value, json};

use super::exit::Exit;
use super::outlets::OutletArgs;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session, run_log_failed};
use super::{block_on, typed};
use crate::alert::{Alert, Kind};
use crate::alerter::SendError;
use crate::clock::{Clock, SystemClock};
use crate::runlog::Purpose;
use crate::runlog::contract::Waiting;
use crate::tick::{Outlet, host_name, rfc3339};

/// Tries whether alerts arrive, or shows those that have not
#[derive(clap::Args, Debug)]
pub struct AlertCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Sends a test alert through every alerter and says what became of each
    Test(Test),
    /// Shows the alerts that wait to be delivered, and those that are dead
    List(List),
}

#[derive(clap::Args)]
struct Test {
    #[command(flatten)]
    config: ConfigArgs,
    /// Send it there, instead of where the configuration says; may be repeated
    #[arg(long, value_name = "URL")]
    alerter: Vec<String>,
    /// Through this alerter only
    name: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(clap::Args, Debug)]
struct List {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_log: RunLogArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl AlertCommand {
    pub fn execute(&self) -> Exit {
        match &self.what {
            What::Test(test) => test.execute(),
            What::List(list) => list.execute(),
        }
    }
}

impl std::fmt::Debug for Test {
    /// Addresses are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Test({} alerters, {:?})", self.alerter.len(), self.name)
    }
}

impl Test {
    fn execute(&self) -> Exit {
        let no_run_log = RunLogArgs { run_log_url: None, no_run_log: true };
        let outlets = OutletArgs { alerter: self.alerter.clone(), metrics: Vec::new() };
        let session = Session::load_with(&self.config, &no_run_log, &outlets);
        session.tell_problems();
        let all = &session.outlets.alerters;
        let is_wanted = |outlet: &&Outlet| self.name.as_deref().is_none_or(|name| outlet.alerter.name() == name);
        let wanted: Vec<&Outlet> = all.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            match &self.name {
                Some(name) => {
                    let names = all.iter().map(|outlet| outlet.alerter.name().to_owned());
                    let meant = typed::near(names.clone(), name).map(|near| format!("did you mean `{near}`? "));
                    let all: Vec<_> = names.collect();
                    let help = match all.is_empty() {
                        true => "write `alerters:` and where to into the configuration, or add --alerter URL".into(),
                        false => format!("{}there are: {}", meant.unwrap_or_default(), all.join(", ")),
                    };
                    print::error(&format!("there is no alerter `{name}`"), &help);
                }
                None => print::error(
                    "there is no alerter",
                    "write `alerters:` and where to into the configuration, or add --alerter URL",
                ),
            }
            return Exit::Usage;
        }
        match block_on(told(&wanted)) {
            Ok(answers) => self.tell(&answers, session.exit()),
            Err(exit) => exit,
        }
    }

    fn tell(&self, answers: &[(String, Result<(), SendError>)], exit: Exit) -> Exit {
        let failed = answers.iter().any(|(_, answer)| answer.is_err());
        let exit = if failed { exit.or_worse(Exit::Failed) } else { exit };
        if self.output == Format::Json {
            let alerters = answers.iter().map(|(name, answer)| {
                let error = answer.as_ref().err().map(ToString::to_string);
                json!({ "alerter": name, "delivered": answer.is_ok(), "error": error })
            });
            print::json(&json!({ "alerters": alerters.collect::<Vec<_>>(), "rc": exit.code() }));
            return exit;
        }
        for (name, answer) in answers {
            let line = match answer {
                Ok(()) => format!("{name}: delivered\n"),
                Err(error) => format!("{name}: not delivered: {}\n", print::printable(&error.to_string())),
            };
            print::out(&line);
        }
        exit
    }
}

/// Sends one after the other, so that what they print does not mix.
async fn told(outlets: &[&Outlet]) -> Vec<(String, Result<(), SendError>)> {
    let now = SystemClock.now();
    let host = host_name();
    let alert = Alert {
        error: Some("this is a test: nothing has happened".into()),
        host: host.clone(),
        ..Alert::new(Kind::Other("test".into()), format!("test/{host}/{}", now.as_microsecond()), now)
    };
    let mut answers = Vec::new();
    for outlet in outlets {
        answers.push((outlet.alerter.name().to_owned(), outlet.alerter.send(&alert).await));
    }
    answers
}

impl List {
    fn execute(&self) -> Exit {
        let session = match Session::load(&self.config, &self.run_log) {
            Ok(session) => session,
            Err(exit) => return exit,
        };
        let run_log = match session.run_log(Purpose::Read, std::sync::Arc::new(SystemClock)) {
            Ok(run_log) => run_log,
            Err(exit) => return exit,
        };
        let outbox = match block_on(run_log.outbox()) {
            Ok(Ok(outbox)) => outbox,
            Ok(Err(error)) => return run_log_failed(&error),
            Err(exit) => return exit,
        };
        if self.output == Format::Json {
            let list = |entries: &[Waiting]| entries.iter().map(as_json).collect::<Vec<_>>();
            print::json(&json!({
                "waiting": list(&outbox.waiting), "dead": list(&outbox.dead), "dead_ever": outbox.dead_ever,
            }));
            return session.exit();
        }
        if outbox.waiting.is_empty() && outbox.dead.is_empty() {
            print::out("no alert waits, and none is dead\n");
            return session.exit();
        }
        let row = |state: &str, entry: &Waiting| {
            vec![
                state.into(),
                print::instant(entry.alert.at),
                print::printable(&entry.alert.headline()),
                entry.done.delivered.join(", "),
                print::printable(&entry.error),
            ]
        };
        let waiting = outbox.waiting.iter().map(|entry| row("waiting", entry));
        let rows = waiting.chain(outbox.dead.iter().map(|entry| row("dead", entry))).collect();
        print::out(&print::table(&["state", "at", "alert", "delivered", "error"], rows));
        session.exit()
    }
}

fn as_json(entry: &Waiting) -> Value {
    let put_off: serde_json::Map<String, Value> =
        entry.done.put_off.iter().map(|(name, off)| (name.clone(), rfc3339(off.until).into())).collect();
    let refused = entry.done.put_off.iter().filter(|(_, off)| off.refusals > 0).map(|(name, _)| name);
    json!({
        "id": entry.alert.id,
        "kind": entry.alert.kind.word(),
        "pipeline": entry.alert.pipeline_shown(),
        "at": rfc3339(entry.alert.at),
        "text": entry.alert.headline(),
        "delivered": entry.done.delivered,
        "refused": refused.collect::<Vec<_>>(),
        "not_before": put_off,
        "error": entry.error,
    })
}
