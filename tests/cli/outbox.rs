//! Alerts and figures leave the tick: whatever the other side does, and whenever a tick is killed.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http_server::{Manner, Request, Server};
use super::sandbox::{Done, Sandbox};

/// Part of every address here; nobody is to see it.
pub(super) const SECRET: &str = "Tz8Qm4Vx1Lk6";

/// One pipeline, `a`, that fails every minute as long as there is no file `ok`.
pub(super) const FAILS: &str =
    "pipelines:\n  a: { schedule: '* * * * *', tags: [night], owner: data, command: 'test -e ok' }\n";

pub(super) fn url(server: &Server) -> String {
    format!("webhook+http://127.0.0.1:{}/hook/{SECRET}", server.port)
}

pub(super) fn alerters(servers: &[&Server]) -> String {
    let urls: Vec<_> = servers.iter().map(|server| format!("'{}'", url(server))).collect();
    format!("alerters: [{}]\n{FAILS}", urls.join(", "))
}

pub(super) fn up() -> Manner {
    Manner::status(200)
}

/// What one tick at this time of day has come to. No secret is in what it prints.
#[track_caller]
pub(super) fn tick(sandbox: &Sandbox, time: &str) -> Done {
    silent(sandbox.run(&format!("run-due -o json --now 2026-03-02T{time}Z")))
}

#[track_caller]
pub(super) fn silent(done: Done) -> Done {
    assert!(!done.stdout.contains(SECRET) && !done.stderr.contains(SECRET), "{done:?}");
    done
}

pub(super) fn ids(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.header("webhook-id").unwrap().to_owned()).collect()
}

