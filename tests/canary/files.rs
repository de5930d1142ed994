//! Configurations that are wrong, with secrets in and around what is wrong.

use std::fs;

use super::secrets::{FILLED, WRITTEN};
use super::watch::Watch;

/// Keys of a pipeline that a variable makes wrong, or that are wrong beside one.
const WRONG: [&str; 26] = [
    "timeout: '${V}'",
    "kill_grace: '1${V}'",
    "lease: \"${V}\"",
    "schedule: '${V}'",
    "schedule: ['@daily', '${V} * * * *']",
    "schedule: 'every ${V}'",
    "timezone: '${V}'",
    "namespace: '${V} '",
    "overlap: '${V}'",
    "catch_up: '${V}'",
    "catch_up: { policy: all, max: '${V}', window: '${V}' }",
    "retry: { max_attempts: '${V}', backoff: '${V}', delay: '${V}', jitter: '${V}' }",
    "limits: { memory: '${V}', output: '${V}' }",
    "exit_codes: { 1: '${V}' }",
    "on_interrupt: '${V}'",
    "jitter: '${V}'",
    "inherit_env: '${V}'",
    "env: { CREDENTIALS: '${V} {{ nonsense }}' }",
    "env: { CREDENTIALS: '{{ ${V} }}' }",
    "env: { CREDENTIALS: '${V} ${NOT_SET_AT_ALL}' }",
    "env: { CREDENTIALS: '${V}', B: [] }",
    "stdin: '${V}{{ '",
    "stdin: { file: '${V}', text: '${V}' }",
    "scheduel: '${V}'",
    "env: { CREDENTIALS: '${NOT_SET_AT_ALL:?the ${V}}' }",
    "env: { CREDENTIALS: '${V}${' }",
];

/// Lines with a secret as it is, where it can be known for one, each beside a mistake.
const BESIDE: [&str; 22] = [
    "env: { DB_PASSWORD: ${V}, B: [] }",
    "env: { DB_PASSWORD: [${V}] }",
    "env: { DB_PASSWORD: '${V} {{ nonsense }}' }",
    "env: { API_TOKEN: \"${V}${NOT_SET_AT_ALL}\" }",
    "env: { API_TOKEN: ${V}",
    "env: [ API_TOKEN: ${V} ]",
    "API_TOKEN: ${V}",
    "command: [load, --password, '${V}', '{{ nonsense }}']",
    "command: [load, '--token=${V}', '{{ nonsense }}']",
    "command: [load, 'postgres://u:${V}@h/db', '{{ nonsense }}']",
    "command: [load, 'https://h/x?api_key=${V}', '{{ nonsense }}']",
    "command: [load, 'https://hooks.slack.com/services/T/B/${V}', '{{ nonsense }}']",
    "command: { load: 'postgres://u:${V}@h/db' }",
    "timeout: postgres://u:${V}@h/db",
    "schedule: 'postgres://u:${V}@h/db'",
    "postgres://u:${V}@h/db: x",
    "runbook: [{ a: 'https://u:${V}@h/db' }]",
    "tags: { x: 'https://${V}@h/db' }",
    "stdin: { text: 'password: ${V}', file: x }",
    "env: {\n      DB_PASSWORD: '${V}\n      {{ nonsense }}' }",
    "env:\n      API_TOKEN: |\n        ${V}\n        {{ nonsense }}",
    "env:\n      API_TOKEN: \"${V}\n        ${NOT_SET_AT_ALL}\"",
];

/// The same at the top of a file.
const AT_THE_TOP: [&str; 9] = [
    "run_logs: postgres://u:${V}@h/db",
    "run_log: [postgres://u:${V}@h/db]",
    "run_log: \"postgres://u:${V}@h/db",
    "alerters: [{ url: \"slack://hooks.slack.com/services/T/B/${V}\", evnts: [] }]",
    "alerters: [{ address: 'pagerduty://${V}' }]",
    "metrics: { url: \"https://push.internal/x?api_key=${V}\", nme: x }",
    "defaults: { env: { DB_PASSWORD: ${V} }, timeot: 1h }",
    "  run_log: postgres://u:${V}@h/db\n x: : y",
    "smtp_password: ${V}",
];

fn pipeline(line: &str) -> String {
    let command = if line.starts_with("command") { "" } else { "    command: [x]\n" };
    format!("pipelines:\n  p:\n    {line}\n{command}")
}

/// Puts a file for each row and secret into a folder; only problems that are told count, so each file has one.
fn folder_of(watch: &Watch, rows: &[(String, String)]) {
    fs::create_dir(watch.sandbox.path("conf")).unwrap();
    for (number, (text, secret)) in rows.iter().enumerate() {
        let text = text.replace("${V}", secret).replace("  p:", &format!("  p{number}:"));
        watch.sandbox.write(&format!("conf/{number:04}.yaml"), &text);
    }
}

/// Calls what reads a configuration, and fails if a file that is wrong is told nothing of.
fn read_all(watch: &mut Watch, files: usize) {
    let told = watch.call("validate -c conf -o json", &[]).json();
    let named: std::collections::BTreeSet<_> =
        told["problems"].as_array().unwrap().iter().filter_map(|problem| problem["file"].as_str()).collect();
    assert_eq!(named.len(), files, "every file has a problem with a place");
    for line in ["validate -c conf", "run-due -c conf", "list -c conf -o json"] {
        watch.call(line, &[]);
    }
    // All commands read configurations in the same way: for the others, a part will do.
    let some: Vec<String> = (0..files).step_by(19).map(|number| format!("-c conf/{number:04}.yaml")).collect();
    for line in ["run-due -o json", "list", "status", "next", "run p1", "logs p1", "history -o json"] {
        watch.call(&format!("{line} {}", some.join(" ")), &[("TICKWARD_LOG", "trace")]);
    }
    let written: Vec<String> = (0..files).map(|number| format!("{number:04}.yaml")).collect();
    watch.assert_silent(&written.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn what_variables_make_wrong_is_told_without_them() {
    let mut watch = Watch::new();
    let rows: Vec<_> = WRONG
        .iter()
        .flat_map(|line| FILLED.iter().map(|secret| (pipeline(line), format!("${{{}}}", secret.name))))
        .collect();
    folder_of(&watch, &rows);
    read_all(&mut watch, rows.len());
}

#[test]
fn a_secret_in_a_file_is_not_shown_with_the_mistake_beside_it() {
    let mut watch = Watch::new();
    let top = AT_THE_TOP.iter().map(|line| format!("{line}\n{}", pipeline("timeout: 1h")));
    let texts = BESIDE.iter().map(|line| pipeline(line)).chain(top);
    let rows: Vec<_> =
        texts.flat_map(|text| WRITTEN.iter().map(move |(_, secret)| (text.clone(), (*secret).to_owned()))).collect();
    folder_of(&watch, &rows);
    read_all(&mut watch, rows.len());
}

/// The document itself may come from the environment or from standard input.
#[test]
fn a_document_without_a_file_is_not_shown_either() {
    let mut watch = Watch::new();
    for (_, secret) in WRITTEN {
        for line in BESIDE {
            let text = pipeline(line).replace("${V}", secret);
            watch.call("validate", &[("TICKWARD_CONFIG_YAML", &text)]);
        }
        let text = pipeline(BESIDE[0]).replace("${V}", secret);
        for line in ["run-due", "status", "list -o json"] {
            watch.call(line, &[("TICKWARD_CONFIG_YAML", &text), ("TICKWARD_LOG", "trace")]);
        }
    }
    watch.assert_silent(&[]);
}
