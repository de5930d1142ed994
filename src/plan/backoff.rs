//! Says how long to wait before the next attempt.
//!
//! Holds always: the same attempt gives the same wait on every host; jitter never makes a wait negative.

use std::time::Duration;

use super::jitter::{stable_hash, within};
use crate::occurrence::Run;
use crate::pipeline::{Backoff, Retry};

/// The wait after the `tries`-th counted attempt (from 1) of `run` has failed.
pub fn wait(policy: &Retry, tries: u32, run: &Run, number: u32) -> Duration {
    let before = tries.saturating_sub(1);
    let grown = match policy.backoff {
        Backoff::Fixed => policy.delay,
        Backoff::Linear => policy.delay.saturating_mul(before.saturating_add(1)),
        Backoff::Exponential => policy.delay.saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX)),
    };
    let bounded = grown.min(policy.max_delay.unwrap_or(LONGEST)).min(LONGEST);
    jittered(bounded, policy.jitter_percent, stable_hash(&format!("{}#{number}", run.id())))
}

/// No wait is longer than this, so that instants stay in range.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

fn jittered(wait: Duration, percent: u32, hash: u64) -> Duration {
    let spread = wait.saturating_mul(percent.min(100)) / 100;
    wait - spread + within(hash, spread * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occurrence::{Name, PipelineId};
    use crate::pipeline::WhenNextDue;

    fn run() -> Run {
        let name = |text| Name::parse(text).unwrap();
        Run {
            pipeline: PipelineId { namespace: name("default"), name: name("p") },
            scheduled_for: "2026-01-01T02:00:00Z".parse().unwrap(),
        }
    }

    fn policy(backoff: Backoff, delay: u64, max: Option<u64>, jitter_percent: u32) -> Retry {
        let max_delay = max.map(Duration::from_secs);
        let delay = Duration::from_secs(delay);
        Retry { max_attempts: 99, backoff, delay, max_delay, jitter_percent, when_next_due: WhenNextDue::Supersede }
    }

    #[test]
    fn waits_grow_as_the_policy_says() {
        use Backoff::*;
        for (backoff, delay, max, tries, seconds) in [
            (Fixed, 30, None, 1, 30),
            (Fixed, 30, None, 9, 30),
            (Linear, 30, None, 1, 30),
            (Linear, 30, None, 3, 90),
            (Exponential, 30, None, 1, 30),
            (Exponential, 30, None, 2, 60),
            (Exponential, 30, None, 5, 480),
            (Exponential, 30, Some(100), 5, 100),
            (Exponential, 30, Some(100), 4_000, 100),
            (Exponential, 30, None, 4_000, 366 * 86_400),
            (Fixed, 0, None, 1, 0),
        ] {
            let row = format!("{backoff:?} {delay} {max:?} after {tries}");
            assert_eq!(wait(&policy(backoff, delay, max, 0), tries, &run(), 1).as_secs(), seconds, "{row}");
        }
    }

    #[test]
    fn jitter_stays_within_its_percentage_and_is_constant() {
        let policy = policy(Backoff::Fixed, 100, None, 20);
        let waits: Vec<_> = (1..200).map(|number| wait(&policy, 1, &run(), number)).collect();
        assert!(waits.iter().all(|w| (80..=120).contains(&w.as_secs())), "{waits:?}");
        assert!(waits.iter().any(|w| w.as_secs() < 95) && waits.iter().any(|w| w.as_secs() > 105));
        assert_eq!(waits[7], wait(&policy, 1, &run(), 8));
    }
}
