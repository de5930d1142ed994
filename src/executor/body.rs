//! One running body: its leader, its pipe, what it used and printed.
//!
//! When it is to be stopped is for `course`, which processes belong to it for `family`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::libc::rusage;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::course::Course;
use super::family::{Kin, Serial};
use super::launch::{launch, verdict};
use super::output::Capture;
use super::process_group::signal_group;
use super::wire::Report;
use super::{End, Ended, Job, NotStarted, Stop};
use crate::clock::BootTime;
use crate::failpoint::{self, Point};
use crate::occurrence::Token;

/// How often a pipe is read before others get their turn.
const READS_IN_A_ROW: usize = 16;

/// A body from its start until nothing of it is left.
pub(super) struct Body {
    pub(super) token: Token,
    pub(super) course: Course,
    /// Its end was told to the tick already; only whether something was left behind is still to be seen.
    pub(super) is_reported: bool,
    serial: Serial,
    leader: Pid,
    end: Option<(End, BootTime)>,
    verdict: File,
    start_mark: Option<PathBuf>,
    started_at: BootTime,
    cpu: Duration,
    peak_memory_bytes: u64,
    pipe: Option<File>,
    capture: Capture,
}

impl Body {
    /// Starts the job.
    ///
    /// # Errors
    /// Why not; what the child itself finds is told when it has ended.
    pub(super) fn start(job: Job, serial: Serial, tag: &str, now: BootTime) -> Result<Body, NotStarted> {
        if job.stop_at <= now {
            return Err(NotStarted::LeaseOver);
        }
        let launched = launch(&job, tag).map_err(NotStarted::Failed)?;
        Ok(Body {
            token: job.token,
            course: Course::new(now, job.timeout, job.stop_at, job.kill_grace),
            is_reported: false,
            serial,
            leader: launched.leader,
            end: None,
            verdict: launched.verdict,
            start_mark: job.start_mark,
            started_at: now,
            cpu: Duration::ZERO,
            peak_memory_bytes: 0,
            pipe: Some(launched.output),
            capture: Capture::new(job.output, job.output_limit_bytes),
        })
    }

    /// What identifies it among the processes.
    pub(super) fn kin(&self) -> Kin {
        Kin { serial: self.serial, leader: self.leader, leader_lives: self.end.is_none() }
    }

    /// The pipe to wait on; none once it is closed.
    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes a bounded part of what was printed.
    pub(super) fn drain(&mut self, chunk: &mut [u8]) {
        for _ in 0..READS_IN_A_ROW {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(chunk) {
                Ok(0) => self.pipe = None,
                Ok(length) => self.capture.push(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    /// How long the leader ran; zero while it does.
    pub(super) fn ran_for(&self) -> Duration {
        self.end.as_ref().map_or(Duration::ZERO, |(_, ended_at)| ended_at.since(self.started_at))
    }

    /// Notes the end of the leader.
    pub(super) fn leader_ended(&mut self, end: End, now: BootTime) {
        failpoint::reached(Point::LeaderReaped);
        let verdict = verdict(&mut self.verdict);
        if let (Some(mark), true) = (&self.start_mark, verdict.as_ref().is_some_and(|said| said.mark_was_made)) {
            // Else a start that never was would be taken for one. If this fails, it is: the safe side.
            failpoint::reached(Point::UnstartedMark);
            let _ = std::fs::remove_file(mark);
            failpoint::reached(Point::MarkTakenBack);
        }
        let end = verdict.map_or(end, |said| End::NotStarted(said.why));
        self.end = Some((end, now));
        self.course.leader_ended(now);
    }

    /// Adds what a process used that was waited for.
    pub(super) fn account(&mut self, usage: &rusage) {
        for time in [usage.ru_utime, usage.ru_stime] {
            let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec);
            self.cpu += Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        }
        let kibibytes = u64::try_from(usage.ru_maxrss).unwrap_or(0);
        self.peak_memory_bytes = self.peak_memory_bytes.max(kibibytes * 1024);
    }

    /// Sends SIGTERM to the group, and SIGCONT so that one that was stopped hears it.
    pub(super) fn ask(&mut self, why: Option<Stop>, now: BootTime) {
        self.course.asked(now, why);
        signal_group(self.leader, Signal::SIGTERM);
        signal_group(self.leader, Signal::SIGCONT);
    }

    /// Sends SIGKILL to the group while its leader is there to hold its number.
    pub(super) fn kill_group(&self) {
        if self.end.is_none() {
            signal_group(self.leader, Signal::SIGKILL);
        }
    }

    /// What to tell the tick; `left` processes of it would not die.
    pub(super) fn report(&mut self, left: usize, chunk: &mut [u8]) -> Report {
        failpoint::reached(Point::EndKnown);
        self.is_reported = true;
        self.drain(chunk);
        self.pipe = None;
        let mut output = self.capture.finish();
        if left > 0 {
            let note = format!("{left} processes of it could not be ended");
            output.note = Some(output.note.map_or(note.clone(), |earlier| format!("{earlier}; {note}")));
        }
        let duration = self.ran_for();
        let end = self.end.as_ref().map_or(End::Signalled(9), |(end, _)| end.clone());
        let was_started = !matches!(end, End::NotStarted(_));
        let ended = Ended {
            end,
            stopped: self.course.stopped,
            started_at: was_started.then_some(self.started_at),
            duration: if was_started { duration } else { Duration::ZERO },
            cpu: self.cpu,
            peak_memory_bytes: self.peak_memory_bytes,
            output,
        };
        Report { token: self.token, ended }
    }
}
