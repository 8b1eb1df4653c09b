//! `standard`.

use serde::{Deserialize, Serialize};
use transship::native::interfaces::standard as node;
pub use transship::native::interfaces::standard::Rights;

/// The name of a process on its node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessId {
    /// The process.
    pub process_name: String,
    /// Its package.
    pub package_name: String,
    /// Who publishes that.
    pub publisher_node: String,
}

/// A process of some node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Address {
    /// The node.
    pub node: String,
    /// The process.
    pub process: ProcessId,
}

impl From<node::Address> for Address {
    fn from(address: node::Address) -> Self {
        let node::Address { node, process: node::ProcessId { process_name, package_name, publisher_node } } = address;
        Self { node, process: ProcessId { process_name, package_name, publisher_node } }
    }
}

impl From<Address> for node::Address {
    fn from(address: Address) -> Self {
        let Address { node, process: ProcessId { process_name, package_name, publisher_node } } = address;
        Self { node, process: node::ProcessId { process_name, package_name, publisher_node } }
    }
}
