//! Counts durations by how long they took, over the lives of many processes.
//!
//! The value is kept in the run-log between ticks. It carries its own bounds: one that a program with other bounds has
//! written goes on with those, since what was counted cannot be sorted anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of a new histogram's buckets, in milliseconds, each included; what is longer falls into a last one.
pub const BOUNDS_MILLIS: [u64; 16] = [
    100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000,
    21_600_000, 43_200_000, 86_400_000,
];

/// Durations by bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Histogram {
    bounds_millis: Vec<u64>,
    /// How many fell into each bucket and no smaller one; one more than there are bounds.
    counts: Vec<u64>,
    sum_micros: u64,
    /// What a newer program has written beside: it is written back as it was.
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            bounds_millis: BOUNDS_MILLIS.to_vec(),
            counts: vec![0; BOUNDS_MILLIS.len() + 1],
            sum_micros: 0,
            rest: serde_json::Map::new(),
        }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&mut self, duration: Duration) {
        // What was read back may have any shape.
        self.counts.resize(self.bounds_millis.len() + 1, 0);
        let fits = |bound: &u64| duration <= Duration::from_millis(*bound);
        let bucket = self.bounds_millis.iter().position(fits).unwrap_or(self.bounds_millis.len());
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Each bound and how many took that long or less, as Prometheus counts; the last bound is none, for all.
    pub fn cumulative(&self) -> Vec<(Option<Duration>, u64)> {
        let bounds = self.bounds_millis.iter().map(|bound| Some(Duration::from_millis(*bound))).chain([None]);
        let mut all = 0_u64;
        let sums = self.counts.iter().copied().chain(std::iter::repeat(0)).map(|count| {
            all = all.saturating_add(count);
            all
        });
        bounds.zip(sums).collect()
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.cumulative().last().map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for millis in [0, 100, 101, 86_400_000, 86_400_001] {
            histogram.observe(Duration::from_millis(millis));
        }
        let found: Vec<u64> = histogram.cumulative().iter().map(|(_, count)| *count).collect();
        assert_eq!(found, [vec![2, 3], vec![3; 13], vec![4, 5]].concat());
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_millis(172_800_202)));
    }

    #[test]
    fn bounds_and_fields_of_another_program_are_kept() {
        let text = r#"{"bounds_millis":[10,20],"counts":[1,0,2],"sum_micros":99,"unit":"s"}"#;
        let mut histogram: Histogram = serde_json::from_str(text).unwrap();
        histogram.observe(Duration::from_millis(15));
        let expected = r#"{"bounds_millis":[10,20],"counts":[1,1,2],"sum_micros":15099,"unit":"s"}"#;
        assert_eq!(serde_json::to_string(&histogram).unwrap(), expected);
        let torn: Histogram = serde_json::from_str(r#"{"bounds_millis":[10],"counts":[],"sum_micros":0}"#).unwrap();
        assert_eq!(torn.cumulative(), [(Some(Duration::from_millis(10)), 0), (None, 0)]);
    }
}
