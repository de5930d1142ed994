//! Run-logs that are files on this host's disk: where they may lie, and what lies beside them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::Error;
use crate::failpoint::{self, Point};

/// `path` with `suffix` behind its name: a file that belongs to it.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the folder that is to have `path`, for its owner only, where it is not there; a folder in the place of the file
/// is said.
///
/// # Errors
/// `Unavailable`.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unavailable(path, "created", &error))?;
        failpoint::reached(Point::RunLogFolder);
    }
    if path.is_dir() {
        return Err(Error::Unavailable {
            message: format!("the run-log `{}` is a folder, not a file", path.display()),
            source: None,
        });
    }
    Ok(())
}

/// The error of a file that cannot be `what`, a participle.
pub fn unavailable(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::Unavailable { message: format!("the run-log `{}` cannot be {what}: {error}", path.display()), source: None }
}

/// Magic numbers of statfs(2) for file systems that live on another host.
const NETWORK: [(i64, &str); 8] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x5346_414f, "AFS"),
];

/// Refuses the run-log at `path` where `place`, the file or its folder, is on a network file system: the locks of `product`
/// do not hold there.
///
/// # Errors
/// `Refused`.
pub fn refuse_network_file_system(path: &Path, place: &Path, product: &str) -> Result<(), Error> {
    let Ok(status) = nix::sys::statfs::statfs(place) else { return Ok(()) };
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the type differs between targets")]
    let magic = status.filesystem_type().0 as i64;
    match NETWORK.iter().find(|(number, _)| *number == magic) {
        None => Ok(()),
        Some((_, name)) => Err(Error::Refused {
            message: format!(
                "the run-log `{}` is on a network file system ({name}), where {product}'s locks do not hold",
                path.display()
            ),
            help:
                "put it on a local disk, use a server or a bucket, or say `?network_fs=allow` if one host only uses it"
                    .into(),
        }),
    }
}
