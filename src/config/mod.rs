//! From files and environment to pipelines.
//!
//! `discover` finds the sources, `load` reads them: text → `tree` (YAML with places) → `settings` (each key on its own)
//! → `validate` (what is inherited, what fits together) → `Pipeline`. Every mistake is collected with its place.
//!
//! Holds always: a broken pipeline or file does not stop the others; nothing is in force that was not written; no
//! secret is in a `Problem`. No clock, no logging, and the process's environment only as a value.

mod body;
mod discover;
mod document;
mod env_file;
mod env_files;
mod environment;
mod exit_codes;
mod interpolate;
mod keys;
mod outlets;
mod overlay;
mod problem;
mod quantity;
mod reader;
mod renamed;
mod retention;
mod schema;
pub mod secret;
mod settings;
mod surround;
mod text;
mod tree;
mod upstreams;
mod validate;
mod value;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use discover::{Discovered, Source, discover, discover_instead};
pub use environment::Environment;
pub use outlets::{AlerterSpec, SinkSpec, split_urls};
pub use problem::{Place, Problem, Severity};
pub use retention::Retention;
pub use schema::schema;
pub use secret::Secret;

use crate::pipeline::Pipeline;
use text::SourceText;

/// Stands for a run-log that is named by what cannot be read: no run-log opens it, and none takes its place.
pub const UNKNOWN_RUN_LOG: &str = "${run_log}";

/// Bytes that a file may have.
const MAX_BYTES: u64 = 64 << 20;

/// A duration as the configuration takes it (`90s`, `1h30m`); none where the text is none.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    quantity::duration(text).ok()
}

/// What the configuration says.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Those that are right, in the order of sources and files.
    pub pipelines: Vec<Pipeline>,
    /// The names of those that are not, as written.
    pub broken: Vec<String>,
    /// The URL of the run-log. Empty: none is wanted. None: no file says anything.
    pub run_log: Option<Secret>,
    /// Where a file names it; none also where what it names cannot be read, which is a problem of its own.
    pub run_log_place: Option<Place>,
    /// Who is told about what, over all files; what is written twice counts once. No two have one name.
    pub alerters: Vec<AlerterSpec>,
    /// Where figures go, as `alerters`.
    pub metrics: Vec<SinkSpec>,
    /// How long history is kept. None: for good.
    pub retention: Option<Retention>,
    /// Every mistake, source by source in the order of lines.
    pub problems: Vec<Problem>,
    /// The files that were asked for, broken ones too.
    pub files: Vec<PathBuf>,
}

impl Loaded {
    /// Something that cannot be read may name the run-log: where nothing else does, there is none, and not the one that is built in.
    pub fn run_log_is_unknown(&mut self) {
        self.run_log.get_or_insert_with(|| Secret::new(UNKNOWN_RUN_LOG));
    }

    /// Whether the run-log is one that nobody knows.
    pub fn is_run_log_unknown(&self) -> bool {
        self.run_log.as_ref().is_some_and(|url| url.expose() == UNKNOWN_RUN_LOG)
    }

