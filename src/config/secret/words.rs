//! Reads a command as words: as a shell does, or element by element where it is a list.
//!
//! A command may stand in quotes, as in `sh -c '…'`: these end it, and `\"` and `'\''` are the quotes inside it.
//!
//! Holds always: in doubt a word is longer, never shorter.

use std::ops::Range;

/// What opens a quote and closes it.
pub type Quote = &'static str;

/// All of them, the longest first. Of those of several characters, the last one is the quote that they stand in.
const QUOTES: [Quote; 6] = [r"'\''", r#"\""#, "''", "'", "\"", "`"];

/// How many `$(…)` inside one another are told apart.
const DEEPEST: usize = 8;

/// Says which quotes stand open at places of a line, which are asked for in ascending order.
pub struct Quotes<'a> {
    line: &'a str,
    at: usize,
    open: Vec<Quote>,
}

impl<'a> Quotes<'a> {
    pub fn of(line: &'a str) -> Quotes<'a> {
        Quotes { line, at: 0, open: Vec::new() }
    }

    /// The quotes that stand open before byte `place`, outermost first.
    pub fn at(&mut self, place: usize) -> &[Quote] {
        while self.at < place {
            let rest = &self.line[self.at..];
            let is_literal = self.open.last() == Some(&"'");
            self.at += match quote_at(rest, &self.open) {
                Some(quote) => {
                    match self.open.iter().position(|open| *open == quote) {
                        Some(outer) => self.open.truncate(outer),
                        None => self.open.push(quote),
                    }
                    quote.len()
                }
                None if rest.starts_with('\\') && !is_literal => escaped(rest),
                None => first(rest),
            };
        }
        &self.open
    }
}

/// The words of the command whose program's name ends at `from`, without quotes around them. Those inside a quoted word follow it.
pub fn of_command(line: &str, from: usize, open: &[Quote]) -> Vec<Range<usize>> {
    let rest = &line[from..];
    // The program's name may stand in quotes of its own.
    let (open, from) = match quote_at(rest, &[]) {
        Some(quote) if open.last() == Some(&quote) => (&open[..open.len() - 1], from + quote.len()),
        Some(quote) => (open, from + quote.len()),
        None => (open, from),
    };
    let after = line[from..].trim_start();
    match after.starts_with(',') {
        true => elements(line, line.len() - after.len(), open),
        false => shell_words(line, from, open),
    }
}

fn shell_words(line: &str, from: usize, open: &[Quote]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = from;
    loop {
        let rest = &line[at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
        at += blank;
        if let Some(goes_on) = line[at..].strip_prefix("\\\n") {
            at = line.len() - goes_on.len();
            continue;
        }
        let end = end_of_word(line, at, open, ";|&");
        if end == at {
            return words;
        }
        push(&mut words, line, at..end);
        at = end;
    }
}

/// Adds a word, and those inside it.
fn push(words: &mut Vec<Range<usize>>, line: &str, word: Range<usize>) {
    let word = unquoted(line, word);
    words.push(word.clone());
    words.extend(inner(line, word));
}

/// The words inside a word that has several.
fn inner(line: &str, word: Range<usize>) -> Vec<Range<usize>> {
    let text = &line[word.clone()];
    let mut words = Vec::new();
    if !text.contains(char::is_whitespace) {
        return words;
    }
    let is_between = |c: char| c.is_whitespace() || ";|&".contains(c);
    let text = &line[..word.end];
    let mut at = word.start;
    loop {
        at = text.len() - text[at..].trim_start_matches(is_between).len();
        let end = end_of_word(text, at, &[], ";|&");
        if end == at || (at..end) == word {
            return words;
        }
        words.push(unquoted(text, at..end));
        at = end;
    }
}

fn elements(line: &str, from: usize, open: &[Quote]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = from;
    loop {
        let rest = line[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        at = line.len() - rest.len();
        let end = end_of_element(line, at, open);
        if end == at {
            return words;
        }
        push(&mut words, line, at..end);
        at = end;
    }
}

/// Where the word of a shell ends that begins at `start`: at a space, one of `stops`, or the end of a quote that stands open.
pub fn end_of_word(line: &str, start: usize, open: &[Quote], stops: &str) -> usize {
    let mut at = start;
    let mut before = ' ';
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let next = match quote_at(rest, open) {
            Some(quote) if open.contains(&quote) && is_end(quote, &rest[quote.len()..]) => return at,
            Some(quote) => after_quote(line, at + quote.len(), quote, 0),
            None if rest.starts_with("\\\n") => return at,
            None if c == '\\' => at + escaped(rest),
            None if rest.starts_with("$(") => after_parenthesis(line, at + 2, 0),
            None if c == '&' && (before == '>' || rest[1..].starts_with('>')) => at + 1,
            None if c.is_whitespace() || stops.contains(c) => return at,
            None => at + c.len_utf8(),
        };
        at = next;
        before = c;
    }
    at
}

/// Where the element of a list ends that begins at `start`; quotes around it are part of it.
pub fn end_of_element(line: &str, start: usize, open: &[Quote]) -> usize {
    let rest = &line[start..];
    if let Some(quote) = quote_at(rest, open) {
        let content = start + quote.len();
        return end_of_quoted(line, content, quote).map_or(line.len(), |end| end + quote.len());
    }
    let is_end = |(at, c): &(usize, char)| {
        let after = rest[at + c.len_utf8()..].chars().next();
        *c == ',' || ")]}".contains(*c) && after.is_none_or(|c| c.is_whitespace() || ",]}\"'`#".contains(c))
    };
    let end = rest.char_indices().find(is_end).map_or(rest.len(), |(at, _)| at);
    start + rest[..end].trim_end().len()
}

/// Where what stands in a quote ends, of which the rest begins at `from`.
pub fn end_of_quoted(line: &str, from: usize, quote: Quote) -> Option<usize> {
    let mut at = from;
    while at < line.len() {
        let rest = &line[at..];
        at += match quote {
            "'" if rest.starts_with(r"'\''") => 4,
            "'" if rest.starts_with("''") => 2,
            r#"\""# if rest.starts_with(r#"\\\""#) => 4,
            _ if rest.starts_with(quote) => return Some(at),
            "\"" | "`" if rest.starts_with('\\') => escaped(rest),
            _ => first(rest),
        };
    }
    None
}

/// What stands in quotes with escapes in it, without these, and of which byte of the line each of its bytes is, and its end.
pub fn unescaped(line: &str) -> Vec<(String, Vec<usize>)> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(found) = line[at..].find(['"', '\'', '\\']) {
        at += found;
        let quote = match line.as_bytes()[at] {
            b'"' => "\"",
            b'\'' => "'",
            _ => {
                at += escaped(&line[at..]);
                continue;
            }
        };
        let end = end_of_quoted(line, at + 1, quote).unwrap_or(line.len());
        if line[at + 1..end].contains(['\\', '\'']) {
            all.push(without_escapes(line, at + 1..end, quote));
        }
        at = (end + 1).min(line.len());
    }
    all
}

fn without_escapes(line: &str, range: Range<usize>, quote: Quote) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut places = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let rest = &line[at..range.end];
        let skipped = match quote {
            "'" if rest.starts_with(r"'\''") => 3,
            "'" if rest.starts_with("''") => 1,
            "\"" if rest.starts_with('\\') && rest.len() > 1 => 1,
            _ => 0,
        };
        let length = first(&rest[skipped..]);
        text.push_str(&rest[skipped..skipped + length]);
        places.extend((0..length).map(|byte| if byte == 0 { at } else { at + skipped + byte }));
        at += skipped + length;
    }
    places.push(range.end);
    (text, places)
}

