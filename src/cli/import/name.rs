//! Finds a name for a pipeline in its command.
//!
//! Holds always: a name is valid and differs from all that were given before, also where case does not count.

use std::collections::HashSet;

use super::shell::{Kind, pieces};

/// Characters that a name may have, less what a number at its end may need.
const LONGEST: usize = 64;

/// Names by which other programs are started.
const WRAPPERS: [&str; 19] = [
    "nice",
    "ionice",
    "sudo",
    "env",
    "exec",
    "nohup",
    "time",
    "chronic",
    "setsid",
    "cronic",
    "timeout",
    "flock",
    "command",
    "chrt",
    "systemd-cat",
    "stdbuf",
    "doas",
    "cronitor",
    "if",
];

/// Programs that are told by a script which program to be.
const INTERPRETERS: [&str; 14] = [
    "sh", "bash", "dash", "zsh", "ksh", "python", "python2", "python3", "perl", "ruby", "php", "node", "Rscript",
    "java",
];

/// Commands that prepare something and are not what a line is for.
const BEFORE: [&str; 13] =
    ["cd", "test", "[", "[[", "sleep", "export", ".", "source", "umask", "set", "command", "ulimit", "true"];

/// Endings that say what a script is written in.
const ENDINGS: [&str; 10] = [".sh", ".bash", ".py", ".pl", ".rb", ".php", ".js", ".R", ".jar", ".cron"];

/// Gives names, none of them twice.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name for what this command does.
    pub fn for_command(&mut self, command: &str) -> String {
        let wanted = cleaned(&word_for(command));
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        name
    }
}

/// The word of a command that says best what it does.
fn word_for(command: &str) -> String {
    let mut commands: Vec<Vec<&str>> = vec![Vec::new()];
    match pieces(command) {
        Some(pieces) => {
            for piece in pieces {
                match piece.kind {
                    Kind::Word => commands.last_mut().into_iter().for_each(|words| words.push(piece.text)),
                    Kind::Redirection => {}
                    _ => commands.push(Vec::new()),
                }
            }
        }
        None => {
            commands =
                command.split(['|', ';', '&', '(', ')', '\n']).map(|part| part.split_whitespace().collect()).collect()
        }
    }
    let mut programs = commands.iter().filter_map(|words| program_of(words)).peekable();
    let first = programs.peek().map(|word| (*word).to_owned());
    let main = programs.find(|word| !BEFORE.contains(&file_name(word)));
    main.map(str::to_owned).or(first).unwrap_or_default()
}

/// The program of a simple command, past assignments, wrappers and interpreters.
fn program_of<'w>(words: &[&'w str]) -> Option<&'w str> {
    let mut words = words.iter().copied().map(|word| word.trim_matches(['"', '\''])).peekable();
    let mut best = None;
    while let Some(word) = words.next() {
        let is_setting =
            word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        if is_setting || word == "!" || word == "{" {
            continue;
        }
        let name = file_name(word);
        let wraps = WRAPPERS.contains(&name);
        if !wraps && !INTERPRETERS.contains(&name) {
            return Some(word);
        }
        best = best.or(Some(word));
        while let Some(option) = words.next_if(|word| word.starts_with('-')) {
            match (name, option) {
                (_, "-m") if !wraps => return words.next().or(best),
                (_, "-c" | "-e") if !wraps => return best,
                ("nice", "-n")
                | ("ionice", "-c" | "-n")
                | ("sudo", "-u" | "-g")
                | ("timeout", "-k" | "-s")
                | ("flock", "-w" | "-E") => _ = words.next(),
                _ => {}
            }
        }
        if name == "timeout" || name == "flock" {
            words.next();
        }
    }
    best
}

fn file_name(word: &str) -> &str {
    word.trim_end_matches('/').rsplit('/').next().unwrap_or(word)
}

/// A word as a valid name: its last part without the ending of a script.
fn cleaned(word: &str) -> String {
    let file = file_name(word);
    let stem =
        ENDINGS.iter().find_map(|ending| file.strip_suffix(ending)).filter(|stem| !stem.is_empty()).unwrap_or(file);
    let mut name = String::new();
    for c in stem.chars().take(LONGEST) {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '.' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(['-', '.', '_']);
    if name.is_empty() { "job".into() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_command_does() {
        for (command, name) in [
            ("/opt/bin/backup.sh --full", "backup"),
            ("cd /srv && ./manage.py clearsessions", "manage"),
            ("A=b nice -n 10 ionice -c2 -n7 /usr/bin/updatedb", "updatedb"),
            ("test -x /usr/bin/certbot && certbot -q renew", "certbot"),
            ("[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean", "sessionclean"),
            ("python3 -m tools.report --day", "tools.report"),
            ("/usr/bin/python3 /srv/load.py", "load"),
            ("bash -c 'x; y'", "bash"),
            ("flock -n /run/x.lock timeout 5m /srv/sync", "sync"),
            ("sudo -u www-data php /srv/cron.php", "cron"),
            ("cd /", "cd"),
            ("\"$HOME/bin/run me\"", "run-me"),
            ("echo \"$(date \"x\")\"", "echo"),
            ("~~~", "job"),
            ("команда", "job"),
        ] {
            assert_eq!(Names::default().for_command(command), name, "{command}");
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names = Names::default();
        let given = ["x.sh", "X", "x", "x-2"].map(|command| names.for_command(command));
        assert_eq!(given, ["x", "X-2", "x-3", "x-2-2"]);
    }
}
