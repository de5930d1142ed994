//! A body that each signal from 1 to 31 hits: its outcome, and the signal's name in the history.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use super::sandbox::Sandbox;

/// What the kernel does with a signal that nobody handles, see signal(7).
fn expected(signal: Signal) -> (&'static str, String) {
    match signal {
        Signal::SIGCHLD | Signal::SIGCONT | Signal::SIGURG | Signal::SIGWINCH => ("succeeded", String::new()),
        // The body leads a session whose terminal nobody has: there, these three stop nothing.
        Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => ("succeeded", String::new()),
        Signal::SIGSTOP => ("timed_out", "took longer than".into()),
        _ => ("failed", format!("ended by signal {}", signal.as_str())),
    }
}

/// All of them in one tick.
pub fn each_signal_is_named() {
    let numbers = 1..=31;
    let pipelines = numbers.clone().map(|number| {
        let command = format!("\"ulimit -c 0; kill -{number} $$; exit 0\"");
        format!("  s{number}: {{ schedule: '* * * * *', timeout: 2s, command: {command} }}\n")
    });
    let config = format!("defaults: {{ kill_grace: 200ms }}\npipelines:\n{}", pipelines.collect::<String>());
    let sandbox = Sandbox::with(&config);
    sandbox.run("run-due --now 2026-03-02T02:00:05Z").expect(1);
    let history = sandbox.run("history -o json -n 100").expect(0).json();
    let of_attempt = |attempt: &serde_json::Value| {
        let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_string();
        (text("pipeline"), (text("state"), text("error")))
    };
    let seen: BTreeMap<_, _> = history.as_array().unwrap().iter().map(of_attempt).collect();
    for number in numbers {
        let signal = Signal::try_from(number).unwrap();
        let (outcome, reason) = expected(signal);
        let (state, error) = &seen[&format!("s{number}")];
        assert_eq!(state, outcome, "{signal}: {error}");
        assert!(error.contains(&reason), "{signal}: {error}");
    }
    assert!(sandbox.left().is_empty(), "left: {:?}", sandbox.left());
}
