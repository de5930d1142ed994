//! What should run: a pipeline as the configuration (or a Rust program) describes it.
//!
//! Values only, already validated; reading them from files is for `config`, deciding by them for `plan`, running the
//! body for `executor`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::occurrence::{Name, PipelineId};
use crate::rare::Rare;
use crate::schedule::Schedule;
use crate::template::Template;

/// One registered pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Namespace and name.
    pub id: PipelineId,
    /// For people: what it does; empty if not said.
    pub description: String,
    /// For people: who answers for it; empty if not said.
    pub owner: String,
    /// For people: where to read what to do when it fails; empty if not said.
    pub runbook: String,
    /// Words to select by (`--only tag:critical`).
    pub tags: Vec<String>,
    /// When it is due; none means only by hand.
    pub schedule: Option<Schedule>,
    /// The zone in which dates are shown to the body.
    pub zone: jiff::tz::TimeZone,
    /// Longest constant delay by which occurrences are spread; zero means none.
    pub jitter: Duration,
    /// What to run and in which surroundings.
    pub command: Command,
    /// How long an attempt may take; none means as long as it likes.
    pub timeout: Option<Duration>,
    /// How long a body may take to end after SIGTERM before SIGKILL.
    pub kill_grace: Duration,
    /// How long a claim holds unless renewed.
    pub lease: Duration,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// What happens when an occurrence is due while the previous run is still going.
    pub overlap: Overlap,
    /// What happens to occurrences nobody ran in time.
    pub catch_up: CatchUp,
    /// What the body's exit codes mean.
    pub exit_codes: ExitCodes,
    /// What happens to a run that was interrupted because we were told to stop.
    pub on_interrupt: OnInterrupt,
    /// What happens after a run has given up.
    pub on_gave_up: OnGaveUp,
    /// What happens while the run-log cannot be used.
    pub on_run_log_error: OnRunLogError,
    /// Whether it may be done twice, so that a lost run may be retried; none means the retry policy decides.
    pub idempotent: Option<bool>,
    /// An occurrence that could not start within this time is not run; none means however late.
    pub start_deadline: Option<Duration>,
    /// The shortest time between the starts of two of its runs; zero means none.
    pub min_interval: Duration,
    /// What has to have succeeded before it starts.
    pub depends_on: Vec<Upstream>,
    /// A name that it had before, in the same namespace.
    pub previously: Option<Name>,
    /// Where the body tells what it did.
    pub results: Rare<Results>,
    /// What runs before and after the body.
    pub hooks: Rare<Hooks>,
}

/// A pipeline that another one depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Which.
    pub pipeline: PipelineId,
    /// Whether done with rejects is enough.
    pub accepts_partial: bool,
    /// A success that ended this long ago at most is enough, of whatever occurrence; none means that the latest occurrence
    /// has to have succeeded.
    pub max_age: Option<Duration>,
}

/// Where a body tells what it did, besides its exit code. Empty: nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// In the last JSON object that it prints, or in the file that `TICKWARD_RESULT_FILE` names.
    pub json: bool,
    /// Files of rejects, a path with `*` and `?`, relative to the body's working directory: new ones make a success partial.
    pub dlq: Option<String>,
    /// Files of figures in JSON, a path like that of `dlq`.
    pub spool: Option<String>,
}

/// What runs before and after a body, in its surroundings. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks {
    /// Before it; if this fails, the attempt fails and the body does not start.
    pub before: Option<Hook>,
    /// Once it has ended, after `on_success` or `on_failure`.
    pub after: Option<Hook>,
    /// Once it has succeeded, in full or partial.
    pub on_success: Option<Hook>,
    /// Once it has ended otherwise.
    pub on_failure: Option<Hook>,
}

crate::rare::nothing!(Results);
crate::rare::nothing!(Hooks);

impl Hooks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        [&self.before, &self.after, &self.on_success, &self.on_failure].iter().all(|hook| hook.is_none())
    }
}

/// A program that runs before or after a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The program.
    pub body: Body,
    /// How long it may run.
    pub timeout: Duration,
}

/// What to run and in which surroundings.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program.
    pub body: Body,
    /// The body as written in the configuration, before any `${VAR}` was filled in: safe to print.
    pub shown: String,
    /// Working directory; none means the one the tick was started in.
    pub cwd: Option<PathBuf>,
    /// Variables set for the body, templates filled in per attempt.
    pub env: BTreeMap<String, Template>,
    /// Which variables of our own environment the body sees.
    pub inherit_env: InheritEnv,
    /// What the body reads.
    pub stdin: Stdin,
    /// User to run as (name or number); none means ours.
    pub user: Option<String>,
    /// Group to run as (name or number); none means the user's own, or ours.
    pub group: Option<String>,
    /// Address space limit of each process of the body, in bytes; none means ours.
    pub memory_limit_bytes: Option<u64>,
    /// How much output is kept on disk per attempt, in bytes.
    pub output_limit_bytes: u64,
    /// What variables have filled into the names by which a start may fail: program, folder, file, user, group, `PATH`.
    pub filled: Filled,
}

/// Texts that came from variables. They may be secret, so nobody is told them.
#[derive(Clone, Default)]
pub struct Filled(Arc<[String]>);

impl Filled {
    /// These texts; empty ones do not count.
    pub fn of(texts: impl IntoIterator<Item = String>) -> Filled {
        Filled(texts.into_iter().filter(|text| !text.is_empty()).collect())
    }

