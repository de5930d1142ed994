//! A receiver that fails in every way: what is worth another try, that it takes no longer than its limit, and that nothing
//! of the address is told.

use std::time::Duration;

use tickward::alerter::{self, OpenOptions, SendError};

use super::http_server::{Manner, Server};
use super::{alert, options, runtime, send, spec};

pub const TESTS: &[super::Test] = &[
    ("an_answer_says_whether_to_try_again", answers),
    ("whoever_does_not_answer_in_time_is_left", slow),
    ("where_nobody_listens_is_worth_another_try", nobody),
    ("a_redirect_is_not_followed", redirect),
    ("a_tick_goes_on_while_an_alert_is_on_its_way", beside),
];

/// Where both kinds of alerter send to.
fn urls(port: u16) -> [String; 2] {
    [
        format!("slack://hooks.slack.com/services/hunter2/hunter2/hunter2?endpoint=http://127.0.0.1:{port}"),
        format!("webhook+http://u:hunter2@127.0.0.1:{port}/hunter2?k=hunter2&secret_env=HOOK_SECRET"),
    ]
}

fn shown(result: Result<(), SendError>) -> String {
    match result {
        Ok(()) => "delivered".into(),
        Err(SendError::Retriable { message, after }) => format!("again after {after:?}: {message}"),
        Err(SendError::Refused { message }) => format!("refused: {message}"),
        Err(SendError::Unfit { message }) => format!("unfit: {message}"),
    }
}

fn answers() {
    let answer = |status, headers, body: &str| Manner::Answer(status, headers, body.into());
    for (manner, expected) in [
        (answer(200, "", "ok"), "delivered"),
        (Manner::status(204), "delivered"),
        (Manner::CutLate(200), "delivered"),
        (answer(404, "", "no_service"), "refused: the answer is 404 (no_service)"),
        (answer(400, "", "hunter2 in /hunter2"), "unfit: the answer is 400"),
        (Manner::status(403), "refused: the answer is 403"),
        (answer(410, "", "channel_is_archived"), "refused: the answer is 410 (channel_is_archived)"),
        (answer(429, "Retry-After: 30\r\n", ""), "again after Some(30s): the answer is 429"),
        (answer(429, "Retry-After: Thu, 01 Jan 2026 02:01:00 GMT\r\n", ""), "again after Some(40s): the answer is 429"),
        (Manner::status(500), "again after None: the answer is 500"),
        (answer(503, "Retry-After: x\r\n", "rollup_error"), "again after None: the answer is 503 (rollup_error)"),
        (Manner::Cut, "again after None: the connection was cut"),
        (Manner::CutLate(500), "again after None: the answer is 500"),
        (Manner::Babble, "again after None: the answer is not understood"),
    ] {
        let server = Server::start(manner.clone());
        for url in urls(server.port) {
            let alerter = alerter::open(&spec(&url), options()).unwrap();
            let found = shown(send(&*alerter, &alert()));
            assert_eq!(found, expected, "{manner:?}");
            assert_eq!(server.requests().len(), 1, "{manner:?}: it is told once");
        }
    }
}

/// The only test that measures time: how long it may take at most, which other work on the machine only makes longer.
fn slow() {
    for manner in [Manner::BlackHole, Manner::Deaf, Manner::Drip] {
        let server = Server::start(manner.clone());
        for url in urls(server.port) {
            let options = OpenOptions { limit: Duration::from_millis(300), ..options() };
            let alerter = alerter::open(&spec(&url), options).unwrap();
            let runtime = runtime();
            let found = runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(20), alerter.send(&alert())).await.expect("it ends by itself")
            });
            assert_eq!(shown(found), "again after None: no answer within 300ms", "{manner:?}");
        }
    }
}

fn nobody() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in urls(port) {
        let alerter = alerter::open(&spec(&url), options()).unwrap();
        assert_eq!(shown(send(&*alerter, &alert())), "again after None: connection refused");
    }
    let alerter = alerter::open(&spec("webhook+http://no.such.host.invalid/hunter2"), options()).unwrap();
    let found = shown(send(&*alerter, &alert()));
    assert!(found.starts_with("again after None: "), "{found}");
    assert!(!found.contains("hunter2") && !found.contains("invalid"), "{found}");
}

fn redirect() {
    let other = Server::start(Manner::status(200));
    let location = format!("Location: http://127.0.0.1:{}/hunter2\r\n", other.port);
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(Manner::Answer(status, Box::leak(location.clone().into_boxed_str()), String::new()));
        for url in urls(server.port) {
            let alerter = alerter::open(&spec(&url), options()).unwrap();
            let expected = format!(
                "refused: the answer is {status}, a redirect, which is not followed: write the address it leads to"
            );
            assert_eq!(shown(send(&*alerter, &alert())), expected);
        }
    }
    assert_eq!(other.requests(), [], "nobody else was told");
}

fn beside() {
    let server = Server::start(Manner::BlackHole);
    let url = &urls(server.port)[1];
    let options = OpenOptions { limit: Duration::from_secs(1), ..options() };
    let alerter = alerter::open(&spec(url), options).unwrap();
    let alert = alert();
    runtime().block_on(async {
        let sending = alerter.send(&alert);
        tokio::pin!(sending);
        tokio::select! {
            biased;
            _ = &mut sending => panic!("nobody answers"),
            () = tokio::task::yield_now() => {}
        }
        assert!(sending.await.is_err());
    });
}
