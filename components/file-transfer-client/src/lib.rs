//! File transfer in a process of your own: download, upload, serve files, with exact progress.
//!
//! The functions of this crate call the interface `file-transfer-worker`, which the package `file-transfer` exports. Nothing more than a line in `package.toml` is needed for that:
//!
//! ```toml
//! [dependencies]
//! "file-transfer:transship" = "0.1"
//! ```
//! The node composes the API in when it loads the package. (To do so by hand: `wac plug yours.wasm --plug worker-api.wasm`.) Each transfer is a worker process, a child of yours: it runs in
//! your drive, with no more than your rights, and tells you how far it is.
//!
//! ```
//! use std::collections::BTreeMap;
//! use serde::Deserialize;
//! use transship_file_transfer::{Download, Incoming, Progress, describe, manager_of};
//! use transship_guest::prelude::*;
//!
//! transship_guest::process!(init);
//!
//! struct Fetcher {
//!     our: Address,
//!     transfers: BTreeMap<String, Progress>,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! enum Question {
//!     /// This file of that node's `file-transfer`, into our own drive.
//!     Fetch { node: String, name: String },
//!     /// How many bytes of it are here.
//!     Bytes { id: String },
//! }
//!
//! impl Service for Fetcher {
//!     type Request = Question;
//!     type Answer = String;
//!     type Error = String;
//!
//!     fn request(&mut self, question: Question, _asked: &mut Asked) -> Result<String, String> {
//!         match question {
//!             Question::Fetch { node, name } => {
//!                 Download::of(&manager_of(&node), &name).to("files", "fetched/").start(&self.our).map_err(|error| describe(&error))
//!             }
//!             Question::Bytes { id } => Ok(self.transfers.get(&id).ok_or("there is no such transfer")?.bytes_done.to_string()),
//!         }
//!     }
//!
//!     fn look(&mut self, received: transship_guest::message::ReceivedRequest) -> Option<transship_guest::message::ReceivedRequest> {
//!         match Incoming::of(&self.our, received) {
//!             Incoming::Other(received) => return Some(received),
//!             Incoming::Progress(progress) => drop(self.transfers.insert(progress.id.clone(), progress)),
//!             // This process offers no files and takes none: whoever wants some is refused.
//!             Incoming::Wanted(_) | Incoming::Offered(_) | Incoming::Done => {}
//!         }
//!         None
//!     }
//! }
//!
//! fn init(our: Address) -> Result<(), String> {
//!     serve(Fetcher { our, transfers: BTreeMap::new() })
//! }
//! ```
//!
//! # Layout
//! - [`Download`], [`Upload`]: what this process wants
//! - [`Incoming`]: what has to do with transfers among the requests that it receives: [`Progress`] of its own, and what others want of it ([`Wanted`], [`Offered`])
//! - [`types`], [`worker`], [`manager`]: the interfaces themselves
//!
//! The rights are yours to check: the node sees to it that a message comes from whom it says, and not that this one may have the file it wants.

mod incoming;
mod progress;
mod start;

pub use file_transfer_types::errors::describe;
pub use file_transfer_types::types::{
    self, ConflictPolicy, DigestAlgorithm, TransferError, TransferOptions, TransferState, TransferSummary, TreeOptions, TreeSummary,
};
pub use file_transfer_types::worker::{cancel, worker_of};
pub use file_transfer_types::{manager, worker};
pub use incoming::{Incoming, Offered, Wanted};
pub use progress::Progress;
pub use start::{Download, Upload};

use transship_guest::address::{Address, ProcessId};

/// The manager of a node: the process that serves the files of its drive `files` to whom its owner allows it.
#[must_use]
pub fn manager_of(node: &str) -> Address {
    Address::new(node, ProcessId::new("manager", "file-transfer", "transship"))
}
