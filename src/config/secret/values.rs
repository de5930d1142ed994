//! Finds the values of keys and flags whose names sound secret, in a line of a configuration or a command.
//!
//! Holds always: in doubt more is masked, never less.

use std::ops::Range;

use super::words::{Quote, Quotes, end_of_element, end_of_quoted, end_of_word};
use super::{SECRET_WORDS, is_variable};

/// Masks the values of keys and flags whose names sound secret: `password: x`, `TOKEN=x`, `--token, x`. A name that is part of one
/// of the secrets in `known` is none.
pub fn mask(line: &str, known: &[Range<usize>], found: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let mut quotes = Quotes::of(line);
    for at in (0..bytes.len()).filter(|at| is_secret_word(&bytes[*at..]) || is_pw(&bytes[..*at], &bytes[*at..])) {
        let start = at - bytes[..at].iter().rev().take_while(|b| is_name(**b)).count();
        let end = at + bytes[at..].iter().take_while(|b| is_name(**b)).count();
        if is_harmless(&line[start..end]) || known.iter().any(|secret| secret.contains(&at)) {
            continue;
        }
        found.extend(Name { line, start, end, open: quotes.at(start) }.value());
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

/// Ends of names that say where a secret is.
const PLACES: [&str; 8] = ["file", "-stdin", "-command", "-cmd", "-fd", "_command", "_cmd", "_fd"];

/// Whether a name sounds secret, and no secret follows: where one is, or that there is none.
fn is_harmless(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("--no-") || name.starts_with("--skip-") || PLACES.iter().any(|place| name.ends_with(place))
}

/// A name that sounds secret, in a line.
struct Name<'a> {
    line: &'a str,
    start: usize,
    end: usize,
    /// The quotes that stand open where it begins.
    open: &'a [Quote],
}

impl Name<'_> {
    /// The bytes of the value that belongs to it; none where there is none to hide.
    fn value(&self) -> Option<Range<usize>> {
        let rest = &self.line[self.end..];
        let after = rest.trim_start_matches(['"', '\'']).trim_start();
        let separator = after.chars().next()?;
        if after.starts_with("://") {
            return None;
        }
        let value = after.trim_start_matches([':', '=', ',']).trim_start();
        let start = self.line.len() - value.len();
        let end = match separator {
            ':' | '=' | ',' if value.is_empty() => return None,
            _ if self.is_flag() => self.end_behind_flag(separator, start)?,
            '=' if self.is_assigned(value) => self.end_of_assigned(start),
            ':' | '=' => self.end_of_rest(value),
            _ => return None,
        };
        (end > start && !is_variable(&self.line[start..end])).then_some(start..end)
    }

    fn is_flag(&self) -> bool {
        self.line[self.start..].starts_with('-')
    }

    /// Whether the value follows at once, as in a shell. One among others of one text, as in `A=b;PWD=c d`, is read as that text.
    fn is_assigned(&self, value: &str) -> bool {
        let is_next = self.line.len() - value.len() == self.end + 1;
        let before = &self.line[..self.start];
        let is_part = before.ends_with(';') || before.ends_with(['&', '?', ',']) && !self.open.is_empty();
        is_next && !value.starts_with('>') && !is_part
    }

    /// The quote that the whole of `NAME=value` stands in.
    fn own_quote(&self) -> Option<Quote> {
        let quote = self.open.last().copied()?;
        let before = self.line[..self.start].strip_suffix(quote)?;
        let before = before.trim_end_matches(|c: char| c.is_whitespace() || ",\"'".contains(c));
        // What follows this one is a command.
        let flag = before.rsplit(|c: char| c.is_whitespace() || ",\"'[".contains(c)).next().unwrap_or_default();
        let is_command = flag.starts_with('-') && !flag.starts_with("--") && flag.ends_with('c');
        (!is_command).then_some(quote)
    }

    fn end_of_assigned(&self, start: usize) -> usize {
        if let Some(quote) = self.own_quote() {
            return end_of_quoted(self.line, start, quote).unwrap_or(self.line.len());
        }
        if self.open.is_empty() && is_in_list(&self.line[..self.start]) {
            return end_of_element(self.line, start, self.open);
        }
        self.end_of_word(start, &[';', '|', '&'])
    }

    fn end_behind_flag(&self, separator: char, start: usize) -> Option<usize> {
        let quoted_name = self.line[self.end..].starts_with(['"', '\'']);
        match separator {
            '=' | ':' => Some(self.end_of_assigned(start)),
            ',' => Some(end_of_element(self.line, start, &[])),
            // Here the command goes on, or ends.
            '<' | '>' | '|' | '&' | ';' => None,
            _ if !quoted_name && !self.line[self.end..].starts_with(char::is_whitespace) => None,
            _ if is_in_list(&self.line[..self.start]) => Some(self.end_of_word(start, &[',', ']', '}'])),
            _ => Some(self.end_of_word(start, &[';', '|', '&'])),
        }
    }

    /// Where the word at `start` ends, without those characters at its end.
    fn end_of_word(&self, start: usize, without: &[char]) -> usize {
        let name_is_quoted = self.own_quote().is_some_and(|quote| self.line[self.end..].starts_with(quote));
        let open = if name_is_quoted { &self.open[..self.open.len() - 1] } else { self.open };
        let end = end_of_word(self.line, start, open, "");
        start + self.line[start..end].trim_end_matches(without).len()
    }

    /// Where a value of several words ends: with the list or the quote that it stands in, or with the line.
    fn end_of_rest(&self, value: &str) -> usize {
        let start = self.line.len() - value.len();
        let quote = self.open.last().copied();
        let closed =
            quote.filter(|_| !self.is_in_apostrophe()).and_then(|quote| end_of_quoted(self.line, start, quote));
        let is_quoted = value.starts_with(['"', '\'']);
        let length = match value.chars().next() {
            Some(quote) if is_quoted => value[1..].rfind(quote).map_or(value.len(), |close| close + 2),
            _ if is_in_list(&self.line[..self.end]) => {
                let end = value.find([',', '}', ']']).unwrap_or(value.len());
                return closed.map_or(start + end, |closed| closed.max(start + end));
            }
            _ if self.is_prefix() => return self.end_of_word(start, &[';', '|', '&']),
            _ => value.trim_end().len(),
        };
        let name_is_quoted = self.line[self.end..].starts_with(['"', '\'']);
        closed.filter(|_| !is_quoted && !name_is_quoted).unwrap_or(start + length)
    }

    /// Whether it is what openssl has before a password: `pass:X`.
    fn is_prefix(&self) -> bool {
        let after = self.line[self.end..].strip_prefix(':');
        &self.line[self.start..self.end] == "pass" && after.is_some_and(|after| !after.starts_with(char::is_whitespace))
    }

    /// Whether the quote that stands open may be an apostrophe.
    fn is_in_apostrophe(&self) -> bool {
        let before = self.open.last().and_then(|quote| self.line[..self.start].rsplit_once(quote));
        before.is_none_or(|(before, _)| before.ends_with(char::is_alphanumeric))
    }
}

