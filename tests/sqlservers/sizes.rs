//! Much at once: long tails, many claims, and names that look alike.

use tickward::run::{Outcome, Row};
use tickward::runlog::contract::{Batch, Ended, Query, Record, Scope, Verdict};

use crate::bench::{at, claiming, end, id};
use crate::further::Lack;
use crate::kind::{Kind, commit, wait};

pub const CASES: &[crate::Case] = &[
    ("sizes::tails_of_a_mebibyte_are_kept", tails),
    ("sizes::ten_thousand_claims_are_one_commit", claims),
    ("sizes::names_that_look_alike_are_pipelines_of_their_own", names),
];

fn tails(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    wait(async {
        let claims: Vec<_> =
            (0..9).map(|number| claiming(Row::absent(id(&format!("p{number}"))), at("02:00"), 1)).collect();
        let attempts: Vec<_> = claims.iter().filter_map(|claim| claim.claim.clone()).collect();
        assert_eq!(commit(&*bench.log, claims).await.unwrap(), [Verdict::Won; 9]);
        let line = "é\t'\\\"; DROP TABLE tickward_meta; -- \u{1f980}\r\n";
        let tail = line.repeat((1 << 20) / line.len());
        let ends: Vec<_> = attempts
            .iter()
            .map(|attempt| {
                let mut end = end(attempt, Outcome::Failed, at("02:01"));
                end.completion.tail = tail.clone();
                end
            })
            .collect();
        let done = bench.log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
        assert!(done.ends.iter().all(|ended| matches!(ended, Ended::Folded(..))), "{}", done.ends.len());
        let history = bench.history(Query { attempts_only: true, ..Query::default() }).await;
        let kept = history.iter().filter(|record| match record {
            Record::Attempt(attempt) => attempt.end.as_ref().is_some_and(|end| end.tail == tail),
            Record::NotRun(_) => false,
        });
        assert_eq!(kept.count(), 9);
    });
    Ok(())
}

fn claims(kind: &'static Kind) -> Result<(), Lack> {
    const MANY: usize = 10_000;
    let bench = kind.bench()?;
    wait(async {
        let claims: Vec<_> =
            (0..MANY).map(|number| claiming(Row::absent(id(&format!("p{number:05}"))), at("02:00"), 1)).collect();
        let verdicts = commit(&*bench.log, claims.clone()).await.unwrap();
        assert!(verdicts.len() == MANY && verdicts.iter().all(|verdict| *verdict == Verdict::Won));
        let again = commit(&*bench.log, claims).await.unwrap();
        assert!(again.len() == MANY && again.iter().all(|verdict| *verdict == Verdict::Lost));
        assert_eq!(bench.view(Scope::All).await.open.len(), MANY);
    });
    Ok(())
}

fn names(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    wait(async {
        let names =
            ["job", "Job", "JOB", "job.", "job..", "job/", "job-", "job_", "jo-b", "a.job", "a/job", "0job", "00job"];
        for (number, name) in names.iter().enumerate() {
            let claim = claiming(bench.row(&id(name)).await, at("02:00"), 1);
            assert_eq!(commit(&*bench.log, vec![claim]).await.unwrap(), [Verdict::Won], "{name}");
            assert_eq!(bench.view(Scope::All).await.rows.len(), number + 1, "{name}");
        }
        // All at once, too.
        let mut claims = Vec::new();
        for name in names {
            claims.push(claiming(bench.row(&id(name)).await, at("03:00"), 1));
        }
        // Each has one that is active, of another run.
        let ids: Vec<_> = claims.iter().map(|claim| claim.row.pipeline.clone()).collect();
        assert_eq!(commit(&*bench.log, claims).await.unwrap(), vec![Verdict::Won; names.len()]);
        let view = bench.view(Scope::Only(ids)).await;
        assert!(view.open.len() == names.len() && view.open.values().all(|open| open.len() == 2));
        for name in names {
            let records = bench.history(Query { pipeline: Some(id(name)), ..Query::default() }).await;
            assert_eq!(records.len(), 2, "{name}");
        }
    });
    Ok(())
}
