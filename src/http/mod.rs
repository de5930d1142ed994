//! Posts bytes over HTTP and says what came of it; the only file that knows the client.
//!
//! Which addresses and what to do about an answer is for those who post. `tls` says whom the client trusts.
//!
//! Holds always: a post ends within its limit, name resolution included; no redirect is followed; what is said about a
//! failure names nothing of the address but, where a certificate is for another, its host.

use std::time::Duration;

mod tls;

pub use tls::has_system_certificates;

/// Bytes of an answer's body that are read.
const ANSWER_BYTES: u64 = 4 << 10;

/// What is posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// `http://…` or `https://…`; may hold secrets.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it may take in all.
    pub limit: Duration,
}

/// What the other side said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header `Retry-After` as it is.
    pub retry_after: Option<String>,
    /// The beginning of the body; what is no UTF-8 is replaced.
    pub body: String,
}

/// There was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoAnswer {
    /// Why, without any part of the address.
    pub message: String,
    /// The same post would never be sent: the address is no good.
    pub is_permanent: bool,
}

/// Posts, on a thread for blocking work.
///
/// # Errors
/// Where there was no answer: it may have been received all the same.
///
/// # Cancel safety
/// Dropped, the post goes on by itself until its limit.
pub async fn post(post: Post) -> Result<Answer, NoAnswer> {
    let posted = tokio::task::spawn_blocking(move || post_blocking(&post)).await;
    posted.unwrap_or_else(|_| Err(NoAnswer { message: "the client has failed".into(), is_permanent: false }))
}

fn post_blocking(post: &Post) -> Result<Answer, NoAnswer> {
    let mut config = ureq::Agent::config_builder()
        .tls_config(tls::config())
        .timeout_global(Some(post.limit))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("tickward/", env!("CARGO_PKG_VERSION")));
    if is_loopback(&post.url) {
        config = config.proxy(None);
    }
    let agent = ureq::Agent::new_with_config(config.build());
    let mut request = agent.post(&post.url);
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let mut answer = request.send(&post.body[..]).map_err(|error| no_answer(&error, post.limit))?;
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = answer.status().as_u16();
    // The status says all that counts: a body that breaks off takes nothing back.
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES).lossy_utf8(true).read_to_string();
    Ok(Answer { status, retry_after, body: body.unwrap_or_default() })
}

/// Whether an address is on this very host, where no proxy leads.
fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let without_port = host.find("]:").map(|at| at + 1).or_else(|| host.rfind(':').filter(|_| !host.ends_with(']')));
    is_loopback_host(&host[..without_port.unwrap_or(host.len())])
}

/// Whether a host's name or address, without a port, is this very host.
pub fn is_loopback_host(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    plain.eq_ignore_ascii_case("localhost") || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn no_answer(error: &ureq::Error, limit: Duration) -> NoAnswer {
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, UnexpectedEof};
    let (message, is_permanent) = match error {
        ureq::Error::Timeout(_) => (format!("no answer within {limit:?}"), false),
        ureq::Error::HostNotFound => ("the host is not known".into(), false),
        ureq::Error::ConnectionFailed => ("the host does not take the connection".into(), false),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => ("the address is no good".into(), true),
        ureq::Error::InvalidProxyUrl => ("the proxy's address in the environment is no good".into(), false),
        ureq::Error::ConnectProxyFailed(_) => ("the proxy does not connect".into(), false),
        ureq::Error::Rustls(error) => (format!("TLS: {error}"), false),
        ureq::Error::Tls(error) => (format!("TLS: {error}"), false),
        ureq::Error::Io(error) => match error.kind() {
            ConnectionRefused => ("connection refused".into(), false),
            ConnectionReset | UnexpectedEof => ("the connection was cut".into(), false),
            _ => match tls_error(error) {
                Some(tls) => (format!("TLS: {tls}"), false),
                None => (format!("connection: {}", error.kind()), false),
            },
        },
        _ => ("the answer is not understood".into(), false),
    };
    NoAnswer { message, is_permanent }
}

/// The error of TLS that an error was made of, if it was.
pub fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
    let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
    let own = [Some(error), inner].into_iter().flatten().find_map(|error| error.downcast_ref());
    own.or_else(|| tls_error(error.source()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_leads_to_this_host() {
        for (url, is) in [
            ("http://127.0.0.1:80/x", true),
            ("http://localhost", true),
            ("https://u:p@[::1]:8443/x?y", true),
            ("http://[::1]/", true),
            ("https://example.com/127.0.0.1", false),
            ("https://127.0.0.1@example.com/", false),
            ("https://localhost.example.com:1", false),
        ] {
            assert_eq!(is_loopback(url), is, "{url}");
        }
    }
}
