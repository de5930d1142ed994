//! What a body sees: variables, arguments, input, folder, user.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::sandbox::Sandbox;

const NOW: &str = "2026-03-02T02:30:05Z";

/// The environment that `env > seen` has written, without what the shell adds.
fn seen(sandbox: &Sandbox) -> Vec<(String, String)> {
    let text = sandbox.read("seen");
    let all = text.lines().filter_map(|line| line.split_once('='));
    let kept = all.filter(|(name, _)| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    let mut all: Vec<_> = kept.map(|(name, value)| (name.to_string(), value.to_string())).collect();
    all.sort();
    all
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    seen(sandbox).into_iter().map(|(name, _)| name).collect()
}

const OURS: [&str; 11] = [
    "TICKWARD_ATTEMPT",
    "TICKWARD_BATCH_ID",
    "TICKWARD_BODY",
    "TICKWARD_DEADLINE",
    "TICKWARD_DEGRADED",
    "TICKWARD_FENCE",
    "TICKWARD_MAX_ATTEMPTS",
    "TICKWARD_PIPELINE",
    "TICKWARD_RUN_ID",
    "TICKWARD_SCHEDULED_FOR",
    "TICKWARD_TRIGGER",
];

#[test]
fn a_body_gets_the_documented_variables_and_none_of_our_settings() {
    let sandbox = Sandbox::with(
        "run_log: sqlite:runs.db
pipelines:
  one: { schedule: '*/30 * * * *', timeout: 1h, retry: { max_attempts: 3 }, command: 'env > seen' }",
    );
    let ours = [
        ("TICKWARD_RUN_LOG_URL", "sqlite:elsewhere.db"),
        ("TICKWARD_ALERTERS", "stdout://"),
        ("TICKWARD_METRICS", "null://"),
        ("TICKWARD_HTTP_TOKEN_FILE", "x"),
        ("TICKWARD_ENV", "prod"),
        ("TICKWARD_LOG", "error"),
        ("EMATIX_FLOW_RUN_LOG_URL", "x"),
        ("EMATIX_FLOW_METRICS", "x"),
        ("HARMLESS", "yes"),
    ];
    sandbox.call_with(&["run-due", "--now", NOW], &ours).expect(0);
    let mut expected = OURS.map(String::from).to_vec();
    expected.extend(["HARMLESS", "HOME", "LEDGER", "PATH", "SANDBOX", "TMPDIR", "XDG_STATE_HOME"].map(String::from));
    expected.sort();
    assert_eq!(names(&sandbox), expected);
    let seen = seen(&sandbox);
    let value = |name: &str| seen.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap();
    for (name, expected) in [
        ("TICKWARD_PIPELINE", "one"),
        ("TICKWARD_RUN_ID", "one@20260302T023000Z"),
        ("TICKWARD_BATCH_ID", "one-20260302T023000Z"),
        ("TICKWARD_SCHEDULED_FOR", "2026-03-02T02:30:00Z"),
        ("TICKWARD_ATTEMPT", "1"),
        ("TICKWARD_MAX_ATTEMPTS", "3"),
        ("TICKWARD_TRIGGER", "schedule"),
        ("TICKWARD_FENCE", "1"),
        ("TICKWARD_DEGRADED", "0"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(value("TICKWARD_DEADLINE").starts_with("2026-03-02T03:30:0"), "{}", value("TICKWARD_DEADLINE"));
}

#[test]
fn what_is_inherited_can_be_narrowed() {
    for (rule, inherited) in [("false", &[][..]), ("[HOME, TICKWARD_ENV, ABSENT]", &["HOME"][..])] {
        let sandbox = Sandbox::with(&format!(
            "pipelines: {{ one: {{ schedule: '* * * * *', inherit_env: {rule}, env: {{ MINE: 1 }}, command: [/usr/bin/env, -u, X, sh, -c, 'env > seen'] }} }}",
        ));
        sandbox.call_with(&["run-due", "--now", NOW], &[("TICKWARD_ENV", "prod")]).expect(0);
        let mut expected: Vec<_> = OURS.iter().chain(inherited).chain(&["MINE"]).map(|name| name.to_string()).collect();
        expected.sort();
        assert_eq!(names(&sandbox), expected, "{rule}");
    }
}

#[test]
fn templates_are_filled_into_arguments_and_variables_with_the_date_of_the_pipelines_zone() {
    let sandbox = Sandbox::with(
        r#"pipelines:
  one:
    schedule: "*/30 * * * *"
    timezone: America/New_York
    env: { DATE: "{{ scheduled_date }}" }
    command:
      - sh
      - -c
      - 'printf "%s\n" "$DATE" "$@" > seen'
      - sh
      - "{{ scheduled_date }} {{ scheduled_for }}"
      - "{{ pipeline }}{{ attempt_suffix }}|{{ attempt }}|{{ trigger }}|{{ env }}|{{ fence }}"
      - "{{ run_id }} {{ batch_id }} {{ previous_scheduled_for }}"
      - "; touch injected""#,
    );
    sandbox.call_with(&["run-due", "--now", NOW], &[("TICKWARD_ENV", "a b; $(id)")]).expect(0);
    assert_eq!(
        sandbox.read("seen"),
        "2026-03-01
2026-03-01 2026-03-01T21:30:00-05:00
one|1|schedule|a b; $(id)|1
one@20260302T023000Z one-20260302T023000Z 2026-03-01T21:00:00-05:00
; touch injected
"
    );
    assert!(!sandbox.path("injected").exists());
}

#[test]
fn the_second_attempt_says_so_in_its_suffix() {
    let sandbox = Sandbox::with(
        r#"pipelines:
  one:
    schedule: "* * * * *"
    retry: { max_attempts: 2, delay: 0s }
    command: [sh, -c, 'echo "$0" >> seen; exit 1', "daily-{{ scheduled_date }}{{ attempt_suffix }}"]"#,
    );
    sandbox.tick(NOW);
    assert_eq!(sandbox.read("seen"), "daily-2026-03-02\ndaily-2026-03-02-retry-1\n");
}

#[test]
fn a_shell_line_is_run_as_it_stands() {
    let sandbox = Sandbox::with(
        r#"pipelines:
  one: { schedule: "* * * * *", env: { X: from-env }, command: 'echo "${X:-unset} ${NOT_SET:-shell} {{ attempt }}" > seen' }"#,
    );
    sandbox.tick(NOW);
    assert_eq!(sandbox.read("seen"), "from-env shell {{ attempt }}\n");
}

#[test]
fn input_and_folder_are_those_of_the_file() {
    let sandbox = Sandbox::with(
        r#"pipelines:
  nothing: { schedule: "* * * * *", command: 'cat > a; readlink /proc/self/fd/0 >> a' }
  text: { schedule: "* * * * *", stdin: { text: "for {{ scheduled_date }}\n" }, command: 'cat > b' }
  file: { schedule: "* * * * *", stdin: { file: input }, cwd: inner, command: 'cat > c; pwd -P >> c' }"#,
    );
    std::fs::create_dir(sandbox.path("inner")).unwrap();
    sandbox.write("inner/input", "from the file\n");
    let report = sandbox.tick(NOW);
    assert_eq!(report["rc"], 0, "{report}");
    assert_eq!(sandbox.read("a"), "/dev/null\n");
    assert_eq!(sandbox.read("b"), "for 2026-03-02\n");
    let inner = sandbox.path("inner").canonicalize().unwrap();
    assert_eq!(sandbox.read("inner/c"), format!("from the file\n{}\n", inner.display()));
}

#[test]
fn root_may_run_a_body_as_somebody_else() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root may switch users");
        return;
    }
    let sandbox = Sandbox::with(
        "pipelines:
  user: { schedule: '* * * * *', user: nobody, cwd: /, command: 'id -un; id -gn; echo $HOME' }
  group: { schedule: '* * * * *', group: daemon, command: 'id -un; id -gn' }
  unknown: { schedule: '* * * * *', user: no-such-user, command: 'id -un' }",
    );
    let report = sandbox.tick(NOW);
    assert_eq!(report["failed"][0]["pipeline"], "unknown", "{report}");
    assert_eq!(report["failed"].as_array().unwrap().len(), 1, "{report}");
    let printed = sandbox.run("logs user").expect(0).stdout;
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[..2], ["nobody", "nogroup"], "{printed}");
    assert_eq!(sandbox.run("logs group").expect(0).stdout, "root\ndaemon\n");
}

#[test]
fn files_are_for_their_owner_only() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '* * * * *', command: 'echo hello' } }");
    sandbox.tick(NOW);
    let mut folders = vec![sandbox.state()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}: {mode:o}", folder.display());
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let data = entry.metadata().unwrap();
            if data.is_dir() {
                folders.push(entry.path());
            } else {
                let mode = data.permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}: {mode:o}", entry.path().display());
                files += 1;
            }
        }
    }
    assert!(files >= 2, "the run-log and the output");
}
