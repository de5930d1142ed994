//! What the keys of a pipeline become.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tickward::config::{Source, load};
use tickward::pipeline::*;
use tickward::template::Value;

use super::{environment, loaded, names, pipeline, printed};

const SAMPLE: &str = r#"version: 1
timezone: UTC
run_log: ${TICKWARD_RUN_LOG_URL:-sqlite:///var/lib/tickward/run_log.db}

defaults:                        # a sample; built in: one attempt, no timeout, skip, latest, lease 5m, kill_grace 10s
  overlap: skip
  catch_up: latest               # skip | latest | all, or { policy: all, max: 100, window: 24h }
  timeout: 1h
  kill_grace: 10s
  retry: { max_attempts: 3, backoff: exponential, delay: 30s, max_delay: 10m, jitter: 20% }
  lease: 5m

pipelines:
  daily_etl:
    description: Customer load
    owner: data-team
    runbook: https://wiki.example.com/daily-etl
    tags: [critical]
    schedule: "0 2 * * *"
    timezone: America/New_York
    command: [/opt/clinker/bin/clinker, run, pipelines/daily_etl.yaml, --batch-id, "daily-{{ scheduled_date }}{{ attempt_suffix }}"]
    cwd: /opt/clinker
    env: { LOG_LEVEL: warn }
    exit_codes: { 0: success, 2: partial, 1: fatal, 3: fatal, 4: retry }
  sales_report:
    command: quicketl run pipelines/sales.yml --var DATE=$DATE --json     # a string is a shell line, as it stands
    env: { DATE: "{{ scheduled_date }}" }
"#;

#[test]
fn the_sample_becomes_two_pipelines() {
    let loaded = loaded(SAMPLE);
    assert_eq!(printed(&loaded), "");
    assert_eq!(names(&loaded), ["daily_etl", "sales_report"]);
    assert_eq!(loaded.run_log.as_ref().unwrap().expose(), "sqlite:///var/lib/tickward/run_log.db");
    let [etl, report] = loaded.pipelines.as_slice() else { panic!() };
    assert_eq!((etl.description.as_str(), etl.owner.as_str()), ("Customer load", "data-team"));
    assert_eq!(
        (etl.runbook.as_str(), etl.tags.as_slice()),
        ("https://wiki.example.com/daily-etl", &["critical".into()][..])
    );
    assert_eq!(etl.zone.iana_name(), Some("America/New_York"));
    assert_eq!(etl.schedule.as_ref().unwrap().texts(), ["0 2 * * *"]);
    assert_eq!(etl.command.cwd, Some(PathBuf::from("/opt/clinker")));
    assert_eq!(
        etl.command.shown,
        "/opt/clinker/bin/clinker run pipelines/daily_etl.yaml --batch-id 'daily-{{ scheduled_date }}{{ attempt_suffix }}'"
    );
    let Body::Argv(argv) = &etl.command.body else { panic!() };
    assert_eq!(argv[4].values().collect::<Vec<_>>(), [Value::ScheduledDate, Value::AttemptSuffix]);
    let meanings: Vec<ExitMeaning> = (0..6).map(|code| etl.exit_codes.meaning(code)).collect();
    use ExitMeaning::*;
    assert_eq!(meanings, [Success, Fatal, Partial, Fatal, Retry, Retry]);
    assert!(report.schedule.is_none());
    assert!(
        matches!(&report.command.body, Body::Shell(line) if line == "quicketl run pipelines/sales.yml --var DATE=$DATE --json")
    );
    for pipeline in &loaded.pipelines {
        assert_eq!(pipeline.timeout, Some(Duration::from_secs(3600)));
        assert_eq!((pipeline.retry.max_attempts, pipeline.retry.jitter_percent), (3, 20));
        assert_eq!(pipeline.retry.max_delay, Some(Duration::from_secs(600)));
    }
}

#[test]
fn what_is_not_said_is_built_in() {
    let p = pipeline("command: [x]");
    assert_eq!(p.id.to_string(), "p");
    assert_eq!((p.timeout, p.jitter), (None, Duration::ZERO));
    assert_eq!((p.kill_grace, p.lease), (Duration::from_secs(10), Duration::from_secs(300)));
    assert_eq!((p.retry, p.overlap, p.catch_up), (Retry::NONE, Overlap::Skip, CatchUp::Latest));
    assert_eq!((p.on_interrupt, p.exit_codes), (OnInterrupt::Retry, ExitCodes::default()));
    assert_eq!((p.command.output_limit_bytes, p.command.memory_limit_bytes), (10 << 20, None));
    assert_eq!((p.command.inherit_env, p.command.env), (InheritEnv::All, BTreeMap::new()));
    assert!(matches!(p.command.stdin, Stdin::Null) && p.schedule.is_none());
    assert_eq!(p.zone.iana_name(), Some("UTC"));
}

#[test]
fn an_empty_value_puts_back_what_is_built_in() {
    let loaded = loaded(
        "defaults: { timeout: 1h, env: { A: b }, retry: { max_attempts: 3 }, limits: { output: 1M } }\n\
         pipelines: { p: { command: [x], schedule: null, timeout: ~, env: null, retry: null, limits: null } }\n",
    );
    assert_eq!(printed(&loaded), "");
    let p = &loaded.pipelines[0];
    assert_eq!((p.timeout, &p.retry), (None, &Retry::NONE));
    assert_eq!((p.command.env.len(), p.command.output_limit_bytes), (0, 10 << 20));
}

#[test]
fn maps_are_inherited_key_by_key_and_all_else_as_a_whole() {
    let loaded = loaded(
        "timezone: Europe/Berlin\nnamespace: team\n\
         defaults: { tags: [a], env: { A: '1', B: '2' }, retry: { max_attempts: 3, delay: 1m }, exit_codes: { 1: fatal, 2: partial } }\n\
         pipelines: { p: { command: [x], tags: [b], env: { B: '3' }, retry: { delay: 2m }, exit_codes: { 1: retry }, namespace: own }, q: { command: [x] } }\n",
    );
    assert_eq!(printed(&loaded), "");
    let [p, q] = loaded.pipelines.as_slice() else { panic!() };
    let env: Vec<String> =
        p.command.env.iter().map(|(name, t)| format!("{name}={}", t.render(|_| "".into()))).collect();
    assert_eq!((env.join(" ").as_str(), p.tags.as_slice()), ("A=1 B=3", &["b".to_owned()][..]));
    assert_eq!((p.retry.max_attempts, p.retry.delay), (3, Duration::from_secs(120)));
    assert_eq!((p.exit_codes.meaning(1), p.exit_codes.meaning(2)), (ExitMeaning::Retry, ExitMeaning::Partial));
    assert_eq!((p.id.to_string(), q.id.to_string()), ("own:p".into(), "team:q".into()));
    assert_eq!(q.zone.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn catch_up_has_a_short_and_a_long_form() {
    let day = Some(Duration::from_secs(86_400));
    for (text, expected) in [
        ("skip", CatchUp::Skip),
        ("latest", CatchUp::Latest),
        ("all", CatchUp::All { max: 100, window: None }),
        ("{ policy: latest }", CatchUp::Latest),
        ("{ policy: all, max: 5, window: 24h }", CatchUp::All { max: 5, window: day }),
        ("{ policy: all, window: ~ }", CatchUp::All { max: 100, window: None }),
    ] {
        assert_eq!(pipeline(&format!("catch_up: {text}")).catch_up, expected, "{text}");
    }
}

#[test]
fn stdin_and_inherited_variables_have_several_forms() {
    for (text, expected) in [
        ("", "Null"),
        ("yes", "Text(Template(…))"),
        ("{ text: \"{{ run_id }}\" }", "Text(Template({{ run_id }}))"),
        ("{ file: in.csv }", "File(\"in.csv\")"),
    ] {
        assert_eq!(format!("{:?}", pipeline(&format!("stdin: {text}")).command.stdin), expected, "{text}");
    }
    for (text, expected) in [
        ("true", InheritEnv::All),
        ("false", InheritEnv::Nothing),
        ("[PATH, HOME]", InheritEnv::Only(vec!["PATH".into(), "HOME".into()])),
    ] {
        assert_eq!(pipeline(&format!("inherit_env: {text}")).command.inherit_env, expected, "{text}");
    }
}

#[test]
fn scalars_in_env_and_argv_are_the_text_they_are_written_with() {
    let p = pipeline("command: [sleep, 010, true, 1.50, '', yes]\nenv: { A: 8080, B: true, C: 0x1F, D: \"\" }");
    let Body::Argv(argv) = &p.command.body else { panic!() };
    let argv: Vec<String> = argv.iter().map(|t| t.render(|_| String::new())).collect();
    assert_eq!(argv, ["sleep", "010", "true", "1.50", "", "yes"]);
    assert_eq!(p.command.shown, "sleep 010 true 1.50 '' yes");
    let env: Vec<String> = p.command.env.values().map(|t| t.render(|_| String::new())).collect();
    assert_eq!(env, ["8080", "true", "0x1F", ""]);
}

#[test]
fn variables_are_filled_in_everywhere_but_in_shell_lines() {
    let p = pipeline(
        "owner: ${WHO}\nretry: { max_attempts: \"${TRIES:-4}\" }\ncommand: [\"x${EMPTY}\", \"${TEMPLATE}-{{ attempt }}\", \"$${WHO}\"]",
    );
    assert_eq!((p.owner.as_str(), p.retry.max_attempts), ("data-team", 4));
    let Body::Argv(argv) = &p.command.body else { panic!() };
    let argv: Vec<String> = argv.iter().map(|t| t.render(|value| format!("<{}>", value.name()))).collect();
    assert_eq!(argv, ["x", "{{ host }}-<attempt>", "${WHO}"]);
    assert_eq!(p.command.shown, "'x${EMPTY}' '${TEMPLATE}-{{ attempt }}' '$${WHO}'");

    let p = pipeline("command: echo ${WHO} ${NOT_SET:?x} {{ .Names }}");
    assert!(matches!(&p.command.body, Body::Shell(line) if line == "echo ${WHO} ${NOT_SET:?x} {{ .Names }}"));
}

#[test]
fn anchors_and_merge_keys_work() {
    let loaded = loaded(
        "x-base: &base\n  timeout: 1h\n  owner: a\npipelines:\n  p:\n    <<: *base\n    owner: b\n    command: &cmd [x, y]\n  q:\n    <<: [{ owner: c }, *base]\n    command: *cmd\n",
    );
    assert_eq!(printed(&loaded), "");
    let [p, q] = loaded.pipelines.as_slice() else { panic!() };
    assert_eq!((p.owner.as_str(), p.timeout), ("b", Some(Duration::from_secs(3600))));
    assert_eq!((q.owner.as_str(), q.timeout, q.command.shown.as_str()), ("c", p.timeout, "x y"));
}

#[test]
fn an_empty_run_log_is_not_the_same_as_none_said() {
    let url = |text: &str| {
        let loaded = loaded(&format!("{text}\npipelines: {{ p: {{ command: [x] }} }}\n"));
        assert_eq!(printed(&loaded), "");
        loaded.run_log.map(|url| url.expose().to_owned())
    };
    assert_eq!(url(""), None);
    assert_eq!(url("run_log:"), None);
    assert_eq!(url("run_log: ''").as_deref(), Some(""));
    assert_eq!(url("run_log: ${NONE:-}").as_deref(), Some(""));
    assert_eq!(url("run_log: postgres://u:${SECRET}@h/db").as_deref(), Some("postgres://u:hunter2@h/db"));
}

#[test]
fn a_pipeline_may_have_any_name_also_one_that_begins_like_an_extension() {
    let loaded = loaded("x-mine: { a: b }\npipelines: { x-ray: { command: [x], x-mine: [1] } }\n");
    assert_eq!((printed(&loaded).as_str(), names(&loaded)), ("", vec!["x-ray"]));
}

#[test]
fn alerters_and_metrics_of_all_files_hold_together() {
    let file = |name: &str, text: &str| Source::Text { name: name.into(), text: text.into() };
    let first = "alerters:
  - slack://hooks.slack.com/services/${SECRET}
  - { name: page, url: 'webhook+https://h/${N}', events: [gave_up, lost], match: { tags: [critical, nightly] } }
  - slack://chat.example.com/hooks/x
metrics: stdout://
pipelines: { p: { command: [x] } }
";
    let second = "alerters: [slack://hooks.slack.com/services/hunter2, { url: stdout://, events: recovered, match: ~ }]
metrics: [stdout://, { name: node, url: 'textfile:///x.prom' }]
";
    let loaded = load(&[file("a.yaml", first), file("b.yaml", second)], &environment());
    assert_eq!(printed(&loaded), "");
    let alerters: Vec<_> = (loaded.alerters.iter())
        .map(|spec| (spec.name.as_str(), spec.url.expose(), spec.events.len(), spec.tags.join(" ")))
        .collect();
    assert_eq!(
        alerters,
        [
            ("slack", "slack://hooks.slack.com/services/hunter2", 0, String::new()),
            ("page", "webhook+https://h/x9", 2, "critical nightly".into()),
            ("slack-2", "slack://chat.example.com/hooks/x", 0, String::new()),
            ("stdout", "stdout://", 1, String::new()),
        ]
    );
    let metrics: Vec<_> = loaded.metrics.iter().map(|spec| (spec.name.as_str(), spec.url.expose())).collect();
    assert_eq!(metrics, [("stdout", "stdout://"), ("node", "textfile:///x.prom")]);
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn a_mistake_in_an_alerter_takes_that_one_alone_away() {
    for (entry, message, help) in [
        ("slack", "an entry of `alerters` is no URL", "write a scheme, `://`, and where to"),
        ("'${EMPTY}'", "an entry of `alerters` is no URL", "look at what the variables are set to"),
        ("~", "an entry of `alerters` is empty", "write a URL"),
        ("[x]", "an entry of `alerters` is a list", "write a URL"),
        ("{ events: [failed] }", "an entry of `alerters` has no `url`", "add `url:` and where to"),
        ("{ uri: 'x://' }", "unknown key `uri` in `alerters`", "did you mean `url`?"),
        ("{ url: 'x://', events: [faild] }", "`events`: unknown value `faild`", "did you mean `failed`?"),
        ("{ url: 'x://', match: { tag: x } }", "unknown key `tag` in `match`", "did you mean `tags`?"),
        (
            "{ url: 'x://', name: 'a b' }",
            "`name`: name `a b` contains ' '",
            "use letters, digits and . _ / - only, 128 at most",
        ),
    ] {
        let loaded = loaded(&format!("alerters: [{entry}, stdout://]\npipelines: {{ p: {{ command: [x] }} }}\n"));
        let found: Vec<_> =
            loaded.problems.iter().map(|p| (p.message.as_str(), p.help.as_deref().unwrap_or_default())).collect();
        assert_eq!(found, [(message, help)], "{entry}");
        assert_eq!((names(&loaded), loaded.alerters.len()), (vec!["p"], 1), "{entry}");
    }
}

#[test]
fn how_long_history_is_kept_is_read_and_two_files_agree() {
    let day = std::time::Duration::from_secs(86_400);
    let kept =
        |max_age, failed_max_age, max_runs| Some(tickward::config::Retention { max_age, failed_max_age, max_runs });
    let right = "pipelines: { p: { command: [x] } }\n";
    for (text, expected) in [
        ("", None),
        ("retention:\n", None),
        ("retention: {}\n", None),
        ("retention: { max_age: }\n", None),
        ("retention: { max_age: 90d }\n", kept(Some(90 * day), None, None)),
        (
            "retention: { max_age: 2w, failed_max_age: 365d, max_runs: 10 }\n",
            kept(Some(14 * day), Some(365 * day), Some(10)),
        ),
    ] {
        let loaded = loaded(&format!("{text}{right}"));
        assert_eq!((loaded.retention.clone(), printed(&loaded).as_str()), (expected, ""), "{text}");
    }
    for (text, told) in [
        ("retention: 90d\n", "`retention` is"),
        ("retention: { max_agee: 90d }\n", "unknown key `max_agee` in `retention`"),
        ("retention: { max_age: 0s }\n", "`max_age`"),
        ("retention: { max_runs: 0 }\n", "`max_runs`"),
        ("retention: { max_age: 90 }\n", "`90` is not a duration"),
    ] {
        let loaded = loaded(&format!("{text}{right}"));
        let text = printed(&loaded);
        assert_eq!((loaded.retention, loaded.pipelines.len()), (None, 1), "{text}");
        assert!(text.starts_with("error: ") && text.contains(told), "{text}");
    }
}
