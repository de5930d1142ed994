//! A configuration's text under its name, and the line and column of each of its bytes.
//!
//! Holds always: lines and columns count from 1, columns in characters; a shown line has no secret that `secret` knows
//! to recognise, no control characters, and a bounded length.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problem::Place;
use super::secret;

/// Characters of a line that are shown at most.
const SHOWN: usize = 160;
/// Characters of a value that a message quotes at most.
pub(super) const QUOTED: usize = 200;
/// Characters of a message at most, however much it quotes.
const MESSAGE: usize = 2000;
/// Lines above that are looked at for the key of a value of several lines.
const ABOVE: usize = 200;

/// One text and what to call it.
#[derive(Debug)]
pub(super) struct SourceText {
    name: String,
    text: String,
    folder: PathBuf,
    line_starts: OnceCell<Vec<usize>>,
    /// Line and column of a program, where all of this stands.
    all_at: Option<(u32, u32)>,
}

impl SourceText {
    /// Takes the text without its byte order mark.
    pub(super) fn new(name: String, mut text: String) -> SourceText {
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        SourceText { name: printable(&name), text, folder: PathBuf::new(), line_starts: OnceCell::new(), all_at: None }
    }

    /// The same, made by a program at this place: of the text itself nothing is shown.
    pub(super) fn all_at(self, line: u32, column: u32) -> SourceText {
        SourceText { all_at: Some((line, column)), ..self }
    }

    /// The same, as a file of this folder.
    pub(super) fn within(self, folder: Option<&Path>) -> SourceText {
        SourceText { folder: folder.map(Path::to_path_buf).unwrap_or_default(), ..self }
    }

    /// The folder that its paths start from; empty for the one the tick was started in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> u32 {
        match self.all_at {
            Some((line, _)) => line,
            None => self.line_starts().partition_point(|start| *start <= at) as u32,
        }
    }

    /// Where a byte stands, with its line as it may be shown.
    pub(super) fn place(&self, at: usize) -> Place {
        if let Some((line, column)) = self.all_at {
            return Place { file: self.name.clone(), line, column, source: String::new(), caret: 0 };
        }
        let at = at.min(self.text.len());
        let line = self.line(at);
        let start = self.line_starts()[line as usize - 1];
        let source = self.text[start..].lines().next().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        let column = before.chars().count() + 1;
        let above = &self.text[..start];
        let (shown, caret) = match goes_on_with_a_secret(above, source) || goes_on_with_a_command(above, source) {
            true => (format!("{}{}", " ".repeat(indent(source)), secret::MASK), indent(source)),
            false => shown_line(source, before.len().min(source.len())),
        };
        Place { file: self.name.clone(), line, column: column as u32, source: shown, caret }
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
        })
    }
}

/// Whether a line below `above` is, or in doubt may be, part of a value whose key sounds secret.
fn goes_on_with_a_secret(above: &str, line: &str) -> bool {
    let depth = indent(line);
    if depth == 0 || line.trim().is_empty() {
        return false;
    }
    let is_pair = line.trim_start().split_once(':').is_some_and(|(key, value)| {
        !key.contains(char::is_whitespace) && (value.is_empty() || value.starts_with(char::is_whitespace))
    });
    let mut nearest = above.lines().rev().take(ABOVE);
    let Some(key) = nearest.find(|above| !above.trim().is_empty() && indent(above) < depth) else {
        return !is_pair && above.lines().nth(ABOVE).is_some();
    };
    let key = key.split_once(" #").map_or(key, |(key, _)| key).trim_end();
    if key.ends_with(':') && is_pair {
        return false;
    }
    // A value that another word would belong to has not ended in its line.
    let longer = format!("{key} x");
    secret::secrets_in(&longer).last().is_some_and(|value| value.end == longer.len())
}

