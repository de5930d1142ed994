//! A place of its own for one test: home, temporary folder, configuration, ledger and a mark on every process.
//!
//! Holds always: a command sees nothing of the tester's environment; what a test leaves running is found by its mark,
//! reported by `left`, and ended when the sandbox goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Sandbox {
    folder: TempDir,
}

/// What a command came to.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// One line of the ledger: a body was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub pipeline: String,
    pub scheduled_for: String,
    pub attempt: u32,
    pub fence: u64,
}

/// A shell line that enters the start of a body into the ledger, by one write to a file opened with O_APPEND.
pub const ENTER: &str =
    r#"echo "$TICKWARD_PIPELINE $TICKWARD_SCHEDULED_FOR $TICKWARD_ATTEMPT $TICKWARD_FENCE" >> "$LEDGER""#;

impl Sandbox {
    pub fn new() -> Sandbox {
        let folder = tempfile::Builder::new().prefix("tickward-cli-").tempdir().unwrap();
        for name in ["home", "tmp", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Sandbox { folder }
    }

    /// A sandbox with this configuration; `ENTER` in it becomes the line that writes the ledger.
    pub fn with(config: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("tickward.yaml", config);
        sandbox
    }

    /// Where commands run.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("home/state/tickward")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text.replace("ENTER", ENTER)).unwrap();
    }

    /// The text of a file, empty where there is none yet.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn mark(&self) -> String {
        format!("SANDBOX={}", self.folder.path().display())
    }

    /// Gives a command this sandbox's environment and nothing else.
    pub fn dress(&self, command: &mut Command) {
        let inside = |name: &str| self.folder.path().join(name);
        command.env_clear().current_dir(self.work()).stdin(Stdio::null());
        command.env("HOME", inside("home")).env("TMPDIR", inside("tmp")).env("XDG_STATE_HOME", inside("home/state"));
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LEDGER", self.path("ledger"));
        command.env("SANDBOX", self.folder.path());
        // A build with DuckDB finds its library by it.
        #[cfg(feature = "duckdb")]
        command.envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickward"));
        self.dress(&mut command);
        command.args(arguments);
        command
    }

    /// Runs `tickward` with these arguments, separated by spaces.
    #[track_caller]
    pub fn run(&self, line: &str) -> Done {
        self.call(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    pub fn call(&self, arguments: &[&str]) -> Done {
        Done::of_command(&mut self.command(arguments))
    }

    #[track_caller]
    pub fn call_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
        let mut command = self.command(arguments);
        Done::of_command(command.envs(variables.iter().copied()))
    }

    /// Starts `tickward` and returns at once.
    pub fn start(&self, line: &str) -> Child {
        let arguments: Vec<_> = line.split_whitespace().collect();
        self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// One tick of a rehearsal at this instant: what it printed as JSON.
    #[track_caller]
    pub fn tick(&self, now: &str) -> Value {
        self.run(&format!("run-due -o json --now {now}")).json()
    }

    /// What was started, in order of the ledger.
    pub fn starts(&self) -> Vec<Start> {
        self.read("ledger").lines().map(Start::parse).collect()
    }

    /// The attempts that the history knows, oldest first: pipeline, instant, attempt, state.
    pub fn attempts(&self) -> Vec<(String, String, u64, String)> {
        let history = self.run("history -o json -n 100000").json();
        let attempts = history.as_array().unwrap().iter().filter(|record| record["kind"] == "attempt");
        let mut all: Vec<_> = attempts
            .map(|record| {
                let text = |key: &str| record[key].as_str().unwrap().to_string();
                (text("pipeline"), text("scheduled_for"), record["attempt"].as_u64().unwrap(), text("state"))
            })
            .collect();
        all.sort();
        all
    }

    /// Processes of this sandbox that still run, with their command lines.
    pub fn left(&self) -> Vec<(i32, String)> {
        let mark = self.mark().into_bytes();
        let has_mark = |folder: &Path| {
            let variables = fs::read(folder.join("environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|variable| variable == mark)
        };
        let processes = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            has_mark(&entry.path()).then(|| (pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        });
        processes.collect()
    }

    /// Fails if something of this sandbox goes on running.
    pub fn assert_nothing_left(&self) {
        self.wait("every process to be gone", || self.left().is_empty());
    }

    /// Waits until a statement is true.
    pub fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < until, "waited in vain for {what}; left: {:?}", self.left());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a file has this text in it.
    pub fn wait_for_text(&self, name: &str, text: &str) {
        self.wait(&format!("`{text}` in {name}"), || self.read(name).contains(text));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for (pid, _) in self.left() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Done {
    pub fn of(output: Output) -> Done {
        Done {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits for a started command.
    #[track_caller]
    pub fn wait(child: Child) -> Done {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        match ended.recv_timeout(PATIENCE) {
            Ok(output) => Done::of(output.unwrap()),
            Err(_) => {
                let _ = kill(pid, Signal::SIGKILL);
                panic!("the command did not end");
            }
        }
    }

    #[track_caller]
    fn of_command(command: &mut Command) -> Done {
        Done::wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Standard output as the one JSON value that it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.stdout.ends_with('\n') && self.stdout.lines().count() == 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl std::fmt::Debug for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Start {
    fn parse(line: &str) -> Start {
        let fields: Vec<_> = line.split(' ').collect();
        let [pipeline, scheduled_for, attempt, fence] = fields[..] else { panic!("torn line in the ledger: {line}") };
        Start {
            pipeline: pipeline.into(),
            scheduled_for: scheduled_for.into(),
            attempt: attempt.parse().unwrap(),
            fence: fence.parse().unwrap(),
        }
    }
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// One field of every object in a list.
pub fn each<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

/// The keys of an object, in order.
pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
