//! The node itself: made, named, run, introduced.

pub(crate) mod id;
pub(crate) mod init;
pub(crate) mod serve;
pub(crate) mod ticket;
