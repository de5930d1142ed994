//! Reads what users type for an SQLite run-log: `sqlite:///abs/path`, `sqlite:rel/path` or a bare path.
//!
//! Holds always: a parameter that is not understood is refused by name.

use std::path::PathBuf;

use super::super::Error;

/// Where the file is and how it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The file.
    pub path: PathBuf,
    /// Use it on a network file system too.
    pub network_fs: bool,
}

impl Address {
    /// Reads `url`.
    ///
    /// # Errors
    /// `Address`, with what to write instead.
    pub fn parse(url: &str) -> Result<Address, Error> {
        let (path, parameters) = match url.strip_prefix("sqlite:") {
            None if url.contains("//") || url.trim() != url => {
                return Err(bad(
                    "the run-log's address is neither a known URL nor a path",
                    "write sqlite:///absolute/path or sqlite:relative/path",
                ));
            }
            None => (url, ""),
            Some(rest) => {
                let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
                (without_slashes(path)?, parameters)
            }
        };
        if path.is_empty() {
            return Err(bad(
                "the run-log's address names no file",
                "write sqlite:///absolute/path or sqlite:relative/path",
            ));
        }
        let mut address = Address { path: PathBuf::from(path), network_fs: false };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("network_fs", "allow")) => address.network_fs = true,
                _ => {
                    let name = parameter.split('=').next().unwrap_or_default();
                    let message =
                        format!("the run-log's address has a parameter `{name}` that SQLite does not take so");
                    return Err(bad(&message, "known is: network_fs=allow"));
                }
            }
        }
        Ok(address)
    }
}

/// `///abs` is `/abs`; `//host/…` is refused, since SQLite has no hosts.
fn without_slashes(path: &str) -> Result<&str, Error> {
    match path.strip_prefix("//") {
        None => Ok(path),
        Some(rest) if rest.starts_with('/') => Ok(rest),
        Some(_) => Err(bad(
            "an SQLite address has no host: two slashes are one too few or two too many",
            "write sqlite:///absolute/path or sqlite:relative/path",
        )),
    }
}

fn bad(message: &str, help: &str) -> Error {
    Error::Address { message: message.into(), help: help.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_documented() {
        for (url, path) in [
            ("sqlite:///var/lib/t.db", Some("/var/lib/t.db")),
            ("sqlite:state/t.db", Some("state/t.db")),
            ("sqlite:/var/t.db", Some("/var/t.db")),
            ("/var/t.db", Some("/var/t.db")),
            ("t.db", Some("t.db")),
            ("sqlite:///t.db?network_fs=allow", Some("/t.db")),
            (" postgres://u:p@h/d", None),
            ("mysql//u:p@h/d", None),
            ("sqlite://t.db", None),
            ("sqlite:", None),
            ("sqlite:t.db?mode=ro", None),
            ("sqlite:t.db?network_fs=yes", None),
        ] {
            let read = Address::parse(url).ok().map(|address| address.path);
            assert_eq!(read, path.map(PathBuf::from), "{url}");
        }
    }
}
