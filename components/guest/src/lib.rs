//! The SDK of transship: what a process on a transship node is written with, in Rust.
//!
//! A process is a function that gets its own address and usually answers requests for as long as it lives:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use transship_guest::prelude::*;
//!
//! transship_guest::process!(init);
//!
//! #[derive(Deserialize)]
//! struct Question {
//!     name: String,
//! }
//!
//! #[derive(Serialize)]
//! struct Answer {
//!     greeting: String,
//! }
//!
//! fn init(our: Address) -> Result<(), String> {
//!     info!("{our} is listening");
//!     serve_with(|question: Question, asked| {
//!         info!("{} asks", asked.source());
//!         Ok::<_, String>(Answer { greeting: format!("good day, {}", question.name) })
//!     })
//! }
//! ```
//! The loop below that is as plain; whoever needs something else writes it:
//!
//! ```
//! use transship_guest::prelude::*;
//!
//! transship_guest::process!(init);
//!
//! /// Answers every request with its body.
//! fn init(_our: Address) -> Result<(), String> {
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
//! - [`mod@serve`]: answering requests, typed; [`mod@ask`]: asking others, typed
//! - [`message`]: requests and responses as they are, `receive`
//! - [`address`]: [`Address`](address::Address) and [`ProcessId`](address::ProcessId) as text
//! - [`drive`]: the folders that a process may use; [`fs`]: files and folders in the manner of `std::fs`
//! - [`blob`]: bytes that the node holds
//! - [`keep`]: state that survives a restart
//! - [`timer`]: timers and clocks
//! - [`capability`]: what the process may do, and what it lends
//! - [`log`]: `info!` and its kin
//! - [`hex`]: digests as text
//! - [`mod@test`]: the tests of a package, for `transship test`
//! - [`bindings`]: the node's interfaces themselves
//!
//! It does not hide the node: where a generated type is good enough, it is re-exported as it is. Outside a node (in native tests) all types work, and the functions that ask the node
//! must not be called.

pub mod address;
pub mod ask;
pub mod bindings;
pub mod blob;
pub mod capability;
pub mod drive;
pub mod fs;
pub mod hex;
pub mod keep;
pub mod log;
pub mod message;
mod position;
pub mod process;
pub mod serve;
pub mod test;
pub mod timer;

/// What most processes use.
pub mod prelude {
    pub use crate::address::{Address, ProcessId};
    pub use crate::ask::{AskError, ask};
    pub use crate::blob::Blob;
    pub use crate::drive::{Directory, OpenFlags, open_drive};
    pub use crate::fs::File;
    pub use crate::message::{Capability, Message, Request, Response, receive, respond_json};
    pub use crate::serve::{Asked, Service, serve, serve_with};
    pub use crate::{debug, error, info, trace, warn};
}
