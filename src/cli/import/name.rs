//! Finds a name for a pipeline in its command.
//!
//! Holds always: a name is valid and differs from all that were given before, also where case does not count.

use std::collections::HashSet;

use super::simple::{PUT_IN, commands, without_expansions};

mod site;

/// Characters that a name may have, less what a number at its end may need.
const LONGEST: usize = 64;

/// Names by which other programs are started.
const WRAPPERS: [&str; 24] = [
    "nice",
    "ionice",
    "sudo",
    "env",
    "exec",
    "nohup",
    "time",
    "chronic",
    "setsid",
    "cronic",
    "timeout",
    "flock",
    "command",
    "chrt",
    "systemd-cat",
    "stdbuf",
    "doas",
    "cronitor",
    "runuser",
    "taskset",
    "unbuffer",
    "systemd-inhibit",
    "builtin",
    "caffeinate",
];

/// Programs that are told by a script which program to be.
const INTERPRETERS: [&str; 14] = [
    "sh", "bash", "dash", "zsh", "ksh", "python", "python2", "python3", "perl", "ruby", "php", "node", "Rscript",
    "java",
];

/// Those of them that are shells.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "zsh", "ksh"];

/// Endings that say what a script is written in.
const ENDINGS: [&str; 10] = [".sh", ".bash", ".py", ".pl", ".rb", ".php", ".js", ".R", ".jar", ".cron"];

/// Programs that are told by an address what to do.
const FETCHERS: [&str; 5] = ["curl", "wget", "http", "https", "lynx"];

/// Programs that run a command in a place of its own: `exec`, options, the place, the command.
const CONTAINERS: [&str; 2] = ["docker", "podman"];

/// Options of theirs that have a value.
const WITH_VALUE: [&str; 8] = ["-e", "--env", "-u", "--user", "-w", "--workdir", "--env-file", "--detach-keys"];

/// Lines within lines are looked into so deep.
const DEEPEST: usize = 3;

/// What a command is called after.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    word: String,
    /// What tells it from others of the same program: the word after it.
    more: Option<String>,
}

impl Found {
    fn of(word: &str) -> Found {
        Found { word: word.to_owned(), more: None }
    }
}

/// Gives names, none of them twice.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A name for what this command does.
    pub fn for_command(&mut self, command: &str) -> String {
        let found = found_in(command, DEEPEST).unwrap_or(Found::of(""));
        let wanted = cleaned(&found.word);
        let told_apart = found.more.map(|more| format!("{wanted}-{}", cleaned(&more)));
        for name in [Some(wanted.clone()), told_apart].into_iter().flatten() {
            if self.taken.insert(name.to_lowercase()) {
                return name;
            }
        }
        let mut numbered = (2..).map(|number| format!("{wanted}-{number}"));
        numbered.find(|name| self.taken.insert(name.to_lowercase())).unwrap_or(wanted)
    }
}

/// What of a command says best what it does: its first real command, past what prepares it or asks whether it is wanted.
fn found_in(command: &str, deepest: usize) -> Option<Found> {
    let line = without_expansions(command);
    let programs: Vec<(Found, bool)> = commands(&line)
        .iter()
        .filter_map(|command| {
            let found = program_of(&command.words, deepest)?;
            let is_before = command.is_before(file_name(&found.word));
            Some((found, is_before))
        })
        .collect();
    let main = programs.iter().find(|(_, is_before)| !is_before);
    main.or(programs.last()).map(|(found, _)| found.clone())
}

