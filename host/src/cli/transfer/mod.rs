//! Transfers under way.

pub(crate) mod cancel;
pub(crate) mod list;