/// A word without the quotes around it.
pub fn unquoted(line: &str, word: Range<usize>) -> Range<usize> {
    let text = &line[word.clone()];
    let Some(quote) = [r"'\''", r#"\""#, "'", "\""].into_iter().find(|quote| text.starts_with(quote)) else {
        return word;
    };
    match text.len() >= 2 * quote.len() && text.ends_with(quote) {
        true => word.start + quote.len()..word.end - quote.len(),
        false => word.start + quote.len()..word.end,
    }
}

fn quote_at(text: &str, open: &[Quote]) -> Option<Quote> {
    let is_one =
        |quote: &Quote| text.starts_with(quote) && (quote.len() == 1 || open.contains(&&quote[quote.len() - 1..]));
    QUOTES.into_iter().find(is_one)
}

/// Whether a quote that stands open ends where this follows: an apostrophe may have opened it.
fn is_end(quote: Quote, after: &str) -> bool {
    quote == "`" || after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || ",;|&)]}#\"'`\\".contains(c))
}

/// What follows a quote that is opened before `from`; the end of the line where nothing closes it.
fn after_quote(line: &str, from: usize, quote: Quote, depth: usize) -> usize {
    let mut at = from;
    while at < line.len() {
        let rest = &line[at..];
        at = match quote {
            "\"" if rest.starts_with("$(") => after_parenthesis(line, at + 2, depth + 1),
            r#"\""# if rest.starts_with(r#"\\\""#) => at + 4,
            _ if rest.starts_with(quote) => return at + quote.len(),
            "\"" | "`" if rest.starts_with('\\') => at + escaped(rest),
            _ => at + first(rest),
        };
    }
    line.len()
}

