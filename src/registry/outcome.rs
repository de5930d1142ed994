//! How a Rust body says that it ended, and the exit code that carries it to the tick.
//!
//! Holds always: the codes are fixed, and the pipeline's `exit_codes` are made from them.

use std::fmt;
use std::process::ExitCode;

/// How a body ended, where `Ok(())` and `Err(…)` do not say enough.
///
/// A body may return it in either arm: `Ok(Outcome::partial())`, `Err(Outcome::fatal("no such table").into())`, and `?` on
/// a `Result` whose error it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    kind: Kind,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Succeeded,
    Partial,
    Retry,
    Fatal,
}

impl Outcome {
    /// Codes with a meaning of their own. 1 is an error, 101 a panic: failed, as with any command.
    pub(super) const CODES: [(u8, &'static str); 2] = [(10, "partial"), (11, "fatal")];

    /// Done: what `Ok(())` means.
    #[must_use]
    pub fn succeeded() -> Outcome {
        Outcome { kind: Kind::Succeeded, why: String::new() }
    }

    /// Done, with rejects.
    #[must_use]
    pub fn partial() -> Outcome {
        Outcome { kind: Kind::Partial, why: String::new() }
    }

    /// Failed; the retry policy decides whether there is another attempt: what an `Err` means. The text goes to standard
    /// error.
    #[must_use]
    pub fn retry(why: impl Into<String>) -> Outcome {
        Outcome { kind: Kind::Retry, why: why.into() }
    }

    /// Failed; another attempt would not help and is never made. The text goes to standard error.
    #[must_use]
    pub fn fatal(why: impl Into<String>) -> Outcome {
        Outcome { kind: Kind::Fatal, why: why.into() }
    }

    /// The exit code of the body's process.
    pub(super) fn code(&self) -> ExitCode {
        let word = match self.kind {
            Kind::Succeeded => return ExitCode::SUCCESS,
            Kind::Retry => return ExitCode::FAILURE,
            Kind::Partial => "partial",
            Kind::Fatal => "fatal",
        };
        Outcome::CODES.iter().find(|(_, known)| *known == word).map_or(ExitCode::FAILURE, |(code, _)| (*code).into())
    }

    /// What goes to standard error; none where there is nothing to say.
    pub(super) fn why(&self) -> Option<&str> {
        Some(self.why.as_str()).filter(|why| !why.is_empty())
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Outcome {
        Outcome::succeeded()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            Kind::Succeeded => "succeeded",
            Kind::Partial => "partial",
            Kind::Retry => "failed",
            Kind::Fatal => "fatal",
        };
        match self.why() {
            Some(why) => write!(f, "{word}: {why}"),
            None => f.write_str(word),
        }
    }
}

impl std::error::Error for Outcome {}
