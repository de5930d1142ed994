//! How an alert reads for people, and what of a command's output is kept in it.
//!
//! Holds always: no control character and nothing that turns the direction of text leaves here but a newline in `tail`.

use super::{Alert, Kind};

/// Lines of output that an alert keeps.
const TAIL_LINES: usize = 10;

/// Bytes of output that an alert keeps, before escaping.
const TAIL_BYTES: usize = 2_000;

/// The text in one line, with what is not to be shown as it is written as `\u{1b}`, a newline as `\n`.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
            c if is_hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// The last lines of what a command printed: 10 at most, of 2,000 bytes at most, each escaped. Empty lines at the end do
/// not count; a tab becomes a space, and a line that was overwritten with carriage returns shows what was left standing.
pub fn tail(output: &str) -> String {
    let mut lines: Vec<&str> = output.trim_end().lines().rev().take(TAIL_LINES).collect();
    lines.reverse();
    let mut left = TAIL_BYTES;
    let mut kept = Vec::new();
    for line in lines.into_iter().rev() {
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let line = last_bytes(line, left);
        kept.push(escaped(&line.replace('\t', " ")));
        left = left.saturating_sub(line.len() + 1);
        if left == 0 {
            break;
        }
    }
    kept.reverse();
    kept.join("\n")
}

/// The end of a text, at most so many bytes, whole characters.
fn last_bytes(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let whole = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[whole..]
}

/// Whether a character changes how others are shown, or is not to be seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl Alert {
    /// What has happened in one line for people, without a full stop.
    pub fn headline(&self) -> String {
        let mut line = format!("{}: {}", self.kind.word().replace('_', " "), self.subject());
        if let (Some(attempt), None) = (self.attempt_shown(), &self.count) {
            line += &format!(" attempt {attempt}");
        }
        if let Some(error) = &self.error {
            line += &format!(": {error}");
        }
        escaped(line.trim_end())
    }

    /// The attempt's number, of how many where there may be more than one. Reruns, and retries by hand, go beyond that.
    pub fn attempt_shown(&self) -> Option<String> {
        let attempt = self.attempt?;
        let most = self.max_attempts.filter(|most| *most > 1 && *most >= attempt);
        Some(most.map_or_else(|| attempt.to_string(), |most| format!("{attempt} of {most}")))
    }

    /// What it is about: a run, a stretch of occurrences, a pipeline, or the tick.
    fn subject(&self) -> String {
        match (self.count, self.scheduled_for) {
            (Some(count), Some(first)) => {
                let at_least = if self.at_least { "at least " } else { "" };
                let occurrences = if count == 1 { "occurrence" } else { "occurrences" };
                let until = self.last_scheduled_for.filter(|last| *last != first);
                let until = until.map_or(String::new(), |last| format!(" to {last}"));
                format!("{} {at_least}{count} {occurrences}, {first}{until}", self.pipeline_shown())
            }
            _ if !self.run_id.is_empty() => self.run_id.clone(),
            _ if !self.pipeline.is_empty() => self.pipeline_shown(),
            _ => match (&self.kind, self.gap_seconds) {
                (Kind::TickGap, Some(gap)) => format!("no tick for {gap}s on {}", self.host),
                _ if !self.host.is_empty() => format!("tick on {}", self.host),
                _ => "tick".into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_escaped() {
        for (text, shown) in [
            ("plain é 漢", "plain é 漢"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("x\u{202e}y\u{200d}", "x\\u{202e}y\\u{200d}"),
            ("\u{9b}m\0", "\\u{9b}m\\u{0}"),
        ] {
            assert_eq!(escaped(text), shown, "{text:?}");
        }
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        let many: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        for (output, kept) in [
            ("", String::new()),
            ("one", "one".into()),
            ("one\ntwo\n\n", "one\ntwo".into()),
            ("a\r\nb\r\n", "a\nb".into()),
            (" 10%\r 90%\rdone\n", "done".into()),
            ("a\tb\u{1b}[0m\n", "a b\\u{1b}[0m".into()),
            (&many, (21..=30).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n")),
        ] {
            assert_eq!(tail(output), kept, "{output:?}");
        }
        let long = format!("first\n{}", "é".repeat(3_000));
        assert_eq!(tail(&long), "é".repeat(1_000));
    }

    #[test]
    fn headlines_read_like_sentences() {
        let at = "2026-01-01T02:00:00Z".parse().unwrap();
        let alert = |kind| Alert::new(kind, "1", at);
        let of = |kind| Alert { pipeline: "etl".into(), namespace: "a".into(), ..alert(kind) };
        for (alert, line) in [
            (
                Alert { host: "h".into(), gap_seconds: Some(7200), ..alert(Kind::TickGap) },
                "tick gap: no tick for 7200s on h",
            ),
            (
                Alert { host: "h".into(), error: Some("disk full".into()), ..alert(Kind::Degraded) },
                "degraded: tick on h: disk full",
            ),
            (
                Alert {
                    count: Some(3),
                    scheduled_for: Some(at),
                    last_scheduled_for: Some("2026-01-03T02:00:00Z".parse().unwrap()),
                    ..of(Kind::Missed)
                },
                "missed: a:etl 3 occurrences, 2026-01-01T02:00:00Z to 2026-01-03T02:00:00Z",
            ),
            (
                Alert {
                    run_id: "a:etl@x".into(),
                    attempt: Some(2),
                    max_attempts: Some(3),
                    error: Some("exit code 1\u{7}".into()),
                    ..of(Kind::Failed)
                },
                "failed: a:etl@x attempt 2 of 3: exit code 1\\u{7}",
            ),
            (
                Alert { run_id: "a:etl@x".into(), attempt: Some(4), max_attempts: Some(3), ..of(Kind::Failed) },
                "failed: a:etl@x attempt 4",
            ),
            (of(Kind::Other("on_fire".into())), "on fire: a:etl"),
        ] {
            assert_eq!(alert.headline(), line);
        }
    }
}
