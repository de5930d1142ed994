//! The exact words for every kind of mistake in a pipeline.

use tickward::config::Problem;

use super::{document, loaded, names, printed};

/// Lines of a pipeline; line and column of the mistake in the document; message; help.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    // keys
    ("scheduel: x", "3:5", "unknown key `scheduel`", "did you mean `schedule`?"),
    ("cron: x", "3:5", "unknown key `cron`", "did you mean `schedule`?"),
    ("retry: { attempts: 3 }", "3:14", "unknown key `attempts` in `retry`", "did you mean `max_attempts`?"),
    ("limits: { cpu: 3 }", "3:15", "unknown key `cpu` in `limits`", "use one of: memory, output"),
    ("owner: a\nowner: b", "4:5", "`owner` is given twice", "the first is in line 3; keep one"),
    ("env: { A: a, A: b }", "3:18", "`A` is given twice", "the first is in line 3; keep one"),
    ("? [a]\n: b", "3:7", "a key that is not a single word", "write `key: value`"),
    ("depends_on: [a]", "3:18", "`depends_on`: no pipeline is called `a`", "add it, or take it out of `depends_on`"),
    ("depends_on: [p]", "3:18", "`depends_on` goes in a circle: `p` waits for `p`", "take one of these steps out"),
    ("depends_on: [a b]", "3:18", "`depends_on`: name `a b` contains ' '", "use letters, digits and . _ / - only, 128 at most"),
    ("depends_on: { accept: partial }", "3:17", "an element of `depends_on` names no `pipeline`", "write `{ pipeline: NAME, … }`"),
    ("depends_on: { pipeline: good, acept: x }", "3:35", "unknown key `acept` in `depends_on`", "did you mean `accept`?"),
    ("depends_on: { pipeline: good, accept: [] }", "3:43", "`accept` is an empty list", "name what counts: [succeeded] or [succeeded, partial], or leave it out for both"),
    ("previously: p", "3:17", "`previously`: a pipeline is still called `p`", "rename or remove that one, or take `previously` out"),
    ("overlap: { policy: skip, max: 3 }", "3:30", "`max` goes only with `policy: allow`", "write `policy: allow`, or leave it out"),
    ("overlap: { max: 3 }", "3:14", "`overlap` has no `policy`", "write `{ policy: allow, max: 3 }`"),
    ("on_gave_up: stop", "3:17", "`on_gave_up`: unknown value `stop`", "use one of: next, hold"),
    ("idempotent: 1", "3:17", "`idempotent`: unknown value `1`", "use one of: true, false"),
    ("overlap: Forbd", "3:14", "`overlap`: unknown value `Forbd`", "did you mean `Forbid`?"),
    // types
    ("timeout: [1h]", "3:14", "`timeout` is a list", "write a duration like 90s or 1h30m"),
    ("retry: 3", "3:12", "`retry` is a single value", "write `retry: { max_attempts: 3 }`"),
    ("retry: often", "3:12", "`retry` is a single value", "write a mapping: `key: value` pairs, indented below it"),
    ("max_attempts: 3", "3:5", "unknown key `max_attempts`", "it belongs below `retry`, indented further: `retry: { max_attempts: … }`"),
    ("env: [A=b]", "3:10", "`env` is a list", "write a mapping: `key: value` pairs, indented below it"),
    ("owner: !vault x", "3:19", "`owner` has a YAML tag, which is not understood", "leave the tag out"),
    ("env: { A: ~ }", "3:15", "variable `A` is empty", "write a text, in quotes where it is empty"),
    ("<<: x", "3:9", "`<<` merges no mapping", "write `<<: *name` of a mapping"),
    // durations, sizes, numbers
    ("timeout: 30", "3:14", "`timeout`: `30` is not a duration", "write 30s if seconds are meant"),
    ("timeout: 0s", "3:14", "`timeout` cannot be zero", "write a longer one, or leave `timeout` empty for what is built in"),
    ("timeout: -5m", "3:14", "`timeout`: `-5m` is not a duration", "a duration cannot be negative"),
    ("limits: { memory: 1.5G }", "3:23", "`memory`: `1.5G` is not a size", "write a number of bytes or a number and a unit, for example 512M, 1G or 10MB"),
    ("limits: { memory: 0 }", "3:23", "`memory` cannot be zero", "leave it out for no limit"),
    ("retry: { max_attempts: 0 }", "3:28", "`max_attempts`: 0 is out of range", "use a whole number from 1 to 1000"),
    ("retry: { max_attempts: many }", "3:28", "`max_attempts`: `many` is not a whole number", "use a whole number from 1 to 1000"),
    ("retry: { jitter: 200% }", "3:22", "`jitter`: `200%` is not a percentage", "write a whole number from 0% to 100%"),
    ("retry: { backoff: exponental }", "3:23", "`backoff`: unknown value `exponental`", "did you mean `exponential`?"),
    ("inherit_env: yes", "3:18", "`inherit_env`: unknown value `yes`", "use one of: true, false"),
    // what does not fit together
    ("kill_grace: 2m", "3:17", "`kill_grace` of 2m is over a third of the `lease` of 5m", "use at most 1m40s for `kill_grace`, or a lease of 6m"),
    ("lease: 15s", "3:12", "`kill_grace` of 10s is over a third of the `lease` of 15s", "use at most 5s for `kill_grace`, or a lease of 30s"),
    ("retry: { delay: 1h, max_delay: 1m }", "3:36", "`max_delay` of 1m is shorter than the `delay` of 1h", "use at least 1h for `max_delay`"),
    ("catch_up: { max: 3 }", "3:15", "`catch_up` has no `policy`", "write `{ policy: all, … }`"),
    ("catch_up: { policy: latest, max: 3 }", "3:33", "`max` goes only with `policy: all`", "write `policy: all`, or leave it out"),
    ("exit_codes: { 256: fatal }", "3:19", "`256` is not an exit code", "use a whole number from 0 to 255, or `preset`"),
    ("exit_codes: clinkr", "3:17", "`exit_codes`: unknown value `clinkr`", "did you mean `clinker`?"),
    ("exit_codes: { preset: x }", "3:27", "`preset`: unknown value `x`", "use one of: clinker, quicketl, sysexits, rsync, restic"),
    ("hooks: { befor: x }", "3:14", "unknown key `befor` in `hooks`", "did you mean `before`?"),
    ("hooks: { after: { timeout: 5s } }", "3:21", "the `after` hook has no `command`", "write a command, or `{ command: …, timeout: … }`"),
    ("hooks: { after: [] }", "3:21", "`after` is an empty list", "write the program and its arguments"),
    ("results: jsn", "3:14", "`results`: unknown value `jsn`", "did you mean `json`?"),
    ("results: { dql: x }", "3:16", "unknown key `dql` in `results`", "did you mean `dlq`?"),
    ("exit_codes: { 1: fatl }", "3:22", "`1`: unknown value `fatl`", "did you mean `fatal`?"),
    // command and surroundings
    ("command: []", "3:14", "`command` is an empty list", "write the program and its arguments"),
    ("command: ''", "3:14", "`command` is empty", "write a list of program and arguments, or a line for the shell"),
    ("command: [~]", "3:15", "an element of `command` is empty", "write a text, in quotes where it is empty"),
    ("command: [[x]]", "3:15", "an element of `command` is a list", "write a text, in quotes where it is empty"),
    ("command: [\"\"]", "3:15", "`command` starts with an empty text", "start with the program"),
    ("command: [\"a\\0b\"]", "3:15", "an element of `command` contains a NUL byte", "leave it out"),
    ("command: [x, \"a {{ atempt }}\"]", "3:24", "unknown template value `atempt`", "did you mean `attempt`?"),
    ("command: [x, 'a {{ atempt']", "3:21", "`{{` is never closed", "close it with `}}`, or write `{{{{` for a literal `{{`"),
    ("env: { A: \"\\u00e9 {{ atempt }}\" }", "3:15", "unknown template value `atempt`", "did you mean `attempt`?"),
    ("env: { A: {{ attempt }} }", "3:15", "variable `A` is a YAML mapping", "put the template into double quotes"),
    ("env: { TICKWARD_RUN_ID: x }", "3:12", "`TICKWARD_RUN_ID` is set by tickward itself", "use another name"),
    ("env: { A=B: x }", "3:12", "`A=B` is no name of a variable", "use letters, digits and _"),
    ("env: { \"A\\nB\": x }", "3:12", "`A\u{fffd}B` is no name of a variable", "use letters, digits and _"),
    ("env: { \"A\\0B\": x }", "3:12", "`A\u{fffd}B` is no name of a variable", "use letters, digits and _"),
    ("env: { '': x }", "3:12", "the name of a variable is empty", "write `NAME: value`"),
    ("stdin: { txt: x }", "3:14", "unknown key `txt` in `stdin`", "did you mean `text`?"),
    ("stdin: {}", "3:12", "`stdin` needs one key", "write `{ text: … }` or `{ file: … }`"),
    // variables
    ("owner: a ${NOT_SET}", "3:14", "the variable `NOT_SET` is not set", "set it, or give a default: `${NOT_SET:-default}`"),
    ("owner: \"${NOT_SET:?ask bob}\"", "3:13", "the variable `NOT_SET` is not set: ask bob", "set `NOT_SET`"),
    ("timeout: ${N}", "3:14", "`timeout`: `${N}` with its variables filled in is not a duration like 90s or 1h30m", "look at what the variables are set to"),
    ("schedule: \"${N} * * * *\"", "3:15", "`schedule`: `${N} * * * *` with its variables filled in is not a schedule", "look at what the variables are set to"),
    // schedule and zone
    ("schedule: \"0 2 * * 8\"", "3:24", "day of week `8` is out of range", "use 0 to 7, or a name from sun to sat"),
    ("schedule: 0 2 * * 8", "3:23", "day of week `8` is out of range", "use 0 to 7, or a name from sun to sat"),
    ("schedule: ['@hourly', '0 2 * * 8']", "3:36", "day of week `8` is out of range", "use 0 to 7, or a name from sun to sat"),
    ("schedule: >-\n  0 2\n  * * 8", "4:7", "day of week `8` is out of range", "use 0 to 7, or a name from sun to sat"),
    ("schedule: '*:*/15'", "3:18", "minute `*` takes no step", "write `0/15`: steps count from a value"),
    ("schedule: [daily, at 2026-02-30 09:00]", "3:26", "date `2026-02-30` does not exist", "use year, month, day"),
    ("schedule: []", "3:15", "`schedule` is an empty list", "leave it out to run by hand only"),
    ("timezone: Europe/Berlim", "3:15", "time zone `Europe/Berlim` is not known", "did you mean `Europe/Berlin`?"),
    ("namespace: a b", "3:16", "`namespace`: name `a b` contains ' '", "use letters, digits and . _ / - only, 128 at most"),
];

