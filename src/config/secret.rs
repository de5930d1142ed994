//! Keeps secrets out of everything that is printed.
//!
//! A `Secret` never shows its value. For texts that may hold one (a URL, a line of a file) this file says which bytes to
//! mask: passwords and tokens before an `@`, values of parameters and keys that sound secret, and whatever follows a
//! scheme whose address is itself the secret. `clients` knows the flags of other programs, `values` names that sound secret.
//!
//! Holds always: in doubt more is masked, never less; what is shown is the text as it stands, never a decoded one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

mod clients;
mod flags;
mod plain;
mod values;
mod words;

/// Stands where a secret stood.
pub const MASK: &str = "***";

/// How many quotes inside one another are read.
const DEEPEST: usize = 3;

/// Parts of names whose values are secret.
const SECRET_WORDS: [&str; 15] = [
    "pass",
    "pwd",
    "authorization",
    "accountkey",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "account-key",
    "account_key",
    "access_key",
    "access-key",
    "private_key",
];

/// Parts of URL parameters' names whose values are secret, besides `SECRET_WORDS`.
const SECRET_PARAMETERS: [&str; 4] = ["key", "sig", "auth", "code"];

/// Schemes of which host and path may be shown. Of all others nothing is.
const OPEN_SCHEMES: [&str; 34] = [
    "azure",
    "dogstatsd",
    "duckdb",
    "file",
    "ftp",
    "git",
    "gs",
    "http",
    "https",
    "jdbc",
    "k8s",
    "kafka",
    "lambda",
    "mariadb",
    "memory",
    "mongodb",
    "mysql",
    "nats",
    "null",
    "otlp",
    "otlp+http",
    "postgres",
    "postgresql",
    "prometheus",
    "pushgateway",
    "redis",
    "s3",
    "smtp",
    "smtps",
    "sqlite",
    "ssh",
    "statsd",
    "stdout",
    "textfile",
];

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself; whoever asks keeps it out of everything that is printed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text as a URL that may be printed.
    pub fn masked_url(&self) -> String {
        masked_url(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// One URL as it may be printed. The text need not be a well-formed URL; spaces are taken as part of it.
///
/// ```
/// use tickward::config::secret::masked_url;
/// assert_eq!(masked_url("postgres://u:p@ss@db/runs?sslkey=k&sslmode=require"), "postgres://u:***@db/runs?sslkey=***&sslmode=require");
/// ```
pub fn masked_url(url: &str) -> String {
    let mut found = Vec::new();
    match url.find("://") {
        Some(at) => mask_address(url, scheme_before(url, at), at + 3..url.len(), true, &mut found),
        None => {
            mask_userinfo(url, 0..url.len(), true, &mut found);
            mask_parameters(url, 0..url.len(), &mut found);
        }
    }
    replaced(url, found)
}

/// A text with the secrets of its URLs masked.
pub fn masked(text: &str) -> String {
    if !text.contains(['@', '/', '?']) {
        return text.to_owned();
    }
    let mut found = Vec::new();
    mask_urls(text, &mut found);
    replaced(text, found)
}

/// A line of a configuration or a command with all its secrets masked.
pub fn masked_line(line: &str) -> String {
    replaced(line, secrets_in(line))
}

/// The bytes of a line that are secret: ascending, apart.
pub(super) fn secrets_in(line: &str) -> Vec<Range<usize>> {
    merged(secrets_at(line, 0))
}

/// The bytes of a line that are secret, and those of what is quoted in it, read without the escapes of the quotes.
fn secrets_at(line: &str, depth: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    mask_urls(line, &mut found);
    let of_clients = clients::secrets(line);
    values::mask(line, &of_clients, &mut found);
    found.extend(of_clients);
    if depth < DEEPEST {
        for (text, places) in words::unescaped(line) {
            let inside = secrets_at(&text, depth + 1);
            found.extend(inside.into_iter().map(|secret| places[secret.start]..places[secret.end]));
        }
    }
    found
}

/// Masks each URL of a text, and what looks like `user:password@` without a scheme.
fn mask_urls(text: &str, found: &mut Vec<Range<usize>>) {
    let starts: Vec<usize> = text.match_indices("://").map(|(at, _)| at).filter(|at| is_start(text, *at)).collect();
    for (index, at) in starts.iter().enumerate() {
        let scheme = scheme_before(text, *at);
        let end = starts.get(index + 1).map_or(text.len(), |next| next - scheme_before(text, *next).len());
        mask_address(text, scheme, at + 3..end, false, found);
    }
    for (at, _) in text.match_indices('@') {
        // A comma parts two addresses, or is one of a password.
        let start = password_before(text, at, "\"'`,[{(").or_else(|| password_before(text, at, "\"'`[{("));
        found.extend(start.filter(|start| !is_variable(&text[*start..at])).map(|start| start..at));
    }
    plain::leave(text, found);
}

/// Where the password begins of which the `@` stands at `at`: behind a colon in its word, which these characters end.
fn password_before(text: &str, at: usize, ends: &str) -> Option<usize> {
    let is_end = |c: char| c.is_whitespace() || ends.contains(c);
    let word = at - text[..at].chars().rev().take_while(|c| !is_end(*c)).map(char::len_utf8).sum::<usize>();
    let is_password = |colon: &usize| !text[word + colon..].starts_with("://");
    let colon = text[word..at].match_indices(':').map(|(colon, _)| colon).find(is_password)?;
    Some(word + colon + 1)
}

/// Whether a URL begins with the scheme before `at`, and it is not a piece of a password.
fn is_start(text: &str, at: usize) -> bool {
    let scheme = scheme_before(text, at);
    let before = text[..at - scheme.len()].chars().next_back();
    !scheme.is_empty() && before.is_none_or(|c| !c.is_alphanumeric() && !":@%!$&;+~^*/\\".contains(c))
}

fn scheme_before(text: &str, at: usize) -> &str {
    let bytes = text.as_bytes();
    let length = bytes[..at].iter().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b)).count();
    &text[at - length..at]
}

