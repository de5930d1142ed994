//! Finds the values of keys and flags whose names sound secret, in a line of a configuration or a command.
//!
//! Holds always: in doubt more is masked, never less.

use std::ops::Range;

use super::{SECRET_WORDS, is_variable};

/// Masks the values of keys and flags whose names sound secret: `password: x`, `TOKEN=x`, `--token, x`.
pub fn mask(line: &str, found: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    for at in (0..bytes.len()).filter(|at| is_secret_word(&bytes[*at..]) || is_pw(&bytes[..*at], &bytes[*at..])) {
        let start = at - bytes[..at].iter().rev().take_while(|b| is_name(**b)).count();
        let end = at + bytes[at..].iter().take_while(|b| is_name(**b)).count();
        if let Some(value) = value_after(line, end, line[start..end].starts_with('-')) {
            found.push(value);
        }
    }
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// Whether a word that names secrets stands at the start.
fn is_secret_word(text: &[u8]) -> bool {
    matches!(text[0] | 0x20, b'p' | b's' | b't' | b'a' | b'c')
        && SECRET_WORDS
            .iter()
            .any(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())))
}

/// Whether a name's last part stands at the start of `text`, and is `pw`: as a part of other words it says nothing.
fn is_pw(before: &[u8], text: &[u8]) -> bool {
    text.get(..2).is_some_and(|word| word.eq_ignore_ascii_case(b"pw"))
        && !before.last().is_some_and(u8::is_ascii_alphanumeric)
        && !text.get(2).is_some_and(|next| is_name(*next))
}

/// Whether a name is `pw`, or ends with it as a word of its own: `db_pw`.
pub fn ends_with_pw(name: &str) -> bool {
    let (before, last) = name.as_bytes().split_at(name.len().saturating_sub(2));
    is_pw(before, last)
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

#[cfg(test)]
mod tests {
    use super::super::{masked, masked_line};

    #[test]
    fn pw_is_a_word_of_its_own() {
        for (line, shown) in [
            ("pw=hunter2", "pw=***"),
            ("command: PW=hunter2 ./load", "command: PW=***"),
            ("env: { DB_PW: hunter2, A: b }", "env: { DB_PW: ***, A: b }"),
            ("plink -pw hunter2 host", "plink -pw *** host"),
            ("run --db-pw=hunter2 x", "run --db-pw=*** x"),
            ("pw=${DB_PW}", "pw=${DB_PW}"),
            ("cwpw=a pwx=b pw-file=c pw d", "cwpw=a pwx=b pw-file=c pw d"),
            ("http://h/x?pw=hunter2&b=c", "http://h/x?pw=***"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
        for (url, shown) in [
            ("see http://h/x?a=b&db_pw=hunter2&c=d", "see http://h/x?a=b&db_pw=***&c=d"),
            ("see http://h/x?p=w&w=p&é=1", "see http://h/x?p=w&w=p&é=1"),
        ] {
            assert_eq!(masked(url), shown, "{url}");
        }
    }
}
