//! Finds the backend that a URL's scheme names, among those of one port.
//!
//! Each port keeps one table of what is built in and what is known but not built in; the wording of a miss is here.

/// One row of a port's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme<B: 'static> {
    /// The words before the colon that mean this backend; the first is the one to show.
    pub names: &'static [&'static str],
    /// The Cargo feature that brings it; empty if it is always there.
    pub feature: &'static str,
    /// The backend; none if this build lacks it.
    pub backend: Option<B>,
}

/// A scheme that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// No such scheme.
    #[error("unknown scheme `{scheme}`")]
    Unknown {
        /// What was asked for.
        scheme: String,
        /// What there is.
        help: String,
    },
    /// Known, but this build lacks it.
    #[error("this build has no `{scheme}` support")]
    NotBuilt {
        /// What was asked for.
        scheme: String,
        /// What to do.
        help: String,
    },
}

impl Miss {
    /// What to do about it.
    pub fn help(&self) -> &str {
        match self {
            Miss::Unknown { help, .. } | Miss::NotBuilt { help, .. } => help,
        }
    }
}

/// An address is no good: a mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AddressError {
    message: String,
    help: String,
}

impl AddressError {
    /// What is wrong, without secrets, and what to do about it.
    pub fn new(message: &str, help: &str) -> AddressError {
        AddressError { message: message.into(), help: help.into() }
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// The scheme of a URL: the letters before the first colon; none where the text has none, as in a bare path.
pub fn of(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain)).then_some(scheme)
}

/// The backend of `scheme` in `table`.
///
/// # Errors
/// `Unknown` lists the known ones; `NotBuilt` says which feature brings it.
pub fn find<B: Copy>(table: &[Scheme<B>], scheme: &str) -> Result<B, Miss> {
    let built = || {
        let names = table.iter().filter(|row| row.backend.is_some()).map(|row| row.names[0]);
        names.collect::<Vec<_>>().join(", ")
    };
    let lower = scheme.to_ascii_lowercase();
    let scheme = scheme.to_string();
    match table.iter().find(|row| row.names.contains(&lower.as_str())) {
        None => Err(Miss::Unknown { help: format!("use one of: {}", built()), scheme }),
        Some(Scheme { backend: Some(backend), .. }) => Ok(*backend),
        Some(Scheme { feature: "", .. }) => Err(Miss::NotBuilt { help: format!("use one of: {}", built()), scheme }),
        Some(Scheme { feature, .. }) => {
            let help = format!("build with `--features {feature}`, or use one of: {}", built());
            Err(Miss::NotBuilt { help, scheme })
        }
    }
}
