//! Runs one animal in a sandbox and looks at what came of it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::animals::{Animal, Needs};
use super::sandbox::Sandbox;

/// What tick and supervisor may use each, whatever a body does; a build for debugging needs more than a release.
const MEMORY_KIB: u64 = 64 * 1024;

/// What came of an animal.
pub struct Seen {
    pub outcome: String,
    pub reason: String,
    /// How many processes of it were left.
    pub left: usize,
    pub took: Duration,
    pub tick_kib: u64,
    pub supervisor_kib: u64,
}

/// Runs the animal and fails where something is not as its row says.
pub fn watch(animal: &Animal) -> Seen {
    let sandbox = Sandbox::new();
    (animal.prepare)(&sandbox);
    let work = sandbox.work().display().to_string();
    let command = animal.command.replace("WORK", &work).replace('\n', "\n      ");
    let keys = animal.keys.iter().map(|key| format!("    {key}\n")).collect::<String>();
    let config = format!(
        "defaults: {{ kill_grace: 200ms }}\npipelines:\n  animal:\n    schedule: '* * * * *'\n{keys}    command: {command}\n"
    );
    sandbox.write("tickward.yaml", &config);
    let begin = Instant::now();
    let (tick_kib, supervisor_kib) = tick(&sandbox, animal, "2026-03-02T02:00:05Z");
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(animal.seconds), "the tick took {took:.1?}, not {} s", animal.seconds);
    if animal.takes_the_tick_along {
        // What is left then is ended by the supervisor within about a second, or by the next tick.
        tick(&sandbox, animal, "2026-03-02T02:00:15Z");
        sandbox.assert_nothing_left();
    }
    let left = sandbox.left();
    assert!(left.is_empty(), "left: {left:?}");
    let history = sandbox.run("history animal -o json").expect(0).json();
    let attempt = &history.as_array().unwrap()[0];
    let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_string();
    let (outcome, reason) = (text("state"), text("error").replace(&work, "…").replace('\n', " "));
    assert_eq!(outcome, animal.outcome, "{history}");
    assert!(text("error").contains(animal.reason), "`{}` in {history}", animal.reason);
    for (who, used) in [("tick", tick_kib), ("supervisor", supervisor_kib)] {
        assert!(used < MEMORY_KIB, "the {who} used {used} KiB");
    }
    (animal.check)(&sandbox, attempt);
    Seen { outcome, reason, left: left.len(), took, tick_kib, supervisor_kib }
}

/// One tick; returns the largest resident sizes of it and of its supervisor.
fn tick(sandbox: &Sandbox, animal: &Animal, now: &str) -> (u64, u64) {
    let words = ["run-due", "--now", now];
    let mut command = sandbox.command(&words);
    if animal.needs == Needs::Namespace {
        command = Command::new("unshare");
        sandbox.dress(&mut command);
        command.args(["-pf", "--mount-proc", env!("CARGO_BIN_EXE_tickward")]).args(words);
    }
    let mut tick = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut own, mut of_supervisor) = (0, 0);
    let until = Instant::now() + Duration::from_secs(animal.seconds);
    while tick.try_wait().unwrap().is_none() {
        // Before a tick in a namespace stands who has made that.
        let pid = match animal.needs {
            Needs::Namespace => children(tick.id()).first().copied().unwrap_or(0),
            _ => tick.id(),
        };
        own = peak_kib(pid).max(own);
        of_supervisor =
            children(pid).into_iter().filter(|child| is_supervisor(*child)).map(peak_kib).fold(of_supervisor, u64::max);
        if Instant::now() >= until {
            give_up(&mut tick, animal);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    (own, of_supervisor)
}

fn give_up(tick: &mut Child, animal: &Animal) -> ! {
    tick.kill().unwrap();
    tick.wait().unwrap();
    panic!("the tick did not end within {} s", animal.seconds);
}

fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn is_supervisor(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("__supervise"))
}

/// Whether a process may become the first of a namespace here.
pub fn can_make_namespaces() -> bool {
    let tried = Command::new("unshare").args(["-pf", "--mount-proc", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The size of the only file of output.
pub fn output_bytes_on_disk(sandbox: &Sandbox) -> u64 {
    let files = fs::read_dir(sandbox.state().join("output/default/animal")).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

/// A pipe gets what the body printed, a terminal nothing that it would obey, and the history is text.
pub fn assert_shown_harmless(sandbox: &Sandbox, attempt: &Value) {
    assert!(sandbox.run("logs animal").expect(0).stdout.contains("a\0b\u{1b}[31mred"), "a pipe gets it as it is");
    for line in ["logs animal", "history animal"] {
        let mut command = Command::new("script");
        sandbox.dress(&mut command);
        let program = format!("{} {line}", env!("CARGO_BIN_EXE_tickward"));
        let done = command.args(["-qec", &program, "/dev/null"]).env("NO_COLOR", "1").output().unwrap();
        let shown = String::from_utf8(done.stdout).unwrap();
        let raw = shown.chars().find(|c| c.is_control() && !"\r\n\t".contains(*c));
        assert_eq!(raw, None, "{line}: {shown:?}");
        assert!(!line.starts_with("logs") || (shown.contains("red") && shown.contains("end")), "{shown:?}");
    }
    assert_eq!(attempt["output_bytes"], 32, "{attempt}");
}
