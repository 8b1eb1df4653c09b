//! Names of processes as text: `process:package:publisher`, and `node@process:package:publisher`.
//!
//! ```
//! use transship_guest::address::Address;
//!
//! let address: Address = "bob@manager:file-transfer:transship".parse()?;
//! assert_eq!(address.process.process_name, "manager");
//! assert_eq!(address.to_string(), "bob@manager:file-transfer:transship");
//! # Ok::<(), transship_guest::address::NameError>(())
//! ```

use std::fmt;
use std::str::FromStr;

pub use crate::bindings::transship::host::standard::{Address, ProcessId};

/// A text that is no name of a process; it holds the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' names no process: write node@process:package:publisher, each part 1 to 64 characters out of a-z, 0-9, '-', '_' and '.'", self.0)
    }
}

impl std::error::Error for NameError {}

/// Whether a text can be a part of a name: 1 to 64 characters out of `a-z`, `0-9`, `-`, `_` and `.`, the first a letter or a digit.
#[must_use]
pub fn is_name_part(text: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 64 && text.bytes().next().is_some_and(good) && text.bytes().all(|c| good(c) || matches!(c, b'-' | b'_' | b'.'))
}

impl ProcessId {
    /// A process of a package.
    pub fn new(process: impl Into<String>, package: impl Into<String>, publisher: impl Into<String>) -> Self {
        Self { process_name: process.into(), package_name: package.into(), publisher_node: publisher.into() }
    }

    /// Another process of the same package.
    #[must_use]
    pub fn sibling(&self, process: impl Into<String>) -> Self {
        Self { process_name: process.into(), ..self.clone() }
    }
}

impl Address {
    /// A process on a node.
    pub fn new(node: impl Into<String>, process: ProcessId) -> Self {
        Self { node: node.into(), process }
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.process_name, self.package_name, self.publisher_node)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.process)
    }
}

impl FromStr for ProcessId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut parts = text.split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(process), Some(package), Some(publisher), None) if [process, package, publisher].into_iter().all(is_name_part) => {
                Ok(Self::new(process, package, publisher))
            }
            _ => Err(NameError(text.chars().take(200).collect())),
        }
    }
}

impl FromStr for Address {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            Some((node, process)) if is_name_part(node) => Ok(Self::new(node, process.parse().map_err(|_| NameError(text.chars().take(200).collect()))?)),
            _ => Err(NameError(text.chars().take(200).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_as_it_is_read() {
        let text = "bob@manager:file-transfer:transship";
        let address: Address = text.parse().unwrap();
        assert_eq!(address.process.package_name, "file-transfer");
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "bob", "bob@", "bob@a:b", "bob@a:b:c:d", "Bob@a:b:c", "bob@a::c", "b b@a:b:c", "bob@-a:b:c"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!(format!("{}@a:b:c", "x".repeat(65)).parse::<Address>().is_err());
    }

    #[test]
    fn an_address_in_json_is_the_record_with_the_names_of_the_interface() {
        let address: Address = "bob@m:p:q".parse().unwrap();
        let json = serde_json::to_value(&address).unwrap();
        assert_eq!(json, serde_json::json!({"node": "bob", "process": {"process-name": "m", "package-name": "p", "publisher-node": "q"}}));
        assert_eq!(serde_json::from_value::<Address>(json).unwrap(), address);
    }
}
