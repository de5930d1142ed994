//! Finds the values of keys and flags whose names sound secret, in a line of a configuration or a command.
//!
//! Holds always: in doubt more is masked, never less.

use std::ops::Range;

use super::{SECRET_WORDS, is_variable};

/// Masks the values of keys and flags whose names sound secret: `password: x`, `TOKEN=x`, `--token, x`.
pub fn mask(line: &str, found: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    for at in (0..bytes.len()).filter(|at| is_secret_word(&bytes[*at..])) {
        let start = at - bytes[..at].iter().rev().take_while(|b| is_name(**b)).count();
        let end = at + bytes[at..].iter().take_while(|b| is_name(**b)).count();
        if let Some(value) = value_after(line, end, line[start..end].starts_with('-')) {
            found.push(value);
        }
    }
}

/// Whether a word that names secrets stands at the start.
fn is_secret_word(text: &[u8]) -> bool {
    matches!(text[0] | 0x20, b'p' | b's' | b't' | b'a' | b'c')
        && SECRET_WORDS
            .iter()
            .any(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())))
}

/// The bytes of the value that belongs to the name ending at `end`; none where there is none to hide.
fn value_after(line: &str, end: usize, is_flag: bool) -> Option<Range<usize>> {
    let rest = &line[end..];
    let unquoted = rest.trim_start_matches(['"', '\'']);
    let after = unquoted.trim_start();
    let separator = after.chars().next()?;
    let separated =
        separator == ':' || separator == '=' || is_flag && (separator == ',' || unquoted.len() > after.len());
    if !separated || (after.starts_with("://")) {
        return None;
    }
    let value = after.trim_start_matches([':', '=', ',']).trim_start();
    let start = line.len() - value.len();
    let length = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].rfind(quote).map_or(value.len(), |close| close + 2),
        _ if is_flag => value.find(|c: char| c.is_whitespace() || ",]}\"'".contains(c)).unwrap_or(value.len()),
        _ if line[..end].contains(['{', '[']) => value.find([',', '}', ']']).unwrap_or(value.len()),
        _ => value.trim_end().len(),
    };
    (length > 0 && !is_variable(&value[..length])).then_some(start..start + length)
}
