//! What people write for the run-log, and which of several places wins.

use super::sandbox::{Sandbox, each};

const CONFIG: &str = "pipelines: { one: { schedule: '* * * * *', command: ENTER } }";

#[test]
fn every_documented_form_names_the_file_it_should() {
    let sandbox = Sandbox::with(CONFIG);
    let work = sandbox.work().display().to_string();
    for (address, file) in [
        (format!("sqlite://{work}/a.db"), "a.db"),
        ("sqlite:b.db".into(), "b.db"),
        ("c.db".into(), "c.db"),
        (format!("{work}/d/d.db"), "d/d.db"),
        ("sqlite:e.db?network_fs=allow".into(), "e.db"),
    ] {
        sandbox.call(&["run-due", "--run-log-url", &address, "--interval", "0"]).expect(0);
        assert!(sandbox.path(file).is_file(), "{address}");
    }
    assert!(!sandbox.state().join("run_log.db").exists());
    sandbox.call(&["run-due", "--interval", "0"]).expect(0);
    assert!(sandbox.state().join("run_log.db").is_file(), "the default is in the state folder");
}

#[test]
fn without_a_run_log_each_tick_fires_what_fell_due_within_the_interval() {
    for how in [&["--no-run-log"][..], &["--run-log-url", "memory://"], &["--run-log-url", ""]] {
        let sandbox =
            Sandbox::with("run_log: sqlite:file.db\npipelines: { one: { schedule: '0 2 * * *', command: ENTER } }");
        let tick = |now: &str| {
            let done = sandbox.call(&[&["run-due", "-o", "json", "--now", now][..], how].concat()).expect(0);
            assert_eq!(done.stderr, "", "this is the silent, intended form: {how:?}");
            each(&done.json()["ran"], "run_id").len()
        };
        assert_eq!(tick("2026-03-02T01:59:59Z"), 0, "{how:?}");
        assert_eq!(tick("2026-03-02T02:00:00Z"), 1, "{how:?}");
        assert_eq!(tick("2026-03-02T02:00:59Z"), 1, "{how:?}");
        assert_eq!(tick("2026-03-02T02:01:00Z"), 0, "{how:?}");
        assert!(!sandbox.state().join("run_log.db").exists() && !sandbox.path("file.db").exists(), "{how:?}");
    }
}

#[test]
fn flag_beats_environment_beats_file() {
    let sandbox = Sandbox::with(&format!("run_log: sqlite:file.db\n{CONFIG}"));
    let ours = ("TICKWARD_RUN_LOG_URL", "sqlite:ours.db");
    let alias = ("EMATIX_FLOW_RUN_LOG_URL", "sqlite:alias.db");
    let notice = "notice: EMATIX_FLOW_RUN_LOG_URL is used because TICKWARD_RUN_LOG_URL is not set\n";
    let all = ["flag.db", "ours.db", "alias.db", "file.db", "filled.db", "default.db"];
    for (flag, variables, file, said) in [
        (&["--run-log-url", "flag.db"][..], &[ours, alias][..], "flag.db", ""),
        (&[], &[ours, alias], "ours.db", ""),
        (&[], &[alias], "alias.db", notice),
        (&[], &[], "file.db", ""),
        (&[], &[("TICKWARD_RUN_LOG_URL", "")], "none", ""),
        (&["--no-run-log"], &[ours, alias], "none", ""),
        (&["--run-log-url", "${NAME}.db"], &[ours, ("NAME", "filled")], "filled.db", ""),
        (&[], &[("TICKWARD_RUN_LOG_URL", "sqlite:${NAME:-default}.db")], "default.db", ""),
    ] {
        let arguments = [&["run-due", "--interval", "0"][..], flag].concat();
        let done = sandbox.call_with(&arguments, variables).expect(0);
        assert_eq!(done.stderr, said, "{flag:?} {variables:?}");
        for name in all {
            let made = std::fs::remove_file(sandbox.path(name)).is_ok();
            assert_eq!(made, name == file, "{flag:?} {variables:?}: {name}");
        }
    }
}

