//! What can go wrong between us and a run-log, sorted by what the caller does about it.

/// A run-log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is no good: a mistake in the configuration.
    #[error("{message}")]
    Address {
        /// What is wrong, without secrets.
        message: String,
        /// What to do; empty if there is nothing to say.
        help: String,
    },
    /// It answers, but must not be used: a person has to act.
    #[error("{message}")]
    Refused {
        /// Why, without secrets.
        message: String,
        /// What to do; empty if there is nothing to say.
        help: String,
    },
    /// It cannot be reached, and nothing was changed by the call.
    #[error("{message}")]
    Unavailable {
        /// What failed, without secrets.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It did not answer, and the change may or may not have been made: read again.
    #[error("{message}")]
    Unknown {
        /// What failed, without secrets.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// What to do about it; empty if there is nothing to say.
    pub fn help(&self) -> &str {
        match self {
            Error::Address { help, .. } | Error::Refused { help, .. } => help,
            Error::Unavailable { .. } | Error::Unknown { .. } => "",
        }
    }
}
