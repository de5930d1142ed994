//! Nothing that a body has started outlives it, however it tries.

use std::time::Duration;

use tickward::executor::{End, Executor, Stop};

use crate::sandbox::{Sandbox, daemon, lives, wait_for};

#[tokio::test]
async fn a_daemon_ends_with_its_run() {
    for (name, command) in [("polite", "sleep 600"), ("deaf", "trap \"\" TERM; while :; do sleep 0.2; done")] {
        let sandbox = Sandbox::new();
        let mut job = sandbox.sh(&format!("{} exit 3", daemon(command, "pid")));
        job.kill_grace = Duration::from_millis(200);
        let ended = sandbox.executor.run(job).await;
        let pid = sandbox.pid("pid").await;
        assert!(!lives(pid), "{name}: the end is told when nothing is left");
        assert_eq!((ended.end, ended.stopped), (End::Exited(3), None), "{name}");
        sandbox.executor.close().await;
    }
}

#[tokio::test]
async fn a_timeout_ends_what_escaped_by_setsid_and_double_fork() {
    let sandbox = Sandbox::new();
    let deaf = "trap \"\" TERM; while :; do sleep 0.2; done";
    let line = format!(
        "{}{}{} trap '' TERM; while :; do sleep 0.2; done",
        daemon(deaf, "one"),
        daemon(deaf, "two"),
        // Nothing in its environment, in a session of a session, without parent.
        daemon(
            &format!("env -i setsid setsid sh -c \"echo \\$\\$ > three.new; mv three.new three; {}\" &", "sleep 600"),
            "outer"
        ),
    );
    let mut job = sandbox.sh(&line);
    job.timeout = Some(Duration::from_millis(1500));
    job.kill_grace = Duration::from_millis(200);
    let ended = sandbox.executor.run(job).await;
    assert_eq!((ended.end, ended.stopped), (End::Signalled(9), Some(Stop::TimedOut)));
    for name in ["one", "two", "three"] {
        assert!(!lives(sandbox.pid(name).await), "{name}");
    }
    sandbox.executor.close().await;
}

#[tokio::test]
async fn the_daemon_of_one_body_is_not_taken_for_that_of_another() {
    let sandbox = Sandbox::new();
    let stays = sandbox.sh(&format!("{} until [ -e go ]; do sleep 0.01; done", daemon("sleep 600", "stays")));
    let goes = async {
        let stays = sandbox.pid("stays").await;
        let ended = sandbox.executor.run(sandbox.sh(&format!("{} exit 3", daemon("sleep 600", "goes")))).await;
        assert_eq!(ended.end, End::Exited(3));
        let goes = sandbox.pid("goes").await;
        wait_for("the daemon to be gone", || !lives(goes)).await;
        assert!(lives(stays), "its own body still runs");
        std::fs::write(sandbox.path("go"), "").unwrap();
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(stays), goes);
    assert_eq!((ended.end, ended.stopped), (End::Exited(0), None));
    assert!(!lives(sandbox.pid("stays").await));
    sandbox.executor.close().await;
}

#[tokio::test]
async fn a_daemon_without_any_trace_ends_with_the_last_body() {
    let sandbox = Sandbox::new();
    let other = sandbox.sh("until [ -e go ]; do sleep 0.01; done");
    // Started with an empty environment by a shell that is gone before anybody looks.
    let line = "env -i PATH=\"$PATH\" setsid sh -c '(setsid sh -c \"echo \\$\\$ > new; mv new pid; exec sleep 600\" \
                </dev/null >/dev/null 2>&1 &)'; until [ -e pid ]; do sleep 0.01; done";
    let first = async {
        sandbox.executor.run(sandbox.sh(line)).await;
        std::fs::write(sandbox.path("go"), "").unwrap();
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(other), first);
    assert_eq!((ended.end, ended.stopped), (End::Exited(0), None));
    sandbox.executor.close().await;
    assert!(!lives(sandbox.pid("pid").await));
}

#[tokio::test]
async fn signals_to_the_supervisor_do_not_end_it() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::{Pid, getpgid};
    let sandbox = Sandbox::new();
    let job = sandbox.sh("touch ready; until [ -e go ]; do sleep 0.01; done; exit 5");
    let signaller = async {
        sandbox.written("ready").await;
        let supervisor = Pid::from_raw(sandbox.executor.supervisor_pid().unwrap() as i32);
        assert_eq!(getpgid(Some(supervisor)), Ok(supervisor), "a Ctrl-C goes to the group of the tick");
        for signal in
            [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE, Signal::SIGUSR1]
        {
            kill(supervisor, signal).unwrap();
        }
        std::fs::write(sandbox.path("go"), "").unwrap();
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(job), signaller);
    sandbox.executor.close().await;
    assert_eq!((ended.end, ended.stopped), (End::Exited(5), None));
}

#[tokio::test]
async fn a_body_that_keeps_forking_is_ended_all_the_same() {
    let hop = "#!/bin/sh\nexec setsid sh -c './hop & exit'\n";
    for (name, line) in [
        ("many", "trap '' TERM; while :; do setsid sleep 600 <&- >&- 2>&- & sleep 0.01; done"),
        ("hopping", "trap '' TERM; ./hop <&- >&- 2>&- & while :; do sleep 0.1; done"),
    ] {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path("hop"), hop).unwrap();
        std::fs::set_permissions(sandbox.path("hop"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut job = sandbox.sh(line);
        job.timeout = Some(Duration::from_millis(1500));
        job.kill_grace = Duration::ZERO;
        let ended = sandbox.executor.run(job).await;
        assert_eq!((ended.end, ended.stopped), (End::Signalled(9), Some(Stop::TimedOut)), "{name}");
        assert_eq!(ended.output.note, None, "{name}");
        assert_eq!(sandbox.processes(), [0; 0], "{name}");
        sandbox.executor.close().await;
        assert_eq!(sandbox.processes(), [0; 0], "{name}, later");
    }
}

#[tokio::test]
async fn many_bodies_at_once_each_get_their_own_end() {
    let sandbox = std::sync::Arc::new(Sandbox::new());
    let runs = (0..100).map(|code| {
        let sandbox = std::sync::Arc::clone(&sandbox);
        tokio::spawn(async move {
            let ended = sandbox.executor.run(sandbox.sh(&format!("echo {code}; exit {code}"))).await;
            assert_eq!(ended.end, End::Exited(code));
            assert_eq!(ended.output.head, format!("{code}\n").into_bytes());
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    sandbox.executor.close().await;
}
