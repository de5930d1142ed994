//! Run-logs that cannot be reached, are refused or are no addresses, with secrets in their URLs.

use super::secrets::{FILLED, WRITTEN};
use super::watch::Watch;

const GOOD: &str = "pipelines: { one: { schedule: '* * * * *', command: [sh, -c, 'exit 3'] } }\n";

/// Where a secret may stand in an address.
const FORMS: [&str; 8] = [
    "postgres://runs:${V}@127.0.0.1:9/runs",
    "mysql://${V}@127.0.0.1:9/runs",
    "nonsense://runs:${V}@h/runs",
    "postgres://127.0.0.1:9/runs?password=${V}",
    "s3://bucket/runs?secret_access_key=${V}&region=x",
    "sqlite:runs.db?token=${V}",
    "sqlite://u:${V}@h/runs.db",
    "slack://${V}",
];

/// Commands that open a run-log.
const COMMANDS: [&str; 7] =
    ["run-due", "run-due -o json", "run-due --dry-run", "run one -o json", "status -o json", "history", "logs one"];

fn configuration(address: &str) -> String {
    format!("run_log: \"{address}\"\n{GOOD}")
}

#[test]
fn an_address_from_a_variable_is_never_told() {
    let mut watch = Watch::new();
    for (number, secret) in FILLED.iter().enumerate() {
        for (form, address) in FORMS.iter().enumerate().filter(|(form, _)| (number + form) % 2 == 0) {
            let variable = format!("${{{}}}", secret.name);
            watch.sandbox.write("tickward.yaml", &configuration(&address.replace("${V}", &variable)));
            watch.call(COMMANDS[(number + form) % COMMANDS.len()], &[]);
        }
    }
    for line in COMMANDS {
        watch.call_in_all_ways(line);
    }
    watch.assert_silent(&["tickward.yaml"]);
}

#[test]
fn an_address_in_the_environment_or_as_a_flag_is_never_told() {
    let mut watch = Watch::new();
    watch.sandbox.write("tickward.yaml", GOOD);
    for (number, secret) in FILLED.iter().enumerate() {
        for (form, address) in FORMS.iter().enumerate().filter(|(form, _)| (number + form) % 2 == 1) {
            let url = address.replace("${V}", &secret.text);
            let line = COMMANDS[(number + form) % COMMANDS.len()];
            match (number + form) % 3 {
                0 => drop(watch.call(line, &[("EMATIX_FLOW_RUN_LOG_URL", &url)])),
                1 => drop(watch.call(line, &[("TICKWARD_RUN_LOG_URL", &url)])),
                _ if url.contains(' ') => {}
                _ => drop(watch.call(&format!("{line} --run-log-url {url}"), &[])),
            }
        }
    }
    watch.assert_silent(&["tickward.yaml"]);
}

#[test]
fn an_address_in_a_file_is_never_told() {
    let mut watch = Watch::new();
    for (_, secret) in WRITTEN {
        for address in FORMS.iter().filter(|address| !address.starts_with("sqlite:runs")) {
            watch.sandbox.write("tickward.yaml", &configuration(&address.replace("${V}", secret)));
            for line in ["run-due", "status"] {
                watch.call(line, &[]);
            }
        }
    }
    watch.assert_silent(&["tickward.yaml"]);
}

/// Without a store nothing starts; with one that cannot be made, the path is told, and nothing beside it.
#[test]
fn a_store_that_cannot_be_reached_tells_no_secret() {
    let mut watch = Watch::new();
    watch.sandbox.write("file", "");
    for address in ["sqlite:/proc/nowhere/runs.db", "sqlite:file/runs.db", "sqlite:/dev/full", "sqlite:."] {
        watch.sandbox.write("tickward.yaml", &configuration(address));
        for line in COMMANDS {
            watch.call(line, &[("TICKWARD_LOG", "trace")]);
        }
    }
    watch.assert_silent(&["tickward.yaml"]);
}
