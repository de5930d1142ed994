//! doctor: what it finds, what it advises, and that it only looks.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::sandbox::{Done, Sandbox};

const GOOD: &str = "alerters: ['stdout://']\npipelines: { one: { schedule: '@daily', timeout: 1h, command: [/bin/true], owner: me, runbook: here, retry: { max_attempts: 2 } } }";

/// The findings on a configuration, as level, check, pipeline and words.
fn found(sandbox: &Sandbox, flags: &str) -> Vec<(String, String, String, String)> {
    let json = sandbox.run(&format!("doctor -o json {flags}")).json();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let of = |finding: &Value| {
        (text(finding, "level"), text(finding, "check"), text(finding, "pipeline"), text(finding, "what"))
    };
    json["findings"].as_array().unwrap().iter().map(of).collect()
}

#[track_caller]
fn assert_found(sandbox: &Sandbox, level: &str, check: &str, words: &str) {
    let found = found(sandbox, "");
    let is_there = found.iter().any(|(l, c, _, what)| l == level && c == check && what.contains(words));
    assert!(is_there, "{level} {check} {words}: {found:#?}");
}

/// Every file and folder below, with its length.
fn everything(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let data = path.metadata().unwrap();
        found.push((path.display().to_string(), if data.is_dir() { 0 } else { data.len() }));
        if data.is_dir() {
            found.extend(everything(&path));
        }
    }
    found.sort();
    found
}

fn whole(sandbox: &Sandbox) -> Vec<(String, u64)> {
    everything(sandbox.work().parent().unwrap())
}

#[test]
fn where_nothing_is_wrong_it_ends_with_0() {
    let sandbox = Sandbox::with(GOOD);
    let done = sandbox.run("doctor").expect(0);
    assert_eq!(done.stderr, "");
    assert!(done.stdout.starts_with("good   configuration  1 pipelines load\n"), "{done:?}");
    assert!(done.stdout.lines().last().unwrap().starts_with("0 wrong, "), "{done:?}");
}

#[test]
fn it_creates_nothing() {
    let sandbox = Sandbox::with(GOOD);
    let before = whole(&sandbox);
    sandbox.run("doctor --production").expect(0);
    assert_eq!(whole(&sandbox), before, "where nothing has run");
    sandbox.run("run one").expect(0);
    let before = whole(&sandbox);
    sandbox.run("doctor --production").expect(0);
    assert_eq!(whole(&sandbox), before, "where something has");
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    for (pipeline, level, check, words) in [
        ("{ schedule: '61 * * * *', command: x }", "wrong", "configuration", "minute `61` is out of range"),
        ("{ command: [/bin/true] }", "advice", "timeout", "as long as it likes"),
        ("{ command: [no-such-program] }", "wrong", "program", "`no-such-program` was not found in PATH"),
        ("{ command: 'no-such-program --flag | cat' }", "wrong", "program", "`no-such-program` was not found in PATH"),
        ("{ command: [/bin/sh, -c, no-such-program --flag] }", "wrong", "program", "`no-such-program` was not found"),
        ("{ command: [/no/such/bash, -c, 'true'] }", "wrong", "program", "`/no/such/bash` was not found"),
        (
            "{ command: 'cd / && no-such-program \"$A\"' }",
            "wrong",
            "program",
            "`no-such-program` was not found in PATH",
        ),
        ("{ command: 'cd /etc; ./no-such' }", "wrong", "program", "`./no-such` was not found"),
        ("{ command: 'cd /etc && ./passwd' }", "wrong", "program", "`./passwd` is not executable"),
        ("{ command: [./tickward.yaml] }", "wrong", "program", "`./tickward.yaml` is not executable"),
        ("{ command: [./none] }", "wrong", "program", "`./none` was not found"),
        ("{ command: x, cwd: /no/such }", "wrong", "cwd", "the folder `/no/such` is not there"),
        ("{ command: 'true', user: no-such-user }", "wrong", "user", "the user `no-such-user` is unknown here"),
        (
            "{ schedule: every 5m, timeout: 4m, command: 'true', retry: { max_attempts: 3, delay: 10s, backoff: fixed } }",
            "advice",
            "retry",
            "its attempts may take 12m 20s, and it is due again after 5m",
        ),
    ] {
        let sandbox = Sandbox::with(&format!("pipelines: {{ one: {pipeline} }}"));
        assert_found(&sandbox, level, check, words);
        sandbox.run("doctor").expect(if level == "wrong" { 1 } else { 0 });
    }
}

