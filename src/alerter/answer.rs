//! What an answer over HTTP, or none, means for an alert.
//!
//! Holds always: of the other side's words only a plain one is repeated, since the rest may hold the address.

use std::time::Duration;

use jiff::Timestamp;

use super::SendError;
use crate::http::{Answer, NoAnswer};

/// What is told as the longest wait: alerts are not kept longer.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// 2xx is delivered. 408, 425, 429, 5xx and no answer are worth another try at once. All else is a refusal: of this very
/// alert, where the status is about its content; of whatever comes there, redirects included.
pub(super) fn verdict(answer: Result<Answer, NoAnswer>, now: Timestamp) -> Result<(), SendError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer { message, is_permanent: true }) => return Err(SendError::Refused { message }),
        Err(NoAnswer { message, .. }) => return Err(SendError::Retriable { message, after: None }),
    };
    let word = word(&answer.body).map_or(String::new(), |word| format!(" ({word})"));
    let status = answer.status;
    let message = format!("the answer is {status}{word}");
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(SendError::Refused {
            message: format!(
                "the answer is {status}, a redirect, which is not followed: write the address it leads to"
            ),
        }),
        408 | 425 | 429 | 500..=599 => {
            let after = answer.retry_after.and_then(|text| wait(&text, now));
            Err(SendError::Retriable { message, after: after.filter(|after| !after.is_zero()) })
        }
        400 | 413 | 415 | 422 => Err(SendError::Unfit { message }),
        _ => Err(SendError::Refused { message }),
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wait = match is_number {
        true => text.parse().map_or(LONGEST_WAIT, Duration::from_secs),
        false => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// The body, if it is one word like those that Slack answers with (`no_service`).
fn word(body: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    Some(body.trim()).filter(|word| (1..=40).contains(&word.len()) && word.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_delivered_worth_another_try_or_refusals() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let retry = |after: Option<u64>| Some(("again", after));
        let [refused, unfit] = ["refused", "unfit"].map(|word| Some((word, None)));
        for (status, retry_after, expected) in [
            (200, None, None),
            (204, None, None),
            (301, None, refused),
            (307, Some("9"), refused),
            (400, None, unfit),
            (401, None, refused),
            (403, None, refused),
            (404, None, refused),
            (408, None, retry(None)),
            (410, None, refused),
            (413, None, unfit),
            (415, None, unfit),
            (422, None, unfit),
            (429, Some("30"), retry(Some(30))),
            (429, Some("Thu, 01 Jan 2026 00:01:00 GMT"), retry(Some(60))),
            (429, Some("Wed, 01 Jan 2025 00:01:00 GMT"), retry(None)),
            (429, Some("0"), retry(None)),
            (429, Some("soon"), retry(None)),
            (429, Some("-1"), retry(None)),
            (429, Some("99999999"), retry(Some(86_400))),
            (429, Some("99999999999999999999999"), retry(Some(86_400))),
            (500, None, retry(None)),
            (503, Some("7"), retry(Some(7))),
            (503, Some("Thu, 01 Jan 2026 01:00:00 GMT"), retry(Some(3600))),
            (100, None, refused),
        ] {
            let answer = Answer { status, retry_after: retry_after.map(Into::into), body: String::new() };
            let found = verdict(Ok(answer), now).err().map(|error| match error {
                SendError::Retriable { after, .. } => ("again", after.map(|after| after.as_secs())),
                SendError::Refused { .. } => ("refused", None),
                SendError::Unfit { .. } => ("unfit", None),
            });
            assert_eq!(found, expected, "{status} {retry_after:?}");
        }
    }

    #[test]
    fn only_a_plain_word_of_the_answer_is_repeated() {
        for (body, told) in [
            ("no_service", "the answer is 404 (no_service)"),
            ("\n", "the answer is 404"),
            ("/services/T/B/secret", "the answer is 404"),
            ("Not Found", "the answer is 404"),
        ] {
            let answer = Answer { status: 404, retry_after: None, body: body.into() };
            assert_eq!(verdict(Ok(answer), Timestamp::UNIX_EPOCH).unwrap_err().to_string(), told);
        }
    }
}
