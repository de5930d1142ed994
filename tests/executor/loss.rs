//! When tick or supervisor is killed or frozen, the other ends every descendant.
//!
//! A tick that can be killed is this test program again, told by a variable to be one.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tickward::clock::boot_now;
use tickward::executor::{End, Executor, NotStarted};

use crate::sandbox::{Sandbox, daemon, lives, wait_for};

const FOLDER: &str = "TEST_TICK_FOLDER";
const LEASE_MILLIS: &str = "TEST_TICK_LEASE_MILLIS";

/// Runs in the process that `tick` starts; anywhere else it does nothing.
#[tokio::test]
async fn acts_as_a_tick_where_told_to() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let lease = std::env::var(LEASE_MILLIS).unwrap().parse().unwrap();
    let sandbox = Sandbox::new();
    let deaf = "trap \"\" TERM; while :; do sleep 0.2; done";
    let line =
        format!("{} echo $$ > new; mv new leader; trap '' TERM; while :; do sleep 0.2; done", daemon(deaf, "escaped"));
    let mut job = sandbox.sh(&line);
    job.cwd = Some(folder.into());
    job.kill_grace = Duration::from_millis(300);
    job.stop_at = boot_now().plus(Duration::from_millis(lease));
    sandbox.executor.run(job).await;
}

