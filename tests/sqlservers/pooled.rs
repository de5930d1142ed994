//! Postgres behind PgBouncer in transaction mode, as Debian ships it: nothing of a session is relied upon.

use tickward::run::{Outcome, Row};
use tickward::runlog::contract::{Batch, Scope, Verdict};

use crate::bench::{at, claiming, end, id, lease_until};
use crate::further::{Lack, Server};
use crate::kind::{Kind, commit, open, open_by, refused, wait, with, words};
use crate::sandbox::Sandbox;
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("pooled::claims_go_through_a_pooler_of_transactions", claims),
    ("pooled::ticks_go_through_a_pooler_of_transactions", ticks),
    ("pooled::what_a_pooler_does_not_take_is_said", not_taken),
];

/// A pooler with so many connections before the server of a bench, and the address of the bench's log through it.
fn pooler(url: &str, connections: u32) -> Result<(Server, String), Lack> {
    let (base, parameters) = url.split_once('?').unwrap();
    let size = format!("default_pool_size={connections}");
    let pooler = Server::start("pgbouncer", &[base, "--set", &size])?;
    let url = format!("{}?{parameters}", pooler.url);
    Ok((pooler, url))
}

fn claims(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    // Fewer connections than clients: each transaction may be on another one.
    let (pooler, url) = pooler(&bench.url, 2)?;
    let claim = |worker: usize| {
        let (url, clock) = (url.clone(), bench.clock.clone());
        move || {
            let log = open_by(&url, clock).unwrap();
            wait(async {
                for round in 0..10 {
                    let id = id(&format!("p{worker}"));
                    let view = log.load(Scope::Only(vec![id.clone()])).await.unwrap();
                    let row = view.rows.get(&id).cloned().unwrap_or_else(|| Row::absent(id.clone()));
                    let claim = claiming(row, at(&format!("{round:02}:00")), 1);
                    let attempt = claim.claim.clone().unwrap();
                    assert_eq!(commit(&*log, vec![claim]).await.unwrap(), [Verdict::Won]);
                    let renewed = log.renew(vec![attempt.token], lease_until(at("20:00"))).await.unwrap();
                    assert_eq!(renewed.len(), 1);
                    let ends = vec![end(&attempt, Outcome::Succeeded, at("21:00"))];
                    log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
                }
            });
        }
    };
    let workers: Vec<_> = (0..6).map(|worker| std::thread::spawn(claim(worker))).collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let view = wait(bench.view(Scope::All));
    assert!(view.open.is_empty() && view.rows.len() == 6 && view.rows.values().all(|row| row.fence == 10));
    // Others get connections as they were: nothing that was set for a transaction has stayed.
    for setting in ["search_path", "lock_timeout", "idle_in_transaction_session_timeout"] {
        for _ in 0..4 {
            let direct = sql(bench.url.split_once('?').unwrap().0, &format!("SHOW {setting}")).unwrap();
            assert_eq!(sql_simple(&pooler.url, &format!("SHOW {setting}")), direct, "{setting}");
        }
    }
    Ok(())
}

/// Asks a pooler, which takes no `extra_float_digits`.
fn sql_simple(url: &str, statement: &str) -> crate::servers::Rows {
    use sqlx::{AssertSqlSafe, ConnectOptions, Row};
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    wait(async {
        let mut connection = options.extra_float_digits(None).connect().await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| vec![row.get_unchecked(0)]).collect()
    })
}

fn ticks(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let (_pooler, url) = pooler(&bench.url, 1)?;
    let lines = (0..20).map(|number| format!("  p{number}: {{ schedule: '@daily', command: ENTER }}\n"));
    let sandbox = Sandbox::with(&format!("pipelines:\n{}", lines.collect::<String>()));
    // Several at once, over one connection of the server.
    let line = format!("run-due --interval 86400 --run-log-url {url}");
    let ticks: Vec<_> = (0..3).map(|_| sandbox.start(&line)).collect();
    for tick in ticks {
        let done = crate::sandbox::Done::wait(tick).expect(0);
        assert!(!done.stderr.contains("warning"), "{done:?}");
    }
    assert_eq!(sandbox.starts().len(), 20);
    let states = sql(&bench.url, "SELECT state, count(*) FROM tickward_attempt GROUP BY state").unwrap();
    assert_eq!(states, [[Some("succeeded".to_owned()), Some("20".to_owned())]]);
    Ok(())
}

fn not_taken(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let (pooler, url) = pooler(&bench.url, 1)?;
    // `schema` does what `options` is mostly wanted for.
    let said = words(&refused(&with(&pooler.url, "options=-csearch_path%3Djobs")));
    assert!(said.contains("unsupported startup parameter"), "{said}");
    assert!(said.contains("options"), "{said}");
    open(&url).unwrap();
    Ok(())
}
