//! `messaging`.

#![allow(clippy::result_large_err, reason = "the signatures are those of the generated bindings")]

use transship::native::interfaces::messaging::{self as node, Host, HostResponder, Responder as Inner};
pub use transship::native::interfaces::messaging::{Completion, ResponseError, SendErrorKind};

use super::blobs::Blob;
use super::capabilities::Capability;
use super::standard::Address;

super::handle! {
    /// The right to answer one request.
    Responder, Inner, host HostResponder::drop
}

/// See the interface.
#[derive(Debug)]
pub struct Request {
    /// See the interface.
    pub inherit: bool,
    /// Milliseconds.
    pub expects_response: Option<u64>,
    /// See the interface.
    pub body: Vec<u8>,
    /// See the interface.
    pub metadata: Option<String>,
    /// See the interface.
    pub blob: Option<Blob>,
    /// See the interface.
    pub capabilities: Vec<Capability>,
}

/// See the interface.
#[derive(Debug)]
pub struct Response {
    /// See the interface.
    pub inherit: bool,
    /// See the interface.
    pub body: Vec<u8>,
    /// See the interface.
    pub metadata: Option<String>,
    /// See the interface.
    pub blob: Option<Blob>,
    /// See the interface.
    pub capabilities: Vec<Capability>,
}

/// See the interface.
#[derive(Debug)]
pub struct SendError {
    /// See the interface.
    pub kind: SendErrorKind,
    /// See the interface.
    pub target: Address,
    /// See the interface.
    pub request: Request,
    /// See the interface.
    pub context: Option<Vec<u8>>,
}

/// See the interface.
#[derive(Debug)]
pub struct ReceivedRequest {
    /// Who asks.
    pub source: Address,
    /// What.
    pub request: Request,
}

/// See the interface.
#[derive(Debug)]
pub struct ReceivedResponse {
    /// Who answers.
    pub source: Address,
    /// What.
    pub response: Response,
    /// See the interface.
    pub context: Option<Vec<u8>>,
}

/// What a process receives.
#[derive(Debug)]
pub enum Message {
    /// See the interface.
    Request(ReceivedRequest),
    /// See the interface.
    Response(ReceivedResponse),
    /// See the interface.
    SendError(SendError),
    /// See the interface.
    Timer(u64),
    /// See the interface.
    Completion(Completion),
}

impl From<node::Request> for Request {
    fn from(request: node::Request) -> Self {
        let node::Request { inherit, expects_response, body, metadata, blob, capabilities } = request;
        let capabilities = capabilities.into_iter().map(Capability::taken).collect();
        Self { inherit, expects_response, body, metadata, blob: blob.map(Blob::taken), capabilities }
    }
}

impl From<Request> for node::Request {
    fn from(request: Request) -> Self {
        let Request { inherit, expects_response, body, metadata, blob, capabilities } = request;
        let capabilities = capabilities.into_iter().map(Capability::given).collect();
        Self { inherit, expects_response, body, metadata, blob: blob.map(Blob::given), capabilities }
    }
}

impl From<node::Response> for Response {
    fn from(response: node::Response) -> Self {
        let node::Response { inherit, body, metadata, blob, capabilities } = response;
        let capabilities = capabilities.into_iter().map(Capability::taken).collect();
        Self { inherit, body, metadata, blob: blob.map(Blob::taken), capabilities }
    }
}

impl From<Response> for node::Response {
    fn from(response: Response) -> Self {
        let Response { inherit, body, metadata, blob, capabilities } = response;
        let capabilities = capabilities.into_iter().map(Capability::given).collect();
        Self { inherit, body, metadata, blob: blob.map(Blob::given), capabilities }
    }
}

impl From<node::SendError> for SendError {
    fn from(error: node::SendError) -> Self {
        let node::SendError { kind, target, request, context } = error;
        Self { kind, target: target.into(), request: request.into(), context }
    }
}

impl From<node::ReceivedResponse> for ReceivedResponse {
    fn from(received: node::ReceivedResponse) -> Self {
        Self { source: received.source.into(), response: received.response.into(), context: received.context }
    }
}

/// Waits for the next message.
#[must_use]
pub fn receive() -> Message {
    match host_await!(Host::receive) {
        node::Message::Request(node::ReceivedRequest { source, request }) => {
            Message::Request(ReceivedRequest { source: source.into(), request: request.into() })
        }
        node::Message::Response(received) => Message::Response(received.into()),
        node::Message::SendError(error) => Message::SendError(error.into()),
        node::Message::Timer(number) => Message::Timer(number),
        node::Message::Completion(completion) => Message::Completion(completion),
    }
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn send_request(target: &Address, request: Request, context: Option<&[u8]>) -> Result<(), SendError> {
    host_await!(Host::send_request, target.clone().into(), request.into(), context.map(Into::into)).map_err(Into::into)
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn send_and_await_response(target: &Address, request: Request) -> Result<ReceivedResponse, SendError> {
    host_await!(Host::send_and_await_response, target.clone().into(), request.into()).map(Into::into).map_err(Into::into)
}

/// See the interface.
///
/// # Errors
/// See the interface.
pub fn send_response(response: Response) -> Result<(), ResponseError> {
    host_await!(Host::send_response, response.into())
}

/// See the interface.
#[must_use]
pub fn respond_later() -> Option<Responder> {
    host!(Host::respond_later).map(Responder::taken)
}

/// See the interface.
pub fn set_lanes(target: &Address, count: u8) {
    host!(Host::set_lanes, target.clone().into(), count);
}

impl Responder {
    /// See the interface.
    ///
    /// # Errors
    /// See the interface.
    pub fn respond(&self, response: Response) -> Result<(), ResponseError> {
        host_await!(HostResponder::respond, self.lent(), response.into())
    }
}
