//! Metrics in files and in memory, and whether others read them as they were meant.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tickward::config::{Secret, SinkSpec};
use tickward::metrics::{Figures, Runs, Snapshot, prometheus};
use tickward::sink::{self, Sink};

use super::python::Python;
use super::{now, pipeline, runtime};

pub const TESTS: &[super::Test] = &[
    ("the_text_has_every_family_as_documented", text),
    ("a_text_file_is_whole_whenever_it_is_read", whole),
    ("a_text_file_is_for_everybody_and_leaves_nothing_beside", beside),
    ("a_text_file_that_cannot_be_written_says_why", refused),
    ("memory_keeps_what_was_recorded", memory),
];

pub const WITH_PYTHON: &[super::WithPython] = &[("another_program_reads_the_same_figures", read_by_others)];

fn snapshot(runs: u64) -> Snapshot {
    let mut figures = Figures {
        runs: Runs { success: runs, partial: 1, failure: 2, skipped: 3 },
        retry_attempt: 2,
        last_success: Some(now()),
        ..Figures::default()
    };
    for millis in [80, 700, 100_000_000] {
        figures.durations.observe(Duration::from_millis(millis));
    }
    let pipelines = BTreeMap::from([(pipeline("daily_etl"), figures), (pipeline("never/ran"), Figures::default())]);
    Snapshot {
        at: now(),
        duration: Duration::from_millis(1_250),
        gap: Some(Duration::from_secs(7_200)),
        degraded: true,
        pipelines,
    }
}

fn open(url: &str) -> Arc<dyn Sink> {
    sink::open(&SinkSpec::of_url(Secret::new(url))).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn text() {
    let text = prometheus(&snapshot(7));
    let page = include_str!("../../docs/metrics.md");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(page.contains(&format!("| `{name}`")) && page.contains(kind), "docs/metrics.md has no {line}");
        assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1);
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    for line in [
        "pipeline_runs_total{pipeline=\"daily_etl\",outcome=\"success\"} 7",
        "pipeline_runs_total{pipeline=\"daily_etl\",outcome=\"skipped\"} 3",
        "pipeline_runs_total{pipeline=\"never/ran\",outcome=\"failure\"} 0",
        "pipeline_duration_seconds_bucket{pipeline=\"daily_etl\",le=\"0.1\"} 1",
        "pipeline_duration_seconds_bucket{pipeline=\"daily_etl\",le=\"1\"} 2",
        "pipeline_duration_seconds_bucket{pipeline=\"daily_etl\",le=\"86400\"} 2",
        "pipeline_duration_seconds_bucket{pipeline=\"daily_etl\",le=\"+Inf\"} 3",
        "pipeline_duration_seconds_sum{pipeline=\"daily_etl\"} 100000.78",
        "pipeline_duration_seconds_count{pipeline=\"daily_etl\"} 3",
        "pipeline_retry_attempt{pipeline=\"daily_etl\"} 2",
        "pipeline_retry_attempt{pipeline=\"never/ran\"} 0",
        "tickward_pipeline_last_success_timestamp_seconds{pipeline=\"daily_etl\"} 1767232820",
        "tickward_last_tick_timestamp_seconds 1767232820",
        "tickward_tick_duration_seconds 1.25",
        "tickward_tick_gap_seconds 7200",
        "tickward_degraded 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("last_success_timestamp_seconds{pipeline=\"never/ran\"}"), "never is no instant");
    assert!(text.ends_with('\n'));
}

fn whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickward.prom");
    let sink = open(&format!("textfile://{}", path.display()));
    runtime().block_on(sink.record(&snapshot(1))).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (path, is_over) = (path.clone(), is_over.clone());
        let expected: Vec<String> = (1..=30).map(|runs| prometheus(&snapshot(runs))).collect();
        move || {
            while !is_over.load(Ordering::SeqCst) {
                let text = std::fs::read_to_string(&path).expect("it is always there");
                assert!(expected.contains(&text), "a torn file: {text}");
            }
        }
    });
    for runs in 2..=30 {
        runtime().block_on(sink.record(&snapshot(runs))).unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), prometheus(&snapshot(30)));
}

