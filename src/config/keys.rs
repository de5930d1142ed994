//! Every key of a configuration: its name, type, default, meaning and an example.
//!
//! The one list: `document` and `settings` accept a key only if it stands here, `schema` is printed from it, the user's
//! page is tested against it.

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it says, for people.
    pub(super) about: &'static str,
    /// What holds without it, as JSON; none where nothing does.
    pub(super) default: Option<&'static str>,
    /// A value, as YAML in flow form, which is JSON too.
    pub(super) example: &'static str,
}

/// The type of a value.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    /// A text or a list of texts.
    Texts,
    /// Elements of a command, or a line for the shell.
    Command,
    /// Names of variables and texts, numbers or booleans.
    Variables,
    /// A Boolean or a list of names.
    InheritEnv,
    /// Nothing, a text, `{ text: … }` or `{ file: … }`.
    Stdin,
    Duration,
    Size,
    Percent,
    /// A whole number in a range.
    Count(u32, u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or a mapping of these keys.
    WordOrKeys(&'static [&'static str], &'static [Key]),
    /// A Boolean.
    Flag,
    /// A path, or a list of paths and `{ path: …, optional: true }`.
    EnvFiles,
    /// Names and the keys of a document.
    Environments,
    /// A command, or `{ command: …, timeout: … }`.
    Hook,
    /// Exit codes and words, or the name of a preset.
    ExitCodes,
    /// Names of pipelines, or mappings of the keys of `UPSTREAM`.
    Upstreams,
    /// A mapping of these keys.
    Keys(&'static [Key]),
    /// The keys of a pipeline but for those of `NOT_IN_DEFAULTS`.
    Defaults,
    /// Names and the keys of a pipeline.
    Pipelines,
    /// A URL or a mapping of these keys, or a list of such.
    Outlets(&'static [Key]),
    /// Some of these words.
    Words(&'static [&'static str]),
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    example: &'static str,
    about: &'static str,
) -> Key {
    Key { name, kind, about, default, example }
}

/// The keys of a document.
#[rustfmt::skip]
pub(super) const DOCUMENT: &[Key] = &[
    key("version", Kind::Count(1, 1), Some("1"), "1", "Version of the format."),
    key("timezone", Kind::Text, Some("\"UTC\""), "\"Europe/Berlin\"", "Zone of the schedules and dates of this file's pipelines."),
    key("namespace", Kind::Text, Some("\"default\""), "\"team-a\"", "Keeps teams apart that share a run-log."),
    key("run_log", Kind::Text, None, "\"sqlite:///var/lib/tickward/run_log.db\"", "URL of the run-log; empty means none."),
    key("retention", Kind::Keys(RETENTION), None, "{\"max_age\": \"90d\", \"failed_max_age\": \"365d\"}", "How long history is kept in the run-log; without it, for good."),
    key("on_run_log_error", Kind::Word(&["run", "skip"]), Some("\"run\""), "\"skip\"", "What happens while the run-log cannot be used: each host runs what is due by itself, or nothing starts."),
    key("env_files", Kind::EnvFiles, None, "[{\"path\": \".env\", \"optional\": true}]", "Files of `NAME=value` lines, for `${…}` in this file and for its commands; relative to this file."),
    key("environments", Kind::Environments, None, "{\"production\": {\"timezone\": \"Europe/Berlin\"}}", "Keys of a document that are laid over this one where `--env` or TICKWARD_ENV names them."),
    key("alerters", Kind::Outlets(ALERTER), None, "[\"slack://hooks.slack.com/services/X/Y/Z\"]", "Who is told about failures: URLs, or mappings of a URL and what it is for."),
    key("metrics", Kind::Outlets(SINK), None, "[\"textfile:///var/lib/node_exporter/tickward.prom\"]", "Where figures go: URLs."),
    key("defaults", Kind::Defaults, None, "{\"timeout\": \"1h\"}", "What holds for every pipeline of this file that does not say otherwise."),
    key("pipelines", Kind::Pipelines, None, "{\"hello\": {\"command\": [\"echo\", \"hello\"]}}", "The pipelines, each under its name."),
];

/// The keys of `retention`.
#[rustfmt::skip]
pub(super) const RETENTION: &[Key] = &[
    key("max_age", Kind::Duration, None, "\"90d\"", "What is older goes."),
    key("failed_max_age", Kind::Duration, None, "\"365d\"", "Attempts that did not succeed go when they are older than this, and not before; without it, as the others."),
    key("max_runs", Kind::Count(1, 1_000_000), None, "1000", "All but so many of the newest runs of each pipeline go."),
];

/// The keys of an entry of `alerters`.
#[rustfmt::skip]
pub(super) const ALERTER: &[Key] = &[
    key("name", Kind::Text, None, "\"page\"", "Its name in logs; without it, the scheme."),
    key("url", Kind::Text, None, "\"slack://hooks.slack.com/services/X/Y/Z\"", "Where to; must be given."),
    key("events", Kind::Words(&EVENTS), None, "[\"gave_up\", \"recovered\"]", "What it is told; without it, everything."),
    key("match", Kind::Keys(MATCH), None, "{\"tags\": [\"critical\"]}", "Of which pipelines; without it, of all."),
];

/// The words of `events`: those of `alert::Kind`.
pub(super) const EVENTS: [&str; 11] = [
    "failed",
    "gave_up",
    "recovered",
    "partial",
    "lost",
    "missed",
    "degraded",
    "tick_gap",
    "config_split",
    "late_outcome",
    "clock_wrong",
];

/// The keys of `match`.
#[rustfmt::skip]
pub(super) const MATCH: &[Key] = &[
    key("tags", Kind::Texts, None, "[\"critical\"]", "Pipelines with at least one of these tags."),
];

/// The keys of an entry of `metrics`.
#[rustfmt::skip]
pub(super) const SINK: &[Key] = &[
    key("name", Kind::Text, None, "\"node\"", "Its name in logs; without it, the scheme."),
    key("url", Kind::Text, None, "\"stdout://\"", "Where to; must be given."),
];

/// The keys of a pipeline.
#[rustfmt::skip]
pub(super) const PIPELINE: &[Key] = &[
    key("description", Kind::Text, None, "\"Customer load\"", "What it does, for people."),
    key("owner", Kind::Text, None, "\"data-team\"", "Who answers for it, for people."),
    key("runbook", Kind::Text, None, "\"https://wiki.example.com/daily-etl\"", "Where to read what to do when it fails."),
    key("tags", Kind::Texts, None, "[\"critical\"]", "Words to select pipelines by."),
    key("schedule", Kind::Texts, None, "\"0 2 * * *\"", "When it is due, one or several: a crontab line, OnCalendar as in `Mon..Fri 06:00`, `every 5m`, `at 2026-12-01T09:00Z`; without it, it runs by hand only."),
    key("timezone", Kind::Text, None, "\"America/New_York\"", "Zone of its schedule and dates; without it, the file's."),
    key("namespace", Kind::Text, None, "\"team-a\"", "Keeps teams apart that share a run-log; without it, the file's."),
    key("jitter", Kind::Duration, Some("\"0s\""), "\"5m\"", "Longest constant delay by which it is spread from others that are due at once."),
    key("command", Kind::Command, None, "[\"/opt/etl/run\", \"--day\", \"{{ scheduled_date }}\"]", "What to run: a list is the program and its arguments, a string a line for /bin/sh."),
    key("cwd", Kind::Text, None, "\"/opt/etl\"", "Working directory; without it, that of the tick."),
    key("env", Kind::Variables, None, "{\"LOG_LEVEL\": \"warn\"}", "Variables set for the command."),
    key("env_files", Kind::EnvFiles, None, "[{\"path\": \".env\", \"optional\": true}]", "Files of `NAME=value` lines, for `${…}` in this pipeline and for its command; relative to the configuration file."),
    key("inherit_env", Kind::InheritEnv, Some("true"), "[\"PATH\", \"HOME\"]", "Which of the tick's own variables the command sees: true for all, false for none, or a list."),
    key("stdin", Kind::Stdin, None, "{\"text\": \"yes\"}", "What the command reads; without it, nothing."),
    key("user", Kind::Text, None, "\"etl\"", "User to run as, a name or a number."),
    key("group", Kind::Text, None, "\"etl\"", "Group to run as, a name or a number."),
    key("limits", Kind::Keys(LIMITS), None, "{\"memory\": \"512M\", \"output\": \"10M\"}", "How much it may use."),
    key("timeout", Kind::Duration, None, "\"1h\"", "How long an attempt may take; without it, as long as it likes."),
    key("kill_grace", Kind::Duration, Some("\"10s\""), "\"30s\"", "How long it may take to end after SIGTERM before SIGKILL; at most a third of the lease."),
    key("lease", Kind::Duration, Some("\"5m\""), "\"5m\"", "How long a claim holds unless renewed."),
    key("retry", Kind::Keys(RETRY), None, "{\"max_attempts\": 3}", "What happens after a failed attempt."),
    key("overlap", Kind::WordOrKeys(&["skip", "queue", "allow", "replace", "Forbid", "Allow", "Replace"], OVERLAP), Some("\"skip\""), "\"queue\"", "What happens when it is due while its previous run is still going."),
    key("depends_on", Kind::Upstreams, None, "[\"daily_etl\", { \"pipeline\": \"prices\", \"accept\": [\"succeeded\"], \"max_age\": \"6h\" }]", "Pipelines that must have succeeded before it starts; without a `schedule`, it starts when they all have."),
    key("start_deadline", Kind::Duration, None, "\"30m\"", "How late it may start at most; an occurrence that is later is skipped."),
    key("min_interval", Kind::Duration, Some("\"0s\""), "\"10m\"", "The shortest time between the starts of two of its runs."),
    key("previously", Kind::Text, None, "\"old_name\"", "The name it had before: its history is carried over."),
    key("catch_up", Kind::WordOrKeys(&["skip", "latest", "all"], CATCH_UP), Some("\"latest\""), "{\"policy\": \"all\", \"max\": 100, \"window\": \"24h\"}", "What happens to occurrences nobody ran in time."),
    key("exit_codes", Kind::ExitCodes, None, "{\"preset\": \"clinker\", \"75\": \"retry\"}", "What exit codes mean: codes and words, the name of a preset, or both; of those not listed 0 is success, all others are worth a retry."),
    key("results", Kind::WordOrKeys(&["json"], RESULTS), None, "{\"json\": true, \"dlq\": \"output/*_errors.csv\"}", "Where the command tells what it did, besides its exit code."),
    key("hooks", Kind::Keys(HOOKS), None, "{\"before\": [\"pg_dump\", \"-f\", \"backup.sql\"], \"on_failure\": \"psql -f backup.sql\"}", "What runs before and after the command, in its surroundings."),
    key("on_interrupt", Kind::Word(&["retry", "rerun"]), Some("\"retry\""), "\"rerun\"", "What happens to a run that was interrupted because the tick was told to stop."),
    key("on_gave_up", Kind::Word(&["next", "hold"]), Some("\"next\""), "\"hold\"", "What happens after a run has given up: the next occurrence starts afresh, or nothing starts until `tickward reset`."),
    key("on_run_log_error", Kind::Word(&["run", "skip"]), Some("\"run\""), "\"skip\"", "What happens while the run-log cannot be used: each host runs what is due by itself, or nothing starts."),
    key("idempotent", Kind::Flag, None, "true", "Whether it may be done twice: a lost run is then tried again, three times at most, and with `false` never; without it, `retry` decides."),
];

/// Keys of a pipeline that are no defaults.
pub(super) const NOT_IN_DEFAULTS: [&str; 6] =
    ["description", "schedule", "command", "env_files", "depends_on", "previously"];

/// The keys of `results`.
#[rustfmt::skip]
pub(super) const RESULTS: &[Key] = &[
    key("json", Kind::Flag, Some("false"), "true", "In the last JSON object that it prints, or in the file that TICKWARD_RESULT_FILE names."),
    key("dlq", Kind::Text, None, "\"output/*_errors.csv\"", "Files of rejects: new ones that are not empty make a success partial."),
    key("spool", Kind::Text, None, "\"/var/spool/clinker/*.json\"", "Files of figures in JSON: those of new ones are kept with the attempt."),
];

/// The keys of `hooks`.
#[rustfmt::skip]
pub(super) const HOOKS: &[Key] = &[
    key("before", Kind::Hook, None, "[\"pg_dump\", \"-f\", \"backup.sql\"]", "Runs first; if it fails, so does the attempt, and the command does not start."),
    key("after", Kind::Hook, None, "{\"command\": \"rm -rf scratch\", \"timeout\": \"5m\"}", "Runs last, once the command has ended, however it did."),
    key("on_success", Kind::Hook, None, "\"touch done\"", "Runs once the command has succeeded, in full or in part."),
    key("on_failure", Kind::Hook, None, "\"psql -f backup.sql\"", "Runs once the command has ended otherwise."),
];

/// The keys of a hook that is more than its command.
#[rustfmt::skip]
pub(super) const HOOK: &[Key] = &[
    key("command", Kind::Command, None, "\"touch done\"", "What to run, as `command` of a pipeline."),
    key("timeout", Kind::Duration, Some("\"60s\""), "\"5m\"", "How long it may run."),
];

/// The keys of `limits`.
#[rustfmt::skip]
pub(super) const LIMITS: &[Key] = &[
    key("memory", Kind::Size, None, "\"512M\"", "Address space of each process; without it, that of the tick."),
    key("output", Kind::Size, Some("\"10M\""), "\"10M\"", "How much output is kept on disk per attempt."),
];

/// The keys of `retry`.
#[rustfmt::skip]
pub(super) const RETRY: &[Key] = &[
    key("max_attempts", Kind::Count(1, 1000), Some("1"), "3", "Attempts in all, the first included."),
    key("backoff", Kind::Word(&["fixed", "linear", "exponential"]), Some("\"exponential\""), "\"fixed\"", "How the wait grows."),
    key("delay", Kind::Duration, Some("\"30s\""), "\"1m\"", "The first wait."),
    key("max_delay", Kind::Duration, None, "\"10m\"", "The longest wait; without it, no bound."),
    key("jitter", Kind::Percent, Some("\"0%\""), "\"20%\"", "By how much a wait may differ, both ways."),
    key("when_next_due", Kind::Word(&["supersede", "finish_first"]), Some("\"supersede\""), "\"finish_first\"", "What happens to a pending retry when the next occurrence falls due."),
];

/// The keys of `overlap`.
#[rustfmt::skip]
pub(super) const OVERLAP: &[Key] = &[
    key("policy", Kind::Word(&["skip", "queue", "allow", "replace"]), None, "\"allow\"", "Whether it is skipped, waits, starts beside, or takes the place of the previous run."),
    key("max", Kind::Count(1, 1000), Some("10"), "3", "With `allow`: at most this many at once."),
];

/// The keys of an element of `depends_on`.
#[rustfmt::skip]
pub(super) const UPSTREAM: &[Key] = &[
    key("pipeline", Kind::Text, None, "\"daily_etl\"", "The pipeline, with `namespace:` before it where it has another one."),
    key("accept", Kind::Texts, Some("[\"succeeded\", \"partial\"]"), "[\"succeeded\"]", "Which outcomes count."),
    key("max_age", Kind::Duration, None, "\"6h\"", "A success that ended this long ago at most is enough, whatever occurrence it was for."),
];

/// The keys of `catch_up`.
#[rustfmt::skip]
pub(super) const CATCH_UP: &[Key] = &[
    key("policy", Kind::Word(&["skip", "latest", "all"]), None, "\"all\"", "Which of the missed occurrences run."),
    key("max", Kind::Count(1, 10_000), Some("100"), "10", "With `all`: at most this many, the newest."),
    key("window", Kind::Duration, None, "\"24h\"", "With `all`: none older than this; without it, however old."),
];

/// Keys that this version knows of but cannot honour yet, and what is possible instead.
pub(super) const NOT_YET_IN_DOCUMENT: &[(&str, &str)] = &[
    ("executor", "commands run on the host of the tick"),
    ("executors", "commands run on the host of the tick"),
    ("include", "give several files or a folder with `-c`"),
];

/// The same for the keys of a pipeline and of `defaults`.
pub(super) const NOT_YET_IN_PIPELINE: &[(&str, &str)] = &[
    ("alerters", "put it at the top of the file, and say with `match: { tags: […] }` of which pipelines"),
    ("metrics", "put it at the top of the file: it holds for all pipelines"),
    ("executor", "commands run on the host of the tick"),
    ("enabled", "take the pipeline out of the file, or out of what `-c` names"),
    ("paused", "take the pipeline out of the file, or out of what `-c` names"),
];

/// Words that other tools taught, and ours.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cron", "schedule"),
    ("cmd", "command"),
    ("run", "command"),
    ("args", "command"),
    ("argv", "command"),
    ("exec", "command"),
    ("script", "command"),
    ("tz", "timezone"),
    ("time_zone", "timezone"),
    ("workdir", "cwd"),
    ("working_dir", "cwd"),
    ("working_directory", "cwd"),
    ("dir", "cwd"),
    ("environment", "env"),
    ("env_file", "env_files"),
    ("on_success", "hooks"),
    ("on_failure", "hooks"),
    ("retries", "retry"),
    ("attempts", "max_attempts"),
    ("concurrency", "overlap"),
    ("concurrencyPolicy", "overlap"),
    ("backfill", "catch_up"),
    ("depends", "depends_on"),
    ("needs", "depends_on"),
    ("after", "depends_on"),
    ("requires", "depends_on"),
    ("grace", "kill_grace"),
    ("jobs", "pipelines"),
    ("alerts", "alerters"),
    ("notify", "alerters"),
    ("address", "url"),
    ("tasks", "pipelines"),
];

/// The key of that name.
pub(super) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// Advice for an unknown key: the nearest known one, or all of them.
pub(super) fn advice(keys: &[Key], name: &str) -> String {
    let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let taught = ELSEWHERE.iter().find(|(theirs, ours)| *theirs == name && known.contains(ours)).map(|(_, ours)| *ours);
    let below = PIPELINE.iter().find(|key| match key.kind {
        Kind::Keys(inner) | Kind::WordOrKeys(_, inner) => find(inner, name).is_some(),
        _ => false,
    });
    match (taught, below) {
        (Some(ours), _) => format!("did you mean `{ours}`?"),
        (None, Some(outer)) if known.contains(&outer.name) => {
            format!("it belongs below `{0}`, indented further: `{0}: {{ {name}: … }}`", outer.name)
        }
        _ => nearest_or_all(&known, name),
    }
}

/// Advice for an unknown word: the nearest known one, or all of them.
pub(super) fn nearest_or_all(known: &[&str], word: &str) -> String {
    let lower = word.to_lowercase().replace('-', "_");
    let bounded = &lower[..lower.char_indices().nth(64).map_or(lower.len(), |(at, _)| at)];
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), bounded), *known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => format!("use one of: {}", known.join(", ")),
    }
}
