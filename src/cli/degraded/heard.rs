//! Keeps which alerters have heard of an outage, while others have not: each is told until it has, and no longer.
//!
//! Holds always: what is kept of another outage counts for nothing; where it cannot be kept, all are told again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::runlog::spool::Folder;

const FILE: &str = "heard.json";

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    outage: String,
    alerters: BTreeSet<String>,
}

/// The names of those that have heard of it.
pub fn of(folder: &Folder, outage: &str) -> BTreeSet<String> {
    let bytes = folder.read(FILE).ok().flatten().unwrap_or_default();
    let heard: Heard = serde_json::from_slice(&bytes).unwrap_or_default();
    if heard.outage == outage { heard.alerters } else { BTreeSet::new() }
}

/// Notes that these have.
pub fn note(folder: &Folder, outage: &str, alerters: BTreeSet<String>) {
    let heard = Heard { outage: outage.to_owned(), alerters };
    let written = serde_json::to_vec(&heard).map_err(Into::into).and_then(|bytes| folder.put(FILE, &bytes));
    if let Err(error) = written {
        tracing::debug!(%error, "it is not noted who has heard of the outage");
    }
}