#[test]
fn a_variable_that_is_not_set_makes_no_file_of_its_name() {
    let sandbox = Sandbox::with(CONFIG);
    let done = sandbox.call(&["run-due", "--run-log-url", "${NAME}"]).expect(2);
    let help = "help: set it, or give a default: `${NAME:-default}`\n";
    let message = "error: the run-log's address names a variable that is not set, or not as `${NAME}`\n";
    assert_eq!(done.stderr, format!("{message}{help}"));
    assert!(!sandbox.path("${NAME}").exists());
    for flag in ["--alerter", "--metrics"] {
        let done = sandbox.call(&["run-due", "--interval", "0", flag, "stdout://${NAME}"]).expect(3);
        let message = format!("error: `{flag}`: the variable `NAME` is not set\n");
        assert_eq!(done.stderr, message + help);
    }
    let called = ["run-due", "--interval", "0", "--alerter", "${NAME}"];
    sandbox.call_with(&called, &[("NAME", "stdout://")]).expect(0);
}

/// What a tick would refuse, `validate` tells before there is one.
#[test]
fn an_address_that_is_no_good_is_told_where_a_file_has_it() {
    let built = [("postgres", cfg!(feature = "postgres")), ("mysql", cfg!(feature = "mysql"))];
    let built: String = built.iter().filter(|(_, is)| *is).map(|(name, _)| format!(", {name}")).collect();
    let mut rows = vec![
        (
            "ftp://u:hunter2@h/x",
            "ftp://u:***@h/x",
            "run-log: unknown scheme `ftp`",
            format!("use one of: memory, sqlite{built}"),
        ),
        (
            "sqlite://",
            "sqlite://",
            "an SQLite address has no host: two slashes are one too few or two too many",
            "write sqlite:///absolute/path or sqlite:relative/path".into(),
        ),
        (
            "sqlite:a.db?x=y",
            "sqlite:a.db?x=y",
            "the run-log's address has a parameter `x` that SQLite does not take so",
            "known is: network_fs=allow".into(),
        ),
    ];
    if cfg!(not(any(feature = "postgres", feature = "mysql"))) {
        let help = "build with `--features postgres`, or use one of: memory, sqlite";
        let message = "run-log: this build has no `postgres` support";
        rows.push(("postgres://u:hunter2@h/d", "postgres://u:***@h/d", message, help.into()));
    }
    #[cfg(feature = "postgres")]
    rows.push((
        "postgres://u:hunter2@h/d?connect_timeout=x",
        "postgres://u:***@h/d?connect_timeout=x",
        "the run-log's address: `connect_timeout` takes whole seconds from 1 to 600",
        String::new(),
    ));
    #[cfg(feature = "mysql")]
    rows.push((
        "mysql://u:hunter2@h/",
        "mysql://u:***@h/",
        "the run-log's address names no database",
        "write mysql://user:password@host:3306/database".into(),
    ));
    for (url, shown, message, help) in rows {
        let sandbox = Sandbox::with(&format!("run_log: {url}\n{CONFIG}"));
        let place = format!("tickward.yaml:1:10\n   |\n 1 | run_log: {shown}\n   |          ^");
        let advice = if help.is_empty() { String::new() } else { format!("help: {help}\n") };
        let told = format!("error: {message}\n  --> {place}\n{advice}");
        let done = sandbox.call(&["validate"]).expect(2);
        assert_eq!(done.stderr, told, "{url}");
        assert!(done.stdout.ends_with("1 valid, 0 broken; 1 errors, 0 warnings\n"), "{done:?}");
        let json = sandbox.call(&["validate", "-o", "json"]).expect(2).json();
        let problem = &json["problems"][0];
        assert_eq!((&json["rc"], &problem["line"], &problem["column"]), (&2.into(), &1.into(), &10.into()), "{json}");
        assert_eq!(
            (problem["message"].as_str(), problem["help"].as_str().unwrap_or_default()),
            (Some(message), &*help)
        );
        assert!(!sandbox.state().exists() && std::fs::read_dir(sandbox.work()).unwrap().count() == 1, "{url}");
        for command in ["run-due", "run-due --dry-run", "run one", "status", "history", "pause one", "run-log check"] {
            let words: Vec<&str> = command.split(' ').collect();
            assert_eq!(sandbox.call(&words).expect(2).stderr, told, "{url} {command}");
        }
        sandbox.call_with(&["validate"], &[("TICKWARD_RUN_LOG_URL", "other.db")]).expect(0);
        sandbox.call(&["run-due", "--interval", "0", "--run-log-url", "other.db"]).expect(0);
    }
    let sandbox = Sandbox::with(&format!("run_log: ''\n{CONFIG}"));
    sandbox.call(&["validate"]).expect(0);
}

