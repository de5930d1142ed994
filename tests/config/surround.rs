//! Env files and environments: what becomes of them, and where their mistakes are shown.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tickward::config::{Environment, Loaded, Source, load};
use tickward::pipeline::Body;

use super::{names, printed};

/// What becomes of `t.yaml` beside these files, in the environment `env`; paths are printed without the folder.
fn beside(text: &str, files: &[(&str, &str, u32)], env: &str) -> (Loaded, String) {
    let root = tempfile::tempdir().expect("a folder");
    for (name, content, mode) in files {
        let path = root.path().join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).expect("a mode");
    }
    let path = root.path().join("t.yaml");
    std::fs::write(&path, text).expect("a file");
    let variables = Environment::of([("TICKWARD_ENV", env), ("HOST", "db"), ("SECRET", "hunter2")]);
    let loaded = load(&[Source::File(path)], &variables);
    let text = printed(&loaded).replace(&format!("{}/", root.path().display()), "");
    (loaded, text)
}

/// The variables of the only pipeline, as `NAME=value` with spaces between.
fn variables(loaded: &Loaded) -> String {
    let env = &loaded.pipelines[0].command.env;
    let all: Vec<_> = env.iter().map(|(name, value)| format!("{name}={}", value.render(|_| "?".into()))).collect();
    all.join(" ")
}

#[test]
fn env_files_feed_the_file_and_the_command_and_own_variables_win() {
    let text = "env_files: [a.env, { path: none.env, optional: true }, b.env]
defaults: { env: { E: '5' } }
pipelines: { p: { command: ['${A}'], cwd: '/${P}', env: { B: 'own {{ host }}' }, env_files: p.env } }";
    let files = [
        ("a.env", "A=1\nB=2\nC=${A}${HOST}\nTICKWARD_RUN_LOG_URL=x\n", 0o600),
        ("b.env", "A=3\nD='{{ host }}'\nE=6", 0o600),
        ("p.env", "P=${A}p\n", 0o600),
    ];
    let (loaded, problems) = beside(text, &files, "");
    assert_eq!(problems, "");
    assert_eq!(variables(&loaded), "A=3 B=own ? C=1db D={{ host }} E=5 P=3p");
    let command = &loaded.pipelines[0].command;
    let Body::Argv(elements) = &command.body else { panic!("a list") };
    assert_eq!((elements[0].render(|_| "?".into()), command.cwd.as_deref()), ("3".into(), Some(Path::new("/3p"))));
}

#[test]
fn variables_of_a_pipelines_files_are_its_own() {
    let text = "pipelines:\n  a: { command: [x], env_files: p.env }\n  b: { command: ['${P}'] }\n";
    let (loaded, problems) = beside(text, &[("p.env", "P=1", 0o600)], "");
    assert_eq!(names(&loaded), ["a"]);
    assert!(
        problems.starts_with("error: pipeline `b`: the variable `P` is not set\n  --> t.yaml:3:19\n"),
        "{problems}"
    );
}

#[test]
fn a_variable_that_may_be_in_a_file_that_cannot_be_read_is_no_second_mistake() {
    let q = "  q: { command: ['${X}'] }\n";
    for (text, files, expected, whole) in [
        (
            "env_files: [gone.env]\npipelines:\n  p: { command: ['${X}'], cwd: '/${Y:?m}' }\n",
            vec![],
            "t.yaml:1:13",
            vec![],
        ),
        (
            "env_files: [gone.env, a.env]\nrun_log: '${X}'\npipelines:\n  p: { command: [x] }\n",
            vec![("a.env", "A=${X}\n", 0o600)],
            "t.yaml:1:13",
            vec![],
        ),
        (
            "env_files: [a.env]\npipelines:\n  p: { command: ['${X}'] }\n",
            vec![("a.env", "X='\n", 0o600)],
            "a.env:1:3",
            vec![],
        ),
        ("env_files: ['${GONE}.env']\npipelines:\n  p: { command: ['${X}'] }\n", vec![], "t.yaml:1:14", vec![]),
        (
            "pipelines:\n  p: { command: ['${X}'], env_files: gone.env }\n  r: { command: [x] }\n",
            vec![],
            "t.yaml:2:38",
            vec!["r"],
        ),
    ] {
        let (loaded, problems) = beside(text, &files, "");
        assert_eq!(problems.matches("error: ").count(), 1, "{problems}");
        assert!(problems.contains(&format!("--> {expected}\n")), "{problems}");
        assert_eq!(names(&loaded), whole, "{text}");
    }
    // What is wrong for another reason is said all the same, and so is what another pipeline lacks.
    for (text, message) in [
        ("env_files: [gone.env]\npipelines:\n  p: { command: ['${X'] }\n".to_owned(), "`${` is never closed"),
        (
            format!("pipelines:\n  p: {{ command: [x], env_files: gone.env }}\n{q}"),
            "error: pipeline `q`: the variable `X` is not set",
        ),
        (
            format!("env_files: {{ path: gone.env, optional: true }}\npipelines:\n  p: {{ command: [x] }}\n{q}"),
            "error: pipeline `q`: the variable `X` is not set",
        ),
    ] {
        let (_, problems) = beside(&text, &[], "");
        assert!(problems.contains(message), "{text}: {problems}");
    }
}