/// Masks what is secret in the address that follows a scheme.
fn mask_address(text: &str, scheme: &str, address: Range<usize>, whole: bool, found: &mut Vec<Range<usize>>) {
    let after = mask_userinfo(text, address.clone(), whole, found);
    let stop = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let rest = &text[after..address.end];
    let end = if whole { address.end } else { after + rest.find(stop).unwrap_or(rest.len()) };
    // The `@` may as well have been one of a parameter's value.
    mask_parameters(text, address.start..end, found);
    let scheme = scheme.to_ascii_lowercase();
    let host = &text[after..end];
    if !OPEN_SCHEMES.contains(&scheme.as_str()) {
        return found.push(after..end);
    }
    if host.to_ascii_lowercase().starts_with("hooks.") || host.to_ascii_lowercase().contains("webhook") {
        let path = host.find(['/', '?']).unwrap_or(host.len());
        return found.push(after + path..end);
    }
    mask_parameters(text, after..end, found);
    mask_token_segments(text, after..end, found);
}

/// Masks everything secret before the last `@`, and says where the host begins.
fn mask_userinfo(text: &str, address: Range<usize>, whole: bool, found: &mut Vec<Range<usize>>) -> usize {
    let Some(mut at) = text[address.clone()].rfind('@') else { return address.start };
    let info = &text[address.start..address.start + at];
    let space = info.find(char::is_whitespace);
    if !whole && space.is_some_and(|space| !info[..space].contains(':')) {
        let word = &info[..space.unwrap_or(0)];
        let Some(in_word) = word.rfind('@') else { return address.start };
        at = in_word;
    }
    let info = &text[address.start..address.start + at];
    let plain = |c: char| c.is_ascii_alphanumeric() || "._%+-${}".contains(c);
    let from = match info.split_once(':') {
        Some((user, password)) if user.chars().all(plain) && !password.is_empty() && password != "x-oauth-basic" => {
            user.len() + 1
        }
        _ => 0,
    };
    if !is_variable(&info[from..]) {
        found.push(address.start + from..address.start + at);
    }
    address.start + at + 1
}

/// Masks the values of parameters whose names sound secret.
fn mask_parameters(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(question) = text[range.clone()].find('?') else { return };
    let mut at = range.start + question + 1;
    for parameter in text[at..range.end].split(['&', ';']) {
        if let Some((name, value)) = parameter.split_once('=') {
            let name_lower = name.to_ascii_lowercase();
            let is_secret = SECRET_WORDS.iter().chain(&SECRET_PARAMETERS).any(|word| name_lower.contains(word));
            if (is_secret || values::ends_with_pw(name)) && !is_variable(value) {
                found.push(at + name.len() + 1..at + parameter.len());
            }
        }
        at += parameter.len() + 1;
    }
}

/// Masks parts of a path that look like tokens: long, with letters and digits.
fn mask_token_segments(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let end = text[range.clone()].find('?').map_or(range.end, |question| range.start + question);
    let mut at = range.start;
    for (index, segment) in text[range.start..end].split('/').enumerate() {
        let mixed = segment.bytes().any(|b| b.is_ascii_digit()) && segment.bytes().any(|b| b.is_ascii_uppercase());
        if index > 0 && segment.len() >= 20 && mixed && !segment.contains("${") {
            found.push(at..at + segment.len());
        }
        at += segment.len() + 1;
    }
}

