//! Says what a command of a crontab asks for with the means of a shell line and tickward has a key for.
//!
//! `cd`, `flock -n`, `timeout` and a random `sleep` at the beginning, redirections to nowhere and `&` at the end. The rest
//! of the line is left exactly as it stood.
//!
//! Holds always: something is taken away only where the line is simple enough that the rest means the same without it;
//! what is taken away is remarked upon.

use std::time::Duration;

use super::glue;
use super::remark::Sort;
use super::shell::{Kind, Piece, pieces};

/// A command without what has become keys.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// What is left for the shell.
    pub line: String,
    /// Working directory.
    pub cwd: Option<String>,
    /// Longest time, as the configuration writes it.
    pub timeout: Option<String>,
    /// Time between the two signals, likewise.
    pub kill_grace: Option<String>,
    /// Longest delay in seconds.
    pub jitter: Option<u64>,
    /// What is to be said about it.
    pub remarks: Vec<(Sort, String, &'static str)>,
}

/// The longest `kill_grace` that the built-in lease allows.
const LONGEST_GRACE: Duration = Duration::from_secs(100);

/// Rewrites a command. `is_shared` says of a lock's file whether other lines take it too.
pub fn rewrite(command: &str, is_bash: bool, is_shared: impl Fn(&str) -> bool) -> Rewritten {
    let mut to = Rewritten { line: command.to_owned(), ..Rewritten::default() };
    repeat(&mut to, |to| beginning(to, &is_shared));
    repeat(&mut to, |to| end(to, is_bash));
    remark_on_rest(&mut to);
    to
}

/// Takes away what can be taken, as long as something is left to run.
fn repeat(to: &mut Rewritten, take: impl Fn(&mut Rewritten) -> Option<String>) {
    loop {
        let before = to.clone();
        match take(to) {
            None => return,
            Some(rest) if rest.trim().is_empty() => return *to = before,
            Some(rest) => to.line = rest,
        }
    }
}

/// The file of the lock that a command takes by `flock` at its beginning, as far as that can be told.
pub fn lock_of(command: &str) -> Option<String> {
    let pieces = pieces(command)?;
    let flock = pieces.iter().position(|piece| is_program(piece, "flock"))?;
    let mut words = pieces[flock + 1..].iter();
    let file = loop {
        let word = words.next()?;
        match word.text {
            "-w" | "--wait" | "--timeout" | "-E" | "--conflict-exit-code" => _ = words.next(),
            option if option.starts_with('-') => {}
            _ => break word,
        }
    };
    file.plain().map(str::to_owned)
}

fn is_program(piece: &Piece<'_>, name: &str) -> bool {
    piece.is_plain() && piece.text.rsplit('/').next() == Some(name)
}

/// Takes one thing from the beginning of the line: what is left of it; none where there is nothing to take.
fn beginning(to: &mut Rewritten, is_shared: &impl Fn(&str) -> bool) -> Option<String> {
    let line = to.line.clone();
    let pieces = pieces(&line)?;
    let first = pieces.first()?;
    let (sort, what, help, from) = match first.text {
        "cd" => change_folder(to, &pieces)?,
        "sleep" | "/bin/sleep" | "/usr/bin/sleep" | "perl" => random_sleep(to, &pieces)?,
        _ if is_program(first, "flock") => lock(to, &pieces, is_shared)?,
        _ if is_program(first, "timeout") => time_out(to, &pieces)?,
        _ => return None,
    };
    to.remarks.push((sort, what, help));
    Some(from.unwrap_or_else(|at| line[at..].to_owned()))
}

