//! The clocks of a simulated world: one true time, and machines that show it with steps and offsets of their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tickward::clock::{BootTime, Clock};

/// 2026-01-01.
const BEGIN: i64 = 1_767_225_600;

/// When every world begins.
pub fn begin() -> Timestamp {
    Timestamp::new(BEGIN, 0).unwrap()
}

/// The store's own machine, where it has one.
pub const SERVER: usize = 99;

/// True time, and how far each machine's wall clock is off.
pub struct Time {
    born: tokio::time::Instant,
    steps: Mutex<BTreeMap<usize, SignedDuration>>,
}

impl Time {
    pub fn new() -> Time {
        Time { born: tokio::time::Instant::now(), steps: Mutex::default() }
    }

    /// True time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.born.elapsed()
    }

    pub async fn sleep_until(&self, elapsed: Duration) {
        tokio::time::sleep_until(self.born + elapsed).await;
    }

    /// Sets a machine's wall clock so far ahead of the true time.
    pub fn step(&self, machine: usize, by: SignedDuration) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).insert(machine, by);
    }

    /// Sets a machine's wall clock by so much from where it stands.
    pub fn step_further(&self, machine: usize, by: SignedDuration) {
        *self.steps.lock().unwrap_or_else(PoisonError::into_inner).entry(machine).or_default() += by;
    }

    fn wall(&self, machine: usize) -> Timestamp {
        let step = self.steps.lock().unwrap_or_else(PoisonError::into_inner).get(&machine).copied();
        let micros = i64::try_from(self.elapsed().as_micros()).unwrap();
        begin() + SignedDuration::from_micros(micros) + step.unwrap_or_default()
    }
}

/// The clocks of one machine. Machines were booted at different times.
#[derive(Clone)]
pub struct MachineClock {
    pub time: Arc<Time>,
    pub machine: usize,
}

impl MachineClock {
    fn before_the_world(&self) -> Duration {
        Duration::from_secs(7_777 * (self.machine as u64 + 1))
    }
}

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        self.time.wall(self.machine)
    }

    fn boot(&self) -> BootTime {
        BootTime(0).plus(self.before_the_world() + self.time.elapsed())
    }

    async fn sleep_until(&self, deadline: BootTime) {
        let since_boot = deadline.since(BootTime(0));
        self.time.sleep_until(since_boot.saturating_sub(self.before_the_world())).await;
    }
}
