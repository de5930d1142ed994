//! validate, schema, init, version, completions.

use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::json;

use super::sandbox::{Done, Sandbox, each, keys};

#[test]
fn validate_shows_every_mistake_with_its_place() {
    let sandbox = Sandbox::with(
        "pipelines:
  one: { schedule: '* * * * 8', command: x }
  two: { schedule: '@daily', command: x, retries: 3 }
  three: { schedule: '@daily', command: x }
",
    );
    let done = sandbox.run("validate").expect(3);
    assert_eq!(done.stdout, "tickward.yaml: 1 valid, 2 broken; 2 errors, 0 warnings\n");
    assert_eq!(
        done.stderr,
        "error: pipeline `one`: day of week `8` is out of range
  --> tickward.yaml:2:29
   |
 2 |   one: { schedule: '* * * * 8', command: x }
   |                             ^
help: use 0 to 7, or a name from sun to sat
error: pipeline `two`: unknown key `retries`
  --> tickward.yaml:3:42
   |
 3 |   two: { schedule: '@daily', command: x, retries: 3 }
   |                                          ^
help: did you mean `retry`?
"
    );
    let json = sandbox.run("validate -o json").expect(3).json();
    assert_eq!(keys(&json), ["pipelines", "broken", "problems", "rc"]);
    assert_eq!((&json["broken"], &json["rc"]), (&json!(["one", "two"]), &json!(3)));
    assert_eq!(json["problems"][0]["line"], 2);
}

#[test]
fn validate_ends_with_the_code_that_a_tick_would_end_with() {
    let good = "one: { schedule: '@daily', command: x }";
    let bad = "two: { schedule: '@often', command: x }";
    for (pipelines, code) in [(good.to_string(), 0), (format!("{good}, {bad}"), 3), (bad.into(), 2)] {
        let sandbox = Sandbox::with(&format!("pipelines: {{ {pipelines} }}"));
        sandbox.run("validate").expect(code);
        sandbox.run("run-due --no-run-log --interval 0").expect(code);
    }
    let sandbox = Sandbox::with("pipelines: [");
    sandbox.run("validate").expect(2);
    sandbox.run("run-due").expect(2);
}

#[test]
fn the_schema_is_json_and_knows_the_documented_keys() {
    let schema: serde_json::Value = serde_json::from_str(&Sandbox::new().run("schema").expect(0).stdout).unwrap();
    let document = keys(&schema["properties"]);
    for key in ["version", "timezone", "namespace", "run_log", "defaults", "pipelines"] {
        assert!(document.contains(&key), "{key}: {document:?}");
    }
    let text = schema.to_string();
    for key in [
        "description",
        "owner",
        "runbook",
        "tags",
        "schedule",
        "command",
        "cwd",
        "env",
        "inherit_env",
        "stdin",
        "user",
        "group",
        "timeout",
        "kill_grace",
        "lease",
        "retry",
        "overlap",
        "catch_up",
        "exit_codes",
        "on_interrupt",
        "jitter",
        "limits",
        "max_attempts",
        "backoff",
        "delay",
        "max_delay",
    ] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
}

/// The line that `init` gives for a crontab, as cron would run it: with its `%` taken care of and next to no environment.
fn as_cron(sandbox: &Sandbox, printed: &str) -> Done {
    let line = printed.lines().find_map(|line| line.trim().strip_prefix("* * * * * ")).unwrap();
    let unescaped = line.replace(r"\%", "\u{0}");
    assert!(!unescaped.contains('%'), "an unescaped % ends a crontab line: {line}");
    let mut command = Command::new("/bin/sh");
    sandbox.dress(&mut command);
    let home = sandbox.work().parent().unwrap().join("home");
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh").current_dir("/");
    command.env("XDG_STATE_HOME", sandbox.work().join("cron-state"));
    Done::of(command.args(["-c", &unescaped.replace('\u{0}', "%")]).output().unwrap())
}

#[test]
fn what_init_writes_and_prints_works_at_once() {
    for folder in ["plain", "with a space", "100% it's"] {
        let sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path(folder)).unwrap();
        let file = format!("{folder}/tickward.yaml");
        let done = sandbox.call(&["init", &file]).expect(0);
        let path = sandbox.path(&file).canonicalize().unwrap();
        assert!(done.stdout.starts_with(&format!("Wrote {}.\n", path.display())), "{done:?}");
        let tried = done.stdout.lines().nth(3).unwrap().trim();
        let mut command = Command::new("/bin/sh");
        sandbox.dress(&mut command);
        let hello = Done::of(command.args(["-c", tried]).output().unwrap()).expect(0);
        assert!(hello.stderr.starts_with("succeeded hello@"), "{hello:?}");
        assert!(sandbox.call(&["logs", "hello", "-c", &file]).expect(0).stdout.starts_with("hello, it is "));
        let cron = as_cron(&sandbox, &done.stdout).expect(0);
        assert_eq!(cron.stdout, "", "cron mails what is printed");
        assert!(sandbox.path("cron-state/tickward/run_log.db").exists(), "{cron:?}");
    }
}

