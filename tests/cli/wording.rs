//! What is told to somebody who has mistyped, and to somebody who wants to be told nothing.

use super::sandbox::Sandbox;

const CONFIG: &str = "pipelines:
  nightly: { schedule: '0 2 * * *', tags: [critical], command: 'true' }
  broken: { schedule: '61 * * * *', command: 'true' }
";

#[test]
fn a_name_that_nobody_has_is_told_with_the_nearest() {
    let sandbox = Sandbox::with(&CONFIG.replace("61", "1"));
    let unknown = |word: &str| format!("error: neither the configuration nor the run-log knows `{word}`\n");
    let nearest = "help: did you mean `nightly`? `tickward status` shows all\n";
    for (command, told) in [
        ("history nigthly", unknown("nigthly") + nearest),
        ("logs nigthly", unknown("nigthly") + nearest),
        ("status nigthly", unknown("nigthly") + nearest),
        ("logs nigthly@20260101T000000Z", unknown("nigthly") + nearest),
        (
            "run-due --only nigthly",
            "error: there is no pipeline `nigthly`\nhelp: did you mean `nightly`? `tickward list` shows all\n".into(),
        ),
        (
            "run-due --only nightly --only tag:critcal",
            "error: no pipeline has the tag `critcal`\nhelp: did you mean `critical`? `tickward list -o json` shows all\n"
                .into(),
        ),
    ] {
        let done = sandbox.run(command).expect(2);
        assert_eq!((done.stderr, done.stdout.as_str()), (told, ""), "{command}");
    }
    assert_eq!(sandbox.run("history nightly").expect(0).stderr, "nothing has run yet\n");
    sandbox.write("tickward.yaml", CONFIG);
    assert_eq!(sandbox.run("history broken").expect(0).stderr, "nothing has run yet\n", "it is called so");
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    sandbox.run("history nightly").expect(2);
}

#[test]
fn what_has_run_is_known_when_it_is_no_longer_configured() {
    let sandbox = Sandbox::with("pipelines: { gone: { command: 'true' } }");
    sandbox.run("run gone").expect(0);
    sandbox.write("tickward.yaml", "pipelines: { other: { command: 'true' } }");
    for command in ["history gone", "logs gone", "status gone"] {
        sandbox.run(command).expect(0);
    }
    let typo = sandbox.run("history gnoe").expect(2);
    assert!(typo.stderr.contains("did you mean `gone`?"), "{typo:?}");
}

#[test]
fn a_wrong_number_or_instant_is_told_with_the_forms_that_are_taken() {
    let sandbox = Sandbox::with(CONFIG);
    let instant = "write an instant in UTC, as 2026-03-02T02:00:00Z, or with its offset, as 2026-03-02T03:00:00+01:00";
    for (command, told) in [
        ("history -n 0", "write a whole number, 1 or more"),
        ("history -n many", "write a whole number, 1 or more"),
        ("next nightly --count 0", "write a whole number, 1 or more"),
        (
            "next nightly --after tomorrow",
            "write an instant, as 2026-03-02T02:00:00Z, a date, as 2026-03-02, or how long",
        ),
        (
            "run-due --now 2026-03-02",
            "a day has many instants: write one, as 2026-03-02T02:00:00Z, or 2026-03-02T03:00:00+01:00 with its offset",
        ),
        ("run nightly --scheduled-for 2026-11-01", "a day has many instants: write one, as 2026-11-01T02:00:00Z"),
        ("run nightly --now noon", instant),
        ("run nightly --scheduled-for yesterday", instant),
    ] {
        let done = sandbox.run(command).expect(2);
        assert!(done.stderr.contains(told) && done.stdout.is_empty(), "{command}: {done:?}");
    }
}

#[test]
fn a_quiet_tick_prints_nothing_while_all_is_well() {
    let sandbox = Sandbox::with(
        "pipelines:
  good: { schedule: '0 2 * * *', command: 'echo fine' }
  bad: { schedule: '0 3 * * *', command: 'echo broken; exit 3' }
",
    );
    let tick = |flags: &str, now: &str| sandbox.run(&format!("run-due {flags} --now 2026-03-{now}Z"));
    let told = tick("", "02T02:00:05").expect(0);
    assert!(told.stderr.starts_with("succeeded good@"), "{told:?}");
    let quiet = tick("--quiet", "03T02:00:05").expect(1);
    assert!(quiet.stderr.starts_with("failed    bad@") && !quiet.stderr.contains("good"), "{quiet:?}");
    let quiet = tick("-q", "04T02:30:05").expect(1);
    assert!(quiet.stderr.contains("bad@20260303T030000Z"), "{quiet:?}");
    let quiet = tick("-q --only good", "05T02:30:05").expect(0);
    assert_eq!((quiet.stderr.as_str(), quiet.stdout.as_str()), ("", ""));
    assert_eq!(tick("-q -o json --only good", "06T02:30:05").json()["ran"][0]["outcome"], "succeeded");
}

#[test]
fn wrong_indentation_is_told_with_what_to_do() {
    for (document, told) in [
        ("pipelines:\n\tp:\n\t\tcommand: x\n", "help: indent with spaces, YAML allows no tabs"),
        (
            "pipelines:\n  p:\n    schedule: x\n     command: x\n",
            "help: this line is indented by 5, the one above by 4: keys of one mapping begin in the same column",
        ),
        (
            "pipelines:\n  p:\n    schedule: x\n   command: x\n",
            "help: this line is indented by 3, the one above by 4: keys of one mapping begin in the same column",
        ),
        (
            "pipelines:\n  p:\n  schedule: x\n",
            "error: pipeline `schedule`: `schedule` stands where the name of a pipeline is expected",
        ),
        (
            "pipelines:\np:\n  command: x\n",
            "help: if `p` is a pipeline, indent it and its keys further, below `pipelines:`",
        ),
        ("pipelines:\n  p:\n    command: x: y\n", "help: put a value that has `: ` in it into quotes"),
        ("pipelines:\n  p:\n    command: x\n    retry: 3\n", "help: write `retry: { max_attempts: 3 }`"),
    ] {
        let done = Sandbox::with(document).run("validate").expect(2);
        assert!(done.stderr.contains(told), "{document}: {done:?}");
    }
}
