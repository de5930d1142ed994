//! Remarks on what a command does for itself that tickward does for every pipeline: trying again, telling people.
//!
//! The line stays as it is. `simple` parts it; a line that waits for something (`until ping …`) does not try again.
//!
//! Holds always: of an address only the host is shown, because the path of a hook is its password.

use super::remark::Sort;
use super::simple::{Joint, Simple, commands, without_expansions};

/// A remark and what to do about it.
type Remark = (Sort, String, &'static str);

/// Programs that send mail.
const MAILERS: [&str; 7] = ["mail", "mailx", "mutt", "sendmail", "msmtp", "s-nail", "swaks"];

/// Programs that write into the system's log.
const LOGGERS: [&str; 2] = ["logger", "systemd-cat"];

/// Programs that send to an address.
const FETCHERS: [&str; 4] = ["curl", "wget", "http", "https"];

/// Programs that start another.
const WRAPPERS: [&str; 6] = ["timeout", "nice", "sudo", "env", "nohup", "command"];

/// Parts of the addresses of those who tell people, or watch for a sign of life.
const TELLERS: [&str; 20] = [
    "slack",
    "discord",
    "hook",
    "hc-ping",
    "healthcheck",
    "cronitor",
    "betterstack",
    "betteruptime",
    "uptime",
    "pagerduty",
    "opsgenie",
    "telegram",
    "ntfy",
    "pushover",
    "gotify",
    "office.com",
    "alert",
    "notify",
    "snitch",
    "/ping",
];

/// Options by which something is sent.
const SENDING: [&str; 5] = ["-d", "--data", "-F", "--form", "--post-data"];

/// What is to be said about a line.
pub fn remarks(line: &str) -> Vec<Remark> {
    let line = without_expansions(line);
    let commands = commands(&line);
    let mut found = Vec::new();
    if is_loop(&commands) || is_twice(&commands) {
        found.push((
            Sort::Note,
            "it tries again by itself, which stays in the line".into(),
            "`retry: { max_attempts: 3, delay: 1m }` in its place records each attempt and outlives a restart: docs/configuration.md",
        ));
    }
    for at in 0..commands.len() {
        let told = tells(&commands, at);
        found.extend(told.filter(|told| !found.contains(told)));
    }
    found
}

/// Whether a command of the line does work, and neither asks nor prepares.
fn is_work(command: &Simple<'_>) -> bool {
    !command.is_before(file_name(command.words[0]))
}

/// Whether a loop goes on until a command succeeds: `until X`, `while ! X`, `X && break`, `if X; then break`.
fn is_loop(commands: &[Simple<'_>]) -> bool {
    let leads = |command: &Simple<'_>, word: &str| command.leading.contains(&word);
    commands.iter().enumerate().any(|(at, command)| {
        let later_sleeps = commands[at..].iter().any(|later| file_name(later.words[0]) == "sleep");
        let is_asked_again = leads(command, "until") || leads(command, "while") && leads(command, "!");
        if is_asked_again && later_sleeps && is_work(command) {
            return true;
        }
        let Some(next) = commands.get(at + 1).filter(|next| ["break", "exit"].contains(&next.words[0])) else {
            return false;
        };
        let is_left = next.before == Joint::And || leads(command, "if") && !leads(command, "!") && leads(next, "then");
        let is_in_loop = |before: &Simple<'_>| ["for", "while", "until"].iter().any(|word| leads(before, word));
        let Some(head) = commands[..=at].iter().rfind(|before| is_in_loop(before)) else { return false };
        is_left && is_work(command) && (later_sleeps || counts(head))
    })
}

/// Whether a loop goes over nothing but numbers.
fn counts(head: &Simple<'_>) -> bool {
    let over = head.leading.iter().skip_while(|word| **word != "in").skip(1).take_while(|word| **word != "do");
    let mut over = over.peekable();
    let is_number = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || "{}._".contains(c));
    over.peek().is_some() && over.all(is_number)
}

/// Whether a command stands behind its own `||` once more: `X || X`, `X || (sleep 60; X --again)`.
fn is_twice(commands: &[Simple<'_>]) -> bool {
    let failing = commands.iter().enumerate().filter(|(_, command)| command.after == Joint::Or && is_work(command));
    failing.into_iter().any(|(at, command)| {
        let mut later = commands[at + 1..].iter();
        let is_sleeping = later.clone().next().is_some_and(|next| file_name(next.words[0]) == "sleep");
        later.any(|later| later.words == command.words || is_sleeping && later.words[0] == command.words[0])
    })
}

/// What is to be said where the command at a place tells others how the ones before it went.
fn tells(commands: &[Simple<'_>], at: usize) -> Option<Remark> {
    let start = (0..=at).rev().find(|start| commands[*start].before != Joint::Pipe)?;
    let first = &commands[start];
    let reached = Some(first.before).filter(|joint| *joint != Joint::Next).or(first.within).unwrap_or_default();
    let is_about = |before: &Simple<'_>| is_work(before) || before.words.iter().any(|word| word.contains("$?"));
    commands[..start].iter().find(|before| is_about(before))?;
    let who = teller(&commands[at], reached)?;
    let leaves = |later: &Simple<'_>| later.words[0] == "exit" && later.words.get(1) != Some(&"0");
    let hides = reached != Joint::And && !commands[at..].iter().any(leaves);
    let what = format!("{who} tells how it went, and stays in the line");
    let help = match (hides, reached) {
        (true, Joint::Or) => {
            "behind `||` it makes a success of a failure: take it away, and let `alerters` tell of failures: docs/alerts.md"
        }
        (true, _) => {
            "its exit code takes the place of the command's: take it away, and let `alerters` tell of failures: docs/alerts.md"
        }
        (false, Joint::And) => {
            "`alerters` tell of what failed, was missed or is well again: docs/alerts.md; a sign of life can be a hook `on_success`"
        }
        (false, _) => "`alerters` tell of failures: docs/alerts.md",
    };
    Some((Sort::Note, what, help))
}

/// Who is told, as it may be shown; none where the command tells nobody.
fn teller(command: &Simple<'_>, reached: Joint) -> Option<String> {
    let is_passed = |word: &&&str| {
        WRAPPERS.contains(&file_name(word))
            || word.contains('=')
            || word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    };
    let mut words = command.words.iter().skip_while(is_passed);
    let program = file_name(words.next()?);
    // Behind a `;` mail and log may be what the line is for.
    if reached != Joint::Next && (MAILERS.contains(&program) || LOGGERS.contains(&program)) {
        return Some(format!("`{program}`"));
    }
    if !FETCHERS.contains(&program) {
        return None;
    }
    let mut is_told = false;
    let mut host = None;
    for word in words {
        let address = word.split('?').next().unwrap_or_default().to_ascii_lowercase();
        let is_address = address.contains("://") || address.contains('$') || address.starts_with("\"_");
        is_told |= is_address && TELLERS.iter().any(|teller| address.contains(teller));
        is_told |= reached == Joint::Or && SENDING.iter().any(|option| word.starts_with(option));
        host = host.or_else(|| host_of(word));
    }
    let to = host.map(|host| format!(" to {host}")).unwrap_or_default();
    is_told.then(|| format!("`{program}`{to}"))
}

/// The host of an address; none where it is put in by the shell.
fn host_of(word: &str) -> Option<&str> {
    let authority = word.split_once("://")?.1.split(['/', '?', '#', '"', '\'']).next()?;
    let host = authority.rsplit('@').next()?;
    let is_plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-".contains(c));
    is_plain.then_some(host)
}

fn file_name(word: &str) -> &str {
    word.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or(word)
}
