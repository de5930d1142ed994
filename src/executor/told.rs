//! What a body has told of itself besides its exit code: a JSON object, files of rejects, a spool of figures.
//!
//! Read by the tick once the body has ended, on a thread of its own and for 5 s at most: a file system that hangs holds up
//! no lease. What it means for the outcome is for `surround`.
//!
//! Holds always: only plain files are read, never through a link in the last place, and with `user` only that user's; what
//! is kept is bounded; a value that may be a URL with a password is masked.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use serde_json::{Map, Value};

use super::pattern;
use crate::config::secret::masked;
use crate::pipeline::Results;

/// All that is kept of results, as JSON.
const KEPT_BYTES: usize = 4096;
/// The longest text among them, in characters.
const TEXT_CHARS: usize = 200;
/// How much of a file is read.
const FILE_BYTES: u64 = 64 * 1024;
/// How many files of a spool are read, the newest.
const SPOOL_FILES: usize = 16;
/// How much of the first file of rejects is told.
const FIRST_LINES: usize = 3;
const FIRST_CHARS: usize = 400;
/// How many places of the output an object is looked for at.
const TRIES: usize = 2000;
/// File systems date files by a clock that lags behind by a tick of the kernel.
const LAG: Duration = Duration::from_millis(20);
/// How long all this may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a body told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How it says that it ended; none where it says nothing that is understood.
    pub status: Option<Status>,
    /// Figures and short texts, 4 KiB of JSON at most; empty where there are none.
    pub values: Map<String, Value>,
    /// Which rejects it left, in words; none where it left none.
    pub rejects: Option<String>,
    /// What went wrong around it without changing the outcome: hooks that failed, results that could not be read.
    pub notes: Vec<String>,
}

/// What `status` in the results says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `success`, `succeeded`, `ok`.
    Success,
    /// `partial`, `partial_success`.
    Partial,
    /// `failed`, `failure`, `error`.
    Failed,
}

/// Where to look for what a body told.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    pub(super) results: Results,
    pub(super) result_file: Option<PathBuf>,
    pub(super) cwd: Option<PathBuf>,
    /// Whose files count; none for anybody's.
    pub(super) user: Option<String>,
    /// When the body was started.
    pub(super) since: Timestamp,
    /// What it printed.
    pub(super) printed: Vec<u8>,
}

/// Looks, for as long as `PATIENCE`.
pub(super) async fn look(looking: Looking) -> Told {
    let (answer, told) = tokio::sync::oneshot::channel();
    // Not `spawn_blocking`: the end of the tick would wait for it.
    let begun = std::thread::Builder::new().spawn(move || drop(answer.send(looking.read())));
    let failed = |why: &str| Told { notes: vec![format!("its results could not be read: {why}")], ..Told::default() };
    match begun {
        Err(error) => failed(&error.to_string()),
        Ok(_) => match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => failed("a mistake in tickward"),
            Err(_) => failed(&format!("it took longer than {} s", PATIENCE.as_secs())),
        },
    }
}

impl Looking {
    fn read(&self) -> Told {
        let mut told = Told::default();
        if self.results.json {
            let given = self.result_file.as_deref().and_then(|path| self.text_of(path));
            let object = match given.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                None => last_object(&String::from_utf8_lossy(&self.printed)),
                Some(text) => match serde_json::from_str(text) {
                    Ok(Value::Object(object)) => Some(object),
                    _ => {
                        told.notes.push("the file of TICKWARD_RESULT_FILE holds no JSON object".into());
                        None
                    }
                },
            };
            if let Some(object) = object {
                told.status = object.get("status").and_then(Value::as_str).and_then(status_of);
                keep(&object, &mut told.values);
            }
        }
        if let Some(spool) = &self.results.spool {
            let new = self.new_files(spool, &mut told.notes);
            for (path, _) in &new[new.len().saturating_sub(SPOOL_FILES)..] {
                if let Some(Value::Object(object)) =
                    self.text_of(path).and_then(|text| serde_json::from_str(&text).ok())
                {
                    keep(&numbers(object), &mut told.values);
                }
            }
        }
        if let Some(dlq) = &self.results.dlq {
            let new = self.new_files(dlq, &mut told.notes);
            self.rejects(&new, &mut told);
        }
        told
    }

    /// The files of a pattern that are not empty and were written since the start, oldest first.
    fn new_files(&self, pattern: &str, notes: &mut Vec<String>) -> Vec<(PathBuf, Metadata)> {
        let since = self.since.as_nanosecond() - LAG.as_nanos() as i128;
        let written = |data: &Metadata| i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
        let found = pattern::files(self.cwd.as_deref().unwrap_or(Path::new(".")), pattern);
        if found.is_cut {
            notes.push(format!("`{pattern}` has more files than are looked at"));
        }
        let with_data = found.files.into_iter().filter_map(|path| {
            let data = path.symlink_metadata().ok()?;
            Some((path, data))
        });
        let mut new: Vec<_> = with_data
            .filter(|(_, data)| data.is_file() && data.len() > 0 && self.counts(data) && written(data) >= since)
            .collect();
        new.sort_by_key(|(path, data)| (written(data), path.clone()));
        new
    }

    /// Whether a file is of the right owner.
    fn counts(&self, data: &Metadata) -> bool {
        let Some(user) = &self.user else { return true };
        let uid = user.parse().ok().or_else(|| Some(nix::unistd::User::from_name(user).ok()??.uid.as_raw()));
        uid == Some(data.uid())
    }

    fn text_of(&self, path: &Path) -> Option<String> {
        let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path).ok()?;
        let data = file.metadata().ok()?;
        (data.is_file() && self.counts(&data)).then(|| read_start(file)).flatten()
    }

    fn rejects(&self, new: &[(PathBuf, Metadata)], told: &mut Told) {
        let Some((first, _)) = new.first() else { return };
        let bytes: u64 = new.iter().map(|(_, data)| data.len()).sum();
        told.values.insert("dlq_files".into(), new.len().into());
        told.values.insert("dlq_bytes".into(), bytes.into());
        let text = self.text_of(first).unwrap_or_default();
        let lines: Vec<_> = text.lines().take(FIRST_LINES).map(|line| line.escape_debug().to_string()).collect();
        let lines: String = masked(&lines.join(" | ")).chars().take(FIRST_CHARS).collect();
        let name = first.file_name().unwrap_or_default().to_string_lossy().escape_debug().to_string();
        let files = if new.len() == 1 { "1 file".into() } else { format!("{} files", new.len()) };
        told.rejects = Some(format!("{files} of rejects, {bytes} bytes; `{name}` begins: {lines}"));
    }
}

