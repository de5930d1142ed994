//! Finds a word for an address of the web: whose it is, and what is asked for there.
//!
//! Holds always: only what looks like a word is taken, and keys have digits or capitals; users and what follows a `?` are
//! left out.

use super::is_a_word;

/// Endings that say nothing.
const ENDINGS: [&str; 7] = [".php", ".html", ".htm", ".aspx", ".cgi", ".json", ".txt"];

/// Names of parts of a site that are every site's.
const ANYBODYS: [&str; 4] = ["www", "api", "index", "com"];

/// A name for what stands at `word`, if it is an address and says anything.
pub fn name(word: &str) -> Option<String> {
    let (_, rest) = word.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority).split(':').next().unwrap_or_default();
    let parts = [owner(host), asked_for(path)];
    let told: Vec<&str> = parts.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("-"))
}

/// The part of a host's name that says whose it is.
fn owner(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    let label = match labels[..] {
        [one] => one,
        // co.uk, com.br
        [.., third, second, _] if second.len() <= 3 && third != "www" => third,
        [.., second, _] => second,
        [] => return None,
    };
    is_a_word(label).then_some(label)
}

/// The last part of a path, where it is a word.
fn asked_for(path: &str) -> Option<&str> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    let stem = ENDINGS.iter().find_map(|ending| last.strip_suffix(ending)).unwrap_or(last);
    (is_a_word(stem) && !ANYBODYS.contains(&stem)).then_some(stem)
}
