//! Answering requests, with values instead of bytes: the loop that most processes are.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use transship_guest::prelude::*;
//!
//! transship_guest::process!(init);
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! enum Question {
//!     Add(i64, i64),
//!     Divide(i64, i64),
//! }
//!
//! fn init(_our: Address) -> Result<(), String> {
//!     serve_with(|question, _asked| match question {
//!         Question::Add(a, b) => Ok(a + b),
//!         Question::Divide(_, 0) => Err("nothing can be divided by 0"),
//!         Question::Divide(a, b) => Ok(a / b),
//!     })
//! }
//! ```
//! `{"add": [2, 2]}` is answered with `4`, `{"divide": [2, 0]}` with `{"error": "nothing can be divided by 0"}`, and what is no `Question` with an `error` that says what was expected.
//! Whoever asks with [`mod@ask`] gets an error of its own from that.
//!
//! A process that waits for other things too (responses, timers, digests) or that remembers something is a [`Service`]:
//!
//! ```
//! use std::time::Duration;
//! use transship_guest::prelude::*;
//! use transship_guest::timer;
//!
//! transship_guest::process!(init);
//!
//! /// Counts requests, and starts again every minute.
//! struct Counter(u64);
//!
//! impl Service for Counter {
//!     type Request = serde_json::Value;
//!     type Answer = u64;
//!     type Error = String;
//!
//!     fn request(&mut self, _question: serde_json::Value, asked: &mut Asked) -> Result<u64, String> {
//!         debug!("{} asks", asked.source());
//!         self.0 += 1;
//!         Ok(self.0)
//!     }
//!
//!     fn timer(&mut self, _number: u64) {
//!         self.0 = 0;
//!         let _ = timer::after(Duration::from_secs(60));
//!     }
//! }
//!
//! fn init(_our: Address) -> Result<(), String> {
//!     let _ = timer::after(Duration::from_secs(60));
//!     serve(Counter(0))
//! }
//! ```
//! In native tests, [`answer`] gives the answer to a body without a node.

use std::fmt::Display;
use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::address::Address;
use crate::message::{Blob, Capability, Completion, FailedRequest, Message, ReceivedRequest, ReceivedResponse, Responder, Response, receive, respond_later};
use crate::{ask, debug, warn};

/// So much of a body that could not be read is shown to whoever sent it.
const SHOWN: usize = 200;

/// A process as the answers that it gives. Only [`request`](Self::request) must be written.
pub trait Service {
    /// What it can be asked.
    type Request: DeserializeOwned;
    /// What it answers.
    type Answer: Serialize;
    /// Why it fails a request. The process goes on.
    type Error: Display;

    /// Handles a request. The answer goes to whoever asked, if that one waits for one.
    ///
    /// # Errors
    /// Whatever the process can't or won't do: it is answered with `{"error": "TEXT"}`.
    fn request(&mut self, request: Self::Request, asked: &mut Asked) -> Result<Self::Answer, Self::Error>;

    /// Sees each request before it is read. None: it has been dealt with.
    fn look(&mut self, received: ReceivedRequest) -> Option<ReceivedRequest> {
        Some(received)
    }

    /// The response to a request that was sent without waiting.
    fn response(&mut self, received: ReceivedResponse) {
        debug!("a response of {} that nobody waits for", received.source);
    }

    /// A request that was sent without waiting and failed.
    fn send_error(&mut self, failed: FailedRequest) {
        warn!("a request to {} failed: {}", failed.target, ask::describe(&failed.kind));
    }

    /// A timer has run out.
    fn timer(&mut self, _number: u64) {}

    /// Something is done that was begun with a call that does not wait.
    fn completion(&mut self, _completion: Completion) {}
}

/// A request beside its body: who sent it and what came with it.
#[derive(Debug)]
pub struct Asked {
    received: ReceivedRequest,
    blob: Option<Blob>,
    later: bool,
}

impl Asked {
    /// Of a request.
    #[must_use]
    pub fn new(received: ReceivedRequest) -> Self {
        Self { received, blob: None, later: false }
    }

    /// Who sent it: the node vouches for that.
    #[must_use]
    pub fn source(&self) -> &Address {
        &self.received.source
    }

    /// The note beside the content.
    #[must_use]
    pub fn metadata(&self) -> Option<&str> {
        self.received.request.metadata.as_deref()
    }

    /// Whether somebody waits for an answer.
    #[must_use]
    pub fn expects_response(&self) -> bool {
        self.received.expects_response()
    }

    /// Takes the blob that came with it.
    pub fn take_blob(&mut self) -> Option<Blob> {
        self.received.request.blob.take()
    }

    /// Takes the capabilities that came with it.
    pub fn take_capabilities(&mut self) -> Vec<Capability> {
        std::mem::take(&mut self.received.request.capabilities)
    }

    /// Sends a blob along with the answer.
    pub fn attach(&mut self, blob: Blob) {
        self.blob = Some(blob);
    }

    /// Takes the right to answer, to do so when something else has happened ([`Response::send_to`]). What the handler returns is then not sent. None: nobody waits for an answer.
    pub fn later(&mut self) -> Option<Responder> {
        self.later = true;
        respond_later()
    }
}

/// Runs a service, for as long as the process lives. [`process::exit`](crate::process::exit) ends it from within.
pub fn serve<S: Service>(mut service: S) -> ! {
    loop {
        handle(&mut service, receive());
    }
}

/// Runs a function for each request, for as long as the process lives.
pub fn serve_with<Q, A, E>(handler: impl FnMut(Q, &mut Asked) -> Result<A, E>) -> !
where
    Q: DeserializeOwned,
    A: Serialize,
    E: Display,
{
    serve(Handler { handler, question: PhantomData })
}

/// Deals with one message, for those who write the loop themselves.
pub fn handle<S: Service>(service: &mut S, message: Message) {
    match message {
        Message::Request(received) => {
            let Some(received) = service.look(received) else { return };
            let mut asked = Asked::new(received);
            let body = answer(service, &mut asked);
            if asked.later || !asked.expects_response() {
                return;
            }
            let response = Response::new().body(body);
            let response = match asked.blob.take() {
                Some(blob) => response.blob(blob),
                None => response,
            };
            if let Err(error) = response.send() {
                warn!("{} was not answered: {error}", asked.source());
            }
        }
        Message::Response(received) => service.response(received),
        Message::SendError(error) => service.send_error(error),
        Message::Timer(number) => service.timer(number),
        Message::Completion(completion) => service.completion(completion),
    }
}

/// The body of the answer to a request.
pub fn answer<S: Service>(service: &mut S, asked: &mut Asked) -> Vec<u8> {
    let body = &asked.received.request.body;
    let outcome = match serde_json::from_slice(body) {
        Ok(request) => service.request(request, asked).map_err(|error| error.to_string()),
        Err(error) => Err(unreadable(body, &error)),
    };
    let written = outcome.and_then(|answer| serde_json::to_vec(&answer).map_err(|error| format!("the answer has no JSON form: {error}")));
    written.unwrap_or_else(|error| json!({ "error": error }).to_string().into_bytes())
}

fn unreadable(body: &[u8], error: &serde_json::Error) -> String {
    if body.is_empty() {
        return "the request has no body: it must be JSON".into();
    }
    let text = String::from_utf8_lossy(body);
    let shown: String = text.chars().take(SHOWN).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("this request is not understood: {error}. It was: {shown}{dots}")
}

struct Handler<H, Q> {
    handler: H,
    question: PhantomData<fn(Q)>,
}

impl<H, Q, A, E> Service for Handler<H, Q>
where
    H: FnMut(Q, &mut Asked) -> Result<A, E>,
    Q: DeserializeOwned,
    A: Serialize,
    E: Display,
{
    type Request = Q;
    type Answer = A;
    type Error = E;

    fn request(&mut self, request: Q, asked: &mut Asked) -> Result<A, E> {
        (self.handler)(request, asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::transship::host::messaging;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Question {
        Add(i64, i64),
        Who,
        Fail,
    }

    fn told(body: &str) -> String {
        let handler = |question: Question, asked: &mut Asked| match question {
            Question::Add(a, b) => Ok((a + b).to_string()),
            Question::Who => Ok(asked.source().to_string()),
            Question::Fail => Err("not today"),
        };
        let source = "bob@main:sums:ann".parse().unwrap();
        let request = messaging::Request { inherit: false, expects_response: Some(1), body: body.into(), metadata: None, blob: None, capabilities: Vec::new() };
        let mut asked = Asked::new(ReceivedRequest { source, request });
        String::from_utf8(answer(&mut Handler { handler, question: PhantomData }, &mut asked)).unwrap()
    }

    #[test]
    fn a_request_is_read_handled_and_answered() {
        assert_eq!(told(r#"{"add": [2, 2]}"#), "\"4\"");
        assert_eq!(told("\"who\""), "\"bob@main:sums:ann\"");
    }

    #[test]
    fn a_failure_is_an_answer_too() {
        assert_eq!(told("\"fail\""), r#"{"error":"not today"}"#);
    }

    #[test]
    fn a_body_that_is_no_request_is_answered_with_what_was_expected() {
        let error = told(r#"{"subtract": [2, 2]}"#);
        for part in ["unknown variant `subtract`", "expected one of `add`, `who`, `fail`", r#"It was: {\"subtract\": [2, 2]}"#] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(told("").contains("it must be JSON"));
        let long = told(&"x".repeat(10_000));
        assert!(long.contains('…') && long.len() < 1_000, "{long}");
    }
}
