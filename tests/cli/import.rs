//! import: every sample of tests/cli/crontabs becomes exactly the configuration and the report beside it.
//!
//! A new sample's answers are written by hand, or by the command and then read.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::sandbox::{Done, Sandbox, each};

const SAMPLES: [&str; 7] = [
    "plain.crontab",
    "percent.crontab",
    "wrapped.crontab",
    "zones.crontab",
    "broken.crontab",
    "glue.crontab",
    "cron.d/system",
];
const ZONE: &str = "Europe/Berlin";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/crontabs")
}

/// A sandbox with a copy of a sample and what importing it comes to, the configuration in `tickward.yaml`.
fn imported(sample: &str) -> (Sandbox, Done) {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("cron.d")).unwrap();
    std::fs::copy(folder().join(sample), sandbox.path(sample)).unwrap();
    let done = sandbox.call(&["import", "crontab", sample, "--timezone", ZONE]);
    std::fs::write(sandbox.path("tickward.yaml"), &done.stdout).unwrap();
    (sandbox, done)
}

#[test]
fn every_sample_becomes_the_configuration_and_the_report_beside_it() {
    for sample in SAMPLES {
        let (_, done) = imported(sample);
        let expected = |ending: &str| std::fs::read_to_string(folder().join(format!("{sample}.{ending}"))).unwrap();
        assert_eq!(done.stdout, expected("yaml"), "{sample}");
        assert_eq!(done.stderr, expected("report"), "{sample}");
        let has_left_out = done.stderr.contains("left out ");
        assert_eq!(done.code, if has_left_out { 3 } else { 0 }, "{sample}");
    }
}

#[test]
fn what_is_printed_loads_without_a_problem() {
    for sample in SAMPLES {
        let (sandbox, _) = imported(sample);
        let json = sandbox.run("validate -o json").expect(0).json();
        assert_eq!(json["problems"], serde_json::json!([]), "{sample}");
    }
}

/// The schedules of a crontab and the zone that each is read in, line by line, by a reader that shares no code with the
/// program: five words or one, a zone by assignment. Lines that were left out are not asked about.
fn schedules(text: &str, report: &str, sample: &str) -> Vec<(String, String)> {
    let mut zones = (None, None);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let is_left_out = report.lines().any(|said| said.starts_with(&format!("left out {sample}:{}: ", index + 1)));
        let words: Vec<_> = line.split_whitespace().collect();
        match line.split_once('=') {
            Some(("CRON_TZ", zone)) => zones.0 = Some(zone.to_owned()),
            Some(("TZ", zone)) => zones.1 = Some(zone.to_owned()),
            _ => {}
        }
        let starts = line.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit() || c == '*' || c == '@');
        if is_left_out || !starts {
            continue;
        }
        let count = if line.starts_with('@') { 1 } else { 5 };
        let zone = zones.0.clone().filter(|zone| !zone.is_empty()).or_else(|| zones.1.clone());
        found.push((words[..count].join(" ").trim_start_matches('-').to_owned(), zone.unwrap_or_else(|| ZONE.into())));
    }
    found
}

