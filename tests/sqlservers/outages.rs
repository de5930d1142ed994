//! Servers that go away, for a while or in a crash, and disks that are full: what ran is recorded in the end, once.

use std::fs;

use serde_json::json;
use tickward::run::{Outcome, Row};
use tickward::runlog::Error;
use tickward::runlog::contract::{Batch, Query, Record, Scope};

use crate::bench::{at, claiming, end, id};
use crate::further::{Lack, Server};
use crate::kind::{Kind, commit, open, password, wait, words};
use crate::sandbox::{Done, Sandbox};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("outages::a_server_that_is_gone_for_a_while_gets_the_outcome", gone_for_a_while),
    ("outages::an_outcome_that_finds_no_server_is_kept_and_replayed", gone_for_long),
    ("outages::a_server_that_is_down_is_done_without", down),
    ("outages::a_disk_that_is_full_leaves_nothing_half_done", full),
];

const WAITING: &str =
    "pipelines: { p: { schedule: '@daily', command: 'ENTER; while [ ! -e go ]; do sleep 0.05; done; echo > over' } }";

/// A tick whose body is running on a server of its own.
fn busy(kind: &'static Kind) -> Result<(Server, Sandbox, std::process::Child), Lack> {
    let server = kind.server(&[])?;
    let sandbox = Sandbox::with(WAITING);
    let tick = sandbox.start(&format!("run-due --interval 86400 -o json --run-log-url {}", server.url));
    sandbox.wait("the body", || sandbox.starts().len() == 1);
    Ok((server, sandbox, tick))
}

fn away(server: &Server, crashes: bool) {
    if crashes { server.crash() } else { server.stop() }
}

/// The run has one attempt, which succeeded, and no further one comes.
fn assert_recorded(sandbox: &Sandbox, url: &str) {
    let done = sandbox.call(&["run-due", "--interval", "86400", "-o", "json", "--run-log-url", url]).expect(0);
    assert_eq!((&done.json()["ran"], &done.json()["tick"]["degraded"]), (&json!([]), &json!(false)), "{done:?}");
    let states = sql(url, "SELECT state, attempt FROM tickward_attempt").unwrap();
    assert_eq!(states, [[Some("succeeded".to_owned()), Some("1".to_owned())]]);
    assert_eq!(sandbox.run("spool list -o json").expect(0).json(), json!([]));
    assert_eq!(sandbox.starts().len(), 1);
    assert!(!done.stderr.contains(password(url)), "{done:?}");
}

/// Whoever looks before the next tick counts in what waits, and nothing is due.
fn assert_counted_in(sandbox: &Sandbox, url: &str) {
    let look = ["run-due", "--interval", "86400", "-o", "json", "--dry-run", "--run-log-url", url];
    let done = sandbox.call(&look).expect(0).json();
    assert_eq!((&done["due"], &done["spool"]), (&json!([]), &json!(1)), "{done}");
    let why = sandbox.call(&["why", "p", "-o", "json", "--run-log-url", url]).expect(0).json();
    assert!(why["answer"].as_str().unwrap().contains(": attempt 1 succeeded at "), "{why}");
}

fn gone_for_a_while(kind: &'static Kind) -> Result<(), Lack> {
    for crashes in [false, true] {
        let (mut server, sandbox, tick) = busy(kind)?;
        away(&server, crashes);
        server.start_again(&[])?;
        sandbox.write("go", "");
        let done = Done::wait(tick).expect(0);
        assert_eq!(done.json()["tick"]["degraded"], false, "{done:?}");
        assert_eq!(done.json()["ran"][0]["outcome"], "succeeded", "{done:?}");
        assert_recorded(&sandbox, &server.url);
    }
    Ok(())
}

fn gone_for_long(kind: &'static Kind) -> Result<(), Lack> {
    for crashes in [false, true] {
        let (mut server, sandbox, tick) = busy(kind)?;
        away(&server, crashes);
        sandbox.write("go", "");
        let done = Done::wait(tick);
        assert!(!done.stderr.contains(password(&server.url)), "{done:?}");
        assert_eq!(sandbox.run("spool list -o json").expect(0).json()[0]["outcome"], "succeeded", "{done:?}");
        server.start_again(&[])?;
        assert_counted_in(&sandbox, &server.url);
        assert_recorded(&sandbox, &server.url);
    }
    Ok(())
}

