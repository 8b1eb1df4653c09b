//! A node that runs WebAssembly component plugins which move data between machines.

pub mod blob;
pub mod capability;
pub mod control;
pub mod digest;
pub mod engine;
pub mod home;
mod host_api;
pub mod identity;
pub mod link;
pub mod log;
pub mod message;
#[doc(hidden)]
pub mod native;
pub mod node;
pub mod package;
pub mod peers;
pub mod process;
pub mod rights;
mod router;
pub mod state;
pub mod ticket;
mod turns;
pub mod vfs;
pub mod wit;
