//! Spreads pipelines and retries by delays that every host computes alike.
//!
//! Holds always: the same text gives the same delay, in every process and every release.

use std::time::Duration;

use crate::occurrence::PipelineId;

/// The constant delay of a pipeline: 0 up to, not including, `longest`; zero where that is zero.
pub fn constant_delay(id: &PipelineId, longest: Duration) -> Duration {
    if longest.is_zero() {
        return Duration::ZERO;
    }
    within(stable_hash(&format!("{}:{}", id.namespace, id.name)), longest)
}

/// A duration from 0 up to, not including, `longest`, picked by `hash`.
pub fn within(hash: u64, longest: Duration) -> Duration {
    match u64::try_from(longest.as_micros()) {
        Ok(0) | Err(_) => Duration::ZERO,
        Ok(micros) => Duration::from_micros(hash % micros),
    }
}

/// FNV-1a with a final mix (from SplitMix64): stable for ever, which the standard library's hasher does not promise.
pub fn stable_hash(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes_between_releases() {
        for (text, hash) in [("", 0xf52a_15e9_a9b5_e89b_u64), ("default:hello", 0x9dc9_7b68_33a8_70f8)] {
            assert_eq!(stable_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn delays_are_spread_and_below_the_longest() {
        let longest = Duration::from_secs(60);
        let delays: Vec<_> = (0..1000).map(|n| within(stable_hash(&format!("default:p{n}")), longest)).collect();
        assert!(delays.iter().all(|d| *d < longest));
        let early = delays.iter().filter(|d| **d < longest / 2).count();
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
    }
}
