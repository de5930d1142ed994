//! Reads the time; the only file that does.
//!
//! Wall time answers *when* (schedules, records). Boot time answers *how long* (leases, timeouts): it never steps and
//! runs on while the machine is suspended. Everything else takes a `Clock`, so that tests and a simulator can drive it.

#![allow(clippy::disallowed_methods, reason = "this file is where the time comes from")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Microseconds since the machine booted, suspend included (CLOCK_BOOTTIME); comparable within one boot only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, serde::Serialize, serde::Deserialize)]
pub struct BootTime(pub i64);

impl BootTime {
    /// The instant `by` later, as far as the range goes.
    pub fn plus(self, by: Duration) -> BootTime {
        BootTime(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `by` earlier.
    pub fn minus(self, by: Duration) -> BootTime {
        BootTime(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not after.
    pub fn since(self, earlier: BootTime) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Where the time comes from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock, in whole microseconds.
    fn now(&self) -> Timestamp;
    /// The boot clock.
    fn boot(&self) -> BootTime;
    /// Whether somebody has said what time it is: stores that have a clock of their own go by this one then.
    fn is_set(&self) -> bool {
        false
    }
    /// Returns once the boot clock has reached `deadline`. Cancel safe.
    async fn sleep_until(&self, deadline: BootTime);
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        crate::occurrence::whole_micros(Timestamp::now())
    }

    fn boot(&self) -> BootTime {
        boot_now()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        // tokio sleeps by CLOCK_MONOTONIC, which stands still in suspend: look again at least once a second.
        loop {
            let left = deadline.since(boot_now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }
}

/// The boot clock of this machine, for code that runs without a `Clock` (the process that parents the children).
pub fn boot_now() -> BootTime {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME) {
        Ok(time) => BootTime(time.tv_sec().saturating_mul(1_000_000) + time.tv_nsec() / 1_000),
        Err(_) => BootTime(0),
    }
}

/// A wall clock that was set to `start` and runs on from there by another clock's boot time (`--now`).
pub struct Shifted<C> {
    start: Timestamp,
    since: BootTime,
    inner: C,
}

impl<C: Clock> Shifted<C> {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp, inner: C) -> Self {
        Shifted { start, since: inner.boot(), inner }
    }
}

#[async_trait]
impl<C: Clock> Clock for Shifted<C> {
    fn now(&self) -> Timestamp {
        let gone = self.inner.boot().since(self.since);
        self.start.checked_add(gone).map_or(Timestamp::MAX, crate::occurrence::whole_micros)
    }

    fn is_set(&self) -> bool {
        true
    }

    fn boot(&self) -> BootTime {
        self.inner.boot()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        self.inner.sleep_until(deadline).await;
    }
}

/// A clock that only moves when told to; sleepers return at once when their time has passed.
pub struct ManualClock {
    now: AtomicI64,
    boot: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`, an hour after boot.
    pub fn new(now: Timestamp) -> Self {
        ManualClock { now: AtomicI64::new(now.as_microsecond()), boot: AtomicI64::new(3_600_000_000) }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.now.fetch_add(micros, Ordering::SeqCst);
        self.boot.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an administrator or a time server would.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_microsecond(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.now.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn is_set(&self) -> bool {
        true
    }

    fn boot(&self) -> BootTime {
        BootTime(self.boot.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, deadline: BootTime) {
        while self.boot() < deadline {
            tokio::task::yield_now().await;
        }
    }
}

/// Tries until there is an answer, at the latest for the last time after `patience`; blocks the thread meanwhile.
pub fn keep_trying<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let began = std::time::Instant::now();
    loop {
        let is_last = began.elapsed() >= patience;
        match attempt() {
            None if !is_last => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(2);
