//! Parts a shell line into its simple commands, without the words of the shell that stand around them.
//!
//! Gives for each command its words and how it hangs together with the one before and the one behind; `name` finds what a line
//! is called after, `glue` what a line does for itself that tickward has keys for. Nothing is rewritten by what is found here,
//! so a line that `shell` does not part is parted at its operators, roughly.
//!
//! Holds always: a word of the shell (`for`, `then`, `!`) is no command's first word; any text is parted without a failure.

use super::shell::{Kind, pieces};

/// Commands that prepare something, ask for something or leave, and are not what a line is for.
const BEFORE: [&str; 31] = [
    "cd", "pushd", "popd", "test", "[", "[[", "sleep", "export", ".", "source", "umask", "set", "shopt", "command",
    "ulimit", "true", "false", ":", "date", "echo", "mkdir", "exit", "return", "break", "continue", "trap", "wait",
    "read", "unset", "local", "shift",
];

/// Commands that ask whether what stands behind `&&`, `||` or `then` is wanted.
const GUARDS: [&str; 6] = ["pgrep", "pidof", "mountpoint", "which", "type", "hash"];

/// Commands that ask whether another host or server is there: they wait for it in a loop.
const WAITERS: [&str; 4] = ["ping", "nc", "pg_isready", "mysqladmin"];

/// Words of the shell behind which a command begins.
const LEADING: [&str; 10] = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"];

/// Words of the shell that end something.
const ENDING: [&str; 4] = ["done", "fi", "esac", "}"];

/// A simple command of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple<'l> {
    /// Its words as they stand there, without redirections.
    pub words: Vec<&'l str>,
    /// The words of the shell directly before it.
    pub leading: Vec<&'l str>,
    /// What stands between it and the one before.
    pub before: Joint,
    /// What stands between it and the one behind.
    pub after: Joint,
    /// Under which circumstances the parentheses, braces and blocks around it are reached.
    pub within: Option<Joint>,
}

/// What stands between two commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joint {
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// Anything else, or nothing.
    #[default]
    Next,
}

impl Simple<'_> {
    /// Whether it, whose program is `program`, is not what a line is for.
    pub fn is_before(&self, program: &str) -> bool {
        let is_asked = self.after == Joint::And || self.is_condition();
        BEFORE.contains(&program)
            || WAITERS.contains(&program) && is_asked
            || GUARDS.contains(&program) && (is_asked || self.after == Joint::Or)
            || self.words.last() == Some(&"]]")
    }

    /// Whether it is asked by `if`, `while` or `until`.
    pub fn is_condition(&self) -> bool {
        self.leading.iter().any(|word| ["if", "elif", "while", "until"].contains(word))
    }
}

/// The simple commands of a line, in its order.
pub fn commands(line: &str) -> Vec<Simple<'_>> {
    let mut reading = Reading::default();
    for token in tokens(line) {
        match token {
            Token::Word(word) => reading.word(word),
            Token::Operator(operator) => reading.operator(operator),
        }
    }
    reading.end(Joint::Next);
    reading.found
}

#[derive(Clone, Copy)]
enum Token<'l> {
    Word(&'l str),
    Operator(&'l str),
}

fn tokens(line: &str) -> Vec<Token<'_>> {
    let Some(pieces) = pieces(line) else { return roughly(line) };
    let pieces = pieces.into_iter().filter(|piece| piece.kind != Kind::Redirection);
    pieces
        .map(|piece| if piece.kind == Kind::Word { Token::Word(piece.text) } else { Token::Operator(piece.text) })
        .collect()
}

/// The tokens of a line that is not simple, quotes and redirections not heeded.
fn roughly(line: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['|', ';', '&', '(', ')', '\n']) {
        found.extend(rest[..at].split_whitespace().map(Token::Word));
        let is_double = ["&&", "||"].iter().any(|double| rest[at..].starts_with(double));
        let end = at + if is_double { 2 } else { 1 };
        found.push(Token::Operator(&rest[at..end]));
        rest = &rest[end..];
    }
    found.extend(rest.split_whitespace().map(Token::Word));
    found
}

#[derive(Default)]
struct Reading<'l> {
    found: Vec<Simple<'l>>,
    /// The command whose words are being read.
    open: Simple<'l>,
    /// How each of the blocks is reached that are open here.
    blocks: Vec<Joint>,
    /// What is passed over.
    header: Header,
    /// Whether the last token was `;`.
    after_semicolon: bool,
}

/// The beginning of a compound command, which holds no command.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Header {
    #[default]
    None,
    /// Up to `do`.
    Loop,
    /// Up to `)`.
    Pattern,
}

