//! Keeps what a body prints: both ends in memory, a capped file on disk, the exact count of bytes.
//!
//! The file takes the output as it comes up to its limit. When there was more, its end is replaced by a line that says so
//! and by the last bytes, so that both ends are on disk. Reading the pipe is for `body`.
//!
//! Holds always: memory is bounded whatever comes; the file is never larger than its limit; a disk that refuses is noted
//! and stops nothing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::told::Told;
use crate::failpoint::{self, Point};

const HEAD_BYTES: usize = 16 * 1024;
const TAIL_BYTES: usize = 64 * 1024;

/// What a body printed to its standard output and error, in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// How much it was.
    pub bytes: u64,
    /// Whether the file lacks a part of it; never set where no file was asked for.
    pub truncated: bool,
    /// Why the file lacks something other than by its limit, or what else went wrong; in words.
    pub note: Option<String>,
    /// The first 16 KiB.
    pub head: Vec<u8>,
    /// The last 64 KiB of what came after the head.
    pub tail: Vec<u8>,
    /// What it told of itself besides; nothing where nobody asked.
    pub told: Told,
}

impl Output {
    /// How many bytes between head and tail are in neither.
    pub fn left_out_bytes(&self) -> u64 {
        self.bytes - self.head.len() as u64 - self.tail.len() as u64
    }
}

/// Takes what a body prints.
pub(super) struct Capture {
    bytes: u64,
    head: Vec<u8>,
    tail: Tail,
    file: CappedFile,
}