pub(super) fn kinds(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.json()["kind"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn outbox(sandbox: &Sandbox) -> Value {
    silent(sandbox.run("alert list -o json")).json()
}

fn waiting(sandbox: &Sandbox) -> usize {
    outbox(sandbox)["waiting"].as_array().unwrap().len()
}

#[test]
fn while_the_other_side_is_down_alerts_wait_and_then_arrive_once_and_in_order() {
    let server = Server::start(Manner::status(503));
    let sandbox = Sandbox::with(&alerters(&[&server]));
    sandbox.write(
        "tickward.yaml",
        &format!("{}  b: {{ schedule: '* * * * *', command: 'false' }}\n", alerters(&[&server])),
    );
    for minute in 0..5 {
        let done = tick(&sandbox, &format!("02:0{minute}:05")).expect(1);
        assert!(done.stderr.contains("alert not delivered") && done.stderr.contains("503"), "{done:?}");
        let asked = ids(&server.requests());
        let oldest = ["a", "b"].map(|name| format!("gave_up/default/{name}@20260302T020000Z/1"));
        assert_eq!(asked.len(), 2, "the oldest of each holds back the others: {asked:?}");
        assert!(oldest.iter().all(|id| asked.contains(id)), "{asked:?}");
    }
    assert_eq!(waiting(&sandbox), 10);
    assert!(outbox(&sandbox)["waiting"][0]["error"].as_str().unwrap().contains("503"));
    let status = silent(sandbox.run("status")).expect(0).stderr;
    assert_eq!(
        status.lines().next(),
        Some("alerts could not be delivered yet: `tickward alert list` shows them and why")
    );
    let doctor = silent(sandbox.run("doctor"));
    let found = "alerts         10 that could not be delivered, the oldest of 2026-03-02 02:00:";
    assert!(doctor.stdout.contains(found) && doctor.stdout.contains("503"), "{doctor:?}");
    server.behave(up());
    tick(&sandbox, "02:05:05").expect(1);
    let told = ids(&server.requests());
    for name in ["a", "b"] {
        let of_it: Vec<_> = told.iter().filter(|id| id.contains(&format!("/{name}@"))).cloned().collect();
        let expected: Vec<_> = (0..6).map(|m| format!("gave_up/default/{name}@20260302T020{m}00Z/1")).collect();
        assert_eq!(of_it, expected);
    }
    assert_eq!((told.len(), waiting(&sandbox)), (12, 0));
    assert!(
        !sandbox.run("status").stderr.contains("alerts could") && !sandbox.run("doctor").stdout.contains("  alerts")
    );
    tick(&sandbox, "02:05:15").expect(0);
    assert!(server.requests().is_empty());
}

#[test]
fn one_that_never_answers_delays_neither_a_run_nor_another_alerter() {
    let (hole, good) = (Server::start(Manner::BlackHole), Server::start(up()));
    let sandbox = Sandbox::with(&alerters(&[&hole, &good]));
    let begin = Instant::now();
    let first = sandbox.start("run-due -o json --now 2026-03-02T02:00:05Z");
    assert_eq!(kinds(&[good.wait()]), ["gave_up"]);
    hole.wait();
    // The first tick still waits for the answer; the next one has all it needs.
    let line = ["run-due", "-o", "json", "--now", "2026-03-02T02:01:05Z"];
    let other = sandbox.call_with(&line, &[("TICKWARD_ALERTERS", "")]).expect(1);
    assert_eq!(other.json()["failed"][0]["scheduled_for"], "2026-03-02T02:01:00Z");
    silent(Done::wait(first)).expect(1);
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    hole.behave(up());
    tick(&sandbox, "02:02:05").expect(1);
    let of_first = |requests: Vec<Request>| ids(&requests).iter().filter(|id| id.contains("020000Z")).count();
    assert_eq!((of_first(good.requests()), of_first(hole.requests())), (0, 1), "who has it is not told again");
}

#[test]
fn of_each_alerter_that_has_not_taken_it_is_told_why() {
    let (down, refusing) = (Server::start(Manner::status(503)), Server::start(Manner::status(410)));
    let sandbox = Sandbox::with(&alerters(&[&down, &refusing]));
    tick(&sandbox, "02:00:05").expect(1);
    let error = outbox(&sandbox)["waiting"][0]["error"].as_str().unwrap().to_owned();
    assert_eq!(error, "webhook-http-2: the answer is 410; webhook-http: the answer is 503");
}

#[test]
fn what_a_killed_tick_has_not_delivered_the_next_one_does() {
    let server = Server::start(Manner::BlackHole);
    let sandbox = Sandbox::with(&alerters(&[&server]));
    let mut killed = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    let first = server.wait();
    killed.kill().unwrap();
    killed.wait().unwrap();
    server.behave(up());
    sandbox.write("ok", "");
    tick(&sandbox, "02:00:20").expect(0);
    assert!(server.requests().is_empty(), "it is the killed tick's for 30 s");
    tick(&sandbox, "02:00:40").expect(0);
    let told = server.requests();
    assert_eq!(ids(&told), ids(&[first]), "the same alert, by its id");
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn a_tick_with_nothing_to_do_delivers_what_waits() {
    let server = Server::start(up());
    let sandbox = Sandbox::with(FAILS);
    tick(&sandbox, "02:00:05").expect(1);
    assert_eq!(waiting(&sandbox), 1, "nobody was there to be told");
    assert!(!sandbox.run("status").stderr.contains("alerts"), "and nobody is asked for");
    sandbox.write("tickward.yaml", &alerters(&[&server]));
    assert!(tick(&sandbox, "02:00:15").expect(0).json()["failed"].as_array().unwrap().is_empty());
    let told = server.request().json();
    assert_eq!((&told["owner"], &told["tags"][0], &told["exit_code"]), (&"data".into(), &"night".into(), &1.into()));
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn that_all_is_well_again_is_told_once_and_only_after_a_failure() {
    let server = Server::start(up());
    let sandbox = Sandbox::with(&alerters(&[&server]));
    sandbox.write("ok", "");
    tick(&sandbox, "02:00:05").expect(0);
    assert!(server.requests().is_empty());
    fs::remove_file(sandbox.path("ok")).unwrap();
    tick(&sandbox, "02:01:05").expect(1);
    sandbox.write("ok", "");
    tick(&sandbox, "02:02:05").expect(0);
    tick(&sandbox, "02:03:05").expect(0);
    assert_eq!(kinds(&server.requests()), ["gave_up", "recovered"]);
}

#[test]
fn what_is_refused_is_tried_for_a_day_and_then_dead() {
    let server = Server::start(Manner::status(410));
    let sandbox = Sandbox::with(&alerters(&[&server]).replace("* * * * *", "0 2 2 3 *"));
    // Each time the wait is twice as long.
    for (time, is_tried) in [
        ("02:00:05", true),
        ("02:00:50", false),
        ("02:01:06", true),
        ("02:02:30", false),
        ("02:03:08", true),
        ("08:00:00", true),
        ("08:07:00", false),
        ("12:00:00", true),
        ("12:14:00", false),
        ("12:16:00", true),
    ] {
        tick(&sandbox, time);
        assert_eq!(server.requests().len(), usize::from(is_tried), "{time}");
    }
    let waiting = &outbox(&sandbox)["waiting"][0];
    assert_eq!(waiting["refused"], serde_json::json!(["webhook-http"]));
    assert!(waiting["error"].as_str().unwrap().ends_with("the answer is 410"), "{waiting}");
    silent(sandbox.run("run-due --now 2026-03-03T02:00:06Z")).expect(0);
    assert!(server.requests().is_empty());
    let outbox = outbox(&sandbox);
    assert_eq!((&outbox["waiting"], &outbox["dead_ever"]), (&serde_json::json!([]), &1.into()));
    assert!(sandbox.run("alert list").stdout.contains("gave up: a@20260302T020000Z attempt 1"));
    let doctor = sandbox.run("doctor").stdout;
    assert!(
        doctor.contains("advice alerts         1 that nobody was told within a day, the newest of 2026-03-02"),
        "{doctor}"
    );
}

#[test]
fn an_address_that_is_mended_within_the_day_delivers_in_order() {
    let server = Server::start(Manner::status(404));
    let sandbox = Sandbox::with(&alerters(&[&server]));
    for time in ["02:00:05", "02:01:10"] {
        tick(&sandbox, time).expect(1);
        assert_eq!(
            ids(&server.requests()),
            ["gave_up/default/a@20260302T020000Z/1"],
            "the first holds the others back"
        );
    }
    server.behave(up());
    sandbox.write("ok", "");
    tick(&sandbox, "02:02:30").expect(0);
    assert!(server.requests().is_empty(), "it is not its time");
    tick(&sandbox, "02:03:15").expect(0);
    assert_eq!(kinds(&server.requests()), ["gave_up", "gave_up", "recovered"]);
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn an_alert_that_is_refused_for_what_is_in_it_is_passed_by_the_others() {
    let server = Server::start(Manner::status(422));
    let sandbox = Sandbox::with(&alerters(&[&server]));
    tick(&sandbox, "02:00:05").expect(1);
    assert_eq!(ids(&server.requests()).len(), 1);
    server.behave(up());
    tick(&sandbox, "02:01:00").expect(1);
    assert_eq!(ids(&server.requests()), ["gave_up/default/a@20260302T020100Z/1"]);
    tick(&sandbox, "02:01:30").expect(0);
    assert_eq!(ids(&server.requests()), ["gave_up/default/a@20260302T020000Z/1"]);
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn who_asks_for_time_is_left_alone_with_every_alert() {
    for (status, retry_after) in [(429, "Retry-After: 300\r\n"), (503, "Retry-After: 300\r\n")] {
        let (busy, other) = (Server::start(Manner::Answer(status, retry_after, String::new())), Server::start(up()));
        let sandbox = Sandbox::new();
        let b = "  b: { schedule: '* * * * *', command: 'false' }\n";
        sandbox.write("tickward.yaml", &format!("{}{b}", alerters(&[&busy, &other])));
        tick(&sandbox, "02:00:05").expect(1);
        assert_eq!(busy.requests().len(), 1, "after it has asked for time it is told nothing more");
        assert_eq!(other.requests().len(), 2);
        busy.behave(up());
        tick(&sandbox, "02:03:05").expect(1);
        assert_eq!((busy.requests().len(), other.requests().len()), (0, 4), "of both pipelines, missed ones too");
        tick(&sandbox, "02:05:10").expect(1);
        let told = ids(&busy.requests());
        assert_eq!((told.len(), waiting(&sandbox)), (2 + 4 + 4, 0), "{told:?}");
    }
}

#[test]
fn an_alerter_is_told_what_it_asks_for() {
    let (pages, other) = (Server::start(up()), Server::start(up()));
    let sandbox = Sandbox::with(&format!(
        "alerters:
  - {{ url: '{}', events: [missed] }}
  - {{ url: '{}', match: {{ tags: [day] }} }}
{FAILS}",
        url(&pages),
        url(&other)
    ));
    tick(&sandbox, "02:00:05").expect(1);
    tick(&sandbox, "02:10:05").expect(1);
    let missed = pages.request().json();
    let (first, last) = ("2026-03-02T02:01:00Z", "2026-03-02T02:09:00Z");
    assert_eq!((&missed["scheduled_for"], &missed["last_scheduled_for"]), (&first.into(), &last.into()));
    assert_eq!((&missed["kind"], &missed["count"]), (&"missed".into(), &9.into()));
    assert!(other.requests().is_empty());
    assert_eq!(waiting(&sandbox), 0);
}

#[test]
fn what_waits_of_one_pipeline_is_told_by_a_tick_of_others() {
    let server = Server::start(up());
    let sandbox = Sandbox::with(FAILS);
    tick(&sandbox, "02:00:05").expect(1);
    let alerters = format!("alerters: {{ url: '{}', match: {{ tags: [night] }} }}\n", url(&server));
    let other = "  b: { schedule: '@yearly', command: 'true' }\n";
    sandbox.write("tickward.yaml", &format!("{alerters}{FAILS}{other}"));
    sandbox.run("run-due --only b --now 2026-03-02T02:00:15Z").expect(0);
    assert_eq!(server.request().json()["owner"], "data");
    tick(&sandbox, "02:01:05").expect(1);
    assert_eq!(kinds(&server.requests()), ["gave_up"]);
    silent(sandbox.call_with(&["run-due", "--now", "2026-03-02T02:02:05Z"], &[("TICKWARD_ALERTERS", "")])).expect(1);
    sandbox.write("tickward.yaml", &format!("{alerters}pipelines:\n{other}"));
    tick(&sandbox, "02:02:15").expect(0);
    assert_eq!(kinds(&server.requests()), ["gave_up"], "of what is in no file here nobody knows the tags");
}
