//! Fills `{{ name }}` into argv elements and environment values.
//!
//! A template is checked when the configuration is read and filled in per attempt. Shell lines are never templates.
//!
//! Holds always: one element stays one element, whatever the values contain; `print(parse(x)) = x`.

/// A text with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Value, String),
}

/// The values a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `pipeline`: its name.
    Pipeline,
}
