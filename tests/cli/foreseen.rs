//! Who only looks after an outage counts in what waits in the spool, and writes nothing.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::degraded::{DAILY, GARBAGE, TICK, broken, host, mend, refuse};
use super::sandbox::{Done, Sandbox, each};

/// All files of the state folder, and what is in them; what SQLite keeps beside a file that is read is its own.
fn files(sandbox: &Sandbox) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut all, mut folders) = (Vec::new(), vec![sandbox.state()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().unwrap().ends_with("-shm") => {}
                false => all.push((path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    all.sort();
    all
}

/// The answer of `why p`, and what it says of the spool.
fn why(sandbox: &Sandbox) -> (String, Value, String) {
    let done = sandbox.run("why p -o json").expect(0);
    let answer = done.json();
    (answer["answer"].as_str().unwrap().into(), answer["spool"].clone(), done.stderr)
}

#[test]
fn who_looks_counts_in_what_waits_and_writes_nothing() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    mend(&sandbox);
    let before = files(&sandbox);
    let look = "run-due --interval 86400 --dry-run";
    let done = sandbox.run(&format!("{look} -o json")).expect(0).json();
    assert_eq!((&done["due"], &done["spool"]), (&json!([]), &json!(1)), "{done}");
    assert_eq!(sandbox.run(look).expect(0).stderr, "would record 1 from the spool of this host\n");
    let (answer, spool, stderr) = why(&sandbox);
    assert!(answer.starts_with("It ran for ") && answer.contains(": attempt 1 succeeded at "), "{answer}");
    assert_eq!(spool, json!(1));
    let note = "note: 1 from the spool of this host is counted in: the next tick records it\n";
    assert_eq!(stderr, note);
    let done = sandbox.run("status -o json").expect(0);
    let line = &done.json()[0];
    assert_eq!((&line["state"], &line["last"]["outcome"]), (&json!("scheduled"), &json!("succeeded")), "{line}");
    assert_eq!(done.stderr, note);
    assert_eq!(files(&sandbox), before);
    sandbox.run(TICK).expect(0);
    let done = sandbox.run(&format!("{look} -o json")).expect(0).json();
    assert_eq!((&done["due"], &done["spool"]), (&json!([]), &json!(0)), "{done}");
    assert_eq!((why(&sandbox).0, why(&sandbox).1, why(&sandbox).2), (answer, json!(0), String::new()));
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn who_looks_sees_a_retry_that_waits_and_an_outcome_that_was_not_taken() {
    let config = "pipelines:
  p: { schedule: '@daily', command: 'ENTER; exit 1', retry: { max_attempts: 3, backoff: fixed, delay: 1h } }
";
    let sandbox = broken(config, GARBAGE);
    sandbox.run(TICK).expect(1);
    mend(&sandbox);
    let done = sandbox.run("run-due --interval 86400 --dry-run -o json").expect(0).json();
    assert_eq!((&done["due"], each(&done["waiting"], "pipeline")), (&json!([]), vec!["p"]), "{done}");
    assert!(why(&sandbox).0.contains("attempt 1 failed at "), "{:?}", why(&sandbox));

    let sandbox = Sandbox::with(
        "pipelines: { p: { schedule: '@daily', command: 'ENTER; while [ ! -e go ]; do sleep 0.05; done' } }",
    );
    let tick = sandbox.start(TICK);
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    let run_log = refuse(&sandbox, "UPDATE");
    fs::write(sandbox.path("go"), "").unwrap();
    Done::wait(tick).expect(4);
    let (answer, spool, _) = why(&sandbox);
    assert!(answer.contains(": attempt 1 succeeded at "), "{answer}");
    assert_eq!(spool, json!(1));
    assert_eq!(sandbox.attempts()[0].3, "running", "the run-log is as it was");
    run_log.execute_batch("DROP TRIGGER no").unwrap();
}

/// What it cannot read it cannot count: a tick would start nothing, and so says who asks what it would do.
#[test]
fn a_spool_that_cannot_be_read_is_told_by_who_looks() {
    let sandbox = broken(DAILY, GARBAGE);
    sandbox.run(TICK).expect(0);
    mend(&sandbox);
    let records = host(&sandbox).join("records");
    fs::rename(&records, host(&sandbox).join("away")).unwrap();
    fs::create_dir_all(records.join("x.json")).unwrap();
    let done = sandbox.run("run-due --interval 86400 --dry-run").expect(4);
    assert!(done.stderr.starts_with("error: the spool `"), "{done:?}");
    let done = sandbox.run("why p").expect(0);
    assert!(done.stderr.starts_with("warning: the spool `"), "{done:?}");
}
