//! The fence in Postgres: an attempt whose host stood still, and that goes on after another one has written, writes nothing.

#![allow(clippy::disallowed_methods, reason = "what other processes do takes real time")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Sandbox, succeeded, text};

const FILE: &str = "examples/fence-postgres/tickward.yaml";
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of its own, said to psql as the example wants it.
struct Database(Vec<(&'static str, String)>);

impl Database {
    /// A new one on the server at `url`.
    fn on(url: &str) -> Database {
        let (user, rest) = url.split_once("://").unwrap().1.split_once('@').unwrap();
        let (user, password) = user.split_once(':').unwrap();
        let (place, first) = rest.split_once('/').unwrap();
        let (host, port) = place.split_once(':').unwrap();
        let name = format!("fence_{}", std::process::id());
        let mut all = Database(vec![
            ("PGHOST", host.into()),
            ("PGPORT", port.into()),
            ("PGUSER", user.into()),
            ("PGPASSWORD", password.into()),
            ("PGDATABASE", first.split('?').next().unwrap().into()),
        ]);
        all.ask(&["--command", &format!("CREATE DATABASE {name}")]);
        all.0[4].1 = name;
        all.ask(&["--file", "examples/fence-postgres/tables.sql"]);
        all
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1"]);
        let output =
            psql.args(arguments).envs(self.0.clone()).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        succeeded(&output);
        text(&output.stdout)
    }

    /// What the example has written.
    fn written(&self) -> String {
        self.ask(&["--command", "SELECT day, revenue, fence FROM revenue, fence"])
    }
}

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        std::thread::yield_now();
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// The letter of a process's state; none where there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

/// A tick that stands still, and the processes below it.
struct Frozen {
    tick: Child,
    supervisor: u32,
    body: u32,
    input: File,
}

/// Begins a run whose body waits for its input, and freezes tick and supervisor as a host that stands still would.
fn frozen(sandbox: &Sandbox, database: &Database, file: &Path) -> Frozen {
    let pipe = sandbox.path("late.csv");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command =
        sandbox.tickward(&["run", "revenue", "-c", file.to_str().unwrap(), "--scheduled-for", "2026-03-01T23:30Z"]);
    command.envs(database.0.clone()).env("SALES_INPUT", &pipe).stderr(Stdio::null());
    let tick = command.spawn().unwrap();
    // There is no writer before there is a reader.
    let open = || OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&pipe).ok();
    let input = until("the body to read", open);
    send(tick.id(), Signal::SIGSTOP);
    let supervisor = until("a supervisor", || children_of(tick.id()).first().copied());
    send(supervisor, Signal::SIGSTOP);
    let body = until("a body", || children_of(supervisor).first().copied());
    Frozen { tick, supervisor, body, input }
}

/// The example, its run-log's leases short.
fn with_short_leases(sandbox: &Sandbox) -> std::path::PathBuf {
    let whole = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).unwrap();
    let short = whole.replace("    timeout: 5m\n", "    timeout: 5m\n    lease: 3s\n    kill_grace: 500ms\n");
    assert_ne!(short, whole);
    let file = sandbox.path("tickward.yaml");
    std::fs::write(&file, short).unwrap();
    file
}

pub fn a_late_writer_is_refused(url: &str) {
    let sandbox = Sandbox::new();
    let database = Database::on(url);
    let file = with_short_leases(&sandbox);
    let mut late = frozen(&sandbox, &database, &file);
    // Its lease is over, and what comes next writes.
    let file = file.to_str().unwrap();
    until("the second attempt", || {
        let mut tick = sandbox.tickward(&["run-due", "-c", file, "--interval", "0", "-o", "json"]);
        let output = tick.envs(database.0.clone()).output().unwrap();
        text(&output.stdout).contains(r#""outcome":"succeeded""#).then_some(())
    });
    assert_eq!(database.written(), "2026-03-01|192.00|2\n");
    // The first one goes on where it stood, and is done before its supervisor can end it.
    late.input.write_all(b"2026-03-01,north,tea,1,1.00\n").unwrap();
    drop(late.input);
    until("the end of the body", || (state(late.body) == Some('Z')).then_some(()));
    assert_eq!(database.written(), "2026-03-01|192.00|2\n");
    send(late.supervisor, Signal::SIGCONT);
    send(late.tick.id(), Signal::SIGCONT);
    late.tick.wait().unwrap();
    let logs = sandbox.tickward(&["logs", "revenue", "-c", file, "--attempt", "1"]).output().unwrap();
    let said = text(&logs.stdout);
    assert!(said.contains("refused: revenue has been written with a fence of 1 or above"), "{said}");
}
