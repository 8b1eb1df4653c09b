//! What runs on the node.

pub(crate) mod kill;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod top;
