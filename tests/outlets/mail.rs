//! Mail over a real server.

use std::time::Duration;

use tickward::alert::Alert;
use tickward::alerter::{self, OpenOptions, SendError};

use super::python::Python;
use super::{alert, open, options, send, spec};

pub const TESTS: &[super::WithPython] = &[
    ("mail_arrives_with_headers_and_text", plain),
    ("mail_is_encrypted_as_the_address_says", encrypted),
    ("mail_that_is_refused_says_whether_to_try_again", refused),
];

fn plain(python: &Python) {
    let heard = python.heard();
    let port = python.port("plain");
    let alerter =
        open(&format!("smtp://127.0.0.1:{port}?from=ETL%20%3Cetl@example.com%3E&to=a@example.com,b@example.com"));
    let alert = Alert { error: Some("exit code 1\r\nBcc: c@example.com é".into()), ..alert() };
    assert_eq!(send(&*alerter, &alert), Ok(()));
    let said = heard.next();
    assert_eq!((&said["sender"], &said["tls"], &said["user"]), (&"etl@example.com".into(), &false.into(), &().into()));
    assert_eq!(said["to"], serde_json::json!(["a@example.com", "b@example.com"]));
    let read = "import sys, json, email, email.policy
mail = email.message_from_string(json.load(sys.stdin), policy=email.policy.default)
print(json.dumps({'headers': {k.lower(): str(v) for k, v in mail.items()}, 'text': mail.get_content()}))";
    let read: serde_json::Value = serde_json::from_str(&python.run(read, &said["mail"].to_string())).unwrap();
    let headers = &read["headers"];
    let subject = "[tickward] failed: daily_etl@20260101T020000Z attempt 2 of 3: exit code 1\\r\\nBcc: c@example.com é";
    assert_eq!(headers["subject"], subject);
    assert_eq!(headers["message-id"], "<failed.default.daily_etl.20260101T020000Z.2@example.com>");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(headers["date"], "Thu, 01 Jan 2026 02:00:20 +0000");
    assert!(headers.get("bcc").is_none(), "{headers}");
    let text = read["text"].as_str().unwrap();
    for line in [
        "Pipeline:     daily_etl",
        "Exit code:    1",
        "Runbook:      https://wiki.example.com/daily-etl",
        "    connecting",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

fn encrypted(python: &Python) {
    let heard = python.heard();
    let to = "from=etl@example.com&to=a@example.com";
    let login = "mailer:p%40ss%3Aw%2Frd";
    let server = |name| python.port(name);
    for (url, tls, user) in [
        (format!("smtp://{login}@127.0.0.1:{}?{to}&tls=required", server("starttls")), true, Some("mailer")),
        (format!("smtp://localhost:{}?{to}&tls=required", server("starttls")), true, None),
        (format!("smtps://{login}@127.0.0.1:{}?{to}", server("wrapped")), true, Some("mailer")),
        (format!("smtp://{login}@127.0.0.1:{}?{to}&tls=none", server("plain")), false, Some("mailer")),
    ] {
        assert_eq!(send(&*open(&url), &alert()), Ok(()), "{url}");
        let said = heard.next();
        assert_eq!((said["tls"].as_bool(), said["user"].as_str()), (Some(tls), user), "{url}");
    }
    for (url, is_retriable, message) in [
        (
            format!("smtp://{login}@127.0.0.1:{}?{to}&tls=required", server("plain")),
            false,
            "the mail server does not offer what is needed: STARTTLS, or a way to log in",
        ),
        (
            format!("smtp://{login}@127.0.0.1:{}?{to}&tls=required", server("stranger")),
            true,
            "TLS: invalid peer certificate: UnknownIssuer",
        ),
    ] {
        let error = send(&*open(&url), &alert()).unwrap_err();
        assert_eq!(
            (matches!(error, SendError::Retriable { .. }), error.to_string().as_str()),
            (is_retriable, message),
            "{url}"
        );
    }
    assert!(heard.is_silent(), "nobody was told without what was asked for");
}

fn refused(python: &Python) {
    let heard = python.heard();
    let port = python.port("plain");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url =
        |login: &str, to: &str| format!("smtp://{login}127.0.0.1:{port}?from=etl@example.com&to={to}@example.com");
    for (url, is_retriable, message) in [
        (url("", "full"), true, "the mail server answers 452"),
        (url("", "nobody"), false, "the mail server refuses with 550"),
        (url("mailer:hunter2@", "a"), false, "the mail server refuses with 535"),
        (url("", "slow"), true, "the mail server has not taken the mail within 2s"),
        (format!("smtp://127.0.0.1:{free}?from=a@b.c&to=d@e.f"), true, "the connection to the mail server failed"),
    ] {
        let options = OpenOptions { limit: Duration::from_secs(2), ..options() };
        let error = send(&*alerter::open(&spec(&url), options).unwrap(), &alert()).unwrap_err();
        assert_eq!(
            (matches!(error, SendError::Retriable { .. }), error.to_string().as_str()),
            (is_retriable, message),
            "{url}"
        );
    }
    assert!(heard.is_silent());
}
