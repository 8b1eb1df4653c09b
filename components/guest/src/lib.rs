//! The SDK of transship: what a process on a transship node is written with, in Rust.
//!
//! A process is a function that gets its own address and usually loops over [`receive`](message::receive):
//!
//! ```
//! use transship_guest::prelude::*;
//!
//! transship_guest::process!(init);
//!
//! /// Answers every request with its body.
//! fn init(our: Address) -> Result<(), String> {
//!     info!("{our} is listening");
//!     loop {
//!         if let Message::Request(asked) = receive() {
//!             Response::new().body(asked.request.body).send().map_err(|error| error.to_string())?;
//!         }
//!     }
//! }
//! ```
//!
//! # Layout
//! - [`process!`]: the entry; [`mod@process`]: children, parent, the end
//! - [`address`]: [`Address`](address::Address) and [`ProcessId`](address::ProcessId) as text
//! - [`message`]: requests, responses, `receive`
//! - [`drive`]: folders and files
//! - [`keep`]: state that survives a restart
//! - [`log`]: `info!` and its kin
//! - [`hex`]: digests as text
//! - [`bindings`]: the node's interfaces themselves
//!
//! It does not hide the node: where a generated type is good enough, it is re-exported as it is.

pub mod address;
pub mod bindings;
pub mod drive;
pub mod hex;
pub mod keep;
pub mod log;
pub mod message;
pub mod process;

/// What most processes use.
pub mod prelude {
    pub use crate::address::{Address, ProcessId};
    pub use crate::drive::{Directory, File, OpenFlags, open_drive};
    pub use crate::message::{Blob, Capability, Message, Request, Response, receive, respond_json};
    pub use crate::{debug, error, info, trace, warn};
}
