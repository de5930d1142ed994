//! Opens the world for a command: configuration, state folder, run-log, and the tick's `Env`.
//!
//! Which run-log that is, `named` says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::exit::Exit;
use super::outlets::{self, OutletArgs};
use super::{degraded, print, program, typed, whose};
use crate::clock::Clock;
use crate::config::{self, Environment, Loaded, Severity};
use crate::executor::{SubprocessExecutor, SupervisorProgram};
use crate::pipeline::Pipeline;
use crate::plan::stable_hash;
use crate::runlog::spool::Folder;
use crate::runlog::spool::beside::Mirrored;
use crate::runlog::spool::mirror;
use crate::runlog::{self, Error, OpenOptions, Purpose, Reach, RunLog};
use crate::tick::{Env, Outlets, StopWish, SystemHost, held_file};

mod named;

use named::is_memory;

/// Where the configuration is
#[derive(clap::Args, Debug, Clone)]
pub struct ConfigArgs {
    /// Configuration file, folder of `*.yaml` files, or `-` for standard input; may be repeated
    #[arg(short, long, value_name = "FILE|DIR|-")]
    pub config: Vec<String>,
    /// Environment to use, one of `environments` in the configuration [default: $TICKWARD_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

/// Where the run-log is
#[derive(clap::Args, Debug, Clone)]
pub struct RunLogArgs {
    /// Run-log to use [default: sqlite, in the state folder]
    #[arg(long, value_name = "URL")]
    pub run_log_url: Option<String>,
    /// Use no run-log: fire what fell due within the last interval, remember nothing
    #[arg(long, conflicts_with = "run_log_url")]
    pub no_run_log: bool,
}

/// The variable that `--env` stands for.
const ENV: &str = "TICKWARD_ENV";

/// The configuration, read; and where things are kept.
pub struct Session {
    /// What the configuration says.
    pub loaded: Loaded,
    /// Where alerts and figures go.
    pub outlets: Outlets,
    variables: Environment,
    run_log: RunLogArgs,
    /// That another variable's name was used has been said.
    noticed: std::sync::Once,
}

impl Session {
    /// Reads the configuration and prints what is wrong with it.
    ///
    /// # Errors
    /// `Usage` where nothing of it can be used.
    pub fn load(config: &ConfigArgs, run_log: &RunLogArgs) -> Result<Session, Exit> {
        Session::load_for_work(config, run_log, &OutletArgs::default())
    }

    /// The same, with flags for where alerts and figures go.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_for_work(config: &ConfigArgs, run_log: &RunLogArgs, outlets: &OutletArgs) -> Result<Session, Exit> {
        let session = Session::load_with(config, run_log, outlets);
        session.tell_problems();
        match session.loaded.pipelines.is_empty() && session.loaded.has_errors() {
            true => Err(Exit::Usage),
            false => Ok(session),
        }
    }

    /// Prints what is wrong with the configuration, warnings aside.
    pub fn tell_problems(&self) {
        let errors = self.loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.for_each(|problem| print::note(&print::printable(&problem.to_string())));
    }

    /// Reads the configuration and prints nothing.
    pub fn load_quietly(config: &ConfigArgs, run_log: &RunLogArgs) -> Session {
        Session::load_with(config, run_log, &OutletArgs::default())
    }

    /// The same, with flags for where alerts and figures go.
    pub fn load_with(config: &ConfigArgs, run_log: &RunLogArgs, outlets: &OutletArgs) -> Session {
        let mut variables = Environment::of_process();
        if let Some(name) = &config.env {
            variables.set(ENV, name);
        }
        let mut loaded = program::load(&config.config, &variables);
        // What stands where a name should may be anything.
        loaded.broken.iter_mut().for_each(|name| *name = config::secret::masked(name));
        let outlets = outlets::open(outlets, &variables, &mut loaded);
        Session { loaded, outlets, variables, run_log: run_log.clone(), noticed: std::sync::Once::new() }
    }

    /// Whether part of the configuration is broken.
    pub fn exit(&self) -> Exit {
        if self.loaded.has_errors() { Exit::PartlyInvalid } else { Exit::Done }
    }

    /// The pipeline of that name; a name may be prefixed by its namespace and a colon.
    ///
    /// # Errors
    /// `Usage`, after saying so.
    pub fn pipeline(&self, name: &str) -> Result<&Pipeline, Exit> {
        let found = |pipeline: &&Pipeline| pipeline.id.name.as_str() == name || pipeline.id.to_string() == name;
        if let Some(pipeline) = self.loaded.pipelines.iter().find(found) {
            return Ok(pipeline);
        }
        if self.loaded.broken.iter().any(|broken| broken == name) {
            print::error(&format!("pipeline `{name}` is broken: see above"), "");
            return Err(Exit::Usage);
        }
        let names = self.loaded.pipelines.iter().map(|pipeline| pipeline.id.to_string());
        let help = typed::meant(names, name, "tickward list");
        print::error(&format!("there is no pipeline `{name}`"), &help);
        Err(Exit::Usage)
    }