/// The program of a simple command, past assignments, wrappers and interpreters.
fn program_of(words: &[&str], deepest: usize) -> Option<Found> {
    let mut words = words.iter().copied().map(|word| word.trim_matches(['"', '\''])).peekable();
    let mut best = None;
    while let Some(word) = words.next() {
        let is_setting =
            word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        if is_setting || word == PUT_IN {
            continue;
        }
        let name = file_name(word);
        if FETCHERS.contains(&name) {
            return Some(Found::of(&words.find_map(site::name).unwrap_or(name.to_owned())));
        }
        if CONTAINERS.contains(&name)
            && let Some(words) = within_container(words.clone())
        {
            return program_of(&words, deepest).or(best).or(Some(Found::of(word)));
        }
        if name == "su" {
            let line = words.skip_while(|word| !["-c", "--command"].contains(word)).nth(1);
            return within(line, deepest).or(Some(Found::of(word)));
        }
        let wraps = WRAPPERS.contains(&name);
        if !wraps && !INTERPRETERS.contains(&name) {
            let more = words.next().filter(|more| is_a_word(file_name(more)));
            return Some(Found { word: word.to_owned(), more: more.map(str::to_owned) });
        }
        best = best.or(Some(Found::of(word)));
        while let Some(option) = words.next_if(|word| word.starts_with('-')) {
            let is_line = option.ends_with('c') && !option.starts_with("--");
            match (name, option) {
                (_, "-m") if !wraps => return words.next().map(Found::of).or(best),
                (shell, _) if SHELLS.contains(&shell) && is_line => return within(words.next(), deepest).or(best),
                (_, "-c" | "-e" | "-r") if !wraps => return best,
                ("nice", "-n")
                | ("ionice", "-c" | "-n")
                | ("sudo" | "runuser", "-u" | "-g")
                | ("timeout", "-k" | "-s")
                | ("flock", "-w" | "-E")
                | ("env", "-u" | "-C")
                | ("taskset", "-c") => _ = words.next(),
                _ => {}
            }
        }
        // Its time, its lock, its priority.
        if ["timeout", "flock", "chrt"].contains(&name) {
            words.next();
        }
        if name == "flock" && words.next_if_eq(&"-c").is_some() {
            return within(words.next(), deepest).or(best);
        }
    }
    best
}

/// What a line within a line is called after.
fn within(line: Option<&str>, deepest: usize) -> Option<Found> {
    line.filter(|_| deepest > 0).and_then(|line| found_in(line, deepest - 1))
}

/// The command that is run in a container; none where it is something else that is asked for.
fn within_container<'w>(words: impl Iterator<Item = &'w str>) -> Option<Vec<&'w str>> {
    let mut words = words.skip_while(|word| *word == "compose").peekable();
    words.next_if_eq(&"exec")?;
    while let Some(option) = words.next_if(|word| word.starts_with('-')) {
        if WITH_VALUE.contains(&option) {
            words.next();
        }
    }
    words.next()?;
    let within: Vec<&str> = words.collect();
    (!within.is_empty()).then_some(within)
}

/// Whether it is a word that says something, and no key, number or option: letters, with a hyphen, underscore or colon.
fn is_a_word(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || "-_:.".contains(c);
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(is_letter)
        && (2..=24).contains(&text.len())
        && text.contains(['a', 'e', 'i', 'o', 'u', 'y'])
}

fn file_name(word: &str) -> &str {
    word.trim_end_matches('/').rsplit('/').next().unwrap_or(word)
}

