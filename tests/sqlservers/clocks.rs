//! Whose time counts: the server's, unless somebody has said what time it is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tickward::clock::{BootTime, Clock, SystemClock};
use tickward::run::Row;
use tickward::runlog::contract::{Batch, Scope};

use crate::bench::{at, claiming, id};
use crate::further::Lack;
use crate::kind::{Kind, open_by, wait};

pub const CASES: &[crate::Case] = &[
    ("clocks::a_host_whose_clock_is_wrong_goes_by_the_servers", by_the_server),
    ("clocks::a_time_that_somebody_has_set_is_gone_by", by_the_host),
];

/// A host an hour or more off, and nobody has said so.
struct Wrong(SignedDuration);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }

    fn boot(&self) -> BootTime {
        SystemClock.boot()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        SystemClock.sleep_until(deadline).await;
    }
}

fn by_the_server(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    wait(async {
        for seconds in [3600, -3600, 86_400 * 400] {
            let log = open_by(&bench.url, Arc::new(Wrong(SignedDuration::from_secs(seconds)))).unwrap();
            let before = SystemClock.now();
            let seen = log.load(Scope::All).await.unwrap().now;
            let batch = vec![claiming(Row::absent(id(&format!("p{}", seconds.unsigned_abs()))), at("02:00"), 1)];
            let told = log.commit(Batch { ends: Vec::new(), transitions: batch }).await.unwrap().now.unwrap();
            let after = SystemClock.now();
            // The server is on this machine.
            assert!(before <= seen && seen <= told && told <= after, "{seconds}: {before} {seen} {told} {after}");
        }
    });
    Ok(())
}

fn by_the_host(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    wait(async {
        assert_eq!(bench.view(Scope::All).await.now, at("00:00"));
        bench.clock.advance(Duration::from_micros(1));
        assert_eq!(bench.view(Scope::All).await.now, at("2026-01-01T00:00:00.000001Z"));
    });
    Ok(())
}