fn is_in_list(before: &str) -> bool {
    let count = |brackets: [char; 2]| before.matches(brackets).count();
    count(['[', '{']) > count([']', '}'])
}

#[cfg(test)]
mod tests {
    use super::super::{masked, masked_line};

    #[test]
    fn pw_is_a_word_of_its_own() {
        for (line, shown) in [
            ("pw=hunter2", "pw=***"),
            ("command: PW=hunter2 ./load", "command: PW=*** ./load"),
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

    #[test]
    fn of_an_assignment_the_value_alone_is_masked() {
        for (line, shown) in [
            ("FOO_PASSWORD=x cmd args", "FOO_PASSWORD=*** cmd args"),
            ("PGPASSWORD='a b' psql -c x", "PGPASSWORD=*** psql -c x"),
            ("PGPASSWORD=a\\ b psql -c x", "PGPASSWORD=*** psql -c x"),
            ("PGPASSWORD=a' b'\"c d\" psql -c 'x'", "PGPASSWORD=*** psql -c 'x'"),
            ("export A_TOKEN=x; run y", "export A_TOKEN=***; run y"),
            ("A_TOKEN=x && run y", "A_TOKEN=*** && run y"),
            ("A_TOKEN=$(echo hunter2 | base64 -d) run y", "A_TOKEN=*** run y"),
            ("A_TOKEN=`echo hunter2` run y", "A_TOKEN=*** run y"),
            ("A_TOKEN=\"$(echo \"hunter 2\")\" run y", "A_TOKEN=*** run y"),
            ("docker run -e PGPASSWORD=x img y", "docker run -e PGPASSWORD=*** img y"),
            ("docker run --env=PGPASSWORD=x img y", "docker run --env=PGPASSWORD=*** img y"),
            ("docker run -e \"PGPASSWORD=a b\" img y", "docker run -e \"PGPASSWORD=***\" img y"),
            ("docker run -e 'PGPASSWORD=it'\\''s b' img y", "docker run -e 'PGPASSWORD=***' img y"),
            ("sh -c 'PGPASSWORD=x psql' y", "sh -c 'PGPASSWORD=*** psql' y"),
            ("sh -c 'cd a && PGPASSWORD=\"a b\" psql' y", "sh -c 'cd a && PGPASSWORD=*** psql' y"),
            ("psql 'host=h password=hunter2 dbname=d' -c x", "psql 'host=h password=*** dbname=d' -c x"),
            ("[env, PGPASSWORD=a b, psql]", "[env, PGPASSWORD=***, psql]"),
            ("[env, \"PGPASSWORD=a, b\", psql]", "[env, \"PGPASSWORD=***\", psql]"),
            ("password = hunter 2", "password = ***"),
            ("pass\u{2003}: hunter 2", "pass\u{2003}: ***"),
            ("A=b;Pwd=hunter 2;C=d", "A=b;Pwd=***"),
            ("curl -d 'user=a&password=b c' h x", "curl -d 'user=a&password=***' h x"),
            ("curl -d user=a&password=b h x", "curl -d user=a&password=*** h x"),
            ("az x --account-key hunter2 --access-key=hunter2 y", "az x --account-key *** --access-key=*** y"),
            ("PASSWORD='hunter 2", "PASSWORD=***"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }

    #[test]
    fn of_a_flag_the_value_alone_is_masked() {
        for (line, shown) in [
            ("run --password a,b] c", "run --password *** c"),
            ("run --password='a b'c d", "run --password=*** d"),
            ("run --password 'a' 'b'", "run --password *** 'b'"),
            ("run '--password=a b' c", "run '--password=***' c"),
            ("run '--token' 'a b' c", "run '--token' *** c"),
            ("[run, \"--token=a b\", c]", "[run, \"--token=***\", c]"),
            ("[run, --token, a b, c]", "[run, --token, ***, c]"),
            ("[run, --token, \"a, b\", c]", "[run, --token, ***, c]"),
            ("[run, --token=a b, c]", "[run, --token=***, c]"),
            ("run --token \"a b", "run --token ***"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }

    #[test]
    fn where_a_secret_is_is_no_secret() {
        for line in [
            "docker login --password-stdin h",
            "run --password-file /run/x y",
            "run --password-file=/run/x y",
            "run --token-file /run/x y",
            "run --pass-file /run/x y",
            "restic --password-command 'pass show x' backup y",
            "gpg --passphrase-fd 0 -d a",
            "gpg --passphrase-file a -d b",
            "[run, --password-file, /run/x, y]",
            "PGPASSFILE=/run/x psql y",
            "POSTGRES_PASSWORD_FILE=/run/x y",
            "run --with-token < file",
            "run --show-token | cat",
            "run --no-password && x",
            "psql --no-password -c x",
            "mysql --skip-password db",
        ] {
            assert_eq!(masked_line(line), line);
        }
    }
}
