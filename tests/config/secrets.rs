//! No secret is in any byte that a configuration's problems or pipelines print.

use super::{document, loaded, printed};

#[test]
fn no_problem_shows_a_secret() {
    for lines in [
        "timeout: ${SECRET}",
        "schedule: \"${SECRET} * * * *\"",
        "timezone: ${SECRET}",
        "overlap: ${SECRET}",
        "retry: { max_attempts: '${SECRET}', backoff: \"${SECRET}\", jitter: \"${SECRET}\" }",
        "command: [x, \"{{ ${SECRET} }}\"]",
        "command: [x, \"${SECRET}{{ atempt }}\"]",
        "env: { A: \"${SECRET} {{ x\" }",
        "limits: { memory: \"${SECRET}\" }",
        "namespace: \"${SECRET} \"",
        "exit_codes: { 1: \"${SECRET}\" }",
        "timeout: postgres://u:hunter2@h/db",
        "timeout: postgres://u:p@hunter2@h/db",
        "timeout: \"postgres://u:a hunter2@h/db\"",
        "postgres://u:hunter2@h/db: x",
        "env: { DB_PASSWORD: hunter2, B: [] }",
        "runbook: [https://hunter2@h/db]",
        "command: [run, --token, hunter2, \"{{ x }}\"]",
        "unknown: slack://hooks.slack.com/services/T/hunter2",
    ] {
        let loaded = loaded(&document(lines));
        let text = printed(&loaded) + &serde_json::to_string(&loaded.problems).unwrap() + &format!("{loaded:?}");
        assert!(!loaded.problems.is_empty(), "{lines}");
        assert!(!text.contains("hunter2"), "{lines}\n{text}");
    }
    for top in [
        "alerters: [{ url: slack://hooks.slack.com/services/T/hunter2, evnts: [failed] }]",
        "alerters: [slack:hooks.slack.com/services/T/hunter2]",
        "alerters: [{ name: \"${SECRET} \", url: \"stdout://\", events: [\"${SECRET}\"] }]",
        "alerters: { address: \"pagerduty://hunter2?severity=critical\" }",
        "run_logs: postgres://u:hunter2@h/db",
        "run_log: [postgres://u:hunter2@h/db]",
        "run_log: \"postgres://u:hunter2@h/db",
        "metrics: [{ url: \"https://h/api?api_key=hunter2\", name: [] }]",
    ] {
        let loaded = loaded(&format!("{top}\npipelines: {{ p: {{ command: [x] }} }}\n"));
        let text = printed(&loaded) + &format!("{loaded:?}");
        assert!(!loaded.problems.is_empty() && !text.contains("hunter2"), "{top}\n{text}");
    }
}

#[test]
fn no_pipeline_shows_what_came_from_a_variable() {
    let loaded = loaded(&document(
        "command: [x, \"${SECRET}\", \"--url=postgres://u:hunter2@h\"]\nenv: { A: \"${SECRET}\" }\nstdin: \"${SECRET}\"",
    ));
    assert_eq!(printed(&loaded), "");
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert_eq!(
        loaded.pipelines[0].command.shown,
        "x '${SECRET}' '--url=postgres://u:***@h'".replace("'--url=postgres://u:***@h'", "--url=postgres://u:***@h")
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_masking_or_loading_panic(
        text in "[ -~\\n\u{e9}\u{2003}]{0,60}",
        parts in proptest::collection::vec("(://|@|:|pass(word)?|mysql |docker login|curl -|sqlplus| -[pHub]|\\\\|\\$\\(|`|\\?|=|&|'|\"|\\$\\{|\\}|\\{\\{|[a\u{e9} \u{2003}\n-]|p: |- |\\[|,)", 0..20),
    ) {
        for text in [text, parts.concat()] {
            tickward::config::secret::masked_line(&text);
            tickward::config::secret::masked_url(&text);
            printed(&loaded(&text));
            printed(&loaded(&document(&text)));
        }
    }

    #[test]
    fn a_password_of_any_characters_is_masked(password in "[!-~ ]{0,12}Zq9x[!-~ ]{0,12}") {
        let url = format!("postgres://u:{password}@db.example/runs");
        assert!(!tickward::config::secret::masked_url(&url).contains("Zq9x"), "{url}");
        assert!(!tickward::config::secret::masked_line(&format!("run_log: {url}")).contains("Zq9x"), "{url}");
    }

    #[test]
    fn a_password_of_any_characters_among_arguments_is_masked(before in "([!-~ ]|'|\"|\\\\|\\$\\(|pass:){0,8}", after in "[!-~ ]{0,8}") {
        let password = format!("{before}Zq9x{after}");
        proptest::prop_assume!(!password.contains("${"));
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let written = |text: &str| serde_json::to_string(text).unwrap();
        for command in ["sshpass -p @ ssh h", "mysql -u a -p@ db", "curl -u a:@ h", "run --token=@ x", "PGPASSWORD=@ psql x"] {
            for password in [quoted(&password), written(&password)] {
                let command = command.replacen('@', &password, 1);
                for line in [
                    format!("sudo x 'a b' && {command} | y \"c d\""),
                    format!("sh -c {} x", quoted(&command)),
                    format!("  command: {} # x", written(&command)),
                    format!("[sh, -c, {}, x]", written(&command)),
                ] {
                    assert!(!tickward::config::secret::masked_line(&line).contains("Zq9x"), "{line}");
                }
            }
        }
        let line = format!("[x, sshpass, -p, {}, ssh]", written(&password));
        assert!(!tickward::config::secret::masked_line(&line).contains("Zq9x"), "{line}");
    }
}
