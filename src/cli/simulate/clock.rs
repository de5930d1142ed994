//! A clock that jumps: where everybody waits, it is at once the instant that is waited for first.
//!
//! Who calls `jump` must know that nobody has anything else to do; the event loop does.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::clock::{BootTime, Clock};

/// A time of its own; its boot clock counts from 1970.
pub struct JumpingClock {
    micros: AtomicI64,
    last: AtomicU64,
    sleepers: Mutex<BTreeMap<(BootTime, u64), Waker>>,
}

impl JumpingClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> JumpingClock {
        JumpingClock {
            micros: AtomicI64::new(now.as_microsecond()),
            last: AtomicU64::new(0),
            sleepers: Mutex::default(),
        }
    }

    /// Goes on to the instant that is waited for first, if there is one, and wakes all whose time has come.
    pub fn jump(&self) {
        let mut sleepers = self.sleepers();
        let Some((&(first, _), _)) = sleepers.first_key_value() else { return };
        self.micros.fetch_max(first.0, Ordering::SeqCst);
        let later = sleepers.split_off(&(BootTime(self.boot().0.saturating_add(1)), 0));
        let due = std::mem::replace(&mut *sleepers, later);
        drop(sleepers);
        due.into_values().for_each(Waker::wake);
    }

    fn sleepers(&self) -> MutexGuard<'_, BTreeMap<(BootTime, u64), Waker>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn boot(&self) -> BootTime {
        BootTime(self.micros.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, deadline: BootTime) {
        let id = self.last.fetch_add(1, Ordering::SeqCst);
        Sleep { clock: self, key: (deadline, id) }.await;
    }
}

struct Sleep<'a> {
    clock: &'a JumpingClock,
    key: (BootTime, u64),
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.boot() >= self.key.0 {
            return Poll::Ready(());
        }
        self.clock.sleepers().insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.clock.sleepers().remove(&self.key);
    }
}
