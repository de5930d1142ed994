//! Looks at the host: the state folder, files with secrets, the clock, and whether anything calls a tick.
//!
//! Holds always: files are looked at and read, never opened for writing.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::unistd::{AccessFlags, access, geteuid};

use super::super::session::Session;
use super::finding::{Findings, Level};
use crate::config::secret::{MASK, masked};

/// Free bytes below which a full disk is near.
const LEAST_FREE: u64 = 256 << 20;
/// Years in which a clock may be.
const YEARS: std::ops::Range<i16> = 2026..2120;

/// Looks at all of it.
pub fn look(session: &Session, now: Timestamp, findings: &mut Findings) {
    state(&session.state_folder(), findings);
    session.loaded.files.iter().for_each(|file| secrets(file, findings));
    clock(now, findings);
    callers(findings);
}

fn state(folder: &Path, findings: &mut Findings) {
    let mut add = |level, what: &str, help| findings.add(level, "state", None, what, help);
    let shown = folder.display();
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(existing) = absolute.ancestors().find(|path| path.exists()) else { return };
    if access(existing, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let what = format!("`{shown}` cannot be written");
        return add(Level::Wrong, &what, "change its owner, run as that user, or name another by TICKWARD_STATE_DIR");
    }
    #[allow(clippy::unnecessary_cast, reason = "the types differ between targets")]
    let bytes =
        |disk: nix::sys::statvfs::Statvfs| (disk.blocks_available() as u64).saturating_mul(disk.fragment_size() as u64);
    let free = nix::sys::statvfs::statvfs(existing).map(bytes);
    if let Some(free) = free.ok().filter(|free| *free < LEAST_FREE) {
        let what = format!("the disk of `{shown}` has {} MiB left", free >> 20);
        add(Level::Wrong, &what, "make room: without it nothing can be claimed");
    }
    if existing != absolute {
        return add(Level::Good, &format!("`{shown}` will be made by the first tick"), "");
    }
    let Ok(data) = folder.metadata() else { return };
    if data.uid() != geteuid().as_raw() {
        let what = format!("`{shown}` belongs to the user {}, not to {}", data.uid(), geteuid());
        add(Level::Advice, &what, "run as the user who calls the tick");
    }
    let output = folder.join("output");
    let is_open = |path: &Path| path.metadata().is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    if output.is_dir() && is_open(&output) && is_open(folder) {
        let what = format!("others may look into `{}`, where output of commands is", output.display());
        return add(Level::Wrong, &what, "chmod 700");
    }
    add(Level::Good, &format!("`{shown}` can be written"), "");
}

/// A file that everybody may read should have no password in a URL.
fn secrets(file: &Path, findings: &mut Findings) {
    let is_open = file.metadata().is_ok_and(|data| data.permissions().mode() & 0o004 != 0);
    let Some(text) = std::fs::read_to_string(file).ok().filter(|_| is_open) else { return };
    let has_one = |line: &str| {
        let line = without_harmless_addresses(&without_variables(line));
        masked(&line) != line
    };
    let lines: Vec<_> = text.lines().enumerate().filter(|(_, line)| has_one(line)).collect();
    let lines: Vec<_> = lines.into_iter().map(|(index, _)| (index + 1).to_string()).collect();
    let which = match lines.as_slice() {
        [] => return,
        [one] => format!("line {one} has a password"),
        several => format!("lines {} have passwords", several.join(", ")),
    };
    let what = format!("everybody may read `{}`, and {which}", file.display());
    let help = "chmod 600, and take the password from a variable: `${NAME}`";
    findings.add(Level::Wrong, "secrets", None, &what, help);
}

/// Parameters of an address that say where a secret is.
const WHERE_IT_IS: [&str; 2] = ["secret_env=", "secret_file="];

/// A line with the mask of secrets in place of each `${…}`, and without an address that says where its secret is: those are no secrets.
fn without_variables(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, inside)) = rest.split_once("${") {
        text += before;
        text += MASK;
        rest = inside.split_once('}').map_or("", |(_, after)| after);
    }
    text += rest;
    let says_where = WHERE_IT_IS.iter().any(|parameter| text.contains(parameter));
    // Whoever signs what is sent has no token in the path.
    if let Some(scheme) = text.find("://").filter(|_| says_where && !text.contains('@')) {
        text.truncate(scheme);
    }
    text
}

/// Addresses of alerters whose paths are shown to nobody, and are no passwords: without user, or with what a variable names.
fn without_harmless_addresses(line: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || ['"', '\'', ',', '[', ']', '{', '}'].contains(&c);
    let is_harmless = |word: &str| {
        let Some((scheme, rest)) = word.split_once("://") else { return false };
        let scheme = scheme.rsplit(is_end).next().unwrap_or(scheme);
        let is_outlet = scheme == "slack" || scheme.starts_with("webhook+") || scheme.starts_with("smtp");
        let names_a_secret = masked(&format!("https://h/?{}", rest.split_once('?').map_or("", |(_, query)| query)));
        let has_token = scheme == "slack" && !rest.contains(MASK) && !rest.contains("endpoint=");
        is_outlet && !rest.contains('@') && !has_token && !names_a_secret.contains(MASK)
    };
    line.split_inclusive(is_end).filter(|word| !is_harmless(word)).collect()
}

fn clock(now: Timestamp, findings: &mut Findings) {
    let mut add = |level, what: &str, help| findings.add(level, "clock", None, what, help);
    let year = now.to_zoned(jiff::tz::TimeZone::UTC).year();
    if !YEARS.contains(&year) {
        add(Level::Wrong, &format!("it is the year {year}"), "set the clock; see to it that it is set at boot");
    }
    if std::fs::read_to_string("/proc/sys/kernel/random/boot_id").is_err() {
        add(
            Level::Advice,
            "this boot cannot be told from others",
            "mount /proc: without it, what a dead tick left waits for its lease",
        );
    }
    let version = crate::schedule::database_version();
    let age = version.get(..4).and_then(|text| text.parse::<i16>().ok()).map(|made| year.saturating_sub(made));
    match age {
        Some(2..) => {
            add(Level::Advice, &format!("the time zones are of {version}"), "install a newer version of tickward")
        }
        _ => add(Level::Good, &format!("the time zones are of {version}"), ""),
    }
}

/// Where a line or a unit that calls a tick would stand. Only a hint: there are other clocks.
fn callers(findings: &mut Findings) {
    let folders = [
        "/etc/cron.d",
        "/var/spool/cron/crontabs",
        "/var/spool/cron",
        "/etc/systemd/system",
        "/usr/lib/systemd/system",
    ];
    let entries = folders.iter().filter_map(|folder| Path::new(folder).read_dir().ok()).flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.push("/etc/crontab".into());
    let calls = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains("tickward") && line.contains("run-due"))
    };
    match files.iter().find(calls) {
        Some(file) => {
            findings.add(Level::Good, "caller", None, &format!("`{}` calls `tickward run-due`", file.display()), "")
        }
        None => {
            let help = "`tickward init` prints the line for `crontab -e`; pay no heed if something else calls it";
            findings.add(
                Level::Advice,
                "caller",
                None,
                "no crontab or unit that calls `tickward run-due` was found",
                help,
            );
        }
    }
}
