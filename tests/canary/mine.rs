//! What other users of the host can read of our own processes while a body runs.
//!
//! The arguments of the body itself are what the configuration says: whoever puts a secret there shows it to everybody on
//! the host. So does an address with a password in `--run-log-url`; the environment is the place for it.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use super::sandbox::{Done, signal};
use super::watch::Watch;

const CONFIGURATION: &str = "run_log: ${RUNS}
pipelines:
  one:
    schedule: '* * * * *'
    command: [sh, -c, ': > started; read line < gate', '${PLAIN}']
    env: { CREDENTIALS: '${SHELL}', PEM: '${PEM}' }
    stdin: '${AWS_SECRET_ACCESS_KEY}'
";

/// The processes that this one has started.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn our_own_processes_show_no_secret_while_a_body_runs() {
    let mut watch = Watch::new();
    watch.sandbox.write("tickward.yaml", CONFIGURATION);
    nix::unistd::mkfifo(&watch.sandbox.path("gate"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = watch.command("run-due");
    command.env("RUNS", "sqlite:runs.db").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let tick = command.spawn().unwrap();
    watch.sandbox.wait("the body to start", || watch.sandbox.path("started").exists());
    let supervisors = children(tick.id());
    assert_eq!(supervisors.len(), 1, "the tick has one child, which parents the bodies");
    for (pid, files) in [(tick.id(), &["cmdline", "comm"][..]), (supervisors[0], &["cmdline", "comm", "environ"])] {
        for file in files {
            let path = format!("/proc/{pid}/{file}");
            watch.look(&path, &fs::read(&path).unwrap());
        }
    }
    let line = fs::read(format!("/proc/{}/cmdline", supervisors[0])).unwrap();
    assert!(!line.is_empty(), "it could be read");
    // The scanner sees what is there: the body's arguments are the user's choice, and hold the secret.
    let bodies = children(supervisors[0]);
    let body = fs::read(format!("/proc/{}/cmdline", bodies[0])).unwrap();
    assert!(watch.scanner.found_in(&body).contains("PLAIN"), "{}", String::from_utf8_lossy(&body));
    for line in ["status", "status -o json", "history -o json", "logs one", "run one -o json", "run-due"] {
        watch.command(line).env("RUNS", "sqlite:runs.db");
        watch.call(line, &[("RUNS", "sqlite:runs.db")]);
    }
    look_below(&mut watch);
    signal(&tick, Signal::SIGTERM);
    let done = Done::wait(tick);
    watch.told("the tick that was stopped", &done);
    watch.call("history -o json", &[("RUNS", "sqlite:runs.db")]);
    watch.assert_silent(&["tickward.yaml"]);
}

/// The files while they are used: the log that is written ahead, marks, what keeps the supervisor's lock.
fn look_below(watch: &mut Watch) {
    let work = watch.sandbox.work();
    assert!(Path::new(&work.join("runs.db-wal")).exists() && work.join("runs.db-start").is_dir());
    let leaks = watch.scanner.found_below(&work, &["tickward.yaml", "gate"]);
    assert_eq!(leaks, Vec::<String>::new());
}
