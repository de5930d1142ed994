//! Decides what a body needs next: to be left alone, asked to end, killed, or looked after once its leader has ended.
//!
//! Values only: no process, no clock. Carrying it out is for `supervisor`.
//!
//! Holds always: the first reason to stop is the one that counts; after the leader has ended, nothing of the body is
//! granted more than 5 s.

use std::time::Duration;

use super::Stop;
use crate::clock::BootTime;

/// How long a process that holds the output's pipe may go on printing after the leader has ended.
const PIPE_WAIT: Duration = Duration::from_secs(3);
/// When, after the end of the leader, the last of its descendants is killed.
const REST_LIMIT: Duration = Duration::from_secs(5);
/// How long after the first SIGKILL a descendant that does not die is given up.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(5);
/// The whole grace once the tick is gone.
const HURRIED_GRACE: Duration = Duration::from_millis(700);
/// Until SIGKILL is sent again to what is still there.
const KILL_AGAIN: Duration = Duration::from_millis(10);

/// The deadlines of one body and how far it has come.
#[derive(Clone, Debug)]
pub(super) struct Course {
    timeout_at: Option<BootTime>,
    stop_at: BootTime,
    grace: Duration,
    /// Why it was asked to end, while its leader lived.
    pub(super) stopped: Option<Stop>,
    /// When SIGKILL is due; set once it was asked to end.
    kill_at: Option<BootTime>,
    first_kill: Option<BootTime>,
    leader_ended_at: Option<BootTime>,
}

/// What a body needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before the next deadline or event.
    Wait,
    /// SIGTERM to its group.
    Ask(Stop),
    /// SIGKILL to all of it; the leader lives.
    Kill,
    /// The leader has ended: look what is left, and do this with it.
    Rest(Rest),
}

/// What to do with descendants that outlived their leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// SIGTERM.
    Ask,
    /// They know already.
    Wait,
    /// SIGKILL.
    Kill,
    /// They do not die: report the end without them.
    GiveUp,
}

impl Course {
    /// The course of a body that starts now.
    pub(super) fn new(now: BootTime, timeout: Option<Duration>, stop_at: BootTime, grace: Duration) -> Course {
        let timeout_at = timeout.map(|timeout| now.plus(timeout));
        Course { timeout_at, stop_at, grace, stopped: None, kill_at: None, first_kill: None, leader_ended_at: None }
    }

    /// What is needed now.
    pub(super) fn step(&self, now: BootTime, pipe_is_open: bool) -> Step {
        let kill_is_due = self.kill_at.is_some_and(|at| at <= now);
        let Some(ended_at) = self.leader_ended_at else {
            return match self.kill_at {
                Some(_) if kill_is_due => Step::Kill,
                Some(_) => Step::Wait,
                None if self.timeout_at.is_some_and(|at| at <= now) => Step::Ask(Stop::TimedOut),
                None if self.stop_at <= now => Step::Ask(Stop::LeaseOver),
                None => Step::Wait,
            };
        };
        match self.kill_at {
            None if pipe_is_open && now < ended_at.plus(PIPE_WAIT) => Step::Wait,
            None => Step::Rest(Rest::Ask),
            Some(_) if self.is_given_up(now) => Step::Rest(Rest::GiveUp),
            Some(_) if kill_is_due => Step::Rest(Rest::Kill),
            Some(_) => Step::Rest(Rest::Wait),
        }
    }

    /// The next instant at which `step` may change by itself.
    pub(super) fn deadline(&self, pipe_is_open: bool) -> BootTime {
        match (self.kill_at, self.leader_ended_at) {
            (Some(kill_at), _) => kill_at,
            (None, Some(ended_at)) if pipe_is_open => ended_at.plus(PIPE_WAIT),
            (None, Some(ended_at)) => ended_at,
            (None, None) => self.timeout_at.map_or(self.stop_at, |at| at.min(self.stop_at)),
        }
    }

    /// Notes that the body, or what is left of it, was asked to end.
    pub(super) fn asked(&mut self, now: BootTime, why: Option<Stop>) {
        self.stopped = self.stopped.or(why);
        self.kill_at = Some(self.bounded(now.plus(self.grace)));
    }

    /// Notes that SIGKILL was sent to all there was.
    pub(super) fn killed(&mut self, now: BootTime) {
        self.first_kill = self.first_kill.or(Some(now));
        self.kill_at = Some(now.plus(KILL_AGAIN));
    }

    /// Notes that the leader has ended.
    pub(super) fn leader_ended(&mut self, now: BootTime) {
        self.leader_ended_at = Some(now);
        self.kill_at = self.kill_at.map(|at| self.bounded(at));
    }

    /// Whether it, or what is left of it, was asked to end.
    pub(super) fn is_asked(&self) -> bool {
        self.kill_at.is_some()
    }

