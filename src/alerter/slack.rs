//! `slack://hooks.slack.com/services/X/Y/Z`, or the same as Slack shows it with `https://`: a message with one attachment.
//!
//! Other hosts work with `slack://` where they understand Slack's messages, as Mattermost does. `?endpoint=` sends to another
//! scheme and host, the path is kept: for a relay, and for tests.
//! The form is Slack's "legacy secondary attachments", which have a colour and fields.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Address, Alerter, Error, OpenOptions, SendError, answer};
use crate::alert::{Alert, Severity, escaped};
use crate::clock::Clock;
use crate::http::{self, Post};

/// Hosts of which an `https://` address is Slack's.
const HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Characters of an error that are shown. The message as a whole must stay below Slack's limit.
const ERROR_CHARACTERS: usize = 1_000;

struct Slack {
    name: String,
    url: String,
    clock: Arc<dyn Clock>,
    limit: Duration,
}

pub(super) fn open_https(name: &str, address: Address, options: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    let is_slack = HOSTS.contains(&address.host.to_ascii_lowercase().as_str());
    if address.scheme != "https" || !is_slack {
        let help =
            "write webhook+https:// for a receiver of your own, slack:// for one that understands Slack's messages";
        return Err(Error::new("an alerter's address begins with http but is not Slack's", help));
    }
    open(name, address, options)
}

pub(super) fn open(name: &str, address: Address, options: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    address.only(&["endpoint"])?;
    let segments = address.path.split('/').filter(|segment| !segment.is_empty()).count();
    if address.host.is_empty() || segments < if HOSTS.contains(&address.host.as_str()) { 4 } else { 1 } {
        let help = "copy it from Slack: slack://hooks.slack.com/services/X/Y/Z";
        return Err(Error::new("Slack's address is not complete", help));
    }
    let url = match address.parameter("endpoint") {
        Some(endpoint) => format!("{}{}", checked_endpoint(endpoint)?, address.path),
        None => format!("https://{}", address.before_parameters),
    };
    Ok(Arc::new(Slack { name: name.into(), url, clock: options.clock, limit: options.limit }))
}

/// The endpoint without a slash at its end. What is not encrypted stays on this host.
fn checked_endpoint(endpoint: &str) -> Result<&str, Error> {
    let help = "write https://HOST:PORT, or http:// and this host";
    let address = Address::parse(endpoint).map_err(|_| Error::new("`endpoint` is no address", help))?;
    let is_safe = match address.scheme.as_str() {
        "https" => !address.host.is_empty(),
        "http" => http::is_loopback_host(&address.host),
        _ => false,
    };
    let is_bare = address.path.trim_end_matches('/').is_empty() && !endpoint.contains('?');
    match is_safe && is_bare {
        true => Ok(endpoint.trim_end_matches('/')),
        false => Err(Error::new("`endpoint` cannot be used for Slack", help)),
    }
}

#[async_trait]
impl Alerter for Slack {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, alert: &Alert) -> Result<(), SendError> {
        let post = Post {
            url: self.url.clone(),
            headers: vec![("content-type", "application/json".into())],
            body: message(alert).to_string().into_bytes(),
            limit: self.limit,
        };
        answer::verdict(http::post(post).await, self.clock.now())
    }
}

/// The message as Slack reads it.
fn message(alert: &Alert) -> Value {
    let colour = match alert.kind.severity() {
        Severity::Critical => "danger",
        Severity::Warning => "warning",
        Severity::Good => "good",
    };
    let headline = marked(&alert.headline());
    let mut attachment = json!({
        "color": colour,
        "fallback": headline,
        "fields": fields(alert),
        "footer": "tickward",
        "ts": alert.at.as_second(),
        "mrkdwn_in": ["text"],
    });
    if !alert.tail.is_empty() {
        let tail: Vec<String> = alert.tail.lines().map(|line| marked(&escaped(line)).replace('`', "'")).collect();
        attachment["text"] = json!(format!("```\n{}\n```", tail.join("\n")));
    }
    json!({ "text": headline, "attachments": [attachment] })
}

fn fields(alert: &Alert) -> Vec<Value> {
    let count = alert.count.map(|count| format!("{}{count}", if alert.at_least { "at least " } else { "" }));
    let instant = |instant: Option<jiff::Timestamp>| instant.map(|instant| instant.to_string());
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let error = alert.error.as_ref().map(|error| error.chars().take(ERROR_CHARACTERS).collect());
    let rows = [
        ("Pipeline", text(&alert.pipeline_shown()), true),
        ("Date", instant(alert.scheduled_for), true),
        ("Until", instant(alert.last_scheduled_for), true),
        ("Occurrences", count, true),
        ("Attempt", alert.attempt_shown(), true),
        ("Outcome", alert.outcome.clone(), true),
        ("Exit code", alert.exit_code.map(|code| code.to_string()), true),
        ("Next attempt", instant(alert.next_attempt_at), true),
        ("Host", text(&alert.host), true),
        ("Owner", text(&alert.owner), true),
        ("Tags", text(&alert.tags.join(", ")), true),
        ("Error", error, false),
        ("Description", text(&alert.description), false),
        ("Runbook", text(&alert.runbook), false),
    ];
    let shown = rows.into_iter().filter_map(|(title, value, is_short)| Some((title, value?, is_short)));
    shown
        .map(|(title, value, is_short)| json!({ "title": title, "value": marked(&escaped(&value)), "short": is_short }))
        .collect()
}

/// A text as Slack shows it as it is: `<!channel>` in it calls nobody.
fn marked(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Kind;

    #[test]
    fn the_message_has_a_colour_and_calls_nobody() {
        for (kind, colour) in [
            (Kind::GaveUp, "danger"),
            (Kind::Failed, "danger"),
            (Kind::Recovered, "good"),
            (Kind::Partial, "warning"),
            (Kind::Other("x".into()), "warning"),
        ] {
            let mut alert = Alert::new(kind, "1", jiff::Timestamp::UNIX_EPOCH);
            (alert.error, alert.tail) = (Some("<!channel> & \u{1b}[1m".into()), "```<!here>\nlast".into());
            let message = message(&alert);
            let attachment = &message["attachments"][0];
            assert_eq!(attachment["color"], colour);
            assert_eq!(
                attachment["fields"],
                json!([{ "title": "Error", "value": "&lt;!channel&gt; &amp; \\u{1b}[1m", "short": false }])
            );
            assert_eq!(attachment["text"], "```\n'''&lt;!here&gt;\nlast\n```");
            assert!(!message.to_string().contains("<!"), "{message}");
        }
    }
}