#[test]
fn mistakes_of_env_files_show_their_place_and_no_value() {
    let line = "env_files: [a.env]\npipelines: { p: { command: [x] } }\n";
    for (content, mode, expected) in [
        (
            Some("A=1\nDB=\"hunter2\n"),
            0o600,
            "error: the quote of `DB` is never closed\n  --> a.env:2:4\n   |\n 2 | DB=***\n   |    ^\nhelp: close it with `\"`\n",
        ),
        (
            Some("hunter2 hunter2\n"),
            0o600,
            "error: no `=` follows the name of a variable\n  --> a.env:1:9\n   |\n 1 | ***\n   |    ^\nhelp: write `NAME=value`, or begin the line with `#`\n",
        ),
        (
            Some("A='x' hunter2\nB=${NO}hunter2"),
            0o600,
            "error: something follows the quoted value of `A`\n  --> a.env:1:7\n   |\n 1 | A=***\n   |      ^\nhelp: put the quotes around the whole value\nerror: the variable `NO` is not set\n  --> a.env:2:3\n   |\n 2 | B=***\n   |   ^\nhelp: set it, or give a default: `${NO:-default}`\n",
        ),
        (
            Some("KEY='\nhunter2hunter2=\nhunter2=' hunter2"),
            0o600,
            "error: something follows the quoted value of `KEY`\n  --> a.env:3:11\n   |\n 3 | ***\n   |    ^\nhelp: put the quotes around the whole value\n",
        ),
        (
            None,
            0,
            "error: the env file `a.env` cannot be read: it does not exist\n  --> t.yaml:1:13\n   |\n 1 | env_files: [a.env]\n   |             ^\nhelp: it is looked for beside the configuration file; write `{ path: …, optional: true }` if it may be missing\n",
        ),
        (
            Some("A=hunter2"),
            0o644,
            "warning: everybody on this host may read the env file `a.env`\n  --> t.yaml:1:13\n   |\n 1 | env_files: [a.env]\n   |             ^\nhelp: if it holds secrets: chmod 600, as the user that runs the tick\n",
        ),
    ] {
        let files: Vec<_> = content.iter().map(|content| ("a.env", *content, mode)).collect();
        let (loaded, problems) = beside(line, &files, "");
        assert_eq!(problems, expected);
        assert_eq!(names(&loaded).len(), usize::from(!loaded.has_errors()));
        assert!(!format!("{loaded:?}").contains("=hunter2"));
    }
}

const OVERLAID: &str = "timezone: UTC
environments:
  production:
    timezone: Europe/Berlin
    defaults: { env: { B: '3' }, timeout: }
    pipelines:
      p: { tags: [new], retry: { delay: 2m } }
      more: { command: [y] }
  staging:
  broken:
    pipelines:
      p:
        schedule: 0 2 * * 8
defaults: &d { timeout: 1h, env: { A: '1', B: '2' } }
pipelines:
  p: { command: [x], tags: [a, b], retry: { max_attempts: 3, delay: 1m } }
";

#[test]
fn an_environment_is_laid_over_the_document() {
    let (loaded, problems) = beside(OVERLAID, &[], "production");
    assert_eq!((problems.as_str(), names(&loaded)), ("", vec!["p", "more"]));
    let p = &loaded.pipelines[0];
    assert_eq!((p.zone.iana_name(), p.tags.join(" "), p.timeout), (Some("Europe/Berlin"), "new".into(), None));
    assert_eq!((p.retry.max_attempts, p.retry.delay.as_secs()), (3, 120));
    assert_eq!(variables(&loaded), "A=1 B=3");
    for plain in ["", "staging"] {
        let (loaded, problems) = beside(OVERLAID, &[], plain);
        assert_eq!((problems.as_str(), names(&loaded), variables(&loaded).as_str()), ("", vec!["p"], "A=1 B=2"));
    }
}

#[test]
fn a_mistake_of_an_overlay_is_shown_in_it() {
    let (loaded, problems) = beside(OVERLAID, &[], "broken");
    let expected = "error: pipeline `p`: day of week `8` is out of range\n   --> t.yaml:13:27\n";
    assert!(problems.starts_with(expected), "{problems}");
    assert_eq!(names(&loaded), [""; 0]);
    let (loaded, problems) = beside(OVERLAID, &[], "prod");
    let expected = "error: there is no environment `prod`\n  --> t.yaml:2:1\n   |\n 2 | environments:\n   | ^\nhelp: use one of: production, staging, broken\n";
    assert_eq!((problems.as_str(), names(&loaded).len()), (expected, 0));
    let (_, problems) = beside("pipelines: { p: { command: [x] } }", &[], "prod");
    assert_eq!(problems, "", "a file without environments is in each of them");
    for (text, message) in [
        ("environments: { prod: [x] }", "error: the environment `prod` is no mapping\n  --> t.yaml:1:23\n"),
        ("environments: [x]", "error: `environments` is a list\n"),
        ("environments: { prod: { environments: {} } }", "error: `environments` stands in an environment\n"),
    ] {
        let (_, problems) = beside(text, &[], "prod");
        assert!(problems.starts_with(message), "{problems}");
    }
}

#[test]
fn merge_keys_are_resolved_before_an_environment_is_laid_over() {
    let text = "x-base: &base { timeout: 1h, retry: { max_attempts: 2, delay: 1m } }
environments: { prod: { pipelines: { p: { <<: *more, timeout: 3h } } } }
pipelines: { p: { <<: *base, command: [x] } }
";
    let text = text.replacen("environments", "x-more: &more { retry: { delay: 5m } }\nenvironments", 1);
    let (loaded, problems) = beside(&text, &[], "prod");
    assert_eq!(problems, "");
    let p = &loaded.pipelines[0];
    assert_eq!((p.timeout.unwrap().as_secs(), p.retry.max_attempts, p.retry.delay.as_secs()), (3 * 3600, 2, 300));
}