/// By the one that is built in all would be due again.
#[test]
fn a_run_log_that_cannot_be_read_is_replaced_by_no_other() {
    for written in ["${NAME}", "${NAME:?say where}", "[a.db]", "'sqlite:${NAME}.db'"] {
        let sandbox = Sandbox::with(&format!("run_log: {written}\n{CONFIG}"));
        for command in [&["run-due", "--interval", "86400"][..], &["run", "one"], &["status"]] {
            let done = sandbox.call(command).expect(2);
            let is_placed = done.stderr.contains("tickward.yaml:1:");
            assert!(is_placed || command == ["status"], "{written} {command:?}: {}", done.stderr);
            assert!(done.stderr.contains("the run-log is not known"), "{written} {command:?}: {}", done.stderr);
        }
        sandbox.call(&["validate"]).expect(2);
        assert!(!sandbox.state().join("run_log.db").exists(), "{written}");
        sandbox.call_with(&["validate"], &[("TICKWARD_RUN_LOG_URL", "other.db")]).expect(3);
        sandbox.call(&["run-due", "--interval", "0", "--run-log-url", "other.db"]).expect(3);
    }
}

/// A file that names the run-log of all and cannot be read: by the one that is built in, the others would part from it.
#[test]
fn a_broken_file_that_may_name_the_run_log_leaves_the_others_without_one() {
    let named = "run_log: sqlite:all.db\n";
    let broken = [
        ("a syntax error", format!("{named}x: [").into_bytes()),
        ("no text", [named.as_bytes(), b"# \xff\n"].concat()),
        ("in a mapping of its own", b"{ 'run_log' : \"sqlite:all.db\", x: ".to_vec()),
        ("no such environment", b"environments: { prod: { run_log: sqlite:all.db } }\n".to_vec()),
        ("being written", Vec::new()),
    ];
    for (what, bytes) in broken {
        let sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path("conf")).unwrap();
        sandbox.write("conf/b.yaml", CONFIG);
        std::fs::write(sandbox.path("conf/a.yaml"), bytes).unwrap();
        let call = |arguments: &[&str]| sandbox.call_with(arguments, &[("TICKWARD_ENV", "staging")]);
        let done = call(&["run-due", "-c", "conf", "--interval", "86400"]).expect(2);
        assert!(done.stderr.contains("conf/a.yaml"), "{what}: {done:?}");
        assert!(done.stderr.contains("the run-log is not known"), "{what}: {done:?}");
        assert!(
            done.stderr.contains("help: mend what `tickward validate` shows, or name it: `--run-log-url"),
            "{what}: {done:?}"
        );
        assert!(!sandbox.state().join("run_log.db").exists(), "{what}");
        call(&["pause", "one", "-c", "conf"]).expect(2);
        call(&["run-due", "-c", "conf", "--interval", "0", "--run-log-url", "all.db"]).expect(3);
        sandbox.write("conf/c.yaml", "run_log: sqlite:all.db\npipelines: {}\n");
        call(&["run-due", "-c", "conf", "--interval", "0"]).expect(3);
    }
    let sandbox = Sandbox::with(CONFIG);
    std::fs::create_dir(sandbox.path("conf")).unwrap();
    std::fs::rename(sandbox.path("tickward.yaml"), sandbox.path("conf/b.yaml")).unwrap();
    std::os::unix::fs::symlink("gone.yaml", sandbox.path("conf/a.yaml")).unwrap();
    let done = sandbox.call(&["run-due", "-c", "conf"]).expect(2);
    assert!(done.stderr.contains("conf/a.yaml") && done.stderr.contains("the run-log is not known"), "{done:?}");
    let sandbox = Sandbox::with(CONFIG);
    sandbox.call(&["run-due", "-c", "tickward.yaml", "-c", "none.yaml"]).expect(2);
    sandbox.write("bad.yaml", "# run_log: in a remark\nx: [");
    sandbox.call(&["run-due", "-c", "tickward.yaml", "-c", "bad.yaml", "--interval", "0"]).expect(3);
    assert!(
        sandbox.state().join("run_log.db").exists(),
        "what names no run-log keeps nobody from the one that is built in"
    );
}

