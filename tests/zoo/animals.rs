//! The table of animals: what a body does, and what must come of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::cage;
use super::sandbox::Sandbox;

/// What an animal needs to be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// To be root, to run as another user.
    Root,
    /// To be root, to make tickward the first process of a namespace.
    Namespace,
    /// More time than a change should take to be tested.
    Time,
}

/// A body that misbehaves.
pub struct Animal {
    pub name: &'static str,
    /// In words, as the table shows it.
    pub does: &'static str,
    pub keys: &'static [&'static str],
    /// In YAML; `WORK` is the sandbox's folder.
    pub command: &'static str,
    pub outcome: &'static str,
    /// What the history says of it, in part.
    pub reason: &'static str,
    /// The tick ends within so many seconds.
    pub seconds: u64,
    pub needs: Needs,
    /// The tick dies, and another one records the end.
    pub takes_the_tick_along: bool,
    pub prepare: fn(&Sandbox),
    pub check: fn(&Sandbox, &Value),
}

/// A tick ends within this, also where the machine is busy; nothing here waits longer than 5 s for anything.
const SECONDS: u64 = 20;

const fn animal(name: &'static str, does: &'static str, outcome: &'static str, command: &'static str) -> Animal {
    Animal {
        name,
        does,
        keys: &[],
        command,
        outcome,
        reason: "",
        seconds: SECONDS,
        needs: Needs::Nothing,
        takes_the_tick_along: false,
        prepare: |_| {},
        check: |_, _| {},
    }
}

const fn because(reason: &'static str, animal: Animal) -> Animal {
    Animal { reason, ..animal }
}

const fn with(keys: &'static [&'static str], animal: Animal) -> Animal {
    Animal { keys, ..animal }
}

const SHORT: &[&str] = &["timeout: 400ms"];