    /// The same, on another run-log.
    pub fn on_run_log(mut self, url: String) -> Session {
        self.run_log = RunLogArgs { run_log_url: Some(url), no_run_log: false };
        self
    }

    /// Where this host's own things are kept.
    pub fn state_folder(&self) -> PathBuf {
        let folder = |name| self.variables.get_filled(name).map(PathBuf::from);
        let xdg = || folder("XDG_STATE_HOME").map(|state| state.join("tickward"));
        let root = || nix::unistd::geteuid().is_root().then(|| PathBuf::from("/var/lib/tickward"));
        let home = || folder("HOME").map(|home| home.join(".local/state/tickward"));
        folder("TICKWARD_STATE_DIR").or_else(xdg).or_else(root).or_else(home).unwrap_or_else(|| "tickward-state".into())
    }

    /// What commands inherit from, with the environment as the flag has it.
    fn inherited(&self) -> Vec<(OsString, OsString)> {
        let others = std::env::vars_os().filter(|(name, _)| name != ENV);
        others.chain(self.variables.get(ENV).map(|name| (ENV.into(), name.into()))).collect()
    }

    /// Opens the run-log for a tick; without one, a run-log in memory stands in.
    ///
    /// # Errors
    /// `Usage` for an address that is no good, `RunLog` for the rest, after saying why.
    pub fn run_log(&self, purpose: Purpose, clock: Arc<dyn Clock>) -> Result<Arc<dyn RunLog>, Exit> {
        self.open_run_log(purpose, clock).map_err(|error| degraded::failed(self, &error))
    }

    /// Opens the run-log to change what it knows, by the time of `clock`; one that is not there is not made.
    ///
    /// # Errors
    /// `Usage` where none is wanted, `RunLog` where there is none yet, after saying so; else as `run_log`.
    pub fn existing_run_log(&self, rehearses: bool, clock: Arc<dyn Clock>) -> Result<Arc<dyn RunLog>, Exit> {
        if self.run_log_url().is_none_or(|url| is_memory(&url)) {
            print::error("there is no run-log to change", "name one: `--run-log-url URL`");
            return Err(Exit::Usage);
        }
        self.must_be_there("the first tick makes it: `tickward run-due`")?;
        let purpose = if rehearses { Purpose::Rehearse } else { Purpose::Work };
        let run_log = self.run_log(purpose, clock.clone())?;
        // What a person has asked for is to hold on this host also while the run-log cannot be used.
        Ok(match self.host_folder().filter(|_| !rehearses) {
            Some(folder) => Arc::new(Mirrored::new(run_log, folder, clock)),
            None => run_log,
        })
    }

    /// Refuses a run-log in a file that nobody has made yet, or that is gone.
    ///
    /// # Errors
    /// `RunLog`, after saying so with this advice; `Usage` for an address that is no good.
    pub fn must_be_there(&self, help: &str) -> Result<(), Exit> {
        // Who opens a server's run-log judges its address, and `run-log copy` takes more there.
        if let Some(url) = self.run_log_url().filter(|_| self.run_log_file().is_some()) {
            runlog::check_address(&url).map_err(|error| self.run_log_failed(&error))?;
        }
        self.must_not_be_gone().map_err(|error| degraded::failed(self, &error))?;
        match self.run_log_file().filter(|path| is_blank(path)) {
            None => Ok(()),
            Some(path) => {
                print::error(&format!("there is no run-log `{}` yet", path.display()), help);
                Err(Exit::RunLog)
            }
        }
    }

    /// The same as `run_log`, and says nothing where that fails.
    ///
    /// # Errors
    /// As the run-log says.
    pub fn open_run_log(&self, purpose: Purpose, clock: Arc<dyn Clock>) -> Result<Arc<dyn RunLog>, Error> {
        let url = self.run_log_url().unwrap_or_else(|| "memory://".into());
        // What is rehearsed or shadowed has a run-log of its own, of which this host keeps nothing.
        if matches!(purpose, Purpose::Rehearse | Purpose::Shadow | Purpose::RehearseShadow) {
            return runlog::open(&url, OpenOptions::new(clock, purpose));
        }
        self.must_not_be_gone()?;
        runlog::open(&url, self.options(clock, purpose))
    }

    /// Opens the run-log when it is wanted; a file that is not there then is not made.
    pub fn reach(&self, clock: Arc<dyn Clock>) -> Reach {
        let (url, file) = (self.run_log_url().unwrap_or_else(|| "memory://".into()), self.run_log_file());
        let options = self.options(clock, Purpose::Work);
        Arc::new(move || match file.as_deref().filter(|file| is_blank(file)) {
            Some(file) => {
                let message = format!("there is no run-log `{}`", file.display());
                Err(Error::Unavailable { message, source: None })
            }
            None => runlog::open(&url, options.clone()),
        })
    }

    /// A file is this host's. The tables of a server are its fleet's: if every host that had used them went on alone once they are
    /// gone, each would run all that is due.
    fn options(&self, clock: Arc<dyn Clock>, purpose: Purpose) -> OpenOptions {
        let host = self.run_log_file().and_then(|_| Some(self.host_folder()?.path().into()));
        OpenOptions { host, ..OpenOptions::new(clock, purpose) }
    }

