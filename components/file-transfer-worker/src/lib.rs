//! The worker: one transfer, one side of it. It is started with one request of its parent, does what that says, and ends.
//!
//! # Layout
//! - [`session`]: the conversation with the parent and the counterpart; [`wire`]: what goes over it
//! - [`receive`]: the side that asks for bytes, writes, verifies and publishes
//! - [`send`]: the side that says what the file is and gives its bytes
//! - [`tree`]: the same two sides, of a folder with all that is in it
//! - [`rivals`]: which of several transfers to one place has which partial file; [`claims`]: the answers to those who ask that
//! - [`store`]: the receiving end of a segmented store
//! - [`pace`], [`liveness`], [`progress`]: state and rules, without a call to the node
//!
//! These sources are built natively too, for the benchmark `sandbox`: what they use of the SDK must be in `bench/double/guest` as well.
//!
//! A transfer that fails is no failure of the process: it has told its parent why and ends well. It ends with an error only if it could not begin.

mod claims;
mod clock;
mod liveness;
mod pace;
mod progress;
mod receive;
mod rivals;
mod send;
mod session;
mod store;
mod tree;
mod wire;

use file_transfer_types::errors::describe;
use file_transfer_types::options::Settings;
use file_transfer_types::types::{TransferError, TransferOptions, TransferSummary};
use file_transfer_types::worker::{DownloadRequest, Request, UploadRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::timer;
use transship_guest::message::{Message, receive};
use transship_guest::process;

use progress::Progress;
use session::Session;

transship_guest::process!(init);

/// How long to wait for the request, in milliseconds: it is sent right after the spawn.
const FIRST: u64 = 30_000;

fn init(our: Address) -> Result<(), String> {
    let parent = process::parent().ok_or("a worker is started by another process, which sends it its request")?;
    match first_request(&parent)? {
        Request::Download(request) => {
            download(our, parent, request);
            Ok(())
        }
        Request::Upload(request) => {
            upload(our, parent, request);
            Ok(())
        }
        Request::Store(request) => store::run(&our, &parent, request).map_err(|error| describe(&error)),
        Request::Cancel(_) => Ok(()),
        Request::Progress(_) => Err("a worker takes no progress".into()),
    }
}

fn first_request(parent: &Address) -> Result<Request, String> {
    timer::set(FIRST);
    loop {
        match receive() {
            Message::Request(received) if received.source == *parent => return received.json().map_err(|error| format!("{parent} sent no request: {error}")),
            Message::Timer(_) => return Err(format!("{parent} sent no request in time")),
            _ => {}
        }
    }
}

fn download(our: Address, parent: Address, request: DownloadRequest) {
    let (mut session, sound) = begin(our, parent, &request.name, &request.target, request.options.as_ref());
    let receiving = request.is_requestor;
    let outcome = sound.and_then(|()| run_download(&mut session, request));
    session.end(&outcome, receiving);
}

fn run_download(session: &mut Session, request: DownloadRequest) -> Result<TransferSummary, TransferError> {
    let DownloadRequest { name, target, is_requestor, local, slot, rivals, options } = request;
    let local = local.ok_or_else(no_local)?;
    if !is_requestor {
        return send_one(session, &send::Job { name, local, ask: None, to: Some(target) });
    }
    // Where it is put here is nobody else's business, and which process here asks, the node says.
    let ours = session.our.clone();
    let asked = DownloadRequest { name: name.clone(), target: ours, is_requestor: false, local: None, slot: None, rivals: None, options };
    let job = receive::Job { name, local, slot: slot.unwrap_or(0), rivals: rivals.unwrap_or_default(), ask: Some((target, asked)), from: None };
    receive_one(session, &job)
}

fn upload(our: Address, parent: Address, request: UploadRequest) {
    let (mut session, sound) = begin(our, parent, &request.name, &request.target, request.options.as_ref());
    let receiving = !request.is_requestor;
    let outcome = sound.and_then(|()| run_upload(&mut session, request));
    session.end(&outcome, receiving);
}

fn run_upload(session: &mut Session, request: UploadRequest) -> Result<TransferSummary, TransferError> {
    let UploadRequest { name, target, is_requestor, local, slot, rivals, size, options } = request;
    let local = local.ok_or_else(no_local)?;
    if !is_requestor {
        session.progress.bytes_total = size;
        let job = receive::Job { name, local, slot: slot.unwrap_or(0), rivals: rivals.unwrap_or_default(), ask: None, from: Some(target) };
        return receive_one(session, &job);
    }
    let ours = session.our.clone();
    let asked = UploadRequest { name: name.clone(), target: ours, is_requestor: false, local: None, slot: None, rivals: None, size, options };
    send_one(session, &send::Job { name, local, ask: Some((target, asked)), to: None })
}

/// A file or a tree.
fn send_one(session: &mut Session, job: &send::Job) -> Result<TransferSummary, TransferError> {
    match session.settings.tree.clone() {
        None => send::run(session, job),
        Some(tree) => tree::send::run(session, job, &tree),
    }
}

/// A file or a tree.
fn receive_one(session: &mut Session, job: &receive::Job) -> Result<TransferSummary, TransferError> {
    match session.settings.tree.clone() {
        None => receive::run(session, job),
        Some(tree) => tree::receive::run(session, job, &tree),
    }
}

/// A session, and whether the options make sense: the parent is told also when they don't.
fn begin(our: Address, parent: Address, name: &str, target: &Address, options: Option<&TransferOptions>) -> (Session, Result<(), TransferError>) {
    let progress = Progress::new(transfer_id(&our), name.into());
    let (settings, sound) = match Settings::new(options) {
        Ok(settings) => (settings, Ok(())),
        Err(error) => (Settings::default(), Err(error)),
    };
    (Session::new(our, parent, target.node.clone(), progress, settings), sound)
}

fn no_local() -> TransferError {
    TransferError::InvalidRequest("local is missing: which file of which drive".into())
}

/// The id is in the name that the API component gave this process.
fn transfer_id(our: &Address) -> String {
    let name = our.process.process_name.as_str();
    name.strip_prefix("transfer-").unwrap_or(name).into()
}
