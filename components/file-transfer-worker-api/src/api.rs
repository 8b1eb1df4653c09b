//! The exported functions: each converts and calls [`start`](crate::start).

use transship_guest::address::{Address, ProcessId};
use transship_guest::message::{Capability, Request};
use transship_guest::process;

use file_transfer_types::worker;

use crate::bindings::exports::transship::file_transfer::file_transfer_worker::{DownloadRequest, Guest, UploadRequest};
use crate::bindings::exports::transship::file_transfer::types::TransferError;
use crate::{Api, convert, start};

impl Guest for Api {
    fn start_download(our: Address, source: Address, name: String, target: Address, is_requestor: bool) -> Result<String, TransferError> {
        let target = if is_requestor { source } else { target };
        let local = Some(worker::Location { drive: "files".into(), name: name.clone() });
        start::download(&our, worker::DownloadRequest { name, target, is_requestor, local, slot: None, rivals: None, options: None }, Vec::new())
            .map_err(convert::error)
    }

    fn start_download_with(our: Address, request: DownloadRequest, grants: Vec<Capability>) -> Result<String, TransferError> {
        start::download(&our, convert::download(request), grants).map_err(convert::error)
    }

    fn start_upload(our: Address, request: UploadRequest, grants: Vec<Capability>) -> Result<String, TransferError> {
        start::upload(&our, convert::upload(request), grants).map_err(convert::error)
    }

    fn start_store(our: Address, drive: String, client: Address, grants: Vec<Capability>) -> Result<String, TransferError> {
        start::store(&our, drive, client, grants).map_err(convert::error)
    }

    fn worker_of(our: Address, id: String) -> Option<ProcessId> {
        let worker = start::process_of(&our, &id)?;
        process::running(&worker).then_some(worker)
    }

    fn cancel(our: Address, id: String, keep: bool) -> bool {
        let Some(worker) = Self::worker_of(our.clone(), id) else { return false };
        let request = Request::to(&Address::new(our.node, worker)).json(&worker::Request::Cancel(keep));
        request.is_ok_and(|request| request.send().is_ok())
    }
}
