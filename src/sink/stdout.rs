//! `stdout://`: the figures as Prometheus' text, on standard error, for looking at them.
//!
//! Standard output is for `run-due -o json`, which programs read.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, RecordError, Sink, only_scheme};
use crate::metrics::{Snapshot, prometheus};

struct Stdout(String);

pub(super) fn open(name: &str, rest: &str) -> Result<Arc<dyn Sink>, Error> {
    only_scheme("stdout", rest)?;
    Ok(Arc::new(Stdout(name.into())))
}

#[async_trait]
impl Sink for Stdout {
    fn name(&self) -> &str {
        &self.0
    }

    async fn record(&self, snapshot: &Snapshot) -> Result<(), RecordError> {
        let mut stderr = std::io::stderr().lock();
        let written = stderr.write_all(prometheus(snapshot).as_bytes()).and_then(|()| stderr.flush());
        written.map_err(|error| RecordError(format!("standard error: {}", error.kind())))
    }
}
