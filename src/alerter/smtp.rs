//! `smtp://user:password@host:port?from=&to=a,b` and `smtps://…`: one mail for each alert.
//!
//! `smtps` is TLS from the first byte. With `smtp` the connection is encrypted by STARTTLS: always where there is a password
//! or `tls=required`; where the server offers it without a password; never with `tls=none`, and on this very host only
//! with `tls=required`, since servers there often have a certificate that nobody signed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Address, Alerter, Error, OpenOptions, SendError};
use crate::alert::{Alert, escaped};
use crate::http;

struct Smtp {
    name: String,
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    limit: Duration,
}

pub(super) fn open(name: &str, address: Address, options: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    address.only(&["from", "to", "tls"])?;
    if address.host.is_empty() || !address.path.trim_matches('/').is_empty() {
        return Err(Error::new("a mail server's address is HOST or HOST:PORT", "write smtp://HOST:PORT?from=…&to=…"));
    }
    let mailbox = |text: &str, parameter: &str| {
        text.trim().parse::<Mailbox>().map_err(|_| {
            Error::new(
                &format!("`{parameter}` is no mail address"),
                "write from=etl@example.com&to=a@example.com,b@example.com",
            )
        })
    };
    let given = |parameter: &str| {
        let help = "write smtp://HOST:PORT?from=etl@example.com&to=ops@example.com";
        address.parameter(parameter).ok_or_else(|| Error::new(&format!("mail needs `{parameter}`"), help))
    };
    let from = mailbox(given("from")?, "from")?;
    let to = given("to")?.split(',').filter(|to| !to.trim().is_empty()).map(|to| mailbox(to, "to"));
    let to = to.collect::<Result<Vec<_>, Error>>()?;
    if to.is_empty() {
        return Err(Error::new("`to` names nobody", "write to=a@example.com,b@example.com"));
    }
    let (tls, port) = encryption(&address)?;
    let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&address.host)
        .port(address.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(options.limit));
    if let Some(user) = &address.user {
        let password = address.password.clone().unwrap_or_default();
        relay = relay.credentials(Credentials::new(user.clone(), password));
    }
    Ok(Arc::new(Smtp { name: name.into(), relay: relay.build(), from, to, limit: options.limit }))
}

/// How the connection is encrypted, and the port where none is named.
fn encryption(address: &Address) -> Result<(Tls, u16), Error> {
    let parameters = || {
        let store = match http::has_system_certificates() {
            true => CertificateStore::Default,
            false => CertificateStore::WebpkiRoots,
        };
        TlsParameters::builder(address.host.clone()).certificate_store(store).build_rustls().map_err(|_| {
            Error::new(
                "a mail server's name cannot be checked against its certificate",
                "write its name or its IP address",
            )
        })
    };
    let has_password = address.password.is_some();
    Ok(match (address.scheme.as_str(), address.parameter("tls")) {
        ("smtps", None | Some("required")) => (Tls::Wrapper(parameters()?), 465),
        ("smtps", _) => return Err(Error::new("`smtps` is always encrypted", "leave `tls` out, or write smtp://")),
        (_, Some("none")) => (Tls::None, if has_password { 587 } else { 25 }),
        (_, Some("required")) => (Tls::Required(parameters()?), if has_password { 587 } else { 25 }),
        (_, Some(_)) => {
            return Err(Error::new("`tls` is neither `required` nor `none`", "write one of them, or leave it out"));
        }
        (_, None) if http::is_loopback_host(&address.host) => (Tls::None, if has_password { 587 } else { 25 }),
        (_, None) if has_password => (Tls::Required(parameters()?), 587),
        (_, None) => (Tls::Opportunistic(parameters()?), 25),
    })
}

#[async_trait]
impl Alerter for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, alert: &Alert) -> Result<(), SendError> {
        let mail = self
            .mail(alert)
            .map_err(|_| SendError::Unfit { message: "the alert cannot be written as a mail".into() })?;
        match tokio::time::timeout(self.limit, self.relay.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(sorted(&error)),
            Err(_) => {
                let message = format!("the mail server has not taken the mail within {:?}", self.limit);
                Err(SendError::Retriable { message, after: None })
            }
        }
    }
}

impl Smtp {
    fn mail(&self, alert: &Alert) -> Result<Message, lettre::error::Error> {
        let headline = alert.headline();
        let domain = self.from.email.domain();
        let id: String =
            alert.id.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '.' }).collect();
        let header =
            |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let mut mail: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .subject(format!("[tickward] {}", headline.chars().take(200).collect::<String>()))
            .date(std::time::SystemTime::from(alert.at))
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(ContentType::TEXT_PLAIN)
            .raw_header(header("Auto-Submitted", "auto-generated"));
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.body(text(alert, &headline))
    }
}

/// The mail's text.
fn text(alert: &Alert, headline: &str) -> String {
    let instant = |instant: Option<jiff::Timestamp>| instant.map(|instant| instant.to_string()).unwrap_or_default();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows = [
        ("Pipeline", alert.pipeline_shown()),
        ("Description", alert.description.clone()),
        ("Date", instant(alert.scheduled_for)),
        ("Until", instant(alert.last_scheduled_for)),
        ("Attempt", number(alert.attempt.map(i64::from))),
        ("Attempts", number(alert.max_attempts.map(i64::from))),
        ("Outcome", alert.outcome.clone().unwrap_or_default()),
        ("Exit code", number(alert.exit_code.map(i64::from))),
        ("Error", alert.error.clone().unwrap_or_default()),
        ("Next attempt", instant(alert.next_attempt_at)),
        ("Host", alert.host.clone()),
        ("Owner", alert.owner.clone()),
        ("Tags", alert.tags.join(", ")),
        ("Runbook", alert.runbook.clone()),
        ("At", alert.at.to_string()),
    ];
    let mut text = format!("{headline}\r\n\r\n");
    for (title, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!("{:13} {}\r\n", format!("{title}:"), escaped(&value));
    }
    if !alert.tail.is_empty() {
        text += "\r\nLast output:\r\n";
        alert.tail.lines().for_each(|line| text += &format!("    {}\r\n", escaped(line)));
    }
    text
}

/// The server's code is told, its words are not: they may repeat what we sent.
fn sorted(error: &SmtpError) -> SendError {
    let retriable = |message: String| SendError::Retriable { message, after: None };
    if let Some(tls) = http::tls_error(error) {
        return retriable(format!("TLS: {tls}"));
    }
    match error.status() {
        Some(code) if error.is_permanent() => {
            SendError::Refused { message: format!("the mail server refuses with {code}") }
        }
        Some(code) => retriable(format!("the mail server answers {code}")),
        None if error.is_tls() => retriable("TLS with the mail server failed".into()),
        None if error.is_client() => SendError::Refused {
            message: "the mail server does not offer what is needed: STARTTLS, or a way to log in".into(),
        },
        None if error.is_timeout() => retriable("the mail server does not answer".into()),
        None => retriable("the connection to the mail server failed".into()),
    }
}
