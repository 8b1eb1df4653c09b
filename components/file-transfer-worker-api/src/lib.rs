//! The published API component: file transfer as functions. It is composed into a process and acts as that process: its drives, its mailbox, its children.
//!
//! It keeps nothing but which slots are taken (see [`slots`]): a transfer *is* a child process, whose name holds the transfer's id.
//! A request to a worker fails here only if the worker could not be started; everything later comes as progress to the caller.

mod api;
mod bindings;
mod convert;
mod slots;
mod start;

/// What the world exports.
struct Api;

// Outside wasm nothing is exported, and yet all that hangs on it is in use.
#[cfg(not(target_arch = "wasm32"))]
const _: fn() -> Api = || Api;

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
mod export {
    use super::{Api, bindings};
    bindings::export!(Api with_types_in bindings);
}
