//! Ticks and supervisors that are killed with SIGKILL at any moment of a tick's life, alone or in the same instant.

use std::time::{Duration, Instant};

use std::fs;

use super::kills::{Dice, Victim, killed_anywhere, wanted};
use super::sandbox::Sandbox;

fn killed_here(victim: Victim, usual: u64) {
    let rounds = wanted(usual);
    let lost = killed_anywhere("defaults: { kill_grace: 1s }", victim, rounds);
    assert!(lost > 0 || rounds < 10, "no kill has hit a body: the delays are no good");
}

#[test]
fn a_tick_killed_anywhere_loses_no_occurrence_and_doubles_none() {
    killed_here(Victim::Tick, 40);
}

#[test]
fn a_supervisor_killed_anywhere_loses_no_occurrence_and_doubles_none() {
    killed_here(Victim::Supervisor, 20);
}

#[test]
fn a_tick_and_its_supervisor_killed_at_once_lose_no_occurrence_and_leave_nothing() {
    killed_here(Victim::Both, 20);
}

/// What runs before it in the same tick has removed the folder.
#[test]
fn what_finds_no_folder_for_its_start_mark_is_claimed_again_and_at_last_told() {
    let config = "pipelines:
  a: { schedule: '* * * * *', command: 'ENTER; [ -e keep ] || rm -r $XDG_STATE_HOME/tickward/run_log.db-start' }
  b: { schedule: '@daily', command: ENTER }";
    for (keeps_at, states) in
        [(1, vec!["released", "succeeded"]), (4, vec!["released", "released", "released", "failed"])]
    {
        let sandbox = Sandbox::with(config);
        for minute in 0..5 {
            if minute == keeps_at {
                sandbox.write("keep", "");
            }
            sandbox.run(&format!("run-due --jobs 1 --now 2026-03-02T00:{minute:02}:05Z"));
        }
        let of_b = sandbox.attempts().into_iter().filter(|attempt| attempt.0 == "b");
        assert_eq!(of_b.map(|attempt| attempt.3).collect::<Vec<_>>(), states);
        let starts = sandbox.starts().iter().filter(|start| start.pipeline == "b").count();
        assert_eq!(starts, states.iter().filter(|state| **state == "succeeded").count());
    }
}

#[test]
fn what_was_claimed_and_never_started_is_claimed_again() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: ENTER } }");
    let mut dice = Dice::new(7);
    let begin = Instant::now();
    sandbox.tick("2026-03-02T02:00:05Z");
    let a_tick = u64::try_from(begin.elapsed().as_micros()).unwrap();
    let mut minute = 0;
    // Kills between claim and start until one has hit that moment, wherever in a tick that is on a machine as busy as this one.
    sandbox.wait("a claim that was never started", || {
        minute += 1;
        let now = |second| format!("2026-03-02T{:02}:{:02}:{second:02}Z", 2 + minute / 60, minute % 60);
        let mut tick = sandbox.start(&format!("run-due --now {}", now(5)));
        std::thread::sleep(Duration::from_micros(dice.below(a_tick)));
        tick.kill().unwrap();
        tick.wait().unwrap();
        sandbox.tick(&now(15));
        sandbox.attempts().iter().any(|attempt| attempt.3 == "released")
    });
    let attempts = sandbox.attempts();
    let released = attempts.iter().find(|attempt| attempt.3 == "released").unwrap();
    let again = attempts.iter().find(|attempt| attempt.1 == released.1 && attempt.2 == released.2 + 1).unwrap();
    assert_eq!((again.2, again.3.as_str()), (2, "succeeded"));
    let starts = sandbox.starts();
    let of_run: Vec<_> = starts.iter().filter(|start| start.scheduled_for == released.1).collect();
    assert_eq!(of_run.len(), 1);
    assert_eq!(of_run[0].attempt, 2);
}

#[test]
fn an_attempt_that_was_lost_is_retried_where_the_policy_says_so() {
    let sandbox = Sandbox::with(
        "pipelines:
  one:
    schedule: '* * * * *'
    command: ENTER; test $TICKWARD_ATTEMPT = 2 || exec sleep 600
    retry: { max_attempts: 2, delay: 0s }",
    );
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    let next = sandbox.tick("2026-03-02T02:00:10Z");
    assert_eq!((&next["failed"][0]["outcome"], &next["ran"][0]["attempt"]), (&"lost".into(), &2.into()));
    assert_eq!(next["rc"], 0, "the run has succeeded in the end");
    sandbox.assert_nothing_left();
}

