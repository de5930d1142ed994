//! Stores of other versions: older ones are brought up to date, also from halfway; newer ones are used or refused.

use tickward::runlog::contract::{Query, Record, Scope, Verdict};
use tickward::runlog::{Error, Purpose};

use crate::bench::{Bench, at, claiming, id};
use crate::further::Lack;
use crate::kind::{Kind, commit, open, refused, wait, with, words};
use crate::servers::{sql, statements_of};

pub const CASES: &[crate::Case] = &[
    ("forms::an_old_store_is_brought_up_to_date_with_what_is_in_it", old),
    ("forms::a_migration_that_was_cut_off_anywhere_is_gone_on_with", cut_off),
    ("forms::a_store_that_needs_a_newer_program_is_refused_and_left_alone", newer),
    ("forms::a_store_with_more_in_it_than_is_known_is_used_side_by_side", side_by_side),
    ("forms::who_may_not_make_tables_says_so_and_makes_none", not_allowed),
];

/// What a program of form 3 has left: a pipeline and its ended attempt.
const ROWS: &str = "INSERT INTO tickward_pipeline (namespace, pipeline, version, fence, cursor_at, schedules, totals, \
    failures_in_a_row) VALUES ('default', 'old', 2, 1, 1767232800000000, '[]', '{\"succeeded\":1}', 0); \
    INSERT INTO tickward_attempt (namespace, pipeline, scheduled_for, attempt, token, fence, state, triggered_by, by_hand, \
    tries, earlier_starts, interruptions, owner, policy, claimed_at, lease_us, lease_until, lease_until_boot, ended_at) \
    VALUES ('default', 'old', 1767232800000000, 1, '0123456789abcdef0123456789abcdef', 1, 'succeeded', 'schedule', 0, 1, 0, 0, \
    OWNER, POLICY, 1767232800000000, 300000000, 1767233100000000, 300000000, 1767232800000000)";

/// A bench whose store is of form 3, as somebody has made it by hand.
fn of_form_three(kind: &'static Kind) -> Result<(Bench, String), Lack> {
    let bench = kind.bench()?;
    // What owners and policies look like is taken from what is written today.
    let attempt = wait(bench.claimed("sample", "02:00"));
    let cells = sql(&bench.url, "SELECT owner, policy FROM tickward_attempt").unwrap().remove(0);
    let quoted: Vec<String> =
        cells.into_iter().map(|cell| format!("'{}'", cell.unwrap().replace('\'', "''"))).collect();
    assert_eq!(attempt.number, 1);
    let url = bench.another_url();
    if let Some((_, schema)) = url.split_once("schema=") {
        sql(&bench.url, &format!("CREATE SCHEMA {schema}")).unwrap();
    }
    for migration in kind.migrations {
        sql(&url, migration).unwrap();
    }
    let meta = "INSERT INTO tickward_meta (name, value) VALUES ('schema', '3'), ('needs', '1')";
    sql(&url, meta).unwrap();
    sql(&url, &ROWS.replace("OWNER", &quoted[0]).replace("POLICY", &quoted[1])).unwrap();
    Ok((bench, url))
}

async fn assert_is_whole(bench: &Bench, url: &str) {
    let log = bench.open(url, Purpose::Work).unwrap_or_else(|error| panic!("{}", words(&error)));
    let view = log.load(Scope::All).await.unwrap();
    let row = view.rows[&id("old")].clone();
    assert_eq!((row.fence, row.cursor), (1, Some(at("02:00"))));
    let history = log.history(Query { limit: 9, ..Query::default() }).await.unwrap();
    assert!(matches!(&history[..], [Record::Attempt(one)] if one.run.pipeline == id("old")), "{history:?}");
    let verdicts = commit(&*log, vec![claiming(row, at("03:00"), 1)]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Won]);
    assert!(log.post_alerts(Vec::new()).await.is_ok());
}

fn old(kind: &'static Kind) -> Result<(), Lack> {
    let (bench, url) = of_form_three(kind)?;
    wait(assert_is_whole(&bench, &url));
    Ok(())
}