fn tick(folder: &std::path::Path, lease: Duration) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "loss::acts_as_a_tick_where_told_to"])
        .env(FOLDER, folder)
        .env(LEASE_MILLIS, lease.as_millis().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_killed_tick_takes_its_bodies_along_within_a_second() {
    let sandbox = Sandbox::new();
    let mut tick = tick(sandbox.folder.path(), Duration::from_secs(3600));
    let (leader, escaped) = (sandbox.pid("leader").await, sandbox.pid("escaped").await);
    assert!(lives(leader) && lives(escaped));
    let begin = boot_now();
    tick.kill().unwrap();
    tick.wait().unwrap();
    wait_for("the bodies to be gone", || !lives(leader) && !lives(escaped)).await;
    let took = boot_now().since(begin);
    assert!(took < Duration::from_secs(5), "one second on a quiet machine: {took:?}");
}

#[tokio::test]
async fn a_frozen_tick_does_not_keep_a_body_beyond_its_lease() {
    let sandbox = Sandbox::new();
    let mut tick = tick(sandbox.folder.path(), Duration::from_secs(3));
    let (leader, escaped) = (sandbox.pid("leader").await, sandbox.pid("escaped").await);
    kill(Pid::from_raw(tick.id() as i32), Signal::SIGSTOP).unwrap();
    wait_for("the bodies to be gone", || !lives(leader) && !lives(escaped)).await;
    assert!(lives(tick.id() as i32), "it is still frozen");
    tick.kill().unwrap();
    tick.wait().unwrap();
}

#[tokio::test]
async fn a_killed_supervisor_leaves_nothing_and_its_jobs_are_answered() {
    let sandbox = Sandbox::new();
    let other = Sandbox::new();
    let deaf = "trap \"\" TERM; while :; do sleep 0.2; done";
    let body = |name: &str| {
        sandbox.sh(&format!("{} touch {name}; while :; do sleep 0.2; done", daemon(deaf, &format!("{name}-pid"))))
    };
    let killer = async {
        let pids = [sandbox.pid("a-pid").await, sandbox.pid("b-pid").await];
        kill(Pid::from_raw(sandbox.executor.supervisor_pid().unwrap() as i32), Signal::SIGKILL).unwrap();
        pids
    };
    let untouched = other.executor.run(other.sh("until [ -e go ]; do sleep 0.01; done; exit 6"));
    let lost = async {
        let (a, b, pids) = tokio::join!(sandbox.executor.run(body("a")), sandbox.executor.run(body("b")), killer);
        for ended in [a, b] {
            assert_eq!(ended.end, End::SupervisorLost("the supervisor was ended by signal 9".into()));
        }
        for pid in pids {
            assert!(!lives(pid), "the answer comes when nothing is left");
        }
        let next = sandbox.executor.run(sandbox.sh("exit 3")).await;
        assert_eq!(next.end, End::Exited(3), "the next job gets a new supervisor");
        std::fs::write(other.path("go"), "").unwrap();
    };
    let (untouched, ()) = tokio::join!(untouched, lost);
    assert_eq!(untouched.end, End::Exited(6), "another supervisor's bodies are left alone");
    sandbox.executor.close().await;
    other.executor.close().await;
}

#[tokio::test]
async fn who_was_our_child_before_there_was_a_supervisor_outlives_it() {
    let sandbox = Sandbox::new();
    // What a wrapper leaves that starts a service and then becomes the tick.
    let mut service = Command::new("setsid");
    let line = "echo $$ > new; mv new service; sleep 600 & echo $! > new; mv new helper; wait";
    let mut service = service.args(["sh", "-c", line]).current_dir(sandbox.folder.path()).spawn().unwrap();
    let (leader, helper) = (sandbox.pid("service").await, sandbox.pid("helper").await);
    let killer = async {
        let body = sandbox.pid("body").await;
        kill(Pid::from_raw(sandbox.executor.supervisor_pid().unwrap() as i32), Signal::SIGKILL).unwrap();
        body
    };
    let body = sandbox.sh("echo $$ > new-body; mv new-body body; while :; do sleep 0.2; done");
    let (ended, body) = tokio::join!(sandbox.executor.run(body), killer);
    assert_eq!(ended.end, End::SupervisorLost("the supervisor was ended by signal 9".into()));
    let living = (lives(body), lives(leader), lives(helper));
    let _ = kill(Pid::from_raw(helper), Signal::SIGKILL);
    sandbox.executor.close().await;
    service.wait().unwrap();
    assert_eq!(living, (false, true, true), "the body, the service, what it has started");
}

#[tokio::test]
async fn a_job_that_a_dead_tick_had_sent_is_not_started() {
    let sandbox = Sandbox::new();
    sandbox.executor.run(sandbox.sh("true")).await;
    let supervisor = sandbox.executor.supervisor_pid().unwrap() as i32;
    kill(Pid::from_raw(supervisor), Signal::SIGSTOP).unwrap();
    tokio::select! {
        _ = sandbox.executor.run(sandbox.sh("touch ran")) => panic!("the supervisor is frozen"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    let Sandbox { folder, executor } = sandbox;
    drop(executor);
    tokio::time::sleep(Duration::from_millis(50)).await;
    kill(Pid::from_raw(supervisor), Signal::SIGCONT).unwrap();
    wait_for("the supervisor to end", || !lives(supervisor)).await;
    assert!(!folder.path().join("ran").exists());
}

#[tokio::test]
async fn adopted_processes_are_waited_for_and_our_own_children_are_not() {
    let sandbox = Sandbox::new();
    // Makes this process one that adopts.
    sandbox.run(sandbox.sh("true")).await;
    let mut own = Command::new("true").spawn().unwrap();
    let line = "(setsid sh -c 'echo $$ > new; mv new orphan' &)";
    let parent = Command::new("sh").args(["-c", line]).current_dir(sandbox.folder.path()).status().unwrap();
    assert!(parent.success());
    let orphan = sandbox.pid("orphan").await;
    wait_for("the orphan to be waited for", || {
        tickward::executor::reap_orphans();
        !std::path::Path::new(&format!("/proc/{orphan}")).exists()
    })
    .await;
    assert!(own.wait().unwrap().success());
}

#[tokio::test]
async fn only_a_tick_can_start_the_supervisor() {
    let called = Command::new(env!("CARGO_BIN_EXE_tickward")).arg("__supervise").stdin(Stdio::null()).output().unwrap();
    assert_eq!(called.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&called.stderr), "error: only a tick can start this\n");
}

#[tokio::test]
async fn two_jobs_with_one_token_are_refused() {
    let sandbox = Sandbox::new();
    let first = sandbox.sh("until [ -e go ]; do sleep 0.01; done");
    let second = async {
        let job = tickward::executor::Job { token: first.token, ..sandbox.sh("touch ran") };
        let ended = sandbox.executor.run(job).await;
        std::fs::write(sandbox.path("go"), "").unwrap();
        ended
    };
    let (first, second) = tokio::join!(sandbox.executor.run(first.clone()), second);
    sandbox.executor.close().await;
    assert_eq!(first.end, End::Exited(0));
    assert_eq!(second.end, End::NotStarted(NotStarted::Failed("a job with the same token is running".into())));
}
