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
    let text = format!("{now:.6}\n");
    // In place: a file that is cut to nothing first has its blocks given back and taken anew at every tick.
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    let length = text.len() as u64;
    if file.metadata()?.len() != length { file.set_len(length) } else { Ok(()) }
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
        for torn in ["torn", "torn, and longer than the time of a tick ever is"] {
            std::fs::write(state.join(FILE), torn).unwrap();
            assert_eq!(replace(&state, at("2026-01-01T00:06:00Z")), None);
            assert_eq!(std::fs::read_to_string(state.join(FILE)).unwrap(), "2026-01-01T00:06:00.000000Z\n");
        }
        assert_eq!(replace(Path::new("/proc/nowhere"), at("2026-01-01T00:06:00Z")), None);
    }
}
