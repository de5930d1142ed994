//! When this host ticked last: a file in the state folder.
//!
//! Holds always: a file that cannot be read or written, or that is from the future, makes the gap unknown and nothing else.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

/// The file's name.
const FILE: &str = "last-tick";

/// Notes a tick at `now`; returns how long after the one before that is, none where that is not known.
pub fn replace(folder: &Path, now: Timestamp) -> Option<Duration> {
    let path = folder.join(FILE);
    let last = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<Timestamp>().ok());
    if let Err(error) = write(folder, &path, now) {
        tracing::debug!(file = %path.display(), %error, "the tick is not noted");
    }
    Duration::try_from(now.duration_since(last?)).ok()
}

fn write(folder: &Path, path: &Path, now: Timestamp) -> std::io::Result<()> {
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(format!("{now}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_what_lies_between_two_ticks() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(replace(&state, at("2026-01-01T00:00:00Z")), None);
        assert_eq!(replace(&state, at("2026-01-01T00:10:00Z")), Some(Duration::from_secs(600)));
        assert_eq!(replace(&state, at("2026-01-01T00:05:00Z")), None, "a clock that went back tells nothing");
        std::fs::write(state.join(FILE), "torn").unwrap();
        assert_eq!(replace(&state, at("2026-01-01T00:06:00Z")), None);
        assert_eq!(replace(Path::new("/proc/nowhere"), at("2026-01-01T00:06:00Z")), None);
    }
}
