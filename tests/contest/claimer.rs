//! A claimer: a process that claims one attempt of each pipeline in every round, in one commit.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tickward::clock::{BootTime, Clock, SystemClock};
use tickward::lease::Lease;
use tickward::occurrence::{Name, PipelineId, Run, Token};
use tickward::owner::Owner;
use tickward::run::{Attempt, Completion, Outcome, Policy, Row, Trigger};
use tickward::runlog::contract::{Batch, Condition, End, Scope, Transition, Verdict, View};
use tickward::runlog::{self, OpenOptions, Purpose, RunLog};

use crate::log::{self, Request};
use crate::race::PIPELINES;

/// Who is re-executed: its number, the folder of the logs and the address of the store, in the environment.
pub const VARIABLES: [&str; 3] = ["TICKWARD_CONTEST_NUMBER", "TICKWARD_CONTEST_FOLDER", "TICKWARD_CONTEST_STORE"];

pub struct Claimer {
    number: usize,
    folder: PathBuf,
    url: String,
}

impl Claimer {
    pub fn from_environment() -> Option<Claimer> {
        let [number, folder, url] = VARIABLES.map(|name| std::env::var(name).ok());
        Some(Claimer { number: number?.parse().unwrap(), folder: folder?.into(), url: url? })
    }

    pub fn work(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.take_part(open(&self.url)));
        ExitCode::SUCCESS
    }

    /// Each line that is read names a round; `ready` is said before its request is sent, on a further line that is read,
    /// and `done` after.
    async fn take_part(&self, store: Arc<dyn RunLog>) {
        let mut log = log::open(&self.folder, self.number);
        self.resolve(&*store, &mut log).await;
        say("here");
        let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
        while let Some(round) = lines.next() {
            let round: usize = round.parse().unwrap();
            let view = store.load(Scope::All).await.unwrap();
            let transitions: Vec<_> = ids().into_iter().map(|id| claiming(&view, id, round, mint())).collect();
            let tokens: Vec<Token> = transitions.iter().filter_map(|t| t.claim.as_ref()).map(|c| c.token).collect();
            say("ready");
            if lines.next().is_none() {
                return;
            }
            log::write(&mut log, "sent", round, &tokens);
            let verdicts = store.commit(Batch { ends: Vec::new(), transitions }).await.unwrap().verdicts;
            log::write(&mut log, "answered", round, verdicts.iter().map(|verdict| word(*verdict)));
            let won = tokens.into_iter().zip(verdicts).filter(|(_, verdict)| *verdict == Verdict::Won);
            end(&*store, won.map(|(token, _)| token)).await;
            say("done");
        }
    }

    /// Looks up what became of the request on which the claimer before was killed, and ends what that has won.
    async fn resolve(&self, store: &dyn RunLog, log: &mut File) {
        let requests = log::read(&self.folder, self.number);
        let mine: Vec<Token> = requests.values().flat_map(|request| request.tokens.iter().copied()).collect();
        let mut view = store.load(Scope::All).await.unwrap();
        if let Some((round, request)) = requests.last_key_value().filter(|(_, request)| request.won.is_none()) {
            // What nobody has decided may be under way still, behind the locks of the killed one: until that has arrived or
            // somebody else has won, the same claims are sent again, under the same tokens.
            loop {
                let is_open = |(id, _): &(PipelineId, &Token)| {
                    view.rows.get(id).and_then(|row| row.cursor) < Some(instant(*round))
                };
                let again = ids().into_iter().zip(&request.tokens).filter(is_open);
                let transitions: Vec<_> = again.map(|(id, token)| claiming(&view, id, *round, *token)).collect();
                if transitions.is_empty() {
                    break;
                }
                store.commit(Batch { ends: Vec::new(), transitions }).await.unwrap();
                view = store.load(Scope::All).await.unwrap();
            }
            let won = found(&view, request);
            log::write(log, "found", *round, won.iter().map(|won| if *won { "won" } else { "lost" }));
        }
        let open = view.open.into_values().flatten().map(|attempt| attempt.token);
        end(store, open.filter(|token| mine.contains(token))).await;
    }
}

async fn end(store: &dyn RunLog, tokens: impl Iterator<Item = Token>) {
    let ends: Vec<End> = tokens.map(succeeded).collect();
    if !ends.is_empty() {
        store.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
    }
}

/// Which tokens of a request are in the store.
fn found(view: &View, request: &Request) -> Vec<bool> {
    let there: Vec<Token> = view.open.values().flatten().map(|attempt| attempt.token).collect();
    request.tokens.iter().map(|token| there.contains(token)).collect()
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{word}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Won => "won",
        Verdict::Lost => "lost",
    }
}

pub fn open(url: &str) -> Arc<dyn RunLog> {
    runlog::open(url, OpenOptions::new(Arc::new(SystemClock), Purpose::Work)).unwrap()
}

/// The pipelines, in the order of a request.
pub fn ids() -> Vec<PipelineId> {
    let name = |text: &str| Name::parse(text).unwrap();
    (0..PIPELINES).map(|n| PipelineId { namespace: name("contest"), name: name(&format!("p{n}")) }).collect()
}

/// What the attempts of a round are for: one minute after the other.
pub fn instant(round: usize) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + 60 * i64::try_from(round).unwrap()).unwrap()
}

pub fn mint() -> Token {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Token(u128::from_ne_bytes(bytes))
}

/// The claim of a round for one pipeline, on what `view` says of it.
pub fn claiming(view: &View, id: PipelineId, round: usize, token: Token) -> Transition {
    let row = view.rows.get(&id).cloned().unwrap_or_else(|| Row::absent(id.clone()));
    let now = SystemClock.now();
    let claim = Attempt {
        run: Run { pipeline: id, scheduled_for: instant(round) },
        number: 1,
        tries: 1,
        earlier_starts: 0,
        interruptions: 0,
        trigger: Trigger::Schedule,
        by_hand: false,
        token,
        fence: row.fence + 1,
        owner: Owner {
            id: format!("{}", std::process::id()),
            host: "contest".into(),
            pid: std::process::id(),
            started: 1,
            boot: "boot".into(),
            pid_namespace: 1,
        },
        policy: Policy::NONE,
        claimed_at: now,
        lease: Lease::from(now, BootTime(0), Duration::from_secs(3600)),
        end: None,
        retry_at: None,
        gave_up: false,
        late_outcome: None,
        stop: None,
        degraded: false,
    };
    let row = Row { cursor: row.cursor.max(Some(instant(round))), ..row };
    Transition {
        row,
        claim: Some(claim),
        closed: Vec::new(),
        not_run: Vec::new(),
        stops: Vec::new(),
        alerts: Vec::new(),
    }
}

fn succeeded(token: Token) -> End {
    let completion =
        Completion { exit_code: Some(0), ..Completion::bare(token, Outcome::Succeeded, SystemClock.now()) };
    End { completion, condition: Condition::Always }
}
