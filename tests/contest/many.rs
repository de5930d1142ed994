//! Many claims in one commit, and how long that takes.

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
        let began = boot_now();
        let committed = store.commit(Batch { ends: Vec::new(), transitions }).await.unwrap();
        let took = boot_now().since(began).as_secs_f64();
        println!("\n{backend}: {MANY} claimed in one commit in {took:.3} s");
        assert_eq!(committed.verdicts, vec![Verdict::Won; MANY]);
        let view = store.load(Scope::All).await.unwrap();
        let mut held: Vec<_> = view.open.values().flatten().map(|attempt| attempt.token).collect();
        let mut claimed = tokens;
        held.sort_unstable();
        claimed.sort_unstable();
        assert!(held == claimed, "{} are in the store, {} were claimed", held.len(), claimed.len());
    });
}
