//! `processes`.

use transship::native::interfaces::processes::Host;
pub use transship::native::interfaces::processes::SpawnError;

use super::standard::Address;

/// Who started this process. None: the node.
#[must_use]
pub fn parent() -> Option<Address> {
    host!(Host::parent).map(Into::into)
}
