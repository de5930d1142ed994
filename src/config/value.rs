//! Reads single values: texts, durations, sizes, numbers, words, names, zones.
//!
//! Holds always: a value made of variables is never quoted in a message; the message names the variables instead.

use std::fmt::Display;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::keys;
use super::quantity;
use super::reader::{Entry, Reader, Scalar};
use crate::occurrence::Name;
use crate::schedule;

/// A text that is not empty and fits into a process's arguments.
pub(super) fn text<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<String> {
    let scalar = reader.scalar(entry.value, format_args!("`{}`", entry.name), "a text")?;
    reader.note_filled(&scalar);
    without_nul(reader, &scalar, format_args!("`{}`", entry.name)).then(|| scalar.text.into_owned())
}

/// A list of texts; a single one counts as a list.
pub(super) fn texts<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Vec<String>> {
    let scalars = scalars(reader, entry, "a text or a list of texts")?;
    Some(scalars.into_iter().map(|scalar| scalar.text.into_owned()).collect())
}

/// The texts of a schedule, at least one.
pub(super) fn schedules<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Vec<Scalar<'a>>> {
    let scalars = scalars(reader, entry, "a schedule like \"0 2 * * *\", or a list of them")?;
    if scalars.is_empty() {
        reader.refuse(entry.value, "`schedule` is an empty list", "leave it out to run by hand only");
        return None;
    }
    Some(scalars)
}

fn scalars<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, expected: &str) -> Option<Vec<Scalar<'a>>> {
    let name = entry.name;
    match reader.elements(entry.value) {
        None => Some(vec![reader.scalar(entry.value, format_args!("`{name}`"), expected)?]),
        Some(elements) => {
            let read: Vec<_> = elements
                .iter()
                .map(|at| reader.scalar(*at, format_args!("an element of `{name}`"), "a text"))
                .collect();
            read.into_iter().collect()
        }
    }
}

/// Whether a text has no NUL byte, which nothing that is handed to a process may have.
pub(super) fn without_nul(reader: &mut Reader<'_>, scalar: &Scalar<'_>, what: impl Display) -> bool {
    let is_right = !scalar.text.contains('\0');
    if !is_right {
        reader.refuse(scalar.at, format!("{what} contains a NUL byte"), "leave it out");
    }
    is_right
}

/// The value that `parse` reads from a scalar, or its mistake with the value as written.
fn parsed<'a, T>(
    reader: &mut Reader<'a>,
    entry: Entry<'a>,
    kind: &str,
    parse: impl FnOnce(&str) -> Result<T, quantity::Mistake>,
) -> Option<T> {
    let scalar = reader.scalar(entry.value, format_args!("`{}`", entry.name), kind)?;
    match parse(&scalar.text) {
        Ok(value) => Some(value),
        Err(_) if scalar.is_filled() => refuse_filled(reader, &scalar, entry.name, kind),
        Err(mistake) => {
            reader.refuse(entry.value, format!("`{}`: {}", entry.name, mistake.message), mistake.help);
            None
        }
    }
}

/// Records that variables hold something wrong, without saying what.
pub(super) fn refuse_filled<T>(reader: &mut Reader<'_>, scalar: &Scalar<'_>, name: &str, kind: &str) -> Option<T> {
    let message = format!("`{name}`: `{}` with its variables filled in is not {kind}", scalar.written);
    reader.refuse(scalar.at, message, "look at what the variables are set to");
    None
}

pub(super) fn duration<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Duration> {
    parsed(reader, entry, "a duration like 90s or 1h30m", quantity::duration)
}

pub(super) fn positive_duration<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Duration> {
    let duration = duration(reader, entry)?;
    if duration.is_zero() {
        let help = format!("write a longer one, or leave `{}` empty for what is built in", entry.name);
        reader.refuse(entry.value, format!("`{}` cannot be zero", entry.name), help);
    }
    (!duration.is_zero()).then_some(duration)
}

pub(super) fn size<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<u64> {
    parsed(reader, entry, "a size like 512M", quantity::size)
}

pub(super) fn positive_size<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<u64> {
    let size = size(reader, entry)?;
    if size == 0 {
        reader.refuse(entry.value, format!("`{}` cannot be zero", entry.name), "leave it out for no limit");
    }
    (size > 0).then_some(size)
}

pub(super) fn percent<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<u32> {
    parsed(reader, entry, "a percentage like 20%", quantity::percent)
}

/// A whole number in a range, both ends included.
pub(super) fn count<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, least: u32, most: u32) -> Option<u32> {
    let help =
        if least == most { format!("use {least}") } else { format!("use a whole number from {least} to {most}") };
    parsed(reader, entry, "a whole number", |text| {
        text.trim().parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| quantity::Mistake {
            message: match text.trim().parse::<i128>() {
                Ok(_) => format!("{} is out of range", text.trim()),
                Err(_) => format!("`{text}` is not a whole number"),
            },
            help,
        })
    })
}

/// One of several words.
pub(super) fn word<'a, T: Clone>(reader: &mut Reader<'a>, entry: Entry<'a>, words: &[(&str, T)]) -> Option<T> {
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let kind = format!("one of: {}", known.join(", "));
    parsed(reader, entry, &kind, |text| {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        found.ok_or_else(|| quantity::Mistake {
            message: format!("unknown value `{text}`"),
            help: keys::nearest_or_all(&known, text),
        })
    })
}

/// A name as pipelines and namespaces have.
pub(super) fn name<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Name> {
    parsed(reader, entry, "a name", |text| {
        Name::parse(text).map_err(|invalid| quantity::Mistake { message: invalid.to_string(), help: NAME_HELP.into() })
    })
}

/// What a name may look like.
pub(super) const NAME_HELP: &str = "use letters, digits and . _ / - only, 128 at most";

/// A time zone of the zone database.
pub(super) fn zone<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<TimeZone> {
    let scalar = reader.scalar(entry.value, format_args!("`{}`", entry.name), "a zone like Europe/Berlin")?;
    match schedule::parse_zone(&scalar.text) {
        Ok(zone) => Some(zone),
        Err(_) if scalar.is_filled() => refuse_filled(reader, &scalar, entry.name, "a time zone"),
        Err(error) => {
            reader.refuse_inside(&scalar, error.span.start, &error.message, error.help.as_deref().unwrap_or_default());
            None
        }
    }
}
