//! No secret is in any byte that is printed.

use super::sandbox::Sandbox;

const SECRET: &str = "hunter2hunter2";
const GOOD: &str = "pipelines: { one: { schedule: '* * * * *', command: ENTER } }";

/// Every way to say it: text, JSON and the most talkative log.
fn assert_silent(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) {
    let talkative = [("TICKWARD_LOG", "trace"), ("RUST_BACKTRACE", "1")];
    for log in [&[][..], &talkative, &[("TICKWARD_LOG", "trace"), ("TICKWARD_LOG_FORMAT", "json")]] {
        let done = sandbox.call_with(arguments, &[variables, log].concat());
        assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{arguments:?} {variables:?} {done:?}");
    }
}

fn urls() -> Vec<String> {
    let hosts = ["postgres", "mysql", "s3", "nonsense", "sqlite", "POSTGRES", "postgres+tls"];
    let mut urls: Vec<_> = hosts.iter().map(|scheme| format!("{scheme}://user:{SECRET}@host:5432/db")).collect();
    urls.push(format!("postgres://user:p@ss/{SECRET}@host/db"));
    urls.push(format!("postgres://host/db?password={SECRET}"));
    urls.push(format!("s3://bucket/prefix?secret_access_key={SECRET}&x=y"));
    urls.push(format!("sqlite:x.db?password={SECRET}"));
    urls.push(format!("slack://hooks.slack.com/services/T0/B0/{SECRET}"));
    urls
}

#[test]
fn an_address_with_a_password_is_never_repeated_whatever_is_wrong_with_it() {
    let sandbox = Sandbox::with(GOOD);
    for url in urls() {
        for command in ["run-due", "status", "history"] {
            assert_silent(&sandbox, &[command, "--run-log-url", &url, "-o", "json"], &[]);
        }
        assert_silent(&sandbox, &["run", "one", "--run-log-url", &url], &[]);
        assert_silent(&sandbox, &["run-due", "--dry-run", "--run-log-url", &url], &[]);
    }
}

#[test]
fn an_address_in_the_wrong_place_is_not_repeated_either() {
    let sandbox = Sandbox::with(GOOD);
    let url = format!("postgres://user:{SECRET}@host/db");
    let glued = format!("--run-log-ur={url}");
    let both = format!("--run-log-url={url}");
    for arguments in [
        &["run-due", &url][..],
        &["run-due", "-c", &url],
        &["run-due", "--only", &url],
        &["run-due", "--interval", &url],
        &["run-due", "--now", &url],
        &["run-due", "--jobs", &url],
        &["run-due", "-o", &url],
        &["run-due", &glued],
        &["run-due", &both, "--no-run-log"],
        &["run-due", "--alerter", &url],
        &["run", &url],
        &["logs", &url],
        &["history", &url],
        &["status", &url],
        &["next", &url],
        &["next", "--schedule", &url],
        &["next", "--schedule", "* * * * *", "--timezone", &url],
        &["completions", &url],
        &[&url],
    ] {
        assert_silent(&sandbox, arguments, &[]);
    }
}

#[test]
fn an_address_in_the_environment_is_not_repeated() {
    let sandbox = Sandbox::with(GOOD);
    for url in urls() {
        for name in ["TICKWARD_RUN_LOG_URL", "EMATIX_FLOW_RUN_LOG_URL", "TICKWARD_CONFIG_YAML"] {
            assert_silent(&sandbox, &["run-due"], &[(name, &url)]);
        }
    }
    for url in urls().iter().filter(|url| url.contains("://")) {
        assert_silent(&sandbox, &["run-due"], &[("TICKWARD_CONFIG", url)]);
    }
}