#[test]
fn each_line_is_due_when_cron_would_run_it() {
    let mut seen = 0;
    for sample in SAMPLES {
        let (sandbox, done) = imported(sample);
        let text = String::from_utf8_lossy(&std::fs::read(folder().join(sample)).unwrap()).into_owned();
        let schedules = schedules(&text, &done.stderr, sample);
        let list = sandbox.run("list -o json").expect(0).json();
        let names = each(&list, "pipeline");
        assert_eq!(names.len(), schedules.len(), "{sample}: {names:?} {schedules:?}");
        let after = ["--after", "2026-03-28T12:00:00Z", "--count", "8", "-o", "json"];
        let instants =
            |first: &[&str]| -> Value { sandbox.call(&[&["next"], first, &after].concat()).expect(0).json() };
        for (name, (schedule, zone)) in names.iter().zip(&schedules) {
            let of_line = instants(&["--schedule", schedule, "--timezone", zone]);
            assert_eq!(instants(&[name]), of_line, "{sample}: {name} {schedule}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn imported_commands_do_what_the_lines_did() {
    let sandbox = Sandbox::new();
    let folder = sandbox.work().join("a folder");
    std::fs::create_dir(&folder).unwrap();
    let shown = folder.display();
    sandbox.write(
        "mine",
        &format!(
            "* * * * * cd '{shown}' && pwd | cat > \"$LEDGER\".cd\n\
             * * * * * cat > \"$LEDGER\".stdin%one\\%%two ${{x}} {{{{ host }}}}\n\
             A='${{B}} {{{{ host }}}}'\n\
             * * * * * printf '\\%s' \"$A\" > \"$LEDGER\".env\n\
             SHELL=/bin/bash\n\
             * * * * * x='${{y}} {{{{ host }}}}'; [[ $x == *y* ]] && echo \"$x\" > \"$LEDGER\".bash\n"
        ),
    );
    sandbox.call(&["import", "crontab", "mine", "-o", "tickward.yaml"]).expect(0);
    for name in ["pwd", "cat", "printf", "x"] {
        let names = sandbox.run("list -o json").expect(0).json();
        let list = each(&names, "pipeline");
        let name = list.iter().find(|known| **known == name).copied().unwrap_or(list[3]);
        sandbox.call(&["run", name]).expect(0);
    }
    assert_eq!(sandbox.read("ledger.cd"), format!("{shown}\n"));
    assert_eq!(sandbox.read("ledger.stdin"), "one%\ntwo ${x} {{ host }}\n");
    assert_eq!(sandbox.read("ledger.env"), "${B} {{ host }}");
    assert_eq!(sandbox.read("ledger.bash"), "${y} {{ host }}\n");
}

#[test]
fn no_file_is_overwritten_and_nobody_else_may_read_a_new_one() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    sandbox.write("mine", "@daily /srv/x\n");
    sandbox.call(&["import", "crontab", "mine", "-o", "new.yaml"]).expect(0);
    let mode = sandbox.path("new.yaml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = sandbox.call(&["import", "crontab", "mine", "-o", "new.yaml"]).expect(2);
    assert!(again.stderr.starts_with("error: `new.yaml` exists already; it is left as it is\n"), "{again:?}");
    for (arguments, message) in [
        (["import", "crontab", "none"], "error: `none` cannot be read: "),
        (["import", "crontab", "/dev/null"], "error: no line became a pipeline\n"),
        (["import", "crontab", "--timezone=Mars/Base"], "error: time zone `Mars/Base` is not known\n"),
    ] {
        let done = sandbox.call(&arguments).expect(2);
        assert!(done.stderr.starts_with(message) && done.stdout.is_empty(), "{done:?}");
    }
}

#[test]
fn a_column_of_users_is_told_by_the_path_or_by_a_flag() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("cron.d")).unwrap();
    for file in ["mine", "cron.d/good", "cron.d/old.dpkg-dist"] {
        sandbox.write(file, "@daily root /srv/x\n");
    }
    for (arguments, expected) in [
        ("crontab mine", "user: none"),
        ("crontab mine --system", "user: root"),
        ("crontab mine --user root", "user: root"),
        ("cron.d mine", "user: root"),
        ("crontab cron.d/good", "user: root"),
        ("crontab cron.d", "user: root"),
    ] {
        let done = sandbox.run(&format!("import {arguments}")).expect(0);
        assert_eq!(done.stdout.contains("user: root"), expected == "user: root", "{arguments}: {done:?}");
        assert_eq!(done.stdout.matches("schedule:").count(), 1, "{arguments}: {done:?}");
    }
}

#[test]
fn the_report_is_in_the_order_of_the_files_and_their_lines() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("cron.d")).unwrap();
    sandbox.write("cron.d/a", "0 1 * * * root cd / && /srv/a\n* * * * * root\n0 2 * * * root cd /srv && /srv/b\n");
    sandbox.write("cron.d/b", "MAILTO=\"\"\n0 1 * * * root cd / && /srv/c\n");
    sandbox.write("cron.d/c", "0 1 * * * root cd / && /srv/d\n* * * * *\n");
    let done = sandbox.run("import crontab cron.d").expect(3);
    let place = |line: &str| line.get(9..)?.strip_prefix("cron.d/")?.split(": ").next().map(str::to_owned);
    let places: Vec<_> = done.stderr.lines().filter_map(place).collect();
    assert_eq!(places, ["a:1", "a:2", "a:3", "b:1", "b:2", "c:1", "c:2"], "{}", done.stderr);
}

