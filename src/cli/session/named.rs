//! Says which run-log a command uses, and what to call it.
//!
//! Flag beats environment beats file beats default.

use std::path::PathBuf;

use super::Session;
use crate::cli::print;
use crate::config::{self, Problem};
use crate::runlog::{self, Error};

impl Session {
    /// Whether no flag or variable names the run-log.
    fn is_run_log_of_file(&self) -> bool {
        let variables = ["TICKWARD_RUN_LOG_URL", "EMATIX_FLOW_RUN_LOG_URL"];
        let is_flag = self.run_log.no_run_log || self.run_log.run_log_url.is_some();
        !is_flag && variables.iter().all(|name| self.variables.get(name).is_none())
    }

    /// Whether nothing that needs the run-log can run by the configuration: nobody knows which it is.
    pub fn is_run_log_unknown(&self) -> bool {
        self.is_run_log_of_file() && self.loaded.is_run_log_unknown()
    }

    /// What is wrong with the address of the run-log, where it is that of a file. Nothing is opened or made.
    pub fn misnamed_run_log(&self) -> Option<Problem> {
        let url = self.loaded.run_log.as_ref().filter(|url| !url.expose().is_empty())?;
        self.of_address(&runlog::check_address(url.expose()).err()?)
    }

    /// The error as a mistake of the file that has the address of the run-log; none where it is none.
    pub(super) fn of_address(&self, error: &Error) -> Option<Problem> {
        let Error::Address { message, help } = error else { return None };
        let place = self.loaded.run_log_place.clone().filter(|_| self.is_run_log_of_file())?;
        let problem = Problem::error(Some(place), message);
        Some(if help.is_empty() { problem } else { problem.with_help(help) })
    }

    /// The run-log's URL; none where none is wanted.
    pub fn run_log_url(&self) -> Option<String> {
        // One that cannot be filled in is refused by who opens it.
        let given =
            |url: &str| Some(self.variables.fill(url).unwrap_or_else(|_| url.into())).filter(|url| !url.is_empty());
        if self.run_log.no_run_log {
            return None;
        }
        if let Some(url) = &self.run_log.run_log_url {
            return given(url);
        }
        if let Some(url) = self.variables.get("TICKWARD_RUN_LOG_URL") {
            return given(url);
        }
        if let Some(url) = self.variables.get("EMATIX_FLOW_RUN_LOG_URL") {
            if !url.is_empty() {
                let notice = "notice: EMATIX_FLOW_RUN_LOG_URL is used because TICKWARD_RUN_LOG_URL is not set";
                self.noticed.call_once(|| print::note(notice));
            }
            return given(url);
        }
        match &self.loaded.run_log {
            Some(secret) => Some(secret.expose().to_string()).filter(|url| !url.is_empty()),
            None => Some(self.state_folder().join("run_log.db").to_string_lossy().into_owned()),
        }
    }

    /// The run-log's URL as it may be shown; none where none is wanted.
    pub fn run_log_shown(&self) -> Option<String> {
        // All of it is an address: what stands behind a space belongs to it.
        let is_url = |url: &str| url.contains("://") || url.contains('?');
        self.run_log_url().map(|url| match is_url(&url) {
            true => config::secret::masked_url(&url),
            false => config::secret::masked(&url),
        })
    }

    /// The file of the run-log; none where it is no file.
    pub fn run_log_file(&self) -> Option<PathBuf> {
        let url = self.run_log_url()?;
        let path = match url.strip_prefix("sqlite:").or_else(|| url.strip_prefix("duckdb:")) {
            _ if is_memory(&url) => return None,
            Some(rest) => rest.split('?').next().unwrap_or(rest),
            None if url.contains("//") => return None,
            None => &url,
        };
        Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }

    /// The address of the run-log as it may be shown, where that is on a server.
    pub fn run_log_server(&self) -> Option<String> {
        let is_server = self.run_log_file().is_none();
        self.run_log_shown().filter(|url| is_server && !is_memory(url)).map(|url| format!("`{url}`"))
    }
}

/// Whether a run-log is gone with its process.
pub fn is_memory(url: &str) -> bool {
    url.starts_with("memory:") || url.starts_with("duckdb://:memory:")
}
