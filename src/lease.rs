//! How long a claim holds, by the store's clock and by the boot clock of the host that claimed.
//!
//! Whose boot clock is that of the claiming host judges by it alone: no step of a wall clock ends or prolongs a lease.
//! Everybody else judges by the store's clock.
//!
//! Holds always: in both clocks the end is counted from before the request was sent.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::BootTime;

/// An instant that is further ahead of the store's time than this was written by a wrong clock.
pub const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The lease of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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

    /// Whether it is over: by `boot`, where the claiming host's boot clock can be read, else by the store's time.
    pub fn is_over(&self, now: Timestamp, boot: Option<BootTime>) -> bool {
        boot.map_or(self.until <= now, |boot| self.until_boot <= boot)
    }

    /// The lease to give it in its owner's stead, where its end lies so far ahead that a wrong clock has set it: it holds
    /// for its length from now on, unless the owner renews it.
    pub fn set_back(&self, now: Timestamp) -> Option<Lease> {
        let farthest = now.saturating_add(self.length).and_then(|end| end.saturating_add(AHEAD)).ok()?;
        let until = now.saturating_add(self.length).ok()?;
        (self.until > farthest).then_some(Lease { until, ..*self })
    }

    /// The lease after a renewal: one that arrives late takes nothing back.
    #[must_use]
    pub fn renewed(self, renewal: Lease) -> Lease {
        if renewal.until_boot < self.until_boot { self } else { renewal }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

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
            (later(-10 * year), None, false, "claimed by a clock that was far ahead: set back first"),
        ] {
            assert_eq!(lease.is_over(wall, boot), is_over, "{what}");
        }
    }

    #[test]
    fn an_end_far_ahead_is_set_back_to_one_length_from_now() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let length = Duration::from_secs(300);
        let lease = Lease::from(now, BootTime(5), length);
        assert_eq!(lease.set_back(now - SignedDuration::from_hours(1)), None);
        let earlier = now - SignedDuration::from_secs(3601);
        let set_back = lease.set_back(earlier).unwrap();
        assert_eq!(set_back, Lease { until: earlier + length, ..lease });
        assert_eq!(lease.renewed(set_back), set_back);
        let renewed = Lease::from(now, BootTime(6), length);
        assert_eq!(renewed.renewed(set_back), renewed, "the owner was faster");
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
