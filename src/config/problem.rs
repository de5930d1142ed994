//! What is wrong with a configuration, in words and with the place.
//!
//! Holds always: neither message nor help nor shown line has a control character or a secret that `secret` knows to
//! recognise; what a message quotes has a bounded length.

use std::fmt;

use serde::Serialize;

use super::secret;
use super::text::{QUOTED, brief, cut, printable};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something of the configuration is not in force.
    Error,
    /// All is in force, but hardly as meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Whose mistake it is, as written; none if it is not in a pipeline.
    pub pipeline: Option<String>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where; none if it is in no text.
    #[serde(flatten)]
    pub place: Option<Box<Place>>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the user named it, or `<stdin>`, or `$TICKWARD_CONFIG_YAML`.
    pub file: String,
    /// From 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// In characters, from 1; 0 where the file as a whole is meant.
    pub column: u32,
    /// The line, safe to show; empty where there is nothing to show.
    #[serde(skip)]
    pub source: String,
    /// How many characters of `source` stand before the place.
    #[serde(skip)]
    pub caret: usize,
}

impl Place {
    /// A file as a whole.
    pub(super) fn whole(file: &str) -> Place {
        Place { file: printable(file), line: 0, column: 0, source: String::new(), caret: 0 }
    }
}

impl Problem {
    /// An error that belongs to no pipeline yet and has no advice.
    pub fn error(place: Option<Place>, message: impl AsRef<str>) -> Problem {
        let message = brief(&printable(&secret::masked(message.as_ref())));
        Problem { severity: Severity::Error, pipeline: None, message, place: place.map(Box::new), help: None }
    }

    /// The same with advice.
    pub fn with_help(mut self, help: impl AsRef<str>) -> Problem {
        self.help = Some(printable(&secret::masked(help.as_ref())));
        self
    }

    /// The same, as a mistake of that pipeline.
    pub fn in_pipeline(mut self, name: &str) -> Problem {
        self.pipeline = Some(cut(&printable(&secret::masked(name)), QUOTED).into_owned());
        self
    }

    /// The same, not so bad.
    pub fn as_warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }
}

impl fmt::Display for Problem {
    /// Several lines without a newline at the end: the message, the place with its line and a caret, the help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
        })?;
        if let Some(name) = &self.pipeline {
            write!(f, "pipeline `{name}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write_place(f, place)?;
        }
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
    if place.line == 0 {
        return write!(f, "\n  --> {}", place.file);
    }
    let number = place.line.to_string();
    let margin = " ".repeat(number.len() + 1);
    write!(f, "\n{margin}--> {}:{}:{}", place.file, place.line, place.column)?;
    if place.source.is_empty() {
        return Ok(());
    }
    write!(f, "\n{margin} |\n {number} | {}", place.source)?;
    write!(f, "\n{margin} | {}^", " ".repeat(place.caret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text::SourceText;

    #[test]
    fn a_problem_shows_its_line_and_a_caret() {
        let text = "pipelines:\n  nightly_export:\n    command: x\n\n\n    schedule: \"0 2 * * 8\"\n";
        let place = SourceText::new("pipelines/export.yaml".into(), text.into()).place(text.rfind('8').unwrap());
        let problem = Problem::error(Some(place), "day of week `8` is out of range")
            .in_pipeline("nightly_export")
            .with_help("use 0 to 7, or a name from sun to sat");
        let expected = r#"error: pipeline `nightly_export`: day of week `8` is out of range
  --> pipelines/export.yaml:6:24
   |
 6 |     schedule: "0 2 * * 8"
   |                        ^
help: use 0 to 7, or a name from sun to sat"#;
        assert_eq!(problem.to_string(), expected);
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"severity":"error","pipeline":"nightly_export","message":"day of week `8` is out of range","file":"pipelines/export.yaml","line":6,"column":24,"help":"use 0 to 7, or a name from sun to sat"}"#
        );
    }

    #[test]
    fn messages_are_masked_and_printable() {
        let problem = Problem::error(None, "`postgres://u:hunter2@h` \u{1b}[31m").as_warning();
        assert_eq!(problem.to_string(), "warning: `postgres://u:***@h` \u{fffd}[31m");
    }
}
