//! Prints for people and for scripts: aligned tables on a terminal, plain ones elsewhere, JSON on request.
//!
//! Holds always: control characters from bodies are escaped before a terminal shows them; a closed pipe ends us quietly.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

use crate::config::secret::masked;
use crate::plan::WaitsFor;
use crate::run::Outcome;
use crate::tick::rfc3339;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For scripts: one JSON value.
    Json,
}

/// Whether standard output takes colours.
pub fn colours_out() -> bool {
    io::stdout().is_terminal() && wants_colours()
}

/// Whether standard error takes colours.
pub fn colours_err() -> bool {
    io::stderr().is_terminal() && wants_colours()
}

fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output, for commands that only look: where nobody reads it, or it cannot be written, they end. A reader
/// that has gone away is no error.
pub fn out(text: &str) {
    match written(text) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            note(&format!("error: standard output cannot be written: {error}"));
            std::process::exit(1);
        }
    }
}

/// Writes one JSON value and a line feed to standard output. What was done is done: where it cannot be told, the exit code
/// still says what it came to.
pub fn json(value: &serde_json::Value) {
    match written(&format!("{value}\n")) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            note(&format!("error: standard output cannot be written: {error}"));
        }
        _ => {}
    }
}

fn written(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// Writes a line to standard error.
pub fn note(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints what went wrong and what to do about it, secrets of URLs masked: people type them in the wrong places.
pub fn error(message: &str, help: &str) {
    let safe = |text| printable(&masked(text));
    note(&format!("{} {}", painted("error:", AnsiColor::Red), safe(message)));
    if !help.is_empty() {
        note(&format!("{} {}", painted("help:", AnsiColor::Cyan), safe(help)));
    }
}

/// Colours a word of standard error, if that takes colours.
pub fn painted(word: &str, colour: AnsiColor) -> String {
    paint(word, colour, colours_err())
}

/// Colours a word of standard output, if that takes colours.
pub fn painted_out(word: &str, colour: AnsiColor) -> String {
    paint(word, colour, colours_out())
}

fn paint(word: &str, colour: AnsiColor, colours: bool) -> String {
    let style = Style::new().fg_color(Some(colour.into())).bold();
    if colours { format!("{style}{word}{style:#}") } else { word.to_string() }
}

/// An outcome's word for standard output, coloured where that takes colours.
pub fn outcome_out(word: &str) -> String {
    match colour_of(word) {
        Some(colour) => paint(word, colour, colours_out()),
        None => word.to_string(),
    }
}

/// An outcome's word for standard error, likewise.
pub fn outcome_err(outcome: Outcome) -> String {
    colour_of(outcome.word()).map_or_else(|| outcome.word().into(), |colour| painted(outcome.word(), colour))
}

fn colour_of(word: &str) -> Option<AnsiColor> {
    match word {
        "succeeded" => Some(AnsiColor::Green),
        "partial" | "retrying" | "skipped" | "missed" => Some(AnsiColor::Yellow),
        "running" => Some(AnsiColor::Cyan),
        "failed" | "timed_out" | "lost" | "interrupted" | "cancelled" => Some(AnsiColor::Red),
        _ => None,
    }
}

/// A table with a header and no lines, as wide as it needs to be, or as the terminal is.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>();
    lines.join("\n") + "\n"
}

/// An instant for people: in UTC, to the second.
pub fn instant(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A duration for people: `850ms`, `3.2s`, `1m 5s`, `2h 3m`.
pub fn duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}.{}s", millis / 100),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A text in which control characters, line feeds and tabs aside, are shown and not obeyed.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || is_reordering(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// Characters that make a terminal show text in another order than it stands.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a run waits for, in words.
pub fn waits_for(what: &WaitsFor) -> String {
    match what {
        WaitsFor::Backoff(at) => format!("next attempt at {}", rfc3339(*at)),
        WaitsFor::EarlierRun => "an earlier run".into(),
        WaitsFor::Upstream(id) => format!("`{id}` to succeed"),
        WaitsFor::MinInterval(at) => format!("its shortest interval, until {}", rfc3339(*at)),
        WaitsFor::Resume => "the pipeline to be resumed".into(),
        WaitsFor::Reset => "the pipeline to be reset".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (millis, text) in [(0, "0ms"), (850, "850ms"), (3_240, "3.2s"), (65_000, "1m 5s"), (7_380_000, "2h 3m")] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\r\n\u{202e}c"), "a\\u{1b}[31mb\\u{d}\n\\u{202e}c");
    }
}