/// Line and column; nothing where it has none.
fn at(problem: &Problem) -> String {
    problem.place.as_ref().map(|place| format!("{}:{}", place.line, place.column)).unwrap_or_default()
}

#[test]
fn every_mistake_has_its_words_and_its_place() {
    let mut wrong = String::new();
    for (lines, place, message, help) in MISTAKES {
        let loaded = loaded(&document(lines));
        let found: Vec<_> = loaded
            .problems
            .iter()
            .map(|p| (at(p), p.message.as_str(), p.help.as_deref().unwrap_or_default()))
            .collect();
        if found != [((*place).to_owned(), *message, *help)] {
            wrong.push_str(&format!("{lines}\n  is    {found:?}\n  not   {:?}\n", (place, message, help)));
        }
        assert_eq!((loaded.pipelines.len(), loaded.broken.as_slice()), (0, &["p".to_owned()][..]), "{lines}");
        assert_eq!(loaded.problems[0].pipeline.as_deref(), Some("p"), "{lines}");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn all_mistakes_of_all_pipelines_come_at_once_in_the_order_of_the_file() {
    let loaded = loaded(
        "pipelines:\n  a: { command: [x], timeout: 5, owner: [] }\n  good: { command: [x] }\n  b: {}\n  c d: { command: [x] }\n  e: [x]\n  good: { command: [y] }\n",
    );
    let found: Vec<String> = loaded
        .problems
        .iter()
        .map(|p| format!("{} {} {}", p.place.as_ref().unwrap().line, p.pipeline.as_deref().unwrap(), p.message))
        .collect();
    assert_eq!(
        found,
        [
            "2 a `timeout`: `5` is not a duration",
            "2 a `owner` is a list",
            "4 b no `command`",
            "5 c d name `c d` contains ' '",
            "6 e the pipeline is a list",
            "7 good the name is taken by t.yaml:3",
        ]
    );
    assert_eq!(
        (names(&loaded), loaded.broken.as_slice()),
        (vec!["good"], &["a", "b", "c d", "e", "good"].map(String::from)[..])
    );
}

#[test]
fn a_mistake_at_the_top_breaks_what_it_governs() {
    for (top, broken, line) in [
        ("executors: []", &[][..], "error: this version does not support `executors`"),
        ("defaults: { timeout: 5 }", &["p"], "error: `timeout`: `5` is not a duration"),
        ("defaults: { tmeout: 5s }", &["p", "q"], "error: unknown key `tmeout`"),
        ("defaults: { lease: 15s }", &["p", "q"], "error: `kill_grace` of 10s is over a third of the `lease` of 15s"),
        ("defaults: { command: x }", &["p", "q"], "error: `command` cannot be a default"),
        ("defaults: { depends_on: [] }", &["p", "q"], "error: `depends_on` cannot be a default"),
        ("timezone: Nowhere", &["p", "q"], "error: time zone `Nowhere` is not known"),
        ("timezon: UTC", &["p", "q"], "error: unknown key `timezon`"),
        ("timeout: 1h", &["p", "q"], "error: unknown key `timeout`"),
        ("namespace: a b", &["p", "q"], "error: `namespace`: name `a b` contains ' '"),
        ("run_log: [x]", &[], "error: `run_log` is a list"),
    ] {
        let loaded =
            loaded(&format!("{top}\npipelines:\n  p: {{ command: [x] }}\n  q: {{ command: [x], timeout: 1m }}\n"));
        assert_eq!(printed(&loaded).lines().next(), Some(line), "{top}");
        assert_eq!(
            (loaded.broken.as_slice(), loaded.problems.len()),
            (&broken.iter().map(|b| (*b).to_owned()).collect::<Vec<_>>()[..], 1),
            "{top}"
        );
    }
}

#[test]
fn warnings_break_nothing() {
    let expected = "\
warning: pipeline `p`: the retry delay of 10m is longer than the schedule's period of 5m
  --> t.yaml:4:37
   |
 4 |     retry: { max_attempts: 2, delay: 10m }
   |                                      ^
help: the next occurrence falls due before the retry: use a shorter `delay`, or fewer occurrences
warning: pipeline `p`: `{{ attempt }}` in a shell line is left as it stands
  --> t.yaml:5:19
   |
 5 |     command: echo {{ attempt }} {{ host }}
   |                   ^
help: put it into `env:` and use the variable, or write the command as a list
";
    let loaded = loaded(&document(
        "schedule: every 5m\nretry: { max_attempts: 2, delay: 10m }\ncommand: echo {{ attempt }} {{ host }}",
    ));
    assert_eq!(printed(&loaded), expected.replace("4:37", "4:38"));
    assert!(!loaded.has_errors() && loaded.pipelines.len() == 1);
}

#[test]
fn syntax_errors_say_where() {
    for (text, first) in [
        ("pipelines:\n\tp:\n", "t.yaml:2:"),
        ("pipelines:\n  p:\n    schedule: */5 * * * *\n", "t.yaml:3:"),
        ("pipelines: {\n", "t.yaml:1:12"),
        ("a: *no\n", "t.yaml:1:"),
    ] {
        let loaded = loaded(text);
        assert_eq!(loaded.problems.len(), 1);
        assert!(printed(&loaded).contains(first), "{}", printed(&loaded));
        assert!(loaded.pipelines.is_empty());
    }
}

#[test]
fn what_begins_with_a_sign_of_yaml_is_to_be_quoted_wherever_it_stands() {
    for (text, place) in [
        ("pipelines:\n  p:\n    schedule: */5 * * * *\n", "3:15"),
        ("pipelines:\n  p:\n    schedule: * * * * *\n", "3:15"),
        ("pipelines:\n  p:\n    schedule:\n      */5 * * * *\n", "4:11"),
        ("pipelines:\n  p:\n    schedule:\n      - */5 * * * *\n", "4:13"),
        ("pipelines:\n  p:\n    schedule: [*/5 * * * *, '@hourly']\n", "3:20"),
        ("pipelines:\n  p: { schedule: */5 * * * * }\n", "2:18"),
        ("pipelines:\n  p: { schedule: * * * * * }\n", "2:18"),
        ("pipelines:\n  p: { command: x, schedule: */5 * * * * }\n", "2:30"),
        ("pipelines:\n  p: { schedule: @hourly, command: x }\n", "2:18"),
        ("pipelines: { p: { schedule: */5 * * * *, command: x } }\n", "1:29"),
        ("pipelines: { p: {\n  schedule: */5 * * * *,\n  command: x } }\n", "2:13"),
        ("pipelines: {é: { schedule: *no } }\n", "1:28"),
    ] {
        let printed = printed(&loaded(text));
        assert!(printed.contains(&format!("t.yaml:{place}\n")), "{text}: {printed}");
        assert!(printed.contains("\nhelp: put the value in double quotes"), "{text}: {printed}");
    }
    for text in ["pipelines: { p: { command: x\n", "pipelines: { p: { command: x: y } }\n"] {
        assert!(!printed(&loaded(text)).contains("double quotes"), "{text}");
    }
}

#[test]
fn mistakes_of_the_parser_s_own_say_what_to_do() {
    let deep = "use fewer: lists and mappings may stand 64 deep in each other at most";
    let nul = "take it out; UTF-16 has it beside each letter: save the file as UTF-8";
    let control = "take it out, or write it as an escape in double quotes: \"\\x07\"";
    for (text, place, message, help) in [
        ("a: ".to_owned() + &"[".repeat(100), "1:68", "recursion limit exceeded", deep),
        ((0..80).map(|depth| " ".repeat(depth) + "a:\n").collect(), "65:65", "recursion limit exceeded", deep),
        (
            "pipelines: &all\n  p: *all\n".into(),
            "2:6",
            "an alias inside of what it stands for",
            "write out what is meant, or move the anchor (`&name`) to what has no alias of it inside",
        ),
        ("a: b\0c\n".into(), "1:5", "unexpected character: `\\u{0}'", nul),
        ("a\0:\0 \0b\0".into(), "1:2", "unexpected character: `\\u{0}'", nul),
        ("a: b\u{7}c\n".into(), "1:5", "unexpected character: `\\u{7}'", control),
        ("a: \"b\u{7}c\"\n".into(), "1:6", "unexpected character: `\\u{7}'", control),
    ] {
        let loaded = loaded(&text);
        let found: Vec<_> = loaded.problems.iter().map(|p| (at(p), p.message.as_str(), p.help.as_deref())).collect();
        assert_eq!(found, [(place.to_owned(), message, Some(help))], "{text:?}");
    }
}

#[test]
fn what_is_too_long_to_be_read_is_cut() {
    let long = |c: &str| c.repeat(20_000);
    let cut = |c: &str| c.repeat(200) + "…";
    for (lines, place, message) in [
        (format!("schedule: {}", long("x")), "3:15", format!("schedule `{}` is not understood", cut("x"))),
        (
            format!("owner: \"${{NOT_SET:?{}}}\"", long("é")),
            "3:13",
            format!("the variable `NOT_SET` is not set: {}", cut("é")),
        ),
        (
            format!("owner: \"${{NOT_SET:?{}postgres://u:hunter2@h/d}}\"", "x ".repeat(93)),
            "3:13",
            format!("the variable `NOT_SET` is not set: {}postgres://u:*…", "x ".repeat(93)),
        ),
        (
            format!("owner: a\ntimeout: \"${{N}}{}\"", long("x")),
            "4:14",
            format!(
                "`timeout`: `{}` with its variables filled in is not a duration like 90s or 1h30m",
                format!("${{N}}{}", long("x")).chars().take(200).chain(['…']).collect::<String>()
            ),
        ),
        (
            format!("command: [x, \"{} {{{{ {} }}}}\"]", "y ".repeat(300), long("x")),
            "3:623",
            format!("unknown template value `{}`", cut("x")),
        ),
        (format!("{}: x", "k".repeat(1000)), "3:5", format!("unknown key `{}`", cut("k"))),
    ] {
        let loaded = loaded(&document(&lines));
        let [problem] = loaded.problems.as_slice() else { panic!("{:?}", loaded.problems.len()) };
        assert_eq!((at(problem).as_str(), &problem.message), (place, &message));
        let printed = problem.to_string();
        assert!(!printed.contains("hunter"), "{printed}");
        assert!(printed.lines().all(|line| line.chars().count() < 700), "{printed}");
        let (shown, caret) = (printed.lines().nth(3).unwrap(), printed.lines().nth(4).unwrap());
        let pointed_at = shown.chars().nth(caret.chars().count() - 1);
        assert_eq!(pointed_at, lines.lines().last().and_then(|line| line.chars().nth(pointed(place))), "{printed}");
    }
    let quotes = loaded(&document(&format!("timeout: \"{}\"", "`a".repeat(10_000))));
    assert!(quotes.problems[0].message.chars().count() <= 2001, "however it is divided");
    let name = loaded(&format!("pipelines: {{ {}: {{ command: [x] }} }}\n", "k".repeat(1000)));
    assert_eq!(name.problems[0].pipeline.as_deref(), Some(&*("k".repeat(200) + "…")));
}

/// How many characters stand before a place in its line of a pipeline, which has been indented by four.
fn pointed(place: &str) -> usize {
    place.split_once(':').and_then(|(_, column)| column.parse::<usize>().ok()).map_or(0, |column| column - 5)
}
