//! Ticks without the run-log, ticks that have it again, and ticks with alerts are killed at every passing of every point of
//! spool and outbox: nothing is doubled, nothing lost, and each alert delivered at least once.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use tickward::failpoint::TABLE;

use super::killed::is_apart;
use super::sandbox::Sandbox;

const DAILY: &str = "pipelines: { p: { schedule: '@daily', command: 'ENTER' } }";
pub const TICK: &str = "run-due --interval 86400 -o json";
const HOURLY: &str = "pipelines: { p: { schedule: '0 * * * *', command: 'ENTER; false' } }";
/// More often than any point is passed by one tick.
const MOST: u32 = 60;

/// A life in which one tick is killed.
pub struct Life {
    pub sandbox: Sandbox,
    intact: Vec<u8>,
}

impl Life {
    /// A host that has seen the run-log, and nothing due.
    pub fn new() -> Life {
        let sandbox = Sandbox::new();
        sandbox.write("tickward.yaml", "pipelines: { q: { schedule: '@yearly', command: 'true' } }");
        sandbox.run("run-due").expect(0);
        let enter = super::sandbox::ENTER.replace('\\', "\\\\").replace('\'', "''");
        sandbox.write("tickward.yaml", &DAILY.replace("ENTER", &enter));
        let intact = fs::read(sandbox.state().join("run_log.db")).unwrap();
        Life { sandbox, intact }
    }

    fn database(&self) -> PathBuf {
        self.sandbox.state().join("run_log.db")
    }

    pub fn fail(&self) {
        fs::write(self.database(), [b'x'; 5000]).unwrap();
    }

    pub fn mend(&self) {
        fs::write(self.database(), &self.intact).unwrap();
    }

    /// Whether the tick was killed at the point.
    fn tick(&self, wish: &str) -> bool {
        killed(&self.sandbox, TICK, wish)
    }
}

fn killed(sandbox: &Sandbox, line: &str, wish: &str) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    let output = sandbox.command(&words).env("TICKWARD_FAILPOINT", wish).output().unwrap();
    let told = sandbox.read("told") + &String::from_utf8_lossy(&output.stderr);
    sandbox.write("told", &told);
    output.status.signal().is_some()
}

/// Plays `life` with a kill at the first, second … passing of each point; returns how often it was killed.
fn at_every_passing(names: &[&str], mut life: impl FnMut(&str) -> bool) -> usize {
    let mut kills = 0;
    for name in names {
        let passings = (1..MOST).take_while(|nth| life(&format!("{name}:{nth}"))).count();
        println!("{name}: {passings} kills");
        kills += passings;
    }
    kills
}

fn points(of: &str) -> Vec<&'static str> {
    let apart = TABLE.iter().map(|row| row.name).filter(|name| is_apart(name));
    apart.filter(|name| name.starts_with(of)).chain(["commit-written", "commit-durable"]).collect()
}

fn audit(life: &Life, wish: &str) {
    let (sandbox, starts) = (&life.sandbox, life.sandbox.starts());
    let attempts = sandbox.attempts();
    let story = format!("{wish}: {starts:?} {attempts:?}");
    assert!(starts.len() <= 1, "doubled: {story}");
    let last = attempts.last().unwrap_or_else(|| panic!("a run is gone: {story}"));
    match last.3.as_str() {
        "succeeded" => assert_eq!(starts.len(), 1, "{story}"),
        "lost" => {}
        _ => panic!("it has not ended: {story}"),
    }
    assert_eq!(sandbox.run("spool list -o json").expect(0).json(), serde_json::json!([]), "{story}");
}

#[test]
fn a_tick_without_the_run_log_is_accounted_for_wherever_it_is_cut_off() {
    let kills = at_every_passing(&points("spool-"), |wish| {
        let life = Life::new();
        life.fail();
        let was_killed = life.tick(wish);
        life.tick("");
        life.mend();
        life.tick("");
        life.tick("");
        audit(&life, wish);
        was_killed
    });
    assert!(kills > 20, "{kills}");
}

#[test]
fn a_tick_that_has_the_run_log_again_is_accounted_for_wherever_it_is_cut_off() {
    let kills = at_every_passing(&points("spool-"), |wish| {
        let life = Life::new();
        life.fail();
        life.tick("");
        life.mend();
        let was_killed = life.tick(wish);
        life.tick("");
        life.tick("");
        audit(&life, wish);
        assert_eq!(life.sandbox.attempts().last().unwrap().3, "succeeded", "{wish}: its outcome was on disk");
        was_killed
    });
    assert!(kills > 10, "{kills}");
}

#[test]
fn an_alert_is_delivered_wherever_its_tick_is_cut_off() {
    let kills = at_every_passing(&points("alert"), |wish| {
        let sandbox = Sandbox::new();
        sandbox.write("tickward.yaml", &HOURLY.replace("ENTER", &super::sandbox::ENTER.replace('\'', "''")));
        let line = |time: &str| format!("run-due --alerter stdout:// --now 2026-03-02T{time}Z");
        sandbox.run(&line("01:59:30"));
        let was_killed = killed(&sandbox, &line("02:00:05"), wish);
        killed(&sandbox, &line("02:00:15"), "");
        // What a killed tick has taken is its own for 30 s.
        killed(&sandbox, &line("02:01:00"), "");
        let told = sandbox.read("told");
        let is_told = |line: &str| line.starts_with("alert: ") && line.contains("p@20260302T020000Z");
        assert!(told.lines().any(is_told), "{wish}: {told}");
        let outbox = sandbox.run("alert list -o json").expect(0).json();
        assert_eq!((&outbox["waiting"], &outbox["dead_ever"]), (&serde_json::json!([]), &0.into()), "{wish}");
        assert!(sandbox.starts().len() <= 1, "{wish}");
        was_killed
    });
    assert!(kills >= 5, "{kills}");
}
