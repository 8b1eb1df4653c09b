//! What a component written with the SDK sees of the node, for the same sources built natively.
//!
//! The worker of `components/file-transfer-worker` is built against this crate in place of `transship_guest`, as `double-worker`, without a change to its sources. A node that the benchmark embeds runs it in the worker's place
//! ([`run`]), so that what a transfer costs with it and with the component differs by what the sandbox costs: compiled WebAssembly in place of native code, and what passes between guest and host.
//!
//! # Layout
//! - [`fiber`]: runs code that waits in the middle of a call, as a guest does, on a stack of its own within its process's task
//! - [`host`]: the node's interfaces with the names, types and signatures that the SDK's generated bindings have, each function a call of the implementation that a guest's call ends in
//! - [`address`], [`drive`], [`hex`], [`message`]: the SDK's own files
//! - [`log`], [`process`]: as the SDK's, for what the worker uses of them
//!
//! What the worker does not call is not here.

// The SDK's documentation refers to modules that are not here.
#![allow(rustdoc::broken_intra_doc_links)]

#[path = "../../../../components/guest/src/address.rs"]
pub mod address;
#[path = "../../../../components/guest/src/drive.rs"]
pub mod drive;
#[macro_use]
mod fiber;
#[path = "../../../../components/guest/src/hex.rs"]
pub mod hex;
pub mod host;
pub mod log;
#[path = "../../../../components/guest/src/message.rs"]
pub mod message;
pub mod process;

pub use fiber::run;

/// Where the generated bindings are in the SDK.
pub mod bindings {
    /// The WIT package's namespace.
    pub mod transship {
        pub use crate::host;
    }
}

/// Bytes that the node holds.
pub mod blob {
    pub use crate::host::blobs::{Blob, BlobError};
}
