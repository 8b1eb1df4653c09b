//! `capabilities`.

use transship::native::interfaces::capabilities::{Capability as Inner, HostCapability};
pub use transship::native::interfaces::capabilities::{CapabilityError, CapabilityKind, DriveGrant};

super::handle! {
    /// What a process may do.
    Capability, Inner, host HostCapability::drop
}

impl Capability {
    /// The generated functions of the API that is composed into others name it. They are not called here.
    #[must_use]
    pub fn take_handle(&self) -> u32 {
        self.0
    }
}
