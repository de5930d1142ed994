//! `webhook+https://…`, `webhook+http://…`: the alert as JSON, posted to a receiver of one's own.
//!
//! The address is used as it stands, parameters included, but for `secret_env` and `secret_file`, which are ours: with one of
//! them the post is signed (`signature`). The body is a promise: docs/alerts.md.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::signature::Signer;
use super::{Address, Alerter, Error, OpenOptions, SendError, answer};
use crate::alert::Alert;
use crate::clock::Clock;
use crate::http::{self, Post};

struct Webhook {
    name: String,
    url: String,
    /// The header for user and password of the address.
    authorization: Option<String>,
    signer: Option<Signer>,
    clock: Arc<dyn Clock>,
    limit: Duration,
}

/// What is posted.
#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    severity: &'static str,
    text: String,
    #[serde(flatten)]
    alert: &'a Alert,
}

pub(super) fn open(name: &str, address: Address, options: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    if address.host.is_empty() {
        return Err(Error::new("a webhook's address names no host", "write webhook+https://HOST/PATH"));
    }
    let parameters = address.parameters_but(&["secret_env", "secret_file"])?;
    let scheme = address.scheme.trim_start_matches("webhook+");
    let (_, without_user) = address.before_parameters.rsplit_once('@').unwrap_or(("", &address.before_parameters));
    let authorization = address.user.as_ref().map(|user| {
        let pair = format!("{user}:{}", address.password.as_deref().unwrap_or_default());
        format!("Basic {}", STANDARD.encode(pair))
    });
    Ok(Arc::new(Webhook {
        name: name.into(),
        url: format!("{scheme}://{without_user}{parameters}"),
        authorization,
        signer: Signer::of(&address, &options.environment)?,
        clock: options.clock,
        limit: options.limit,
    }))
}

#[async_trait]
impl Alerter for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, alert: &Alert) -> Result<(), SendError> {
        let body = Body { version: 1, severity: alert.kind.severity().word(), text: alert.headline(), alert };
        let body = serde_json::to_vec(&body)
            .map_err(|error| SendError::Unfit { message: format!("the alert cannot be written as JSON: {error}") })?;
        let now = self.clock.now();
        let timestamp = now.as_second();
        // An id is made of names and instants; one of a newer program may be anything.
        let id: String = alert.id.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
        let mut headers = vec![
            ("content-type", "application/json".into()),
            ("webhook-id", id.clone()),
            ("webhook-timestamp", timestamp.to_string()),
        ];
        if let Some(signer) = &self.signer {
            headers.push(("webhook-signature", signer.signature(&id, timestamp, &body)));
        }
        headers.extend(self.authorization.clone().map(|value| ("authorization", value)));
        let post = Post { url: self.url.clone(), headers, body, limit: self.limit };
        answer::verdict(http::post(post).await, now)
    }
}