fn read_start(file: File) -> Option<String> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last JSON object that starts a line of a text, whether it is one line or several.
fn last_object(text: &str) -> Option<Map<String, Value>> {
    let starts = text.match_indices('{').map(|(at, _)| at).filter(|at| *at == 0 || text[..*at].ends_with('\n'));
    let starts: Vec<usize> = starts.collect();
    starts.into_iter().rev().take(TRIES).find_map(|at| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Object(object))) => Some(object),
            _ => None,
        }
    })
}

fn status_of(word: &str) -> Option<Status> {
    match word.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "ok" => Some(Status::Success),
        "partial" | "partial_success" => Some(Status::Partial),
        "failed" | "failure" | "error" => Some(Status::Failed),
        _ => None,
    }
}

fn numbers(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().filter(|(_, value)| value.is_number() || value.is_object()).collect()
}

/// Keeps figures, truth values and short texts, and the figures of objects one deeper as `outer.inner`.
fn keep(object: &Map<String, Value>, kept: &mut Map<String, Value>) {
    for (name, value) in object {
        match value {
            Value::Number(_) | Value::Bool(_) => put(kept, name.clone(), value.clone()),
            Value::String(text) if text.chars().count() <= TEXT_CHARS => {
                let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
                put(kept, name.clone(), masked(&text).into());
            }
            Value::Object(inner) => {
                for (deeper, value) in inner.iter().filter(|(_, value)| value.is_number()) {
                    put(kept, format!("{name}.{deeper}"), value.clone());
                }
            }
            _ => {}
        }
    }
}

fn put(kept: &mut Map<String, Value>, name: String, value: Value) {
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let before = kept.insert(name.clone(), value);
    // What the tick adds itself has its place too.
    if serde_json::to_string(kept).map_or(usize::MAX, |text| text.len()) > KEPT_BYTES - 80 {
        match before {
            Some(before) => kept.insert(name, before),
            None => kept.shift_remove(&name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_last_object_of_a_text_counts_on_one_line_or_several() {
        for (text, found) in [
            ("", None),
            ("no\n[1]\n", None),
            ("{\"a\": 1}\n", Some("{\"a\":1}")),
            ("{\"a\": 1}\nlog\n{\"a\": 2}\nbye\n", Some("{\"a\":2}")),
            ("{\n  \"a\": {\n    \"b\": 3\n  }\n}\nDone\n", Some("{\"a\":{\"b\":3}}")),
            ("{\"a\": 1}\n{ broken\n", Some("{\"a\":1}")),
            ("log {\"a\": 1}\n", None),
        ] {
            assert_eq!(last_object(text), found.map(object), "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_short_flat_bounded_and_masked() {
        let mut kept = Map::new();
        let long = "x".repeat(201);
        let all = format!(
            r#"{{"rows": 3, "ok": true, "url": "postgres://u:hunter2@h/d", "long": "{long}", "list": [1], "in": {{"n": 1.5, "t": "x"}}, "c\u0007": "\u001b[31m"}}"#
        );
        keep(&object(&all), &mut kept);
        let expected =
            "{\"rows\":3,\"ok\":true,\"url\":\"postgres://u:***@h/d\",\"in.n\":1.5,\"c\u{fffd}\":\"\u{fffd}[31m\"}";
        assert_eq!(serde_json::to_string(&kept).unwrap(), expected);
        let many = (0..1000).map(|n| (format!("figure_{n}"), n.into())).collect();
        keep(&many, &mut kept);
        assert!((3900..=KEPT_BYTES).contains(&serde_json::to_string(&kept).unwrap().len()));
    }
}
