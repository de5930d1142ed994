//! What Slack is sent.

use serde_json::json;

use super::http_server::{Manner, Server};
use super::{alert, open, send};

pub const TESTS: &[super::Test] = &[("slack_is_sent_an_attachment_with_fields", message)];

fn message() {
    let server = Server::start(Manner::Answer(200, "", "ok".into()));
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    for url in ["slack://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/services/T/B/x"] {
        let alerter = open(&format!("{url}?endpoint={endpoint}"));
        assert_eq!(send(&*alerter, &alert()), Ok(()));
        let request = server.request();
        assert_eq!(request.line, "POST /services/T/B/x HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.header("user-agent").unwrap().starts_with("tickward/"));
        let field = |title: &str, value: &str| json!({ "title": title, "value": value, "short": true });
        let long = |title: &str, value: &str| json!({ "title": title, "value": value, "short": false });
        let headline = "failed: daily_etl@20260101T020000Z attempt 2 of 3: exit code 1";
        assert_eq!(
            request.json(),
            json!({ "text": headline, "attachments": [{
                "color": "danger",
                "fallback": headline,
                "fields": [
                    field("Pipeline", "daily_etl"),
                    field("Date", "2026-01-01T02:00:00Z"),
                    field("Attempt", "2 of 3"),
                    field("Outcome", "failed"),
                    field("Exit code", "1"),
                    field("Next attempt", "2026-01-01T02:00:45Z"),
                    field("Host", "etl-1"),
                    field("Owner", "data-team"),
                    field("Tags", "critical"),
                    long("Error", "exit code 1"),
                    long("Description", "Customer load"),
                    long("Runbook", "https://wiki.example.com/daily-etl"),
                ],
                "footer": "tickward",
                "ts": 1767232820,
                "mrkdwn_in": ["text"],
                "text": "```\nconnecting\n\\u{1b}[31mno route to &lt;db&gt;\\u{1b}[0m é\n```",
            }] })
        );
    }
}