#[test]
fn a_file_with_a_secret_in_a_broken_line_does_not_show_it() {
    let url = format!("postgres://user:{SECRET}@host/db");
    for text in [
        format!("run_log: {url}\n{GOOD}"),
        format!("run_log: postgres://user:a?{SECRET}&rd=1@h/d\n{GOOD}"),
        format!("run_log: 'postgres://user:a/{SECRET}@h/d'\n{GOOD}"),
        format!("run_log: \"ftp://user:a b/{SECRET}@h/d\"\n{GOOD}"),
        format!("run_log:\n  mysql://user:{SECRET}@h/\n{GOOD}"),
        format!("run_log: sqlite://user:{SECRET}@h/\n{GOOD}"),
        format!("run_log: sqlite:a.db?password={SECRET}\n{GOOD}"),
        format!("run_log: [{url}]\n{GOOD}"),
        format!("run_log: \"{url}\n{GOOD}"),
        format!("run_lgo: {url}\n{GOOD}"),
        format!("  run_log: {url}\n x: : y\n{GOOD}"),
        format!("pipelines: {{ one: {{ schedule: '{url}', command: x }} }}"),
        format!("pipelines: {{ one: {{ schedule: '@daily', command: [load, '{url}', '{{{{ nonsense }}}}'] }} }}"),
        format!("pipelines: {{ one: {{ schedule: '@daily', command: x, env: {{ DB_PASSWORD: [{SECRET}] }} }} }}"),
        format!("pipelines: {{ one: {{ schedule: '61 * * * *', command: x, env: {{ TOKEN: {SECRET} }} }} }}"),
        format!("pipelines: {{ one: {{ schedule: '@daily', command: x, timeout: '{url}' }} }}"),
        format!("pipelines: {{ '{url}': {{ command: x }} }}"),
    ] {
        let sandbox = Sandbox::with(&text);
        for command in
            [&["run-due"][..], &["run-due", "-o", "json"], &["validate"], &["validate", "-o", "json"], &["list"]]
        {
            assert_silent(&sandbox, command, &[]);
        }
    }
}

#[test]
fn a_secret_from_a_variable_stays_out_of_list_history_and_logs_of_the_tick() {
    let sandbox = Sandbox::with(
        "run_log: sqlite:runs.db
pipelines:
  one: { schedule: '* * * * *', command: [sh, -c, 'exit 3', '${DB_URL}'], env: { DSN: '${DB_URL}' } }
  two: { schedule: '* * * * *', command: ['${DB_URL}'] }",
    );
    let url = format!("postgres://user:{SECRET}@host/db");
    let variables = [("DB_URL", url.as_str())];
    for command in
        ["run-due", "run one", "run two", "list", "list -o json", "status", "history", "history -o json", "validate"]
    {
        assert_silent(&sandbox, &command.split(' ').collect::<Vec<_>>(), &variables);
    }
}

#[test]
fn a_password_among_the_arguments_of_a_client_is_not_shown() {
    for command in [
        format!("'sshpass -p {SECRET} false'"),
        format!("'sudo -n sshpass -p{SECRET} false'"),
        format!("[sshpass, -p, {SECRET}, 'false']"),
        format!("[/usr/bin/sshpass, '-p{SECRET}', 'false']"),
        format!("[timeout, 60, redis-cli, -a, \"two {SECRET}\"]"),
        format!("\"true && curl -H 'X-Api-Key: {SECRET}' --oauth2-bearer {SECRET}\""),
        format!("[sh, -c, \"docker login -p '{SECRET} x' h; exit 3\"]"),
        format!("'PGPASSWORD={SECRET} false'"),
        format!("\"sqlplus ann/{SECRET}@db @x.sql\""),
        format!("\"zip -P \\\"a {SECRET}\\\" b c\""),
        format!("\n      - sshpass\n      - -p\n      - '{SECRET}{{{{ x'\n"),
        format!("|\n      redis-cli \\\n        -a \\\n        {SECRET} {{{{ attempt }}}}\n"),
    ] {
        let sandbox = Sandbox::with(&format!(
            "run_log: sqlite:runs.db\npipelines:\n  one:\n    schedule: '* * * * *'\n    command: {command}\n"
        ));
        for call in
            ["validate", "list", "list -o json", "run-due", "why one", "status", "status -o json", "history -o json"]
        {
            assert_silent(&sandbox, &call.split(' ').collect::<Vec<_>>(), &[("PATH", "/nowhere")]);
        }
    }
}

#[test]
fn a_run_log_that_cannot_be_written_is_named_without_its_parameters() {
    let sandbox = Sandbox::with(GOOD);
    let url = format!("sqlite:///proc/nowhere/runs.db?password={SECRET}");
    assert_silent(&sandbox, &["run-due", "--run-log-url", &url], &[]);
    let bare = format!("/proc/user:{SECRET}@nowhere/runs.db");
    assert_silent(&sandbox, &["run-due", "--run-log-url", &bare], &[]);
}
