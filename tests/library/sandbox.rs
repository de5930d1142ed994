//! A place of its own for one test, and how its program is called.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A test and its name.
pub type Test = (&'static str, fn());

pub struct Sandbox {
    folder: TempDir,
    program: &'static str,
}

/// What a command came to.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn of(program: &'static str) -> Sandbox {
        Sandbox { folder: tempfile::tempdir().unwrap(), program }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The program with these arguments, in its own folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.env("XDG_STATE_HOME", self.path("state")).env("LIBRARY_PROGRAM", self.program);
        command
    }

    pub fn call(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }
}

impl Done {
    pub fn of(output: Output) -> Done {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Done { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}{}", self.stdout, self.stderr))
    }
}
