//! A host takes what it has done without the run-log into that, by `tick::recover`: by the store's time, in pieces, each record once.

use std::sync::Arc;
use std::time::Duration;

use tickward::clock::{Clock, ManualClock};
use tickward::executor::{SubprocessExecutor, SupervisorProgram};
use tickward::lease::Lease;
use tickward::owner::Owner;
use tickward::run::{Attempt, Row};
use tickward::runlog::RunLog;
use tickward::runlog::contract::{Batch, Scope, Transition};
use tickward::runlog::spool::{Folder, SpoolRunLog};
use tickward::tick::{self, Env, StopWish, SystemHost};

use crate::bench::{Bench, at, claiming, id};

const LENGTH: Duration = Duration::from_secs(300);

/// A host whose clock shows midnight while that of the store shows ten past.
struct Host {
    folder: Folder,
    env: Env,
}

impl Host {
    fn of(bench: &Bench) -> Host {
        let clock = Arc::new(ManualClock::new(at("00:00")));
        bench.clock.set(at("00:10"));
        let owner = Owner { id: "another".into(), ..claim(&*clock, "p").owner };
        let (_, stop) = tokio::sync::watch::channel(StopWish::None);
        let env = Env {
            clock,
            run_log: bench.log.clone(),
            executor: Arc::new(SubprocessExecutor::new(SupervisorProgram::this())),
            host: Arc::new(SystemHost),
            owner,
            variables: Vec::new(),
            output: None,
            stop,
        };
        Host { folder: Folder::in_step(bench.folder().join("host")), env }
    }

    /// Claims while there is no run-log.
    async fn claims(&self, transitions: Vec<Transition>) {
        let spool = SpoolRunLog::open(self.folder.clone(), self.env.clock.clone(), "outage".into()).unwrap();
        spool.commit(Batch { ends: Vec::new(), transitions }).await.unwrap();
    }
}

/// The first occurrence of a pipeline, claimed now.
fn claiming_now(clock: &dyn Clock, name: &str) -> Transition {
    let mut transition = claiming(Row::absent(id(name)), at("00:00"), 1);
    let lease = Lease::from(clock.now(), clock.boot(), LENGTH);
    transition.claim.iter_mut().for_each(|claim| claim.lease = lease);
    transition
}

fn claim(clock: &dyn Clock, name: &str) -> Attempt {
    claiming_now(clock, name).claim.unwrap()
}

/// Whoever looks from elsewhere judges by the store's clock: by that of the host, the lease would be over before it began.
pub async fn what_still_runs_is_taken_in_with_a_lease_by_the_time_of_the_store(bench: Bench) {
    let host = Host::of(&bench);
    host.claims(vec![claiming_now(&*host.env.clock, "p")]).await;
    for time in ["once", "twice, which is no change"] {
        assert_eq!(tick::recover(&host.env, &host.folder).await.unwrap().taken, 0, "{time}: it has not ended");
        let view = bench.view(Scope::All).await;
        let lease = view.open[&id("p")][0].lease;
        assert_eq!(lease, Lease::from(at("00:10"), host.env.clock.boot(), LENGTH), "{time}");
        assert_eq!(view.rows[&id("p")].version, 1, "{time}");
        bench.clock.advance(Duration::from_micros(5));
    }
}
