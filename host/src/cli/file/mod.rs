//! Files: listed, fetched, sent.

mod display;
mod follow;
pub(crate) mod get;
pub(crate) mod list;
mod options;
pub(crate) mod put;
mod rate;
mod shown;
mod store;
mod summary;
mod tree;
