//! Reads how long history is kept: the key `retention` of a document.

use std::time::Duration;

use super::keys;
use super::reader::{Entry, Reader};
use super::settings::{Given, given, known_entries};
use super::value;

/// How long history is kept in the run-log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Older goes; none means however old.
    pub max_age: Option<Duration>,
    /// The same for attempts that did not succeed, which `max_runs` leaves alone then; none means as the others.
    pub failed_max_age: Option<Duration>,
    /// So many of the newest runs of each pipeline are kept; none means any number.
    pub max_runs: Option<u32>,
}

/// What the key says; none where it is wrong, or says nothing.
pub(super) fn read<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Retention> {
    if reader.is_null(entry.value) {
        return None;
    }
    let errors = reader.errors;
    let mut retention = Retention::default();
    for entry in known_entries(reader, entry, keys::RETENTION).0 {
        match entry.name {
            "max_age" => retention.max_age = written(given(reader, entry, value::positive_duration)),
            "failed_max_age" => retention.failed_max_age = written(given(reader, entry, value::positive_duration)),
            "max_runs" => {
                retention.max_runs =
                    written(given(reader, entry, |reader, entry| value::count(reader, entry, 1, 1_000_000)));
            }
            _ => {}
        }
    }
    (reader.errors == errors && retention != Retention::default()).then_some(retention)
}

fn written<T>(given: Given<T>) -> Option<T> {
    match given {
        Given::Is(value, _) => Some(value),
        _ => None,
    }
}
