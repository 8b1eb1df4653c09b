//! Files: listed, fetched, sent.

mod display;
mod filter;
mod follow;
pub(crate) mod get;
pub(crate) mod list;
mod options;
mod pace;
pub(crate) mod put;
mod rate;
mod shown;
mod store;
mod summary;
mod tree;