    /// Whether what is left has had its chances to die by SIGKILL.
    pub(super) fn is_given_up(&self, now: BootTime) -> bool {
        self.leader_ended_at.is_some() && self.first_kill.is_some_and(|at| at.plus(UNKILLABLE_AFTER) <= now)
    }

    /// Whether a request to stop comes in time to be the reason.
    pub(super) fn may_be_stopped(&self) -> bool {
        self.leader_ended_at.is_none() && self.kill_at.is_none()
    }

    /// Moves the end of the lease.
    pub(super) fn extend(&mut self, stop_at: BootTime) {
        self.stop_at = stop_at;
    }

    /// Makes SIGKILL due at once.
    pub(super) fn kill_now(&mut self, now: BootTime, why: Stop) {
        if self.leader_ended_at.is_none() {
            self.stopped = self.stopped.or(Some(why));
        }
        self.kill_at = Some(self.kill_at.map_or(now, |at| at.min(now)));
    }

    /// Makes SIGKILL due within a second: nobody is there to record what the body does.
    pub(super) fn hurry(&mut self, now: BootTime) {
        let at = now.plus(self.grace.min(HURRIED_GRACE));
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn bounded(&self, kill_at: BootTime) -> BootTime {
        self.leader_ended_at.map_or(kill_at, |ended_at| kill_at.min(ended_at.plus(REST_LIMIT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> BootTime {
        BootTime(seconds * 1_000_000)
    }

    fn course() -> Course {
        Course::new(at(100), Some(Duration::from_secs(50)), at(200), Duration::from_secs(10))
    }

    #[test]
    fn a_living_leader_is_asked_once_and_killed_after_its_grace() {
        let mut asked = course();
        asked.asked(at(150), Some(Stop::TimedOut));
        let mut extended = Course::new(at(100), None, at(200), Duration::from_secs(10));
        extended.extend(at(300));
        let lease = Course::new(at(100), None, at(200), Duration::from_secs(10));
        let mut killed = asked.clone();
        killed.killed(at(160));
        let mut now = course();
        now.kill_now(at(101), Stop::Interrupted);
        let mut hurried = course();
        hurried.hurry(at(101));
        //  course        now  step
        for (course, seconds, step) in [
            (course(), 149, Step::Wait),
            (course(), 150, Step::Ask(Stop::TimedOut)),
            (course(), 250, Step::Ask(Stop::TimedOut)),
            (lease.clone(), 199, Step::Wait),
            (lease, 200, Step::Ask(Stop::LeaseOver)),
            (extended.clone(), 299, Step::Wait),
            (extended, 300, Step::Ask(Stop::LeaseOver)),
            (asked.clone(), 159, Step::Wait),
            (asked, 160, Step::Kill),
            (killed.clone(), 160, Step::Wait),
            (killed, 161, Step::Kill),
            (now, 101, Step::Kill),
            (hurried.clone(), 101, Step::Wait),
            (hurried, 102, Step::Kill),
        ] {
            assert_eq!(course.step(at(seconds), true), step, "{course:?} at {seconds}");
            if step != Step::Wait {
                assert!(course.deadline(true) <= at(seconds), "{course:?} at {seconds} would be slept through");
            }
        }
    }

    #[test]
    fn what_is_left_after_the_leader_is_gone_within_five_seconds() {
        let mut ended = course();
        ended.leader_ended(at(110));
        let mut asked = ended.clone();
        asked.asked(at(113), None);
        let mut killed = asked.clone();
        killed.killed(at(115));
        let mut stopped_before = course();
        stopped_before.asked(at(109), Some(Stop::Cancelled));
        stopped_before.leader_ended(at(110));
        //   course              now  pipe   step
        for (course, seconds, pipe, step) in [
            (&ended, 110, true, Step::Wait),
            (&ended, 110, false, Step::Rest(Rest::Ask)),
            (&ended, 112, true, Step::Wait),
            (&ended, 113, true, Step::Rest(Rest::Ask)),
            (&asked, 114, true, Step::Rest(Rest::Wait)),
            (&asked, 115, true, Step::Rest(Rest::Kill)),
            (&killed, 119, true, Step::Rest(Rest::Kill)),
            (&killed, 120, true, Step::Rest(Rest::GiveUp)),
            (&stopped_before, 110, true, Step::Rest(Rest::Wait)),
            (&stopped_before, 115, true, Step::Rest(Rest::Kill)),
        ] {
            assert_eq!(course.step(at(seconds), pipe), step, "{course:?} at {seconds}, pipe open: {pipe}");
        }
        assert_eq!(asked.stopped, None);
        assert_eq!(stopped_before.stopped, Some(Stop::Cancelled));
        assert!(!ended.may_be_stopped() && course().may_be_stopped());
    }

    #[test]
    fn the_first_reason_to_stop_counts() {
        let mut course = course();
        course.asked(at(110), Some(Stop::Cancelled));
        assert!(!course.may_be_stopped());
        course.kill_now(at(111), Stop::Interrupted);
        assert_eq!(course.stopped, Some(Stop::Cancelled));
    }
}
