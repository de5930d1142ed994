//! How a body ends by itself or is made to, and that the end is told exactly.

use std::time::Duration;

use tickward::clock::boot_now;
use tickward::executor::{End, Executor, NotStarted, Stop};

use crate::sandbox::{Sandbox, printed, wait_for};

#[tokio::test]
async fn the_end_of_the_leader_is_told_exactly() {
    for (line, end) in [
        ("true", End::Exited(0)),
        ("exit 1", End::Exited(1)),
        ("exit 255", End::Exited(255)),
        ("kill -KILL $$", End::Signalled(9)),
        ("kill -TERM $$", End::Signalled(15)),
        ("kill -40 $$", End::Signalled(40)),
    ] {
        let sandbox = Sandbox::new();
        let ended = sandbox.run(sandbox.sh(line)).await;
        assert_eq!((ended.end, ended.stopped), (end, None), "{line}");
        assert!(ended.started_at.is_some(), "{line}");
    }
}

#[tokio::test]
async fn a_timeout_asks_first_and_kills_after_the_grace() {
    //   line                                                       grace  end
    for (line, grace_ms, end, said) in [
        ("sleep 600", 5_000, End::Signalled(15), ""),
        ("trap 'echo bye; exit 7' TERM; sleep 600 & wait", 5_000, End::Exited(7), "bye\n"),
        ("trap '' TERM; while :; do sleep 0.1; done", 300, End::Signalled(9), ""),
        ("kill -STOP $$; sleep 600", 5_000, End::Signalled(15), ""),
    ] {
        let sandbox = Sandbox::new();
        let mut job = sandbox.sh(line);
        job.timeout = Some(Duration::from_millis(1500));
        job.kill_grace = Duration::from_millis(grace_ms);
        let ended = sandbox.run(job).await;
        assert_eq!((&ended.end, ended.stopped), (&end, Some(Stop::TimedOut)), "{line}");
        assert_eq!(printed(&ended), said, "{line}");
        assert!(ended.duration >= Duration::from_millis(1500), "{line}: {:?}", ended.duration);
    }
}

#[tokio::test]
async fn a_stop_is_told_with_its_reason_and_the_first_one_counts() {
    for why in [Stop::Interrupted, Stop::Cancelled] {
        let sandbox = Sandbox::new();
        let mut job = sandbox.sh("trap 'sleep 0.3; exit 3' TERM; touch ready; sleep 600 & wait");
        job.timeout = Some(Duration::from_secs(50));
        let token = job.token;
        let stopper = async {
            sandbox.written("ready").await;
            sandbox.executor.stop(token, why);
            sandbox.executor.stop(token, Stop::LeaseOver);
        };
        let (ended, ()) = tokio::join!(sandbox.executor.run(job), stopper);
        sandbox.executor.close().await;
        assert_eq!((ended.end, ended.stopped), (End::Exited(3), Some(why)));
    }
}

#[tokio::test]
async fn kill_all_ends_everything_at_once() {
    let sandbox = Sandbox::new();
    let job = |name: &str| sandbox.sh(&format!("trap '' TERM; touch {name}; while :; do sleep 0.1; done"));
    let killer = async {
        sandbox.written("a").await;
        sandbox.written("b").await;
        sandbox.executor.kill_all();
    };
    let (a, b, ()) = tokio::join!(sandbox.executor.run(job("a")), sandbox.executor.run(job("b")), killer);
    sandbox.executor.close().await;
    for ended in [a, b] {
        assert_eq!((ended.end, ended.stopped), (End::Signalled(9), Some(Stop::Interrupted)));
    }
}

#[tokio::test]
async fn a_lease_that_is_not_extended_ends_the_body() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("sleep 600");
    job.stop_at = boot_now().plus(Duration::from_millis(1500));
    let ended = sandbox.run(job).await;
    assert_eq!((ended.end, ended.stopped), (End::Signalled(15), Some(Stop::LeaseOver)));
}

#[tokio::test]
async fn a_lease_that_is_extended_does_not() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("until [ -e go ]; do sleep 0.01; done");
    let first = boot_now().plus(Duration::from_millis(1500));
    job.stop_at = first;
    let token = job.token;
    let renewer = async {
        sandbox.executor.extend(token, first.plus(Duration::from_secs(600)));
        wait_for("the first lease to be over", || boot_now() > first.plus(Duration::from_millis(100))).await;
        std::fs::write(sandbox.path("go"), "").unwrap();
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(job), renewer);
    sandbox.executor.close().await;
    assert_eq!((ended.end, ended.stopped), (End::Exited(0), None));
}

#[tokio::test]
async fn a_job_that_comes_after_its_lease_is_not_started() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("touch ran");
    job.stop_at = boot_now();
    let ended = sandbox.run(job).await;
    assert_eq!((ended.end, ended.started_at), (End::NotStarted(NotStarted::LeaseOver), None));
    assert!(!sandbox.path("ran").exists());
}

#[tokio::test]
async fn dropping_the_future_does_not_stop_the_body() {
    let sandbox = Sandbox::new();
    let job = sandbox.sh("touch started; until [ -e go ]; do sleep 0.01; done; touch done");
    tokio::select! {
        _ = sandbox.executor.run(job) => panic!("it waits for us"),
        _ = sandbox.written("started") => {}
    }
    std::fs::write(sandbox.path("go"), "").unwrap();
    sandbox.written("done").await;
    sandbox.executor.close().await;
}

#[tokio::test]
async fn closing_waits_for_what_runs_and_takes_nothing_more() {
    let sandbox = Sandbox::new();
    let running = sandbox.executor.run(sandbox.sh("touch started; until [ -e go ]; do sleep 0.01; done; exit 4"));
    let closing = async {
        sandbox.written("started").await;
        let close = sandbox.executor.close();
        let refused = async {
            let ended = sandbox.executor.run(sandbox.sh("touch ran")).await;
            std::fs::write(sandbox.path("go"), "").unwrap();
            ended
        };
        tokio::join!(close, refused).1
    };
    let (ended, refused) = tokio::join!(running, closing);
    assert_eq!(ended.end, End::Exited(4));
    assert_eq!(refused.end, End::NotStarted(NotStarted::Failed("the executor takes no more jobs".into())));
    assert!(!sandbox.path("ran").exists());
}
