//! The process's environment as a value, taken once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Variables by name. What is no Unicode is left out. Cloning it is cheap.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: Arc<HashMap<String, String>>,
    /// A file that may set any variable could not be read.
    is_partial: bool,
}

impl Environment {
    /// The environment of this process as it is now.
    pub fn of_process() -> Environment {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment::of(std::env::vars_os().filter_map(unicode))
    }

    /// Just these variables.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Environment {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Environment { variables: Arc::new(variables), is_partial: false }
    }

    /// Sets a variable. Copies of this value are not changed.
    pub fn set(&mut self, name: &str, value: &str) {
        Arc::make_mut(&mut self.variables).insert(name.to_owned(), value.to_owned());
    }

    /// From now on a variable that is not set may be one of a file that could not be read.
    pub(super) fn lacks_a_file(&mut self) {
        self.is_partial = true;
    }

    /// Whether that is so.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// The value of a variable; none if it is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable; none if it is not set or empty.
    pub fn get_filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A text with its `${VAR}` filled in, as in a file.
    ///
    /// # Errors
    /// What is wrong with it and what to do, in words; no value.
    pub fn fill(&self, text: &str) -> Result<String, (String, String)> {
        let filled = super::interpolate::expand(text, self).map(|expanded| expanded.text.into_owned());
        filled.map_err(|mistake| (mistake.message, mistake.help.unwrap_or_default()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}
