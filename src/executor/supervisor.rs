//! Parents the bodies of one tick: starts them, reads what they print, stops them in time, leaves nothing of them behind.
//!
//! A process of its own with one thread and one loop: it goes on enforcing leases while the tick is frozen, and ends every
//! body when the tick is gone. It decides nothing by itself: deadlines are for `course`, whose process is whose for
//! `family`. It ignores the signals by which people end a tick; what those mean is for the tick to say.
//!
//! Holds always: no job is started once the tick's end of the socket is closed; when this process ends by itself, no
//! descendant that can be killed is left.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::body::Body;
use super::course::{Rest, Step};
use super::family::{Family, Kin, Look, Members, Own, Serial, has_no_child};
use super::line::Line;
use super::process_group::{group_exists, signal_one};
use super::queue::Queue;
use super::supervisor_setup::{self, Reaped};
use super::wire::{Report, Request};
use super::{Ended, Job, NotStarted, Stop};
use crate::clock::{BootTime, boot_now};
use crate::failpoint::{self, Point};

/// The first argument that makes a program the supervisor; the second, if there is one, is the id of its tick.
pub const SUPERVISE_ARG: &str = "__supervise";

const CHUNK_BYTES: usize = 64 * 1024;
/// The longest wait: poll(2) does not count the time in suspend, our deadlines do.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often processes that belong to no body any more are sent SIGKILL again.
const STRAYS_AGAIN: Duration = Duration::from_millis(100);
/// How long such processes are waited for before ending without them.
const STRAYS_PATIENCE: Duration = Duration::from_secs(5);

