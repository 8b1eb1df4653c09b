//! What goes over a worker's conversation: requests with their contexts, and the answers that need no thought.

use file_transfer_types::protocol::{InternalRequest, InternalResponse};
use file_transfer_types::types::TransferError;
use file_transfer_types::{manager, worker};
use serde::{Deserialize, Serialize};
use transship_guest::address::{Address, ProcessId};
use transship_guest::message::{ReceivedResponse, Request, SendErrorKind};
use transship_guest::warn;

/// A chunk that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// Where it starts.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) length: u64,
    /// Which attempt of the transfer it belongs to: one that starts over no longer takes what an earlier one asked for.
    pub(crate) attempt: u32,
}

/// What a request was about, given back with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Context {
    /// To the other node's process: start a worker.
    Start,
    /// The size was told.
    Size,
    /// The digest was told.
    Digest,
    /// A chunk was asked for.
    Chunk(Ask),
    /// A question of this number, about a tree.
    Question(u32),
    /// The end was told.
    Finished,
    /// Are you there?
    Ping,
    /// The same, because a rival wants to know.
    PingForClaim,
    /// To the worker that has this slot: does your transfer run?
    Claim(u32),
    /// It was told that we can't go on.
    Failed,
    /// A report to the parent.
    Progress,
}

/// What the other node's process says of the worker that it was asked to start.
pub(crate) fn started(received: &ReceivedResponse) -> Result<ProcessId, TransferError> {
    match received.json() {
        Ok(worker::Response::Download(outcome) | worker::Response::Upload(outcome)) => outcome,
        _ => Err(match received.json() {
            Ok(manager::Response::Error(error)) => error,
            _ => TransferError::Failed(format!("{} does not serve files: it answered with something else", received.source)),
        }),
    }
}

/// What is answered to something that was told.
pub(crate) fn acknowledgement(request: &InternalRequest) -> Option<InternalResponse> {
    match request {
        InternalRequest::Size(_) => Some(InternalResponse::Size),
        InternalRequest::Digest(_) => Some(InternalResponse::Digest),
        InternalRequest::Finished(_) => Some(InternalResponse::Finished),
        InternalRequest::Failed(_) => Some(InternalResponse::Failed),
        InternalRequest::Ping => Some(InternalResponse::Ping),
        InternalRequest::Chunk(_) | InternalRequest::Report(_) | InternalRequest::Streams(_) | InternalRequest::Claim => None,
        InternalRequest::Page(_) | InternalRequest::Files(_) | InternalRequest::Part(_) | InternalRequest::DigestOf(_) => None,
    }
}

/// Whether it is a question about a tree, which takes its time to be answered.
pub(crate) fn is_question(request: &InternalRequest) -> bool {
    matches!(request, InternalRequest::Page(_) | InternalRequest::Files(_) | InternalRequest::Part(_) | InternalRequest::DigestOf(_))
}

/// What is answered to a question about a tree where there is none.
pub(crate) fn no_tree(request: &InternalRequest) -> Option<InternalResponse> {
    let error = TransferError::InvalidRequest("this is a file, and not a tree".into());
    match request {
        InternalRequest::Page(_) => Some(InternalResponse::Page(Err(error))),
        InternalRequest::Files(_) => Some(InternalResponse::Files(Err(error))),
        InternalRequest::Part(_) => Some(InternalResponse::Part(Err(error))),
        InternalRequest::DigestOf(_) => Some(InternalResponse::DigestOf(Err(error))),
        _ => None,
    }
}

/// Sends JSON; with a context, a response is expected in so many milliseconds.
pub(crate) fn send<T: Serialize>(target: &Address, body: &T, expects: Option<(Context, u64)>) -> Result<(), SendErrorKind> {
    let no_json = |error: serde_json::Error| SendErrorKind::TooLarge(error.to_string());
    let mut request = Request::to(target).json(body).map_err(no_json)?;
    if let Some((context, timeout)) = expects {
        request = request.timeout(timeout).context(serde_json::to_vec(&context).map_err(no_json)?);
    }
    request.send().map_err(|error| error.kind)
}

/// An answer that can't be sent is worth a line, and no more: whoever asked runs into a time-out.
pub(crate) fn log_failure<T, E: std::fmt::Debug>(what: &str, outcome: Result<T, E>) {
    if let Err(error) = outcome {
        warn!("{what} was not sent: {error:?}");
    }
}
