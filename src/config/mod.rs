//! wip
mod environment;
mod interpolate;
mod problem;
mod quantity;
pub mod secret;
mod text;
mod tree;
