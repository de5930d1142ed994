//! `tests/servers/run`: its command has both servers, and however it ends nothing is left.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Case;
use crate::further::{Lack, script};
use crate::proxy::Proxy;

/// Every case, by its name.
pub const CASES: &[(&str, Case)] = &[
    ("run::two_at_once_have_servers_of_their_own", two_at_once_have_servers_of_their_own),
    ("run::killed_or_told_to_end_it_leaves_nothing", killed_or_told_to_end_it_leaves_nothing),
    (
        "run::told_to_end_while_its_command_ends_it_ends_as_that_has",
        told_to_end_while_its_command_ends_it_ends_as_that_has,
    ),
    ("run::what_its_command_has_started_goes_too", what_its_command_has_started_goes_too),
    ("run::what_is_missing_is_named_and_not_set", what_is_missing_is_named_and_not_set),
    ("run::a_server_of_yours_is_left_alone", a_server_of_yours_is_left_alone),
];

/// The command of most cases: says where the servers are, and ends when it is told to.
const TELL: &str = r#"
    printf '%s\n' "${TICKWARD_TEST_POSTGRES_URL-unset}" "${TICKWARD_TEST_MYSQL_URL-unset}"
    read -r word
    exit 7
"#;

/// Servers that are there already: `run` starts none.
const YOURS: &[(&str, &str)] =
    &[("TICKWARD_TEST_POSTGRES_URL", "postgres://yours"), ("TICKWARD_TEST_MYSQL_URL", "mysql://yours")];

/// `run` with a shell as its command, and a folder of its own for what it makes.
struct Run {
    child: Child,
    folder: TempDir,
    postgres: String,
    mysql: String,
}

impl Run {
    fn start(command: &str, variables: &[(&str, &str)]) -> Run {
        let folder = tempfile::tempdir().unwrap();
        // The servers' accounts go through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let mut run = Command::new(script("run"));
        run.args(["sh", "-c", command]).env("TMPDIR", folder.path());
        // This test may be the command of another one.
        for variable in ["TICKWARD_TEST_POSTGRES_URL", "TICKWARD_TEST_MYSQL_URL", "TICKWARD_TEST_SERVERS"] {
            run.env_remove(variable);
        }
        run.envs(variables.iter().copied());
        let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || printed.next().map_or_else(String::new, Result::unwrap);
        Run { postgres: line(), mysql: line(), child, folder }
    }

    /// With both servers; or why one is missing.
    fn with_both() -> Result<Run, Lack> {
        let run = Run::start(TELL, &[]);
        if [&run.postgres, &run.mysql].iter().any(|url| *url == "unset") {
            return Err(Lack::Program(run.end().1));
        }
        Ok(run)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Tells the command to end, and waits until all who could say something have. The exit code, if it was no signal, and
    /// what was said.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let code = self.child.wait().unwrap().code();
        assert_eq!(what_is_left(self.folder.path()), Vec::<String>::new(), "{said}");
        (code, said)
    }
}

/// Files in the folder, and processes that were started for it or are in it.
fn what_is_left(folder: &Path) -> Vec<String> {
    let mut left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| format!("{:?}", entry.unwrap().path())).collect();
    let folder = folder.to_str().unwrap();
    for process in fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()) {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let is_in = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let line = String::from_utf8_lossy(&line).into_owned();
        if is_in || line.contains(folder) {
            left.push(format!("{} {line}", process.display()));
        }
    }
    left
}

/// Through the proxy: Postgres answers the question for TLS with one letter, MariaDB begins with the number of its protocol.
fn assert_answers(run: &Run) {
    let proxy = Proxy::before(&run.postgres).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut letter = [0];
    stream.read_exact(&mut letter).unwrap();
    assert_eq!(letter, *b"N");
    let traffic = proxy.traffic();
    assert_eq!((traffic.round_trips, traffic.to_server, traffic.to_client), (1, 8, 1));

    let proxy = Proxy::before(&run.mysql).unwrap();
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[4], 10, "{greeting:?}");
    assert_eq!(proxy.traffic().round_trips, 0);
}

fn two_at_once_have_servers_of_their_own() -> Result<(), Lack> {
    let (one, two) = (Run::with_both()?, Run::with_both()?);
    assert!(one.postgres != two.postgres && one.mysql != two.mysql, "{} {}", one.postgres, one.mysql);
    assert_answers(&one);
    assert_eq!(one.end().0, Some(7));
    assert_answers(&two);
    assert_eq!(two.end().0, Some(7));
    Ok(())
}

fn killed_or_told_to_end_it_leaves_nothing() -> Result<(), Lack> {
    for (signal, code) in [(Signal::SIGKILL, None), (Signal::SIGTERM, Some(143))] {
        let mut run = Run::with_both()?;
        // Its command would end by itself without a word from us.
        let word = run.child.stdin.take();
        run.signal(signal);
        assert_eq!(run.child.wait().unwrap().code(), code, "{signal}");
        drop(word);
        run.end();
    }
    Ok(())
}

/// The signal and the end of its command reach it in any order: it ends as its command has, each time.
fn told_to_end_while_its_command_ends_it_ends_as_that_has() -> Result<(), Lack> {
    for _ in 0..50 {
        let mut run = Run::start(TELL, YOURS);
        run.signal(Signal::SIGTERM);
        drop(run.child.stdin.take());
        let (code, said) = run.end();
        assert!(matches!(code, Some(7 | 143)), "{code:?}: {said}");
    }
    Ok(())
}

fn what_its_command_has_started_goes_too() -> Result<(), Lack> {
    let command = format!("{} start \"$TMPDIR/further\" && echo", script("postgres").display());
    let run = Run::start(&command, &[("TICKWARD_TEST_POSTGRES_URL", "yours"), ("TICKWARD_TEST_MYSQL_URL", "yours")]);
    let url = run.postgres.clone();
    let (code, said) = run.end();
    if code == Some(77) {
        return Err(Lack::Program(said));
    }
    assert!(code == Some(0) && url.starts_with("postgres://"), "{url} {said}");
    Ok(())
}

fn what_is_missing_is_named_and_not_set() -> Result<(), Lack> {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().to_str().unwrap();
    let run = Run::start(TELL, &[("TICKWARD_TEST_POSTGRES_BIN", nowhere), ("TICKWARD_TEST_MARIADB_BIN", nowhere)]);
    assert_eq!([&run.postgres, &run.mysql], ["unset", "unset"]);
    let (code, said) = run.end();
    assert_eq!(code, Some(7));
    for line in [
        "is missing: sudo apt-get install postgresql",
        "is missing: sudo apt-get install mariadb-server",
        "tests/servers/run: TICKWARD_TEST_POSTGRES_URL is not set",
        "tests/servers/run: TICKWARD_TEST_MYSQL_URL is not set",
    ] {
        assert!(said.lines().any(|said| said.ends_with(line)), "{line}: {said}");
    }
    Ok(())
}

fn a_server_of_yours_is_left_alone() -> Result<(), Lack> {
    let run = Run::start(TELL, YOURS);
    assert_eq!([&run.postgres, &run.mysql], ["postgres://yours", "mysql://yours"]);
    let log = fs::read_dir(run.folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut made: Vec<_> = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    made.sort();
    assert_eq!(made, ["started"]);
    assert_eq!(run.end(), (Some(7), String::new()));
    Ok(())
}