/// DDL commits by itself on MySQL: whatever statement a process was killed behind, the next one opens the store.
fn cut_off(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let ours = tickward::runlog::DDL.iter().find(|schema| schema.name == kind.name).unwrap();
    let mut all: Vec<String> = Vec::new();
    for (done, migration) in ours.migrations.iter().enumerate() {
        all.extend(statements_of(migration.statements));
        let form = (done + 1).to_string();
        let first = if done == 0 { &[("needs", "1"), ("schema", &*form)][..] } else { &[("schema", &*form)] };
        for (name, value) in first {
            all.push(format!("DELETE FROM tickward_meta WHERE name = '{name}'"));
            all.push(format!("INSERT INTO tickward_meta (name, value) VALUES ('{name}', '{value}')"));
        }
    }
    assert!(all.len() > 20, "{all:?}");
    drop(bench);
    for done in 0..=all.len() {
        let bench = kind.bench()?;
        let url = bench.another_url();
        if let Some((_, schema)) = url.split_once("schema=") {
            sql(&bench.url, &format!("CREATE SCHEMA {schema}")).unwrap();
        }
        if kind.is_postgres() {
            // One transaction: nothing of it is there.
            let begun = format!("BEGIN; {}; ROLLBACK", all[..done].join("; "));
            sql(&url, &begun).unwrap();
        } else {
            all[..done].iter().for_each(|statement| drop(sql(&url, statement).unwrap()));
        }
        let log = bench.open(&url, Purpose::Work);
        let log = log.unwrap_or_else(|error| panic!("after {done} statements: {}", words(&error)));
        let verdicts = wait(commit(&*log, vec![claiming(tickward::run::Row::absent(id("p")), at("02:00"), 1)]));
        assert_eq!(verdicts.unwrap(), [Verdict::Won], "after {done} statements");
        let columns = sql(&url, "SELECT name, value FROM tickward_meta ORDER BY name").unwrap();
        let names: Vec<_> = columns.iter().map(|cells| cells[0].as_deref().unwrap()).collect();
        assert_eq!(names, ["alerts_dead", "needs", "schema"], "after {done} statements");
    }
    Ok(())
}

fn newer(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    sql(&bench.url, "UPDATE tickward_meta SET value = '99' WHERE name IN ('schema', 'needs')").unwrap();
    let error = refused(&bench.url);
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let said = words(&error);
    assert!(said.contains("needs a newer tickward: it has form 99, this program knows up to"), "{said}");
    assert!(said.contains("update this program"), "{said}");
    let left = sql(&bench.url, "SELECT value FROM tickward_meta WHERE name = 'schema'").unwrap();
    assert_eq!(left, [[Some("99".to_owned())]]);
    Ok(())
}

/// A newer program has added a column and a table, and says that older ones may go on.
fn side_by_side(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let further = "UPDATE tickward_meta SET value = '99' WHERE name = 'schema'; \
        ALTER TABLE tickward_pipeline ADD COLUMN mood VARCHAR(40) NOT NULL DEFAULT 'good'; \
        ALTER TABLE tickward_attempt ADD COLUMN mood VARCHAR(40)";
    sql(&bench.url, further).unwrap();
    let log = bench.again(Purpose::Work).unwrap();
    wait(async {
        let attempt = bench.claimed("p", "02:00").await;
        sql(&bench.url, "UPDATE tickward_attempt SET mood = 'bad'; UPDATE tickward_pipeline SET mood = 'fine'")
            .unwrap();
        assert!(log.load(Scope::All).await.unwrap().open[&id("p")].len() == 1);
        bench.ended(&attempt, tickward::run::Outcome::Succeeded).await;
    });
    let kept = sql(&bench.url, "SELECT a.mood, p.mood FROM tickward_attempt a, tickward_pipeline p").unwrap();
    assert_eq!(kept, [[Some("bad".to_owned()), Some("fine".to_owned())]], "what it does not know it leaves alone");
    let left = sql(&bench.url, "SELECT value FROM tickward_meta WHERE name = 'schema'").unwrap();
    assert_eq!(left, [[Some("99".to_owned())]]);
    Ok(())
}

fn not_allowed(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let url = bench.another_url();
    let error = refused(&with(&url, "create_tables=false"));
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let said = words(&error);
    assert!(said.contains("has no tables, and create_tables=false") && said.contains("run-log migrate"), "{said}");
    open(&url).unwrap();
    open(&with(&url, "create_tables=false")).unwrap();
    let (_others, old) = of_form_three(kind)?;
    let said = words(&refused(&with(&old, "create_tables=false")));
    assert!(said.contains("has form 3, this program needs"), "{said}");
    Ok(())
}
