//! `run-due --shadow` and `shadow report`.

use serde_json::json;

use super::sandbox::{Sandbox, each, keys};

const CONFIG: &str = "pipelines:
  hourly: { schedule: '0 * * * *', command: ENTER }
  after: { schedule: '5 * * * *', depends_on: [hourly], command: ENTER }
  vain: { schedule: '10 */2 * * *', depends_on: [hand], command: ENTER }
  hand: { command: ENTER }
";

fn shadow(sandbox: &Sandbox, now: &str) {
    sandbox.run(&format!("run-due --shadow --now {now}")).expect(0);
}

#[test]
fn a_day_beside_cron_is_decided_and_recorded_and_nothing_is_run() {
    let sandbox = Sandbox::with(CONFIG);
    let first = sandbox.run("run-due --shadow --now 2026-03-02T00:00:20Z").expect(0);
    assert_eq!((first.stdout.as_str(), first.stderr.as_str()), ("", "would run hourly@20260302T000000Z (schedule)\n"));
    // Nobody ticks from 6 to 9.
    for hour in (0..6).chain(10..24) {
        for minute in ["00", "05", "10", "30"] {
            shadow(&sandbox, &format!("2026-03-02T{hour:02}:{minute}:30Z"));
        }
    }
    let report = sandbox.run("shadow report -o json").expect(0).json();
    assert_eq!(keys(&report), ["since", "pipelines", "rc"]);
    assert_eq!(each(&report["pipelines"], "pipeline"), ["after", "hourly", "vain"]);
    let [after, hourly, vain] = [0, 1, 2].map(|n| &report["pipelines"][n]);
    assert_eq!(hourly["would_run"].as_array().unwrap().len(), 20);
    let of_after = each(&after["would_run"], "trigger");
    assert_eq!(of_after.iter().filter(|trigger| **trigger == "schedule").count(), 20);
    assert_eq!(of_after.iter().filter(|trigger| **trigger == "catch_up").count(), 1, "that of 09:05, at ten");
    let missed = &hourly["not_run"][0];
    assert_eq!((&missed["reason"], &missed["count"]), (&json!("missed"), &json!(4)), "{hourly}");
    assert_eq!((&missed["from"], &missed["to"]), (&json!("2026-03-02T06:00:00Z"), &json!("2026-03-02T09:00:00Z")));
    assert_eq!(vain["would_run"], json!([]));
    assert!(vain["not_run"].as_array().unwrap().iter().any(|entry| entry["reason"] == "upstream"), "{vain}");
    let late = sandbox.run("shadow report --since 2026-03-02T22:00:00Z").expect(0).stdout;
    let lines: Vec<Vec<&str>> = late.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PIPELINE", "SCHEDULED", "FOR", "WOULD", "DECIDED", "AT"]);
    assert_eq!(lines[1][..6], ["after", "2026-03-02", "22:05:00Z", "run", "(schedule)", "2026-03-02"]);
    assert_eq!(lines.iter().filter(|line| line[0] == "hourly").count(), 2, "{late}");
    assert_eq!(sandbox.starts(), []);
    assert!(!sandbox.state().join("run_log.db").exists());
}

#[test]
fn a_shadows_run_log_and_a_real_one_refuse_each_other() {
    let sandbox = Sandbox::with(CONFIG);
    shadow(&sandbox, "2026-03-02T00:00:20Z");
    let file = sandbox.state().join("shadow.db");
    for real in ["run-due", "run hourly", "run-due --now 2026-03-02T01:00:00Z"] {
        let refused = sandbox.run(&format!("{real} --run-log-url {}", file.display())).expect(2);
        assert!(refused.stderr.contains("created under --shadow: nothing in it has been run"), "{refused:?}");
    }
    sandbox.run("run hourly").expect(0);
    let file = sandbox.state().join("run_log.db");
    let refused = sandbox.run(&format!("run-due --shadow --run-log-url {}", file.display())).expect(2);
    assert!(refused.stderr.contains("is no shadow's"), "{refused:?}");
    assert!(refused.stderr.contains("help: leave `--run-log-url` out"), "{refused:?}");
    let refused = sandbox.run(&format!("shadow report --run-log-url {}", file.display())).expect(2);
    assert!(refused.stderr.contains("this run-log is no shadow's"), "{refused:?}");
    assert_eq!(sandbox.starts().len(), 1);
}

#[test]
fn a_shadow_stays_quiet_where_it_is_told_to_and_reports_nothing_before_its_first_tick() {
    let sandbox = Sandbox::with(CONFIG);
    let none = sandbox.run("shadow report").expect(0);
    assert!(none.stderr.starts_with("nothing was decided yet"), "{none:?}");
    assert!(!sandbox.state().exists(), "who looks makes nothing");
    let quiet = sandbox.run("run-due --shadow --quiet --now 2026-03-02T00:00:20Z").expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let real = sandbox.run("run-due --shadow -o json --run-log-url sqlite:real.db").expect(0).json();
    assert_eq!(real["rc"], 0);
    sandbox.run("run-due --shadow --dry-run").expect(2);
    // A real run-log that is configured is not the shadow's.
    let url = [("TICKWARD_RUN_LOG_URL", "sqlite:elsewhere.db")];
    sandbox.call_with(&["run-due", "--shadow", "--now", "2026-03-02T00:01:20Z"], &url).expect(0);
    assert!(!sandbox.path("elsewhere.db").exists());
}

#[test]
fn a_shadow_by_the_real_time_and_one_by_an_invented_time_refuse_each_other() {
    let sandbox = Sandbox::with(CONFIG);
    let now = "--now 2026-03-02T00:00:20Z";
    for (made, by, other, told) in [
        ("real.db", "", now, "--now is for rehearsals, and the shadow's run-log `real.db` is a real one"),
        ("rehearsal.db", now, "", "the shadow's run-log `rehearsal.db` was created under --now, for a rehearsal"),
    ] {
        let tick = |time: &str| sandbox.run(&format!("run-due --shadow --run-log-url sqlite:{made} {time}"));
        tick(by).expect(0);
        let refused = tick(other).expect(2);
        assert!(refused.stderr.starts_with(&format!("error: {told}\nhelp: ")), "{refused:?}");
        tick(by).expect(0);
    }
}
