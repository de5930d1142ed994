//! All that is known of a simulated world, and what must be so at the very moment something happens in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tickward::clock::Clock;
use tickward::config::{Environment, Source, load};
use tickward::occurrence::{PipelineId, Token};
use tickward::owner::Owner;
use tickward::pipeline::{Overlap, Pipeline};
use tickward::run::Outcome;
use tickward::runlog::memory::MemoryRunLog;
use tickward::runlog::spool::Folder;

use crate::chance::Chance;
use crate::clocks::{MachineClock, SERVER, Time};
use crate::post::Post;
use crate::shape::{Kind, Shape};

/// Everything there is.
pub struct World {
    pub shape: Shape,
    pub chance: Chance,
    pub time: Arc<Time>,
    /// The store as it is, behind all networks.
    pub truth: Arc<MemoryRunLog>,
    /// The pipelines before and after the edit.
    pub pipelines: [Vec<Pipeline>; 2],
    pub post: Post,
    /// Where the hosts keep their mirrors and spools.
    state: Option<TempDir>,
    known: Mutex<Known>,
    is_live: bool,
}

/// How an attempt was started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub machine: usize,
    /// Without the run-log.
    pub alone: bool,
}

impl Start {
    /// Whether two starts know of each other: both are in the run-log, or both on one host.
    fn knows(self, other: Start) -> bool {
        self.machine == other.machine || !self.alone && !other.alone
    }
}

/// A body, and until when it goes on after its tick was killed.
pub struct Body {
    token: Token,
    who: String,
    start: Start,
    since: Duration,
    until: Option<Duration>,
}

/// A folder that lies in memory, where there is such a place: what is written there need not reach a disk.
fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

#[derive(Default)]
pub struct Known {
    pub trace: Vec<String>,
    pub wrong: Vec<String>,
    /// How often each attempt was started: run id, number.
    pub starts: BTreeMap<(String, String), Vec<Start>>,
    /// Tokens of attempts that were started.
    pub started: BTreeSet<Token>,
    /// When the store took the claim of each token.
    pub claimed_at: BTreeMap<Token, Duration>,
    /// Attempts made alone that another one keeps out of the store until they have ended.
    pub waiting: BTreeSet<Token>,
    /// Bodies by pipeline: whose, and until when it goes on after its tick was killed.
    pub bodies: BTreeMap<String, Vec<Body>>,
    pub marks: BTreeSet<PathBuf>,
    /// Those of them that say that nobody has started.
    pub forestalled: BTreeSet<PathBuf>,
    /// Ticks that run or are frozen.
    pub alive: BTreeSet<String>,
    pub held_until: BTreeMap<String, Duration>,
    pub frozen_until: BTreeMap<String, Duration>,
    pub cut_off_until: BTreeMap<usize, Duration>,
    /// Hosts that call no ticks.
    pub off_until: BTreeMap<usize, Duration>,
    pub full_until: Duration,
    /// The first outcome that the store took for each attempt.
    pub outcomes: BTreeMap<Token, Outcome>,
    /// What each body came to whose tick has heard of it.
    pub ended_bodies: BTreeMap<Token, (String, String)>,
    /// Ticks that went through to their end and had nothing left unrecorded.
    pub complete: BTreeSet<String>,
    /// Each row's cursor and fence as last committed.
    pub rows: BTreeMap<PipelineId, (Option<Timestamp>, u64)>,
    pub last_tick: Option<Timestamp>,
    /// No tick is called meanwhile.
    pub is_closed: bool,
}

