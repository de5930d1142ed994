//! A value that is seldom there: a pointer wide while it says nothing.
//!
//! A tick holds a row and a pipeline for all that is configured, and most of them leave most of it at its default.
//!
//! Holds always: it reads, compares, hashes and is written as the value itself; the default takes no room of its own.

use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A `T` that is mostly its default.
#[derive(Clone, Debug)]
pub struct Rare<T>(Option<Box<T>>);

/// A type whose default can be lent to everybody.
pub trait Nothing: Default + PartialEq + 'static {
    /// The default.
    fn nothing() -> &'static Self;
}

/// Says that the default of a type can be lent.
macro_rules! nothing {
    ($of:ty) => {
        impl crate::rare::Nothing for $of {
            fn nothing() -> &'static Self {
                static NOTHING: std::sync::LazyLock<$of> = std::sync::LazyLock::new(Default::default);
                &NOTHING
            }
        }
    };
}

pub(crate) use nothing;

nothing!(serde_json::Map<String, serde_json::Value>);

impl<T> Default for Rare<T> {
    fn default() -> Rare<T> {
        Rare(None)
    }
}

impl<T: Nothing> From<T> for Rare<T> {
    fn from(value: T) -> Rare<T> {
        Rare((value != T::default()).then(|| Box::new(value)))
    }
}

impl<T: Nothing> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::nothing(),
        }
    }
}

impl<T: Nothing> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Nothing> PartialEq for Rare<T> {
    fn eq(&self, other: &Rare<T>) -> bool {
        **self == **other
    }
}

impl<T: Nothing + Eq> Eq for Rare<T> {}

impl<T: Nothing + Hash> Hash for Rare<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Nothing + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Nothing + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rare<T>, D::Error> {
        T::deserialize(deserializer).map(Rare::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Map = serde_json::Map<String, serde_json::Value>;

    #[test]
    fn the_default_takes_no_room_and_is_the_same_as_one_that_was_written_to() {
        let mut written = Rare::<Map>::default();
        written.insert("a".into(), 1.into());
        assert!(written.0.is_some() && written != Rare::default());
        written.clear();
        assert_eq!(written, Rare::default());
        assert!(Rare::from(Map::new()).0.is_none());
        for (text, takes_room) in [("{}", false), (r#"{"a":1}"#, true)] {
            let read: Rare<Map> = serde_json::from_str(text).unwrap();
            assert_eq!((serde_json::to_string(&read).unwrap().as_str(), read.0.is_some()), (text, takes_room));
        }
    }
}
