//! What may be done with a drive: to list, to read, to write.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A set of rights. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights {
    /// See names, sizes and times.
    pub list: bool,
    /// Read contents.
    pub read: bool,
    /// Create, change, rename and remove.
    pub write: bool,
}

impl Rights {
    /// No right.
    pub const NONE: Self = Self { list: false, read: false, write: false };
    /// Every right.
    pub const ALL: Self = Self { list: true, read: true, write: true };

    /// Whether every right of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        (self.list || !other.list) && (self.read || !other.read) && (self.write || !other.write)
    }

    /// The rights that both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { list: self.list && other.list, read: self.read && other.read, write: self.write && other.write }
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        [(self.list, "list"), (self.read, "read"), (self.write, "write")].into_iter().filter_map(|(has, word)| has.then_some(word))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("none");
        }
        f.write_str(&self.words().collect::<Vec<_>>().join(","))
    }
}

/// Why a text is no set of rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a right: use list, read and write, with commas between them, or none")]
pub struct RightsError(String);

impl FromStr for Rights {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let mut rights = Self::NONE;
        if text == "none" {
            return Ok(rights);
        }
        for word in text.split(',') {
            match word.trim() {
                "list" => rights.list = true,
                "read" => rights.read = true,
                "write" => rights.write = true,
                other => return Err(RightsError(other.into())),
            }
        }
        Ok(rights)
    }
}

impl Serialize for Rights {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

impl<'de> Deserialize<'de> for Rights {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        if words.is_empty() {
            return Ok(Self::NONE);
        }
        words.join(",").parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_print_as_they_parse_and_a_typing_error_is_refused() {
        assert_eq!("list,read".parse::<Rights>().unwrap().to_string(), "list,read");
        assert_eq!("none".parse::<Rights>().unwrap(), Rights::NONE);
        assert_eq!("list,raed".parse::<Rights>().unwrap_err(), RightsError("raed".into()));
        assert!("".parse::<Rights>().is_err());
    }

    #[test]
    fn a_set_contains_its_intersections_only() {
        let some = Rights { list: true, read: true, write: false };
        assert!(Rights::ALL.contains(some) && !some.contains(Rights::ALL) && some.contains(Rights::NONE));
        assert_eq!(some.intersection(Rights { write: true, read: true, list: false }), Rights { read: true, ..Rights::NONE });
    }
}
