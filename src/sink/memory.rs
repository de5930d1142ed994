//! `memory://`: the figures are kept in this process, for programs that use the library.
//!
//! What follows `memory://` is a name; sinks of one name share what they keep, and `recorded` gives it out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;

use super::{Error, RecordError, Sink};
use crate::metrics::Snapshot;

/// Figures that are kept, at most: a program that never looks does not grow without end.
const MOST: usize = 1_000;

type Kept = Arc<Mutex<Vec<Snapshot>>>;

/// Keeps what is recorded.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    name: String,
    kept: Kept,
}

impl MemorySink {
    /// What was recorded since, oldest first; of many, the last 1,000.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What sinks at `memory://NAME` have recorded in this process, oldest first; nothing where there was no such sink.
pub fn recorded(name: &str) -> Vec<Snapshot> {
    MemorySink { name: String::new(), kept: shared(name) }.snapshots()
}

fn shared(name: &str) -> Kept {
    static SHARED: OnceLock<Mutex<HashMap<String, Kept>>> = OnceLock::new();
    let mut all = SHARED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(name.to_owned()).or_default().clone()
}

pub(super) fn open(name: &str, rest: &str) -> Result<Arc<dyn Sink>, Error> {
    if rest.contains(['/', '?', '@']) {
        return Err(Error::new("`memory` takes a name and nothing else", "write memory:// or memory://NAME"));
    }
    Ok(Arc::new(MemorySink { name: name.into(), kept: shared(rest) }))
}

#[async_trait]
impl Sink for MemorySink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn record(&self, snapshot: &Snapshot) -> Result<(), RecordError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MOST {
            kept.remove(0);
        }
        kept.push(snapshot.clone());
        Ok(())
    }
}