/// Whether a text is nothing but `${NAME}`, quoted or not: the name of a secret is none.
fn is_variable(text: &str) -> bool {
    let name = text.trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.retain(|range| !range.is_empty());
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn replaced(text: &str, found: Vec<Range<usize>>) -> String {
    let mut shown = String::new();
    let mut at = 0;
    for secret in merged(found) {
        shown.push_str(&text[at..secret.start]);
        shown.push_str(MASK);
        at = secret.end;
    }
    shown + &text[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("postgres://u:hunter2@h/db");
        assert_eq!(format!("{secret} {secret:?}"), "*** Secret(***)");
        assert_eq!(secret.masked_url(), "postgres://u:***@h/db");
    }

    #[test]
    fn urls_are_printed_without_their_secrets() {
        for (url, shown) in [
            ("sqlite:///var/lib/runs.db", "sqlite:///var/lib/runs.db"),
            ("postgres://u:p@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p@ss@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p/a?b#c@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p w:o@h/db", "postgres://u:***@h/db"),
            ("postgres://u:a://b@h/db", "postgres://u:***@h/db"),
            ("postgres://u:@h/db", "postgres://***@h/db"),
            ("https://ghp_token@h/db", "https://***@h/db"),
            ("https://tok:x-oauth-basic@h", "https://***@h"),
            ("u:p@h/db?password=x", "u:***@h/db?password=***"),
            (
                "mysql://h/db?password=a=b&ssl-mode=required&sslKey=c",
                "mysql://h/db?password=***&ssl-mode=required&sslKey=***",
            ),
            ("slack://hooks.slack.com/services/T/B/x", "slack://***"),
            ("https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com***"),
            ("pagerduty://KEY?severity=x", "pagerduty://***"),
            ("azure://acc/con/pre?sig=abc", "azure://acc/con/pre?sig=***"),
            ("s3://bucket/runs?secret_key=//u:p@hunter2", "s3://***"),
            ("postgres://h/db?password=a@b&c=d", "postgres://***&c=d"),
            ("s3://bucket/runs?secret_key=a@webhook.hunter2", "s3://***"),
            ("postgresql://h:x:y", "postgresql://h:x:y"),
            ("://u:p@h", "://u:***@***"),
        ] {
            assert_eq!(masked_url(url), shown, "{url}");
        }
    }

    #[test]
    fn lines_are_shown_without_their_secrets() {
        for (line, shown) in [
            ("run_log: postgres://u:p@ss@h/db # main", "run_log: postgres://u:***@h/db # main"),
            ("run_log: \"postgres://u:p w@h/db\"", "run_log: \"postgres://u:***@h/db\""),
            ("run_log: postgres://u:a://b@h/db", "run_log: postgres://u:***@h/db"),
            ("run_log: postgres://u:${PGPASSWORD}@h/db", "run_log: postgres://u:${PGPASSWORD}@h/db"),
            ("  - u:p@h", "  - u:***@h"),
            ("  - u:p,w@h/db", "  - u:***@h/db"),
            ("[a:b@c, d:e,f@g]", "[a:***@c, d:***@g]"),
            ("[a:b@c,d:e@f]", "[a:***@c,d:***@f]"),
            ("to ann@example.com,bob@example.com", "to ann@example.com,bob@example.com"),
            ("brokers: a:9092,b:9092", "brokers: a:9092,b:9092"),
            ("[mysql://a:b@c/d, mysql://e:f@g/h]", "[mysql://a:***@c/d, mysql://e:***@g/h]"),
            (
                "runbook: https://wiki.example.com/x # ask bob@example.com",
                "runbook: https://wiki.example.com/x # ask bob@example.com",
            ),
            ("  - slack://hooks.slack.com/services/T/B/x", "  - slack://***"),
            ("env: { DB_PASS: hunter2, A: b }", "env: { DB_PASS: ***, A: b }"),
            ("  DB_PASSWORD: hunter, two", "  DB_PASSWORD: ***"),
            ("  \"API_TOKEN\": \"a b\" ", "  \"API_TOKEN\": *** "),
            ("  API_TOKEN: ${API_TOKEN}", "  API_TOKEN: ${API_TOKEN}"),
            ("  API_TOKEN: ${API_TOKEN:-abc}", "  API_TOKEN: ***"),
            ("command: [run, --token, abc, x]", "command: [run, --token, ***, x]"),
            ("command: [run, --token=abc, x]", "command: [run, --token=***, x]"),
            ("command: run --db-password abc x", "command: run --db-password *** x"),
            ("  token_refresh:", "  token_refresh:"),
            ("[curl, -H, \"Authorization: a b\", x]", "[curl, -H, \"Authorization: ***, x]"),
            ("  BLOB: AccountName=x;AccountKey=hunter2;Suffix=y", "  BLOB: AccountName=x;AccountKey=***"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }
}
