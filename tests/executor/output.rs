//! What a body prints: all of it counted, both ends kept, nobody blocked, our memory bounded.

use std::time::Duration;

use tickward::executor::{End, Executor, Stop};

use crate::sandbox::{Sandbox, lives, peak_of, printed, wait_for};

#[tokio::test]
async fn both_streams_are_kept_in_order_of_arrival() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("for i in 1 2 3; do echo out$i; echo err$i >&2; done");
    job.output = Some(sandbox.path("logs/a/out"));
    let ended = sandbox.run(job).await;
    let expected = "out1\nerr1\nout2\nerr2\nout3\nerr3\n";
    assert_eq!(printed(&ended), expected);
    assert_eq!(std::fs::read_to_string(sandbox.path("logs/a/out")).unwrap(), expected);
    assert_eq!((sandbox.mode_bits_of("logs/a/out"), sandbox.mode_bits_of("logs")), (0o600, 0o700));
    assert_eq!((ended.output.bytes, ended.output.truncated), (expected.len() as u64, false));
}

#[tokio::test]
async fn a_flood_is_counted_exactly_and_capped_on_disk() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("echo first; head -c 300000000 /dev/zero; echo last");
    job.output = Some(sandbox.path("out"));
    job.output_limit_bytes = 200_000;
    let ended = sandbox.run(job).await;
    assert_eq!(ended.output.bytes, 300_000_000 + 6 + 5);
    assert!(ended.output.truncated);
    assert!(ended.output.head.starts_with(b"first\n") && ended.output.tail.ends_with(b"last\n"));
    let file = std::fs::read(sandbox.path("out")).unwrap();
    assert!(file.len() <= 200_000 && file.starts_with(b"first\n") && file.ends_with(b"last\n"), "{}", file.len());
    assert!(String::from_utf8_lossy(&file).contains("\n[tickward: "));
}

#[tokio::test]
async fn a_flood_does_not_grow_the_supervisor() {
    let sandbox = Sandbox::new();
    sandbox.executor.run(sandbox.sh("true")).await;
    let supervisor = sandbox.executor.supervisor_pid().unwrap();
    let before = peak_of(supervisor);
    let mut job = sandbox.sh("head -c 2000000000 /dev/zero");
    job.output = Some(sandbox.path("out"));
    let ended = sandbox.executor.run(job).await;
    assert_eq!(ended.output.bytes, 2_000_000_000);
    let grown = peak_of(supervisor) - before;
    assert!(grown < 2048, "{grown} KiB");
    sandbox.executor.close().await;
}

#[tokio::test]
async fn a_disk_that_refuses_is_noted_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("echo hello; exit 3");
    job.output = Some("/dev/full".into());
    let ended = sandbox.run(job).await;
    assert_eq!((&ended.end, printed(&ended).as_str()), (&End::Exited(3), "hello\n"));
    assert!(ended.output.truncated);
    assert!(ended.output.note.is_some_and(|note| note.starts_with("output file `/dev/full` is incomplete: ")));
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_delays_the_end_by_seconds_only() {
    let sandbox = Sandbox::new();
    let begin = tickward::clock::boot_now();
    let ended = sandbox.run(sandbox.sh("(trap '' TERM; echo $$; while :; do sleep 600; done) & exit 3")).await;
    let took = tickward::clock::boot_now().since(begin);
    assert_eq!((ended.end, ended.stopped), (End::Exited(3), None));
    assert!(ended.duration < Duration::from_secs(3), "the duration is that of the leader: {:?}", ended.duration);
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_grandchild_that_finishes_printing_in_time_is_heard() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.sh("(sleep 0.3; echo late) & exit 0")).await;
    assert_eq!((&ended.end, ended.stopped), (&End::Exited(0), None));
    assert_eq!(printed(&ended), "late\n");
}

#[tokio::test]
async fn what_was_printed_before_a_kill_is_kept() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("echo $$ > pid; trap '' TERM; echo before; touch ready; while :; do sleep 0.1; done");
    job.kill_grace = Duration::ZERO;
    let token = job.token;
    let stopper = async {
        sandbox.written("ready").await;
        sandbox.executor.stop(token, Stop::Cancelled);
    };
    let (ended, ()) = tokio::join!(sandbox.executor.run(job), stopper);
    assert_eq!((ended.end.clone(), printed(&ended)), (End::Signalled(9), "before\n".into()));
    let pid = sandbox.pid("pid").await;
    wait_for("the body to be gone", || !lives(pid)).await;
    sandbox.executor.close().await;
}