#[test]
fn who_finds_a_loss_says_so_in_words() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: 'ENTER; exec sleep 600' } }");
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    let next = sandbox.run("run-due --quiet --now 2026-03-02T02:00:10Z").expect(1);
    let line = "lost      one@20260302T020000Z in 0ms: the process that ran it is gone (process ";
    assert!(next.stderr.starts_with(line) && next.stderr.lines().count() == 1, "{next:?}");
}

/// By the machine's time a tick was killed while the body ran that it had started: its line is in the ledger.
fn killed_in_its_body() -> Sandbox {
    let sandbox = Sandbox::with("pipelines: { a: { schedule: '@hourly', command: 'ENTER; exec sleep 30' } }");
    let mut tick = sandbox.start("run-due --interval 3600");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    sandbox.assert_nothing_left();
    sandbox
}

/// An hour that ends while a test runs makes another attempt due: the first one is the oldest.
fn state_of_the_first(sandbox: &Sandbox) -> String {
    sandbox.attempts()[0].3.clone()
}

fn starts_of_the_first(sandbox: &Sandbox) -> usize {
    let starts = sandbox.starts();
    starts.iter().filter(|start| start.scheduled_for == starts[0].scheduled_for).count()
}

#[test]
fn without_the_folder_of_start_marks_nothing_is_proved_and_nothing_starts_twice() {
    let sandbox = killed_in_its_body();
    let marks = fs::read_dir(sandbox.state()).unwrap().flatten().map(|entry| entry.path());
    marks.filter(|path| path.to_string_lossy().ends_with("-start")).for_each(|path| fs::remove_dir_all(path).unwrap());
    sandbox.run("run-due");
    assert_eq!((state_of_the_first(&sandbox).as_str(), starts_of_the_first(&sandbox)), ("lost", 1));
}

/// Claims are written through to the disk, marks are not: that there is none proves nothing after the machine went down.
#[test]
fn what_was_claimed_before_the_last_boot_is_lost_and_never_starts_again() {
    let sandbox = killed_in_its_body();
    let marks = fs::read_dir(sandbox.state().join("run_log.db-start")).unwrap().flatten().map(|entry| entry.path());
    marks.for_each(|path| fs::remove_file(path).unwrap());
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    let other_boot = "UPDATE tickward_attempt SET owner = json_set(owner, '$.boot', 'before'), lease_until = ?1";
    let state = || state_of_the_first(&sandbox);
    let now = jiff::Timestamp::now().as_microsecond();
    run_log.execute(other_boot, [now + 60_000_000]).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "running", "its lease holds");
    run_log.execute(other_boot, [now]).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "lost");
    assert_eq!(starts_of_the_first(&sandbox), 1);
}

/// The lock file of its supervisor cannot be opened: nobody can be waited for, and past the lease nobody is.
#[test]
fn a_lock_that_cannot_be_looked_at_holds_no_claim_past_its_lease() {
    let sandbox = killed_in_its_body();
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    let owner = "SELECT json_extract(owner, '$.id') FROM tickward_attempt";
    let owner: String = run_log.query_row(owner, (), |row| row.get(0)).unwrap();
    let held = sandbox.state().join(format!("run_log.db-start/{owner}.held"));
    let _ = fs::remove_file(&held);
    fs::create_dir(&held).unwrap();
    let state = || state_of_the_first(&sandbox);
    sandbox.run("run-due");
    assert_eq!(state(), "running", "its lease holds");
    run_log.execute("UPDATE tickward_attempt SET lease_until_boot = 0", ()).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "lost");
}

#[test]
fn marks_of_nobody_go_when_they_are_old_however_many_have_to_stay() {
    let sandbox = Sandbox::with("pipelines: { p: { schedule: '* * * * *', command: ENTER } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    let folder = sandbox.state().join("run_log.db-start");
    let mark = |number: u128| folder.join(format!("{number:032x}"));
    (0..250).for_each(|number| drop(fs::File::create(mark(number)).unwrap()));
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(31 * 86_400);
    fs::File::create(mark(1000)).unwrap().set_modified(long_ago).unwrap();
    // Each tick looks at a hundred, from a place of its own on.
    let is_gone = |minute: u32| {
        sandbox.tick(&format!("2026-03-02T02:{minute:02}:05Z"));
        !mark(1000).exists()
    };
    assert!((1..60).any(is_gone), "the old one stays for ever");
    assert!(
        (0..250).all(|number| mark(number).exists()),
        "younger ones may be of an attempt that is still to be recorded"
    );
}
