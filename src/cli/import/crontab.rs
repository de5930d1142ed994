//! Reads the lines of a crontab: variables, comments, schedules, users, commands.
//!
//! The rules are those of Debian's crontab(5): a variable holds for the lines below it, `%` ends the command and what
//! follows is its standard input, a system crontab has a user before the command. What a command means is for `command`.
//!
//! Holds always: any bytes are read without a failure; every line becomes a job, changes the surroundings, is blank or a
//! comment, or is remarked upon with its number.

use super::remark::{Remarks, Sort};
use crate::config::secret::masked_line;
use crate::schedule::{Schedule, parse_zone};

/// A line that runs something.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// From 1.
    pub line: usize,
    /// Five fields with single spaces between, or a nickname.
    pub schedule: String,
    /// Zone in which the schedule is read; none means that of the host.
    pub zone: Option<String>,
    /// Whom it runs as, where a column says so.
    pub user: Option<String>,
    /// What the comment directly above says; empty without one.
    pub comment: String,
    /// What the shell is given: up to the first `%`, with `\%` read as `%`.
    pub command: String,
    /// What the command reads; none where nothing.
    pub stdin: Option<String>,
    /// The surroundings as they are at this line.
    pub around: Surroundings,
}

/// What the variables above a line say.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Variables of the command, each once, in the order in which they were first set.
    pub variables: Vec<(String, String)>,
    /// `SHELL`, where set.
    pub shell: Option<String>,
    /// `HOME`, where set.
    pub home: Option<String>,
    /// `RANDOM_DELAY` in minutes, zero where not set.
    pub random_delay: u64,
    cron_tz: Option<String>,
    tz: Option<String>,
}

/// Variables that are for cron itself and not for the command.
const OF_MAIL: [&str; 3] = ["MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"];

/// Reads a crontab; with `system` its lines have a user before the command.
pub fn read(bytes: &[u8], system: bool, remarks: &mut Remarks) -> Vec<Job> {
    let mut reading =
        Reading { system, remarks, around: Surroundings::default(), comment: Vec::new(), jobs: Vec::new() };
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let without_end = !last.is_empty();
    if without_end {
        lines.push(last);
    }
    let mut first_return = None;
    for (index, line) in lines.iter().enumerate() {
        let (line, number) = (
            line.strip_suffix(b"\r").inspect(|_| _ = first_return.get_or_insert(index + 1)).unwrap_or(line),
            index + 1,
        );
        match std::str::from_utf8(line) {
            Ok(text) if !text.contains('\0') => reading.line(text, number),
            Ok(_) => reading.left_out(number, "the line contains a NUL byte", "take it out"),
            Err(_) => reading.left_out(number, "the line is not UTF-8", "save the crontab as UTF-8"),
        }
    }
    if let Some(number) = first_return {
        let help = "cron hands it to the command; it was taken away from every line";
        reading.remarks.add(Sort::Replaced, number, "the line ends with a carriage return", help);
    }
    if without_end {
        let help = "Debian's cron does not use such a crontab; the line was taken over";
        reading.remarks.add(Sort::Note, lines.len(), "the last line has no line feed", help);
    }
    reading.jobs
}

/// Whether a command is a call of `tickward run-due`.
fn calls_a_tick(command: &str) -> bool {
    let mut words = command.split_whitespace();
    words.any(|word| word.rsplit('/').next() == Some("tickward")) && words.any(|word| word == "run-due")
}

struct Reading<'r> {
    system: bool,
    remarks: &'r mut Remarks,
    around: Surroundings,
    /// The comment lines directly above.
    comment: Vec<String>,
    jobs: Vec<Job>,
}

