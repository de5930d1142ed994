//! Ticks and supervisors that are killed with SIGKILL at any moment of a tick's life, alone or in the same instant.
//!
//! The delays come from a fixed seed, or from `TICKWARD_TEST_SEED`; `TICKWARD_TEST_KILLS` asks for more rounds.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandbox::Sandbox;

const CONFIG: &str = "
defaults: { kill_grace: 1s }
pipelines:
  a: { schedule: '* * * * *', command: ENTER }
  b: { schedule: '* * * * *', command: 'ENTER; sleep 0.03' }
  c: { schedule: '* * * * *', command: 'ENTER; sleep 0.1' }
  d: { schedule: '* * * * *', command: 'ENTER; setsid sleep 0.2 & sleep 0.05' }
";

/// Numbers that look random and are the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(salt: u64) -> Dice {
        let seed = variable("TICKWARD_TEST_SEED").unwrap_or(20_260_302);
        Dice((seed ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Tick,
    Supervisor,
    Both,
}

fn supervisor_of(tick: &Child) -> Option<i32> {
    let tasks = format!("/proc/{0}/task/{0}/children", tick.id());
    let children = fs::read_to_string(tasks).ok()?;
    children.split_whitespace().find_map(|pid| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.contains("__supervise").then(|| pid.parse().ok())?
    })
}

fn kill_somewhere(sandbox: &Sandbox, victim: Victim, now: &str, delay: Duration) {
    let mut tick = sandbox.start(&format!("run-due --now {now} -o json"));
    std::thread::sleep(delay);
    match victim {
        Victim::Tick => tick.kill().unwrap(),
        Victim::Supervisor | Victim::Both => {
            if let Some(pid) = supervisor_of(&tick) {
                // It may have ended meanwhile.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            if victim == Victim::Both {
                tick.kill().unwrap();
            }
        }
    }
    tick.wait().unwrap();
}

/// How long a tick takes that nobody kills.
fn life_of_a_tick(sandbox: &Sandbox) -> Duration {
    let begin = Instant::now();
    sandbox.tick("2026-03-02T01:58:05Z");
    begin.elapsed()
}

/// So many minutes, one after the other, after the one in which an undisturbed tick is measured.
fn minutes(rounds: u64) -> Vec<String> {
    let first: jiff::Timestamp = "2026-03-02T02:00:00Z".parse().unwrap();
    let minute = |n| (first + Duration::from_secs(60 * n)).strftime("%Y-%m-%dT%H:%M").to_string();
    (0..rounds).map(minute).collect()
}

#[test]
fn however_many_rounds_no_minute_comes_twice() {
    let minutes = minutes(10_000);
    assert!(minutes.is_sorted_by(|a, b| a < b), "{minutes:?}");
    assert_eq!((minutes[0].as_str(), minutes[9_999].as_str()), ("2026-03-02T02:00", "2026-03-09T00:39"));
}

/// Each round has a minute of its own: a tick that is killed, then one that goes through.
fn killed_anywhere(victim: Victim, rounds: u64) {
    let sandbox = Sandbox::with(CONFIG);
    let mut dice = Dice::new(victim as u64);
    let rounds = variable("TICKWARD_TEST_KILLS").unwrap_or(rounds);
    let minutes = minutes(rounds);
    let life = life_of_a_tick(&sandbox);
    let begin = Instant::now();
    for minute in &minutes {
        let delay = Duration::from_micros(dice.below(life.as_micros() as u64));
        kill_somewhere(&sandbox, victim, &format!("{minute}:05Z"), delay);
        let next = sandbox.tick(&format!("{minute}:15Z"));
        assert!(next["rc"] == 0 || next["rc"] == 1, "{next}");
        assert!(next["waiting"].as_array().unwrap().is_empty(), "{next}");
        sandbox.assert_nothing_left();
    }
    let mut started = BTreeMap::<(String, String), u32>::new();
    for start in sandbox.starts() {
        *started.entry((start.pipeline, start.scheduled_for)).or_default() += 1;
    }
    let mut runs = BTreeMap::<(String, String), Vec<(u64, String)>>::new();
    for (pipeline, at, number, state) in sandbox.attempts() {
        runs.entry((pipeline, at)).or_default().push((number, state));
    }
    let mut lost = 0;
    for minute in &minutes {
        for pipeline in ["a", "b", "c", "d"] {
            let run = (pipeline.to_string(), format!("{minute}:00Z"));
            let attempts = runs.get(&run).unwrap_or_else(|| panic!("not accounted for: {run:?}"));
            let starts = started.get(&run).copied().unwrap_or(0);
            let (last, before) = attempts.split_last().unwrap();
            assert!(before.iter().all(|(_, state)| state == "released"), "{run:?}: {attempts:?}");
            assert!(attempts.iter().map(|(number, _)| *number).eq(1..=attempts.len() as u64), "{run:?}: {attempts:?}");
            match last.1.as_str() {
                "succeeded" => assert_eq!(starts, 1, "{run:?}: {attempts:?}"),
                "lost" => assert!(starts <= 1, "{run:?} started {starts} times"),
                state => panic!("{run:?} is {state}: {attempts:?}"),
            }
            lost += u64::from(last.1 == "lost");
        }
    }
    assert_eq!(runs.len() as u64, 4 * (rounds + 1), "runs were invented");
    println!("{rounds} kills, {lost} runs lost, in {:.1?}; a tick lives {life:.0?}", begin.elapsed());
    assert!(lost > 0 || rounds < 10, "no kill has hit a body: the delays are no good");
}

