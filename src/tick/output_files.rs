//! Where the output of attempts is kept on this host, and for how long.
//!
//! One folder a pipeline, one file an attempt. What is kept is decided by age, count and bytes, newest first.
//!
//! Holds always: the newest file of a pipeline stays; a file that cannot be removed stops nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::env::{Env, Host};
use crate::occurrence::{PipelineId, compact};
use crate::run::Attempt;

/// How much output of one pipeline is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// At most so many files.
    pub count: usize,
    /// None that was last written by so much earlier than the newest.
    pub age: Duration,
    /// At most so much in all.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Keep { count: 100, age: Duration::from_secs(30 * 86_400), bytes: 256 << 20 }
    }
}

/// A file of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Where.
    pub path: PathBuf,
    /// When it was last written.
    pub written_at: Timestamp,
    /// How large it is.
    pub bytes: u64,
}

/// The folder below `folder` that keeps the output of a pipeline.
pub fn output_folder(folder: &Path, id: &PipelineId) -> PathBuf {
    folder.join(id.namespace.encoded()).join(id.name.encoded())
}

/// The file below `folder` that keeps the output of an attempt on the host that ran it. Its token tells it from what has the same
/// name, instant and number by another run-log.
pub fn output_file(folder: &Path, attempt: &Attempt) -> PathBuf {
    let file = format!("{}.{}.{}.log", compact(attempt.run.scheduled_for), attempt.number, attempt.token);
    output_folder(folder, &attempt.run.pipeline).join(file)
}

/// The file that keeps the output of an attempt, if one does: one that ran beside another host's has had another number since, and
/// versions before this one had no token in the name.
pub fn find_output(folder: &Path, attempt: &Attempt) -> Option<PathBuf> {
    let path = output_file(folder, attempt);
    if path.exists() {
        return Some(path);
    }
    let of_token = format!(".{}.log", attempt.token);
    let entries = std::fs::read_dir(path.parent()?).ok()?.flatten();
    let mut paths = entries.map(|entry| entry.path());
    let is_its = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&of_token));
    paths.find(is_its).or_else(|| former_output(folder, attempt))
}

/// A file of the name without a token; none that holds more than the attempt has printed.
fn former_output(folder: &Path, attempt: &Attempt) -> Option<PathBuf> {
    let file = format!("{}.{}.log", compact(attempt.run.scheduled_for), attempt.number);
    let path = output_folder(folder, &attempt.run.pipeline).join(file);
    let printed = attempt.end.as_ref()?.output_bytes;
    path.metadata().ok().filter(|data| data.len() <= printed).map(|_| path)
}

/// Removes what is beyond `keep` in the folder of one pipeline.
pub fn prune(host: &dyn Host, folder: &Path, keep: Keep) {
    for file in beyond(keep, host.output_files(folder)) {
        host.remove_output(&file.path);
    }
}

fn beyond(keep: Keep, mut files: Vec<OutputFile>) -> Vec<OutputFile> {
    files.sort_by(|a, b| (b.written_at, &b.path).cmp(&(a.written_at, &a.path)));
    let newest = files.first().map_or(Timestamp::MIN, |file| file.written_at);
    let mut bytes = 0_u64;
    let place = files.iter().enumerate().position(|(place, file)| {
        bytes = bytes.saturating_add(file.bytes);
        let old = Duration::try_from(newest.duration_since(file.written_at)).is_ok_and(|age| age > keep.age);
        place > 0 && (place >= keep.count || bytes > keep.bytes || old)
    });
    files.split_off(place.unwrap_or(files.len()))
}

/// Removes old output of the pipelines that have run.
pub fn prune_all(env: &Env, ended: &[Attempt], keep: Keep) {
    let Some(folder) = &env.output else { return };
    let ran: BTreeSet<_> = ended.iter().map(|attempt| &attempt.run.pipeline).collect();
    for id in ran {
        prune(&*env.host, &output_folder(folder, id), keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_as_far_as_age_count_and_bytes_allow() {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let file = |days: i64, bytes| OutputFile {
            path: format!("{days}").into(),
            written_at: now.checked_sub(jiff::SignedDuration::from_hours(24 * days)).unwrap(),
            bytes,
        };
        let day = Duration::from_secs(86_400);
        for (what, keep, files, gone) in [
            ("all fit", Keep { count: 9, age: day * 9, bytes: 99 }, vec![(1, 10), (2, 10)], vec![]),
            ("count", Keep { count: 2, age: day * 9, bytes: 99 }, vec![(3, 1), (1, 1), (2, 1)], vec!["3"]),
            ("age", Keep { count: 9, age: day * 2, bytes: 99 }, vec![(1, 1), (3, 1), (4, 1)], vec!["4"]),
            ("bytes", Keep { count: 9, age: day * 9, bytes: 15 }, vec![(1, 10), (2, 10), (3, 1)], vec!["2", "3"]),
            ("the newest stays", Keep { count: 0, age: day, bytes: 1 }, vec![(5, 10)], vec![]),
        ] {
            let files = files.into_iter().map(|(days, bytes)| file(days, bytes)).collect();
            let names: Vec<_> = beyond(keep, files).into_iter().map(|f| f.path.display().to_string()).collect();
            assert_eq!(names, gone, "{what}");
        }
    }
}