    /// Whether something of the configuration is not in force. Warnings do not count.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Reads all sources.
///
/// ```
/// use tickward::config::{Environment, Source, load};
/// let text = "pipelines:\n  hello:\n    schedule: \"@hourly\"\n    command: echo hello\n";
/// let source = Source::Text { name: "<stdin>".into(), text: text.into() };
/// let loaded = load(&[source], &Environment::default());
/// assert_eq!(loaded.problems, []);
/// assert_eq!(loaded.pipelines[0].id.to_string(), "hello");
/// ```
pub fn load(sources: &[Source], environment: &Environment) -> Loaded {
    let mut loaded = Loaded::default();
    let mut texts = Vec::new();
    let mut may_name_a_run_log = false;
    for source in sources {
        match source {
            Source::Text { name, text } => texts.push(SourceText::new(name.clone(), text.clone())),
            Source::Program { file, line, column, text } => {
                texts.push(SourceText::new(file.clone(), text.clone()).all_at(*line, *column));
            }
            Source::File(path) => {
                loaded.files.push(path.clone());
                match read_file(path) {
                    Ok(text) => texts.push(SourceText::new(path.display().to_string(), text).within(path.parent())),
                    Err(problem) => {
                        may_name_a_run_log = true;
                        loaded.problems.push(problem);
                    }
                }
            }
        }
    }
    let mut seen = HashMap::new();
    let mut references = Vec::new();
    let mut renamed = HashMap::new();
    let mut run_log: Option<(Secret, Place)> = None;
    let mut retention: Option<(Retention, Place)> = None;
    for index in 0..texts.len() {
        let document = document::read(&texts, index, environment, &mut seen);
        match loaded.pipelines.is_empty() {
            true => loaded.pipelines = document.pipelines,
            false => loaded.pipelines.extend(document.pipelines),
        }
        loaded.broken.extend(document.broken);
        references.extend(document.references);
        renamed.extend(document.renamed);
        loaded.problems.extend(document.problems);
        may_name_a_run_log |= document.may_name_a_run_log;
        outlets::add(&mut loaded.alerters, document.alerters);
        outlets::add(&mut loaded.metrics, document.metrics);
        match (&retention, document.retention) {
            (Some((first, place)), Some((second, at))) if *first != second => {
                let message = format!("`retention` is set to something else by {}:{}", place.file, place.line);
                let help = "keep one; the first is in force";
                loaded.problems.push(Problem::error(Some(at), message).with_help(help));
            }
            (None, found) => retention = found,
            _ => {}
        }
        match (&run_log, document.run_log) {
            (Some((first, place)), Some((second, at))) if *first != second => {
                let message = format!("`run_log` is set to something else by {}:{}", place.file, place.line);
                let help = "keep one; the first is in force";
                loaded.problems.push(Problem::error(Some(at), message).with_help(help));
            }
            (None, found) => run_log = found,
            _ => {}
        }
    }
    loaded.retention = retention.map(|(kept, _)| kept);
    let lost = upstreams::check(&references, &mut loaded.pipelines, &mut loaded.broken);
    loaded.problems.extend(lost);
    loaded.problems.extend(renamed::check(&renamed, &mut loaded.pipelines, &mut loaded.broken));
    outlets::number(&mut loaded.alerters);
    outlets::number(&mut loaded.metrics);
    if let Some((url, place)) = run_log {
        loaded.run_log_place = Some(place).filter(|_| url.expose() != UNKNOWN_RUN_LOG);
        loaded.run_log = Some(url);
    }
    if may_name_a_run_log {
        loaded.run_log_is_unknown();
    }
    if loaded.pipelines.is_empty() && loaded.broken.is_empty() && loaded.problems.is_empty() && !sources.is_empty() {
        let help = "write `pipelines:` and a pipeline below it: a name, `schedule:` and `command:`";
        loaded.problems.push(Problem::error(None, "the configuration has no pipelines").with_help(help));
    }
    loaded
}

/// The text of a file, or why there is none.
fn read_file(path: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let message = format!("cannot read the file: {}", discover::reason(&error));
        return Err(discover::of_file(path, &message, &discover::how_to_read(path, &error)));
    }
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(discover::of_file(path, &message, "split it into several, or check that it is the right one"));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// Where a file stops being UTF-8.
fn not_utf8(path: &Path, bytes: &[u8], at: usize) -> Problem {
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let text = if is_utf16 { String::new() } else { String::from_utf8_lossy(bytes).into_owned() };
    let whole = text.len();
    let source = SourceText::new(path.display().to_string(), text);
    let place = source.place(at - (whole - source.text().len()));
    let message = if is_utf16 { "the file is UTF-16".into() } else { format!("line {} is not UTF-8", place.line) };
    Problem::error(Some(place), message).with_help("save the file as UTF-8")
}
