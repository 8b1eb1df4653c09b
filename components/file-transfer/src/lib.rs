//! The manager: the one process of the package that others know. It answers questions about files, starts transfers for this node's owner, and serves other nodes within their rights.
//!
//! It moves no byte itself. Every transfer is a worker, started through the composed API component as any other package would start it; the manager keeps what is known of it and
//! passes its progress on to whoever asked. Nothing outlasts its end: workers end with it, and a transfer that was under way is resumed by asking again.
//!
//! # Layout
//! - [`manager`]: the loop, and which request goes where
//! - [`listing`]: `list-files`, `list-page`; [`walk`]: the order of names; [`jobs`]: digests computed beside the loop
//! - [`start`]: `get` and `put` of this node's owner; [`queue`]: those that wait for their turn; [`transfers`]: what is under way, `transfers`, `cancel`; [`stopped`]: what is kept of transfers that are not any more
//! - [`serve`]: another node's worker asks to be sent a file, or to send one; [`store`]: segments of a file
//! - [`rights`]: who may do what

mod digests;
mod jobs;
mod listing;
mod manager;
mod queue;
mod rights;
mod serve;
mod start;
mod stopped;
mod store;
mod transfers;
mod walk;

transship_guest::process!(manager::run);
