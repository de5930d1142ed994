//! Reads what users type for a DuckDB run-log: `duckdb:///abs/path`, `duckdb:rel/path` or `duckdb://:memory:`.
//!
//! Holds always: a parameter that is not understood is refused by name.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Error;

/// Where the database is, and how it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The file; none where it is in memory.
    pub path: Option<PathBuf>,
    /// Use it on a network file system too.
    pub network_fs: bool,
    /// How long to wait for a turn.
    pub patience: Duration,
}

/// How long a turn is waited for that nobody has said anything of.
const PATIENCE: Duration = Duration::from_secs(20);

impl Address {
    /// Reads `url`.
    ///
    /// # Errors
    /// `Address`, with what to write instead.
    pub fn parse(url: &str) -> Result<Address, Error> {
        let rest = url.strip_prefix("duckdb:").unwrap_or(url);
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match path.strip_prefix("//") {
            Some(":memory:") => None,
            Some(rest) if !rest.starts_with('/') => {
                return Err(bad("a DuckDB address has no host: two slashes are one too few or two too many", FORMS));
            }
            Some("") => return Err(bad("the run-log's address names no file", FORMS)),
            Some(rest) => Some(rest),
            None if path.is_empty() || path.ends_with('/') => {
                return Err(bad("the run-log's address names no file", FORMS));
            }
            None => Some(path),
        };
        let mut address = Address { path: path.map(PathBuf::from), network_fs: false, patience: PATIENCE };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name, value) {
                ("network_fs", "allow") => address.network_fs = true,
                ("connect_timeout", value) => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=600).contains(seconds));
                    let bad = || bad("the run-log's address: `connect_timeout` takes whole seconds from 1 to 600", "");
                    address.patience = Duration::from_secs(seconds.ok_or_else(bad)?);
                }
                _ => {
                    let message =
                        format!("the run-log's address has a parameter `{name}` that DuckDB does not take so");
                    return Err(bad(&message, "known are: connect_timeout=SECONDS, network_fs=allow"));
                }
            }
        }
        Ok(address)
    }
}

const FORMS: &str = "write duckdb:///absolute/path, duckdb:relative/path or duckdb://:memory:";

fn bad(message: &str, help: &str) -> Error {
    Error::Address { message: message.into(), help: help.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_documented() {
        for (url, wanted) in [
            ("duckdb:///var/lib/t.duckdb", Some((Some("/var/lib/t.duckdb"), false, 20))),
            ("duckdb:/var/t.duckdb", Some((Some("/var/t.duckdb"), false, 20))),
            ("duckdb:state/t.duckdb", Some((Some("state/t.duckdb"), false, 20))),
            ("duckdb:t.duckdb?network_fs=allow&connect_timeout=3", Some((Some("t.duckdb"), true, 3))),
            ("duckdb://:memory:", Some((None, false, 20))),
            ("duckdb://t.duckdb", None),
            ("duckdb://host/t.duckdb", None),
            ("duckdb:", None),
            ("duckdb://", None),
            ("duckdb:folder/", None),
            ("duckdb:t.duckdb?network_fs=yes", None),
            ("duckdb:t.duckdb?connect_timeout=0", None),
            ("duckdb:t.duckdb?threads=3", None),
        ] {
            let read = Address::parse(url).ok();
            let read = read.map(|address| (address.path, address.network_fs, address.patience.as_secs()));
            assert_eq!(read, wanted.map(|(path, network, secs)| (path.map(PathBuf::from), network, secs)), "{url}");
        }
    }
}
