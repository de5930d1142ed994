//! Reads the text of an env file: `NAME=value` lines as dotenv files have them.
//!
//! `export` before a name and `#` comments are passed over. A value is bare (to the end of the line or ` #`, spaces around
//! it cut), in single quotes (as it stands) or in double quotes (`\n`, `\t`, `\r`, `\"`, `\\`, `\$`); quoted ones may have
//! several lines. `${…}` is filled in but in single quotes; a bare `$` is text. Of two values of a name the last counts.
//!
//! Holds always: a message names a variable at most, never a value.

use super::environment::Environment;
use super::interpolate;

/// What is wrong at a byte of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: usize,
    /// The variable whose value it is in, and the byte where its name stands; none where there is no `=` before it.
    pub(super) of: Option<(String, usize)>,
    pub(super) message: String,
    pub(super) help: String,
    /// It is that a variable is not set.
    pub(super) is_unset: bool,
}

const LINE_HELP: &str = "write `NAME=value`, or begin the line with `#`";

/// The variables of a text in their order, each filled in from `environment` and those before it.
///
/// # Errors
/// All mistakes; after a quote that is never closed nothing more is read.
pub(super) fn parse(text: &str, environment: &Environment) -> Result<Vec<(String, String)>, Vec<Mistake>> {
    let mut scan = Scan { text, at: 0, known: environment.clone() };
    let (mut variables, mut mistakes) = (Vec::new(), Vec::new());
    while scan.at < text.len() {
        match scan.line() {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                scan.known.set(&name, &value);
                variables.push((name, value));
            }
            Err(mistake) => {
                mistakes.push(mistake);
                scan.skip_line();
            }
        }
    }
    if mistakes.is_empty() { Ok(variables) } else { Err(mistakes) }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    known: Environment,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r']).len();
    }

    /// Reads a line, or several where a quoted value has them; none where it has no variable.
    fn line(&mut self) -> Result<Option<(String, String)>, Mistake> {
        self.skip_blanks();
        if self.rest().is_empty() || self.rest().starts_with(['\n', '#']) {
            self.skip_line();
            return Ok(None);
        }
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with([' ', '\t'])
        {
            self.at += "export".len();
            self.skip_blanks();
        }
        let start = self.at;
        let length = self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-'));
        let name = &self.rest()[..length.unwrap_or(self.rest().len())];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(mistake(start, "this is no name of a variable", LINE_HELP));
        }
        self.at += name.len();
        self.skip_blanks();
        if !self.rest().starts_with('=') {
            return Err(mistake(self.at, "no `=` follows the name of a variable", LINE_HELP));
        }
        self.at += 1;
        self.skip_blanks();
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(name, quote),
            _ => self.bare(),
        };
        let value = value.map_err(|found| Mistake { of: Some((name.to_owned(), start)), ..found })?;
        if value.contains('\0') {
            return Err(mistake(start, format!("the value of `{name}` contains a NUL byte"), "leave it out"));
        }
        Ok(Some((name.to_owned(), value)))
    }

    fn bare(&mut self) -> Result<String, Mistake> {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let comment = line.char_indices().find(|(at, c)| *c == '#' && (*at == 0 || line[..*at].ends_with([' ', '\t'])));
        let written = line[..comment.map_or(line.len(), |(at, _)| at)].trim_end();
        let value = self.filled(written, self.at)?;
        self.skip_line();
        Ok(value)
    }

    fn quoted(&mut self, name: &str, quote: char) -> Result<String, Mistake> {
        let open = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                let help = format!("close it with `{quote}`");
                return Err(mistake(open, format!("the quote of `{name}` is never closed"), help));
            };
            match c {
                _ if c == quote => break,
                '\\' if quote == '"' => {
                    let (text, length) = escape(&self.rest()[1..]);
                    value.push_str(text);
                    self.at += 1 + length;
                }
                '$' if quote == '"' && self.rest().starts_with("${") => {
                    let length = interpolate::closing(self.rest(), 0).map_err(|found| of(found, self.at))? + 1;
                    value.push_str(&self.filled(&self.rest()[..length], self.at)?);
                    self.at += length;
                }
                _ => {
                    value.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.at += 1;
        self.skip_blanks();
        if !(self.rest().is_empty() || self.rest().starts_with(['\n', '#'])) {
            let help = "put the quotes around the whole value";
            return Err(mistake(self.at, format!("something follows the quoted value of `{name}`"), help));
        }
        self.skip_line();
        Ok(value)
    }

    fn filled(&self, written: &str, at: usize) -> Result<String, Mistake> {
        match interpolate::expand(written, &self.known) {
            Ok(expanded) => Ok(expanded.text.into_owned()),
            Err(found) => Err(of(found, at)),
        }
    }
}

