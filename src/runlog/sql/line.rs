//! A connection on a thread of its own: whoever calls waits for an answer, and may give up waiting.
//!
//! The thread has the event loop that the connection lives on, so that it can be opened before there is any other, and
//! ends with the last sender.
//!
//! Holds always: two transactions are never mixed, whoever calls meanwhile; after a call that nobody waited for, or that failed, the connection is not used again; a
//! transaction that is not ended is given up with its connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use super::columns::Cells;

/// What the statements of one call gave, one after the other.
pub type Answers = Vec<Vec<Cells>>;

/// Why statements were not done.
#[derive(Debug)]
pub enum Failure {
    /// The server has undone the transaction because of another one: it may be done again.
    Again(String),
    /// It has no such table.
    NoTables,
    /// It answers, but does not do this: a person has to act.
    Refused {
        /// Why.
        message: String,
        /// What to do.
        help: String,
    },
    /// There is no connection, and the statements were not sent.
    Unreachable(String),
    /// The connection was lost, or nobody waited any longer: they may have been done.
    Unanswered(String),
    /// It is there, and no run-log that can be used, in words that follow its name.
    Unfit(String),
    /// Anything else the server says; nothing was done.
    Failed(String),
}

/// A future that need not be `Sync`.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How to reach a server.
pub trait Server: Send + Sync + 'static {
    /// Connects.
    fn connect(&self) -> Soon<'_, Result<Box<dyn Session>, Failure>>;

    /// How long to wait for a connection.
    fn patience(&self) -> Duration;
}

/// A connection.
pub trait Session: Send {
    /// Sends statements in one go, and returns what each has given.
    fn run(&mut self, statements: Vec<String>) -> Soon<'_, Result<Answers, Failure>>;

    /// Ends it in order.
    fn close(self: Box<Self>) -> Soon<'static, ()>;
}

enum Call {
    Run {
        statements: Vec<String>,
        /// They begin a transaction, or are one, and may be sent again: on a new connection where there is none.
        begin: bool,
        answer: oneshot::Sender<Result<Answers, Failure>>,
    },
    /// The transaction that is open is given up, and the connection with it.
    HangUp,
}

/// The way to the thread.
pub struct Line {
    calls: mpsc::UnboundedSender<Call>,
    /// Whose transaction it is: one after the other.
    turn: Mutex<()>,
}

/// A transaction that was begun: given up where it is not ended.
pub struct Open<'a> {
    line: &'a Line,
    is_ended: bool,
    _turn: MutexGuard<'a, ()>,
}

impl Line {
    /// A thread that connects when it is called first.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn to(server: Arc<dyn Server>) -> std::io::Result<Line> {
        let (calls, queue) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("run-log".into()).spawn(move || runtime.block_on(serve(server, queue)))?;
        Ok(Line { calls, turn: Mutex::new(()) })
    }

    /// Runs statements that are a transaction of their own, and may be done twice.
    ///
    /// # Errors
    /// As `Failure` says.
    pub async fn whole(&self, statements: Vec<String>) -> Result<Answers, Failure> {
        let _turn = self.turn.lock().await;
        answered(self.send(statements, true)).await
    }

    /// Runs the statements that begin a transaction; they change nothing that lasts.
    ///
    /// # Errors
    /// As `whole`.
    pub async fn begin(&self, statements: Vec<String>) -> Result<(Open<'_>, Answers), Failure> {
        let mut open = Open { line: self, is_ended: false, _turn: self.turn.lock().await };
        let answers = answered(self.send(statements, true)).await;
        // Where it failed, the connection is gone already.
        open.is_ended = answers.is_err();
        answers.map(|answers| (open, answers))
    }

    fn send(&self, statements: Vec<String>, begin: bool) -> oneshot::Receiver<Result<Answers, Failure>> {
        let (answer, answered) = oneshot::channel();
        // Where there is no thread any more, the answer's sender is gone with the call.
        let _ = self.calls.send(Call::Run { statements, begin, answer });
        answered
    }
}

impl Open<'_> {
    /// Runs statements that go on with it, and change nothing that lasts.
    ///
    /// # Errors
    /// As `Failure` says.
    pub async fn more(&mut self, statements: Vec<String>) -> Result<Answers, Failure> {
        let answers = answered(self.line.send(statements, false)).await;
        self.is_ended = answers.is_err();
        answers
    }

    /// Runs the statements that end it.
    ///
    /// # Errors
    /// As `Failure` says.
    pub async fn end(mut self, statements: Vec<String>) -> Result<Answers, Failure> {
        let answer = self.line.send(statements, false);
        self.is_ended = true;
        answered(answer).await
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            let _ = self.line.calls.send(Call::HangUp);
        }
    }
}

async fn answered(answer: oneshot::Receiver<Result<Answers, Failure>>) -> Result<Answers, Failure> {
    answer.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> Failure {
    Failure::Unanswered("the thread of the connection has ended".into())
}

async fn serve(server: Arc<dyn Server>, mut queue: mpsc::UnboundedReceiver<Call>) {
    let mut session: Option<Box<dyn Session>> = None;
    while let Some(call) = queue.recv().await {
        let Call::Run { statements, begin, mut answer } = call else {
            session = None;
            continue;
        };
        let before = session.take();
        let result = tokio::select! {
            result = run(&*server, before, statements, begin) => result,
            () = answer.closed() => continue,
        };
        let (result, sound) = match result {
            Ok((answers, connected)) => (Ok(answers), Some(connected)),
            Err(failure) => (Err(failure), None),
        };
        if answer.send(result).is_ok() {
            session = sound;
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
}

async fn run(
    server: &dyn Server,
    session: Option<Box<dyn Session>>,
    statements: Vec<String>,
    begin: bool,
) -> Result<(Answers, Box<dyn Session>), Failure> {
    if let Some(mut session) = session {
        match session.run(statements.clone()).await {
            Ok(answers) => return Ok((answers, session)),
            // It may have been cut while nobody used it.
            Err(Failure::Unanswered(_)) if begin => {}
            Err(failure) => return Err(failure),
        }
    } else if !begin {
        return Err(Failure::Again("the connection was lost within a transaction".into()));
    }
    let patience = server.patience();
    let connected = tokio::time::timeout(patience, server.connect()).await;
    let late = |_| Failure::Unreachable(format!("no connection within {} s", patience.as_secs()));
    let mut session = connected.map_err(late)??;
    let answers = session.run(statements).await?;
    Ok((answers, session))
}
