//! The virtual environment with servers and readers of other makers, and the servers while the tests run.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// The servers, if there is a virtual environment.
pub struct Python(Option<Running>);

struct Running {
    interpreter: PathBuf,
    servers: Child,
    hello: Value,
    lines: Option<std::io::Lines<BufReader<ChildStdout>>>,
    said: Mutex<Option<Receiver<Value>>>,
    _folder: tempfile::TempDir,
}

impl Python {
    pub fn find() -> Python {
        let named = std::env::var_os("OUTLETS_VENV").filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = root.join(named.unwrap_or_else(|| "tests/outlets/.venv".into()));
        let interpreter = venv.join("bin/python");
        if !venv.join("installed").exists() {
            return Python(None);
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(&interpreter);
        command.arg(root.join("tests/outlets/servers.py")).arg(folder.path());
        let mut servers = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(servers.stdout.take().unwrap()).lines();
        let hello = serde_json::from_str(&lines.next().expect("the servers start").unwrap()).unwrap();
        let said = Mutex::new(None);
        Python(Some(Running { interpreter, servers, hello, lines: Some(lines), said, _folder: folder }))
    }

    /// Starts a thread that hears what the servers say.
    pub fn listen(&mut self) {
        let Some(running) = &mut self.0 else { return };
        let (send, said) = channel();
        running.said = Mutex::new(Some(said));
        let lines = running.lines.take().unwrap();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
    }

    pub fn is_missing(&self) -> bool {
        self.0.is_none()
    }

    fn running(&self) -> &Running {
        self.0.as_ref().unwrap()
    }

    /// The file of the certificate that the servers' certificates go back to.
    pub fn authority(&self) -> Option<&str> {
        self.0.as_ref().map(|running| running.hello["ca"].as_str().unwrap())
    }

    /// Runs a program with an input, and gives what it prints.
    pub fn run(&self, program: &str, input: &str) -> String {
        let mut command = Command::new(&self.running().interpreter);
        let mut child = command.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program}\n{input}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The port of a server.
    pub fn port(&self, server: &str) -> u64 {
        self.running().hello["ports"][server].as_u64().unwrap()
    }

    /// What the servers receive, for one test at a time.
    pub fn heard(&self) -> Heard<'_> {
        Heard(self.running().said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the servers receive.
pub struct Heard<'a>(MutexGuard<'a, Option<Receiver<Value>>>);

impl Heard<'_> {
    /// The next thing.
    pub fn next(&self) -> Value {
        self.0.as_ref().unwrap().recv_timeout(Duration::from_secs(20)).expect("a server has received something")
    }

    /// Whether there is nothing more.
    pub fn is_silent(&self) -> bool {
        self.0.as_ref().unwrap().try_recv().is_err()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        if let Some(running) = &mut self.0 {
            drop(running.servers.stdin.take());
            let _ = running.servers.wait();
        }
    }
}
