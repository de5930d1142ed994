//! One line or file of a spool: an attempt that was made on its host alone, or an outcome that the run-log did not take.

use serde::{Deserialize, Serialize};

use crate::occurrence::compact;
use crate::run::{Attempt, Completion};
use crate::runlog::import::Spooled;

/// What is kept of something that the run-log does not know yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tickward_spool", rename_all = "snake_case")]
pub enum Stored {
    /// An attempt that was claimed on its host alone.
    Attempt {
        /// The attempt.
        #[serde(flatten)]
        spooled: Box<Spooled>,
        /// The outage in which it was claimed; empty where there was no disk to tell.
        #[serde(default)]
        outage: String,
    },
    /// The end of an attempt that was claimed in the run-log.
    End {
        /// The run, for people.
        run: String,
        /// How it ended.
        completion: Box<Completion>,
    },
}

impl Stored {
    /// As one line of JSON, without the end of the line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Why no tick can have written it, where that is so.
    pub fn flaw(&self) -> Option<String> {
        match self {
            Stored::Attempt { spooled, .. } => spooled.flaw(),
            Stored::End { .. } => None,
        }
    }

    /// The run that it is about, for people.
    pub fn run(&self) -> String {
        match self {
            Stored::Attempt { spooled, .. } => spooled.attempt.run.id(),
            Stored::End { run, .. } => run.clone(),
        }
    }

    /// Reads what `line` wrote; none where it is something else, or of a newer program. Bytes that are no UTF-8 are replaced where the
    /// text is for people; a name or a token with one is none.
    pub fn parse(text: &[u8]) -> Option<Stored> {
        match std::str::from_utf8(text) {
            Ok(text) => serde_json::from_str(text).ok(),
            Err(_) => serde_json::from_str(&String::from_utf8_lossy(text)).ok(),
        }
    }
}

/// The longest part of a file's name that is taken from a name.
const LONGEST: usize = 80;

/// The name of the file that is the claim: one for each attempt.
pub fn file_of(attempt: &Attempt) -> String {
    let id = &attempt.run.pipeline;
    let [namespace, name] = [&id.namespace, &id.name].map(|name| short(&name.encoded()));
    format!("{namespace}+{name}@{}.{}.json", compact(attempt.run.scheduled_for), attempt.number)
}

/// A text that fits into a file's name; those that are cut are told apart by a checksum (FNV-1a).
fn short(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}~{sum:016x}", &text[..LONGEST])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(short("etl"), "etl");
        assert_eq!(short(&long).len(), LONGEST + 17);
        assert_ne!(short(&long), short(&format!("{long}x")));
    }
}
