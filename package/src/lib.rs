//! The package format of transship.
//!
//! A package is a set of WebAssembly components with a manifest that says which processes they make and what these may do. It exists as a folder (while one works
//! on it) and as one file (when it is shipped); the node reads both, the tool `transship-pack` makes the second out of the first.
//!
//! - [`manifest`]: the manifest, as written and as checked
//! - [`names`]: the names that stand in it
//! - [`archive`]: [`Package`], and its one-file form
//! - [`source`]: from a folder with a manifest to a package: finding the components and composing them
//! - [`compose`]: plugging one component's exports into another's imports, and saying in plain words why they don't fit
//! - [`fit`]: whether a component fits what a node offers
//!
//! This crate runs nothing and knows nothing of nodes: whether a wish of the manifest is granted is the node's business.

pub mod archive;
pub mod compose;
pub mod fit;
pub mod manifest;
pub mod names;
mod size;
pub mod source;

pub use archive::{Package, PackageError};
pub use manifest::Manifest;
