//! The names and messages that pass between processes.
//!
//! Holds the types, their printed form and their limits; it imports no module but [`crate::blob`] and [`crate::capability`], which messages carry.
//! A [`ProcessId`] or [`Address`] that exists has valid parts: parsing is the only way to make one. What a peer or a guest sends becomes one of these types
//! before anything else sees it.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::capability::Capability;

/// The most bytes in the body of a message.
pub const MAX_BODY: usize = 1 << 20;
/// The most bytes in a message's metadata.
pub const MAX_METADATA: usize = 64 << 10;
/// The most bytes in a request's context.
pub const MAX_CONTEXT: usize = 64 << 10;
/// The most bytes in a blob that travels between nodes: bounds what one message makes the receiver hold.
pub const MAX_REMOTE_BLOB: u64 = 16 << 20;
/// The most characters in a part of a name.
pub const MAX_NAME_PART: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part that is not 1 to 64 characters out of `a-z 0-9 - _ .`, or does not start with a letter or digit.
    #[error("'{0}' is not a name: use 1 to 64 characters out of a-z, 0-9, '-', '_' and '.', starting with a letter or a digit")]
    Part(String),
    /// Not `process:package:publisher`.
    #[error("'{0}' is not a process: write process:package:publisher")]
    Process(String),
    /// Not `node@process:package:publisher`.
    #[error("'{0}' is not an address: write node@process:package:publisher")]
    Address(String),
    /// Not `package:publisher`.
    #[error("'{0}' is not a package: write package:publisher")]
    Package(String),
}

/// Checks one part of a name (of a process, package, publisher or node).
///
/// # Errors
/// [`NameError::Part`] if it is not one.
pub fn check_name_part(part: &str) -> Result<(), NameError> {
    let mut characters = part.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let goes_on_well = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if starts_well && goes_on_well && part.len() <= MAX_NAME_PART { Ok(()) } else { Err(NameError::Part(part.chars().take(80).collect())) }
}

/// The name of a package, printed `package:publisher`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId {
    package: String,
    publisher: String,
}

impl PackageId {
    /// # Errors
    /// [`NameError::Part`] if a part is not a name.
    pub fn new(package: &str, publisher: &str) -> Result<Self, NameError> {
        check_name_part(package)?;
        check_name_part(publisher)?;
        Ok(Self { package: package.into(), publisher: publisher.into() })
    }

    /// The package's own name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Who publishes it.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.package, self.publisher)
    }
}

impl FromStr for PackageId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (package, publisher) = text.split_once(':').ok_or_else(|| NameError::Package(text.into()))?;
        Self::new(package, publisher)
    }
}

/// The name of a process on a node, printed `process:package:publisher`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    process: String,
    package: PackageId,
}

impl ProcessId {
    /// # Errors
    /// [`NameError::Part`] if a part is not a name.
    pub fn new(process: &str, package: &PackageId) -> Result<Self, NameError> {
        check_name_part(process)?;
        Ok(Self { process: process.into(), package: package.clone() })
    }

    /// The process's own name.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Its package.
    pub fn package(&self) -> &PackageId {
        &self.package
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.process, self.package)
    }
}

impl FromStr for ProcessId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (process, package) = text.split_once(':').ok_or_else(|| NameError::Process(text.into()))?;
        let package = package.parse().map_err(|error| if matches!(error, NameError::Package(_)) { NameError::Process(text.into()) } else { error })?;
        Self::new(process, &package)
    }
}

/// A process on some node, as this node names it; printed `node@process:package:publisher`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    node: String,
    process: ProcessId,
}

impl Address {
    /// # Errors
    /// [`NameError::Part`] if `node` is not a name.
    pub fn new(node: &str, process: ProcessId) -> Result<Self, NameError> {
        check_name_part(node)?;
        Ok(Self { node: node.into(), process })
    }

    /// The node's name here.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The process there.
    pub fn process(&self) -> &ProcessId {
        &self.process
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.process)
    }
}

impl FromStr for Address {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (node, process) = text.split_once('@').ok_or_else(|| NameError::Address(text.into()))?;
        Self::new(node, process.parse()?)
    }
}

/// The name of a node, known to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeName(Box<str>);

impl NodeName {
    /// # Errors
    /// [`NameError::Part`] if it is none.
    pub(crate) fn new(name: &str) -> Result<Self, NameError> {
        check_name_part(name)?;
        Ok(Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of a process on that node.
    pub(crate) fn address(&self, process: &ProcessId) -> Address {
        Address { node: self.0.as_ref().into(), process: process.clone() }
    }
}

impl ProcessId {
    /// The name of an endpoint that is no package's process.
    pub(crate) fn of_client(number: u64) -> Self {
        Self { process: format!("client-{number:016x}"), package: PackageId { package: "command".into(), publisher: "transship".into() } }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(PackageId, ProcessId, Address);

/// The number of a request that somebody waits for. Random, so that whoever has it was given it: on a link, knowing it is the right to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestId(u128);

impl RequestId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn number(self) -> u128 {
        self.0
    }

    pub(crate) fn from_number(number: u128) -> Self {
        Self(number)
    }
}

/// The content of a message, whichever way it goes.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// By convention JSON. At most [`MAX_BODY`] bytes.
    pub body: Bytes,
    /// A note beside it. At most [`MAX_METADATA`] bytes.
    pub metadata: Option<String>,
    /// Bytes in bulk.
    pub blob: Option<Blob>,
    /// Lent to the receiver. Only between processes of one node.
    pub capabilities: Vec<Capability>,
}

/// Why a request failed after it was accepted for sending, or could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SendErrorKind {
    /// The node can't be reached, or its link broke before the response came.
    #[error("offline: {0}")]
    Offline(String),
    /// No response in time.
    #[error("no response in time")]
    Timeout,
    /// The node has no such process.
    #[error("no such process")]
    NoSuchProcess,
    /// Not allowed.
    #[error("denied: {0}")]
    Denied(String),
    /// A limit is exceeded.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Not among the peers.
    #[error("unknown node")]
    UnknownNode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_parses() {
        let text = "alice@manager:file-transfer:transship";
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!((address.node(), address.process().process()), ("alice", "manager"));
        assert_eq!((address.process().package().package(), address.process().package().publisher()), ("file-transfer", "transship"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "alice", "alice@", "alice@a:b", "alice@a:b:c:d", "@a:b:c", "alice@a::c", "Alice@a:b:c", "alice@../x:b:c", "alice@-a:b:c", "a b@a:b:c"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?} was accepted");
        }
        assert!(check_name_part(&"a".repeat(64)).is_ok());
        assert!(check_name_part(&"a".repeat(65)).is_err());
    }
}