/// What an escape in double quotes stands for, and how many bytes follow its backslash.
fn escape(after: &str) -> (&str, usize) {
    match after.chars().next() {
        Some('n') => ("\n", 1),
        Some('t') => ("\t", 1),
        Some('r') => ("\r", 1),
        Some('\n') => ("", 1),
        Some('"' | '\\' | '$' | '\'' | '`') => (&after[..1], 1),
        _ => ("\\", 0),
    }
}

fn mistake(at: usize, message: impl Into<String>, help: impl Into<String>) -> Mistake {
    Mistake { at, of: None, message: message.into(), help: help.into(), is_unset: false }
}

/// A mistake of filling in. It names a variable, or tells what `:?` says, which is there to be told.
fn of(found: interpolate::Mistake, at: usize) -> Mistake {
    Mistake { is_unset: found.is_unset, ..mistake(at + found.at, found.message, found.help.unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::of([("HOST", "db"), ("EMPTY", "")])
    }

    #[test]
    fn values_are_read_as_dotenv_files_have_them() {
        for (text, value) in [
            ("A=1", "1"),
            ("  export\tA = 1  ", "1"),
            ("A=", ""),
            ("A=a b # c", "a b"),
            ("A=a#b", "a#b"),
            ("A=# c", ""),
            ("A='a # ${HOST}\\n'", "a # ${HOST}\\n"),
            ("A=\"a\\n\\t\\\"\\\\\\$x\\d\" # c", "a\n\t\"\\$x\\d"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("A='one\r\ntwo'\r\n", "one\r\ntwo"),
            ("A=${HOST}:${NO:-5432}/$x", "db:5432/$x"),
            ("A=\"${HOST}\\${HOST}\"", "db${HOST}"),
            ("B=${HOST}\nA=${B}${B}", "dbdb"),
            ("HOST=x${HOST}\nA=${HOST}", "xdb"),
            ("A=1\nA=2", "2"),
            ("# c\n\n \t\nA=é", "é"),
        ] {
            let variables = parse(text, &environment()).unwrap_or_else(|found| panic!("{text}: {found:?}"));
            assert_eq!(variables.last(), Some(&("A".to_owned(), value.to_owned())), "{text}");
        }
        assert_eq!(parse("", &environment()), Ok(vec![]));
    }

    #[test]
    fn every_mistake_is_found_where_it_stands() {
        for (text, expected) in [
            ("A\nB=1\n= 2", vec![(1, "no `=` follows the name of a variable"), (6, "this is no name of a variable")]),
            ("A=\"x", vec![(2, "the quote of `A` is never closed")]),
            (
                "A='x' y\nB 1",
                vec![(6, "something follows the quoted value of `A`"), (10, "no `=` follows the name of a variable")],
            ),
            ("A=x${NO}", vec![(3, "the variable `NO` is not set")]),
            ("A=\"x${NO}\"", vec![(4, "the variable `NO` is not set")]),
            ("A=\"x${NO\"", vec![(4, "`${` is never closed")]),
            ("1A=x", vec![(0, "this is no name of a variable")]),
        ] {
            let found = parse(text, &environment()).unwrap_err();
            let found: Vec<_> = found.iter().map(|mistake| (mistake.at, mistake.message.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