/// A word as a valid name: its last part without the ending of a script.
fn cleaned(word: &str) -> String {
    let file = file_name(word);
    let stem =
        ENDINGS.iter().find_map(|ending| file.strip_suffix(ending)).filter(|stem| !stem.is_empty()).unwrap_or(file);
    let mut name = String::new();
    for c in stem.chars().take(LONGEST) {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '.' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(['-', '.', '_']);
    if name.is_empty() { "job".into() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_the_command_does() {
        for (command, name) in [
            ("/opt/bin/backup.sh --full", "backup"),
            ("cd /srv && ./manage.py clearsessions", "manage"),
            ("A=b nice -n 10 ionice -c2 -n7 /usr/bin/updatedb", "updatedb"),
            ("test -x /usr/bin/certbot && certbot -q renew", "certbot"),
            ("[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean", "sessionclean"),
            ("python3 -m tools.report --day", "tools.report"),
            ("/usr/bin/python3 /srv/load.py", "load"),
            ("bash -c 'x; y'", "x"),
            ("/bin/sh -c \"cd /srv && ./nightly.sh\"", "nightly"),
            ("bash -lc 'date; /opt/rotate.sh \"$X\"'", "rotate"),
            ("sh -c \"$COMMAND\"", "COMMAND"),
            ("flock -n /run/x.lock -c 'cd /srv; ./go'", "go"),
            ("[ \"$(date +%d)\" = 01 ] && /opt/bin/invoice", "invoice"),
            ("[ `date +%u` -eq 7 ] && weekly", "weekly"),
            ("$(which php) /srv/cron.php", "cron"),
            ("date >> /tmp/log", "date"),
            ("echo 'SELECT 1' | mysql shop", "mysql"),
            ("[[ -e x ]] && echo \"$A\"", "echo"),
            ("curl -fsS -m 10 https://www.example.com/jobs/send-mail.php?key=k3y > /dev/null", "example-send-mail"),
            ("wget -q -O - \"https://shop.example.co.uk/cron/\"", "example-cron"),
            ("curl https://hc-ping.com/0c2f8a7e-1b2c-4d5e-8f90-0123456789ab", "hc-ping"),
            ("curl -X POST http://localhost:8080/api/v1/sync", "localhost-sync"),
            ("curl -H 'X-Key: 1' http://10.0.0.5/T0k3nAbC", "curl"),
            ("curl \"https://$HOST/refresh\"", "refresh"),
            ("curl -s user:hunter@example.com/x", "curl"),
            ("docker exec -u www-data app php artisan schedule:run", "artisan"),
            ("docker compose exec -T web ./manage.py clearsessions", "manage"),
            ("docker system prune -f", "docker"),
            ("python3 -c 'print(1)'", "python3"),
            ("su - deploy -c '/srv/app/tidy'", "tidy"),
            ("flock -n /run/x.lock timeout 5m /srv/sync", "sync"),
            ("sudo -u www-data php /srv/cron.php", "cron"),
            ("cd /", "cd"),
            ("\"$HOME/bin/run me\"", "run-me"),
            ("echo \"$(date \"x\")\"", "echo"),
            ("for i in 1 2 3; do /opt/load.sh && break; sleep 60; done", "load"),
            ("for i in $(seq 3); do /opt/load.sh \"$(date)\" && break; done", "load"),
            ("for ((i=0; i<3; i++)); do /opt/load.sh && break; done", "load"),
            ("for f in /srv/in/*.csv\ndo\n/opt/take.sh \"$f\"\ndone", "take"),
            ("until /opt/sync.sh; do sleep 30; done", "sync"),
            ("while ! curl -fs https://shop.example.com/cron/; do sleep 5; done", "example-cron"),
            ("while read line; do /opt/feed \"$line\"; done < /srv/list", "feed"),
            ("if [ -f /srv/go ]; then /opt/run-it.sh; else exit 1; fi", "run-it"),
            ("if ! pgrep -f worker > /dev/null; then /opt/worker.sh; fi", "worker"),
            ("until ping -c 1 db > /dev/null; do sleep 5; done; /opt/after.sh", "after"),
            ("ping -c 1 db || /opt/absent.sh", "ping"),
            ("! pgrep -x sync && /opt/start-sync", "start-sync"),
            ("pgrep -f queue:work || php /srv/artisan queue:work", "artisan"),
            ("pgrep -c httpd", "pgrep"),
            ("mountpoint -q /mnt/b && { rsync -a / /mnt/b; }", "rsync"),
            ("test -e /srv/off || exit 0; /opt/go.sh", "go"),
            ("[[ -e /a && -e /b ]] && /opt/both.sh", "both"),
            ("case $(date +\\%u) in 6|7) exit 0;; esac; /opt/weekday.sh", "weekday"),
            ("env -u LANG -i A=b /opt/clean.sh", "clean"),
            ("cd /srv && A=b flock -w 5 /run/l timeout -k 5 60 nice -n 5 ./all.sh || exit 1", "all"),
            ("(cd /srv; ./inner.sh) || true", "inner"),
            ("{ /opt/braced.sh; } 2>&1 | logger", "braced"),
            ("/opt/x.sh || curl https://hooks.slack.com/services/T/B/x", "x"),
            ("~~~", "job"),
            ("команда", "job"),
        ] {
            assert_eq!(Names::default().for_command(command), name, "{command}");
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names = Names::default();
        let given = ["x.sh", "X", "x", "x-2"].map(|command| names.for_command(command));
        assert_eq!(given, ["x", "X-2", "x-3", "x-2-2"]);
        let mut names = Names::default();
        let lines = [
            "./manage.py clear",
            "./manage.py mail:send",
            "./manage.py mail:send",
            "./manage.py s3cr3t",
            "./manage.py -v clear",
        ];
        let given = lines.map(|command| names.for_command(command));
        assert_eq!(given, ["manage", "manage-mail-send", "manage-2", "manage-3", "manage-4"]);
    }
}