#[test]
fn a_tick_killed_anywhere_loses_no_occurrence_and_doubles_none() {
    killed_anywhere(Victim::Tick, 40);
}

#[test]
fn a_supervisor_killed_anywhere_loses_no_occurrence_and_doubles_none() {
    killed_anywhere(Victim::Supervisor, 20);
}

#[test]
fn a_tick_and_its_supervisor_killed_at_once_lose_no_occurrence_and_leave_nothing() {
    killed_anywhere(Victim::Both, 20);
}

#[test]
fn what_was_claimed_and_never_started_is_claimed_again() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: ENTER } }");
    let mut dice = Dice::new(7);
    let mut minute = 0;
    // Kills between claim and start until one has hit that moment.
    sandbox.wait("a claim that was never started", || {
        minute += 1;
        let now = |second| format!("2026-03-02T{:02}:{:02}:{second:02}Z", 2 + minute / 60, minute % 60);
        let mut tick = sandbox.start(&format!("run-due --now {}", now(5)));
        let claimed = || sandbox.state().join("run_log.db-start").exists() || minute > 1;
        sandbox.wait("the tick to get there", claimed);
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
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
fn without_the_folder_of_start_marks_nothing_is_proved_and_nothing_starts_twice() {
    let sandbox = Sandbox::new();
    sandbox.write("tickward.yaml", "pipelines: { a: { schedule: '@hourly', command: 'echo >> started; sleep 30' } }");
    let mut tick = sandbox.start("run-due --interval 3600");
    sandbox.wait("the body has started", || sandbox.path("started").exists());
    tick.kill().unwrap();
    tick.wait().unwrap();
    let marks = fs::read_dir(sandbox.state()).unwrap().flatten().map(|entry| entry.path());
    marks.filter(|path| path.to_string_lossy().ends_with("-start")).for_each(|path| fs::remove_dir_all(path).unwrap());
    sandbox.run("run-due");
    let history = sandbox.run("history a -o json").expect(0).json();
    let first = history.as_array().unwrap().last().unwrap();
    assert_eq!((&first["attempt"], &first["state"]), (&1.into(), &"lost".into()), "{history}");
}

/// Claims are written through to the disk, marks are not: that there is none proves nothing after the machine went down.
#[test]
fn what_was_claimed_before_the_last_boot_is_lost_and_never_starts_again() {
    let sandbox = Sandbox::new();
    sandbox.write("tickward.yaml", "pipelines: { a: { schedule: '@hourly', command: 'echo >> started; sleep 30' } }");
    let mut tick = sandbox.start("run-due --interval 3600");
    sandbox.wait("the body has started", || sandbox.path("started").exists());
    tick.kill().unwrap();
    tick.wait().unwrap();
    let marks = fs::read_dir(sandbox.state().join("run_log.db-start")).unwrap().flatten().map(|entry| entry.path());
    marks.for_each(|path| fs::remove_file(path).unwrap());
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    let other_boot = "UPDATE tickward_attempt SET owner = json_set(owner, '$.boot', 'before'), lease_until = ?1";
    let state = || sandbox.run("history a -o json").json()[0]["state"].clone();
    let now = jiff::Timestamp::now().as_microsecond();
    run_log.execute(other_boot, [now + 60_000_000]).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "running", "its lease holds");
    run_log.execute(other_boot, [now]).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "lost");
    assert_eq!(sandbox.read("started").lines().count(), 1);
}

/// The lock file of its supervisor cannot be opened: nobody can be waited for, and past the lease nobody is.
#[test]
fn a_lock_that_cannot_be_looked_at_holds_no_claim_past_its_lease() {
    let sandbox = Sandbox::new();
    sandbox.write("tickward.yaml", "pipelines: { a: { schedule: '@hourly', command: 'echo >> started; sleep 30' } }");
    let mut tick = sandbox.start("run-due --interval 3600");
    sandbox.wait("the body has started", || sandbox.path("started").exists());
    tick.kill().unwrap();
    tick.wait().unwrap();
    sandbox.assert_nothing_left();
    let run_log = rusqlite::Connection::open(sandbox.state().join("run_log.db")).unwrap();
    let owner = "SELECT json_extract(owner, '$.id') FROM tickward_attempt";
    let owner: String = run_log.query_row(owner, (), |row| row.get(0)).unwrap();
    let held = sandbox.state().join(format!("run_log.db-start/{owner}.held"));
    let _ = fs::remove_file(&held);
    fs::create_dir(&held).unwrap();
    let state = || sandbox.run("history a -o json").json()[0]["state"].clone();
    sandbox.run("run-due");
    assert_eq!(state(), "running", "its lease holds");
    run_log.execute("UPDATE tickward_attempt SET lease_until_boot = 0", ()).unwrap();
    sandbox.run("run-due");
    assert_eq!(state(), "lost");
}
