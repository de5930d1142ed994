//! Names the program that a shell line begins with, where that is beyond doubt.
//!
//! Holds always: in doubt there is none. What the shell does itself is no program.

use std::path::PathBuf;

/// What sh(1) and bash(1) do themselves.
const BUILT_IN: [&str; 81] = [
    ".",
    ":",
    "[",
    "{",
    "!",
    "(",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "sleep",
    "source",
    "suspend",
    "test",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
    "do",
    "done",
    "elif",
    "else",
    "esac",
    "fi",
    "then",
];

/// Shells whose lines are read here.
const SHELLS: [&str; 4] = ["sh", "dash", "ash", "bash"];

/// A program as a line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its name or path.
    pub program: String,
    /// The folder that the line has gone into before, relative to where it began.
    pub folder: PathBuf,
}

/// What `line` begins with, after any `cd FOLDER &&`.
pub fn begin(line: &str) -> Option<Begun> {
    let mut rest = line.trim_start();
    let mut folder = Some(PathBuf::new());
    while let Some(after) = rest.strip_prefix("cd").filter(|after| after.starts_with([' ', '\t'])) {
        let (word, behind) = word(after.trim_start())?;
        folder = folder.zip(word).map(|(folder, word)| folder.join(word));
        let behind = behind.trim_start();
        rest = behind.strip_prefix("&&").or_else(|| behind.strip_prefix(';'))?.trim_start();
    }
    let program = first_word(rest)?;
    match folder {
        Some(folder) => Some(Begun { program, folder }),
        // Where the line is then nobody knows, and it matters to a relative path alone.
        None => (program.starts_with('/') || !program.contains('/')).then(|| Begun { program, folder: PathBuf::new() }),
    }
}

/// The line that `elements` hand to a shell, where that is one that is known and reads nothing before it.
pub fn handed_over(elements: &[Option<String>]) -> Option<&str> {
    let [Some(shell), Some(option), Some(line)] = elements else { return None };
    let name = shell.rsplit('/').next().unwrap_or(shell);
    let runs_a_line = option.strip_prefix('-').and_then(|letters| letters.strip_suffix('c'));
    let is_plain = runs_a_line.is_some_and(|letters| letters.chars().all(|letter| "eux".contains(letter)));
    (SHELLS.contains(&name) && is_plain).then_some(line)
}

/// A word, none if it has to be expanded, and what comes behind it.
fn word(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (inside, behind) = text[1..].split_once(quote)?;
        let is_whole = behind.starts_with([' ', '\t', ';', '&']);
        let is_plain = quote == '\'' || !inside.contains(['$', '`', '\\']);
        return is_whole.then_some((is_plain.then_some(inside), behind));
    }
    let end = text.find([' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')'])?;
    let (word, behind) = text.split_at(end);
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_./+:@%,-".contains(c)) && !word.starts_with('-');
    (!word.is_empty()).then_some((is_plain.then_some(word), behind))
}

fn first_word(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let word = words.next()?;
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_./+-".contains(c));
    let is_function = words.next().is_some_and(|next| next.starts_with('('));
    (is_plain && !is_function && !BUILT_IN.contains(&word)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_a_program_or_nobody_knows() {
        for (line, expected) in [
            ("backup --all", Some(("backup", ""))),
            ("  ./run.sh>log 2>&1", None),
            ("./run.sh > log", Some(("./run.sh", ""))),
            ("cd /srv/app && ./run.sh", Some(("./run.sh", "/srv/app"))),
            ("cd app;cd 'a b' && bin/run \"$X\" | tee log", Some(("bin/run", "app/a b"))),
            ("cd /srv&&run", Some(("run", "/srv"))),
            ("cd \"$HOME\" && run", Some(("run", ""))),
            ("cd $HOME && ./run", None),
            ("cd ~/app && ./run", None),
            ("cd ~/app && /opt/run", Some(("/opt/run", ""))),
            ("cd -P /srv && ./run", None),
            ("cd - && run", Some(("run", ""))),
            ("cd /srv || exit 1; run", None),
            ("cd $(dirname $0) && run", None),
            ("cd /srv", None),
            ("cd && run", None),
            ("cdrecord dev=0", Some(("cdrecord", ""))),
            ("A=b run", None),
            ("\"$X\" run", None),
            ("(run)", None),
            ("run () { true; }; run", None),
            ("run() { true; }; run", None),
            ("source x && run", None),
            ("[ -x /opt/run ] && /opt/run", None),
            ("test -x /opt/run && /opt/run", None),
            ("if true; then run; fi", None),
            ("cd 'a", None),
            ("cd 'a'b && ./run", None),
            ("", None),
        ] {
            let begun = begin(line).map(|begun| (begun.program, begun.folder.to_string_lossy().into_owned()));
            let expected = expected.map(|(program, folder)| (program.to_owned(), folder.to_owned()));
            assert_eq!(begun, expected, "{line}");
        }
    }

    #[test]
    fn a_shell_that_is_known_is_handed_a_line() {
        for (elements, expected) in [
            (&["/bin/bash", "-c", "run"][..], Some("run")),
            (&["sh", "-euxc", "run"], Some("run")),
            (&["bash", "-lc", "run"], None),
            (&["python3", "-c", "run"], None),
            (&["bash", "-c", "run", "x"], None),
            (&["bash", "run"], None),
        ] {
            let elements: Vec<_> = elements.iter().map(|element| Some((*element).to_owned())).collect();
            assert_eq!(handed_over(&elements), expected, "{elements:?}");
        }
    }
}
