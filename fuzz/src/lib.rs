//! What the targets share: how an input says both an environment and a text.

use tickward::config::Environment;

/// An environment and the text that is read under it.
///
/// An input is lines `NAME=value`, a line `%`, and the text; without such a line all of it is text. So a corpus stays
/// readable, and what is committed can be written by hand.
pub struct Input<'a> {
    /// Names and values, in order.
    pub variables: Vec<(&'a str, &'a str)>,
    /// What follows; any bytes.
    pub text: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads an input; any bytes are one.
    pub fn of(bytes: &'a [u8]) -> Input<'a> {
        let Some(at) = bytes.windows(3).position(|three| three == b"\n%\n") else {
            return Input { variables: Vec::new(), text: bytes };
        };
        let lines = std::str::from_utf8(&bytes[..at]).unwrap_or_default().lines();
        Input { variables: lines.filter_map(|line| line.split_once('=')).collect(), text: &bytes[at + 3..] }
    }

    /// The variables as the configuration takes them.
    pub fn environment(&self) -> Environment {
        Environment::of(self.variables.iter().copied())
    }
}