fn beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickward.prom");
    std::fs::write(&path, "older").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Left by a tick that was killed: the instant of the tests is long before these files were made, so they are young.
    let young = folder.path().join(".tickward.prom.0123456789abcdef.tmp");
    let foreign = folder.path().join(".other.prom.0123456789abcdef.tmp");
    for file in [&young, &foreign] {
        std::fs::write(file, "torn").unwrap();
    }
    let sink = open(&format!("textfile://{}", path.display()));
    runtime().block_on(sink.record(&snapshot(1))).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(
        names(folder.path()),
        [".other.prom.0123456789abcdef.tmp", ".tickward.prom.0123456789abcdef.tmp", "tickward.prom"]
    );
    // A tick of a year much later finds them old.
    let later = Snapshot { at: "2199-01-01T00:00:00Z".parse().unwrap(), ..snapshot(2) };
    runtime().block_on(sink.record(&later)).unwrap();
    assert_eq!(names(folder.path()), [".other.prom.0123456789abcdef.tmp", "tickward.prom"]);
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.prom");
    let sink = open(&format!("textfile://{}", path.display()));
    std::fs::create_dir(&path).unwrap();
    let error = runtime().block_on(sink.record(&snapshot(1))).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` is a folder, and metrics go into a file", path.display()));
    let sink = open(&format!("textfile://{}/no/x.prom", folder.path().display()));
    let error = runtime().block_on(sink.record(&snapshot(1))).unwrap_err();
    let expected = format!("cannot write `{}/no/x.prom`: its folder is not there", folder.path().display());
    assert_eq!(error.to_string(), expected);
    let pipe = folder.path().join("y.prom");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = runtime().block_on(open(&format!("textfile://{}", pipe.display())).record(&snapshot(1))).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` is no file", pipe.display()));
    assert!(!pipe.metadata().unwrap().is_file(), "it is not replaced");
    assert_eq!(names(folder.path()), ["x.prom", "y.prom"]);
}

fn memory() {
    let (one, same, other) = (open("memory://m1"), open("memory://m1"), open("memory://m2"));
    for (sink, runs) in [(&one, 1), (&same, 2), (&other, 3), (&open("null://"), 4), (&open("stdout://"), 5)] {
        runtime().block_on(sink.record(&snapshot(runs))).unwrap();
    }
    assert_eq!(sink::recorded("m1"), [snapshot(1), snapshot(2)]);
    assert_eq!((sink::recorded("m2").len(), sink::recorded("m3").len()), (1, 0));
}

/// Name, labels, value, time.
type Sample = (String, BTreeMap<String, String>, f64, Option<f64>);

const READ: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
print(json.dumps([[f.name, f.type, len(f.documentation) > 0,
    [[s.name, s.labels, s.value, s.timestamp] for s in f.samples]] for f in families(sys.stdin.read())]))
";

fn read_by_others(python: &Python) {
    let text = prometheus(&snapshot(7));
    let families: Vec<(String, String, bool, Vec<Sample>)> = serde_json::from_str(&python.run(READ, &text)).unwrap();
    let kinds: Vec<(&str, &str)> = families.iter().map(|(name, kind, ..)| (name.as_str(), kind.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("pipeline_runs", "counter"),
            ("pipeline_duration_seconds", "histogram"),
            ("pipeline_retry_attempt", "gauge"),
            ("tickward_pipeline_last_success_timestamp_seconds", "gauge"),
            ("tickward_last_tick_timestamp_seconds", "gauge"),
            ("tickward_tick_duration_seconds", "gauge"),
            ("tickward_tick_gap_seconds", "gauge"),
            ("tickward_degraded", "gauge"),
        ]
    );
    let samples: Vec<_> = families
        .iter()
        .flat_map(|(.., documented, samples)| {
            assert!(documented);
            samples
        })
        .collect();
    assert_eq!(samples.len(), text.lines().filter(|line| !line.starts_with('#')).count(), "every line is a sample");
    assert!(samples.iter().all(|(.., timestamp)| timestamp.is_none()));
    let value = |name: &str, label: (&str, &str)| {
        let is_it = |labels: &BTreeMap<String, String>| {
            labels["pipeline"] == "daily_etl" && labels.get(label.0).is_some_and(|value| value == label.1)
        };
        samples.iter().find(|(found, labels, ..)| found == name && is_it(labels)).unwrap().2
    };
    assert_eq!(value("pipeline_runs_total", ("outcome", "success")), 7.0);
    assert_eq!(value("pipeline_duration_seconds_bucket", ("le", "+Inf")), 3.0);
}