/// What is said, and what is left: a text of its own, or the line from a byte on.
type Taken = (Sort, String, &'static str, Result<String, usize>);

/// Whether a line goes on as commands joined by `&&` and `|` alone.
fn is_chain(rest: &[Piece<'_>]) -> bool {
    let end = rest.len() - usize::from(rest.last().is_some_and(|last| last.kind == Kind::Background));
    end > 0 && rest[..end].iter().all(|piece| !matches!(piece.kind, Kind::Other | Kind::Background))
}

/// Whether a line goes on as one command alone.
fn is_one_command(rest: &[Piece<'_>]) -> bool {
    is_chain(rest) && !rest.iter().any(|piece| matches!(piece.kind, Kind::And | Kind::Pipe | Kind::Background))
}

/// `cd X && …`: where the folder is missing nothing runs, which is the same with `cwd`.
fn change_folder(to: &mut Rewritten, pieces: &[Piece<'_>]) -> Option<Taken> {
    let [_, folder, and, rest @ ..] = pieces else { return None };
    let path = folder.plain().filter(|path| path.starts_with('/') && !path.contains("/../"))?;
    if to.cwd.is_some() || and.kind != Kind::And || !is_chain(rest) {
        return None;
    }
    to.cwd = Some(path.to_owned());
    Some((Sort::Replaced, format!("`cd {}` became `cwd`", folder.text), "", Err(rest.first()?.start)))
}

/// `sleep $((RANDOM % 60)) && …`, or the same in Perl.
fn random_sleep(to: &mut Rewritten, pieces: &[Piece<'_>]) -> Option<Taken> {
    let (most, rest) = match pieces {
        [perl, e, program, rest @ ..] if perl.text == "perl" && e.text == "-e" => {
            let inside = program.plain()?.trim_end_matches(';').strip_prefix("sleep int(rand(")?;
            (inside.strip_suffix("))")?, rest)
        }
        [sleep, word, rest @ ..] if sleep.text != "perl" => {
            let text = word.text;
            let double = text.strip_prefix("$((").and_then(|text| text.strip_suffix("))"));
            let inside = double.or_else(|| text.strip_prefix("$[").and_then(|text| text.strip_suffix(']')))?;
            let (random, most) = inside.split_once('%')?;
            (["RANDOM", "$RANDOM"].contains(&random.trim()).then_some(most)?, rest)
        }
        _ => return None,
    };
    let most: u64 = most.trim().parse().ok().filter(|most| (1..=86_400).contains(most))?;
    let [joint, rest @ ..] = rest else { return None };
    if to.jitter.is_some() || !(joint.kind == Kind::And || joint.text == ";") {
        return None;
    }
    to.jitter = Some(most);
    let what = format!("the random sleep became `jitter: {most}s`");
    Some((Sort::Replaced, what, "the delay is constant for each pipeline instead of random", Err(rest.first()?.start)))
}

/// `flock -n FILE …`: what is skipped while it still runs is what `overlap: skip` skips.
fn lock(to: &mut Rewritten, pieces: &[Piece<'_>], is_shared: &impl Fn(&str) -> bool) -> Option<Taken> {
    let mut at = 1;
    let mut gives_up = false;
    while let Some(option) = pieces.get(at).filter(|piece| piece.text.starts_with('-')) {
        match option.text {
            "--nonblock" | "--nb" => gives_up = true,
            "--exclusive" | "-x" | "-e" => {}
            "-n" | "-nx" | "-xn" | "-en" | "-ne" => gives_up = true,
            _ => return None,
        }
        at += 1;
    }
    let file = pieces.get(at)?;
    let path = file.plain()?;
    let rest = &pieces[at + 1..];
    if !gives_up || !is_chain(rest) {
        return None;
    }
    if is_shared(path) {
        let note = (Sort::Note, format!("`flock` on {} stays: another line takes it too", file.text), "");
        if !to.remarks.contains(&note) {
            to.remarks.push(note);
        }
        return None;
    }
    let from = match rest {
        [option, line] if option.text == "-c" || option.text == "--command" => Ok(line.plain()?.to_owned()),
        [option, ..] if option.text.starts_with('-') => return None,
        [first, ..] => Err(first.start),
        [] => return None,
    };
    let what = format!(
        "`flock` on {} was taken away: a run is skipped while the one before still goes (`overlap: skip`)",
        file.text
    );
    Some((Sort::Replaced, what, "put it back if another program takes this lock too", from))
}

/// `timeout 30m …`
fn time_out(to: &mut Rewritten, pieces: &[Piece<'_>]) -> Option<Taken> {
    let (grace, rest) = match pieces {
        [_, option, grace, rest @ ..] if option.text == "-k" => (Some(seconds(grace.text)?), rest),
        [_, rest @ ..] => (None, rest),
        [] => return None,
    };
    let [time, rest @ ..] = rest else { return None };
    let length = seconds(time.text).filter(|length| !length.is_zero())?;
    let is_long = grace.is_some_and(|grace| grace > LONGEST_GRACE);
    if to.timeout.is_some() || is_long || !is_one_command(rest) {
        return None;
    }
    to.timeout = Some(written(length));
    to.kill_grace = grace.map(written);
    Some((Sort::Replaced, format!("`timeout` became `timeout: {}`", written(length)), "", Err(rest.first()?.start)))
}

/// A whole number with a unit as timeout(1) takes it.
fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1),
        (at, 'm') => (&text[..at], 60),
        (at, 'h') => (&text[..at], 3_600),
        (at, 'd') => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let number: u64 =
        number.parse().ok().filter(|number| *number < 1_000_000 && text.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(Duration::from_secs(number * unit))
}

/// A duration as the configuration takes it.
pub fn written(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "0s".into(),
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Takes one thing from the end of the line: what is left of it; none where there is nothing to take.
fn end(to: &mut Rewritten, is_bash: bool) -> Option<String> {
    let line = to.line.clone();
    let pieces = pieces(&line)?;
    let last = pieces.last()?;
    if last.kind == Kind::Background {
        let is_only = pieces.iter().filter(|piece| piece.kind == Kind::Background).count() == 1;
        let what = "the `&` at the end was taken away: tickward waits for the command and ends what it leaves behind";
        return is_only.then(|| {
            to.remarks.push((Sort::Replaced, what.into(), "a service belongs to the service manager"));
            line[..last.start].trim_end_matches([' ', '\t']).to_owned()
        });
    }
    let trailing = pieces.iter().rev().take_while(|piece| is_output(piece)).count();
    let redirections = &pieces[pieces.len() - trailing..];
    let first = redirections.first()?;
    let is_nowhere = |piece: &Piece<'_>| target(piece) == "/dev/null";
    let is_merged = |piece: &Piece<'_>| matches!(piece.text.replace(' ', "").as_str(), "2>&1" | "1>&2" | ">&2");
    if trailing == pieces.len() || !redirections.iter().any(is_nowhere) {
        return None;
    }
    if !redirections.iter().all(|piece| is_nowhere(piece) || is_merged(piece)) {
        return None;
    }
    let text = line[first.start..redirections.last()?.end()].to_owned();
    let is_background = !is_bash && redirections.iter().any(|piece| piece.text.starts_with('&'));
    let help = if is_background {
        "for /bin/sh `&>` also put the command into the background; here it is waited for"
    } else {
        ""
    };
    let what = format!("`{text}` was taken away: tickward keeps the output, and mails none of it");
    to.remarks.push((Sort::Replaced, what, help));
    Some(line[..first.start].trim_end_matches([' ', '\t']).to_owned())
}

fn is_output(piece: &Piece<'_>) -> bool {
    piece.kind == Kind::Redirection && piece.text.contains('>') && !piece.text.contains('<')
}

/// Where a redirection goes.
fn target<'l>(piece: &Piece<'l>) -> &'l str {
    piece.text.trim_start_matches(|c: char| c.is_ascii_digit() || "&>| ".contains(c))
}

/// What stays in the line and is worth knowing about.
fn remark_on_rest(to: &mut Rewritten) {
    let line = to.line.clone();
    let told = glue::remarks(&line);
    let is_told = !told.is_empty();
    to.remarks.extend(told);
    let Some(pieces) = pieces(&line) else { return };
    let is_file = |piece: &&Piece<'_>| is_output(piece) && !["", "-", "/dev/null"].contains(&target(piece));
    let file = pieces.iter().find(is_file);
    if let Some(file) = file {
        let what = format!("the output goes on to {}, so `tickward logs` has none of it", target(file));
        to.remarks.push((Sort::Note, what, "take the redirection away to have tickward keep it"));
    }
    let last_pipe = pieces.iter().rposition(|piece| piece.kind == Kind::Pipe).and_then(|at| pieces.get(at + 1));
    let name =
        last_pipe.filter(|piece| piece.is_plain()).map(|piece| piece.text.rsplit('/').next().unwrap_or_default());
    match name.filter(|_| !is_told) {
        Some("logger" | "systemd-cat") => to.remarks.push((
            Sort::Note,
            "the output goes on to the system's log; the exit code is that of the logger".into(),
            "take the pipe away to have tickward keep the output and see failures",
        )),
        Some("mail" | "mailx" | "mutt" | "sendmail" | "msmtp") => to.remarks.push((
            Sort::Note,
            "the output goes on by mail; the exit code is that of the mailer".into(),
            "take the pipe away to have tickward see failures, and use alerters",
        )),
        _ => {}
    }
    if pieces.iter().any(|piece| piece.kind == Kind::Background)
        || pieces.iter().any(|piece| ["nohup", "setsid", "disown"].contains(&piece.text))
    {
        to.remarks.push((
            Sort::Note,
            "it puts something into the background: tickward ends that when the command has ended".into(),
            "a service belongs to the service manager; else let the command wait",
        ));
    }
}
