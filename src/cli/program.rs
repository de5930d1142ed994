//! The program whose commands these are: the pipelines that it brings along.
//!
//! One for the life of the process, set by `main` before any command runs.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use crate::config::{Environment, Loaded};
use crate::registry::Registry;

static PROGRAM: Mutex<Option<Registry>> = Mutex::new(None);

/// Says which it is.
pub fn is(registry: Registry) {
    *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner) = Some(registry);
}

/// Everything that is configured, by `flags` (the values of `--config`), by the environment, by the program.
pub fn load(flags: &[String], variables: &Environment) -> Loaded {
    let program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    let stdin = || {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    };
    match &*program {
        Some(registry) => registry.load(flags, variables, stdin),
        None => Registry::default().load(flags, variables, stdin),
    }
}
