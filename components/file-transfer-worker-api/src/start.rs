//! Starting workers: checks what can be checked at once, spawns the worker with what it needs and no more, and hands it its request.

use file_transfer_types::types::{TransferError, TransferState};
use file_transfer_types::worker::{DownloadRequest, Location, ProgressRequest, Request, Rival, StoreRequest, UploadRequest};
use file_transfer_types::{errors, names, options::Settings};
use serde::Serialize;
use transship_guest::address::{Address, ProcessId, is_name_part};
use transship_guest::bindings::transship::host::{capabilities, timer};
use transship_guest::drive::Rights;
use transship_guest::message::{self, Capability, CapabilityKind, DriveGrant};
use transship_guest::process::{ExitRequest, OnExit, Spawn, SpawnError, running};
use transship_guest::{hex, process};

use crate::slots;

/// The package that holds the worker, for those who compose the API in without bringing a worker along.
const HOME: (&str, &str) = ("file-transfer", "transship");

/// Starts the worker of a download (see `file-transfer-worker.start-download-with`).
pub(crate) fn download(our: &Address, mut request: DownloadRequest, grants: Vec<Capability>) -> Result<String, TransferError> {
    let settings = Settings::new(request.options.as_ref())?;
    if !settings.by_id {
        check_name(&settings, &request.name)?;
    }
    let id = new_id(4);
    let local = request.local.take().ok_or_else(|| TransferError::InvalidRequest("local is missing: which file of which drive".into()))?;
    let local = Location { drive: full_name(our, &local.drive), name: local.name };
    if request.is_requestor {
        // The provider's name completes a folder; when it is a digest, the worker learns the name first.
        if settings.tree.is_some() { check_name(&settings, &local.name) } else { check_target(&local.name) }?;
        let place = slots::place(&request.target.node, &request.name, &local, is_lent(&grants, &local.drive));
        let taken = slots::take(&id, place, request.slot, |id| is_running(our, id));
        request.slot = Some(taken.slot);
        request.rivals = Some(rivals(our, &taken));
    } else {
        check_name(&settings, &local.name)?;
    }
    let needs = if request.is_requestor { Rights::all() } else { Rights::READ | Rights::LIST };
    let name = request.name.clone();
    let drive = local.drive.clone();
    request.local = Some(local);
    start(our, Start { id, prefix: TRANSFER, name, drive, needs, network: true, grants }, &Request::Download(request))
}

/// Starts the worker of an upload (see `file-transfer-worker.start-upload`).
pub(crate) fn upload(our: &Address, mut request: UploadRequest, grants: Vec<Capability>) -> Result<String, TransferError> {
    let settings = Settings::new(request.options.as_ref())?;
    check_name(&settings, &request.name)?;
    let id = new_id(4);
    let local = request.local.take().ok_or_else(|| TransferError::InvalidRequest("local is missing: which file of which drive".into()))?;
    let local = Location { drive: full_name(our, &local.drive), name: local.name };
    check_name(&settings, &local.name)?;
    if !request.is_requestor {
        let place = slots::place(&request.target.node, &request.name, &local, is_lent(&grants, &local.drive));
        let taken = slots::take(&id, place, request.slot, |id| is_running(our, id));
        request.slot = Some(taken.slot);
        request.rivals = Some(rivals(our, &taken));
    }
    let needs = if request.is_requestor { Rights::READ | Rights::LIST } else { Rights::all() };
    let name = request.name.clone();
    let drive = local.drive.clone();
    request.local = Some(local);
    start(our, Start { id, prefix: TRANSFER, name, drive, needs, network: true, grants }, &Request::Upload(request))
}

/// Starts the worker of a segmented store (see `file-transfer-worker.start-store`).
pub(crate) fn store(our: &Address, drive: String, client: Address, grants: Vec<Capability>) -> Result<String, TransferError> {
    // 128 bits: whoever knows the id may add to the file.
    let id = new_id(16);
    let drive = full_name(our, &drive);
    let request = Request::Store(StoreRequest { id: id.clone(), drive: drive.clone(), client });
    start(our, Start { id, prefix: STORE, name: String::new(), drive, needs: Rights::all(), network: true, grants }, &request)
}

/// The process that a transfer of this id has, running or not. None: no transfer can have this id.
pub(crate) fn process_of(our: &Address, id: &str) -> Option<ProcessId> {
    let prefix = if id.len() == 32 { STORE } else { TRANSFER };
    let name = format!("{prefix}{id}");
    is_name_part(&name).then(|| our.process.sibling(name))
}

const TRANSFER: &str = "transfer-";
const STORE: &str = "store-";

struct Start {
    id: String,
    prefix: &'static str,
    name: String,
    drive: String,
    needs: Rights,
    network: bool,
    grants: Vec<Capability>,
}

