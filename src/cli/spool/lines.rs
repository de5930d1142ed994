//! Finds the records of a spool among the lines of a log.
//!
//! A record begins at its first key, wherever on its line that stands: a log has a date and a host before it, and two that were
//! written at once share a line. What no record is begun in is a line of somebody else.
//!
//! Holds always: every line that is not blank is a record, damaged, or somebody else's, and has its number.

use crate::runlog::spool::Stored;

/// How every record begins.
const BEGINNING: &[u8] = b"{\"tickward_spool\"";

/// Its key, which a log that writes JSON itself has with other quotes.
const KEY: &[u8] = b"tickward_spool";

/// So much of a beginning at the end of a line is not there by chance.
const SHORTEST: usize = 5;

/// What the lines are. Numbers are from 1.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The records, each with the number of its line.
    pub records: Vec<(usize, Stored)>,
    /// The numbers of lines with something that was a record.
    pub damaged: Vec<usize>,
    /// The numbers of lines that have nothing to do with it.
    pub others: Vec<usize>,
}

/// Looks through a log.
pub fn read(text: &[u8]) -> Lines {
    let mut lines = Lines::default();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)) {
        if line.is_empty() {
            continue;
        }
        let begun = beginnings(line);
        let ends = begun.iter().skip(1).copied().chain([line.len()]);
        let found: Vec<_> =
            begun.iter().zip(ends).map(|(start, end)| Stored::parse(line[*start..end].trim_ascii())).collect();
        if found.is_empty() {
            let kind = if is_piece(line) { &mut lines.damaged } else { &mut lines.others };
            kind.push(number);
            continue;
        }
        if found.contains(&None) {
            lines.damaged.push(number);
        }
        lines.records.extend(found.into_iter().flatten().map(|stored| (number, stored)));
    }
    lines
}

fn beginnings(line: &[u8]) -> Vec<usize> {
    line.windows(BEGINNING.len()).enumerate().filter(|(_, part)| *part == BEGINNING).map(|(at, _)| at).collect()
}

/// Whether a line without the beginning of a record has a piece of one: its key, a beginning that is cut off, an end without a
/// beginning, or the zeros that a crash leaves in a file.
fn is_piece(line: &[u8]) -> bool {
    let count = |sought: u8| line.iter().filter(|byte| **byte == sought).count();
    let has_key = line.windows(KEY.len()).any(|part| part == KEY);
    let is_cut = (SHORTEST..BEGINNING.len()).any(|length| line.ends_with(&BEGINNING[..length]));
    has_key || is_cut || line.ends_with(b"}") && count(b'}') > count(b'{') || line.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occurrence::Token;
    use crate::run::{Completion, Outcome};

    #[test]
    fn records_are_found_wherever_they_stand_and_damage_is_named() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let end = |run: &str| {
            let completion = Completion::bare(Token(7), Outcome::Failed, at);
            Stored::End { run: run.into(), completion: Box::new(completion) }
        };
        let (a, b) = (end("a").line(), end("b{}").line());
        let json = serde_json::json!({ "log": a }).to_string();
        for (text, records, damaged, others) in [
            (a.clone(), "1:a", vec![], vec![]),
            (format!("x\n\n  {a}\r\n{b}"), "3:a 4:b{}", vec![], vec![1]),
            (format!("2026-11-30T01:02:03Z host tickward: {a}"), "1:a", vec![], vec![]),
            (format!("{{x}} cron[1]: {a}{b}"), "1:a 1:b{}", vec![], vec![]),
            (format!("{}{b}", &a[..30]), "1:b{}", vec![1], vec![]),
            (format!("x {}\n{}", &a[..a.len() - 1], &a[30..]), "", vec![1, 2], vec![]),
            (format!("{}\n{a} x", &a[..9]), "", vec![1, 2], vec![]),
            (json, "", vec![1], vec![]),
            ("x\0y\nsucceeded {p}\n{\"level\":\"info\"}\n".into(), "", vec![1], vec![2, 3]),
        ] {
            let found = read(text.as_bytes());
            let shown: Vec<_> = found.records.iter().map(|(line, stored)| format!("{line}:{}", stored.run())).collect();
            assert_eq!((shown.join(" ").as_str(), found.damaged, found.others), (records, damaged, others), "{text}");
        }
    }
}