fn file(sandbox: &Sandbox, name: &str, text: &str, mode: u32) {
    fs::write(sandbox.path(name), text).unwrap();
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn is_within_a_megabyte(sandbox: &Sandbox, attempt: &Value, bytes: u64) {
    assert_eq!(attempt["output_bytes"], bytes, "{attempt}");
    let on_disk = cage::output_bytes_on_disk(sandbox);
    assert!((900_000..=1_048_576).contains(&on_disk), "{on_disk} bytes on disk");
}

pub const ANIMALS: &[Animal] = &[
    with(SHORT, animal("deaf", "ignores SIGTERM", "timed_out", "\"trap '' TERM; while :; do sleep 0.05; done\"")),
    animal(
        "double-fork",
        "forks twice and leaves",
        "succeeded",
        "\"(sh -c 'sleep 600 >/dev/null 2>&1 &' &) >/dev/null 2>&1\"",
    ),
    animal(
        "daemon",
        "leaves a daemon in a session of its own",
        "succeeded",
        "\"setsid sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.1\"",
    ),
    animal(
        "deaf-daemon",
        "leaves a daemon that ignores SIGTERM",
        "succeeded",
        "|\nsetsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 &\nsleep 0.2",
    ),
    animal("pipe-holder", "leaves a child that holds the output open", "succeeded", "\"sleep 600 & exit 0\""),
    Animal {
        check: |sandbox, attempt| is_within_a_megabyte(sandbox, attempt, 200_000_000),
        ..with(
            &["limits: { output: 1M }"],
            animal("flood", "prints 200 MB", "succeeded", "[head, -c, '200000000', /dev/zero]"),
        )
    },
    Animal {
        check: |sandbox, attempt| is_within_a_megabyte(sandbox, attempt, 10_000_000_000),
        needs: Needs::Time,
        seconds: 300,
        ..with(
            &["limits: { output: 1M }"],
            animal("deluge", "prints 10 GB", "succeeded", "[head, -c, '10000000000', /dev/zero]"),
        )
    },
    Animal {
        check: cage::assert_shown_harmless,
        ..animal(
            "garbler",
            "prints NUL, escape sequences and invalid UTF-8",
            "succeeded",
            r#""printf 'a\\000b\\033[31mred\\033[0m\\377\\376\\033]0;title\\007\\rend\\n'""#,
        )
    },
    because(
        "exit code",
        with(
            &["limits: { memory: 100M }"],
            animal(
                "glutton",
                "wants three times its memory limit",
                "failed",
                "[sh, -c, 'head -c 300000000 /dev/zero | tail -c 300000000 >/dev/null']",
            ),
        ),
    ),
    because(
        "exit code 7",
        animal("mute", "closes its output and goes on", "failed", "\"exec >&- 2>&-; sleep 0.2; exit 7\""),
    ),
    with(SHORT, animal("sleeper", "stops itself with SIGSTOP", "timed_out", "\"kill -STOP $$; exit 0\"")),
    because(
        "the process that watched over it is gone",
        animal(
            "parricide",
            "kills its parent, the supervisor",
            "lost",
            "\"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $PPID; sleep 600\"",
        ),
    ),
    Animal {
        takes_the_tick_along: true,
        ..because(
            "the process that ran it is gone",
            animal(
                "regicide",
                "kills the tick",
                "lost",
                "\"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $(awk '/^PPid/ { print $2 }' /proc/$PPID/status); sleep 600\"",
            ),
        )
    },
    Animal {
        takes_the_tick_along: true,
        ..because(
            "the process that ran it is gone",
            animal(
                "anarchist",
                "kills tick and supervisor at once",
                "lost",
                "\"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $(awk '/^PPid/ { print $2 }' /proc/$PPID/status) $PPID; sleep 600\"",
            ),
        )
    },
    Animal {
        takes_the_tick_along: true,
        ..with(
            &[
                "hooks: { before: \"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $(awk '/^PPid/ { print $2 }' /proc/$PPID/status); sleep 600\" }",
            ],
            because(
                "the process that ran it is gone",
                animal("page", "has a hook before it that kills the tick", "lost", "'true'"),
            ),
        )
    },
    Animal {
        takes_the_tick_along: true,
        ..with(
            &[
                "hooks: { after: \"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $(awk '/^PPid/ { print $2 }' /proc/$PPID/status) $PPID; sleep 600\" }",
            ],
            because(
                "the process that ran it is gone",
                animal("heir", "has a hook after it that kills tick and supervisor", "lost", "'true'"),
            ),
        )
    },
    with(
        &["hooks: { after: \"setsid sleep 600 >/dev/null 2>&1 & kill -KILL $PPID; sleep 600\" }"],
        because(
            "the `after` hook is lost",
            animal("mourner", "has a hook after it that kills the supervisor", "succeeded", "'true'"),
        ),
    ),
    because(
        "exit code 3",
        animal(
            "sawyer",
            "removes its own working directory",
            "failed",
            "\"mkdir gone && cd gone && rmdir ../gone && sleep 0.1; exit 3\"",
        ),
    ),
    Animal {
        prepare: |sandbox| file(sandbox, "script", "#!/not/here\n", 0o700),
        ..because(
            "not the interpreter that it names",
            animal("orphan-script", "has no interpreter", "failed", "[WORK/script]"),
        )
    },
    because("is a folder", animal("folder", "is a folder", "failed", "[WORK]")),
    Animal {
        prepare: |sandbox| file(sandbox, "text", "echo hello\n", 0o700),
        ..because(
            "nor a script with a `#!` line",
            animal("text", "is a text without a `#!` line", "failed", "[WORK/text]"),
        )
    },
    Animal {
        prepare: |sandbox| file(sandbox, "plain", "#!/bin/sh\n", 0o600),
        ..because(
            "may not be executed by this user",
            animal("plain-file", "may not be executed", "failed", "[WORK/plain]"),
        )
    },
    because(
        "exit code 4",
        animal(
            "impostor",
            "calls itself `) Z 1 1` and a line break, as does its daemon",
            "failed",
            "|\nprintf ') Z 1 1\\n(' > /proc/$$/comm\nsetsid sh -c 'printf \") Z 0\\n\" > /proc/$$/comm; sleep 600; :' </dev/null >/dev/null 2>&1 &\nsleep 0.2\nexit 4",
        ),
    ),
    Animal {
        needs: Needs::Root,
        ..with(
            &["user: nobody", "timeout: 2s"],
            because(
                "exit code",
                animal(
                    "storm",
                    "forks until its limit of processes is reached",
                    "failed",
                    "\"ulimit -p 100; while :; do setsid sleep 600 >/dev/null 2>&1 & done\"",
                ),
            ),
        )
    },
    with(
        &["timeout: 1s"],
        animal(
            "swarm",
            "has 300 children that ignore SIGTERM",
            "timed_out",
            "|\ntrap '' TERM\ni=0\nwhile [ $i -lt 300 ]; do sleep 600 >/dev/null 2>&1 & i=$((i+1)); done\nwait",
        ),
    ),
    Animal {
        needs: Needs::Namespace,
        seconds: 60,
        ..animal(
            "thousand",
            "leaves 1,000 orphans to tickward as the first process",
            "succeeded",
            "|\ni=0\nwhile [ $i -lt 1000 ]; do (setsid sleep 600 </dev/null >/dev/null 2>&1 &); i=$((i+1)); done",
        )
    },
];