fn down(kind: &'static Kind) -> Result<(), Lack> {
    let mut server = kind.server(&[])?;
    drop(open(&server.url).unwrap());
    away(&server, true);
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
    let tick = ["run-due", "--interval", "86400", "-o", "json", "--run-log-url", &server.url];
    let done = sandbox.call(&tick).expect(0);
    let shown = format!("{}://127.0.0.1:", kind.name);
    assert!(done.stderr.starts_with(&format!("warning: the run-log `{shown}")), "{done:?}");
    for says in ["cannot be reached", "several hosts will do so several times"] {
        assert!(done.stderr.contains(says), "{says}: {done:?}");
    }
    assert!(!done.stderr.contains(password(&server.url)), "{done:?}");
    assert_eq!((&done.json()["tick"]["degraded"], sandbox.starts().len()), (&json!(true), 1));
    assert_eq!(sandbox.call(&tick).expect(0).json()["ran"], json!([]), "not again");
    let skipping = Sandbox::with("on_run_log_error: skip\npipelines: { p: { schedule: '@daily', command: ENTER } }");
    assert_eq!((skipping.call(&tick).code, skipping.starts().len()), (4, 0));
    server.start_again(&[])?;
    assert_counted_in(&sandbox, &server.url);
    assert_recorded(&sandbox, &server.url);
    Ok(())
}

/// Takes the space that there is left on a disk, but for a little.
fn fill(server: &Server) -> std::path::PathBuf {
    let filler = server.folder().join("data/filler");
    let mut file = fs::File::create(&filler).unwrap();
    let block = vec![b'x'; 64 << 10];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(6 << 20)).unwrap();
    filler
}

fn full(kind: &'static Kind) -> Result<(), Lack> {
    let disk = ["--disk", kind.pick("48", "80")];
    let mut server = kind.server(&disk)?;
    let log = open(&server.url).unwrap();
    let filler = fill(&server);
    let (mut whole, mut unsure) = (Vec::new(), None);
    wait(async {
        for number in 0..60 {
            let name = format!("p{number:02}");
            let claim = claiming(Row::absent(id(&name)), at("02:00"), 1);
            let attempt = claim.claim.clone().unwrap();
            let mut ended = end(&attempt, Outcome::Failed, at("02:01"));
            // Nothing that a server could press together.
            let noise = (0..60_000_u64).map(|n| format!("{:x}", (n + number).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            ended.completion.tail = noise.collect();
            let tried = match commit(&*log, vec![claim]).await {
                Ok(_) => log.commit(Batch { ends: vec![ended], transitions: Vec::new() }).await.map(drop),
                Err(error) => Err(error),
            };
            match tried {
                Ok(()) => whole.push(name),
                Err(error) => {
                    unsure = Some((name, error));
                    break;
                }
            }
        }
    });
    let (name, error) = unsure.expect("the disk is full at some time");
    let said = words(&error);
    assert!(!said.contains(password(&server.url)), "{said}");
    println!("{}: after {} runs: {said}", kind.name, whole.len());
    assert!(!whole.is_empty(), "{said}");
    // Where a server ends itself for want of a disk, it says no more.
    let in_words = ["No space left on device", "is full", "did not answer", "cannot be reached"];
    assert!(in_words.iter().any(|words| said.contains(words)), "{said}");
    let tells = said.contains("No space") || said.contains("is full");
    assert!(!tells || matches!(error, Error::Unavailable { .. }) && said.contains("` failed: "), "{error:?}");
    fs::remove_file(filler).unwrap();
    // A server that cannot write may have ended itself.
    server.stop();
    server.start_again(&disk)?;
    wait(async {
        let view = log.load(Scope::All).await.unwrap_or_else(|error| panic!("{}", words(&error)));
        let history = log.history(Query { limit: 1000, ..Query::default() }).await.unwrap();
        for record in &history {
            let Record::Attempt(attempt) = record else { panic!("{record:?}") };
            let is_whole = attempt.end.as_ref().is_some_and(|end| end.tail.len() > 500_000);
            let known = attempt.run.pipeline.name.as_str();
            assert!(is_whole || known == name, "{known} is there, and not whole");
            assert_eq!(view.rows[&attempt.run.pipeline].fence, 1, "{known}");
        }
        let there =
            |name: &String| history.iter().any(|r| matches!(r, Record::Attempt(a) if a.run.pipeline == id(name)));
        assert!(whole.iter().all(there), "what was answered is there");
        let after = claiming(Row::absent(id("after")), at("02:00"), 1);
        assert_eq!(commit(&*log, vec![after]).await.unwrap(), [tickward::runlog::contract::Verdict::Won]);
    });
    Ok(())
}