impl Capture {
    /// Captures into memory and, if there is a path, into a file of at most `limit_bytes`.
    pub(super) fn new(path: Option<PathBuf>, limit_bytes: u64) -> Capture {
        let target = path.map_or(Target::Nowhere, Target::Unopened);
        let file = CappedFile { target, limit_bytes, written: 0, note: None };
        Capture { bytes: 0, head: Vec::new(), tail: Tail::default(), file }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.file.push(chunk);
        let (head, rest) = chunk.split_at(chunk.len().min(HEAD_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.push(rest);
    }

    /// Completes the file and returns what was kept.
    pub(super) fn finish(&mut self) -> Output {
        let (head, tail) = (std::mem::take(&mut self.head), std::mem::take(&mut self.tail).into_bytes());
        let truncated = self.file.finish(self.bytes, &head, &tail);
        Output { bytes: self.bytes, truncated, note: self.file.note.take(), head, tail, told: Told::default() }
    }
}

/// The last bytes of a stream: a ring that grows up to its limit.
#[derive(Default)]
struct Tail {
    ring: Vec<u8>,
    oldest: usize,
}

impl Tail {
    fn push(&mut self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(TAIL_BYTES)..];
        let (grow, wrap) = chunk.split_at(chunk.len().min(TAIL_BYTES - self.ring.len()));
        self.ring.extend_from_slice(grow);
        let (to_end, from_start) = wrap.split_at(wrap.len().min(self.ring.len() - self.oldest));
        self.ring[self.oldest..self.oldest + to_end.len()].copy_from_slice(to_end);
        self.ring[..from_start.len()].copy_from_slice(from_start);
        if !wrap.is_empty() {
            self.oldest = (self.oldest + wrap.len()) % TAIL_BYTES;
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.ring.rotate_left(self.oldest);
        self.ring
    }
}

enum Target {
    Nowhere,
    Unopened(PathBuf),
    Open(File, PathBuf),
    Failed,
}

struct CappedFile {
    target: Target,
    limit_bytes: u64,
    written: u64,
    note: Option<String>,
}

impl CappedFile {
    fn push(&mut self, chunk: &[u8]) {
        if let Target::Unopened(path) = &self.target {
            let path = path.clone();
            failpoint::reached(Point::OutputWanted);
            let created = create(&path);
            failpoint::reached(Point::OutputMade);
            match created {
                Ok(file) => self.target = Target::Open(file, path),
                Err(error) => self.fail(&path, &error),
            }
        }
        let Target::Open(file, path) = &mut self.target else { return };
        let room = usize::try_from(self.limit_bytes - self.written).unwrap_or(usize::MAX);
        let fits = &chunk[..chunk.len().min(room)];
        match file.write_all(fits) {
            Ok(()) => self.written += fits.len() as u64,
            Err(error) => {
                let path = path.clone();
                self.fail(&path, &error);
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        self.note = Some(format!("output file `{}` is incomplete: {error}", path.display()));
        self.target = Target::Failed;
    }

    /// Puts the end of a stream that did not fit over the end of the file; returns whether the file lacks something.
    fn finish(&mut self, bytes: u64, head: &[u8], tail: &[u8]) -> bool {
        match &mut self.target {
            Target::Nowhere | Target::Unopened(_) => false,
            Target::Failed => true,
            Target::Open(..) if bytes <= self.limit_bytes => false,
            Target::Open(file, path) => {
                if let Err(error) = replace_end(file, self.limit_bytes, bytes, head, tail) {
                    let path = path.clone();
                    self.fail(&path, &error);
                }
                true
            }
        }
    }
}

/// Rewrites the end of a full file of `limit` bytes as a line about what is missing and the last bytes of the stream.
fn replace_end(file: &mut File, limit: u64, bytes: u64, head: &[u8], tail: &[u8]) -> io::Result<()> {
    // A short stream's end may lie in the head.
    let joined;
    let last = if tail.len() < TAIL_BYTES {
        joined = [head, tail].concat();
        &joined[..]
    } else {
        tail
    };
    let last = &last[last.len().saturating_sub(usize::try_from(limit / 2).unwrap_or(usize::MAX))..];
    let longest = note_line(u64::MAX).len() as u64;
    let Some(keep) = limit.checked_sub(longest + last.len() as u64) else { return Ok(()) };
    let note = note_line(bytes - keep - last.len() as u64);
    failpoint::reached(Point::OutputFull);
    file.set_len(keep)?;
    failpoint::reached(Point::OutputCut);
    file.seek(SeekFrom::Start(keep))?;
    file.write_all(note.as_bytes())?;
    file.write_all(last)?;
    failpoint::reached(Point::OutputEnded);
    Ok(())
}

fn note_line(left_out: u64) -> String {
    format!("\n[tickward: {left_out} bytes of output left out here]\n")
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        failpoint::reached(Point::OutputFolder);
    }
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn both_ends_are_kept_and_all_is_counted() {
        const H: usize = HEAD_BYTES;
        const T: usize = TAIL_BYTES;
        //   total            chunk   head  tail
        for (total, chunk, head, tail) in [
            (0, 1, 0, 0),
            (1, 1, 1, 0),
            (H, 7, H, 0),
            (H + 1, 64, H, 1),
            (H + T, T, H, T),
            (H + T, 1000, H, T),
            (H + T + 1, 1000, H, T),
            (H + T + 1, T * 2, H, T),
            (H + 3 * T + 17, 65536, H, T),
            (H + 5 * T + 3, 4096 + 13, H, T),
        ] {
            let all = numbered(total);
            let mut capture = Capture::new(None, 0);
            all.chunks(chunk).for_each(|chunk| capture.push(chunk));
            let output = capture.finish();
            let row = format!("{total} bytes by {chunk}");
            assert_eq!(output.bytes, total as u64, "{row}");
            assert!(output.head == all[..head], "{row}: head");
            assert!(output.tail == all[total - tail..], "{row}: tail");
            assert_eq!(output.left_out_bytes(), (total - head - tail) as u64, "{row}");
            assert_eq!((output.truncated, output.note), (false, None), "{row}");
        }
    }

    #[test]
    fn the_file_never_exceeds_its_limit_and_has_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        //   total      limit       truncated
        for (total, limit, truncated) in [
            (1, 1, false),
            (1000, 1000, false),
            (1001, 1000, true),
            (100_000, 1000, true),
            (1_000_000, 300_000, true),
            (1_000_000, 10, true),
            (10, 0, true),
            (300_000, 299_999, true),
        ] {
            let row = format!("{total} bytes into {limit}");
            let all = numbered(total);
            let path = folder.path().join(format!("a/b/{total}-{limit}"));
            let mut capture = Capture::new(Some(path.clone()), limit);
            all.chunks(5000).for_each(|chunk| capture.push(chunk));
            let output = capture.finish();
            let file = std::fs::read(&path).unwrap();
            assert_eq!((output.truncated, output.note), (truncated, None), "{row}");
            assert!(file.len() as u64 <= limit, "{row}: {}", file.len());
            if !truncated {
                assert!(file == all, "{row}");
            } else if limit >= 1000 {
                let at = file.windows(12).position(|w| w == b"\n[tickward: ").expect(&row);
                let end = at + 1 + file[at + 1..].iter().position(|b| *b == b'\n').expect(&row) + 1;
                assert!(file[..at] == all[..at], "{row}: first part");
                assert!(file[end..] == all[total - (file.len() - end)..], "{row}: last part");
                let said = String::from_utf8_lossy(&file[at..end]).into_owned();
                let missing = total - at - (file.len() - end);
                assert!(said.contains(&format!(" {missing} bytes")), "{row}: {said}");
            }
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&folder.path().join("a"))), (0o600, 0o700), "{row}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_noted_and_stops_nothing() {
        for path in ["/dev/null/x", "/dev/full", "/proc/nothing/here"] {
            let mut capture = Capture::new(Some(path.into()), 100);
            capture.push(b"hello ");
            capture.push(b"world");
            let output = capture.finish();
            assert_eq!((output.bytes, &output.head[..]), (11, &b"hello world"[..]), "{path}");
            assert!(output.truncated, "{path}");
            assert!(output.note.as_ref().is_some_and(|note| note.contains(path)), "{path}: {:?}", output.note);
        }
    }

    #[test]
    fn nothing_printed_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none");
        assert_eq!(Capture::new(Some(path.clone()), 100).finish(), Output::default());
        assert!(!path.exists());
    }
}