impl World {
    pub fn new(shape: Shape, seed: u64) -> World {
        let read = |text: &String| {
            let loaded = load(&[Source::Text { name: "<world>".into(), text: text.clone() }], &Environment::default());
            assert!(!loaded.has_errors(), "{:?}", loaded.problems);
            loaded.pipelines
        };
        let time = Arc::new(Time::new());
        let machine = if shape.kind == Kind::Local { 0 } else { SERVER };
        let store_clock = MachineClock { time: time.clone(), machine };
        World {
            truth: Arc::new(MemoryRunLog::new(Arc::new(store_clock))),
            state: shape.has_spools.then(in_memory),
            pipelines: [read(&shape.files[0]), read(&shape.files[1])],
            chance: Chance::new(seed),
            shape,
            time,
            post: Post::default(),
            known: Mutex::default(),
            is_live: std::env::var_os("TICKWARD_SIM_LIVE").is_some(),
        }
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine of a tick loop.
    pub fn machine(&self, of_loop: usize) -> usize {
        if self.shape.kind == Kind::Local { 0 } else { of_loop }
    }

    /// The machine of whoever has claimed something.
    pub fn machine_of(&self, owner: &Owner) -> usize {
        self.machine(owner.host.trim_start_matches("host").parse().unwrap())
    }

    pub fn clock(&self, of_loop: usize) -> MachineClock {
        MachineClock { time: self.time.clone(), machine: self.machine(of_loop) }
    }

    /// The store's time.
    pub fn now(&self) -> Timestamp {
        let machine = if self.shape.kind == Kind::Local { 0 } else { SERVER };
        MachineClock { time: self.time.clone(), machine }.now()
    }

    pub fn say(&self, line: impl Into<String>) {
        let ms = self.time.elapsed().as_millis();
        let (h, m, s, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        // Where the folder lies is no part of the world.
        let folder = self.state.as_ref().map(|state| state.path().display().to_string()).unwrap_or("\n".into());
        let line = format!("{h:02}:{m:02}:{s:02}.{ms:03} {}", line.into().replace(&folder, ""));
        if self.is_live {
            eprintln!("{line}");
        }
        self.known().trace.push(line);
    }

    pub fn is_wrong(&self, line: String) {
        self.say(format!("WRONG: {line}"));
        self.known().wrong.push(line);
    }

    /// Faults stop before the end, so that what was left behind can be taken over.
    pub fn has_faults(&self) -> bool {
        self.time.elapsed() < Duration::from_secs(self.shape.minutes * 60)
    }

    pub fn is_cut_off(&self, of_loop: usize) -> bool {
        let now = self.time.elapsed();
        self.known().cut_off_until.get(&of_loop).is_some_and(|until| now < *until)
    }

    pub fn is_off(&self, of_loop: usize) -> bool {
        let now = self.time.elapsed();
        self.has_faults() && self.known().off_until.get(&of_loop).is_some_and(|until| now < *until)
    }

    pub fn is_full(&self) -> bool {
        self.time.elapsed() < self.known().full_until
    }

    pub fn make_mark(&self, mark: &Path) -> bool {
        self.known().marks.insert(mark.into())
    }

    /// Notes a start: of this attempt the first (I1), and of its pipeline the only one (I10).
    pub fn started(&self, owner: &str, (pipeline, run, number): (&str, &str, &str), token: Token, start: Start) {
        self.say(format!("{owner}: {run} attempt {number} starts"));
        let now = self.time.elapsed();
        let who = format!("{run} attempt {number}");
        let mut known = self.known();
        let Known { started, starts, claimed_at, waiting, bodies, outcomes, .. } = &mut *known;
        started.insert(token);
        let before = starts.entry((run.to_string(), number.to_string())).or_default();
        let is_doubled = before.iter().any(|other| other.knows(start));
        before.push(start);
        let bodies = bodies.entry(pipeline.to_string()).or_default();
        bodies.retain(|body| body.until.is_none_or(|until| now < until));
        // What ran when the run-log failed is not known without it. A claim in it knows what its host has begun alone before,
        // but for what cannot be taken in yet, and what others have declared lost: its lease is renewed by its host only.
        let is_unknown = |body: &Body| waiting.contains(&body.token) || outcomes.contains_key(&body.token);
        let claimed_at = claimed_at.get(&token).filter(|_| !start.alone);
        let is_before =
            |body: &Body| claimed_at.is_some_and(|claimed_at| body.since < *claimed_at) && !is_unknown(body);
        let is_known = |body: &&Body| (body.start.alone == start.alone || is_before(body)) && body.start.knows(start);
        let beside: Vec<String> = bodies.iter().filter(is_known).map(|body| body.who.clone()).collect();
        bodies.push(Body { token, who: who.clone(), start, since: now, until: None });
        drop(known);
        if is_doubled {
            self.is_wrong(format!("{who} has started twice"));
        }
        if beside.len() >= self.most_at_once(pipeline) {
            self.is_wrong(format!("{who} has started beside {}", beside.join(", ")));
        }
    }

    /// How many bodies of a pipeline may run at once, by whichever file allows the most.
    fn most_at_once(&self, pipeline: &str) -> usize {
        let named = self.pipelines.iter().flatten().filter(|known| known.id.name.as_str() == pipeline);
        let allowed = named.map(|known| if let Overlap::Allow(most) = known.overlap { most as usize } else { 1 });
        allowed.max().unwrap_or(1)
    }

    /// A body is over, or goes on a little because only its tick was killed.
    pub fn body_is_over(&self, owner: &str, pipeline: &str, token: Token, goes_on: Option<Duration>) {
        let now = self.time.elapsed();
        let mut known = self.known();
        let Some(bodies) = known.bodies.get_mut(pipeline) else { return };
        let Some(place) = bodies.iter().position(|body| body.token == token && body.until.is_none()) else { return };
        match goes_on {
            Some(goes_on) => {
                bodies[place].until = Some(now + goes_on);
                // Whoever parents it holds its file until it is gone.
                let held = known.held_until.entry(owner.to_owned()).or_default();
                *held = (*held).max(now + goes_on);
            }
            None => {
                bodies.remove(place);
            }
        }
    }

    /// Whether the attempt has ever been started.
    pub fn has_started(&self, token: Token) -> bool {
        self.known().started.contains(&token)
    }

    /// The folder of a machine for its mirror and its spool, where it has one.
    pub fn folder(&self, machine: usize) -> Option<Folder> {
        let state = self.state.as_ref()?;
        Some(Folder::in_step(state.path().join(format!("host{machine}"))))
    }

    /// The store's time when the last tick was called.
    pub fn last_tick(&self) -> Timestamp {
        self.known().last_tick.unwrap_or(Timestamp::MIN)
    }
}
