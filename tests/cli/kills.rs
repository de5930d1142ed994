//! Kills ticks, their supervisors or both at random moments, and accounts for every occurrence.
//!
//! The delays come from a fixed seed, or from `TICKWARD_TEST_SEED`; `TICKWARD_TEST_KILLS` asks for more rounds.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandbox::Sandbox;

const PIPELINES: &str = "
pipelines:
  a: { schedule: '* * * * *', command: ENTER }
  b: { schedule: '* * * * *', command: 'ENTER; sleep 0.03' }
  c: { schedule: '* * * * *', command: 'ENTER; sleep 0.1' }
  d: { schedule: '* * * * *', command: 'ENTER; setsid sleep 0.2 & sleep 0.05' }
";

/// Numbers that look random and are the same for the same seed (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(salt: u64) -> Dice {
        let seed = variable("TICKWARD_TEST_SEED").unwrap_or(20_260_302);
        Dice((seed ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many rounds are wanted of each victim, where nobody has said so `usual`.
pub fn wanted(usual: u64) -> u64 {
    variable("TICKWARD_TEST_KILLS").unwrap_or(usual)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Victim {
    Tick,
    Supervisor,
    Both,
}

pub(super) fn supervisor_of(tick: &Child) -> Option<i32> {
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

/// Each round has a minute of its own: a tick that is killed, then one that goes through. In the end every lease is over.
/// Returns how many runs were lost.
pub fn killed_anywhere(defaults: &str, victim: Victim, rounds: u64) -> u64 {
    let sandbox = Sandbox::with(&format!("{defaults}{PIPELINES}"));
    let mut dice = Dice::new(victim as u64);
    // From two o'clock until midnight, day after day: times are never called twice.
    let minutes: Vec<String> =
        (0..rounds).map(|i| format!("2026-03-{:02}T{:02}:{:02}", 2 + i / 1320, 2 + i / 60 % 22, i % 60)).collect();
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
    sandbox.wait("every attempt to have ended", || {
        minutes.last().map(|minute| sandbox.tick(&format!("{minute}:25Z")));
        sandbox.attempts().iter().all(|attempt| attempt.3 != "running")
    });
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
    println!("{victim:?}: {rounds} kills, {lost} runs lost, in {:.1?}; a tick lives {life:.0?}", begin.elapsed());
    lost
}
