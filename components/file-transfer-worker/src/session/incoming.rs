//! What comes in: whom it is from decides whether it matters, and what was sent before decides what it means.
//!
//! From the counterpart comes all that becomes an [`Event`]; from the parent, that it is to stop; from other workers of this node, whether this transfer still runs. Everybody else is turned away, except that what may be from the
//! counterpart is kept while that one is not known. What fails here ends the transfer.

use file_transfer_types::manager;
use file_transfer_types::protocol::{InternalRequest, InternalResponse};
use file_transfer_types::types::TransferError;
use file_transfer_types::worker;
use transship_guest::message::{ReceivedRequest, ReceivedResponse, SendErrorKind, respond_json, respond_later};
use transship_guest::{debug, warn};

use super::{Event, STASH, Session};
use crate::clock::now;
use crate::wire::{Context, acknowledgement, is_question, log_failure, started};

impl Session {
    pub(super) fn request(&mut self, received: ReceivedRequest) -> Result<(), TransferError> {
        if Some(&received.source) == self.counterpart.as_ref() {
            self.liveness.heard(now());
            match received.json::<InternalRequest>() {
                Ok(request) if is_question(&request) => self.ready.extend(respond_later().map(|responder| Event::Asked(request, responder))),
                Ok(request) => {
                    if let Some(answer) = acknowledgement(&request).filter(|_| received.expects_response()) {
                        log_failure("an acknowledgement", respond_json(&answer));
                    }
                    self.told(request);
                }
                Err(error) => warn!("{} sent what is no request: {error}", received.source),
            }
            return Ok(());
        }
        if received.source.node == self.our.node && matches!(received.json(), Ok(InternalRequest::Claim)) {
            if self.claims.add(respond_later(), self.counterpart.is_some()) {
                self.ask_for_claims();
            }
            return Ok(());
        }
        if received.source == self.parent {
            if let Ok(worker::Request::Cancel(keep)) = received.json() {
                if received.expects_response() {
                    log_failure("the answer to a cancel", respond_json(&worker::Response::Cancel));
                }
                let who = format!("on {}", self.our.node);
                return Err(if keep { TransferError::Interrupted(who) } else { TransferError::Cancelled(who) });
            }
        } else if self.counterpart.is_none()
            && received.source.node == self.node
            && self.stash.len() < STASH
            && let Ok(request) = received.json()
        {
            self.stash.push((received.source, request, respond_later()));
            return Ok(());
        }
        debug!("{} is not of this transfer and was turned away", received.source);
        if received.expects_response() {
            let denied = TransferError::Denied(format!("{} listens to its counterpart only", self.our));
            log_failure("a refusal", respond_json(&manager::Response::Error(denied)));
        }
        Ok(())
    }

    pub(super) fn told(&mut self, request: InternalRequest) {
        if !matches!(request, InternalRequest::Ping) {
            self.ready.push_back(Event::Told(request));
        }
    }

    pub(super) fn response(&mut self, received: ReceivedResponse) {
        let context = received.context.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let of_counterpart = Some(&received.source) == self.counterpart.as_ref();
        if of_counterpart {
            self.liveness.heard(now());
        }
        match context {
            Some(Context::Progress) => self.pace.taken(),
            Some(Context::Ping) => self.liveness.ping_ended(),
            Some(Context::PingForClaim) => self.claims.answer(),
            Some(Context::Claim(of)) => {
                let slot = if let Ok(InternalResponse::Claim(slot)) = received.json() { slot } else { Some(of) };
                self.ready.push_back(Event::Claimed(of, slot));
            }
            Some(Context::Start) => self.ready.push_back(Event::Started(started(&received))),
            Some(Context::Chunk(ask)) => {
                let outcome = match received.json() {
                    Ok(InternalResponse::Chunk(outcome)) if of_counterpart => outcome,
                    _ => Err(TransferError::Failed(format!("{} answered a chunk request with something else", received.source))),
                };
                self.ready.push_back(Event::Chunk(ask, outcome, received.response.blob));
            }
            Some(Context::Question(number)) if of_counterpart => match received.json() {
                Ok(answer) => self.ready.push_back(Event::Answer(number, answer, received.response.blob)),
                // It is asked again, a few times.
                Err(error) => {
                    self.ready.push_back(Event::NoAnswer(number, SendErrorKind::Denied(format!("{} answered with something else: {error}", received.source))))
                }
            },
            Some(context @ (Context::Size | Context::Digest | Context::Finished | Context::Failed)) if of_counterpart => {
                self.ready.push_back(Event::Noted(context));
            }
            _ => warn!("{} answered what was not asked", received.source),
        }
    }

    pub(super) fn failed(&mut self, context: Option<Context>, kind: SendErrorKind) -> Result<(), TransferError> {
        match context {
            Some(Context::Progress) => {
                self.pace.taken();
                if matches!(kind, SendErrorKind::NoSuchProcess) {
                    return Err(TransferError::Interrupted("the process that asked for the transfer has ended".into()));
                }
            }
            Some(Context::Ping) => {
                self.liveness.ping_ended();
                self.try_again_after(&kind, "whether it is there")?;
            }
            Some(Context::PingForClaim) => {
                return Err(TransferError::Interrupted(format!("{} does not answer any more, and the same was asked for again", self.node)));
            }
            // One that takes too long is left alone.
            Some(Context::Claim(of)) => self.ready.push_back(Event::Claimed(of, matches!(kind, SendErrorKind::Timeout).then_some(of))),
            Some(Context::Start) => self.ready.push_back(Event::NotStarted(kind)),
            Some(Context::Chunk(ask)) => self.ready.push_back(Event::NoChunk(ask, kind)),
            Some(Context::Question(number)) => self.ready.push_back(Event::NoAnswer(number, kind)),
            Some(context @ (Context::Size | Context::Digest | Context::Finished | Context::Failed)) => self.ready.push_back(Event::NotNoted(context, kind)),
            None => warn!("a request of unknown context failed: {kind:?}"),
        }
        Ok(())
    }
}
