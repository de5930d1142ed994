//! Says of one pipeline of a program what a file says with keys.
//!
//! Each call sets a key; what the value means is for `config`, which refuses it with the same words as in a file. Texts
//! stand as they are: `${…}` is no variable here.

use std::panic::Location;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::body::{BODY_ARG, BoxError, Start, boxed};
use super::context::Context;
use super::outcome::Outcome;
use super::place_of;
use crate::config::{Problem, Source};
use crate::occurrence::PipelineId;
use crate::pipeline::{Backoff, CatchUp, Overlap, Retry, WhenNextDue};

const DEFAULT_NAMESPACE: &str = "default";

/// One pipeline of a program.
pub(super) struct Entry {
    name: String,
    pub(super) at: &'static Location<'static>,
    keys: Map<String, Value>,
    pub(super) body: Option<Start>,
    /// How often `run`, `command` or `shell` was called.
    bodies: u32,
    is_rust: bool,
}

impl Entry {
    pub(super) fn new(name: String, at: &'static Location<'static>) -> Entry {
        Entry { name, at, keys: Map::new(), body: None, bodies: 0, is_rust: false }
    }

    fn namespace(&self) -> &str {
        self.keys.get("namespace").and_then(Value::as_str).unwrap_or(DEFAULT_NAMESPACE)
    }

    pub(super) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace() == namespace && self.name == name
    }

    pub(super) fn is_of(&self, id: &PipelineId) -> bool {
        self.is(id.namespace.as_str(), id.name.as_str())
    }

    /// The pipeline as a document.
    pub(super) fn source(&self) -> Source {
        let mut keys = self.keys.clone();
        if self.is_rust {
            let codes = Outcome::CODES.iter().map(|(code, word)| (code.to_string(), json!(word))).collect();
            keys.insert("command".into(), json!(["/proc/self/exe", BODY_ARG, self.namespace(), &self.name]));
            keys.insert("exit_codes".into(), Value::Object(codes));
            if let Value::Object(results) = keys.entry("results").or_insert_with(|| json!({})) {
                results.entry("json").or_insert(json!(true));
            }
        }
        let text = json!({ "pipelines": { &self.name: keys } }).to_string();
        Source::Program { file: self.at.file().into(), line: self.at.line(), column: self.at.column(), text }
    }

    /// Mistakes that a file cannot have.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let refuse = |message: &str, help: &str| {
            Problem::error(Some(place_of(self.at)), message).in_pipeline(&self.name).with_help(help)
        };
        let mut problems = Vec::new();
        if self.bodies > 1 {
            problems.push(refuse("it has more than one body", "keep one of `run`, `command` and `shell`"));
        }
        if self.is_rust && self.keys.contains_key("exit_codes") {
            let help = "return `Outcome::partial()` or `Outcome::fatal(…)`, and leave `exit_codes` out";
            problems.push(refuse("the exit codes of a body that is Rust are fixed", help));
        }
        problems
    }

    pub(super) fn is_mistaken(&self) -> bool {
        !self.problems().is_empty()
    }

    fn push(&mut self, key: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        let values = values.into_iter().map(|value| literal(value.as_ref()));
        match self.keys.entry(key).or_insert_with(|| json!([])) {
            Value::Array(list) => list.extend(values),
            // Was set by `set` to something else: what comes later counts.
            other => *other = values.collect(),
        }
    }
}

/// Says what a pipeline is: each call sets a key of a file, with its meaning and its default (docs/configuration.md).
///
/// Called again, a call counts instead of the one before; `schedule`, `tags`, `depends_on` and `env` add to it.
pub struct PipelineBuilder<'r> {
    entry: &'r mut Entry,
}

impl<'r> PipelineBuilder<'r> {
    pub(super) fn of(entry: &'r mut Entry) -> PipelineBuilder<'r> {
        PipelineBuilder { entry }
    }

    /// When it is due, as in a file: a crontab line, `@hourly`, `Mon..Fri 06:00`, `every 5m`. Without one it runs by hand
    /// only, or when what it depends on has succeeded.
    pub fn schedule(self, schedule: impl AsRef<str>) -> Self {
        self.entry.push("schedule", [schedule]);
        self
    }

    /// Zone of its schedule and dates, such as `Europe/Berlin`; UTC without one.
    pub fn timezone(self, zone: impl AsRef<str>) -> Self {
        self.key("timezone", literal(zone.as_ref()))
    }

    /// Keeps teams apart that share a run-log; `default` without one. That of a file does not hold here.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.key("namespace", Value::String(namespace.into()))
    }

    /// What it does, for people.
    pub fn description(self, text: impl AsRef<str>) -> Self {
        self.key("description", literal(text.as_ref()))
    }

    /// Who answers for it, for people.
    pub fn owner(self, text: impl AsRef<str>) -> Self {
        self.key("owner", literal(text.as_ref()))
    }

    /// Where to read what to do when it fails, for people.
    pub fn runbook(self, text: impl AsRef<str>) -> Self {
        self.key("runbook", literal(text.as_ref()))
    }

