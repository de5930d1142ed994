//! Reads what stands around a command: `hooks` and `results`.

use std::time::Duration;

use super::body;
use super::keys;
use super::reader::{Entry, Reader};
use super::settings::known_entries;
use super::value;
use crate::pipeline::{Hook, Results};

/// How long a hook may run unless it says otherwise.
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// A hook: a command, or `{ command: …, timeout: … }`.
pub(super) fn hook<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Hook> {
    if !reader.is_mapping(entry.value) {
        let program = body::program(reader, entry)?;
        return Some(Hook { body: program.body, timeout: HOOK_TIMEOUT });
    }
    let (entries, is_right) = known_entries(reader, entry, keys::HOOK);
    let (mut program, mut timeout, mut is_given) = (None, Some(HOOK_TIMEOUT), false);
    for inner in entries {
        match inner.name {
            "command" => (program, is_given) = (body::program(reader, inner), true),
            _ if reader.is_null(inner.value) => {}
            _ => timeout = value::positive_duration(reader, inner),
        }
    }
    if !is_given {
        let message = format!("the `{}` hook has no `command`", entry.name);
        reader.refuse(entry.value, message, "write a command, or `{ command: …, timeout: … }`");
    }
    Some(Hook { body: program?.body, timeout: timeout? }).filter(|_| is_right)
}

/// Where a command tells what it did: `json`, or a mapping.
pub(super) fn results<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Results> {
    if !reader.is_mapping(entry.value) {
        return value::word(reader, entry, &[("json", Results { json: true, ..Results::default() })]);
    }
    let errors = reader.errors;
    let (entries, _) = known_entries(reader, entry, keys::RESULTS);
    let mut results = Results::default();
    for inner in entries {
        match inner.name {
            _ if reader.is_null(inner.value) => {}
            "json" => results.json = value::word(reader, inner, &[("true", true), ("false", false)]).unwrap_or(false),
            "dlq" => results.dlq = pattern(reader, inner),
            _ => results.spool = pattern(reader, inner),
        }
    }
    (reader.errors == errors).then_some(results)
}

fn pattern<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<String> {
    let pattern = value::text(reader, entry)?;
    if pattern.is_empty() {
        let help = "write a path in which `*` stands for any part of a name, for example \"output/*_errors.csv\"";
        reader.refuse(entry.value, format!("`{}` is empty", entry.name), help);
    }
    Some(pattern).filter(|pattern| !pattern.is_empty())
}
