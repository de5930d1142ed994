//! What people ask for while the worker of an attempt is gone and no tick has seen it yet.

use serde_json::{Value, json};

use super::sandbox::Sandbox;

const CONFIG: &str = "pipelines: { one: { schedule: '0 * * * *', retry: { max_attempts: 2, delay: 20m }, \
                      command: 'ENTER; exec sleep 600' } }";

/// A sandbox whose only tick was killed while its command ran.
fn with_a_dead_worker() -> (Sandbox, u32) {
    let sandbox = Sandbox::with(CONFIG);
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    (sandbox, tick.id())
}

fn states(sandbox: &Sandbox) -> Vec<(u64, String)> {
    sandbox.attempts().into_iter().map(|(_, _, number, state)| (number, state)).collect()
}

#[test]
fn cancel_takes_it_over_and_waits_for_no_tick() {
    let (sandbox, _) = with_a_dead_worker();
    let cancelled = sandbox.run("cancel one --wait --now 2026-03-02T02:00:10Z").expect(0);
    assert_eq!(
        cancelled.stderr,
        "one: the worker of its run of 2026-03-02T02:00:00Z is gone: attempt 1 is lost\n\
         one: pending retries dropped: 1\n"
    );
    assert_eq!(states(&sandbox), [(1, "lost".to_string())]);
    assert_eq!(sandbox.tick("2026-03-02T02:30:05Z")["failed"], json!([]), "no retry follows");
    assert_eq!(sandbox.starts().len(), 1);
    sandbox.assert_nothing_left();
}

#[test]
fn cancel_says_so_in_json_too() {
    let (sandbox, _) = with_a_dead_worker();
    let cancelled = sandbox.run("cancel one --wait -o json --now 2026-03-02T02:00:10Z").expect(0).json();
    let (taken, told) = (&cancelled[0]["taken_over"], &cancelled[0]["told_to_end"]);
    assert_eq!((&taken[0]["state"], &taken[0]["attempt"], told), (&json!("lost"), &json!(1), &json!(0)), "{cancelled}");
}

#[test]
fn what_it_left_is_forgotten() {
    let (sandbox, _) = with_a_dead_worker();
    let forgotten = sandbox.run("forget one --yes --now 2026-03-02T02:00:10Z").expect(0);
    assert_eq!(
        forgotten.stderr,
        "one: the worker of its run of 2026-03-02T02:00:00Z is gone: attempt 1 is lost\n\
         one: forgotten, with 1 records of history\n"
    );
    assert_eq!(states(&sandbox), []);
}

#[test]
fn retry_makes_it_again() {
    let (sandbox, _) = with_a_dead_worker();
    sandbox.write("tickward.yaml", &CONFIG.replace("exec sleep 600", "true"));
    sandbox.run("retry one --now 2026-03-02T02:00:10Z").expect(0);
    assert_eq!(states(&sandbox), [(1, "lost".to_string()), (2, "succeeded".to_string())]);
}

#[test]
fn why_does_not_say_that_it_runs() {
    let (sandbox, pid) = with_a_dead_worker();
    let why = |now: &str| -> Value { sandbox.run(&format!("why one -o json --now {now}")).expect(0).json() };
    let gone = why("2026-03-02T02:00:10Z");
    let answer = gone["answer"].as_str().unwrap();
    assert!(answer.starts_with("It does not run for 2026-03-02T02:00:00Z any more: "), "{answer}");
    assert!(answer.contains(&format!("process {pid}")), "{answer}");
    assert!(answer.ends_with("is gone; the next tick takes it over."), "{answer}");
    let next = why("2026-03-02T03:00:10Z");
    assert_eq!(
        next["answer"],
        "The run of 2026-03-02T03:00:00Z is decided by the next tick, after it has taken over that of \
         2026-03-02T02:00:00Z, whose worker is gone."
    );
    let overlap = next["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "overlap").unwrap();
    assert!(overlap["fact"].as_str().unwrap().contains(&format!("process {pid}, which is gone")), "{overlap}");
    assert_eq!(states(&sandbox), [(1, "running".to_string())], "who asks changes nothing");
}
