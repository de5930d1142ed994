//! Reads what strace(1) wrote: the lasting effects of a tick and the failpoints between them, in order.
//!
//! A lasting effect is a commit, a checkpoint, a file or folder that comes, changes its end or goes, a process that is
//! forked or executes something. What SQLite does within one commit or checkpoint is one effect: its own recovery answers
//! for the moments in between. What bodies do is theirs and left out.

use std::collections::{BTreeMap, BTreeSet};

/// Something in a trace that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A failpoint, and the process that came by.
    Point(String, u32),
    /// An effect in words, and the process that had it.
    Effect(String, u32),
}

#[derive(Default)]
struct Reader {
    /// Threads by the process that they belong to.
    process_of: BTreeMap<u32, u32>,
    /// Processes that are bodies, or of them.
    bodies: BTreeSet<u32>,
    /// Whether a frame was written to the write-ahead log since it was last synced; the same of the file itself.
    wal_is_dirty: bool,
    file_is_dirty: bool,
    /// Files that were there before, or have come.
    known: BTreeSet<String>,
    events: Vec<Event>,
}

/// The events in a trace by `strace -f -y` of a tick whose run-log is `run_log.db`; `known` are the files there before.
pub fn events(trace: &str, known: &[String]) -> Vec<Event> {
    let mut reader = Reader { known: known.iter().cloned().collect(), ..Reader::default() };
    let calls = whole_calls(trace);
    for (thread, call) in &calls {
        if call.starts_with("clone") && call.contains("CLONE_THREAD") {
            let process = reader.process(*thread);
            if let Some(child) = result(call) {
                reader.process_of.insert(child, process);
            }
        }
    }
    for (thread, call) in &calls {
        reader.take(*thread, call);
    }
    reader.events
}

/// Each call in one line, at the place where it ended; a fork at the place where it began.
fn whole_calls(trace: &str) -> Vec<(u32, String)> {
    let mut begun = BTreeMap::<u32, (usize, String)>::new();
    let mut calls = Vec::<(u32, String)>::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Ok(thread) = thread.parse() else { continue };
        let call = call.trim_start();
        if let Some(head) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, (calls.len(), head.to_string()));
            calls.push((thread, String::new()));
        } else if let Some((_, tail)) = call.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
            let Some((place, head)) = begun.remove(&thread) else { continue };
            let whole = format!("{head}{tail}");
            // What is forked is known from where the call begins: its child may do much before it returns.
            match ["clone", "fork", "vfork"].iter().any(|name| whole.starts_with(name)) {
                true => calls[place].1 = whole,
                false => calls.push((thread, whole)),
            }
        } else {
            calls.push((thread, call.to_string()));
        }
    }
    calls
}

fn result(call: &str) -> Option<u32> {
    let (_, result) = call.rsplit_once(" = ")?;
    result.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The text in the first pair of quotation marks.
fn quoted(call: &str) -> Option<&str> {
    call.split('"').nth(1)
}

/// The path of the descriptor that is the first argument.
fn descriptor(call: &str) -> Option<&str> {
    call.split_once('<')?.1.split_once('>').map(|(path, _)| path)
}

fn is_of_sqlite(path: &str) -> bool {
    ["run_log.db", "run_log.db-wal", "run_log.db-shm", "run_log.db-journal"].iter().any(|name| path.ends_with(name))
}

impl Reader {
    fn process(&self, thread: u32) -> u32 {
        self.process_of.get(&thread).copied().unwrap_or(thread)
    }

    fn take(&mut self, thread: u32, call: &str) {
        let process = self.process(thread);
        let Some((name, _)) = call.split_once('(') else { return };
        if self.bodies.contains(&process) {
            if name.starts_with("clone") || name.contains("fork") {
                self.bodies.extend(result(call));
            }
            return;
        }
        if name == "access" {
            if let Some(point) = quoted(call).and_then(|path| path.strip_prefix("/failpoint/")) {
                self.events.push(Event::Point(point.to_string(), process));
            }
            return;
        }
        if result(call).is_none() {
            return;
        }
        if let Some(effect) = self.effect(name, call, process) {
            self.events.push(Event::Effect(effect, process));
        }
    }

    fn effect(&mut self, name: &str, call: &str, process: u32) -> Option<String> {
        let path = || quoted(call).unwrap_or_default().to_string();
        match name {
            "mkdir" | "mkdirat" => Some(format!("folder {}", path())),
            "openat" | "creat" if call.contains("O_CREAT") => {
                let is_new = self.known.insert(path());
                let sqlite_makes_it =
                    path().ends_with("-journal") || path().ends_with("-wal") || path().ends_with("-shm");
                (is_new && !sqlite_makes_it).then(|| format!("new file {}", path()))
            }
            "link" | "linkat" => Some(format!("linked {}", path())),
            "symlink" | "symlinkat" => Some(format!("new link {}", call.rsplit('"').nth(1).unwrap_or_default())),
            "unlink" | "unlinkat" => match path() {
                journal if journal.ends_with("run_log.db-journal") => Some("commit by the journal".into()),
                sqlite if is_of_sqlite(&sqlite) => None,
                other => Some(format!("removed {other}")),
            },
            "rename" | "renameat" | "renameat2" => Some(format!("renamed {}", path())),
            "pwrite64" | "write" | "ftruncate" => {
                let file = descriptor(call)?;
                // The first 32 bytes of the write-ahead log are its header: no frame.
                let is_header = call.contains(", 32, 0) = 32");
                self.wal_is_dirty |= file.ends_with("run_log.db-wal") && !is_header;
                self.file_is_dirty |= file.ends_with("run_log.db");
                file.ends_with(".log").then(|| format!("{name} {file}"))
            }
            "fsync" | "fdatasync" => {
                let file = descriptor(call)?;
                if file.ends_with("run_log.db-wal") && std::mem::take(&mut self.wal_is_dirty) {
                    return Some("commit by the write-ahead log".into());
                }
                let is_copied = file.ends_with("run_log.db") && std::mem::take(&mut self.file_is_dirty);
                is_copied.then(|| "run-log written through".into())
            }
            "clone" | "clone3" | "fork" if !call.contains("CLONE_THREAD") && !call.contains("CLONE_VFORK") => {
                Some("forked".into())
            }
            "execve" => {
                let program = path();
                if program.ends_with("/tickward") {
                    return None;
                }
                if program != "/proc/self/exe" {
                    self.bodies.insert(process);
                }
                Some(format!("executed {program}"))
            }
            _ => None,
        }
    }
}

/// Effects that follow one another with no failpoint between them in either of their processes.
pub fn gaps(events: &[Event]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut last: Option<(&str, u32)> = None;
    let mut passed = BTreeSet::new();
    for event in events {
        match event {
            Event::Point(_, process) => drop(passed.insert(*process)),
            Event::Effect(effect, process) => {
                if let Some((before, by)) = last
                    && !passed.contains(&by)
                    && !passed.contains(process)
                    && !is_one(before, effect)
                {
                    found.push((before.to_string(), effect.clone()));
                }
                last = Some((effect, *process));
                passed.clear();
            }
        }
    }
    found
}

/// Folders made for one path, the parts of a stream written to one file, and a journal's commit with its sync, are one.
fn is_one(before: &str, effect: &str) -> bool {
    let folders = before.starts_with("folder ") && effect.starts_with("folder ");
    let stream = before == effect && before.starts_with("write ");
    let journal = before == "run-log written through" && effect == "commit by the journal";
    folders || stream || journal
}
