//! What has to do with transfers among the requests that a process receives.

use file_transfer_types::types::TransferError;
use file_transfer_types::worker::{self, DownloadRequest, Location, Request, Response, UploadRequest};
use transship_guest::address::{Address, ProcessId};
use transship_guest::message::{ReceivedRequest, Responder, respond_json, respond_later};
use transship_guest::{message, warn};

use crate::Progress;

/// A request, sorted. Whatever is dropped unanswered is refused.
#[derive(Debug)]
pub enum Incoming {
    /// A transfer of this process moves, or has ended. Its worker has been answered.
    Progress(Progress),
    /// A process elsewhere wants a file of this one.
    Wanted(Wanted),
    /// A process elsewhere wants to send a file to this one.
    Offered(Offered),
    /// It made no sense, and whoever sent it has been told so.
    Done,
    /// It has nothing to do with transfers.
    Other(ReceivedRequest),
}

impl Incoming {
    /// Sorts a request: the one that was received last, since some are answered here.
    #[must_use]
    pub fn of(our: &Address, received: ReceivedRequest) -> Self {
        let Ok(request) = received.json() else { return Self::Other(received) };
        let source = received.source.clone();
        match request {
            Request::Progress(progress) => {
                // Workers belong to this package; of the end of one that was killed the node tells in its name.
                if !is_of_our_package(our, &source) {
                    return Self::Other(received);
                }
                answer(&received, &Response::Progress);
                Self::Progress(progress.into())
            }
            Request::Download(request) if may_be_asked(request.is_requestor, request.options.as_ref().is_some_and(|options| options.by_id == Some(true))) => {
                Self::Wanted(Wanted { request, asker: source, responder: Answer::later(Response::Download) })
            }
            Request::Upload(request) if may_be_asked(request.is_requestor, false) => {
                Self::Offered(Offered { request, asker: source, responder: Answer::later(Response::Upload) })
            }
            Request::Download(_) => {
                answer(&received, &Response::Download(Err(senseless())));
                Self::Done
            }
            Request::Upload(_) => {
                answer(&received, &Response::Upload(Err(senseless())));
                Self::Done
            }
            Request::Cancel(_) | Request::Store(_) => Self::Other(received),
        }
    }
}

/// Nobody commands this process to fetch something elsewhere, and files are known by their names here.
fn may_be_asked(is_requestor: bool, by_id: bool) -> bool {
    !is_requestor && !by_id
}

fn senseless() -> TransferError {
    TransferError::InvalidRequest("this process serves files by their names, and takes no commands".into())
}

fn is_of_our_package(our: &Address, source: &Address) -> bool {
    source.node == our.node && source.process == ProcessId { process_name: source.process.process_name.clone(), ..our.process.clone() }
}

fn answer(received: &ReceivedRequest, response: &Response) {
    if received.expects_response()
        && let Err(error) = respond_json(response)
    {
        warn!("{} was not answered: {error}", received.source);
    }
}

/// A process elsewhere wants a file of this one: send it, or refuse.
#[derive(Debug)]
#[must_use = "whoever wants the file waits for an answer"]
pub struct Wanted {
    request: DownloadRequest,
    asker: Address,
    responder: Answer,
}

impl Wanted {
    /// The file, as the asker names it. It is for this process to say what that means, and whether the asker may have it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// Who wants it: a worker of that node.
    #[must_use]
    pub fn asker(&self) -> &Address {
        &self.asker
    }

    /// Sends the file `path` of a drive of this process, and returns the transfer's id.
    ///
    /// # Errors
    /// Why it can't be sent; the asker is told the same.
    pub fn send(self, our: &Address, drive: &str, path: &str) -> Result<String, TransferError> {
        let Self { request, asker, responder } = self;
        let local = Some(Location { drive: drive.into(), name: path.into() });
        // What the other node says of addresses and places is not for us.
        let request = DownloadRequest { target: asker, is_requestor: false, local, slot: None, rivals: None, ..request };
        responder.started(our, worker::start_download_with(our, &request, Vec::new()))
    }

    /// Refuses.
    pub fn refuse(self, why: TransferError) {
        self.responder.give(Err(why));
    }
}

/// A process elsewhere wants to send a file to this one: take it, or refuse.
#[derive(Debug)]
#[must_use = "whoever offers the file waits for an answer"]
pub struct Offered {
    request: UploadRequest,
    asker: Address,
    responder: Answer,
}

impl Offered {
    /// The name that the asker wants it to have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.request.name
    }

    /// Its size, as the asker says.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.request.size
    }

    /// Who offers it: a worker of that node.
    #[must_use]
    pub fn asker(&self) -> &Address {
        &self.asker
    }

    /// Takes it, as `path` into a drive of this process, and returns the transfer's id.
    ///
    /// # Errors
    /// Why it can't be taken; the asker is told the same.
    pub fn take(self, our: &Address, drive: &str, path: &str) -> Result<String, TransferError> {
        let Self { request, asker, responder } = self;
        let local = Some(Location { drive: drive.into(), name: path.into() });
        let request = UploadRequest { target: asker, is_requestor: false, local, slot: None, rivals: None, ..request };
        responder.started(our, worker::start_upload(our, &request, Vec::new()))
    }

    /// Refuses.
    pub fn refuse(self, why: TransferError) {
        self.responder.give(Err(why));
    }
}

/// The right to answer; one that is dropped refuses.
#[derive(Debug)]
struct Answer {
    responder: Option<Responder>,
    form: fn(Result<ProcessId, TransferError>) -> Response,
}

impl Answer {
    fn later(form: fn(Result<ProcessId, TransferError>) -> Response) -> Self {
        Self { responder: respond_later(), form }
    }

    fn started(self, our: &Address, started: Result<String, TransferError>) -> Result<String, TransferError> {
        let worker = started
            .clone()
            .and_then(|id| worker::worker_of(our, &id).ok_or_else(|| TransferError::Failed("the worker ended at once: the node's log says why".into())));
        self.give(worker);
        started
    }

    fn give(mut self, outcome: Result<ProcessId, TransferError>) {
        self.send(outcome);
    }

    fn send(&mut self, outcome: Result<ProcessId, TransferError>) {
        let Some(responder) = self.responder.take() else { return };
        let response = message::Response::json(&(self.form)(outcome)).map_err(|error| error.to_string());
        if let Err(error) = response.and_then(|response| response.send_to(&responder).map_err(|error| error.to_string())) {
            warn!("somebody was not told whether the transfer begins: {error}");
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.send(Err(TransferError::Denied("this process does not do that".into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_believed_of_processes_of_this_package_on_this_node_only() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let our = address("bob@main:chat:ann");
        assert!(is_of_our_package(&our, &address("bob@transfer-0a:chat:ann")));
        for stranger in ["alice@transfer-0a:chat:ann", "bob@transfer-0a:chat:eve", "bob@transfer-0a:other:ann"] {
            assert!(!is_of_our_package(&our, &address(stranger)), "{stranger}");
        }
    }

    #[test]
    fn nobody_commands_this_process_and_nobody_searches_it() {
        assert!(may_be_asked(false, false));
        assert!(!may_be_asked(true, false) && !may_be_asked(false, true));
    }
}
