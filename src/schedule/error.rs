//! What is wrong with a schedule: which text, where in it, and what to do.
//!
//! One type for all schedule languages. The caller knows the file and adds line and column; this knows only the text.

use std::ops::Range;

/// What is wrong with a schedule, where in its text, and what to do about it.
///
/// `Display` shows `message` alone; the caller prints the place and the help, as it does for any other mistake in a
/// configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// A lower-case fragment that names the offending piece in backticks.
    pub message: String,
    /// The bytes of the text that are meant, from the first to one past the last; the whole text where no part of it
    /// is to blame alone.
    pub span: Range<usize>,
    /// What to write instead, or where to look; none where the message says it all.
    pub help: Option<String>,
    /// Which text of the list, counted from 0; 0 for a zone's name.
    pub index: usize,
}

impl Error {
    /// A mistake at `span`, without advice, in the first text of the list.
    pub(super) fn new(message: impl Into<String>, span: Range<usize>) -> Error {
        Error { message: message.into(), span, help: None, index: 0 }
    }

    /// The same mistake with advice.
    pub(super) fn help(self, help: impl Into<String>) -> Error {
        Error { help: Some(help.into()), ..self }
    }
}
