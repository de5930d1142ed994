//! The race: claimers that wait for one another before each request, and now and then one that is killed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tickward::clock::boot_now;

use crate::claimer::{self, VARIABLES};

/// How many processes claim, unless somebody says otherwise.
pub const CLAIMERS: usize = 3;
/// How many attempts each of them claims in one commit.
pub const PIPELINES: usize = 200;
/// In every so many rounds one claimer is killed.
const KILL_EVERY: usize = 5;

pub struct Race {
    folder: PathBuf,
    url: String,
    claimers: Vec<Running>,
    /// Rounds so far.
    pub rounds: usize,
    pub killed: usize,
}

struct Running {
    child: Child,
    to: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Race {
    pub fn begin(folder: &Path, url: &str, claimers: usize) -> Race {
        // Made once, before they race for it.
        drop(claimer::open(url));
        let claimers = (0..claimers).map(|number| Running::begin(number, folder, url)).collect();
        Race { folder: folder.to_owned(), url: url.to_owned(), claimers, rounds: 0, killed: 0 }
    }

    pub fn run_rounds(&mut self, count: usize) {
        for round in self.rounds..self.rounds + count {
            self.claimers.iter_mut().for_each(|claimer| claimer.tell(&round.to_string()));
            self.claimers.iter_mut().for_each(|claimer| claimer.hear("ready"));
            self.claimers.iter_mut().for_each(|claimer| claimer.tell("go"));
            let victim = (round % KILL_EVERY == KILL_EVERY - 1).then_some(round / KILL_EVERY % self.claimers.len());
            if let Some(number) = victim {
                // At another point of its request each time: from none to most of it.
                let until = boot_now().plus(Duration::from_micros((round as u64 * 7_919) % 20_000));
                while boot_now() < until {}
                self.claimers[number].kill();
                self.killed += 1;
            }
            for (number, claimer) in self.claimers.iter_mut().enumerate() {
                match victim == Some(number) {
                    true => *claimer = Running::begin(number, &self.folder, &self.url),
                    false => claimer.hear("done"),
                }
            }
        }
        self.rounds += count;
    }

    /// Lets all claimers record their last ends.
    pub fn end(&mut self) {
        for Running { mut child, to, .. } in self.claimers.drain(..) {
            drop(to);
            assert!(child.wait().unwrap().success());
        }
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        self.claimers.iter_mut().for_each(Running::kill);
    }
}

impl Running {
    fn begin(number: usize, folder: &Path, url: &str) -> Running {
        let folder = folder.to_str().unwrap();
        let variables = VARIABLES.into_iter().zip([number.to_string().as_str(), folder, url].map(String::from));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(variables).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut begun = Running { child, to, says: BufReader::new(from).lines() };
        begun.hear("here");
        begun
    }

    fn tell(&mut self, word: &str) {
        self.to.write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    fn hear(&mut self, word: &str) {
        assert_eq!(self.says.next().unwrap().unwrap(), word);
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
