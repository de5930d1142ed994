//! The kinds of servers that cases run over, and what cases do with either.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tickward::clock::{Clock, SystemClock};
use tickward::occurrence::PipelineId;
use tickward::run::Attempt;
use tickward::runlog::contract::{Batch, Scope, Transition, Verdict};
use tickward::runlog::{self, Error, OpenOptions, Purpose, RunLog};

use crate::bench::{Backend, Bench};
use crate::further::{Lack, Server};
use crate::servers;

/// One kind.
pub struct Kind {
    pub name: &'static str,
    /// Which script starts one.
    pub script: &'static str,
    /// Its migrations, oldest first.
    pub migrations: &'static [&'static str],
    backend: Backend,
}

/// All of them.
pub static KINDS: [Kind; 2] = [
    Kind {
        name: "postgres",
        script: "postgres",
        migrations: &[
            include_str!("../../migrations/postgres/0001_run_log.sql"),
            include_str!("../../migrations/postgres/0002_standing.sql"),
            include_str!("../../migrations/postgres/0003_results.sql"),
        ],
        backend: backend("postgres", servers::fresh_postgres),
    },
    Kind {
        name: "mysql",
        script: "mariadb",
        migrations: &[
            include_str!("../../migrations/mysql/0001_run_log.sql"),
            include_str!("../../migrations/mysql/0002_standing.sql"),
            include_str!("../../migrations/mysql/0003_results.sql"),
        ],
        backend: backend("mysql", servers::fresh_mysql),
    },
];

const fn backend(name: &'static str, fresh_url: fn(&Path) -> Result<String, String>) -> Backend {
    let precision = Duration::from_micros(1);
    Backend { name, fresh_url, remove: servers::remove, precision, is_shared: true, is_durable: true }
}

impl Kind {
    /// A fresh log on the server that the environment names.
    pub fn bench(&'static self) -> Result<Bench, Lack> {
        Bench::new(&self.backend).map_err(Lack::Program)
    }

    /// A server of the case's own.
    pub fn server(&self, arguments: &[&str]) -> Result<Server, Lack> {
        Server::start(self.script, arguments)
    }

    pub fn is_postgres(&self) -> bool {
        self.name == "postgres"
    }

    /// The one or the other text.
    pub fn pick<'a>(&self, postgres: &'a str, mysql: &'a str) -> &'a str {
        if self.is_postgres() { postgres } else { mysql }
    }
}

/// Runs a case that waits.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Opens a log as a tick does.
pub fn open(url: &str) -> Result<Arc<dyn RunLog>, Error> {
    open_by(url, Arc::new(SystemClock))
}

/// Opens a log by a clock.
pub fn open_by(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn RunLog>, Error> {
    runlog::open(url, OpenOptions::new(clock, Purpose::Work))
}

/// The error of one that must not open.
pub fn refused(url: &str) -> Error {
    match open(url) {
        Ok(_) => panic!("{url} opens"),
        Err(error) => error,
    }
}

/// What an error says, its causes and its advice included.
pub fn words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    format!("{text}\n{}", error.help())
}

/// The password in an address.
pub fn password(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split_once('@').and_then(|(user, _)| user.split_once(':')).unwrap().1
}

/// An address with a parameter more.
pub fn with(url: &str, parameter: &str) -> String {
    format!("{url}{}{parameter}", if url.contains('?') { '&' } else { '?' })
}

/// An address of another database.
pub fn database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, String::new()), |(b, p)| (b, format!("?{p}")));
    format!("{}/{name}{parameters}", base.rsplit_once('/').unwrap().0)
}

/// Commits changes, and nothing else.
pub async fn commit(log: &dyn RunLog, transitions: Vec<Transition>) -> Result<Vec<Verdict>, Error> {
    log.commit(Batch { ends: Vec::new(), transitions }).await.map(|committed| committed.verdicts)
}

/// The open attempts of these, as another connection sees them.
pub async fn open_of(log: &dyn RunLog, ids: &[PipelineId]) -> Vec<Attempt> {
    let view = log.load(Scope::Only(ids.to_vec())).await.unwrap();
    view.open.into_values().flatten().collect()
}
