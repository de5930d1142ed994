//! A sandbox in whose environment all secrets are, and everything that commands in it emit.

use std::process::{Command, Stdio};

use super::sandbox::{Done, Sandbox};
use super::scan::Scanner;
use super::secrets;

pub struct Watch {
    pub sandbox: Sandbox,
    pub scanner: &'static Scanner,
    leaks: Vec<String>,
    /// Commands that were called, and bytes that they printed.
    pub calls: usize,
    pub printed: usize,
}

/// The ways to make a command talk.
const TALK: [&[(&str, &str)]; 4] = [
    &[],
    &[("TICKWARD_LOG", "trace"), ("RUST_BACKTRACE", "full")],
    &[("TICKWARD_LOG", "trace"), ("TICKWARD_LOG_FORMAT", "json"), ("TICKWARD_LOG_FILE", "tick.log")],
    &[("TICKWARD_LOG", "trace"), ("TICKWARD_LOG_FORMAT", "logfmt")],
];

impl Watch {
    pub fn new() -> Watch {
        Watch { sandbox: Sandbox::new(), scanner: Scanner::of_all(), leaks: Vec::new(), calls: 0, printed: 0 }
    }

    /// A command with all secrets in its environment.
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.sandbox.command(&line.split(' ').collect::<Vec<_>>());
        command.envs(secrets::variables());
        command
    }

    /// Calls a command in one way and returns what it printed.
    #[track_caller]
    pub fn call(&mut self, line: &str, variables: &[(&str, &str)]) -> Done {
        let mut command = self.command(line);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = Done::wait(command.spawn().unwrap());
        self.told(&format!("`{line}` {variables:?}"), &done);
        done
    }

    /// Calls a command in every way.
    #[track_caller]
    pub fn call_in_all_ways(&mut self, line: &str) {
        for talk in TALK {
            self.call(line, talk);
        }
    }

    /// Looks for secrets in what a command printed.
    pub fn told(&mut self, what: &str, done: &Done) {
        (self.calls, self.printed) = (self.calls + 1, self.printed + done.stdout.len() + done.stderr.len());
        for (stream, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
            self.look(&format!("{stream} of {what}"), text.as_bytes());
        }
    }

    pub fn look(&mut self, what: &str, bytes: &[u8]) {
        for name in self.scanner.found_in(bytes) {
            // The line that has it, where it is in one line.
            let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
            let line = lines.find(|line| self.scanner.found_in(line).contains(name)).unwrap_or(bytes);
            let shown: String = String::from_utf8_lossy(line).chars().take(300).collect();
            self.leaks.push(format!("{name} in {what}: {shown}"));
        }
    }

    /// Fails if a secret was told, or is in a file that we wrote.
    #[track_caller]
    pub fn assert_silent(&mut self, written_by_the_test: &[&str]) {
        let folder = self.sandbox.work().parent().unwrap().to_path_buf();
        self.leaks.extend(self.scanner.found_below(&folder, written_by_the_test));
        let first: Vec<_> = self.leaks.iter().take(12).collect();
        assert!(self.leaks.is_empty(), "{} leaks: {first:#?}", self.leaks.len());
        assert!(self.calls > 0 && self.printed > 0, "nothing was looked at");
    }
}
