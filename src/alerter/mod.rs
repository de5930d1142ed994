//! Tells people: one contract, one file a way to reach them.
//!
//! What there is to tell is an `alert::Alert`; whom an alerter is for says its `config::AlerterSpec`. Keeping alerts until they
//! are delivered, and sending again, is for the caller. A further way is a file like its neighbours, a `mod` line and a row.
//!
//! Holds always: a send ends within the limit; no error names more of an address than scheme, host
//! and parameters' names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::alert::Alert;
use crate::clock::Clock;
use crate::config::{AlerterSpec, Environment};
pub use crate::scheme::AddressError as Error;
use crate::scheme::{self, Scheme};

mod address;
mod answer;
mod signature;
mod slack;
#[cfg(feature = "smtp")]
mod smtp;
mod stdout;
mod webhook;

use address::Address;

/// How long one delivery may take, unless said otherwise.
pub const LIMIT: Duration = Duration::from_secs(5);

/// A way to reach people.
#[async_trait]
pub trait Alerter: Send + Sync {
    /// Its name in logs, and where it is kept what was delivered.
    fn name(&self) -> &str;

    /// Delivers one alert. Told again, the other side can tell by the alert's `id` that it is the same, where it looks.
    ///
    /// # Errors
    /// Whether trying again makes sense. An alert may have arrived all the same.
    ///
    /// # Cancel safety
    /// Dropped, the alert may still arrive.
    async fn send(&self, alert: &Alert) -> Result<(), SendError>;
}

/// Why an alert was not delivered, without secrets. Whatever it is, the alert is tried again until it has waited too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Another time it may work.
    #[error("{message}")]
    Retriable {
        /// What happened.
        message: String,
        /// How long the other side wants to be left alone (`Retry-After`), a day at most; none if it did not say.
        after: Option<Duration>,
    },
    /// The other side refuses whatever comes, until a person changes something there or in the address.
    #[error("{message}")]
    Refused {
        /// What happened.
        message: String,
    },
    /// This very alert is refused, or cannot be written: another one may be taken.
    #[error("{message}")]
    Unfit {
        /// What happened.
        message: String,
    },
}

/// How alerters are opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// The time of signatures, and against which a date in `Retry-After` is read.
    pub clock: Arc<dyn Clock>,
    /// Where `secret_env` looks.
    pub environment: Environment,
    /// How long one delivery may take.
    pub limit: Duration,
}

impl OpenOptions {
    /// With the built-in limit of 5 s.
    pub fn new(clock: Arc<dyn Clock>, environment: Environment) -> OpenOptions {
        OpenOptions { clock, environment, limit: LIMIT }
    }
}

type Open = fn(&str, Address, OpenOptions) -> Result<Arc<dyn Alerter>, Error>;

/// Every alerter there is, built in or not.
const SCHEMES: &[Scheme<Open>] = &[
    Scheme { names: &["stdout"], feature: "", backend: Some(stdout::open) },
    Scheme { names: &["slack"], feature: "", backend: Some(slack::open) },
    Scheme { names: &["https", "http"], feature: "", backend: Some(slack::open_https) },
    Scheme { names: &["webhook+https"], feature: "", backend: Some(webhook::open) },
    Scheme { names: &["webhook+http"], feature: "", backend: Some(webhook::open) },
    #[cfg(feature = "smtp")]
    Scheme { names: &["smtp"], feature: "smtp", backend: Some(smtp::open) },
    #[cfg(feature = "smtp")]
    Scheme { names: &["smtps"], feature: "smtp", backend: Some(smtp::open) },
    #[cfg(not(feature = "smtp"))]
    Scheme { names: &["smtp", "smtps"], feature: "smtp", backend: None },
    Scheme { names: &["pagerduty"], feature: "", backend: None },
];

/// Opens the alerter of `spec`. Nothing is sent and nobody is connected to; a file of `secret_file` is read.
///
/// # Errors
/// The address is no good, or a secret that it names is not there.
pub fn open(spec: &AlerterSpec, options: OpenOptions) -> Result<Arc<dyn Alerter>, Error> {
    let url = spec.url.expose().trim();
    let address = Address::parse(url)?;
    let scheme = scheme::of(url).unwrap_or_default();
    let open = scheme::find(SCHEMES, scheme).map_err(|miss| Error::new(&format!("alerter: {miss}"), miss.help()))?;
    open(&spec.name, address, options)
}
