//! Measures what the executor costs: `cargo test --release --test executor figures -- --ignored --nocapture --test-threads 1`.

use std::process::{Command, Stdio};
use std::sync::Arc;

use tickward::clock::boot_now;
use tickward::executor::{Executor, Input, Job};

use crate::sandbox::{Sandbox, peak_of};

#[tokio::test]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn a_thousand_short_bodies_two_at_a_time() {
    let xargs = || {
        let begin = boot_now();
        let status = Command::new("sh").args(["-c", "seq 1000 | xargs -P 2 -n 1 /bin/true"]).status().unwrap();
        assert!(status.success());
        boot_now().since(begin)
    };
    for _ in 0..5 {
        let sandbox = Arc::new(Sandbox::new());
        let begin = boot_now();
        let first = sandbox.executor.run(sandbox.argv(&["/bin/true"])).await;
        let first_took = boot_now().since(begin);
        let workers = (0..2).map(|_| {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move {
                for _ in 0..500 {
                    sandbox.executor.run(Job { cwd: None, ..sandbox.argv(&["/bin/true"]) }).await;
                }
            })
        });
        let workers = workers.collect::<Vec<_>>();
        let begin = boot_now();
        for worker in workers {
            worker.await.unwrap();
        }
        let took = boot_now().since(begin);
        let peak = peak_of(sandbox.executor.supervisor_pid().unwrap());
        sandbox.executor.close().await;
        println!(
            "1000 bodies {took:?}, xargs {:?}; first {first_took:?}, of it {:?} the body; supervisor {peak} KiB",
            xargs(),
            first.duration
        );
    }
}

#[tokio::test]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn ten_gigabytes_of_output() {
    let sandbox = Sandbox::new();
    sandbox.executor.run(sandbox.sh("true")).await;
    let peaks = || peak_of(sandbox.executor.supervisor_pid().unwrap()) + peak_of(std::process::id());
    let before = peaks();
    let mut job = sandbox.sh("head -c 10000000000 /dev/zero");
    job.output = Some(sandbox.path("out"));
    let ended = sandbox.executor.run(job).await;
    assert_eq!(ended.output.bytes, 10_000_000_000);
    let rate = ended.output.bytes as f64 / ended.duration.as_secs_f64() / 1e9;
    println!("{rate:.2} GB/s, {} KiB more in tick and supervisor", peaks() - before);
    sandbox.executor.close().await;
}

#[test]
#[ignore = "a measurement, for a quiet machine and a release build"]
fn the_start_of_a_supervisor() {
    let (mut best, mut all) = (u128::MAX, Vec::new());
    for _ in 0..200 {
        let begin = boot_now();
        // It finds no socket and ends: that is process, loader and runtime.
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickward"))
            .arg("__supervise")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.wait().unwrap();
        all.push(boot_now().since(begin).as_micros());
        best = best.min(all[all.len() - 1]);
    }
    all.sort_unstable();
    println!("median {} us, best {best} us", all[all.len() / 2]);
}

#[tokio::test]
#[ignore = "a measurement, for a quiet machine and a release build"]
async fn a_large_job() {
    let sandbox = Sandbox::new();
    sandbox.executor.run(sandbox.sh("true")).await;
    let mut job = sandbox.sh("wc -c");
    job.stdin = Input::Text("x".repeat(50_000_000));
    let begin = boot_now();
    sandbox.executor.run(job).await;
    println!("50 MB of standard input: {:?}", boot_now().since(begin));
    sandbox.executor.close().await;
}
