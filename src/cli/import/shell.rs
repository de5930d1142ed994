//! Parts a shell line into words, redirections and what stands between commands.
//!
//! Knows just enough of sh(1) to say that a line is simple. Whatever is not simple (here-documents, expansions within
//! double quotes, quotes that are never closed) is not parted at all, and then nobody rewrites it.
//!
//! Holds always: the pieces are in the order of the line and do not overlap; between them is nothing but blanks.

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'l> {
    /// What it is.
    pub kind: Kind,
    /// As it stands there.
    pub text: &'l str,
    /// The byte of the line where it begins.
    pub start: usize,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word, quotes and expansions included.
    Word,
    /// `> file`, `2>&1` and the like, with the target.
    Redirection,
    /// `&&`
    And,
    /// `|`
    Pipe,
    /// `;`, `||`, a line feed, parentheses: after these other rules hold.
    Other,
    /// `&`
    Background,
}

impl Piece<'_> {
    /// The byte of the line behind it.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is a word that stands for itself in every shell.
    pub fn is_plain(&self) -> bool {
        self.kind == Kind::Word && self.text.chars().all(|c| c.is_ascii_alphanumeric() || "_./:=,@%+-".contains(c))
    }

    /// The text of a word without quotes, if nothing in it needs a shell.
    pub fn plain(&self) -> Option<&str> {
        let inner = |quote: char| self.text.strip_prefix(quote)?.strip_suffix(quote);
        if self.is_plain() {
            return Some(self.text);
        }
        let inside = match inner('\'') {
            Some(inside) => inside,
            None => inner('"').filter(|inside| !inside.contains(['$', '`', '\\']))?,
        };
        (self.kind == Kind::Word && !inside.contains(['\'', '"'])).then_some(inside)
    }
}

/// The pieces of a line; none where it is not simple.
pub fn pieces(line: &str) -> Option<Vec<Piece<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..].len() - line[at..].trim_start_matches([' ', '\t']).len();
        let rest = &line[at..];
        let Some(first) = rest.chars().next() else { return Some(found) };
        if first == '#' {
            return Some(found);
        }
        let (kind, length) = match redirection(rest) {
            Some(length) => (Kind::Redirection, length?),
            None => match operator(rest) {
                Some(operator) => operator,
                None => (Kind::Word, word(rest)?),
            },
        };
        found.push(Piece { kind, text: &rest[..length], start: at });
        at += length;
    }
}

fn operator(rest: &str) -> Option<(Kind, usize)> {
    let known = [
        ("&&", Kind::And),
        ("||", Kind::Other),
        ("|&", Kind::Pipe),
        ("|", Kind::Pipe),
        ("&", Kind::Background),
        (";", Kind::Other),
        ("\n", Kind::Other),
        ("(", Kind::Other),
        (")", Kind::Other),
    ];
    known.iter().find(|(text, _)| rest.starts_with(text)).map(|(text, kind)| (*kind, text.len()))
}

/// The length of a redirection and its target; inner none where it is not simple. Outer none where it is no redirection.
fn redirection(rest: &str) -> Option<Option<usize>> {
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let operators = ["&>>", "&>", "<<", ">>", ">&", "<&", ">|", "<>", ">", "<"];
    let operator = operators.iter().find(|operator| rest[digits..].starts_with(**operator))?;
    if operator.starts_with('&') && digits > 0 {
        return None;
    }
    if *operator == "<<" {
        return Some(None);
    }
    let mut at = digits + operator.len();
    at += rest[at..].len() - rest[at..].trim_start_matches([' ', '\t']).len();
    Some(word(&rest[at..]).filter(|length| *length > 0).map(|length| at + length))
}

/// The length of the word at the beginning; none where it is not simple.
fn word(rest: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        at += match c {
            ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => return Some(at),
            '\\' => 1 + rest[at + 1..].chars().next()?.len_utf8(),
            '\'' => rest[at + 1..].find('\'')? + 2,
            '"' => double_quoted(&rest[at..])?,
            '`' => rest[at + 1..].find('`')? + 2,
            '$' if rest[at + 1..].starts_with(['(', '{', '[']) => 1 + bracketed(&rest[at + 1..])?,
            c => c.len_utf8(),
        };
    }
    Some(at)
}

/// The length of a text in double quotes; none where something is expanded by a command in it.
fn double_quoted(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            '`' if !escaped => return None,
            '(' | '{' if !escaped && rest[..at].ends_with('$') => return None,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// The length of what stands between brackets that may hold others; none where there are quotes in it.
fn bracketed(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            '\'' | '"' | '`' | '\\' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_lines_are_parted_as_the_shell_parts_them() {
        for (line, parted) in [
            ("cd /srv && ./x 'a b' >> log 2>&1", "w:cd w:/srv a:&& w:./x w:'a b' r:>> log r:2>&1"),
            ("a|b&", "w:a p:| w:b b:&"),
            ("a; (b) || c # d", "w:a o:; o:( w:b o:) o:|| w:c"),
            (
                "x $((RANDOM % 60)) ${A:-b c} `d e` \\; 2>/dev/null",
                "w:x w:$((RANDOM % 60)) w:${A:-b c} w:`d e` w:\\; r:2>/dev/null",
            ),
            ("x a#b &> /dev/null", "w:x w:a#b r:&> /dev/null"),
            ("", ""),
        ] {
            let shown = |piece: &Piece<'_>| {
                let kind = match piece.kind {
                    Kind::Word => 'w',
                    Kind::Redirection => 'r',
                    Kind::And => 'a',
                    Kind::Pipe => 'p',
                    Kind::Other => 'o',
                    Kind::Background => 'b',
                };
                format!("{kind}:{}", piece.text)
            };
            let found = pieces(line).unwrap();
            assert_eq!(found.iter().map(shown).collect::<Vec<_>>().join(" "), parted, "{line}");
        }
    }

    #[test]
    fn what_is_not_simple_is_not_parted() {
        for line in ["a 'b", "a \"$(b \"c\")\"", "cat << x", "a \\", "$(a 'b')", "$(", "a >"] {
            assert_eq!(pieces(line), None, "{line}");
        }
    }
}
