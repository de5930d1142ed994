//! What surrounds the body of a run: hooks before and after it, and what it tells of itself.

use serde_json::{Value, json};

use super::sandbox::Sandbox;

/// The newest attempt of the pipeline `p`.
fn newest(sandbox: &Sandbox) -> Value {
    sandbox.run("history p -n 1 -o json").expect(0).json()[0].clone()
}

/// Runs `p` of these keys; returns its newest attempt.
#[track_caller]
fn ran(sandbox: &Sandbox, keys: &str, exit: i32) -> Value {
    sandbox.write("tickward.yaml", &format!("pipelines:\n  p:\n{keys}"));
    sandbox.run("run p").expect(exit);
    newest(sandbox)
}

#[test]
fn results_are_kept_and_make_an_outcome_worse_but_never_better() {
    let sandbox = Sandbox::new();
    let indented = r#"printf '{\n  "status": "partial",\n  "rows_written": 3\n}\nDone'"#;
    let to_file = |text: &str| format!("printf '%s' '{text}' > $TICKWARD_RESULT_FILE");
    for (line, exit, outcome, error, results) in [
        (r#"echo '{"rows": 3, "status": "ok"}'"#.into(), 0, "succeeded", "", json!({"rows": 3, "status": "ok"})),
        (
            indented.into(),
            0,
            "partial",
            "its results say that it was done in part",
            json!({"status": "partial", "rows_written": 3}),
        ),
        (
            r#"echo '{"status": "FAILED"}'"#.into(),
            1,
            "failed",
            "its results say that it failed",
            json!({"status": "FAILED"}),
        ),
        (r#"echo '{"status": "ok"}'; exit 3"#.into(), 1, "failed", "exit code 3", json!({"status": "ok"})),
        (r#"echo '{"status": "ok"}'; exit 2"#.into(), 0, "partial", "", json!({"status": "ok"})),
        (
            r#"echo '{"status": "failed"}'; exit 2"#.into(),
            1,
            "failed",
            "its results say that it failed",
            json!({"status": "failed"}),
        ),
        (to_file(r#"{"n": 1}"#) + "; echo '{\"n\": 2}'", 0, "succeeded", "", json!({"n": 1})),
        (to_file("[]"), 0, "succeeded", "the file of TICKWARD_RESULT_FILE holds no JSON object", Value::Null),
        ("ln -s /etc/hostname $TICKWARD_RESULT_FILE".into(), 0, "succeeded", "", Value::Null),
        ("echo nothing".into(), 0, "succeeded", "", Value::Null),
    ] {
        sandbox.write("body", &line);
        let keys = "    command: [sh, body]\n    results: json\n    exit_codes: quicketl\n";
        let attempt = ran(&sandbox, keys, exit);
        let told = (attempt["state"].as_str().unwrap(), attempt["error"].as_str().unwrap_or(""), &attempt["results"]);
        assert_eq!(told, (outcome, error, &results), "{line}");
    }
    let left: Vec<_> = std::fs::read_dir(sandbox.work()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("result")), "{left:?}");
}

#[test]
fn new_rejects_make_a_success_partial_and_old_or_empty_ones_do_not() {
    let sandbox = Sandbox::new();
    let keys =
        |line: &str| format!("    command: \"{line}\"\n    cwd: WORK\n    results: {{ dlq: 'out/*_errors.csv' }}\n");
    let keys = |line: &str| keys(line).replace("WORK", &sandbox.work().display().to_string());
    let attempt = ran(&sandbox, &keys("mkdir out; : > out/empty_errors.csv; echo 1 > out/a_errors.txt"), 0);
    assert_eq!((&attempt["state"], &attempt["results"]), (&json!("succeeded"), &Value::Null));
    let attempt = ran(&sandbox, &keys("printf 'id,why\\\\n1,\\\\033[31mred\\\\n' > out/a_errors.csv; sleep 0.1"), 0);
    assert_eq!(attempt["state"], "partial");
    let expected = r"1 file of rejects, 18 bytes; `a_errors.csv` begins: id,why | 1,\u{1b}[31mred";
    assert_eq!(attempt["error"], expected);
    assert_eq!(attempt["results"], json!({ "dlq_files": 1, "dlq_bytes": 18 }));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let attempt = ran(&sandbox, &keys("true"), 0);
    assert_eq!((&attempt["state"], &attempt["error"]), (&json!("succeeded"), &Value::Null), "it was there before");
    let attempt = ran(&sandbox, &keys("echo 2 >> out/a_errors.csv; exit 1"), 1);
    assert_eq!(attempt["state"], "failed");
    assert!(attempt["error"].as_str().unwrap().starts_with("exit code 1; 1 file of rejects"), "{attempt}");
}

#[test]
fn figures_of_new_files_of_a_spool_are_kept() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.work().join("spool")).unwrap();
    sandbox.write("spool/old.json", "{\"records_total\": 1, \"old\": 1}");
    std::thread::sleep(std::time::Duration::from_millis(50));
    let keys = format!(
        "    command: [sh, -c, 'echo \"$1\" > spool/new.json', x, '{{\"records_total\": 7, \"error\": \"x\", \"schema_version\": 3}}']\n    results: {{ spool: {}/spool/*.json }}\n",
        sandbox.work().display()
    );
    let attempt = ran(&sandbox, &keys, 0);
    assert_eq!(attempt["results"], json!({ "records_total": 7, "schema_version": 3 }), "{attempt}");
}

#[test]
fn hooks_run_in_order_with_what_they_need_to_know() {
    let sandbox = Sandbox::new();
    let hooks = "    hooks:
      before: echo before $WHO ${TICKWARD_OUTCOME-none} >> ledger
      on_success: echo success $TICKWARD_OUTCOME $TICKWARD_EXIT_CODE >> ledger
      on_failure: [sh, -c, 'echo failure $1 $TICKWARD_OUTCOME $TICKWARD_EXIT_CODE >> ledger', x, '{{ attempt }}']
      after: { command: 'echo after $TICKWARD_OUTCOME $((TICKWARD_DURATION_MS < 60000)) >> ledger; cat $TICKWARD_LOG_FILE >> ledger', timeout: 5s }
    env: { WHO: me }
";
    for (command, exit, expected) in [
        ("echo body | tee -a ledger", 0, "before me none\nbody\nsuccess succeeded 0\nafter succeeded 1\nbody\n"),
        ("echo no; exit 2", 0, "before me none\nsuccess partial 2\nafter partial 1\nno\n"),
        ("echo no; exit 3", 1, "before me none\nfailure 1 failed 3\nafter failed 1\nno\n"),
        ("echo no; kill -9 $$", 1, "before me none\nfailure 1 failed\nafter failed 1\nno\n"),
    ] {
        sandbox.write("ledger", "");
        let attempt = ran(&sandbox, &format!("    command: '{command}'\n    exit_codes: clinker\n{hooks}"), exit);
        assert_eq!(sandbox.read("ledger"), expected, "{command}: {attempt}");
    }
}

/// Both the file that a command's output is in and the one that tickward logs to have this name.
#[test]
fn what_a_hook_runs_of_tickward_does_not_log_into_the_output() {
    let program = env!("CARGO_BIN_EXE_tickward");
    let hook = format!("TICKWARD_LOG=info {program} run due --no-run-log 2> hook.log");
    let sandbox = Sandbox::with(&format!(
        "pipelines:\n  p:\n    command: echo body\n    hooks: {{ on_success: '{hook}' }}\n  due: {{ schedule: '* * * * *', command: 'true' }}\n"
    ));
    sandbox.run("run p").expect(0);
    assert_eq!(sandbox.run("logs p").expect(0).stdout, "body\n");
    assert!(sandbox.read("hook.log").contains("INFO"), "it logs where it does elsewhere");
}

#[test]
fn a_hook_that_fails_is_told_and_only_the_one_before_matters() {
    let sandbox = Sandbox::new();
    let attempt = ran(
        &sandbox,
        "    command: touch ran\n    hooks: { before: 'echo a; echo no room; exit 5', after: touch after }\n",
        1,
    );
    assert_eq!(attempt["state"], "failed");
    assert_eq!(attempt["error"], "the `before` hook failed: exit code 5: no room");
    assert!(!sandbox.work().join("ran").exists() && !sandbox.work().join("after").exists());
    let attempt = ran(
        &sandbox,
        "    command: 'true'\n    hooks: { on_success: { command: sleep 60, timeout: 100ms }, after: [no-such-program] }\n",
        0,
    );
    assert_eq!(attempt["state"], "succeeded");
    let error = attempt["error"].as_str().unwrap();
    let expected =
        "the `on_success` hook took too long; the `after` hook could not be started: `no-such-program` was not found";
    assert!(error.starts_with(expected), "{error}");
    let attempt = ran(&sandbox, "    command: touch ran\n    hooks: { before: [no-such-program] }\n", 1);
    assert!(attempt["error"].as_str().unwrap().starts_with("the `before` hook could not be started"), "{attempt}");
    assert!(!sandbox.work().join("ran").exists());
}

#[test]
fn a_tick_that_is_told_to_stop_in_a_hook_ends_it_and_records_the_attempt() {
    use nix::sys::signal::Signal;
    for (hooks, outcome) in
        [("before: 'touch here; exec sleep 60'", "interrupted"), ("after: 'touch here; exec sleep 60'", "succeeded")]
    {
        let sandbox = Sandbox::with(&format!(
            "pipelines: {{ p: {{ command: touch ran, kill_grace: 1s, hooks: {{ {hooks} }} }} }}"
        ));
        let mut tick = sandbox.start("run p");
        sandbox.wait("the hook", || sandbox.work().join("here").exists());
        super::sandbox::signal(&tick, Signal::SIGTERM);
        tick.wait().unwrap();
        sandbox.assert_nothing_left();
        assert_eq!(newest(&sandbox)["state"], outcome, "{}", newest(&sandbox));
        assert_eq!(sandbox.work().join("ran").exists(), outcome == "succeeded", "{hooks}");
    }
}

#[test]
fn the_environment_is_chosen_by_flag_or_variable() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "tickward.yaml",
        "env_files: [\".env.${TICKWARD_ENV:-dev}\"]
environments: { production: { pipelines: { p: { env: { WHERE: 'there {{ env }}' } } } } }
pipelines: { p: { command: 'echo $WHERE $DB ${TICKWARD_ENV-no}', env: { WHERE: here } } }
",
    );
    sandbox.write(".env.dev", "DB=one");
    sandbox.write(".env.production", "DB=hunter2");
    for (line, variables, printed) in [
        ("run p", &[][..], "here one no\n"),
        ("run p --env production", &[], "there production hunter2 no\n"),
        ("run p", &[("TICKWARD_ENV", "production")], "there production hunter2 no\n"),
    ] {
        sandbox.call_with(&line.split(' ').collect::<Vec<_>>(), variables).expect(0);
        assert_eq!(sandbox.run("logs p").stdout, printed, "{line}");
    }
    for command in ["list", "validate"] {
        sandbox.run(&format!("{command} --env production")).expect(0);
        let refused = sandbox.run(&format!("{command} --env prod")).expect(2);
        assert!(refused.stderr.contains("error: there is no environment `prod`\n"), "{}", refused.stderr);
        assert!(refused.stderr.contains("help: use one of: production\n"), "{}", refused.stderr);
    }
}
