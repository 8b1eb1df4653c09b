//! For those who write packages: nodes to try them on, and their tests.

pub(crate) mod dev;
mod nodes;
mod plan;
mod sources;
pub(crate) mod test;
