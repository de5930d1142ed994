//! A spool that several processes of a host use: each remembers what it has read, and none misses what another has done.

use std::fs::File;
use std::time::{Duration, SystemTime};

use tickward::clock::Clock;
use tickward::lease::Lease;
use tickward::run::{Attempt, Outcome, Row};
use tickward::runlog::RunLog;
use tickward::runlog::contract::{Batch, Query, Record, Scope, Verdict, View};
use tickward::runlog::spool::{Folder, SpoolRunLog, keep};

use crate::bench::{Bench, at, claiming, end, id, thrice};

fn folder(bench: &Bench) -> Folder {
    Folder::at(bench.folder().join("host"))
}

/// One process of the host.
fn process(bench: &Bench) -> SpoolRunLog {
    SpoolRunLog::open(folder(bench), bench.clock.clone(), "outage".into()).unwrap()
}

async fn view(spool: &SpoolRunLog) -> View {
    spool.load(Scope::All).await.unwrap()
}

async fn row(spool: &SpoolRunLog, name: &str) -> Row {
    view(spool).await.rows.remove(&id(name)).unwrap_or_else(|| Row::absent(id(name)))
}

async fn claim(spool: &SpoolRunLog, row: Row, instant: &str, number: u32) -> Option<Attempt> {
    let mut transition = claiming(row, at(instant), number);
    let claim = transition.claim.as_mut().unwrap();
    claim.policy = thrice();
    let claim = claim.clone();
    let batch = Batch { ends: Vec::new(), transitions: vec![transition] };
    (spool.commit(batch).await.unwrap().verdicts == [Verdict::Won]).then_some(claim)
}

async fn ended(spool: &SpoolRunLog, attempt: &Attempt, outcome: Outcome, bench: &Bench) {
    let batch = Batch { ends: vec![end(attempt, outcome, bench.clock.now())], transitions: Vec::new() };
    spool.commit(batch).await.unwrap();
}

async fn active(spool: &SpoolRunLog) -> Vec<u32> {
    let open = view(spool).await.open;
    open.into_values().flatten().filter(Attempt::is_active).map(|attempt| attempt.number).collect()
}

/// A day of an outage has tens of thousands of records: each call of a tick would read them all again.
pub async fn what_a_process_has_read_it_reads_no_more(bench: Bench) {
    let spool = process(&bench);
    claim(&spool, Row::absent(id("p")), "01:00", 1).await.unwrap();
    let record = std::fs::read_dir(folder(&bench).join("records")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(record, "damaged").unwrap();
    assert_eq!(active(&spool).await, [1]);
    assert_eq!(active(&process(&bench)).await, Vec::<u32>::new(), "a newcomer reads it");
}

pub async fn what_another_process_has_done_is_known_to_the_next_call(bench: Bench) {
    let [one, other] = [process(&bench), process(&bench)];
    let first = claim(&one, Row::absent(id("p")), "01:00", 1).await.unwrap();
    assert_eq!(active(&other).await, [1]);
    assert_eq!(claim(&other, Row::absent(id("p")), "01:00", 1).await, None, "it is taken");
    ended(&other, &first, Outcome::Failed, &bench).await;
    assert_eq!(active(&one).await, Vec::<u32>::new());
    let second = claim(&other, row(&other, "p").await, "01:00", 2).await.unwrap();
    assert_eq!(active(&one).await, [2]);
    let lease = Lease::from(bench.clock.now(), bench.clock.boot(), Duration::from_secs(600));
    assert_eq!(one.renew(vec![second.token], lease).await.unwrap().len(), 1);
    ended(&one, &second, Outcome::Succeeded, &bench).await;

    keep::end_outage(&folder(&bench)).unwrap();
    for (name, stored) in keep::records(&folder(&bench)).unwrap() {
        assert!(keep::remove(&folder(&bench), &name, &stored).unwrap());
    }
    for spool in [&one, &other] {
        assert_eq!(spool.history(Query::default()).await.unwrap(), [], "the run-log has it");
    }
}

/// A person, or a program of an older version, counts nothing.
pub async fn a_record_that_somebody_has_taken_away_is_gone(bench: Bench) {
    let spool = process(&bench);
    let records = folder(&bench).join("records");
    claim(&spool, Row::absent(id("p")), "01:00", 1).await.unwrap();
    claim(&spool, Row::absent(id("q")), "01:00", 1).await.unwrap();
    assert_eq!(active(&spool).await, [1, 1]);
    let record = std::fs::read_dir(&records).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(record).unwrap();
    // The dates of a file system go by steps.
    File::open(&records).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(active(&spool).await, [1]);
}

/// Two processes in turn claim, renew and end, retries as well: what they remember is what the files say.
pub async fn whoever_remembers_sees_what_a_newcomer_reads(bench: Bench) {
    let processes = [process(&bench), process(&bench)];
    let mut dice = 7_u64;
    let mut roll = |sides: u64| -> u64 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let mut running: Vec<Attempt> = Vec::new();
    for step in 0..120 {
        bench.clock.advance(Duration::from_secs(60));
        let (spool, name) = (&processes[roll(2) as usize], ["p", "q", "r"][roll(3) as usize]);
        match (roll(5), running.is_empty()) {
            (0, false) => {
                let attempt = running.swap_remove(roll(running.len() as u64) as usize);
                ended(spool, &attempt, [Outcome::Failed, Outcome::Succeeded][roll(2) as usize], &bench).await;
            }
            (1, false) => {
                let attempt = &running[roll(running.len() as u64) as usize];
                let lease = Lease::from(bench.clock.now(), bench.clock.boot(), Duration::from_secs(300));
                spool.renew(vec![attempt.token], lease).await.unwrap();
            }
            _ => {
                let minute = format!("{:02}:{:02}", step / 60 + 1, step % 60);
                let view = view(spool).await;
                let pending =
                    view.open.get(&id(name)).and_then(|open| open.iter().find(|open| open.retry_at.is_some()));
                let row = row(spool, name).await;
                let (instant, number) = match pending {
                    Some(pending) => (pending.run.scheduled_for.to_string(), pending.number + 1),
                    None => (format!("2026-01-01T{minute}:00Z"), 1),
                };
                running.extend(claim(spool, row, &instant, number).await);
            }
        }
        let newcomer = process(&bench);
        let history = async |spool: &SpoolRunLog| -> Vec<Record> { spool.history(Query::default()).await.unwrap() };
        for spool in &processes {
            assert_eq!(view(spool).await, view(&newcomer).await, "step {step}");
            assert_eq!(history(spool).await, history(&newcomer).await, "step {step}");
        }
    }
    assert!(running.len() > 1, "{running:?}");
}
