//! Instants as integers of microseconds, the same in every store.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes whole microseconds since the Unix epoch.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(instant: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(instant.as_microsecond())
}

/// Reads what `serialize` wrote.
///
/// # Errors
/// Out of the range of instants.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    Timestamp::from_microsecond(i64::deserialize(from)?).map_err(D::Error::custom)
}

/// The same for instants that may be absent.
pub mod option {
    use super::*;

    /// Writes whole microseconds, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match instant {
            Some(instant) => to.serialize_i64(instant.as_microsecond()),
            None => to.serialize_none(),
        }
    }

    /// Reads what `serialize` wrote.
    ///
    /// # Errors
    /// Out of the range of instants.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let micros: Option<i64> = Option::deserialize(from)?;
        micros.map(Timestamp::from_microsecond).transpose().map_err(D::Error::custom)
    }
}
