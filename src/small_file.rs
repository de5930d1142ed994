//! Reads files that are small if they are what they should be: secrets, variables.
//!
//! Holds always: whatever stands in the place of the file, nobody waits for it, and no more than the bound is read.

use std::fs::OpenOptions;
use std::io::{self, Error, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;

/// The text of the file at `path`, which has `most` bytes at most.
///
/// # Errors
/// Those of the file system; `InvalidInput` for a pipe, a device or a folder; `FileTooLarge` for one that has more;
/// `InvalidData` for what is no UTF-8.
pub fn read(path: &Path, most: u64) -> io::Result<String> {
    // A pipe would be waited for until somebody opens its other end.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text)?;
    match text.len() as u64 > most {
        true => Err(Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes"))),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_small_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), "1234");
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "it has more than 3 bytes");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for other in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(read(other, 4).unwrap_err().to_string(), "it is no file", "{}", other.display());
        }
        assert_eq!(read(&folder.path().join("none"), 4).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