/// Where a link leads may change: `current` to the next release, the program to the next version.
#[test]
fn init_shows_paths_as_they_were_typed() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::new();
    for folder in ["release-1", "bin"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    symlink("release-1", sandbox.path("current")).unwrap();
    symlink(env!("CARGO_BIN_EXE_tickward"), sandbox.path("bin/tick")).unwrap();
    let shown = |path: &str| sandbox.path(path).display().to_string();
    let work = sandbox.work().to_owned();
    let current = sandbox.path("current");
    for (program, folder, typed, config, variable) in [
        ("bin/tick", &work, "current/a.yaml", "current/a.yaml", None),
        ("../bin/tick", &current, "b.yaml", "release-1/b.yaml", None),
        ("../bin/tick", &current, "./c.yaml", "current/c.yaml", Some(("PWD", shown("current")))),
        ("../bin/tick", &current, "d.yaml", "release-1/d.yaml", Some(("PWD", "/".into()))),
        ("tick", &work, &shown("current/e.yaml"), "current/e.yaml", Some(("PATH", shown("bin")))),
    ] {
        let mut command = Command::new(sandbox.path("bin/tick"));
        sandbox.dress(&mut command);
        command.arg0(program).args(["init", typed]).current_dir(folder).envs(variable);
        let done = Done::of(command.output().unwrap()).expect(0);
        let config = shown(config);
        assert!(done.stdout.starts_with(&format!("Wrote {config}.\n")), "{typed}: {done:?}");
        let line = done.stdout.lines().last().unwrap();
        assert!(line.ends_with(&format!("/tick run-due -c {config}")), "{typed}: {done:?}");
        assert!(!line.contains(env!("CARGO_BIN_EXE_tickward")), "{typed}: {done:?}");
    }
}

#[test]
fn init_overwrites_nothing() {
    let sandbox = Sandbox::with("mine");
    let done = sandbox.run("init").expect(2);
    let expected =
        "error: `tickward.yaml` exists already; it is left as it is\nhelp: name another file: tickward init FILE\n";
    assert_eq!((done.stderr.as_str(), sandbox.read("tickward.yaml").as_str()), (expected, "mine"));
    let nowhere = sandbox.run("init tickward.yaml/new.yaml").expect(2);
    assert!(nowhere.stderr.starts_with("error: `tickward.yaml/new.yaml` cannot be written: "), "{nowhere:?}");
    sandbox.run("init no/such/folder.yaml").expect(0);
    sandbox.run("validate -c no/such/folder.yaml").expect(0);
}

#[test]
fn the_version_names_the_zone_database() {
    let sandbox = Sandbox::new();
    let long = sandbox.run("--version").expect(0).stdout;
    assert_eq!(sandbox.run("version").expect(0).stdout, long);
    let json = sandbox.run("version -o json").expect(0).json();
    let (version, zones) = (json["version"].as_str().unwrap(), json["zone_database"].as_str().unwrap());
    assert!(zones.starts_with("20"), "{zones}");
    assert!(long.starts_with(&format!("tickward {version} (time zones {zones}; run-logs: memory, sqlite")), "{long}");
    let all = [
        ("memory", true),
        ("sqlite", true),
        ("postgres", cfg!(feature = "postgres")),
        ("mysql", cfg!(feature = "mysql")),
    ];
    let built: Vec<_> = all.iter().filter(|(_, is_built)| *is_built).map(|(name, _)| name).collect();
    assert_eq!(json["run_logs"], json!(built));
}

#[test]
fn shells_get_their_completions() {
    let sandbox = Sandbox::new();
    for (shell, word) in [("bash", "complete "), ("zsh", "#compdef tickward"), ("fish", "complete -c tickward")] {
        let script = sandbox.run(&format!("completions {shell}")).expect(0).stdout;
        assert!(script.contains(word) && script.contains("run-due"), "{shell}");
    }
    let script = sandbox.run("completions bash").stdout;
    sandbox.write("completions.bash", &script);
    let mut command = Command::new("/bin/bash");
    sandbox.dress(&mut command);
    if std::path::Path::new("/bin/bash").exists() {
        Done::of(command.args(["-n", "completions.bash"]).output().unwrap()).expect(0);
    }
}

#[test]
fn help_is_on_standard_output_and_mistakes_are_not() {
    let sandbox = Sandbox::new();
    let help = sandbox.run("--help").expect(0);
    assert!(help.stdout.contains("run-due") && help.stderr.is_empty(), "{help:?}");
    let mistake = sandbox.run("run-deu").expect(2);
    assert!(mistake.stdout.is_empty() && mistake.stderr.contains("'run-due'"), "{mistake:?}");
    assert_eq!(sandbox.run("").code, 2);
}

#[test]
fn every_json_form_is_one_value_that_parses() {
    let sandbox = Sandbox::with("pipelines: { one: { schedule: '0 0 29 2 *', command: 'true' } }");
    for command in ["run one", "run-due", "status", "history", "list", "next one", "validate", "version"] {
        sandbox.run(&format!("{command} -o json")).expect(0).json();
    }
    assert_eq!(each(&sandbox.run("history -o json").json(), "state"), ["succeeded"]);
}