    /// A reason as it may be told: between its first and its last backtick, where it names things, `***` stands for each
    /// of these texts, as it is or escaped for printing.
    pub fn concealed_in(&self, reason: &str) -> String {
        let Some((begin, end)) = reason.find('`').zip(reason.rfind('`')).filter(|(begin, end)| begin < end) else {
            return reason.to_owned();
        };
        // A mark that belongs to the letter before it is escaped only where it comes first.
        let inside = |text: &String| format!("x{text}").escape_debug().skip(1).collect();
        let forms = |text: &String| [text.clone(), text.escape_debug().to_string(), inside(text)];
        let mut forms: Vec<String> = self.0.iter().flat_map(forms).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let names = forms.iter().fold(reason[begin + 1..end].to_owned(), |names, form| names.replace(form, "***"));
        format!("{}{names}{}", &reason[..=begin], &reason[end..])
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filled({} texts)", self.0.len())
    }
}

/// The program of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Program and arguments, each filled in as one element, never split. At least one element.
    Argv(Vec<Template>),
    /// A line for `/bin/sh -c`, as it stands.
    Shell(String),
}

/// Which variables of the tick's environment the body inherits. Our own settings and secrets never are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InheritEnv {
    /// All of them.
    All,
    /// None of them.
    Nothing,
    /// Those named.
    Only(Vec<String>),
}

/// What a body reads from its standard input.
#[derive(Clone, Debug)]
pub enum Stdin {
    /// Nothing: `/dev/null`.
    Null,
    /// This text.
    Text(Template),
    /// A file, opened when the attempt starts; relative to the body's working directory.
    File(PathBuf),
}

/// When a failed attempt is followed by another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Retry {
    /// Attempts in all, the first included; 1 means no retry.
    pub max_attempts: u32,
    /// How the wait grows.
    pub backoff: Backoff,
    /// The first wait.
    pub delay: Duration,
    /// The longest wait, jitter aside; none means no bound.
    pub max_delay: Option<Duration>,
    /// By how much a wait may differ, in percent of itself, both ways (0 to 100).
    pub jitter_percent: u32,
    /// What happens to a pending retry when the next occurrence falls due.
    pub when_next_due: WhenNextDue,
}

impl Retry {
    /// One attempt, no retry: what is built in.
    pub const NONE: Retry = Retry {
        max_attempts: 1,
        backoff: Backoff::Exponential,
        delay: Duration::from_secs(30),
        max_delay: None,
        jitter_percent: 0,
        when_next_due: WhenNextDue::Supersede,
    };
}

/// How the wait between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// The same each time.
    Fixed,
    /// Once the delay, then twice, then three times it.
    Linear,
    /// Doubled each time.
    Exponential,
}

/// What happens to a pending retry when the next occurrence falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNextDue {
    /// The old run ends as superseded; the next occurrence starts.
    Supersede,
    /// The old run is finished first; the next occurrence meets the overlap policy.
    FinishFirst,
}

/// What happens when an occurrence is due while the previous run is still going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The occurrence is recorded as skipped.
    Skip,
    /// It waits until the previous run has ended; a newer one takes its place.
    Queue,
    /// It starts beside the others, as long as there are fewer than this, at least 1.
    Allow(u32),
    /// The previous run is stopped, and it starts when that has ended.
    Replace,
}

/// What happens to occurrences nobody ran in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// None runs: only an occurrence that is alone in being due does.
    Skip,
    /// The newest runs, the others are recorded as missed.
    Latest,
    /// The newest `max` of those younger than `window` run, oldest first, one after the other.
    All {
        /// At most this many; the older ones are missed.
        max: u32,
        /// Not older than this at the tick; none means however old.
        window: Option<Duration>,
    },
}

/// What happens to a run that was interrupted because we were told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// The retry policy decides, as after a failure.
    Retry,
    /// It runs again without using up an attempt, three times at most.
    Rerun,
}

/// What happens after a run has given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGaveUp {
    /// The next occurrence starts afresh.
    #[default]
    Next,
    /// Nothing of the pipeline starts until somebody resets it.
    Hold,
}

/// What happens to what is due while the run-log cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRunLogError {
    /// Each host runs it by itself: several hosts run it several times.
    #[default]
    Run,
    /// It does not run until the run-log is back.
    Skip,
}

/// What a body's exit codes mean. Codes that are not listed: 0 is success, all others are worth a retry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExitCodes(pub BTreeMap<i32, ExitMeaning>);

impl ExitCodes {
    /// What `code` (0 to 255) means.
    pub fn meaning(&self, code: i32) -> ExitMeaning {
        let unlisted = if code == 0 { ExitMeaning::Success } else { ExitMeaning::Retry };
        self.0.get(&code).copied().unwrap_or(unlisted)
    }
}

/// What one exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitMeaning {
    /// Done.
    Success,
    /// Done, with rejects.
    Partial,
    /// Failed; another attempt may help.
    Retry,
    /// Failed; another attempt would not help and is never made.
    Fatal,
    /// It was told to stop by somebody else than us.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_variables_filled_in_is_concealed_where_things_are_named() {
        let filled =
            Filled::of(["hunter2s3cret", "hunter2s3cret-more", "", "x", "a\"b\n", "\u{301}é"].map(String::from));
        for (reason, told) in [
            ("`/opt/hunter2s3cret/y` was not found", "`/opt/***/y` was not found"),
            ("`/root/hunter2s3cret-more` was not found", "`/root/***` was not found"),
            ("extra `x` was not found in PATH (`/x:/y`)", "extra `***` was not found in PATH (`/***:/y`)"),
            (r#"`/a\"b\n/` was not found"#, "`/***/` was not found"),
            ("`/a\"b\n/` was not found", "`/***/` was not found"),
            ("`y\u{301}é` and `\\u{301}é`", "`y***` and `***`"),
            ("no x", "no x"),
            ("x`", "x`"),
        ] {
            assert_eq!(filled.concealed_in(reason), told);
        }
        assert_eq!(format!("{filled:?}"), "Filled(5 texts)");
    }
}
