//! Fills `${VAR}`, `${VAR:-default}` and `${VAR:?message}` into a text.
//!
//! `$${` stands for a literal `${`; a `$` before anything else is text. A default may hold further `${…}`.
//!
//! Holds always: what was filled in is marked, so that nobody prints it or reads it as a template.

use std::borrow::Cow;
use std::ops::Range;

use super::environment::Environment;
use super::secret;
use super::text::{QUOTED, cut};

/// How deep defaults may stand in defaults.
const MAX_DEPTH: u32 = 8;

/// A text with its variables filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded<'a> {
    pub(super) text: Cow<'a, str>,
    /// The bytes of `text` that were filled in: ascending, apart.
    pub(super) filled: Vec<Range<usize>>,
}

/// Why a text cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The byte of the text as written.
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// It is that a variable is not set.
    pub(super) is_unset: bool,
}

/// The text as `environment` fills it in.
pub(super) fn expand<'a>(written: &'a str, environment: &Environment) -> Result<Expanded<'a>, Mistake> {
    if !written.contains("${") {
        return Ok(Expanded { text: Cow::Borrowed(written), filled: Vec::new() });
    }
    let mut text = String::with_capacity(written.len());
    let mut filled: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(found) = written[at..].find("${").map(|found| at + found) {
        if found > at && written.as_bytes()[found - 1] == b'$' {
            text.push_str(&written[at..found - 1]);
            text.push_str("${");
            at = found + 2;
            continue;
        }
        text.push_str(&written[at..found]);
        let inner = found + 2..closing(written, found)?;
        let value = value_of(&written[inner.clone()], found, environment, MAX_DEPTH)?;
        let start = text.len();
        text.push_str(&value);
        match filled.last_mut() {
            Some(last) if last.end == start => last.end = text.len(),
            _ => filled.push(start..text.len()),
        }
        at = inner.end + 1;
    }
    text.push_str(&written[at..]);
    Ok(Expanded { text: Cow::Owned(text), filled })
}

/// The byte of the `}` that closes the `${` at `open`.
pub(super) fn closing(written: &str, open: usize) -> Result<usize, Mistake> {
    let bytes = written.as_bytes();
    let mut depth = 0_u32;
    let mut at = open;
    while at < bytes.len() {
        match bytes[at] {
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                depth += 1;
                at += 1;
            }
            b'}' if depth == 1 => return Ok(at),
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    let help = "close it with `}`, or write `$${` for a literal `${`";
    Err(Mistake { at: open, message: "`${` is never closed".into(), help: Some(help.into()), is_unset: false })
}

/// What stands for `${inner}` that starts at byte `at`.
fn value_of<'a>(inner: &'a str, at: usize, environment: &'a Environment, depth: u32) -> Result<Cow<'a, str>, Mistake> {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let refuse = |message: String, help: String| Err(Mistake { at, message, help: Some(help), is_unset: false });
    let unset = |message: String, help: String| Err(Mistake { at, message, help: Some(help), is_unset: true });
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        let help = "write `${NAME}`, or `$${` for a literal `${`";
        return refuse("`${…}` without a variable's name".into(), help.into());
    }
    let value = environment.get(name);
    if rest.is_empty() {
        return match value {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => unset(
                format!("the variable `{name}` is not set"),
                format!("set it, or give a default: `${{{name}:-default}}`"),
            ),
        };
    }
    let not_empty = value.filter(|value| !value.is_empty());
    if let Some(default) = rest.strip_prefix(":-") {
        return match not_empty {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => default_value(default, at, environment, depth),
        };
    }
    if let Some(message) = rest.strip_prefix(":?") {
        return match not_empty {
            Some(value) => Ok(Cow::Borrowed(value)),
            None if message.is_empty() => unset(format!("the variable `{name}` is not set"), "set it".into()),
            None => {
                let message = secret::masked(message);
                let message = cut(&message, QUOTED);
                unset(format!("the variable `{name}` is not set: {message}"), format!("set `{name}`"))
            }
        };
    }
    refuse(
        format!("`${{{name}…}}` is not understood"),
        format!("write `${{{name}}}`, `${{{name}:-default}}` or `${{{name}:?message}}`"),
    )
}

fn default_value<'a>(
    default: &'a str,
    at: usize,
    environment: &'a Environment,
    depth: u32,
) -> Result<Cow<'a, str>, Mistake> {
    let Some(open) = default.find("${") else { return Ok(Cow::Borrowed(default)) };
    if depth == 0 {
        return Err(Mistake { at, message: "defaults stand too deep in defaults".into(), help: None, is_unset: false });
    }
    let close = closing(default, open).map_err(|mistake| Mistake { at, ..mistake })?;
    let value = value_of(&default[open + 2..close], at, environment, depth - 1)?;
    let tail = default_value(&default[close + 1..], at, environment, depth - 1)?;
    Ok(Cow::Owned(format!("{}{value}{tail}", &default[..open])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::of([("A", "1"), ("EMPTY", ""), ("BRACES", "{{ host }}")])
    }

    #[test]
    fn variables_are_filled_in() {
        for (written, text) in [
            ("plain $A $$ {}", "plain $A $$ {}"),
            ("${A}", "1"),
            ("x${A}${A}y", "x11y"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NO:-}", ""),
            ("${NO:-a b/${A}/${NO:-c}}", "a b/1/c"),
            ("${A:-${NO}}", "1"),
            ("${A:?m}", "1"),
            ("$${A} $${", "${A} ${"),
        ] {
            assert_eq!(expand(written, &environment()).unwrap().text, text, "{written}");
        }
        assert_eq!(expand("x${A}${A}y${BRACES}", &environment()).unwrap().filled, [1..3, 4..14]);
    }

    #[test]
    fn mistakes_say_where_and_what_to_write() {
        for (written, at, message, help) in [
            ("a${NO}", 1, "the variable `NO` is not set", "set it, or give a default: `${NO:-default}`"),
            ("${NO:?ask the admins}", 0, "the variable `NO` is not set: ask the admins", "set `NO`"),
            ("${EMPTY:?}", 0, "the variable `EMPTY` is not set", "set it"),
            ("${A", 0, "`${` is never closed", "close it with `}`, or write `$${` for a literal `${`"),
            ("${}", 0, "`${…}` without a variable's name", "write `${NAME}`, or `$${` for a literal `${`"),
            ("${A-x}", 0, "`${A…}` is not understood", "write `${A}`, `${A:-default}` or `${A:?message}`"),
        ] {
            let is_unset = message.contains("is not set");
            let expected = Mistake { at, message: message.into(), help: Some(help.into()), is_unset };
            assert_eq!(expand(written, &environment()), Err(expected), "{written}");
        }
    }
}