/// Whether a line has a secret that only who knows what stands above sees: the next element of a list, or of a command over several lines.
fn goes_on_with_a_command(above: &str, line: &str) -> bool {
    let depth = indent(line);
    let element = |line| -> Option<&str> { str::trim_start(line).strip_prefix("- ").filter(|_| indent(line) == depth) };
    let mut nearest = above.lines().rev().take(ABOVE);
    let begun: Vec<&str> = match element(line) {
        Some(_) => nearest.map_while(element).collect(),
        None => nearest.by_ref().map_while(|above| above.trim_end().strip_suffix('\\')).collect(),
    };
    let (between, line) = element(line).map_or((" ", line), |element| (", ", element));
    if begun.is_empty() {
        return false;
    }
    let mut whole: String = begun.into_iter().rev().flat_map(|part| [part.trim(), between]).collect();
    let start = whole.len();
    whole.push_str(line);
    let alone = secret::secrets_in(line);
    let in_line = secret::secrets_in(&whole).into_iter().filter(|value| value.end > start);
    let mut in_line = in_line.map(|value| value.start.saturating_sub(start)..value.end - start);
    in_line.any(|value| !alone.iter().any(|known| known.start <= value.start && value.end <= known.end))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The line with its secrets masked and cut to a bounded length, and how many characters stand before byte `at` of it.
fn shown_line(line: &str, at: usize) -> (String, usize) {
    let masked = secret::secrets_in(line);
    let caret = shown(line, 0..at, &masked).chars().count();
    let whole: Vec<char> = printable(&shown(line, 0..line.len(), &masked)).chars().collect();
    if whole.len() <= SHOWN {
        return (whole.into_iter().collect(), caret);
    }
    let from = caret.saturating_sub(SHOWN / 2);
    let to = (from + SHOWN).min(whole.len());
    let lead = if from > 0 { "…" } else { "" };
    let tail = if to < whole.len() { "…" } else { "" };
    let cut: String = whole[from..to].iter().collect();
    (format!("{lead}{cut}{tail}"), caret - from + lead.chars().count())
}

/// The part of a line before `range.end`, with a mask in place of each secret that starts there.
fn shown(line: &str, range: Range<usize>, masked: &[Range<usize>]) -> String {
    let mut text = String::new();
    let mut at = range.start;
    for secret in masked.iter().filter(|secret| secret.start < range.end) {
        text.push_str(&line[at..secret.start]);
        if secret.end > range.end {
            return text;
        }
        text.push_str(secret::MASK);
        at = secret.end;
    }
    text.push_str(&line[at..range.end]);
    text
}

/// The text with a stand-in for each control character, of which there is one for one.
pub(super) fn printable(text: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_unsafe) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if is_unsafe(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// The begin of a text of more than `most` characters, with a sign that it goes on. For what has been masked: half an address
/// looks like none.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A message in which what stands in backticks can be read at a glance.
pub(super) fn brief(message: &str) -> String {
    let parts = message.split('`').enumerate();
    let cut_parts = parts.map(|(index, part)| if index % 2 == 1 { cut(part, QUOTED) } else { part.into() });
    cut(&cut_parts.collect::<Vec<_>>().join("`"), MESSAGE).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_lines_and_columns_in_characters() {
        let source = SourceText::new("f".into(), "\u{feff}é: a\r\n\tb: ü x\n".into());
        for (at, line, column, shown, caret) in [
            (0, 1, 1, "é: a", 0),
            (4, 1, 4, "é: a", 3),
            (7, 2, 1, " b: ü x", 0),
            (14, 2, 7, " b: ü x", 6),
            (99, 3, 1, "", 0),
        ] {
            let place = source.place(at);
            assert_eq!(
                (place.line, place.column, place.source.as_str(), place.caret),
                (line, column, shown, caret),
                "byte {at}"
            );
        }
    }

    #[test]
    fn the_caret_follows_where_masks_change_the_length() {
        let line = "run_log: postgres://u:secret-word@h/db # x";
        let (shown, caret) = shown_line(line, line.len() - 1);
        assert_eq!(shown, "run_log: postgres://u:***@h/db # x");
        assert_eq!(shown.chars().nth(caret), Some('x'));
        let (_, inside) = shown_line(line, line.find("word").unwrap());
        assert_eq!(inside, shown.find("***").unwrap());
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let line = "x".repeat(500) + "!" + &"y".repeat(500);
        let (shown, caret) = shown_line(&line, 500);
        assert!(shown.chars().count() <= SHOWN + 2 && shown.chars().nth(caret) == Some('!'), "{shown}");
    }

    #[test]
    fn a_line_that_goes_on_with_a_secret_is_not_shown() {
        for (text, shown) in [
            ("env:\n  API_TOKEN: |\n    hunter2\n    x", "    ***"),
            ("env:\n  API_TOKEN: |\n\n      hunter2\n    x", "    ***"),
            ("env:\n  API_TOKEN:\n    x", "    ***"),
            ("env:\n  API_TOKEN: # as they say\n    x", "    ***"),
            ("env:\n  API_TOKEN: \"a\n    x", "    ***"),
            ("env:\n  API_TOKENS:\n    - x", "    ***"),
            ("command:\n  - sshpass\n  - -p\n  - hunter2", "  ***"),
            ("command:\n  - sshpass\n  - -p\n  - hunter2\n  - ssh", "  - ssh"),
            ("command:\n  - run\n  - --token\n  - 'hunter 2'", "  ***"),
            ("command:\n  - mysql\n  - -phunter2", "  ***"),
            ("command: |\n  redis-cli \\\n    -a \\\n    hunter2", "    ***"),
            ("command: |\n  redis-cli\n  -a\n  x", "  x"),
            ("env:\n  API_TOKEN: \"a\"\n  x", "  x"),
            ("env: { API_TOKEN: a,\n  x", "  x"),
            ("env:\n  NOTES: |\n    x", "    x"),
            ("pipelines:\n  token_refresh:\n    schedule: x", "    schedule: x"),
        ] {
            let place = SourceText::new("t.yaml".into(), text.into()).place(text.len() - 1);
            assert_eq!(place.source, shown, "{text}");
        }
        let many = format!("pipelines:\n{}  last: x", "  p: { command: x }\n".repeat(ABOVE));
        assert_eq!(SourceText::new("t.yaml".into(), many.clone()).place(many.len() - 1).source, "  last: x");
    }
}