/// Nor is the run-log known then, which it may name.
#[test]
fn a_configuration_that_cannot_be_read_is_told_without_a_line_and_makes_no_run_log() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink("/no/such/file", sandbox.path("tickward.yaml")).unwrap();
    std::fs::create_dir(sandbox.path("conf")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", sandbox.path("conf/x.yaml")).unwrap();
    let done = sandbox.run("doctor -c conf").expect(1);
    let told = "wrong  configuration  cannot read the file: it does not exist (conf/x.yaml)\n";
    assert!(done.stdout.starts_with(told), "{done:?}");
    assert!(done.stdout.contains("wrong  run-log        the run-log is not known: "), "{done:?}");
}

#[test]
fn a_builtin_or_a_line_that_is_not_simple_is_no_missing_program() {
    for line in [
        "cd / && true",
        "cd /bin && ./sh -c x",
        "cd ~ && ./x",
        "A=b x",
        "x () { true; }; x",
        "\"$X\"",
        "if true; then x; fi",
        "true",
        "(x)",
    ] {
        let sandbox = Sandbox::with(&format!("pipelines: {{ one: {{ command: '{line}' }} }}"));
        assert!(found(&sandbox, "").iter().all(|(_, check, ..)| check != "program"), "{line}");
    }
}

#[test]
fn a_crowded_minute_is_named_unless_it_is_spread() {
    let config = |jitter: &str| {
        let pipelines: String =
            (0..10).map(|n| format!("  p{n}: {{ schedule: '30 2 * * *', command: 'true' }}\n")).collect();
        format!("{jitter}pipelines:\n{pipelines}")
    };
    let crowded = Sandbox::with(&config(""));
    assert_found(&crowded, "advice", "crowd", "10 pipelines are due at ");
    assert_found(&crowded, "advice", "crowd", " 02:30Z");
    let spread = Sandbox::with(&config("defaults: { jitter: 1h }\n"));
    assert!(found(&spread, "").iter().all(|(_, check, ..)| check != "crowd"));
}

#[test]
fn a_pipeline_that_is_due_several_times_in_a_minute_is_one_of_it() {
    let often = "  p: { schedule: '*-*-* *:*:0/5', command: 'true' }\n";
    let others = |count: usize| {
        let one = |n| format!("  o{n}: {{ schedule: '30 2 * * *', command: 'true' }}\n");
        (0..count).map(one).collect::<String>()
    };
    let is_crowded = |others: &str| {
        let sandbox = Sandbox::with(&format!("pipelines:\n{often}{others}"));
        found(&sandbox, "").into_iter().find(|(_, check, ..)| check == "crowd")
    };
    assert_eq!(is_crowded(""), None);
    assert_eq!(is_crowded(&others(8)), None);
    let (_, _, _, what) = is_crowded(&others(9)).unwrap();
    assert!(what.starts_with("10 pipelines are due at ") && what.ends_with(" 02:30Z"), "{what}");
}