/// Is the supervisor until the tick has no more work or is gone. The socket to the tick is descriptor 0.
///
/// For the first line of `main` when the first argument is `SUPERVISE_ARG`: it has to be called before any thread is
/// started and anything is printed. Ends with code 2 if it was not called by a tick.
pub fn supervise_main() -> ExitCode {
    match supervisor_setup::prepare() {
        Ok((line, children)) => {
            Supervisor::new(line, children).run();
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The tick may send more jobs.
    Serving,
    /// It will not; the last body ends us.
    Closing,
    /// The tick is gone.
    Alone,
}

struct Supervisor {
    line: Line,
    children: SignalFd,
    family: Family,
    bodies: Vec<Body>,
    /// Jobs that wait for a place.
    waiting: Queue,
    started: Serial,
    mode: Mode,
    chunk: Box<[u8]>,
    strays_since: Option<BootTime>,
}

impl Supervisor {
    fn new(line: Line, children: SignalFd) -> Supervisor {
        Supervisor {
            line,
            children,
            family: Family::of(std::env::args().nth(2).as_deref()),
            bodies: Vec::new(),
            waiting: Queue::default(),
            started: 0,
            mode: Mode::Serving,
            chunk: vec![0; CHUNK_BYTES].into(),
            strays_since: None,
        }
    }

    fn run(mut self) {
        failpoint::reached(Point::SupervisorReady);
        loop {
            let has_reaped = self.wait_and_take();
            self.step_bodies(has_reaped);
            self.start_waiting();
            self.line.flush();
            let strays_left = self.bodies.is_empty() && self.waiting.is_empty() && self.end_strays();
            let is_idle = self.bodies.is_empty() && self.waiting.is_empty();
            if self.mode != Mode::Serving && is_idle && !strays_left {
                let nobody_reads = self.mode == Mode::Alone || !self.line.is_up();
                if nobody_reads || self.line.is_flushed() {
                    return failpoint::reached(Point::SupervisorLeaves);
                }
            }
        }
    }

    /// Waits for the next event or deadline and takes in what came; returns whether a child has ended.
    fn wait_and_take(&mut self) -> bool {
        let timeout = self.time_to_wait();
        let (mut fds, mut owners) = (Vec::with_capacity(self.bodies.len() + 2), Vec::new());
        fds.push(PollFd::new(self.children.as_fd(), PollFlags::POLLIN));
        for (index, body) in self.bodies.iter().enumerate() {
            if let Some(pipe) = body.pipe() {
                fds.push(PollFd::new(pipe, PollFlags::POLLIN));
                owners.push(index);
            }
        }
        if self.mode != Mode::Alone {
            fds.push(PollFd::new(self.line.as_fd(), self.line.interest()));
        }
        // An error is EINTR or ENOMEM: both mean to look again.
        if poll(&mut fds, timeout).is_err() {
            return false;
        }
        let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        let has_reaped = is_ready(&fds[0]);
        let tick_spoke = self.mode != Mode::Alone && fds.last().is_some_and(is_ready);
        let printed = owners.iter().zip(&fds[1..]).filter(|(_, fd)| is_ready(fd)).map(|(index, _)| *index);
        for index in printed.collect::<Vec<_>>() {
            self.bodies[index].drain(&mut self.chunk);
        }
        if has_reaped {
            self.reap();
        }
        if tick_spoke {
            self.hear();
        }
        has_reaped
    }

    fn time_to_wait(&self) -> PollTimeout {
        let mut until = boot_now().plus(LONGEST_WAIT);
        for body in &self.bodies {
            let is_to_be_looked_at = !body.kin().leader_lives && body.pipe().is_none() && !body.course.is_asked();
            let deadline = body.course.deadline(body.pipe().is_some());
            let due = if is_to_be_looked_at { self.family.next_look() } else { deadline };
            until = until.min(due);
        }
        if self.bodies.is_empty() && self.strays_since.is_some_and(|since| boot_now().since(since) < STRAYS_PATIENCE) {
            until = until.min(boot_now().plus(STRAYS_AGAIN));
        }
        let millis = until.since(boot_now()).as_micros().div_ceil(1000);
        PollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
    }

    fn hear(&mut self) {
        match self.line.receive(&mut self.chunk) {
            Ok(requests) => requests.into_iter().for_each(|request| self.obey(request)),
            Err(_) if self.mode == Mode::Closing && self.bodies.is_empty() && self.waiting.is_empty() => {}
            Err(_) => self.go_alone(),
        }
    }

    fn obey(&mut self, request: Request) {
        let now = boot_now();
        match request {
            Request::Start(job) => {
                failpoint::reached(Point::JobHeard);
                self.waiting.push(*job);
                self.start_waiting();
            }
            Request::Extend(token, stop_at) => {
                if let Some(body) = self.bodies.iter_mut().find(|body| body.token == token && !body.is_reported) {
                    body.course.extend(stop_at);
                }
                self.waiting.extend(token, stop_at);
            }
            Request::Stop(token, why) => {
                let named = self.bodies.iter_mut().find(|body| body.token == token && body.course.may_be_stopped());
                if let Some(body) = named {
                    body.ask(Some(why), now);
                } else {
                    self.withdraw(|job| job.token == token);
                }
            }
            Request::KillAll => {
                self.withdraw(|_| true);
                for body in &mut self.bodies {
                    body.course.kill_now(now, Stop::Interrupted);
                    body.kill_group();
                }
            }
            Request::Close => self.mode = Mode::Closing,
        }
    }

    /// Starts jobs in their order as long as there is a place for the next one.
    fn start_waiting(&mut self) {
        let running = |bodies: &[Body]| bodies.iter().filter(|body| !body.is_reported).count();
        while let Some(job) = self.waiting.next(running(&self.bodies)) {
            self.start(job, boot_now());
        }
    }

    /// Answers for the waiting jobs that are not to be started any more.
    fn withdraw(&mut self, which: impl Fn(&Job) -> bool) {
        for token in self.waiting.take(which) {
            self.line.send(&Report { token, ended: Ended::not_started(NotStarted::Withdrawn) });
        }
    }

    fn start(&mut self, job: Job, now: BootTime) {
        if !self.line.is_up() {
            return self.go_alone();
        }
        let token = job.token;
        self.started += 1;
        match Body::start(job, self.started, &self.family.tag(self.started), now) {
            Ok(body) => self.bodies.push(body),
            Err(why) => self.line.send(&Report { token, ended: Ended::not_started(why) }),
        }
    }

    /// The tick is gone, so nobody can record what the bodies do: they end.
    fn go_alone(&mut self) {
        if self.mode == Mode::Alone {
            return;
        }
        self.mode = Mode::Alone;
        drop(self.waiting.take(|_| true));
        let now = boot_now();
        for body in &mut self.bodies {
            if body.course.may_be_stopped() {
                body.ask(Some(Stop::Interrupted), now);
            }
            body.course.hurry(now);
        }
    }

    /// Waits for all children that have ended, bodies' leaders and adopted ones alike.
    fn reap(&mut self) {
        let now = boot_now();
        // One read takes the one pending signal; the children are counted by waiting for them.
        let _ = self.children.read_signal();
        let kin = self.kin();
        while let Some(Reaped { pid, end, usage }) = supervisor_setup::next_ended_child() {
            let leader = kin.iter().find(|body| body.leader == pid && body.leader_lives);
            let owner = leader.map(|body| body.serial).or_else(|| self.family.owner_of(pid.as_raw(), &kin));
            let Some(body) = self.bodies.iter_mut().find(|body| Some(body.kin().serial) == owner) else { continue };
            body.account(&usage);
            if leader.is_some() {
                body.leader_ended(end, now);
                body.drain(&mut self.chunk);
                if self.mode == Mode::Alone {
                    body.course.hurry(now);
                }
            }
        }
    }

    fn kin(&self) -> Vec<Kin> {
        self.bodies.iter().map(Body::kin).collect()
    }

    /// Does for each body what its course asks for.
    fn step_bodies(&mut self, has_reaped: bool) {
        let now = boot_now();
        let steps = self.bodies.iter().map(|body| body.course.step(now, body.pipe().is_some())).collect::<Vec<_>>();
        if steps.iter().all(|step| *step == Step::Wait) {
            return;
        }
        let look = self.look_if_needed(&steps, has_reaped, now);
        let next_look = self.family.next_look();
        let is_kill = |step: &Step| matches!(step, Step::Kill | Step::Rest(Rest::Kill));
        let chased =
            self.bodies.iter().zip(&steps).filter(|(_, step)| is_kill(step)).map(|(body, _)| body.kin().serial);
        let chased: Vec<Serial> = chased.collect();
        for (body, step) in self.bodies.iter_mut().zip(steps) {
            let own = look.of(body.kin().serial);
            match step {
                Step::Wait => {}
                Step::Ask(why) => body.ask(Some(why), now),
                Step::Kill => {
                    body.kill_group();
                    own.pids().iter().for_each(|pid| signal_one(*pid, Signal::SIGKILL));
                    body.course.killed(now);
                }
                Step::Rest(rest) => {
                    if let Some(left) = tidy(body, rest, own, now, next_look)
                        && !body.is_reported
                    {
                        self.line.send(&body.report(left, &mut self.chunk));
                    }
                }
            }
        }
        if !chased.is_empty() {
            self.family.kill_newborn(&self.kin(), &chased);
        }
        let is_done = |body: &Body| matches!(look.of(body.kin().serial), Own::Seen([])) || body.course.is_given_up(now);
        self.bodies.retain(|body| !(body.is_reported && is_done(body)));
    }

    /// Looks at all processes where a step needs it, or where it has not been done for long enough.
    fn look_if_needed(&mut self, steps: &[Step], has_reaped: bool, now: BootTime) -> Look {
        if has_no_child() {
            return Look::Sure(Members::new());
        }
        // Then there is something that no leader keeps alive.
        let only_orphans = self.bodies.iter().all(|body| !body.kin().leader_lives);
        let is_needed = self.bodies.iter().zip(steps).any(|(body, step)| match step {
            Step::Wait | Step::Ask(_) => false,
            Step::Kill | Step::Rest(Rest::Kill | Rest::GiveUp) => true,
            Step::Rest(Rest::Ask) if body.is_reported => only_orphans,
            Step::Rest(Rest::Ask) => only_orphans || body.pipe().is_some() || group_exists(body.kin().leader),
            Step::Rest(Rest::Wait) => has_reaped,
        });
        let is_wanted = steps.iter().any(|step| matches!(step, Step::Rest(_))) && self.family.next_look() <= now;
        if !is_needed && !is_wanted {
            return Look::NotDone;
        }
        let kin = self.kin();
        let members = self.family.look(&kin);
        if only_orphans && members.is_empty() { Look::Missed } else { Look::Sure(members) }
    }

    /// Kills what belongs to no body any more; returns whether something is left that is worth waiting for.
    fn end_strays(&mut self) -> bool {
        if has_no_child() {
            self.strays_since = None;
            return false;
        }
        let now = boot_now();
        let since = *self.strays_since.get_or_insert(now);
        let is_worth_it = now.since(since) < STRAYS_PATIENCE;
        if is_worth_it {
            self.family.kill_everything();
        }
        is_worth_it
    }
}

/// Ends what a leader has left; returns how much of it is given up, once the body's end can be told.
fn tidy(body: &mut Body, rest: Rest, own: Own<'_>, now: BootTime, next_look: BootTime) -> Option<usize> {
    match (rest, own) {
        (_, Own::Seen([])) => return Some(0),
        // The group is empty. To see whether something left it, a body waits for the next look if that is a small part of
        // its time; else its end is told before.
        (Rest::Ask, Own::NotLookedAt) => return (next_look.since(now) > body.ran_for() / 10).then_some(0),
        (Rest::GiveUp, own) => return Some(own.pids().len().max(1)),
        (Rest::Ask, own) => {
            for pid in own.pids() {
                signal_one(*pid, Signal::SIGTERM);
                signal_one(*pid, Signal::SIGCONT);
            }
            body.course.asked(now, None);
        }
        (Rest::Kill, own) => {
            own.pids().iter().for_each(|pid| signal_one(*pid, Signal::SIGKILL));
            body.course.killed(now);
        }
        (Rest::Wait, _) => {}
    }
    None
}
