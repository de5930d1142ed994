//! A sandbox with one run that is due, a tick that is led to a failpoint, and the audit of what came of it.
//!
//! Holds always: time is an argument of every tick, so nothing is waited for but processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandbox::Sandbox;

/// How the run comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Due by its schedule, one attempt.
    Due,
    /// Due by its schedule, with a retry policy.
    Retried,
    /// Asked for by a person.
    ByHand,
}

/// Bodies: what they print is more than is kept, and what they leave behind has a session of its own.
const BODY: &str = "ENTER; head -c 5000 /dev/zero | tr '\\0' x; \
                    setsid sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.02";
const LONG_BODY: &str = "ENTER; echo begun; sleep 1";

pub struct Scene {
    pub sandbox: Sandbox,
    variant: Variant,
}

impl Scene {
    /// A scene in which the process comes by the failpoint of this name.
    pub fn for_point(variant: Variant, point: &str) -> Scene {
        let command = match point {
            "unstarted-mark" | "mark-taken-back" => "[ /not/here ]".to_string(),
            "renewal-written" | "renewal-durable" => format!("\"{LONG_BODY}\""),
            _ => format!("\"{}\"", BODY.replace('\\', "\\\\")),
        };
        let lease = if point.starts_with("renewal") { "lease: 1s, kill_grace: 100ms" } else { "kill_grace: 1s" };
        let schedule = if variant == Variant::ByHand { "" } else { "schedule: '0 * * * *', " };
        let retry = if variant == Variant::Retried { ", retry: { max_attempts: 2, delay: 0s }" } else { "" };
        let sandbox = Sandbox::new();
        let config =
            format!("pipelines:\n  a: {{ {schedule}{lease}, limits: {{ output: 1000 }}, command: COMMAND{retry} }}\n");
        let enter = super::sandbox::ENTER.replace('"', "\\\"");
        fs::write(sandbox.path("tickward.yaml"), config.replace("COMMAND", &command).replace("ENTER", &enter)).unwrap();
        let scene = Scene { sandbox, variant };
        if point == "old-output" {
            scene.fill_output();
        }
        scene
    }

    /// More old output than is kept.
    fn fill_output(&self) {
        let folder = self.sandbox.state().join("output/default/a");
        fs::create_dir_all(&folder).unwrap();
        (0..110).for_each(|i| fs::write(folder.join(format!("old-{i}.log")), "old").unwrap());
    }

    /// Starts a tick, or a run by hand, that acts as `wish` says; `now` is the time of day.
    pub fn start(&self, wish: &str, now: &str) -> Child {
        let line = match self.variant {
            Variant::ByHand => format!("run a -o json --now 2026-03-02T{now}Z"),
            _ => format!("run-due -o json --now 2026-03-02T{now}Z"),
        };
        let words: Vec<_> = line.split(' ').collect();
        let mut command = self.sandbox.command(&words);
        command.env("TICKWARD_FAILPOINT", wish).env("TICKWARD_FAILPOINT_LOG", self.sandbox.path("points"));
        command.stdout(fs::File::create(self.sandbox.path("out")).unwrap());
        command.stderr(fs::File::create(self.sandbox.path("err")).unwrap()).spawn().unwrap()
    }

    /// The points that were reached, in order.
    pub fn reached(&self) -> Vec<String> {
        self.sandbox.read("points").lines().map(Into::into).collect()
    }

    /// Every process that has this sandbox in its environment, the supervisors too, and whether it is stopped.
    pub fn processes(&self) -> Vec<(i32, bool)> {
        let folder = self.sandbox.work().to_string_lossy().into_owned();
        let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            String::from_utf8_lossy(&environment).contains(&folder).then_some(pid)
        });
        let state = |pid: i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        pids.filter_map(|pid| Some((pid, state(pid).filter(|state| !"ZX".contains(*state))? == 'T'))).collect()
    }

    /// Lets what was stopped go on.
    pub fn thaw(&self) {
        for (pid, _) in self.processes().into_iter().filter(|(_, stopped)| *stopped) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
    }

    /// Ticks until every run has ended: at most two.
    pub fn settle(&self, what: &str) {
        for now in ["00:15", "00:25"] {
            let tick = self.sandbox.tick(&format!("2026-03-02T02:{now}Z"));
            assert!(tick["rc"] == 0 || tick["rc"] == 1, "{what}: {tick}");
        }
        self.audit(what);
    }

    /// Nothing was started twice, everything has ended, nothing is left.
    pub fn audit(&self, what: &str) {
        let mut starts = BTreeMap::<(String, u32), u32>::new();
        for start in self.sandbox.starts() {
            *starts.entry((start.scheduled_for, start.attempt)).or_default() += 1;
        }
        let attempts = self.sandbox.attempts();
        let story = format!("{what} {:?}: starts {starts:?}, attempts {attempts:?}", self.variant);
        assert!(starts.values().all(|times| *times == 1), "an attempt started twice: {story}");
        for (_, at, number, state) in &attempts {
            assert_ne!(state, "claimed", "without an end: {story}");
            let started = starts.contains_key(&(at.clone(), u32::try_from(*number).unwrap()));
            assert!(state != "released" || !started, "released, and started: {story}");
            assert!(state != "succeeded" || started, "succeeded, and not started: {story}");
        }
        let last = attempts.iter().rfind(|attempt| attempt.1 == "2026-03-02T02:00:00Z");
        let of_the_run = starts.keys().filter(|(at, _)| at.starts_with("2026-03-02T02:")).count();
        match (self.variant, last.map(|attempt| attempt.3.as_str())) {
            (Variant::Due, Some("succeeded" | "lost" | "failed")) => assert!(of_the_run <= 1, "{story}"),
            (Variant::Retried, Some("succeeded" | "failed")) => {}
            // Whoever asked by hand knows that his command was killed. It is for him to ask again.
            (Variant::ByHand, _) => assert!(of_the_run <= 1, "{story}"),
            (Variant::Retried, Some("lost")) if attempts.len() > 1 => {}
            _ => panic!("a run is gone: {story}"),
        }
        self.sandbox.wait(&format!("nothing to be left after {what} {:?}", self.variant), || {
            self.processes().is_empty() && self.sandbox.left().is_empty()
        });
    }

    /// The folder of start marks is empty once a later tick has worked, but for lock files that are too young to judge.
    pub fn assert_no_marks_stay(&self, what: &str) {
        let folder = self.sandbox.state().join("run_log.db-start");
        let files = || -> Vec<PathBuf> {
            fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
        };
        assert!(files().len() <= 2, "{what}: {:?}", files());
        for file in files() {
            let file = fs::File::options().write(true).open(file).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
        }
        let line = match self.variant {
            Variant::ByHand => "run a -o json --now 2026-03-02T04:00:05Z",
            _ => "run-due -o json --now 2026-03-02T04:00:05Z",
        };
        self.sandbox.run(line);
        assert_eq!(files(), Vec::<PathBuf>::new(), "{what} {:?}: marks stay", self.variant);
    }
}
