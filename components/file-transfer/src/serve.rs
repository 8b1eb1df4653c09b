//! Another node's worker asks: send me a file (`download`), or take one from me (`upload`). Within the rights of its node, and nothing else: a request to fetch something *from*
//! elsewhere is a command, and is refused whoever it comes from (the owner's command is `get`).
//!
//! What can be known at once is answered at once; then a worker is started, which is all that the asker needs to know.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names::{self, shown};
use file_transfer_types::options::Settings;
use file_transfer_types::types::{ConflictPolicy, TransferError};
use file_transfer_types::worker::{self as api, DownloadRequest, Location, UploadRequest};
use transship_guest::address::{Address, ProcessId};
use transship_guest::drive::{FileKind, OpenFlags, Rights, VfsError};
use transship_guest::info;
use transship_guest::message::ReceivedRequest;

use crate::jobs::{Job, Search, algorithm_of};
use crate::manager::{Handled, Manager};
use crate::rights::{self, DRIVE};
use crate::transfers::Transfer;

/// So many transfers run for one node at a time.
const PER_NODE: usize = 256;

impl Manager {
    /// `download`: starts the worker that sends a file to the asking worker, and gives its process. None: the file must be searched first.
    pub(crate) fn serve_download(&mut self, received: &ReceivedRequest, request: DownloadRequest) -> Result<Option<ProcessId>, TransferError> {
        if request.is_requestor {
            return Err(refuse_command("download", "get"));
        }
        let settings = Settings::new(request.options.as_ref())?;
        // Whoever gets a tree learns what is in it.
        rights::check(&self.our, received, if settings.tree.is_some() { Rights::READ | Rights::LIST } else { Rights::READ })?;
        self.check_room(&received.source.node)?;
        if settings.by_id {
            let algorithm = algorithm_of(&request.name)?;
            let source = received.source.clone();
            let search = |responder| Job::Search(Search { responder, source, request, algorithm, after: None, todo: Default::default(), more: true });
            return self.begin(received, search).map(|_: Handled| None);
        }
        if settings.tree.is_some() { self.check_tree(&request.name, Side::Provider) } else { self.check_served(&request.name) }?;
        let name = request.name.clone();
        self.send(&received.source, request, name).map(Some)
    }

    /// A file that was searched by its id is found: its name is told to the receiver with the size.
    pub(crate) fn send_found(&mut self, source: &Address, request: &DownloadRequest, name: &str) -> Result<ProcessId, TransferError> {
        self.check_served(name)?;
        self.send(source, DownloadRequest { name: name.into(), ..request.clone() }, name.into())
    }

    fn send(&mut self, source: &Address, request: DownloadRequest, path: String) -> Result<ProcessId, TransferError> {
        let name = request.name.clone();
        let local = Some(Location { drive: DRIVE.into(), name: path });
        // Where the asker is, the node says; what its message says of addresses and places is not for us.
        let request = DownloadRequest { target: source.clone(), is_requestor: false, local, slot: None, rivals: None, ..request };
        let id = api::start_download_with(&self.our, &request, Vec::new())?;
        self.serving(id, Transfer::serving(source.node.clone(), name, false))
    }

    /// `upload`: starts the worker that fetches a file from the asking worker, and gives its process.
    pub(crate) fn serve_upload(&mut self, received: &ReceivedRequest, request: UploadRequest) -> Result<ProcessId, TransferError> {
        if request.is_requestor {
            return Err(refuse_command("upload", "put"));
        }
        rights::check(&self.our, received, Rights::WRITE)?;
        self.check_room(&received.source.node)?;
        let settings = Settings::new(request.options.as_ref())?;
        if settings.tree.is_some() {
            self.check_tree(&request.name, Side::Receiver)?;
            return self.take_from(received, request);
        }
        names::check(&request.name)?;
        match self.files.find(&request.name) {
            Ok(None) => {}
            Ok(Some(found)) => match (found.kind, settings.conflict) {
                (_, ConflictPolicy::Rename | ConflictPolicy::Skip) | (FileKind::Regular, ConflictPolicy::Overwrite | ConflictPolicy::Newer) => {}
                (FileKind::Regular, ConflictPolicy::Fail) => return Err(TransferError::Conflict(shown(&request.name))),
                _ => return Err(TransferError::NotAFile(shown(&request.name))),
            },
            Err(error) => return Err(from_vfs(error, &request.name, Side::Receiver)),
        }
        self.take_from(received, request)
    }

    fn take_from(&mut self, received: &ReceivedRequest, request: UploadRequest) -> Result<ProcessId, TransferError> {
        let name = request.name.clone();
        let local = Some(Location { drive: DRIVE.into(), name: name.clone() });
        let request = UploadRequest { target: received.source.clone(), is_requestor: false, local, slot: None, rivals: None, ..request };
        let id = api::start_upload(&self.our, &request, Vec::new())?;
        self.serving(id, Transfer::serving(received.source.node.clone(), name, true))
    }

    fn serving(&mut self, id: String, mut transfer: Transfer) -> Result<ProcessId, TransferError> {
        let worker = api::worker_of(&self.our, &id);
        transfer.worker.clone_from(&id);
        info!("transfer {id}: {} {} {} begins, at its wish", transfer.name, if transfer.receiving { "from" } else { "to" }, transfer.node);
        self.transfers.add(id, transfer);
        worker.ok_or_else(|| TransferError::Failed("the worker ended at once: the node's log says why".into()))
    }

    fn check_room(&self, node: &str) -> Result<(), TransferError> {
        let running = self.transfers.serving(node);
        if running < PER_NODE { Ok(()) } else { Err(TransferError::Busy(format!("{} runs {running} transfers for {node}", self.our.node))) }
    }

    /// Whether there is a folder of this name; at a receiver, whether there may be one.
    fn check_tree(&self, name: &str, side: Side) -> Result<(), TransferError> {
        let path = names::check_folder(name)?;
        if path.is_empty() {
            return Ok(());
        }
        match self.files.find(path) {
            Ok(Some(found)) if found.kind == FileKind::Directory => Ok(()),
            Ok(Some(_)) | Err(VfsError::NotADirectory(_)) => Err(TransferError::InvalidRequest(format!("{} is no folder", shown(name)))),
            Ok(None) if side == Side::Receiver => Ok(()),
            Ok(None) => Err(TransferError::NotFound(shown(name))),
            Err(VfsError::Denied(text)) => Err(TransferError::Denied(text)),
            Err(error) => Err(from_vfs(error, path, side)),
        }
    }

    /// Whether a file can be sent; if not, why.
    fn check_served(&self, name: &str) -> Result<(), TransferError> {
        names::check(name)?;
        match self.files.metadata(name) {
            Ok(found) if found.kind == FileKind::Regular => {}
            Ok(_) => return Err(TransferError::NotAFile(shown(name))),
            // A part of the path is a file, so there is nothing below it; or it is a link, which is not followed.
            Err(VfsError::NotADirectory(_)) => return Err(TransferError::NotFound(shown(name))),
            Err(VfsError::Denied(text)) => return Err(TransferError::Denied(text)),
            Err(error) => return Err(from_vfs(error, name, Side::Provider)),
        }
        self.files.open_file(name, OpenFlags::READ).map(drop).map_err(|error| from_vfs(error, name, Side::Provider))
    }
}

fn refuse_command(request: &str, command: &str) -> TransferError {
    TransferError::Denied(format!("'{request}' with is-requestor is for a worker of one's own: the owner of this node uses '{command}'"))
}