    /// Where this host keeps what it knows of the run-log, and what that does not know yet; none where none is wanted.
    pub fn host_folder(&self) -> Option<Folder> {
        let url = self.run_log_url().filter(|url| !is_memory(url))?;
        let file = self.run_log_file();
        let whose = file.as_deref().map_or_else(|| whose::server(&url), whose::file);
        let folder = Folder::at(self.state_folder().join("host").join(format!("{:016x}", stable_hash(&whose))));
        // Where the address leads to nothing it is the run-log that it led to before.
        let is_new = file.is_some_and(|file| !file.exists()) && !folder.path().exists();
        Some(if is_new { degraded::former(self, &folder).pop().unwrap_or(folder) } else { folder })
    }

    /// Refuses a file that is gone or empty although this host has used it.
    ///
    /// # Errors
    /// `Unavailable`, with what to do.
    pub fn must_not_be_gone(&self) -> Result<(), Error> {
        let (Some(file), Some(folder)) = (self.run_log_file(), self.host_folder()) else { return Ok(()) };
        let size = |path: &PathBuf| path.metadata().ok().filter(|data| data.is_file()).map(|data| data.len());
        let mut wal = file.clone().into_os_string();
        wal.push("-wal");
        let wal = PathBuf::from(wal);
        let found = || match size(&file) {
            None if !file.exists() => Some("gone"),
            Some(0) if size(&wal).is_none_or(|size| size == 0) => Some("empty"),
            _ => None,
        };
        let Some(what) = found() else { return Ok(()) };
        match mirror::must_know_nothing(&folder, &format!("the run-log `{}` is {what}", file.display())) {
            // Whoever has made it meanwhile has noted what this host knows of it.
            Err(error) if found().is_some() => Err(error),
            _ => Ok(()),
        }
    }

    /// Says why the run-log cannot be used: where its address is no good, at its place in the file that has it.
    pub fn run_log_failed(&self, error: &Error) -> Exit {
        match self.of_address(error) {
            Some(problem) => {
                print::note(&print::printable(&problem.to_string()));
                Exit::Usage
            }
            None => run_log_failed(error),
        }
    }

    /// Everything a tick needs.
    ///
    /// # Errors
    /// As `run_log`.
    pub fn env(&self, now: Option<Timestamp>, dry_run: bool, stop: watch::Receiver<StopWish>) -> Result<Env, Exit> {
        self.try_env(now, dry_run, stop).map_err(|error| degraded::failed(self, &error))
    }

    /// The same, and says nothing where the run-log cannot be opened.
    ///
    /// # Errors
    /// As the run-log says.
    pub fn try_env(
        &self,
        now: Option<Timestamp>,
        dry_run: bool,
        stop: watch::Receiver<StopWish>,
    ) -> Result<Env, Error> {
        let clock = super::verb::clock_at(now);
        let purpose = match (dry_run, now) {
            (true, None) => Purpose::Foresee,
            (true, Some(_)) => Purpose::Read,
            (false, None) => Purpose::Work,
            (false, Some(_)) => Purpose::Rehearse,
        };
        let mut run_log = self.open_run_log(purpose, clock.clone())?;
        if let Some(folder) = self.host_folder().filter(|_| purpose == Purpose::Work) {
            run_log = Arc::new(Mirrored::new(run_log, folder, clock.clone()));
        }
        Ok(self.env_with(run_log, clock, stop))
    }

    /// Everything a tick over `run_log` needs.
    pub fn env_with(&self, run_log: Arc<dyn RunLog>, clock: Arc<dyn Clock>, stop: watch::Receiver<StopWish>) -> Env {
        let owner = SystemHost.owner();
        let held = run_log.start_marks().map(|folder| held_file(&folder, &owner));
        Env {
            executor: Arc::new(SubprocessExecutor::new(SupervisorProgram::this()).of(&owner.id).holding(held)),
            host: Arc::new(SystemHost),
            owner,
            run_log,
            variables: self.inherited(),
            output: Some(self.state_folder().join("output")),
            clock,
            stop,
        }
    }
}

/// Says why the run-log cannot be used.
pub fn run_log_failed(error: &Error) -> Exit {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    print::error(&format!("{error}{cause}"), error.help());
    match error {
        Error::Address { .. } => Exit::Usage,
        _ => Exit::RunLog,
    }
}

/// Says why the run-log cannot be used, where a part of the work may be done and the same command does the rest.
pub fn goes_on_when_asked_again(error: &Error) -> Exit {
    if !matches!(error, Error::Unknown { .. }) {
        return run_log_failed(error);
    }
    print::error(&error.to_string(), "ask again: it goes on where it was");
    Exit::RunLog
}

/// Whether a file is not there, or has nothing in it.
fn is_blank(path: &Path) -> bool {
    path.metadata().map_or(true, |data| data.is_file() && data.len() == 0)
}