#[test]
fn an_unknown_scheme_or_parameter_is_answered_with_the_known_ones() {
    let sandbox = Sandbox::with(CONFIG);
    let built = [("postgres", cfg!(feature = "postgres")), ("mysql", cfg!(feature = "mysql"))];
    let built: Vec<_> = built.iter().filter(|(_, is_built)| *is_built).map(|(name, _)| format!(", {name}")).collect();
    let known = format!("use one of: memory, sqlite{}\n", built.concat());
    let unknown = format!("error: run-log: unknown scheme `nonsense`\nhelp: {known}");
    let not_built = format!("error: run-log: this build has no `s3` support\nhelp: {known}");
    let mut rows: Vec<(&str, &str)> = vec![
        ("nonsense://x", &unknown),
        ("s3://bucket/prefix", &not_built),
        (
            "sqlite:x.db?mode=ro",
            "error: the run-log's address has a parameter `mode` that SQLite does not take so\n\
             help: known is: network_fs=allow\n",
        ),
        (
            "sqlite://x.db",
            "error: an SQLite address has no host: two slashes are one too few or two too many\n\
             help: write sqlite:///absolute/path or sqlite:relative/path\n",
        ),
    ];
    let server = "error: run-log: this build has no `mariadb` support\n\
                  help: build with `--features mysql`, or use one of: memory, sqlite\n";
    if cfg!(not(any(feature = "postgres", feature = "mysql"))) {
        rows.push(("mariadb://u:p@h/d", server));
    }
    #[cfg(feature = "postgres")]
    rows.push((
        "postgres://u:p@h/d?sslmod=require",
        "error: the run-log's address has a parameter `sslmod` that is not known\n\
         help: known are: application_name, connect_timeout, create_tables, dbname, host, hostaddr, options, password, \
         port, schema, sslcert, sslkey, sslmode, sslrootcert, user\n",
    ));
    #[cfg(feature = "mysql")]
    rows.push((
        "mysql://u:p@h/",
        "error: the run-log's address names no database\nhelp: write mysql://user:password@host:3306/database\n",
    ));
    for (address, message) in rows {
        let done = sandbox.call(&["run-due", "--run-log-url", address]).expect(2);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", message), "{address}");
    }
}

#[test]
fn the_configuration_comes_from_flags_variables_input_or_the_usual_places() {
    let pipeline = |name: &str| format!("pipelines: {{ {name}: {{ schedule: '@daily', command: x }} }}");
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("folder/b.yml", &pipeline("b"));
    sandbox.write("folder/a.yaml", &pipeline("a"));
    sandbox.write("folder/ignored.txt", "::: not yaml");
    sandbox.write("one.yaml", &pipeline("one"));
    let names = |arguments: &[&str], variables: &[(&str, &str)]| {
        let done = sandbox.call_with(&[&["list", "-o", "json"], arguments].concat(), variables).expect(0);
        each(&done.json(), "pipeline").join(" ")
    };
    assert_eq!(names(&["-c", "folder"], &[]), "a b");
    assert_eq!(names(&["-c", "one.yaml", "-c", "folder"], &[]), "one a b");
    assert_eq!(names(&[], &[("TICKWARD_CONFIG", "one.yaml")]), "one");
    assert_eq!(names(&[], &[("TICKWARD_CONFIG_YAML", &pipeline("inline"))]), "inline");
    assert_eq!(names(&["-c", "one.yaml"], &[("TICKWARD_CONFIG_YAML", &pipeline("inline"))]), "one");
    let shell = format!("'{}' list -o json -c - < one.yaml", env!("CARGO_BIN_EXE_tickward"));
    let mut command = std::process::Command::new("/bin/sh");
    sandbox.dress(&mut command);
    let done = super::sandbox::Done::of(command.args(["-c", &shell]).output().unwrap()).expect(0);
    assert_eq!(each(&done.json(), "pipeline"), ["one"]);
}

/// As a tick would say, not that it will be made.
#[test]
fn who_looks_at_a_run_log_hears_what_this_build_lacks() {
    if cfg!(feature = "duckdb") {
        return;
    }
    let sandbox = Sandbox::with(CONFIG);
    let lacks = "run-log: this build has no `duckdb` support";
    for command in ["run-log check", "run-log ddl", "status", "doctor", "run-log migrate"] {
        let words: Vec<&str> = command.split(' ').collect();
        let done = sandbox.call_with(&words, &[("TICKWARD_RUN_LOG_URL", "duckdb:x.duckdb")]);
        assert!(
            done.stderr.contains(lacks) || done.stdout.contains(&format!("wrong  run-log        {lacks}")),
            "{done:?}"
        );
        assert!(done.code != 0, "{done:?}");
    }
}
