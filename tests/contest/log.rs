//! What a claimer writes down, so that it is known after it was killed: each request before it is sent, each answer.
//!
//! A line is `sent ROUND NANOSECONDS TOKEN…`, `answered ROUND NANOSECONDS VERDICT…` or `found ROUND NANOSECONDS VERDICT…`,
//! with a word for each pipeline in order; `found` is what was looked up after a request whose answer nobody got.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tickward::occurrence::Token;

/// One claimer's requests by round.
pub type Requests = BTreeMap<usize, Request>;

/// One request, as far as it is known.
#[derive(Debug, Default)]
pub struct Request {
    pub tokens: Vec<Token>,
    pub sent: u64,
    /// When its answer came; none if the claimer was killed before.
    pub answered: Option<u64>,
    /// For each pipeline whether it was won, once that is known.
    pub won: Option<Vec<bool>>,
    /// The answer was looked up.
    pub resolved: bool,
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("claimer-{number}.log"))
}

/// The log of a claimer, to go on with. A line that its claimer was killed in is cut off: what it announced was never sent.
pub fn open(folder: &Path, number: usize) -> File {
    let mut log = File::options().read(true).append(true).create(true).open(path(folder, number)).unwrap();
    let mut text = Vec::new();
    log.read_to_end(&mut text).unwrap();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    log.set_len(whole as u64).unwrap();
    log
}

/// Writes a line in one piece.
pub fn write<T: Display>(file: &mut File, word: &str, round: usize, of_each: impl IntoIterator<Item = T>) {
    let each: String = of_each.into_iter().map(|text| format!(" {text}")).collect();
    file.write_all(format!("{word} {round} {}{each}\n", monotonic()).as_bytes()).unwrap();
}

/// All that a claimer, with those that took its place, has written.
pub fn read(folder: &Path, number: usize) -> Requests {
    let mut requests = Requests::new();
    let text = std::fs::read_to_string(path(folder, number)).unwrap_or_default();
    // What its claimer is writing, or was killed in, has no end.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let words: Vec<&str> = line.split(' ').collect();
        let request: &mut Request = requests.entry(words[1].parse().unwrap()).or_default();
        let at: u64 = words[2].parse().unwrap();
        let won = || words[3..].iter().map(|word| *word == "won").collect();
        match words[0] {
            "sent" => {
                request.tokens = words[3..].iter().map(|word| Token::parse(word).unwrap()).collect();
                request.sent = at;
            }
            "answered" => {
                request.answered = Some(at);
                request.won = Some(won());
            }
            "found" => {
                request.won = Some(won());
                request.resolved = true;
            }
            other => panic!("{other}"),
        }
    }
    requests
}

/// CLOCK_MONOTONIC: one for all processes of the machine.
fn monotonic() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    u64::try_from(time.tv_sec() * 1_000_000_000 + time.tv_nsec()).unwrap()
}
