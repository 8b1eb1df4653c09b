//! What a guest can call: one file for each interface of `wit/host`, and [`wasi`] for what its language's library calls.
//!
//! Each function converts its arguments, checks that the process may do it, calls the module that does it, and converts the result. No other logic stands here. An error that a guest can deal with
//! is a WIT variant; an error returned as `wasmtime::Error` ends the process. Handles are entries of the process's own table, so no process can name what belongs to another.

mod behind;
mod blobs;
mod capabilities;
mod convert;
mod digests;
mod log;
mod messaging;
mod peers;
mod processes;
mod standard;
mod state;
mod timer;
mod vfs;
mod wasi;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::{Linker, ResourceTable};

use crate::blob::Blob;
use crate::capability::Capability;
use crate::message::Address;
use crate::node::NodeInner;
use crate::process::Process;
use crate::process::background::Background;
use crate::process::pending::ReplyTo;
use crate::turns::Turns;
use crate::vfs::{Directory, File};

mod bindings {
    #![allow(
        missing_docs,
        unreachable_pub,
        private_interfaces,
        clippy::all,
        clippy::pedantic,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )]
    wasmtime::component::bindgen!({
        path: "../wit/host",
        world: "process",
        imports: {
            "transship:host/messaging.receive": async | trappable,
            "transship:host/messaging.send-request": async | trappable,
            "transship:host/messaging.send-requests": async | trappable,
            "transship:host/messaging.send-and-await-response": async | trappable,
            "transship:host/messaging.send-response": async | trappable,
            "transship:host/messaging.[method]responder.respond": async | trappable,
            "transship:host/blobs.[method]blob.read": async | trappable,
            "transship:host/vfs": async | trappable,
            "transship:host/digests.[method]hasher.update": async | trappable,
            "transship:host/digests.[method]hasher.digest": async | trappable,
            "transship:host/digests.digest": async | trappable,
            "transship:host/digests.start-digest": async | trappable,
            "transship:host/state": async | trappable,
            "transship:host/processes.spawn": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "transship:host/blobs.blob": crate::host_api::BlobHandle,
            "transship:host/capabilities.capability": crate::capability::Capability,
            "transship:host/messaging.responder": crate::host_api::Responder,
            "transship:host/vfs.file": crate::host_api::FileHandle,
            "transship:host/vfs.directory": crate::host_api::DirectoryHandle,
            "transship:host/digests.hasher": crate::digest::Hasher,
        },
    });
}

pub(crate) use bindings::ProcessPre;
pub use bindings::transship::host as interfaces;
pub(crate) use messaging::await_response;
pub(crate) use wasi::unserved;

/// The most handles of a process: far more than one uses, and few enough that one which never closes any harms itself only.
const MAX_HANDLES: usize = 1 << 16;

/// A blob in a process's table, counted against its limit.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct BlobHandle(Blob);

/// The right to answer one request.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Responder(ReplyTo);

/// An open file, and the capability that it was opened with.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct FileHandle {
    file: Arc<File>,
    capability: Capability,
    /// What was queued, once something was.
    behind: Option<behind::Behind>,
}

/// An open directory, and the capability that it was opened with.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct DirectoryHandle {
    directory: Arc<Directory>,
    capability: Capability,
}

/// The message that a process received last.
#[derive(Debug, Default)]
pub(crate) struct Current {
    reply: Option<ReplyTo>,
    blob: Option<Blob>,
}

/// Ends a process through `processes.exit`: travels as an error to whoever runs the process.
#[derive(Debug, thiserror::Error)]
#[error("exit")]
pub(crate) struct Exit(pub(crate) Result<(), String>);

/// What a running process has on the node's side: the data of a guest's store.
pub struct Guest {
    pub(crate) node: Arc<NodeInner>,
    pub(crate) process: Arc<Process>,
    pub(crate) memory: MemoryLimit,
    /// What goes on beside it.
    background: Background,
    digesting: Turns,
    syncing: Turns,
    writing: Turns,
    lines: Arc<log::Lines>,
    wasi: wasi::Wasi,
    address: Address,
    table: ResourceTable,
    current: Current,
    /// Bytes of blobs that the table's handles hold in the node's memory.
    blob_bytes: u64,
    open_files: u32,
    /// Epochs since the last call of the node; see [`crate::process::run`].
    pub(crate) busy_epochs: u64,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Guest {
    pub(crate) fn new(node: Arc<NodeInner>, process: Arc<Process>, address: Address) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let memory = MemoryLimit { limit: process.memory_limit, used: 0, refused: false, process: process.clone() };
        Self {
            background: Background::new(process.clone()),
            digesting: node.turns.digests(),
            syncing: node.turns.syncs(),
            writing: process.writing.get_or_init(|| node.turns.writes()).clone(),
            node,
            process,
            memory,
            lines: Arc::new(log::Lines::new(address.process().clone())),
            wasi: wasi::Wasi::default(),
            address,
            table,
            current: Current::default(),
            blob_bytes: 0,
            open_files: 0,
            busy_epochs: 0,
        }
    }

    /// Adds a blob to the table.
    fn push_blob(&mut self, blob: Blob) -> wasmtime::Result<wasmtime::component::Resource<BlobHandle>> {
        self.busy_epochs = 0;
        let bytes = self.blob_bytes.saturating_add(blob.resident());
        if bytes > self.node.limits.blobs {
            return Err(wasmtime::Error::msg(format!(
                "the process holds more than {} bytes of blobs: it has to close the handles that it no longer needs",
                self.node.limits.blobs
            )));
        }
        self.blob_bytes = bytes;
        Ok(self.table.push(BlobHandle(blob))?)
    }

    /// Takes a blob out of the table.
    fn take_blob(&mut self, handle: wasmtime::component::Resource<BlobHandle>) -> wasmtime::Result<Blob> {
        self.busy_epochs = 0;
        let BlobHandle(blob) = self.table.delete(handle)?;
        self.blob_bytes = self.blob_bytes.saturating_sub(blob.resident());
        Ok(blob)
    }

    fn blob(&self, handle: &wasmtime::component::Resource<BlobHandle>) -> wasmtime::Result<Blob> {
        Ok(self.table.get(handle)?.0.clone())
    }
}

/// Sums the memories of a process and refuses what exceeds its limit.
pub(crate) struct MemoryLimit {
    limit: u64,
    used: u64,
    pub(crate) refused: bool,
    process: Arc<Process>,
}

impl wasmtime::ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current) as u64);
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.process.memory.store(used, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= crate::engine::MAX_TABLE)
    }
}

/// Makes every interface available to guests.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasi::add_to_linker(linker)?;
    bindings::Process::add_to_linker::<_, wasmtime::component::HasSelf<_>>(linker, |guest| guest)
}
