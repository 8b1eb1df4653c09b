//! What the manager and the worker both speak: the interfaces of `transship:file-transfer` as Rust types with their JSON form, and the rules that must be the same
//! on both sides of a transfer.
//!
//! It does nothing by itself: no call to the node is made here, the generated function imports in [`worker`] apart.
//!
//! # Layout
//! - [`types`], [`manager`], [`worker`], [`protocol`]: the generated types, an interface each
//! - [`names`]: which names are names of files; [`hidden`]: the names of what is kept until a transfer is complete
//! - [`options`]: what an option means that was left out
//! - [`errors`]: the node's errors as transfer errors, and in words
//! - [`journal`], [`ranges`]: what is kept of a transfer that was stopped, beside its partial file: the worker writes it, the manager shows it
//! - [`json`]: results as `{"ok": …}` and `{"err": …}`

mod bindings;
pub mod errors;
pub mod hidden;
pub mod journal;
pub mod json;
pub mod names;
pub mod options;
pub mod ranges;

pub use bindings::transship::file_transfer::file_transfer as manager;
pub use bindings::transship::file_transfer::file_transfer_protocol as protocol;
pub use bindings::transship::file_transfer::file_transfer_worker as worker;
pub use bindings::transship::file_transfer::types;
