//! Pipelines of a Rust program, beside those of files: what they are, and what to run where a body is Rust.
//!
//! A pipeline of a program becomes a document like that of a file and goes the same way through `config`: the same keys,
//! the same checks, the same words. The body of a pipeline that is Rust is this program again, in a process of its own
//! (`body`); why is in docs/decisions/0030-rust-bodies-are-processes.md.
//!
//! Holds always: nothing here panics or prints; a mistake is kept with the line of the program it stands in and told with
//! those of files.

mod body;
mod builder;
mod context;
mod outcome;

use crate::config::{Discovered, Environment, Loaded, Place, Problem, Source, discover, discover_instead, load};
use crate::pipeline::{Body, Pipeline};
use crate::template::Template;

pub use body::BoxError;
pub(crate) use body::run_body;
pub use builder::PipelineBuilder;
pub use context::Context;
pub use outcome::Outcome;

use body::{BODY_ARG, Start};
use builder::Entry;

/// The pipelines of a program: those of its files and those that it describes itself.
///
/// `tickward::cli::main` gives a program all commands of `tickward` for them. Mistakes are collected and told by every
/// command, each with the line of the program; `problems` lists them for a test.
///
/// ```
/// use std::time::Duration;
/// use tickward::Registry;
///
/// let mut registry = Registry::new();
/// registry.pipeline("prices").schedule("@hourly").timeout(Duration::from_secs(600)).run(|ctx| async move {
///     println!("prices of {}", ctx.scheduled_for);
///     Ok(())
/// });
/// registry.pipeline("report").depends_on(["prices"]).command(["/opt/report", "{{ scheduled_date }}"]);
/// assert_eq!(registry.problems(), []);
/// ```
#[derive(Default)]
pub struct Registry {
    files: Vec<String>,
    entries: Vec<Entry>,
    had_threads: bool,
}

impl Registry {
    /// An empty registry; as it is, it is that of `tickward` itself, which reads the usual places.
    ///
    /// To be called at the start of `main`, before threads are started and anything is printed: the program is also what
    /// watches over its bodies, and in that process this call does not return.
    #[must_use]
    pub fn new() -> Registry {
        if std::env::args_os().nth(1).is_some_and(|first| first == crate::executor::SUPERVISE_ARG) {
            let is_done = crate::executor::supervise_main() == std::process::ExitCode::SUCCESS;
            std::process::exit(if is_done { 0 } else { 2 });
        }
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        Registry { had_threads: threads > 1, ..Registry::default() }
    }

    /// Adds a file, or a folder of `*.yaml` files. A relative path starts from the folder in which the program is started.
    ///
    /// `--config` and `$TICKWARD_CONFIG` take the place of all of these. A program that has pipelines or files of its own
    /// does not look into the usual places.
    pub fn config(&mut self, path: impl Into<String>) -> &mut Registry {
        self.files.push(path.into());
        self
    }

    /// Adds a pipeline; say with the builder what it is. It needs `run`, `command` or `shell`.
    #[track_caller]
    pub fn pipeline(&mut self, name: impl Into<String>) -> PipelineBuilder<'_> {
        self.entries.push(Entry::new(name.into(), std::panic::Location::caller()));
        let last = self.entries.len() - 1;
        PipelineBuilder::of(&mut self.entries[last])
    }

    /// What is wrong with the pipelines of the program and of the files that `config` names; warnings too. Reads those
    /// files and the environment.
    ///
    /// For a test of the program: `assert_eq!(registry.problems(), [])`.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let nothing = Environment::default();
        let discovered = match self.is_tickward() {
            true => Discovered::default(),
            false => discover_instead(&self.files, &[], &nothing, || Ok(String::new())),
        };
        self.loaded(discovered, &Environment::of_process()).problems
    }

    /// Everything that is configured: `flags` are the values of `--config`, `stdin` reads standard input to its end.
    pub(crate) fn load(
        &self,
        flags: &[String],
        environment: &Environment,
        stdin: impl FnOnce() -> std::io::Result<String>,
    ) -> Loaded {
        let discovered = match self.is_tickward() {
            true => discover(flags, environment, stdin),
            false => discover_instead(&self.files, flags, environment, stdin),
        };
        self.loaded(discovered, environment)
    }

    /// Why this process cannot start a tick's bodies; none where it can.
    pub(crate) fn unfit(&self) -> Option<&'static str> {
        let is_in_a_loop = tokio::runtime::Handle::try_current().is_ok();
        // What others have loaded into `tickward` itself is their affair.
        let is_unfit = !self.is_tickward() && (self.had_threads || is_in_a_loop);
        is_unfit.then_some("the program has started threads before `Registry::new()`")
    }

    /// Takes out the body that the arguments of this process name, if they name one.
    pub(crate) fn take_body(&mut self, namespace: &str, name: &str) -> Option<Start> {
        let entry = self.entries.iter_mut().find(|entry| entry.is(namespace, name) && entry.body.is_some())?;
        entry.body.take()
    }

    fn is_tickward(&self) -> bool {
        self.files.is_empty() && self.entries.is_empty()
    }

    /// The program's own come first: where a file takes one of their names, the file's is refused.
    fn loaded(&self, discovered: Discovered, environment: &Environment) -> Loaded {
        let own = self.entries.iter().map(Entry::source);
        let sources: Vec<Source> = own.chain(discovered.sources).collect();
        let mut loaded = load(&sources, environment);
        if !sources.is_empty() && !discovered.problems.is_empty() {
            loaded.run_log_is_unknown();
        }
        let mistakes = self.entries.iter().flat_map(Entry::problems);
        loaded.problems.splice(0..0, discovered.problems.into_iter().chain(mistakes));
        let is_mistaken =
            |pipeline: &Pipeline| self.entries.iter().any(|entry| entry.is_mistaken() && entry.is_of(&pipeline.id));
        let broken = loaded.pipelines.extract_if(.., |pipeline| is_mistaken(pipeline));
        loaded.broken.extend(broken.map(|pipeline| pipeline.id.name.to_string()));
        loaded.pipelines.iter_mut().for_each(|pipeline| self.show(pipeline));
        loaded
    }

    /// Shows a body that is Rust as the place where it is written.
    fn show(&self, pipeline: &mut Pipeline) {
        let Some(entry) = self.entries.iter().find(|entry| entry.is_of(&pipeline.id)) else { return };
        let is_rust = match &pipeline.command.body {
            Body::Argv(elements) => elements.get(1) == Some(&Template::literal(BODY_ARG)),
            Body::Shell(_) => false,
        };
        if is_rust {
            pipeline.command.shown = format!("Rust, {}:{}", entry.at.file(), entry.at.line());
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({} files, {} pipelines)", self.files.len(), self.entries.len())
    }
}

/// The place of a pipeline in the program.
fn place_of(at: &std::panic::Location<'_>) -> Place {
    Place { file: at.file().into(), line: at.line(), column: at.column(), source: String::new(), caret: 0 }
}
