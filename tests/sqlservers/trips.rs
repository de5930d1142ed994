//! How many round trips calls and ticks cost, counted by a proxy.

use nix::sys::signal::Signal;
use tickward::run::{Outcome, Row};
use tickward::runlog::contract::{Batch, Scope, Verdict};

use crate::bench::{at, claiming, end, id, lease_until};
use crate::further::Lack;
use crate::kind::{Kind, open, wait};
use crate::proxy::Proxy;
use crate::sandbox::{Done, Sandbox, signal};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("trips::calls_cost_what_they_should", calls),
    ("trips::an_idle_tick_of_ten_thousand_costs_two_after_connecting", idle_tick),
    ("trips::a_tick_of_a_thousand_that_are_due_loads_and_claims_in_three", busy_tick),
];

/// What a connection takes before its first statement.
fn to_connect(kind: &'static Kind, url: &str) -> u64 {
    let proxy = Proxy::before(url).unwrap();
    sql(&proxy.url(url), "SELECT 1").unwrap();
    // The statement; its connection is dropped without a word.
    let trips = proxy.traffic().round_trips - 1;
    assert!((2..=6).contains(&trips), "{}: {trips}", kind.name);
    trips
}

fn calls(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let proxy = Proxy::before(&bench.url).unwrap();
    let log = open(&proxy.url(&bench.url)).unwrap();
    assert_eq!(proxy.traffic().round_trips - to_connect(kind, &bench.url), 1, "open");
    wait(async {
        let mut before = proxy.traffic().round_trips;
        let mut cost = || {
            let now = proxy.traffic().round_trips;
            now - std::mem::replace(&mut before, now)
        };
        log.load(Scope::All).await.unwrap();
        assert_eq!(cost(), 1, "load");
        let ids: Vec<_> = (0..1000).map(|number| id(&format!("p{number:04}"))).collect();
        let claims: Vec<_> = ids.iter().map(|id| claiming(Row::absent(id.clone()), at("02:00"), 1)).collect();
        let attempts: Vec<_> = claims.iter().filter_map(|claim| claim.claim.clone()).collect();
        let committed = log.commit(Batch { ends: Vec::new(), transitions: claims }).await.unwrap();
        assert_eq!(committed.verdicts, [Verdict::Won; 1000]);
        assert_eq!(cost(), 2, "a thousand claims");
        let tokens = attempts.iter().map(|attempt| attempt.token).collect();
        assert_eq!(log.renew(tokens, lease_until(at("09:00"))).await.unwrap().len(), 1000);
        assert_eq!(cost(), 1, "a thousand renewals");
        let ends: Vec<_> = attempts.iter().map(|attempt| end(attempt, Outcome::Succeeded, at("02:01"))).collect();
        assert_eq!(log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap().ends.len(), 1000);
        assert_eq!(cost(), 2, "a thousand ends");
        log.load(Scope::Only(ids)).await.unwrap();
        assert_eq!(cost(), 2, "load of some, with what is decided");
    });
    Ok(())
}

/// `count` pipelines as a configuration.
fn pipelines(count: usize, schedule: &str) -> String {
    let lines = (0..count).map(|number| format!("  p{number:04}: {{ schedule: '{schedule}', command: [\"true\"] }}\n"));
    format!("pipelines:\n{}", lines.collect::<String>())
}

fn idle_tick(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    // A leap day, so that none is due.
    let sandbox = Sandbox::with(&pipelines(10_000, "0 0 29 2 *"));
    let proxy = Proxy::before(&bench.url).unwrap();
    let url = proxy.url(&bench.url);
    let tick = || sandbox.call(&["run-due", "-o", "json", "--run-log-url", &url]).expect(0);
    // The first one makes a row for each.
    assert_eq!(tick().json()["tick"]["degraded"], false);
    let rows = sql(&bench.url, "SELECT count(*) FROM tickward_pipeline").unwrap();
    assert_eq!(rows, [[Some("10000".to_owned())]]);
    let before = proxy.wait_until(|traffic| traffic.open == 0);
    assert_eq!(tick().json()["ran"], serde_json::json!([]));
    let cost = proxy.wait_until(|traffic| traffic.open == 0) - before;
    let connect = to_connect(kind, &bench.url);
    // Open and load; the word that ends the connection waits for no answer.
    assert_eq!((cost.connections, cost.round_trips - connect - 1), (1, 2), "{cost:?}, {connect} to connect");
    Ok(())
}

fn busy_tick(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    // None ends before it may: what is counted until then is loads and claims.
    let waits = "ENTER; while [ ! -e go ]; do sleep 0.05; done";
    let lines = (0..1000).map(|number| format!("  p{number:04}: {{ schedule: '@daily', command: '{waits}' }}\n"));
    let sandbox = Sandbox::with(&format!("pipelines:\n{}", lines.collect::<String>()));
    let proxy = Proxy::before(&bench.url).unwrap();
    let url = proxy.url(&bench.url);
    let tick = sandbox.start(&format!("run-due --interval 86400 --jobs 8 --run-log-url {url}"));
    sandbox.wait("eight bodies", || sandbox.starts().len() == 8);
    let cost = proxy.traffic();
    signal(&tick, Signal::SIGTERM);
    let done = Done::wait(tick);
    let connect = to_connect(kind, &bench.url);
    // Open, load, and one commit in two texts.
    assert!(cost.connections == 1 && cost.round_trips <= connect + 4, "{cost:?}, {connect} to connect: {done:?}");
    assert!(cost.round_trips > connect + 2, "{cost:?}");
    let ends = sql(&bench.url, "SELECT state, count(*) FROM tickward_attempt GROUP BY state").unwrap();
    assert!(ends.contains(&vec![Some("interrupted".into()), Some("8".into())]), "{ends:?} {done:?}");
    Ok(())
}
