//! Reads `env_files`: which files, and what their variables become.
//!
//! From then on the reader fills `${…}` in from them too. They beat what the tick itself was started with, and a later file
//! beats an earlier one. How a line is read is for `env_file`.
//!
//! Holds always: of a line of an env file nothing is shown but the name of its variable.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::discover::reason;
use super::env_file;
use super::problem::{Place, Problem};
use super::reader::{Entry, Reader, Scalar};
use super::secret::MASK;
use super::text::SourceText;
use super::tree::NodeId;
use super::value;
use crate::small_file;
use crate::template::Template;

/// Bytes that an env file may have.
const MAX_BYTES: u64 = 1 << 20;

/// What begins with these is for a tick, never for a command.
const NOT_FOR_COMMANDS: [&str; 2] = ["TICKWARD_", "EMATIX_FLOW_"];

/// The variables of the files for the command. The reader fills in from them as well.
pub(super) fn read<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<BTreeMap<String, Template>> {
    let errors = reader.errors;
    let mut all = BTreeMap::new();
    let elements = match reader.elements(entry.value) {
        Some(elements) => elements.to_vec(),
        None => vec![entry.value],
    };
    for at in elements {
        let before = reader.errors;
        let named = element(reader, at);
        let Some(variables) = named.and_then(|(scalar, is_optional)| variables(reader, &scalar, is_optional)) else {
            if reader.errors > before {
                reader.environment.lacks_a_file();
            }
            continue;
        };
        for (name, value) in variables {
            reader.environment.set(&name, &value);
            if name == "PATH" {
                reader.filled.push(value.clone());
            }
            if !NOT_FOR_COMMANDS.iter().any(|prefix| name.starts_with(prefix)) {
                all.insert(name, Template::literal(&value));
            }
        }
    }
    (reader.errors == errors).then_some(all)
}

/// A path, or `{ path: …, optional: true }`.
fn element<'a>(reader: &mut Reader<'a>, at: NodeId) -> Option<(Scalar<'a>, bool)> {
    let (what, expected) = ("an element of `env_files`", "a path, or `{ path: …, optional: true }`");
    let (mut path, mut is_optional) = (None, false);
    if reader.is_mapping(at) {
        for inner in reader.entries(at, what)? {
            match inner.name {
                "path" => path = Some(inner.value),
                "optional" => is_optional = value::word(reader, inner, &[("true", true), ("false", false)])?,
                name => {
                    reader.refuse(inner.key, format!("unknown key `{name}` in `env_files`"), "use path and optional");
                    return None;
                }
            }
        }
        if path.is_none() {
            reader.refuse(at, format!("{what} has no `path`"), format!("write {expected}"));
            return None;
        }
    }
    let scalar = reader.scalar(path.unwrap_or(at), what, expected)?;
    if scalar.text.is_empty() {
        reader.refuse(scalar.at, "`env_files` names an empty path", "leave it out");
        return None;
    }
    value::without_nul(reader, &scalar, what).then_some((scalar, is_optional))
}

fn variables<'a>(reader: &mut Reader<'a>, scalar: &Scalar<'a>, is_optional: bool) -> Option<Vec<(String, String)>> {
    let path: PathBuf = reader.source.folder().join(scalar.text.as_ref());
    let refuse = |reader: &mut Reader<'a>, why: &str, help: &str| {
        reader.refuse(scalar.at, format!("the env file `{}` cannot be read: {why}", scalar.written), help);
        None
    };
    let text = match small_file::read(&path, MAX_BYTES) {
        Ok(text) => text,
        Err(error) if is_optional && error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            return refuse(reader, "it is larger than 1 MiB", "check that it is the right one");
        }
        Err(error) => {
            let help = "it is looked for beside the configuration file; write `{ path: …, optional: true }` if it may be missing";
            return refuse(reader, &reason(&error), help);
        }
    };
    if path.metadata().is_ok_and(|data| data.permissions().mode() & 0o004 != 0) {
        let message = format!("everybody on this host may read the env file `{}`", scalar.written);
        reader.warn(scalar.at, 0, &message, "if it holds secrets: chmod 600, as the user that runs the tick");
    }
    let name = if scalar.is_filled() { scalar.written.to_owned() } else { path.display().to_string() };
    let source = SourceText::new(name, text);
    match env_file::parse(source.text(), &reader.environment) {
        Ok(variables) => Some(variables),
        Err(mistakes) => {
            for mistake in mistakes {
                if mistake.is_unset && reader.environment.is_partial() {
                    reader.errors += 1;
                    continue;
                }
                reader.record(Problem::error(Some(place(&source, &mistake)), &mistake.message), &mistake.help);
            }
            None
        }
    }
}

/// The place of a mistake, whose line shows nothing but the name of the variable, and that only where it stands.
fn place(source: &SourceText, mistake: &env_file::Mistake) -> Place {
    let place = source.place(mistake.at);
    let named = mistake.of.as_ref().filter(|(_, at)| source.line(*at) == place.line);
    let shown = named.map_or_else(|| MASK.to_owned(), |(name, _)| format!("{name}={MASK}"));
    let caret = place.caret.min(shown.len());
    Place { source: shown, caret, ..place }
}
