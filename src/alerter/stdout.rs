//! `stdout://`: one line for people, on standard error.
//!
//! The name is the one that people know from elsewhere. The line goes to standard error because standard output is for
//! `run-due -o json`, which programs read; cron mails both, journald keeps both.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Address, Alerter, Error, OpenOptions, SendError};
use crate::alert::{Alert, escaped};

struct Stdout {
    name: String,
}

pub(super) fn open(name: &str, address: Address, _: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    address.only(&[])?;
    if !address.before_parameters.is_empty() {
        return Err(Error::new("`stdout` takes no address", "write stdout://"));
    }
    Ok(Arc::new(Stdout { name: name.into() }))
}

#[async_trait]
impl Alerter for Stdout {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, alert: &Alert) -> Result<(), SendError> {
        let line = line(alert) + "\n";
        let mut stderr = std::io::stderr().lock();
        // In one piece, so that lines of several ticks do not mix.
        let written = stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush());
        written
            .map_err(|error| SendError::Retriable { message: format!("standard error: {}", error.kind()), after: None })
    }
}

/// The line, without a newline.
fn line(alert: &Alert) -> String {
    let mut line = format!("alert: {}", alert.headline());
    if let Some(at) = alert.next_attempt_at {
        line += &format!("; next attempt at {at}");
    }
    for (word, value) in [("owner", &alert.owner), ("runbook", &alert.runbook)] {
        if !value.is_empty() {
            line += &format!("; {word}: {}", escaped(value));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Kind;

    #[test]
    fn the_line_says_what_to_do() {
        let at = "2026-01-01T02:00:00Z".parse().unwrap();
        let mut alert = Alert::new(Kind::Failed, "1", at);
        alert.pipeline = "etl".into();
        assert_eq!(line(&alert), "alert: failed: etl");
        (alert.owner, alert.runbook, alert.next_attempt_at) = ("data\n".into(), "https://w/etl".into(), Some(at));
        assert_eq!(
            line(&alert),
            "alert: failed: etl; next attempt at 2026-01-01T02:00:00Z; owner: data\\n; runbook: https://w/etl"
        );
    }
}