    /// Words to select it by: `--only tag:critical`.
    pub fn tags<T: AsRef<str>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.entry.push("tags", tags);
        self
    }

    /// How long an attempt may take, in whole milliseconds; without it, as long as it likes.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.key("timeout", written(timeout))
    }

    /// How long it may take to end after SIGTERM before SIGKILL; 10 s without it.
    pub fn kill_grace(self, grace: Duration) -> Self {
        self.key("kill_grace", written(grace))
    }

    /// What happens after a failed attempt; without it, there is one attempt.
    pub fn retry(self, retry: Retry) -> Self {
        let backoff = match retry.backoff {
            Backoff::Fixed => "fixed",
            Backoff::Linear => "linear",
            Backoff::Exponential => "exponential",
        };
        let when_next_due = match retry.when_next_due {
            WhenNextDue::Supersede => "supersede",
            WhenNextDue::FinishFirst => "finish_first",
        };
        let mut keys = json!({
            "max_attempts": retry.max_attempts,
            "backoff": backoff,
            "delay": written(retry.delay),
            "jitter": format!("{}%", retry.jitter_percent),
            "when_next_due": when_next_due,
        });
        if let Some(longest) = retry.max_delay {
            keys["max_delay"] = written(longest);
        }
        self.key("retry", keys)
    }

    /// What happens when it is due while its previous run is still going; without it, the occurrence is skipped.
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.key(
            "overlap",
            match overlap {
                Overlap::Skip => json!("skip"),
                Overlap::Queue => json!("queue"),
                Overlap::Replace => json!("replace"),
                Overlap::Allow(max) => json!({ "policy": "allow", "max": max }),
            },
        )
    }

    /// What happens to occurrences nobody ran in time; without it, the newest runs.
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        self.key(
            "catch_up",
            match catch_up {
                CatchUp::Skip => json!("skip"),
                CatchUp::Latest => json!("latest"),
                CatchUp::All { max, window: None } => json!({ "policy": "all", "max": max }),
                CatchUp::All { max, window: Some(window) } => {
                    json!({ "policy": "all", "max": max, "window": written(window) })
                }
            },
        )
    }

    /// Pipelines that must have succeeded before it starts, of the program or of files.
    pub fn depends_on<T: AsRef<str>>(self, upstreams: impl IntoIterator<Item = T>) -> Self {
        self.entry.push("depends_on", upstreams);
        self
    }

    /// Whether it may be done twice: a lost run is then tried again.
    pub fn idempotent(self, is_idempotent: bool) -> Self {
        self.key("idempotent", json!(is_idempotent))
    }

    /// Working directory; without it, that of the tick.
    pub fn cwd(self, folder: impl AsRef<str>) -> Self {
        self.key("cwd", literal(folder.as_ref()))
    }

    /// Sets a variable for the body; `{{ scheduled_date }}` and its like are filled in.
    pub fn env(self, name: impl Into<String>, value: impl AsRef<str>) -> Self {
        let value = literal(value.as_ref());
        match self.entry.keys.entry("env").or_insert_with(|| json!({})) {
            Value::Object(variables) => drop(variables.insert(name.into(), value)),
            // Was set by `set` to something else: what comes later counts.
            other => *other = Value::Object(Map::from_iter([(name.into(), value)])),
        }
        self
    }

    /// Sets any key of a pipeline of a file, as it would stand there: `${VAR}` is filled in.
    pub fn set(self, key: impl Into<String>, value: Value) -> Self {
        let key = key.into();
        if key == "command" {
            self.entry.bodies += 1;
        }
        self.key(key, value)
    }

    /// Runs a program with these arguments, each filled in as one element and never split.
    pub fn command<T: AsRef<str>>(self, command: impl IntoIterator<Item = T>) -> Self {
        self.entry.bodies += 1;
        let elements = command.into_iter().map(|element| literal(element.as_ref())).collect();
        self.key("command", elements)
    }

    /// Runs a line in `/bin/sh`, as it stands.
    pub fn shell(self, line: impl Into<String>) -> Self {
        self.entry.bodies += 1;
        self.key("command", Value::String(line.into()))
    }

    /// Runs this closure, in a process of its own: this program again, which builds its registry, runs the closure on an
    /// event loop of one thread, and ends. What it captures is what was there when the registry was built in that process.
    ///
    /// `Ok(())` is a success; an error is printed and the attempt has failed, and so is a panic; an [`Outcome`] says more.
    pub fn run<F, R, T>(self, body: F) -> Self
    where
        F: FnOnce(Context) -> R + Send + 'static,
        R: Future<Output = Result<T, BoxError>> + 'static,
        T: Into<Outcome>,
    {
        self.entry.bodies += 1;
        self.entry.is_rust = true;
        self.entry.body = Some(boxed(body));
        self
    }

    fn key(self, key: impl Into<String>, value: Value) -> Self {
        self.entry.keys.insert(key.into(), value);
        self
    }
}

/// A text that stands for itself in a file.
fn literal(text: &str) -> Value {
    Value::String(text.replace("${", "$${"))
}

fn written(duration: Duration) -> Value {
    Value::String(format!("{}ms", duration.as_millis()))
}
