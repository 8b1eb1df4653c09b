//! Requests, responses, and the mailbox.
//!
//! ```no_run
//! use serde_json::json;
//! use transship_guest::prelude::*;
//!
//! let manager: Address = "bob@manager:file-transfer:transship".parse()?;
//! let answer = Request::to(&manager).json(&"list-files")?.timeout(30_000).send_and_await()?;
//! let files: serde_json::Value = answer.json()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! [`ask`](crate::ask) does the same with less. Whoever is asked answers the request it received last with [`respond_json`] or a [`Response`], or takes a [`Responder`] with [`respond_later`].

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use crate::address::Address;
use crate::bindings::transship::host::messaging;

pub use crate::bindings::transship::host::capabilities::{Capability, CapabilityError, CapabilityKind, DriveGrant};
pub use crate::bindings::transship::host::messaging::{
    Completion, Message, ReceivedRequest, ReceivedResponse, Responder, ResponseError, SendErrorKind, receive, respond_later, set_lanes,
};
pub use crate::blob::{Blob, BlobError};

/// A request that could not be sent or was not answered, given back whole.
pub use messaging::SendError as FailedRequest;

/// A [`FailedRequest`] as the error of a call.
pub type SendError = Box<FailedRequest>;

/// A request to be sent. It expects no response unless it has a [`timeout`](Self::timeout).
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    target: Address,
    inner: messaging::Request,
    context: Option<Vec<u8>>,
}

impl Request {
    /// To a process. The body is empty.
    pub fn to(target: &Address) -> Self {
        let inner = messaging::Request { inherit: false, expects_response: None, body: Vec::new(), metadata: None, blob: None, capabilities: Vec::new() };
        Self { target: target.clone(), inner, context: None }
    }

    /// With a value as JSON for a body.
    ///
    /// # Errors
    /// If the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, serde_json::Error> {
        Ok(self.body(serde_json::to_vec(body)?))
    }

    /// With this body.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.inner.body = body;
        self
    }

    /// With a note beside the content.
    pub fn metadata(mut self, note: impl Into<String>) -> Self {
        self.inner.metadata = Some(note.into());
        self
    }

    /// With bytes in bulk.
    pub fn blob(mut self, blob: Blob) -> Self {
        self.inner.blob = Some(blob);
        self
    }

    /// Lends a capability to the receiver, on this node.
    pub fn lend(mut self, capability: Capability) -> Self {
        self.inner.capabilities.push(capability);
        self
    }

    /// Expects a response within so many milliseconds.
    pub fn timeout(mut self, milliseconds: u64) -> Self {
        self.inner.expects_response = Some(milliseconds);
        self
    }

    /// To be given back with the response or the error.
    pub fn context(mut self, context: Vec<u8>) -> Self {
        self.context = Some(context);
        self
    }

    /// Hands on the request received last: with its blob, and with the response going to whoever sent it.
    pub fn inherit(mut self) -> Self {
        self.inner.inherit = true;
        self
    }

    /// Sends it. The response, if one is expected, comes through [`receive`].
    ///
    /// # Errors
    /// Those that are known at once.
    pub fn send(self) -> Result<(), SendError> {
        messaging::send_request(&self.target, self.inner, self.context.as_deref()).map_err(Box::new)
    }

    /// Sends it and waits for the response, leaving other messages in the mailbox. Without a [`timeout`](Self::timeout) it waits 30 s.
    ///
    /// # Errors
    /// See [`SendErrorKind`].
    pub fn send_and_await(mut self) -> Result<ReceivedResponse, SendError> {
        self.inner.expects_response.get_or_insert(30_000);
        messaging::send_and_await_response(&self.target, self.inner).map_err(Box::new)
    }
}

/// An answer.
#[derive(Debug)]
#[must_use = "a response does nothing until it is sent"]
pub struct Response(messaging::Response);

impl Response {
    /// An empty one.
    pub fn new() -> Self {
        Self(messaging::Response { inherit: false, body: Vec::new(), metadata: None, blob: None, capabilities: Vec::new() })
    }

    /// With a value as JSON for a body.
    ///
    /// # Errors
    /// If the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(body: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::new().body(serde_json::to_vec(body)?))
    }

    /// With this body.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.0.body = body;
        self
    }

    /// With bytes in bulk.
    pub fn blob(mut self, blob: Blob) -> Self {
        self.0.blob = Some(blob);
        self
    }

    /// With a note beside the content.
    pub fn metadata(mut self, note: impl Into<String>) -> Self {
        self.0.metadata = Some(note.into());
        self
    }

    /// Lends a capability to the one who asked, on this node.
    pub fn lend(mut self, capability: Capability) -> Self {
        self.0.capabilities.push(capability);
        self
    }

    /// With the blob of the request.
    pub fn inherit(mut self) -> Self {
        self.0.inherit = true;
        self
    }

    /// Answers the request received last.
    ///
    /// # Errors
    /// See [`ResponseError`].
    pub fn send(self) -> Result<(), ResponseError> {
        messaging::send_response(self.0)
    }

    /// Answers a request received earlier.
    ///
    /// # Errors
    /// See [`ResponseError`].
    pub fn send_to(self, responder: &Responder) -> Result<(), ResponseError> {
        responder.respond(self.0)
    }
}

impl Default for Response {
    fn default() -> Self {
        Self::new()
    }
}

/// Why [`respond_json`] failed.
#[derive(Debug)]
pub enum RespondError {
    /// The value has no JSON form.
    Json(serde_json::Error),
    /// The node could not send it.
    Response(ResponseError),
}

impl fmt::Display for RespondError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the response has no JSON form: {error}"),
            Self::Response(error) => write!(f, "the response was not sent: {error}"),
        }
    }
}

impl std::error::Error for RespondError {}

/// Answers the request received last with a value as JSON.
///
/// # Errors
/// See [`RespondError`].
pub fn respond_json<T: Serialize + ?Sized>(body: &T) -> Result<(), RespondError> {
    Response::json(body).map_err(RespondError::Json)?.send().map_err(RespondError::Response)
}

impl ReceivedRequest {
    /// The body as a value.
    ///
    /// # Errors
    /// If it is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.request.body)
    }

    /// Whether somebody waits for a response.
    #[must_use]
    pub fn expects_response(&self) -> bool {
        self.request.expects_response.is_some()
    }
}

impl ReceivedResponse {
    /// The body as a value.
    ///
    /// # Errors
    /// If it is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.response.body)
    }
}
