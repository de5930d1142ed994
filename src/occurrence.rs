//! Names what a run *is*: `(namespace, pipeline, scheduled_for)`, and an attempt at it by its number.
//!
//! Nothing here knows what a pipeline does or how a run ended. `scheduled_for` is the nominal instant; being late,
//! jitter and catch-up never change it.
//!
//! Holds always: a name is safe to print; its encoded form is safe as one path component or object key.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A validated name of a pipeline or a namespace: 1 to 128 characters of `A-Z a-z 0-9 . _ / -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Returns the name, or what is wrong with it.
    ///
    /// # Errors
    /// `InvalidName` says which character or length is refused.
    pub fn parse(text: &str) -> Result<Name, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName { name: String::new(), problem: "is empty".into() });
        }
        if text.len() > 128 {
            let shown = text.chars().take(32).collect::<String>() + "…";
            return Err(InvalidName { name: shown, problem: "is longer than 128 characters".into() });
        }
        match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "._/-".contains(*c))) {
            Some(bad) => {
                Err(InvalidName { name: text.escape_debug().to_string(), problem: format!("contains {bad:?}") })
            }
            None => Ok(Name(text.into())),
        }
    }

    /// The name as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one path component or object key: `/` becomes `%2F`, a leading dot `%2E`; no two names share one.
    pub fn encoded(&self) -> String {
        let text = self.0.replace('/', "%2F");
        match text.strip_prefix('.') {
            Some(rest) => format!("%2E{rest}"),
            None => text,
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Name, InvalidName> {
        Name::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.to_string()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("name `{name}` {problem}")]
pub struct InvalidName {
    name: String,
    problem: String,
}

/// A pipeline's identity in a store that several teams share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PipelineId {
    /// Keeps teams apart; `default` unless configured.
    pub namespace: Name,
    /// Unique within the namespace.
    pub name: Name,
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "default" => write!(f, "{}", self.name),
            namespace => write!(f, "{namespace}:{}", self.name),
        }
    }
}

/// One run: a pipeline and the nominal instant it is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Whose run.
    pub pipeline: PipelineId,
    /// What instant the run is for, in whole microseconds; never changed by being late.
    pub scheduled_for: Timestamp,
}

impl Run {
    /// The run's id as children, logs and people see it, for example `daily_etl@20260101T020000Z`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.pipeline, compact(self.scheduled_for))
    }
}

/// An instant in UTC as ISO 8601 basic format, with microseconds only where there are any.
pub fn compact(instant: Timestamp) -> String {
    let whole = instant.strftime("%Y%m%dT%H%M%S");
    match instant.subsec_microsecond() {
        0 => format!("{whole}Z"),
        micros => format!("{whole}.{micros:06}Z"),
    }
}

/// Cuts an instant to whole microseconds, the precision that every store keeps.
pub fn whole_micros(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant)
}

/// The secret of one claim: 128 random bits. Who has it may start and finish the attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(pub u128);

impl Token {
    /// Reads back what `Display` printed; none where the text is no token.
    pub fn parse(text: &str) -> Option<Token> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Token)).flatten()
    }
}

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Token, &'static str> {
        Token::parse(&text).ok_or("no token: 32 hexadecimal digits are")
    }
}

impl From<Token> for String {
    fn from(token: Token) -> String {
        token.to_string()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_or_encoded_without_collision() {
        for (text, encoded) in [("a", Some("a")), ("team/etl", Some("team%2Fetl")), (".hidden", Some("%2Ehidden"))] {
            assert_eq!(Name::parse(text).ok().map(|n| n.encoded()).as_deref(), encoded, "{text}");
        }
        for text in ["", "a b", "a%2Fb", "naïve", "a\n", &"x".repeat(129)] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn compact_instants_keep_microseconds_only_where_there_are_any() {
        for (instant, text) in
            [("2026-01-01T02:00:00Z", "20260101T020000Z"), ("2026-01-01T02:00:00.000007Z", "20260101T020000.000007Z")]
        {
            assert_eq!(compact(instant.parse().unwrap()), text);
        }
    }
}
