//! Commands to a running node, over a socket that only the node's owner can use.
//!
//! [`protocol`] is the frames, without I/O; [`Server`] answers in the node's name, on the socket `HOME/control.sock` or on any stream; [`ControlClient`] asks. A
//! command that finds no running node starts one inside itself and speaks to it the same way, over a stream in memory, so that everything else is written once.
//!
//! A connection is one endpoint to the node's processes: it sends them requests, and they may send it requests, as long as it lasts. What it lent ends with it.

mod client;
mod embedded;
mod known;
pub mod protocol;
mod server;
mod session;
mod socket;
#[cfg(test)]
mod tests;

pub use client::{ControlClient, ControlError, Incoming, Lent, Pending};
pub use embedded::{EmbedError, Embedded};
pub use protocol::{NodeInfo, PeerInfo, Refusal};
pub use server::{Server, serve_stream};
