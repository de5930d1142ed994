//! Writes figures in Prometheus' text exposition format, version 0.0.4.
//!
//! A family is its two comment lines and then all of its samples; label values are escaped as the format says (`\\`, `\"`,
//! `\n`). No sample has a time of its own: node_exporter refuses those.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::{Figures, Snapshot};

/// The whole text; it ends with a newline.
///
/// ```
/// use tickward::metrics::{Snapshot, prometheus};
/// let snapshot = Snapshot {
///     at: "2026-01-01T00:00:00Z".parse()?,
///     duration: std::time::Duration::from_millis(20),
///     gap: None,
///     degraded: false,
///     pipelines: Default::default(),
/// };
/// assert!(prometheus(&snapshot).contains("\ntickward_tick_duration_seconds 0.02\n"));
/// # Ok::<(), jiff::Error>(())
/// ```
pub fn prometheus(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    runs(&mut text, snapshot);
    durations(&mut text, snapshot);
    of_each(
        &mut text,
        snapshot,
        "pipeline_retry_attempt",
        "Attempt that is pending or running as a retry; 0 when there is none.",
        |figures| Some(figures.retry_attempt.to_string()),
    );
    let help = "When an attempt last succeeded, at least in part, in seconds since 1970.";
    of_each(&mut text, snapshot, "tickward_pipeline_last_success_timestamp_seconds", help, |figures| {
        figures.last_success.map(instant)
    });
    let gap = snapshot.gap.map(seconds);
    for (name, help, value) in [
        (
            "tickward_last_tick_timestamp_seconds",
            "When the last tick ended, in seconds since 1970.",
            Some(instant(snapshot.at)),
        ),
        ("tickward_tick_duration_seconds", "How long the last tick took.", Some(seconds(snapshot.duration))),
        ("tickward_tick_gap_seconds", "How long no tick was made before the last one.", gap),
        (
            "tickward_degraded",
            "1 if the last tick could not use the run-log.",
            Some(u8::from(snapshot.degraded).to_string()),
        ),
    ] {
        if let Some(value) = value {
            family(&mut text, name, "gauge", help);
            sample(&mut text, name, &[], &value);
        }
    }
    text
}

fn runs(text: &mut String, snapshot: &Snapshot) {
    let name = "pipeline_runs_total";
    family(text, name, "counter", "Ended attempts, and occurrences that were skipped.");
    for (pipeline, figures) in &snapshot.pipelines {
        let runs = figures.runs;
        let labels = [
            ("success", runs.success),
            ("partial", runs.partial),
            ("failure", runs.failure),
            ("skipped", runs.skipped),
        ];
        for (outcome, count) in labels {
            sample(text, name, &[("pipeline", &pipeline.to_string()), ("outcome", outcome)], &count.to_string());
        }
    }
}

fn durations(text: &mut String, snapshot: &Snapshot) {
    let name = "pipeline_duration_seconds";
    family(text, name, "histogram", "How long attempts took.");
    for (pipeline, figures) in &snapshot.pipelines {
        let pipeline = pipeline.to_string();
        for (bound, count) in figures.durations.cumulative() {
            let bound = bound.map_or("+Inf".into(), seconds);
            let labels = [("pipeline", pipeline.as_str()), ("le", &bound)];
            sample(text, &format!("{name}_bucket"), &labels, &count.to_string());
        }
        let labels = [("pipeline", pipeline.as_str())];
        sample(text, &format!("{name}_sum"), &labels, &seconds(figures.durations.sum()));
        sample(text, &format!("{name}_count"), &labels, &figures.durations.count().to_string());
    }
}

/// A gauge with a sample for each pipeline that has a value.
fn of_each(text: &mut String, snapshot: &Snapshot, name: &str, help: &str, value: impl Fn(&Figures) -> Option<String>) {
    family(text, name, "gauge", help);
    for (pipeline, figures) in &snapshot.pipelines {
        if let Some(value) = value(figures) {
            sample(text, name, &[("pipeline", &pipeline.to_string())], &value);
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    text.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        let _ = write!(text, "{}{label}=\"{}\"", if at == 0 { "{" } else { "," }, escaped_label(value));
    }
    let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

fn escaped_label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

fn instant(instant: Timestamp) -> String {
    // To the millisecond: in a 64-bit float, microseconds of today would end in noise.
    format!("{}", instant.as_millisecond() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_numbers_are_plain() {
        let mut text = String::new();
        sample(&mut text, "x", &[("a", "q\"b\\c\nd"), ("b", "")], &seconds(Duration::from_micros(1_500)));
        sample(&mut text, "y", &[], &seconds(Duration::from_secs(86_400)));
        sample(&mut text, "z", &[], &instant("2026-01-01T00:00:00.123456Z".parse().unwrap()));
        family(&mut text, "f", "gauge", "a\\b\nc");
        assert_eq!(
            text,
            "x{a=\"q\\\"b\\\\c\\nd\",b=\"\"} 0.0015\ny 86400\nz 1767225600.123\n# HELP f a\\\\b\\nc\n# TYPE f gauge\n"
        );
    }
}
