//! Many claims in one commit, how long that takes, and how much of it is the server's.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tickward::clock::boot_now;
use tickward::occurrence::{Name, PipelineId};
use tickward::runlog::contract::{Batch, Scope, Verdict};

use crate::claimer::{claiming, mint, open};

const MANY: usize = 10_000;

/// Claims one occurrence each of many pipelines.
pub fn are_claimed_in_one_commit(backend: &str, url: &str) {
    let store = open(url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let name = |text: &str| Name::parse(text).unwrap();
    let id = |n| PipelineId { namespace: name("many"), name: name(&format!("p{n}")) };
    runtime.block_on(async {
        let view = store.load(Scope::All).await.unwrap();
        let transitions: Vec<_> = (0..MANY).map(|n| claiming(&view, id(n), 0, mint())).collect();
        let tokens: Vec<_> =
            transitions.iter().filter_map(|transition| Some(transition.claim.as_ref()?.token)).collect();
        let server = server(backend);
        let (before, began) = (server.map(processor_time), boot_now());
        let committed = store.commit(Batch { ends: Vec::new(), transitions }).await.unwrap();
        let (after, took) = (server.map(processor_time), boot_now().since(began).as_secs_f64());
        let spent = after.zip(before).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
        let spent = spent.map_or(String::new(), |spent| format!(", {spent:.3} s of the server's processor"));
        println!("\n{backend}: {MANY} claimed in one commit in {took:.3} s{spent}");
        assert_eq!(committed.verdicts, vec![Verdict::Won; MANY]);
        let view = store.load(Scope::All).await.unwrap();
        let mut held: Vec<_> = view.open.values().flatten().map(|attempt| attempt.token).collect();
        let mut claimed = tokens;
        held.sort_unstable();
        claimed.sort_unstable();
        assert!(held == claimed, "{} are in the store, {} were claimed", held.len(), claimed.len());
    });
}

/// The process of the server that `tests/servers/run` has started for this backend.
fn server(backend: &str) -> Option<u32> {
    let (script, file) = match backend {
        "mysql" => ("mariadb.", "pid"),
        "postgres" => ("postgres.", "data/postmaster.pid"),
        _ => return None,
    };
    let started = fs::read_dir(std::env::var_os("TICKWARD_TEST_SERVERS")?).ok()?;
    let mut folders = started.flatten().filter(|one| one.file_name().to_string_lossy().starts_with(script));
    let folder = fs::read_link(folders.next()?.path()).ok()?;
    fs::read_to_string(folder.join(file)).ok()?.lines().next()?.trim().parse().ok()
}

/// What a process and its children have had of the processors: of all threads and children that are still there.
fn processor_time(pid: u32) -> Duration {
    let tasks = |pid: u32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks(pid).filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|all| all.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
    let of_task = |task: PathBuf| -> Option<u64> {
        fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    let all = children.into_iter().chain([pid]).flat_map(tasks);
    Duration::from_nanos(all.filter_map(|task| of_task(task.path())).sum())
}
