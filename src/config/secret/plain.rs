//! What looks like a secret and is none: the addresses that our own advice shows, and ids of runs.
//!
//! Holds always: nothing is left but what is one of these to the letter; what reaches beyond it is masked.

use std::ops::Range;

/// Addresses as our own texts show them.
const SHOWN: [&str; 8] = [
    "SCHEME://…,",
    "mysql://user:password@host:3306/database",
    "postgres://user:password@host:5432/database",
    "scheme://user:password@host/database",
    "slack://hooks.slack.com/services/X/Y/Z",
    "smtp://HOST:PORT?from=etl@example.com&to=ops@example.com",
    "webhook+https://HOST/PATH",
    "webhook+http://HOST/PATH",
];

/// Takes what is no secret out of what was found in a text.
pub fn leave(text: &str, found: &mut Vec<Range<usize>>) {
    found.retain(|range| !is_in_shown(text, range) && !is_in_run_id(text, range));
}

fn is_in_shown(text: &str, range: &Range<usize>) -> bool {
    let is_word = |at: usize, end: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(is_bound) && text[end..].chars().next().is_none_or(is_bound)
    };
    SHOWN.iter().any(|shown| {
        text.match_indices(shown).any(|(at, _)| {
            let end = at + shown.len();
            at <= range.start && range.end <= end && is_word(at, end)
        })
    })
}

/// Whether it is the `name` of an id as `namespace:name@20260101T020000Z`, which stands alone.
fn is_in_run_id(text: &str, range: &Range<usize>) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let Some(before) = text[..range.start].strip_suffix(':') else { return false };
    let outside = before.trim_end_matches(is_name);
    let is_id = outside.len() < before.len()
        && outside.chars().next_back().is_none_or(is_bound)
        && text[range.clone()].chars().all(is_name);
    let Some(after) = text[range.end..].strip_prefix('@').and_then(after_instant).filter(|_| is_id) else {
        return false;
    };
    let mut after = after.chars();
    match after.next() {
        Some(':' | '.') => after.next().is_none_or(char::is_whitespace),
        next => next.is_none_or(is_bound),
    }
}

/// What follows an instant such as `20260101T020000Z` or `20260101T020000.000001Z`.
fn after_instant(text: &str) -> Option<&str> {
    let digits = |text: &str, count: usize| text.len() > count && text.bytes().take(count).all(|b| b.is_ascii_digit());
    let time = digits(text, 8).then(|| text[8..].strip_prefix('T')).flatten()?;
    let end = digits(time, 6).then(|| &time[6..])?;
    let end = match end.strip_prefix('.') {
        Some(micros) => digits(micros, 6).then(|| &micros[6..])?,
        None => end,
    };
    end.strip_prefix('Z')
}

fn is_bound(c: char) -> bool {
    c.is_whitespace() || "\"'`,;()[]{}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::super::masked;

    #[test]
    fn ids_of_runs_and_our_own_examples_are_shown() {
        for text in [
            "another run of `team:p` is active: team:p@20260101T020000Z",
            "team:a/b.c@20260101T020000.000001Z ran twice: another host made it too",
            "team:p@20260101T020000Z: no attempt",
            "help: write SCHEME://…, for example slack://hooks.slack.com/services/X/Y/Z",
            "write mysql://user:password@host:3306/database",
            "write smtp://HOST:PORT?from=etl@example.com&to=ops@example.com",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn what_is_more_than_that_is_masked() {
        for (text, shown) in [
            ("u:p@20260101T020000Z/db", "u:***@20260101T020000Z/db"),
            ("u:p@20260101T020000Z:5432", "u:***@20260101T020000Z:5432"),
            ("u:p@20260101", "u:***@20260101"),
            ("u:a:b@20260101T020000Z", "u:***@20260101T020000Z"),
            ("u:hunter+2@20260101T020000Z", "u:***@20260101T020000Z"),
            ("postgres://u:p@20260101T020000Z", "postgres://u:***@20260101T020000Z"),
            ("slack://hooks.slack.com/services/X/Y/Z1", "slack://***"),
            ("postgres://u:slack://hooks.slack.com/services/X/Y/Z@h/db", "postgres://u:***@h/db"),
            ("mysql://user:password@host:3306/database?password=x", "mysql://user:***@host:3306/database?password=***"),
            ("mysql://user:hunter2@host:3306/database", "mysql://user:***@host:3306/database"),
        ] {
            assert_eq!(masked(text), shown, "{text}");
        }
    }
}
