//! How long a claim holds, by the store's clock and by the boot clock of the host that claimed.
//!
//! Whose boot clock is that of the claiming host judges by it alone: no step of a wall clock ends or prolongs a lease.
//! Everybody else judges by the store's clock.
//!
//! Holds always: in both clocks the end is counted from before the request was sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::{AHEAD, BootTime};

/// The lease of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// How long it holds from each renewal.
    pub length: Duration,
    /// Its end by the store's clock.
    pub until: Timestamp,
    /// Its end by the boot clock of the claiming host.
    pub until_boot: BootTime,
}

impl Lease {
    /// A lease that counts from one instant, told by both clocks.
    pub fn from(now: Timestamp, boot: BootTime, length: Duration) -> Lease {
        Lease { length, until: now.checked_add(length).unwrap_or(Timestamp::MAX), until_boot: boot.plus(length) }
    }

    /// Since when it counts, by the boot clock.
    pub fn since_boot(&self) -> BootTime {
        self.until_boot.minus(self.length)
    }

    /// Whether it is over: by `boot`, where the claiming host's boot clock can be read, else by the store's time. An end
    /// that no renewal can have set by now was set by a wrong clock, and holds nothing.
    pub fn is_over(&self, now: Timestamp, boot: Option<BootTime>) -> bool {
        match boot {
            Some(boot) => self.until_boot <= boot,
            None => {
                let left = self.until.duration_since(now);
                left <= SignedDuration::ZERO || left.saturating_sub(AHEAD) > length_of(self.length)
            }
        }
    }

    /// The lease after a renewal: one that arrives late takes nothing back.
    #[must_use]
    pub fn renewed(self, renewal: Lease) -> Lease {
        if renewal.until_boot < self.until_boot { self } else { renewal }
    }
}

fn length_of(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_judged_by_the_best_clock_there_is() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let boot = BootTime(5_000_000_000);
        let lease = Lease::from(now, boot, Duration::from_secs(300));
        let later = |seconds: i64| now + SignedDuration::from_secs(seconds);
        let boot_later = |seconds: u64| Some(boot.plus(Duration::from_secs(seconds)));
        let year = 366 * 86_400;
        for (wall, boot, is_over, what) in [
            (later(299), None, false, "by the store's clock, before"),
            (later(300), None, true, "by the store's clock, at the end"),
            (later(10 * year), boot_later(299), false, "the wall clock was set ahead"),
            (later(-10 * year), boot_later(299), false, "the wall clock was set back"),
            (later(-10 * year), boot_later(300), true, "set back, and over"),
            (later(-3600), None, false, "no more than an hour ahead"),
            (later(-3601), None, true, "claimed by a clock that was far ahead"),
        ] {
            assert_eq!(lease.is_over(wall, boot), is_over, "{what}");
        }
    }

    #[test]
    fn a_renewal_takes_nothing_back_and_mends_a_wrong_end() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let length = Duration::from_secs(300);
        let first = Lease::from(now, BootTime(100), length);
        let second = Lease::from(now - SignedDuration::from_hours(48), BootTime(200), length);
        assert_eq!(first.renewed(second), second, "the wall clock was set back meanwhile");
        assert_eq!(second.renewed(first), second, "an older request arrives late");
        assert_eq!(second.since_boot(), BootTime(200));
    }
}