impl Reading<'_> {
    fn left_out(&mut self, number: usize, what: &str, help: &str) {
        self.comment.clear();
        self.remarks.add(Sort::LeftOut, number, what, help);
    }

    fn line(&mut self, line: &str, number: usize) {
        let text = line.trim_start_matches([' ', '\t']);
        if text.trim().is_empty() {
            self.comment.clear();
        } else if let Some(comment) = text.strip_prefix('#') {
            self.take_comment(comment.trim_start_matches('#').trim(), number);
        } else if let Some((name, value)) = variable(text) {
            self.comment.clear();
            self.take_variable(&name, value, number);
        } else {
            let comment = std::mem::take(&mut self.comment).join(" ");
            self.take_job(text, comment, number);
        }
    }

    /// Keeps what is meant for people: not the header over the columns, not a job that was switched off.
    fn take_comment(&mut self, comment: &str, number: usize) {
        let words: Vec<&str> = comment.split_whitespace().collect();
        let is_header =
            matches!(words.as_slice(), [first, second, ..] if is_word_for_minute(first) && second.starts_with('h'));
        let is_drawing = comment.contains("user-name")
            || !comment.contains(char::is_alphanumeric)
            || comment.starts_with(['|', '.', '┌', '│']);
        let is_job = split_schedule(comment).is_some_and(|(schedule, rest)| {
            !rest.trim().is_empty() && Schedule::parse(&[&schedule], jiff::tz::TimeZone::UTC).is_ok()
        });
        if is_header || is_drawing || is_job {
            self.comment.clear();
            if is_job && !is_drawing {
                self.remarks.add(Sort::Note, number, "a line that is commented out was not taken over", "");
            }
            return;
        }
        self.comment.push(comment.to_owned());
    }

    fn take_variable(&mut self, name: &str, value: String, number: usize) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            let what = format!("`{}` is no name of a variable", masked_line(name));
            return self.left_out(number, &what, "use letters, digits and _");
        }
        if name.starts_with("TICKWARD_") || name.starts_with("EMATIX_FLOW_") {
            let what = format!("`{name}` is for tickward itself and not for commands");
            return self.left_out(number, &what, "set it where the tick is called, or give it another name");
        }
        match name {
            "MAILTO" => self.mail_to(&value, number),
            "LOGNAME" => self.remarks.add(
                Sort::LeftOut,
                number,
                "`LOGNAME` cannot be set in a crontab",
                "cron itself overrides it",
            ),
            name if OF_MAIL.contains(&name) => {
                self.remarks.add(
                    Sort::LeftOut,
                    number,
                    &format!("`{name}` is about mail that tickward does not send"),
                    "",
                );
            }
            "START_HOURS_RANGE" => {
                let help = "anacron's; say the hours in the schedule";
                self.remarks.add(Sort::LeftOut, number, "`START_HOURS_RANGE` has no counterpart", help);
            }
            "RANDOM_DELAY" => match value.trim().parse() {
                Ok(minutes @ 0..=1440) => {
                    self.around.random_delay = minutes;
                    let help = "the delay is constant for each pipeline instead of random";
                    self.remarks.add(
                        Sort::Replaced,
                        number,
                        &format!("`RANDOM_DELAY` became `jitter: {minutes}m`"),
                        help,
                    );
                }
                _ => self.left_out(number, "`RANDOM_DELAY` is no number of minutes", "set `jitter` by hand"),
            },
            "CRON_TZ" => {
                if parse_zone(&value).is_ok() {
                    let help = "cronie reads the schedule in it; Debian's cron knows no `CRON_TZ` and reads the schedule in the \
                                zone of the host: take `timezone` away where that was meant";
                    self.remarks.add(Sort::Note, number, "`CRON_TZ` became `timezone`", help);
                }
                self.around.cron_tz = Some(value).filter(|zone| !zone.is_empty());
            }
            "TZ" => {
                let is_zone = parse_zone(&value).is_ok();
                if is_zone && self.around.cron_tz.is_none() {
                    let help = "so the schedule is read in it too; Debian's cron reads the schedule in the zone of the \
                                host and sets TZ for the command alone: take `timezone` away where that was meant";
                    let what = "`TZ` became `timezone` and stays a variable of the command";
                    self.remarks.add(Sort::Note, number, what, help);
                }
                self.around.tz = Some(value.clone()).filter(|_| is_zone);
                self.set("TZ", value);
            }
            _ => {
                if value.contains('$') || value.starts_with('~') {
                    let what = format!("cron does not expand what is in `{name}`; it was taken over as it stands");
                    self.remarks.add(Sort::Note, number, &what, "");
                }
                match name {
                    "SHELL" => self.around.shell = Some(value.clone()).filter(|shell| !shell.is_empty()),
                    "HOME" => self.around.home = Some(value.clone()).filter(|home| home.starts_with('/')),
                    _ => {}
                }
                self.set(name, value);
            }
        }
    }

    fn mail_to(&mut self, value: &str, number: usize) {
        let (what, help) = match value.trim() {
            "" => {
                ("`MAILTO` is empty: cron mailed nothing".into(), "`run-due --quiet` prints nothing while all is well")
            }
            to => (
                format!("`MAILTO` is {}: tickward sends no mail by itself", masked_line(to)),
                "keep `MAILTO` above the line that calls `tickward run-due`: cron mails what that prints; or configure alerters",
            ),
        };
        self.remarks.add(Sort::Note, number, &what, help);
    }

    fn set(&mut self, name: &str, value: String) {
        match self.around.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.around.variables.push((name.to_owned(), value)),
        }
    }

    fn take_job(&mut self, text: &str, comment: String, number: usize) {
        let quiet = text.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '*'));
        let Some((schedule, rest)) = split_schedule(quiet.unwrap_or(text)) else {
            let help = "a line is a variable, or five fields or a nickname and a command";
            return self.left_out(number, "the line is not understood", help);
        };
        let zone = self.around.cron_tz.clone().or_else(|| self.around.tz.clone());
        let timezone = match parse_zone(zone.as_deref().unwrap_or("UTC")) {
            Ok(timezone) => timezone,
            Err(error) => {
                let what = format!("in the zone that is set above it: {error}");
                return self.left_out(number, &what, error.help.as_deref().unwrap_or_default());
            }
        };
        if let Err(error) = Schedule::parse(&[&schedule], timezone) {
            return self.left_out(number, &error.to_string(), error.help.as_deref().unwrap_or_default());
        }
        let (user, rest) = match self.system {
            true => {
                let (user, rest) = split_word(rest);
                (Some(user.to_owned()), rest)
            }
            false => (None, rest),
        };
        if rest.trim().is_empty() {
            let help = if self.system { "a system crontab has a user and then a command" } else { "" };
            return self.left_out(number, "the line has no command", help);
        }
        if user.is_none() && split_word(rest).0 == "root" {
            let help = "if that is the column of users in a system crontab, say `--system`";
            self.remarks.add(Sort::Note, number, "the command begins with `root`", help);
        }
        let (command, stdin) = self.split_percent(rest, number);
        if command.trim().is_empty() {
            return self.left_out(
                number,
                "the line has no command before its first `%`",
                r"a `%` of the command is written `\%`",
            );
        }
        if calls_a_tick(&command) {
            let help = "keep this line in the crontab: it is the clock that calls what is imported here";
            return self.left_out(number, "the line calls tickward itself", help);
        }
        let around = self.around.clone();
        self.jobs.push(Job { line: number, schedule, zone, user, comment, command, stdin, around });
    }

    /// Parts the command from its standard input at the first `%` that no backslash precedes.
    fn split_percent(&mut self, text: &str, number: usize) -> (String, Option<String>) {
        let (mut command, rest) = until_percent(text);
        let Some(mut rest) = rest else { return (command, None) };
        // Nobody means an arithmetic expression to be cut in its middle.
        let is_remainder =
            command.trim_end().ends_with("RANDOM") && (command.contains("$((") || command.contains("$["));
        if is_remainder {
            let (more, later) = until_percent(rest);
            command = format!("{command}%{more}");
            let what =
                r"the `%` after `RANDOM` ends the command for cron, which cannot have worked; it was read as `\%`";
            self.remarks.add(Sort::Replaced, number, what, "");
            match later {
                Some(later) => rest = later,
                None => return (command, None),
            }
        }
        if command.contains("date") && command.trim_end().ends_with('+') {
            let what = r"an unescaped `%` ends the command, so cron never ran this as it looks; it was taken over as cron reads it";
            self.remarks.add(
                Sort::Note,
                number,
                what,
                r"if a percent sign was meant, put the rest back into the command",
            );
        }
        let mut stdin = String::new();
        let mut escaped = false;
        for c in rest.chars() {
            match (escaped, c) {
                (true, '%') => stdin.replace_range(stdin.len() - 1.., "%"),
                (false, '%') => stdin.push('\n'),
                (_, c) => stdin.push(c),
            }
            escaped = c == '\\';
        }
        if !stdin.is_empty() && !stdin.ends_with('\n') {
            stdin.push('\n');
        }
        (command, Some(stdin).filter(|stdin| !stdin.is_empty()))
    }
}

