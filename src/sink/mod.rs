//! Hands a tick's figures to where monitoring finds them: one contract, one file a way.
//!
//! The figures are `metrics::Snapshot`. When they are handed over, and how long the tick waits, is for the caller. A further way
//! is a file like its neighbours, a `mod` line and a row.
//!
//! Holds always: no error names any part of an address but its scheme and, of a file, its path.

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::SinkSpec;
use crate::metrics::Snapshot;
pub use crate::scheme::AddressError as Error;
use crate::scheme::{self, Scheme};

mod memory;
mod stdout;
mod textfile;

pub use memory::{MemorySink, recorded};

/// A place for figures.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Its name in logs.
    fn name(&self) -> &str;

    /// Hands over what a tick knows; replaces what was handed over before.
    ///
    /// # Errors
    /// The figures of this tick are not there. Nothing is lost: those of the next one contain them.
    ///
    /// # Cancel safety
    /// Dropped, they may be handed over still.
    async fn record(&self, snapshot: &Snapshot) -> Result<(), RecordError>;
}

/// Figures could not be handed over; why, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(String);

/// A sink by its name, and what follows `://` in its address.
type Open = fn(&str, &str) -> Result<Arc<dyn Sink>, Error>;

/// Every sink there is, built in or not.
pub const SCHEMES: &[Scheme<Open>] = &[
    Scheme { names: &["null"], feature: "", backend: Some(open_null) },
    Scheme { names: &["stdout"], feature: "", backend: Some(stdout::open) },
    Scheme { names: &["memory"], feature: "", backend: Some(memory::open) },
    Scheme { names: &["textfile"], feature: "", backend: Some(textfile::open) },
    Scheme { names: &["prometheus"], feature: "", backend: None },
    Scheme { names: &["pushgateway"], feature: "", backend: None },
    Scheme { names: &["otlp", "otlps", "otlp+grpc", "otlp+http"], feature: "", backend: None },
    Scheme { names: &["statsd", "dogstatsd"], feature: "", backend: None },
];

/// Opens the sink of `spec`. Nothing is written.
///
/// # Errors
/// The address is no good.
pub fn open(spec: &SinkSpec) -> Result<Arc<dyn Sink>, Error> {
    let url = spec.url.expose().trim();
    let (Some((_, rest)), Some(scheme)) = (url.split_once("://"), scheme::of(url)) else {
        return Err(Error::new(
            "metrics: an address is no URL",
            "write SCHEME://…, for example textfile:///path/tickward.prom",
        ));
    };
    let open = scheme::find(SCHEMES, scheme).map_err(|miss| Error::new(&format!("metrics: {miss}"), miss.help()))?;
    open(&spec.name, rest)
}

/// Refuses an address that should be none.
fn only_scheme(scheme: &str, rest: &str) -> Result<(), Error> {
    match rest.is_empty() {
        true => Ok(()),
        false => {
            Err(Error::new(&format!("`{scheme}` takes no address and no parameters"), &format!("write {scheme}://")))
        }
    }
}

struct Null(String);

fn open_null(name: &str, rest: &str) -> Result<Arc<dyn Sink>, Error> {
    only_scheme("null", rest)?;
    Ok(Arc::new(Null(name.into())))
}

#[async_trait]
impl Sink for Null {
    fn name(&self) -> &str {
        &self.0
    }

    async fn record(&self, _: &Snapshot) -> Result<(), RecordError> {
        Ok(())
    }
}
