//! What a webhook's receiver finds: body, id and signature.

use serde_json::json;

use super::http_server::{Manner, Server};
use super::python::Python;
use super::{alert, open, send};

pub const TESTS: &[super::Test] = &[
    ("a_webhook_is_sent_the_alert_as_json", body),
    ("a_webhook_is_signed_over_id_time_and_body", signed),
    ("an_id_of_a_newer_program_cannot_add_headers", id),
];

pub const WITH_PYTHON: &[super::WithPython] =
    &[("another_program_verifies_the_signature", verified), ("a_webhook_is_sent_over_tls_to_whom_is_trusted", tls)];

fn body() {
    let server = Server::start(Manner::status(204));
    let alerter = open(&format!("webhook+http://me:p%40ss@127.0.0.1:{}/hook/1?key=a%20b&x", server.port));
    assert_eq!(send(&*alerter, &alert()), Ok(()));
    let request = server.request();
    assert_eq!(request.line, "POST /hook/1?key=a%20b&x HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Basic bWU6cEBzcw=="));
    assert_eq!(request.header("webhook-id"), Some("failed/default/daily_etl@20260101T020000Z/2"));
    assert_eq!(request.header("webhook-timestamp"), Some("1767232820"));
    assert_eq!(request.header("webhook-signature"), None);
    let expected = json!({
        "version": 1,
        "severity": "critical",
        "text": "failed: daily_etl@20260101T020000Z attempt 2 of 3: exit code 1",
        "id": "failed/default/daily_etl@20260101T020000Z/2",
        "kind": "failed",
        "at": "2026-01-01T02:00:20Z",
        "namespace": "default",
        "pipeline": "daily_etl",
        "run_id": "daily_etl@20260101T020000Z",
        "scheduled_for": "2026-01-01T02:00:00Z",
        "attempt": 2,
        "max_attempts": 3,
        "outcome": "failed",
        "error": "exit code 1",
        "exit_code": 1,
        "next_attempt_at": "2026-01-01T02:00:45Z",
        "host": "etl-1",
        "description": "Customer load",
        "owner": "data-team",
        "runbook": "https://wiki.example.com/daily-etl",
        "tags": ["critical"],
        "tail": "connecting\n\\u{1b}[31mno route to <db>\\u{1b}[0m é",
    });
    assert_eq!(request.json(), expected);
    let page = include_str!("../../docs/alerts.md");
    for key in expected.as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("| `{key}`")) || page.contains(&format!(", `{key}`")),
            "docs/alerts.md has no `{key}`"
        );
    }
}

fn signed() {
    let server = Server::start(Manner::status(204));
    let alerter = open(&format!("webhook+http://127.0.0.1:{}/?secret_env=HOOK_SECRET", server.port));
    assert_eq!(send(&*alerter, &alert()), Ok(()));
    let request = server.request();
    assert_eq!(request.line, "POST / HTTP/1.1", "our own parameter is not sent");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"hunter2 hunter2");
    let text = format!("{}.1767232820.{}", request.header("webhook-id").unwrap(), request.body);
    use base64::Engine;
    let expected = base64::engine::general_purpose::STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
    assert_eq!(request.header("webhook-signature"), Some(format!("v1,{expected}").as_str()));
}

fn id() {
    let server = Server::start(Manner::status(204));
    let alerter = open(&format!("webhook+http://127.0.0.1:{}", server.port));
    let alert = tickward::alert::Alert { id: "a\r\nX: é".into(), ..alert() };
    assert_eq!(send(&*alerter, &alert), Ok(()));
    let request = server.request();
    assert_eq!((request.header("webhook-id"), request.header("x")), (Some("a__X:__"), None));
    assert_eq!(request.json()["id"], "a\r\nX: é", "the body has it as it is");
}

const VERIFY: &str = "
import json, sys, standardwebhooks, standardwebhooks.webhooks as w
from datetime import datetime, timezone
given = json.load(sys.stdin)
# The instant of the tests is past: only the signature is looked at, not its age.
w.Webhook._Webhook__verify_timestamp = lambda self, text: datetime.fromtimestamp(int(text), tz=timezone.utc)
found = w.Webhook(given['secret']).verify(given['body'].encode(), given['headers'])
assert found['kind'] == 'failed', found
try:
    w.Webhook(given['secret']).verify(given['body'].replace('failed', 'fooled').encode(), given['headers'])
except w.WebhookVerificationError:
    print('verified')
";

fn verified(python: &Python) {
    let server = Server::start(Manner::status(204));
    let file = tempfile::NamedTempFile::new().unwrap();
    let secret = "whsec_aHVudGVyMiBodW50ZXIyIGh1bnRlcjI=";
    std::fs::write(file.path(), format!("{secret}\n")).unwrap();
    let alerter = open(&format!("webhook+http://127.0.0.1:{}/?secret_file={}", server.port, file.path().display()));
    assert_eq!(send(&*alerter, &alert()), Ok(()));
    let request = server.request();
    let headers: std::collections::BTreeMap<_, _> = request.headers.iter().cloned().collect();
    let input = json!({ "secret": secret, "headers": headers, "body": request.body });
    assert_eq!(python.run(VERIFY, &input.to_string()), "verified\n");
}

fn tls(python: &Python) {
    let heard = python.heard();
    let alerter = open(&format!("webhook+https://127.0.0.1:{}/hook", python.port("https")));
    assert_eq!(send(&*alerter, &alert()), Ok(()));
    assert_eq!(heard.next()["path"], "/hook");
    let stranger = open(&format!("webhook+https://127.0.0.1:{}/hook", python.port("https_stranger")));
    let error = send(&*stranger, &alert()).unwrap_err().to_string();
    assert!(error.starts_with("TLS: invalid peer certificate"), "{error}");
    assert!(heard.is_silent());
}