/// What follows the parenthesis that is opened before `from`; the end of the line where nothing closes it.
fn after_parenthesis(line: &str, from: usize, depth: usize) -> usize {
    let mut at = from;
    let mut opened = 1;
    while at < line.len() && depth < DEEPEST {
        let rest = &line[at..];
        at = match rest.as_bytes()[0] {
            b'\'' => after_quote(line, at + 1, "'", depth),
            b'"' => after_quote(line, at + 1, "\"", depth),
            b'\\' => at + escaped(rest),
            b')' if opened == 1 => return at + 1,
            b')' => {
                opened -= 1;
                at + 1
            }
            b'(' => {
                opened += 1;
                at + 1
            }
            _ => at + first(rest),
        };
    }
    line.len()
}

fn first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// The bytes of a backslash and the character behind it.
fn escaped(text: &str) -> usize {
    1 + first(&text[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_words() {
        for (line, words) in [
            ("p a 'b c'd \"e f\" g\\ h; i", &["a", "b c'd", "b", "c'd", "e f", "e", "f", "g\\ h"][..]),
            ("p 2>&1 a &>b & c", &["2>&1", "a", "&>b"]),
            ("p a \\\n b\nc", &["a", "b"]),
            ("p a$(b \"c )\" (d) e)f g", &["a$(b \"c )\" (d) e)f", "g"]),
            ("p, a b, 'c, ''d', \"e\\\"\", f] # g", &["a b", "a", "b", "c, ''d", "c,", "'d", "e\\\"", "f"]),
            ("p a 'b c", &["a", "b c", "b", "c"]),
            ("p \u{e9}\u{301} \u{2003}a", &["\u{e9}\u{301}"]),
        ] {
            let found: Vec<&str> = of_command(line, 1, &[]).into_iter().map(|word| &line[word]).collect();
            assert_eq!(found, words, "{line}");
        }
    }

    #[test]
    fn a_command_ends_with_the_quote_that_it_stands_in() {
        for (line, words) in [
            ("sh -c 'p a'\\''b c'\\'' d' e", &["a'\\''b c'\\''", "d"][..]),
            ("sh -c \"p a\\\"b c\\\" d\" e", &["a\\\"b c\\\"", "a\\\"b", "c\\\"", "d"]),
            ("x \"y 'p a' b\" c", &["a"]),
            ("x `p a`b", &["a"]),
            ("\"p\" a", &["a"]),
            ("it's p 'a b'", &["a b", "a", "b"]),
        ] {
            let at = line.find('p').unwrap();
            let open = Quotes::of(line).at(at).to_vec();
            let found: Vec<&str> = of_command(line, at + 1, &open).into_iter().map(|word| &line[word]).collect();
            assert_eq!(found, words, "{line}");
        }
    }

    #[test]
    fn no_depth_is_too_deep() {
        let line = "$(\"".repeat(100_000);
        assert_eq!(end_of_word(&line, 0, &[], ""), line.len());
    }
}
