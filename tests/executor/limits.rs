//! What a body may use and what it used.

use std::time::Duration;

use tickward::executor::{End, Executor};

use crate::sandbox::{Sandbox, daemon, printed};

#[tokio::test]
async fn a_memory_limit_holds_for_each_process() {
    let sandbox = Sandbox::new();
    let mut job = sandbox.sh("ulimit -v; head -c 200000000 /dev/zero | tail -c 200000000 | wc -c");
    job.memory_limit_bytes = Some(100 << 20);
    let ended = sandbox.run(job).await;
    let text = printed(&ended);
    assert!(text.starts_with("102400\n"), "{text}");
    assert!(!text.ends_with("\n200000000\n"), "{text}");
}

#[tokio::test]
async fn cpu_time_is_that_of_the_whole_tree() {
    let sandbox = Sandbox::new();
    let busy = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done";
    let alone = sandbox.executor.run(sandbox.sh(busy)).await;
    let children = sandbox.executor.run(sandbox.sh(&format!("sh -c '{busy}'; sh -c '{busy}'; exit 0"))).await;
    let orphan = sandbox
        .sh(&format!("{} until [ -e done ]; do sleep 0.01; done", daemon(&format!("{busy}; touch done"), "pid")));
    let orphan = sandbox.executor.run(orphan).await;
    sandbox.executor.close().await;
    assert!(alone.cpu > Duration::from_millis(5), "{alone:?}");
    assert!(children.cpu > alone.cpu, "{children:?} {alone:?}");
    assert!(orphan.cpu > alone.cpu / 2, "{orphan:?} {alone:?}");
}

#[tokio::test]
async fn peak_memory_is_that_of_the_largest_process() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(sandbox.sh("head -c 60000000 /dev/zero | tail -c 60000000 | wc -c; exit 0")).await;
    assert_eq!(ended.end, End::Exited(0));
    assert!(ended.peak_memory_bytes > 55_000_000 && ended.peak_memory_bytes < 200_000_000, "{ended:?}");
}
