//! `textfile:///path/tickward.prom`: a file for node_exporter's textfile collector.
//!
//! Holds always: whoever reads the file finds the whole of one tick or of the one before, also after a power cut; everybody may
//! read it (0644); what a killed tick has left beside it is cleared away by a later one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Error, RecordError, Sink};
use crate::metrics::{Snapshot, prometheus};

/// After how long a file that was never finished is a dead tick's.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

struct Textfile {
    name: String,
    path: PathBuf,
}

pub(super) fn open(name: &str, rest: &str) -> Result<Arc<dyn Sink>, Error> {
    let help = "write textfile:///absolute/path/tickward.prom";
    let path = PathBuf::from(rest);
    if !path.is_absolute() {
        return Err(Error::new("`textfile` needs an absolute path after its two slashes", help));
    }
    if rest.contains('?') {
        return Err(Error::new("`textfile` takes no parameters", help));
    }
    if rest.ends_with('/') || path.is_dir() || path.file_name().is_none() {
        return Err(Error::new(&folder(&path), "name a file in it, for example tickward.prom"));
    }
    Ok(Arc::new(Textfile { name: name.into(), path }))
}

fn folder(path: &Path) -> String {
    format!("`{}` is a folder, and metrics go into a file", path.display())
}

#[async_trait]
impl Sink for Textfile {
    fn name(&self) -> &str {
        &self.name
    }

    async fn record(&self, snapshot: &Snapshot) -> Result<(), RecordError> {
        let (path, text, at) = (self.path.clone(), prometheus(snapshot), snapshot.at);
        let written = tokio::task::spawn_blocking(move || write(&path, &text, at)).await;
        written.unwrap_or_else(|_| Err(RecordError("the writing has failed".into())))
    }
}

fn write(path: &Path, text: &str, now: Timestamp) -> Result<(), RecordError> {
    if path.is_dir() {
        return Err(RecordError(folder(path)));
    }
    // It is replaced, not written to: a device or a pipe would be gone.
    if path.metadata().is_ok_and(|data| !data.is_file()) {
        return Err(RecordError(format!("`{}` is no file", path.display())));
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => RecordError(format!("cannot write `{}`: its folder is not there", path.display())),
        kind => RecordError(format!("cannot write `{}`: {kind}", path.display())),
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(RecordError(folder(path)));
    };
    // node_exporter reads `*.prom` only, so it never sees this one.
    let prefix = format!(".{}.", name.to_string_lossy());
    clear(parent, &prefix, now);
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|_| RecordError("the system has no random numbers".into()))?;
    let beside = parent.join(format!("{prefix}{:016x}.tmp", u64::from_ne_bytes(random)));
    let replaced = replace(&beside, path, text).and_then(|()| File::open(parent)?.sync_all());
    if replaced.is_err() {
        let _ = fs::remove_file(&beside);
    }
    replaced.map_err(failed)
}

fn replace(beside: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(beside)?;
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}

/// Removes what ticks that were killed have left. What cannot be removed stays.
fn clear(folder: &Path, prefix: &str, now: Timestamp) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours =
            name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".tmp")).is_some_and(|rest| rest.len() == 16);
        let age = || {
            let modified = Timestamp::try_from(entry.metadata().ok()?.modified().ok()?).ok()?;
            Duration::try_from(now.duration_since(modified)).ok()
        };
        if is_ours && age().is_some_and(|age| age > LEFT_BEHIND) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
