//! The views with the columns of ematix-flow's tables, which whoever wants them makes from `run-log ddl --views`.

use tickward::run::Outcome;
use tickward::runlog::tables_of;

use crate::bench::{Bench, claiming, id_in, thrice};

pub async fn views_with_the_columns_of_ematix_flow_say_what_is_known(bench: Bench) {
    let fails = bench.claimed("fails", "02:00").await;
    bench.ended(&fails, Outcome::Failed).await;
    let again = bench.claimed_under("again", "02:00", thrice()).await;
    bench.ended(&again, Outcome::Failed).await;
    bench.claimed("runs", "02:00").await;
    for (name, outcome) in [("Good", Outcome::Succeeded), ("good", Outcome::Partial)] {
        let claim = claiming(bench.row(&id_in("team", name)).await, crate::bench::at("02:00"), 1);
        let attempt = claim.claim.clone().unwrap();
        bench.commit_one(claim).await;
        bench.ended(&attempt, outcome).await;
    }
    ask(&bench, tables_of(bench.backend.name).unwrap().views);
    let joined = |cells: [&str; 3]| match bench.backend.name {
        "mysql" => format!("CONCAT({})", cells.join(", ' ', ")),
        _ => cells.join(" || ' ' || "),
    };
    let truth = |column: &str| format!("CASE WHEN {column} THEN 'yes' ELSE 'no' END");
    let runs = joined(["pipeline_name", "last_run_at", &truth("success")]);
    assert_eq!(
        ask(&bench, &format!("SELECT {runs} FROM run_log ORDER BY 1")),
        [
            "again 2026-01-01T00:00:00Z no",
            "fails 2026-01-01T00:00:00Z no",
            "team:Good 2026-01-01T00:00:00Z yes",
            "team:good 2026-01-01T00:00:00Z yes",
        ]
    );
    let states = joined(["pipeline_name", "last_attempt_at", &truth("gave_up")]);
    assert_eq!(
        ask(&bench, &format!("SELECT {states} FROM attempt_state WHERE attempt_count = 1 ORDER BY 1")),
        ["again 2026-01-01T00:00:00Z no", "fails 2026-01-01T00:00:00Z yes"]
    );
    // They make it no run-log of ematix-flow, and hinder nothing.
    assert!(tickward::runlog::foreign(&bench.url).unwrap().is_none());
    assert_eq!(bench.again(tickward::runlog::Purpose::Work).unwrap().facts().await.unwrap().found, 5);
}

/// Runs statements in the store itself; the one text of each row that the last one gives.
fn ask(bench: &Bench, statements: &str) -> Vec<String> {
    match bench.backend.name {
        "sqlite" => {
            let connection = rusqlite::Connection::open(bench.folder().join("run_log.db")).unwrap();
            if !statements.starts_with("SELECT") {
                connection.execute_batch(statements).unwrap();
                return Vec::new();
            }
            let mut statement = connection.prepare(statements).unwrap();
            let rows = statement.query_map((), |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        }
        #[cfg(feature = "duckdb")]
        "duckdb" => {
            let connection = duckdb::Connection::open(bench.folder().join("runs.duckdb")).unwrap();
            if !statements.starts_with("SELECT") {
                connection.execute_batch(statements).unwrap();
                return Vec::new();
            }
            let mut statement = connection.prepare(statements).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        }
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        _ => crate::servers::sql(&bench.url, statements).unwrap().into_iter().flatten().flatten().collect(),
        #[cfg(not(any(feature = "postgres", feature = "mysql")))]
        other => panic!("{other} has no SQL"),
    }
}
