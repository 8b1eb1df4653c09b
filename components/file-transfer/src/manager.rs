//! The manager's loop: one message at a time, each request to its handler, each error to whoever asked.

use std::collections::BTreeMap;

use file_transfer_types::manager::{Request as Ask, Response as Answer};
use file_transfer_types::types::TransferError;
use file_transfer_types::worker;
use serde::Serialize;
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::timer;
use transship_guest::drive::{Directory, open_drive};
use transship_guest::message::{Message, ReceivedRequest, Responder, Response, receive, respond_json};
use transship_guest::{info, warn};

use crate::digests::Digests;
use crate::jobs::Job;
use crate::queue::Queue;
use crate::rights::DRIVE;
use crate::store::{self, Stores};
use crate::transfers::Transfers;
use crate::walk::Found;

/// How often transfers are looked for whose worker is gone, or whose right has ended, in milliseconds.
const ROUND: u64 = 5_000;

/// What became of a request.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, made and taken apart at once")]
pub(crate) enum Handled {
    /// This is the answer.
    Answer(Answer),
    /// It is or will be answered elsewhere.
    Later,
}

/// What the manager knows.
pub(crate) struct Manager {
    pub(crate) our: Address,
    /// The drive that is served.
    pub(crate) files: Directory,
    pub(crate) transfers: Transfers,
    pub(crate) queue: Queue,
    pub(crate) stores: Stores,
    /// By the number of the digest that each waits for.
    pub(crate) jobs: BTreeMap<u64, (Job, Found)>,
    pub(crate) digests: Digests,
}

/// The process: runs until the node ends it.
pub(crate) fn run(our: Address) -> Result<(), String> {
    let files = open_drive(DRIVE).map_err(|error| format!("the drive {DRIVE} can't be opened: {error:?}"))?;
    store::sweep(&files);
    info!("{our} serves the drive {}", files.drive());
    let (transfers, queue, stores) = (Transfers::default(), Queue::default(), Stores::default());
    let mut manager = Manager { our, files, transfers, queue, stores, jobs: BTreeMap::new(), digests: Digests::default() };
    timer::set(ROUND);
    loop {
        match receive() {
            Message::Request(received) => manager.request(received),
            Message::Completion(completion) => manager.digested(completion),
            Message::Timer(_) => {
                timer::set(ROUND);
                manager.stop_what_lapsed();
                manager.look_after_transfers();
            }
            // What is told to those who asked for a transfer is all that expects a response.
            Message::Response(received) => manager.told(received.context.as_deref()),
            Message::SendError(error) => manager.told(error.context.as_deref()),
        }
    }
}

/// A request of either interface.
enum Incoming {
    Files(Ask),
    Worker(worker::Request),
}

/// Reads a request. The cases of the two interfaces that share a name differ in what they carry.
fn parse(body: &[u8]) -> Result<Incoming, TransferError> {
    let files = serde_json::from_slice(body).map(Incoming::Files);
    files.or_else(|error| {
        let worker = serde_json::from_slice(body).map(Incoming::Worker);
        worker.map_err(|_| TransferError::InvalidRequest(format!("no request of file-transfer or file-transfer-worker: {error}")))
    })
}

impl Manager {
    fn request(&mut self, mut received: ReceivedRequest) {
        match parse(&received.request.body) {
            Ok(Incoming::Files(ask)) => {
                let answer = match self.files(&mut received, ask) {
                    Ok(Handled::Answer(answer)) => answer,
                    Ok(Handled::Later) => return,
                    Err(error) => Answer::Error(error),
                };
                respond(&received, &answer);
            }
            Ok(Incoming::Worker(request)) => self.worker(&received, request),
            Err(error) => respond(&received, &Answer::Error(error)),
        }
    }

    fn files(&mut self, received: &mut ReceivedRequest, ask: Ask) -> Result<Handled, TransferError> {
        match ask {
            Ask::ListFiles => self.list_files(received),
            Ask::ListPage(options) => self.list_page(received, options),
            Ask::Get(get) => self.get(received, get),
            Ask::Put(put) => self.put(received, put),
            Ask::Cancel(cancel) => self.cancel(received, cancel),
            Ask::Transfers => self.list_transfers(received),
            Ask::Stopped => self.list_stopped(received),
            Ask::Store(segment) => self.store(received, segment),
        }
    }

    fn worker(&mut self, received: &ReceivedRequest, request: worker::Request) {
        let answer = match request {
            worker::Request::Download(request) => match self.serve_download(received, request) {
                Ok(None) => return,
                Ok(Some(worker)) => worker::Response::Download(Ok(worker)),
                Err(error) => worker::Response::Download(Err(error)),
            },
            worker::Request::Upload(request) => worker::Response::Upload(self.serve_upload(received, request)),
            worker::Request::Progress(progress) => match self.progress(received, progress) {
                Some(answer) => answer,
                None => return respond(received, &Answer::Error(TransferError::Denied("only a worker reports progress of its transfer".into()))),
            },
            worker::Request::Cancel(_) | worker::Request::Store(_) => {
                let error = TransferError::InvalidRequest("that is for a worker of one's own".into());
                return respond(received, &Answer::Error(error));
            }
        };
        respond(received, &answer);
    }
}

/// Answers the request at hand, if somebody waits.
fn respond<T: Serialize>(received: &ReceivedRequest, answer: &T) {
    if received.expects_response()
        && let Err(error) = respond_json(answer)
    {
        warn!("{} was not answered: {error}", received.source);
    }
}

/// Answers a request that was received earlier.
pub(crate) fn respond_to<T: Serialize>(responder: &Responder, answer: &T) {
    let sent = Response::json(answer).map_err(|error| error.to_string()).and_then(|answer| answer.send_to(responder).map_err(|error| error.to_string()));
    if let Err(error) = sent {
        warn!("somebody was not answered: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_both_interfaces_are_told_apart() {
        let files = |body: &str| matches!(parse(body.as_bytes()), Ok(Incoming::Files(_)));
        let worker = |body: &str| matches!(parse(body.as_bytes()), Ok(Incoming::Worker(_)));
        assert!(files(r#""list-files""#) && files(r#"{"list-page": {}}"#));
        assert!(files(r#"{"cancel": {"id": "1", "keep": false}}"#) && worker(r#"{"cancel": true}"#));
        assert!(files(r#"{"store": {"number": 1}}"#));
        let address = r#"{"node": "a", "process": {"process-name": "b", "package-name": "c", "publisher-node": "d"}}"#;
        assert!(worker(&format!(r#"{{"download": {{"name": "x", "target": {address}, "is-requestor": false}}}}"#)));
        assert!(worker(&format!(r#"{{"store": {{"id": "1", "drive": "files", "client": {address}}}}}"#)));
    }

    #[test]
    fn what_is_no_request_is_an_error_that_says_so() {
        for body in ["", "null", r#""list-everything""#, "\u{0}"] {
            assert!(matches!(parse(body.as_bytes()), Err(TransferError::InvalidRequest(_))), "{body}");
        }
    }
}