impl<'l> Reading<'l> {
    fn word(&mut self, word: &'l str) {
        self.after_semicolon = false;
        let is_first = self.open.words.is_empty();
        match (self.header, word) {
            (Header::Loop, "do") => self.header = Header::None,
            (Header::Pattern, "esac") => return self.header = Header::None,
            (Header::Loop, _) => {}
            (Header::Pattern, _) => return,
            (Header::None, "for" | "select") if is_first => self.header = Header::Loop,
            (Header::None, "case") if is_first => return self.header = Header::Pattern,
            (Header::None, _) if is_first && ENDING.contains(&word) => {
                if word == "fi" || word == "}" {
                    self.blocks.pop();
                }
                return;
            }
            (Header::None, _) if is_first && LEADING.contains(&word) => self.lead(word),
            (Header::None, _) => return self.open.words.push(word),
        }
        self.open.leading.push(word);
    }

    /// Opens and ends the blocks that a leading word opens and ends.
    fn lead(&mut self, word: &str) {
        if word == "else" || word == "elif" {
            self.blocks.pop();
        }
        match word {
            "then" | "else" => self.blocks.push(Joint::And),
            "{" => self.blocks.push(self.open.before),
            _ => {}
        }
    }

    fn operator(&mut self, operator: &str) {
        if std::mem::replace(&mut self.after_semicolon, operator == ";") && operator == ";" {
            self.header = Header::Pattern;
        }
        match (self.header, operator) {
            (Header::Pattern, ")") => self.header = Header::None,
            (Header::Loop | Header::Pattern, _) => {}
            (_, "\n") if self.open.words.is_empty() => {}
            (_, "(") => {
                self.end(self.open.before);
                self.blocks.push(self.open.before);
            }
            (_, ")") => {
                self.end(Joint::Next);
                self.blocks.pop();
            }
            (_, "&&") => self.end(Joint::And),
            (_, "||") => self.end(Joint::Or),
            (_, "|" | "|&") => self.end(Joint::Pipe),
            _ => self.end(Joint::Next),
        }
    }

    /// Ends the open command at a joint.
    fn end(&mut self, joint: Joint) {
        let within = self.blocks.iter().rev().copied().find(|reached| matches!(reached, Joint::And | Joint::Or));
        let open = std::mem::replace(&mut self.open, Simple { before: joint, ..Simple::default() });
        if !open.words.is_empty() {
            self.found.push(Simple { after: joint, within, ..open });
        }
    }
}

/// What stands for the result of another command: it says nothing.
pub const PUT_IN: &str = "_";

/// The line with `_` in the place of what commands within it put in, and of dollar signs within double quotes.
pub fn without_expansions(line: &str) -> String {
    let (mut plain, mut quoted) = (String::new(), false);
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' if !quoted => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '`' => rest[1..].find('`').map_or(rest.len(), |end| end + 2),
            '$' if rest[1..].starts_with('(') => 1 + in_parentheses(&rest[1..]),
            c => c.len_utf8(),
        };
        let is_put_in = c == '`' || c == '$' && (length > 1 || quoted) || c == '\\' && quoted;
        plain.push_str(if is_put_in { PUT_IN } else { &rest[..length] });
        quoted ^= c == '"';
        rest = &rest[length..];
    }
    plain
}

/// The length of what stands in parentheses, others within it included.
fn in_parentheses(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return at + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_into_its_commands() {
        for (line, parted) in [
            ("a b && c || d | e; f", "; a b  && c  || d  | e  ; f"),
            ("for i in 1 2; do a && break; sleep 9; done || b", "; <for i in 1 2 do> a  && break  ; sleep 9  || b"),
            ("if ! a; then b; else c; fi; d", "; <if !> a  ; in && <then> b  ; in && <else> c  ; d"),
            ("a || { b; c; } && d", "; a  || in || <{> b  ; in || c  && d"),
            ("a && (b || c); d", "; a  && in && b  || in && c  ; d"),
            ("case x in a|b) c;; d) e;; esac; f", "; c  ; e  ; f"),
            ("while\n! a > x\ndo\nb &\ndone < y", "; <while !> a  ; <do> b"),
            ("a \"b || (c", "; a \"b  || in || c"),
            ("done; fi; } ) ) ; do then a", "; in && <do then> a"),
        ] {
            assert_eq!(shown(line), parted, "{line}");
        }
    }

    /// Each command with how it is joined before it, and what leads it or it is within in brackets.
    fn shown(line: &str) -> String {
        let sign = |joint: Joint| match joint {
            Joint::And => "&&",
            Joint::Or => "||",
            Joint::Pipe => "|",
            Joint::Next => ";",
        };
        let one = |command: &Simple<'_>| {
            let within = command.within.map(|within| format!("in {} ", sign(within))).unwrap_or_default();
            let leading = command.leading.join(" ");
            let leading = if leading.is_empty() { leading } else { format!("<{leading}> ") };
            format!("{} {within}{leading}{}", sign(command.before), command.words.join(" "))
        };
        commands(line).iter().map(one).collect::<Vec<_>>().join("  ")
    }
}