#[test]
fn the_path_of_a_hook_is_in_no_report() {
    let sandbox = Sandbox::new();
    let hook = "https://hooks.slack.com/services/T0AAA/B0BBB/hunter2";
    sandbox.write(
        "mine",
        &format!(
            "@daily /srv/a || curl -d x {hook}\n@daily /srv/b || wget --post-data x '{hook}'\n\
             @daily /srv/c && curl \"{hook}?x=hunter2\"\n@daily /srv/d || (curl u:hunter2@hooks.slack.com/hunter2 -d x)\n\
             @daily {{ /srv/e; }} || {{ curl \"{hook} ; }}\n@daily cd {hook} && /srv/f > {hook}\n"
        ),
    );
    let done = sandbox.run("import crontab mine").expect(0);
    assert!(!done.stderr.contains("hunter2") && !done.stderr.contains("T0AAA"), "{}", done.stderr);
    assert_eq!(done.stderr.matches(" tells how it went").count(), 5, "{}", done.stderr);
    assert_eq!(done.stdout.matches("hunter2").count(), 9, "{}", done.stdout);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are: an answer, a line number in each complaint, and a configuration that loads.
    #[test]
    fn any_bytes_are_answered(lines in proptest::collection::vec(any_line(), 1..12), system in any::<bool>()) {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path("any"), lines.concat()).unwrap();
        let form = if system { "cron.d" } else { "crontab" };
        let done = sandbox.call(&["import", form, "any", "-o", "tickward.yaml"]);
        prop_assert!([0, 2, 3].contains(&done.code), "{done:?}");
        for line in done.stderr.lines().filter(|line| ["left out ", "replaced ", "note     "].iter().any(|word| line.starts_with(word))) {
            let number = line[9..].strip_prefix("any:").and_then(|rest| rest.split_once(": "));
            prop_assert!(number.is_some_and(|(number, _)| number.parse::<usize>().is_ok()), "{line}");
        }
        if done.code != 2 {
            let validated = sandbox.run("validate -o json").json();
            prop_assert_eq!(&validated["problems"], &serde_json::json!([]), "{}", sandbox.read("tickward.yaml"));
        }
    }
}

/// A line of anything, or of what crontabs are made of.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("* * * * * "),
        Just("@daily "),
        Just("A="),
        Just("SHELL="),
        Just("HOME=/"),
        Just("CRON_TZ=UTC"),
        Just("#"),
        Just("root "),
        Just("%"),
        Just("\\"),
        Just("\\%"),
        Just("cd /x && "),
        Just("flock -n /l "),
        Just("timeout 5m "),
        Just("sleep $((RANDOM \\% 9)) && "),
        Just(" > /dev/null 2>&1"),
        Just(" &"),
        Just("'"),
        Just("\""),
        Just("${"),
        Just("}"),
        Just("{{"),
        Just("{{ host }}"),
        Just("`"),
        Just("$("),
        Just(")"),
        Just("x "),
        Just("\t"),
        Just("\u{85}"),
        Just("\u{feff}"),
        Just("é"),
        Just(" | "),
        Just("; "),
        Just("<<"),
        Just(" || "),
        Just("("),
        Just("for i in 1 2; do "),
        Just("until "),
        Just(" && break"),
        Just("; done"),
        Just("case x in "),
        Just(";; "),
        Just("if "),
        Just("; then "),
        Just("; fi"),
        Just("curl https://hooks.slack.com/x "),
        Just("sleep 9"),
        Just(": "),
    ];
    let made = proptest::collection::vec(word, 0..9).prop_map(|words| {
        let text: String = words.concat();
        if text.starts_with(['*', '@', '#']) { text } else { format!("* * * * * {text}") }
    });
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        4 => made.prop_map(|line| format!("{line}\n").into_bytes()),
        1 => any::<String>().prop_map(|text| format!("@daily {text}\n").into_bytes()),
        1 => any::<String>().prop_map(|text| format!("B={text}\n").into_bytes()),
    ]
}

#[test]
fn the_line_that_calls_a_tick_stays_in_the_crontab() {
    let sandbox = Sandbox::new();
    sandbox.write("mine", "* * * * * /usr/local/bin/tickward run-due -c /x.yaml\n0 1 * * * /opt/a.sh\n");
    let done = sandbox.run("import crontab mine").expect(3);
    assert!(done.stderr.contains("mine:1") && done.stderr.contains("calls tickward itself"), "{}", done.stderr);
    assert!(!done.stdout.contains("run-due") && done.stdout.contains("/opt/a.sh"), "{}", done.stdout);
}
