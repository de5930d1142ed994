//! Pipelines that misbehave: each is recorded for what it did, the others run, and nothing is left running.

use std::time::Duration;

use serde_json::json;

use super::sandbox::{Done, Sandbox, each};

const NOW: &str = "2026-03-02T02:00:05Z";

#[test]
fn each_pipeline_ends_as_it_deserves_and_the_others_run() {
    let sandbox = Sandbox::with(
        "defaults: { kill_grace: 1s }
pipelines:
  wrong: { schedule: '61 * * * *', command: ENTER }
  absent: { schedule: '* * * * *', command: [no-such-program] }
  hangs: { schedule: '* * * * *', command: 'ENTER; exec sleep 600', timeout: 1s }
  deaf: { schedule: '* * * * *', command: 'trap \"\" TERM; ENTER; while :; do sleep 0.1; done', timeout: 1s }
  forks: { schedule: '* * * * *', command: 'ENTER; (sleep 600 > /dev/null 2>&1 &)' }
  escapes: { schedule: '* * * * *', command: 'ENTER; setsid sleep 600 > /dev/null 2>&1 < /dev/null & exit 0' }
  holds: { schedule: '* * * * *', command: 'ENTER; setsid sleep 600 & exit 4' }
  killed: { schedule: '* * * * *', command: 'ENTER; kill -9 $$' }
  good: { schedule: '* * * * *', command: ENTER }
",
    );
    let done = sandbox.run(&format!("run-due -o json --now {NOW}")).expect(1);
    let report = done.json();
    let mut ended: Vec<_> = ["ran", "failed"]
        .iter()
        .flat_map(|list| report[*list].as_array().unwrap())
        .map(|entry| (entry["pipeline"].as_str().unwrap(), entry["outcome"].as_str().unwrap(), &entry["error"]))
        .collect();
    ended.sort_by_key(|entry| entry.0);
    let path = "`no-such-program` was not found in PATH (`/usr/local/bin:/usr/bin:/bin`)";
    assert_eq!(
        ended,
        [
            ("absent", "failed", &json!(path)),
            ("deaf", "timed_out", &json!("took longer than 1s")),
            ("escapes", "succeeded", &json!(null)),
            ("forks", "succeeded", &json!(null)),
            ("good", "succeeded", &json!(null)),
            ("hangs", "timed_out", &json!("took longer than 1s")),
            ("holds", "failed", &json!("exit code 4")),
            ("killed", "failed", &json!("ended by signal SIGKILL")),
        ]
    );
    assert!(done.stderr.contains("error: pipeline `wrong`: minute `61` is out of range"), "{done:?}");
    let states: Vec<_> = sandbox.attempts().into_iter().map(|attempt| (attempt.0, attempt.3)).collect();
    assert!(states.iter().map(|(name, state)| (name.as_str(), state.as_str())).eq(ended.iter().map(|e| (e.0, e.1))));
    assert_eq!(sandbox.left(), [], "everything is gone when the tick is");
}

#[test]
fn a_gigabyte_of_output_blocks_nobody_and_is_kept_within_bounds() {
    let sandbox = Sandbox::with(
        "pipelines:
  loud: { schedule: '* * * * *', command: 'head -c 1G /dev/zero; echo the end', limits: { output: 1M } }
  quiet: { schedule: '* * * * *', command: ENTER }
",
    );
    let tick = sandbox.start(&format!("run-due -o json --now {NOW}"));
    let mut peak = 0;
    let memory = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    };
    let over = || sandbox.attempts().iter().filter(|attempt| attempt.3 == "succeeded").count() == 2;
    sandbox.wait("both to end", || {
        peak = peak.max(memory(tick.id()));
        std::thread::sleep(Duration::from_millis(50));
        over()
    });
    let report = Done::wait(tick).expect(0).json();
    assert_eq!(report["ran"].as_array().unwrap().len(), 2);
    assert!((1..100_000).contains(&peak), "{peak} kB");
    let history = sandbox.run("history loud -o json").expect(0).json();
    assert_eq!(history[0]["output_bytes"], (1_u64 << 30) + 8);
    let kept = sandbox.run("logs loud").expect(0).stdout;
    assert!(kept.ends_with("the end\n"), "the end of the output is kept");
    assert!(kept.len() <= (1 << 20) + 200, "{} bytes", kept.len());
}

#[test]
fn exit_codes_mean_what_the_map_says() {
    let sandbox = Sandbox::with(
        "defaults:
  retry: { max_attempts: 2, delay: 0s }
  exit_codes: { 0: success, 2: partial, 3: fatal, 4: retry }
pipelines:
  zero: { schedule: '* * * * *', command: 'exit 0' }
  two: { schedule: '* * * * *', command: 'exit 2' }
  three: { schedule: '* * * * *', command: 'exit 3' }
  four: { schedule: '* * * * *', command: 'exit 4' }
",
    );
    let report = sandbox.tick(NOW);
    let of = |list: &str| {
        let entries = report[list].as_array().unwrap().iter();
        let mut entries: Vec<_> = entries
            .map(|e| format!("{} {} {} {}", e["pipeline"], e["attempt"], e["outcome"], e["exit_code"]).replace('"', ""))
            .collect();
        entries.sort();
        entries
    };
    assert_eq!(of("ran"), ["two 1 partial 2", "zero 1 succeeded 0"]);
    assert_eq!(of("failed"), ["four 1 failed 4", "four 2 failed 4", "three 1 failed 3"]);
    assert!(each(&report["failed"], "error").contains(&"exit code 3, which is fatal"));
}

#[test]
fn a_failure_is_told_in_words_with_the_end_of_its_output() {
    let sandbox = Sandbox::with(
        "pipelines:
  bad: { schedule: '* * * * *', command: 'seq 9; printf \"\\033[31mred\\033[0m\\r\\n\" >&2; exit 3' }
",
    );
    let done = sandbox.run(&format!("run-due --now {NOW}")).expect(1);
    assert_eq!(done.stdout, "");
    let (first, rest) = done.stderr.split_once('\n').unwrap();
    let (before, after) = first.split_once("ms").unwrap();
    assert!(before.starts_with("failed    bad@20260302T020000Z in "), "{first}");
    assert_eq!(after, ": exit code 3");
    let tail = ["6", "7", "8", "9", r"\u{1b}[31mred\u{1b}[0m"].map(|line| format!("          | {line}\n"));
    assert_eq!(rest, tail.concat());
}

#[test]
fn an_outcome_that_the_run_log_has_no_attempt_for_is_told() {
    let sandbox =
        Sandbox::with("pipelines: { a: { command: 'echo > started; until test -e go; do sleep 0.01; done' } }");
    let run = sandbox.start("run a");
    sandbox.wait("it to run", || sandbox.path("started").exists());
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    run_log.execute("DELETE FROM tickward_attempt", ()).unwrap();
    sandbox.write("go", "");
    let done = Done::wait(run).expect(4);
    assert!(done.stderr.contains("does not know an attempt"), "{done:?}");
}