#[test]
fn cron_would_not_find_what_is_in_a_path_of_ones_own() {
    let sandbox = Sandbox::with("pipelines: { one: { command: [mine] } }");
    std::fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/mine", "#!/bin/sh\n");
    std::fs::set_permissions(sandbox.path("bin/mine"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    let done = sandbox.call_with(&["doctor"], &[("PATH", &path)]).expect(0);
    assert!(done.stdout.contains("cron, whose PATH is /usr/bin:/bin, would not find `mine`"), "{done:?}");
}

#[test]
fn a_run_log_that_others_may_read_or_that_is_none_is_found() {
    let sandbox = Sandbox::with(GOOD);
    sandbox.run("run one").expect(0);
    assert_found(&sandbox, "good", "run-log", "it can be read; the last claim was at ");
    let file = sandbox.state().join("run_log.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_found(&sandbox, "wrong", "run-log", "others may read `");
    std::fs::write(
        &file,
        "this is no database, and it is longer than a header of one would be, which is a hundred bytes",
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.run("doctor").expect(1);
    // As for who may not look into the folder.
    sandbox.write("tickward.yaml", &format!("run_log: sqlite:tickward.yaml/x.db\n{GOOD}"));
    assert_found(&sandbox, "wrong", "run-log", "the run-log `tickward.yaml/x.db` cannot be looked at: Not a directory");
}

#[test]
fn where_nothing_ticks_any_more_it_is_found() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', timeout: 1m, command: 'true' } }");
    sandbox.tick("2026-03-02T02:00:05Z");
    assert_found(&sandbox, "wrong", "ticks", "it has been due since 2026-");
}

#[test]
fn a_password_that_everybody_may_read_is_found_and_not_shown() {
    for (line, mode, is_found) in [
        ("run_log: mysql://u:hunter2@h/d", 0o644, true),
        ("run_log: mysql://u:hunter2@h/d", 0o600, false),
        ("run_log: mysql://u:${PW:-}@h/d", 0o644, false),
        ("x-a: webhook+https://h/alert?secret_env=HOOK_SECRET&a=b", 0o644, false),
        ("x-a: webhook+https://h/alert?secret_file=/etc/hook", 0o644, false),
        ("x-a: https://u:${PW:-}@h/${X} https://u:hunter2@h/", 0o644, true),
        ("x-a: slack://hooks.slack.com/services/${SLACK:-}", 0o644, false),
        ("x-a: [slack://hooks.slack.com/services/${A:-}/${B:-}, https://u:hunter2@h/]", 0o644, true),
        ("x-a: slack://hooks.slack.com/services/T0/B0/hunter2", 0o644, true),
        ("x-a: webhook+http://127.0.0.1:18099/hook?a=b", 0o644, false),
        ("x-a: 'webhook+https://h/hook?token=hunter2'", 0o644, true),
        ("x-a: smtps://mail:hunter2@h?from=a&to=b", 0o644, true),
        ("x-a: smtp://mail.example.com?from=a&to=b", 0o644, false),
    ] {
        let sandbox = Sandbox::with(&format!("{line}\n{GOOD}\n"));
        std::fs::set_permissions(sandbox.path("tickward.yaml"), std::fs::Permissions::from_mode(mode)).unwrap();
        let Done { stdout, stderr, .. } = sandbox.run("doctor");
        assert_eq!(stdout.contains("and line 1 has a password"), is_found, "{line}: {stdout}");
        assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "{stdout}{stderr}");
    }
}

#[test]
fn each_line_with_a_password_is_named() {
    let sandbox = Sandbox::with(&format!("run_log: mysql://u:hunter2@h/d\nx-a: https://u:hunter2@h/\n{GOOD}\n"));
    std::fs::set_permissions(sandbox.path("tickward.yaml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let stdout = sandbox.run("doctor").stdout;
    assert!(stdout.contains("and lines 1, 2 have passwords"), "{stdout}");
}

#[test]
fn production_asks_for_more() {
    let bare = Sandbox::with(
        "pipelines: { one: { schedule: '@daily', command: 'true' }, two: { command: 'true', owner: me } }",
    );
    bare.run("doctor").expect(0);
    let asked = bare.run("doctor --production").expect(1).stdout;
    for line in [
        "no `owner`: `one`\n",
        "no `runbook`: `one`, `two`\n",
        "no `timeout`: `one`, `two`\n",
        "no `retry`: `one`, `two`\n",
    ] {
        assert!(asked.contains(line), "{line}: {asked}");
    }
    let good = Sandbox::with(GOOD).run("doctor --production").expect(0).stdout;
    assert!(good.contains("every pipeline has `runbook`"), "{good}");
}