fn is_word_for_minute(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "m" | "min" | "mm" | "minute" | "minutes" | "mi")
}

/// The text up to the first `%` without a backslash, `\%` read as `%`, and what follows that `%`.
fn until_percent(text: &str) -> (String, Option<&str>) {
    let mut before = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (true, '%') => before.replace_range(before.len() - 1.., "%"),
            (false, '%') => return (before, Some(&text[at + 1..])),
            (_, c) => before.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    (before, None)
}

/// `name = value`, either in quotes or not; none where the line is something else.
fn variable(line: &str) -> Option<(String, String)> {
    let blank = [' ', '\t'];
    let (name, rest) = match line.chars().next()? {
        quote @ ('"' | '\'') => line[1..].split_once(quote)?,
        _ => line.split_at(line.find(|c: char| c == '=' || blank.contains(&c))?),
    };
    let value = rest.trim_start_matches(blank).strip_prefix('=')?.trim_matches(blank);
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (inside, after) = value[1..].split_once(quote)?;
            after.is_empty().then(|| (name.to_owned(), inside.to_owned()))
        }
        _ => Some((name.to_owned(), value.to_owned())),
    }
}

/// The schedule of a line, and what follows it.
fn split_schedule(text: &str) -> Option<(String, &str)> {
    let count = if text.starts_with('@') { 1 } else { 5 };
    let mut fields = Vec::with_capacity(count);
    let mut rest = text;
    for _ in 0..count {
        let (field, after) = split_word(rest);
        if field.is_empty() {
            return None;
        }
        fields.push(field);
        rest = after;
    }
    Some((fields.join(" "), rest))
}

/// The first word and what follows the blanks after it.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches([' ', '\t']))
}
