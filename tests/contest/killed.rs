//! Ticks over a server, or a DuckDB file, that are killed: what a later tick on the same host makes of what they left.

use super::Case;
use super::kills::{Victim, killed_anywhere, wanted};
use super::sandbox::{ENTER, Sandbox};

/// A claim of the dead holds until its lease is over: what is due meanwhile starts beside it.
fn on_server(url: &str) -> String {
    format!("run_log: '{url}'\ndefaults: {{ kill_grace: 1s, lease: 3s, overlap: {{ policy: allow, max: 100 }} }}")
}

/// Start marks tell at once what never started.
fn on_file(url: &str) -> String {
    format!("run_log: '{url}'\ndefaults: {{ kill_grace: 1s }}")
}

pub const ON_SERVERS: &[Case] = &[
    ("ticks_killed_anywhere_lose_no_occurrence_and_double_none", |url| killed(&on_server(url), Victim::Tick)),
    ("supervisors_killed_anywhere_lose_no_occurrence_and_double_none", |url| {
        killed(&on_server(url), Victim::Supervisor)
    }),
    ("both_killed_at_once_lose_no_occurrence_and_leave_nothing", |url| killed(&on_server(url), Victim::Both)),
    ("what_a_killed_tick_has_started_holds_its_claim_until_it_must_have_ended", the_supervisor_ends_it_first),
];

pub const ON_FILE: &[Case] = &[
    ("ticks_killed_anywhere_lose_no_occurrence_and_double_none", |url| killed(&on_file(url), Victim::Tick)),
    ("supervisors_killed_anywhere_lose_no_occurrence_and_double_none", |url| killed(&on_file(url), Victim::Supervisor)),
    ("both_killed_at_once_lose_no_occurrence_and_leave_nothing", |url| killed(&on_file(url), Victim::Both)),
];

/// A fifth of the rounds that are asked for on SQLite.
fn killed(defaults: &str, victim: Victim) {
    killed_anywhere(defaults, victim, wanted(50) / 5);
}

/// The supervisor gives a command that ignores TERM its `kill_grace` when the tick is gone: nothing starts beside it.
fn the_supervisor_ends_it_first(url: &str) {
    let body = format!("{ENTER}; test $TICKWARD_ATTEMPT = 1 || exit 0; trap '' TERM; sleep 600 & wait; sleep 600");
    let sandbox = Sandbox::new();
    sandbox.write("body", &body);
    sandbox.write(
        "tickward.yaml",
        &format!(
            "run_log: '{url}'\npipelines: {{ one: {{ schedule: '* * * * *', command: sh body, kill_grace: 2s, lease: 8s, \
             retry: {{ max_attempts: 2, delay: 0s, when_next_due: finish_first }} }} }}"
        ),
    );
    let mut tick = sandbox.start("run-due --now 2026-03-02T02:00:05Z");
    sandbox.wait("it to run", || sandbox.starts().len() == 1);
    tick.kill().unwrap();
    tick.wait().unwrap();
    let next = sandbox.tick("2026-03-02T02:00:15Z");
    let states: Vec<String> = sandbox.attempts().into_iter().map(|attempt| attempt.3).collect();
    assert_eq!(states, ["running"], "{next}");
    assert_eq!(sandbox.starts().len(), 1);
    sandbox.assert_nothing_left();
}
