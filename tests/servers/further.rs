//! A server of a test's own, by the scripts beside this file: a replica, one with TLS, one that may crash. Dropped, it is
//! removed; where a test is killed, `run` removes it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Why there can be no such server here.
#[derive(Debug)]
pub enum Lack {
    /// Something has to be installed.
    Program(String),
    /// The caller may not do what it takes: only root makes disks, and not everywhere.
    Right(String),
}

/// A running server, or one that is stopped for a while.
pub struct Server {
    kind: &'static str,
    folder: TempDir,
    /// Where it is, also after it is stopped.
    pub url: String,
    /// The certificate that vouches for it, where TLS was asked for.
    pub ca: Option<PathBuf>,
}

impl Server {
    /// Starts a `postgres`, `mariadb` or `pgbouncer`; the head of each script lists its arguments.
    ///
    /// # Errors
    /// What is missing, with words for people.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(kind: &'static str, arguments: &[&str]) -> Result<Server, Lack> {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server { kind, folder, url: String::new(), ca: None };
        server.start_again(arguments)?;
        Ok(server)
    }

    /// Starts it again, with its data; at the same address unless somebody else has that now.
    ///
    /// # Errors
    /// As for `start`.
    ///
    /// # Panics
    /// As for `start`.
    pub fn start_again(&mut self, arguments: &[&str]) -> Result<(), Lack> {
        let output = self.call("start", arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {}
            Some(77) => return Err(Lack::Program(said)),
            Some(78) => return Err(Lack::Right(said)),
            _ => panic!("{said}"),
        }
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut lines = printed.lines();
        self.url = lines.next().unwrap().into();
        self.ca = lines.next().map(PathBuf::from);
        Ok(())
    }

    /// Stops it in good order.
    pub fn stop(&self) {
        assert!(self.call("stop", &[]).status.success());
    }

    /// Stops it as a crash would. What it has committed it has after a start.
    pub fn crash(&self) {
        assert!(self.call("stop", &["immediate"]).status.success());
    }

    /// Its files: `data`, `log`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn call(&self, verb: &str, arguments: &[&str]) -> Output {
        let mut script = Command::new(script(self.kind));
        script.arg(verb).arg(self.folder.path()).args(arguments).output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let removed = self.call("remove", &[]);
        if !removed.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&removed.stderr));
        }
    }
}

/// The path of a script in this folder.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name)
}
