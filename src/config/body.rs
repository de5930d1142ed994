//! Reads what a pipeline runs and its surroundings: command, variables, standard input.
//!
//! Holds always: a shell line is left as it stands; an element of a command stays one element; `shown` holds nothing
//! that a variable was filled in with.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use super::keys;
use super::reader::{Entry, Reader, Scalar};
use super::secret;
use super::value;
use crate::pipeline::{Body, InheritEnv, Stdin};
use crate::template::{self, Template};

/// A command and how to show it.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) body: Body,
    pub(super) shown: String,
}

/// Variables that children get from us.
const OURS: [&str; 15] = [
    "TICKWARD_PIPELINE",
    "TICKWARD_RUN_ID",
    "TICKWARD_BATCH_ID",
    "TICKWARD_SCHEDULED_FOR",
    "TICKWARD_ATTEMPT",
    "TICKWARD_MAX_ATTEMPTS",
    "TICKWARD_TRIGGER",
    "TICKWARD_FENCE",
    "TICKWARD_DEADLINE",
    "TICKWARD_DEGRADED",
    "TICKWARD_RESULT_FILE",
    "TICKWARD_LOG_FILE",
    "TICKWARD_OUTCOME",
    "TICKWARD_EXIT_CODE",
    "TICKWARD_DURATION_MS",
];

/// The command: a list is a program and its arguments, a string a line for the shell.
pub(super) fn program<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Program> {
    match reader.elements(entry.value) {
        Some(elements) => argv(reader, entry, elements),
        None => shell(reader, entry),
    }
}

fn argv<'a>(reader: &mut Reader<'a>, entry: Entry<'a>, elements: &[super::tree::NodeId]) -> Option<Program> {
    let what = format!("an element of `{}`", entry.name);
    let what = what.as_str();
    let mut templates = Vec::with_capacity(elements.len());
    let mut shown = String::new();
    let mut is_right = true;
    for (index, at) in elements.iter().enumerate() {
        let Some(scalar) = reader.scalar(*at, what, "a text, in quotes where it is empty") else {
            is_right = false;
            continue;
        };
        if index == 0 && scalar.text.is_empty() {
            reader.refuse(*at, format!("`{}` starts with an empty text", entry.name), "start with the program");
            is_right = false;
        }
        if index == 0 {
            reader.note_filled(&scalar);
        }
        let template = checked_template(reader, &scalar, what);
        is_right &= template.is_some();
        templates.extend(template);
        push_quoted(&mut shown, scalar.written);
    }
    if elements.is_empty() {
        let message = format!("`{}` is an empty list", entry.name);
        reader.refuse(entry.value, message, "write the program and its arguments");
        return None;
    }
    is_right.then(|| Program { body: Body::Argv(templates), shown: secret::masked_line(&shown) })
}

fn shell<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Program> {
    let expected = "a list of program and arguments, or a line for the shell";
    let name = entry.name;
    let line = reader.written(entry.value, format_args!("`{name}`"), expected)?;
    if line.trim().is_empty() {
        reader.refuse(entry.value, format!("`{name}` is empty"), format!("write {expected}"));
        return None;
    }
    if line.contains('\0') {
        reader.refuse(entry.value, format!("`{name}` contains a NUL byte"), "leave it out");
        return None;
    }
    for (named, span) in template::mentions(line).take(1) {
        let name = named.name();
        let message = format!("`{{{{ {name} }}}}` in a shell line is left as it stands");
        let help = "put it into `env:` and use the variable, or write the command as a list";
        reader.warn(entry.value, span.start, &message, help);
    }
    Some(Program { body: Body::Shell(line.to_owned()), shown: secret::masked_line(line) })
}

/// Adds an element the way it would be typed in a shell.
fn push_quoted(shown: &mut String, element: &str) {
    if !shown.is_empty() {
        shown.push(' ');
    }
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    match !element.is_empty() && element.chars().all(is_plain) {
        true => shown.push_str(element),
        false => {
            shown.push('\'');
            shown.push_str(&element.replace('\'', r"'\''"));
            shown.push('\'');
        }
    }
}

/// The template of a scalar in which what came from variables is text.
fn checked_template<'a>(reader: &mut Reader<'a>, scalar: &Scalar<'a>, what: impl Display) -> Option<Template> {
    if !value::without_nul(reader, scalar, what) {
        return None;
    }
    match Template::parse_guarded(&scalar.text, &scalar.filled) {
        Ok(template) => Some(template),
        Err(error) => {
            reader.refuse_inside(scalar, error.span.start, &error.message, error.help.as_deref().unwrap_or_default());
            None
        }
    }
}

/// Variables and their templates.
pub(super) fn env<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<BTreeMap<String, Template>> {
    let errors = reader.errors;
    let mut variables = BTreeMap::new();
    for inner in reader.entries(entry.value, "`env`")? {
        let name = inner.name;
        if name.is_empty() {
            reader.refuse(inner.key, "the name of a variable is empty", "write `NAME: value`");
        } else if name.contains(|c: char| c == '=' || c.is_control()) {
            reader.refuse(inner.key, format!("`{name}` is no name of a variable"), "use letters, digits and _");
        }
        if OURS.contains(&name) {
            reader.refuse(inner.key, format!("`{name}` is set by tickward itself"), "use another name");
        }
        let what = format_args!("variable `{name}`");
        let scalar = reader.scalar(inner.value, what, "a text, in quotes where it is empty");
        scalar.iter().filter(|_| name == "PATH").for_each(|scalar| reader.note_filled(scalar));
        let template = scalar.and_then(|scalar| checked_template(reader, &scalar, what));
        variables.extend(template.map(|template| (name.to_owned(), template)));
    }
    (reader.errors == errors).then_some(variables)
}

/// Which variables of ours the command sees.
pub(super) fn inherit_env<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<InheritEnv> {
    if reader.elements(entry.value).is_some() {
        return value::texts(reader, entry).map(InheritEnv::Only);
    }
    value::word(reader, entry, &[("true", InheritEnv::All), ("false", InheritEnv::Nothing)])
}

/// What the command reads: a text, `{ text: … }` or `{ file: … }`.
pub(super) fn stdin<'a>(reader: &mut Reader<'a>, entry: Entry<'a>) -> Option<Stdin> {
    if !reader.is_mapping(entry.value) {
        let scalar = reader.scalar(entry.value, "`stdin`", "a text, `{ text: … }` or `{ file: … }`")?;
        return stdin_text(reader, &scalar);
    }
    let entries = reader.entries(entry.value, "`stdin`")?;
    match entries.as_slice() {
        [one] if one.name == "text" => {
            let scalar = reader.scalar(one.value, "`text`", "a text")?;
            stdin_text(reader, &scalar)
        }
        [one] if one.name == "file" => value::text(reader, *one).map(|file| Stdin::File(PathBuf::from(file))),
        [one] => {
            let help = keys::nearest_or_all(&["text", "file"], one.name);
            reader.refuse(one.key, format!("unknown key `{}` in `stdin`", one.name), help);
            None
        }
        _ => {
            reader.refuse(entry.value, "`stdin` needs one key", "write `{ text: … }` or `{ file: … }`");
            None
        }
    }
}

fn stdin_text<'a>(reader: &mut Reader<'a>, scalar: &Scalar<'a>) -> Option<Stdin> {
    match Template::parse_guarded(&scalar.text, &scalar.filled) {
        Ok(template) => Some(Stdin::Text(template)),
        Err(error) => {
            reader.refuse_inside(scalar, error.span.start, &error.message, error.help.as_deref().unwrap_or_default());
            None
        }
    }
}