fn start<T: Serialize>(our: &Address, what: Start, request: &T) -> Result<String, TransferError> {
    let mut grants = what.grants;
    if !is_lent(&grants, &what.drive) {
        grants.push(drive_of_ours(&what.drive, what.needs)?);
    }
    if what.network {
        // Without it a transfer between two processes of this node still works.
        grants.extend(capabilities::held().into_iter().find(|held| matches!(held.kind(), CapabilityKind::Network)));
    }
    let (own, home) = ("worker".to_owned(), format!("{}:{}/worker", HOME.0, HOME.1));
    let at_home = (our.process.package_name.as_str(), our.process.publisher_node.as_str()) == HOME;
    let components = if at_home { [own, home] } else { [home, own] };
    let name = format!("{}{}", what.prefix, what.id);
    let [first, second] = components;
    let worker = match spawn(our, first, &name, &what.id, &what.name, duplicates(&grants)) {
        Err(SpawnError::NoSuchComponent(_)) => spawn(our, second, &name, &what.id, &what.name, grants),
        other => other,
    }
    .map_err(errors::from_spawn)?;
    let sent = message::Request::to(&worker).json(request).map_err(|error| TransferError::Failed(error.to_string()))?.send();
    if let Err(error) = sent {
        process::kill(&worker.process);
        return Err(errors::from_send(&error.kind, &our.node, "the request to the worker"));
    }
    Ok(what.id)
}

fn spawn(our: &Address, component: String, process: &str, id: &str, name: &str, grants: Vec<Capability>) -> Result<Address, SpawnError> {
    let ended = ProgressRequest {
        id: id.into(),
        name: name.into(),
        progress: 0,
        bytes_done: 0,
        bytes_total: None,
        files_done: None,
        files_total: None,
        state: TransferState::Failed(TransferError::Failed("the worker was ended before it was done".into())),
    };
    let body = serde_json::to_vec(&Request::Progress(ended)).map_err(|error| SpawnError::Failed(error.to_string()))?;
    // Public, since its counterpart belongs to another node; the worker itself answers its counterpart and its parent only.
    let options = Spawn::component(component).name(process).on_exit(OnExit::Requests(vec![ExitRequest { target: our.clone(), body }])).public();
    grants.into_iter().fold(options, Spawn::grant).spawn()
}

fn duplicates(grants: &[Capability]) -> Vec<Capability> {
    grants.iter().map(Capability::duplicate).collect()
}

/// A new id of so many random bytes.
fn new_id(bytes: u32) -> String {
    hex::encode(&timer::random(bytes))
}

fn rivals(our: &Address, taken: &slots::Taken) -> Vec<Rival> {
    taken.others.iter().filter_map(|(id, slot)| Some(Rival { slot: *slot, worker: process_of(our, id)? })).collect()
}

fn is_running(our: &Address, id: &str) -> bool {
    process_of(our, id).is_some_and(|process| running(&process))
}

/// The full name of a drive that may have been given by its short name.
fn full_name(our: &Address, drive: &str) -> String {
    if drive.contains('/') { drive.into() } else { format!("{}:{}/{drive}", our.process.package_name, our.process.publisher_node) }
}

/// Checks the name of a file, or the path of a tree's folder.
fn check_name(settings: &Settings, name: &str) -> Result<(), TransferError> {
    if settings.tree.is_some() { names::check_folder(name).map(drop) } else { names::check(name) }
}

fn check_target(name: &str) -> Result<(), TransferError> {
    match name.strip_suffix('/').unwrap_or(name) {
        "" => Ok(()),
        rest => names::check(rest),
    }
}

fn is_lent(grants: &[Capability], drive: &str) -> bool {
    grants.iter().any(|grant| is_drive(grant, drive))
}

fn is_drive(capability: &Capability, drive: &str) -> bool {
    matches!(capability.kind(), CapabilityKind::Drive(grant) if grant.drive == drive)
}

/// The part of this process's own right to a drive that a worker needs.
fn drive_of_ours(drive: &str, needs: Rights) -> Result<Capability, TransferError> {
    let mut found = None;
    for held in capabilities::held() {
        let CapabilityKind::Drive(grant) = held.kind() else { continue };
        // A process may hold several to one drive: the one that allows most of what is needed is passed on.
        if grant.drive == drive && held.valid() {
            let useful = grant.rights & needs;
            if found.as_ref().is_none_or(|(_, best): &(_, Rights)| best.bits().count_ones() < useful.bits().count_ones()) {
                found = Some((held, useful));
            }
        }
    }
    let (held, useful) = found.ok_or_else(|| TransferError::Denied(format!("this process holds no capability for the drive {drive}")))?;
    held.restrict(&CapabilityKind::Drive(DriveGrant { drive: drive.into(), rights: useful }))
        .map_err(|error| TransferError::Denied(format!("the drive {drive}: {error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_the_process_that_its_id_names() {
        let our: Address = "bob@manager:file-transfer:transship".parse().unwrap();
        assert_eq!(process_of(&our, "0a1b2c3d").unwrap().to_string(), "transfer-0a1b2c3d:file-transfer:transship");
        assert_eq!(process_of(&our, &"0".repeat(32)).unwrap().process_name, format!("store-{}", "0".repeat(32)));
        assert_eq!(process_of(&our, "../x"), None);
    }

    #[test]
    fn a_drive_of_the_own_package_may_be_named_in_short() {
        let our: Address = "bob@main:photos:ann".parse().unwrap();
        assert_eq!(full_name(&our, "files"), "photos:ann/files");
        assert_eq!(full_name(&our, "file-transfer:transship/files"), "file-transfer:transship/files");
    }

    #[test]
    fn a_target_may_be_a_folder_but_not_leave_the_drive() {
        for good in ["", "/", "a", "a/", "a/b"] {
            assert_eq!(check_target(good), Ok(()), "{good}");
        }
        for bad in ["//", "../", "/a", "a//"] {
            assert!(check_target(bad).is_err(), "{bad}");
        }
    }
}
