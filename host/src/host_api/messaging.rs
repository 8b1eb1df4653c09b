//! `messaging`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wasmtime::component::Resource;

use super::bindings::transship::host::messaging::{
    AddressedRequest, Completion, Host, HostResponder, Message, ReceivedRequest, ReceivedResponse, Request, Response, ResponseError, SendError, SendErrorKind,
};
use super::bindings::transship::host::standard;
use super::{Current, Guest, Responder};
use crate::capability::Capability;
use crate::message::{self, Address, Content};
use crate::process::Process;
use crate::process::mailbox::Item;
use crate::process::pending::{Awaited, Due, Failure, Then};
use crate::router::{Outgoing, RespondError, Router, Unsent};

/// Waits for a response. None: the process was told to forget what it waits for, which happens only when it ends.
pub(crate) async fn await_response(router: &Router, process: &Process, mut response: oneshot::Receiver<Awaited>, deadline: Instant) -> Option<Awaited> {
    if let Ok(awaited) = tokio::time::timeout_at(deadline.into(), &mut response).await {
        return awaited.ok();
    }
    let handed_on = process.pending.lock().advance(Instant::now());
    for (reply, kind) in handed_on {
        router.fail(&reply, kind);
    }
    response.await.ok()
}

impl Guest {
    /// Takes a request apart. Handles in it become the node's.
    fn outgoing(&mut self, target: &standard::Address, request: Request, then: Then) -> wasmtime::Result<Result<Box<Outgoing>, SendError>> {
        let blob = request.blob.map(|blob| self.take_blob(blob)).transpose()?;
        let blob = if blob.is_none() && request.inherit { self.current.blob.clone() } else { blob };
        let capabilities = self.take_capabilities(request.capabilities)?;
        let content = Content { body: request.body.into(), metadata: request.metadata, blob, capabilities };
        let inherited = if request.inherit && request.expects_response.is_none() { self.current.reply.clone() } else { None };
        let parsed = Address::try_from(target);
        match parsed {
            Ok(target) => Ok(Ok(Box::new(Outgoing { target, content, expects: request.expects_response, then, inherited }))),
            Err(error) => {
                let context = if let Then::Receive { context } = then { context } else { None };
                let request = self.give_back(content, request.expects_response)?;
                let kind = if message::check_name_part(&target.node).is_err() { SendErrorKind::UnknownNode } else { SendErrorKind::NoSuchProcess };
                tracing::debug!("{} sent to an address that is none: {error}", self.process.id);
                Ok(Err(SendError { kind, target: target.clone(), request, context }))
            }
        }
    }

    fn take_capabilities(&mut self, handles: Vec<Resource<Capability>>) -> wasmtime::Result<Vec<Capability>> {
        handles.into_iter().map(|handle| Ok(self.table.delete(handle)?)).collect()
    }

    fn give_back(&mut self, content: Content, expects_response: Option<u64>) -> wasmtime::Result<Request> {
        let blob = content.blob.map(|blob| self.push_blob(blob)).transpose()?;
        Ok(Request { inherit: false, expects_response, body: content.body.into(), metadata: content.metadata, blob, capabilities: Vec::new() })
    }

    fn send_error(&mut self, failure: Failure) -> wasmtime::Result<SendError> {
        let request = self.give_back(failure.content, Some(failure.expects))?;
        Ok(SendError { kind: failure.kind.into(), target: (&failure.target).into(), request, context: failure.context })
    }

    #[cold]
    #[inline(never)]
    fn unsent(&mut self, (kind, outgoing): Unsent) -> wasmtime::Result<SendError> {
        let outgoing = *outgoing;
        let context = if let Then::Receive { context } = outgoing.then { context } else { None };
        let request = self.give_back(outgoing.content, outgoing.expects)?;
        Ok(SendError { kind: kind.into(), target: (&outgoing.target).into(), request, context })
    }

    async fn send(&mut self, outgoing: Box<Outgoing>) -> Result<(), Unsent> {
        if let Some(revoked) = outgoing.content.capabilities.iter().find(|capability| !capability.valid()) {
            let why = format!("a capability to be sent has been revoked: {:?}", revoked.kind());
            return Err((message::SendErrorKind::Denied(why), outgoing));
        }
        let hands_on = outgoing.inherited.is_some();
        let router = self.node.router.clone();
        let sent = router.send_request(&self.process, outgoing).await;
        if hands_on && sent.is_ok() {
            self.current.reply = None;
        }
        sent
    }

    fn content(&mut self, response: Response) -> wasmtime::Result<Content> {
        let blob = response.blob.map(|blob| self.take_blob(blob)).transpose()?;
        let blob = if blob.is_none() && response.inherit { self.current.blob.clone() } else { blob };
        let capabilities = self.take_capabilities(response.capabilities)?;
        Ok(Content { body: response.body.into(), metadata: response.metadata, blob, capabilities })
    }

    fn received_response(&mut self, source: &Address, content: Content, context: Option<Vec<u8>>) -> wasmtime::Result<ReceivedResponse> {
        let (body, metadata) = (content.body.into(), content.metadata);
        let blob = content.blob.map(|blob| self.push_blob(blob)).transpose()?;
        let capabilities = content.capabilities.into_iter().map(|capability| Ok(self.table.push(capability)?)).collect::<wasmtime::Result<_>>()?;
        Ok(ReceivedResponse { source: source.into(), response: Response { inherit: false, body, metadata, blob, capabilities }, context })
    }

    fn message(&mut self, item: Item) -> wasmtime::Result<Message> {
        self.process.messages_in.fetch_add(1, Ordering::Relaxed);
        self.leave_current();
        match item {
            Item::Request { source, content, reply } => {
                self.current = Current { reply: reply.clone(), blob: content.blob.clone() };
                let blob = content.blob.map(|blob| self.push_blob(blob)).transpose()?;
                let capabilities = content.capabilities.into_iter().map(|capability| Ok(self.table.push(capability)?)).collect::<wasmtime::Result<_>>()?;
                // Who waits, and how long, is the node's business; that somebody does is all that matters here.
                let expects_response = reply.map(|_| 0);
                let request = Request { inherit: false, expects_response, body: content.body.into(), metadata: content.metadata, blob, capabilities };
                Ok(Message::Request(ReceivedRequest { source: (&source).into(), request }))
            }
            Item::Response { source, content, context } => {
                self.current = Current { reply: None, blob: content.blob.clone() };
                Ok(Message::Response(self.received_response(&source, content, context)?))
            }
        }
    }

    /// The request at hand can't be answered any more once the next message is taken.
    fn leave_current(&mut self) {
        if let Some(reply) = std::mem::take(&mut self.current).reply {
            self.process.owed.lock().remove(&reply);
        }
    }

    async fn respond(&mut self, reply: &crate::process::pending::ReplyTo, content: Content) -> Result<(), ResponseError> {
        let router = self.node.router.clone();
        router.send_response(&self.process, reply, content).await.map_err(|error| match error {
            RespondError::Offline => ResponseError::Offline,
            RespondError::TooLarge(why) => ResponseError::TooLarge(why),
            RespondError::Denied(why) => ResponseError::Denied(why),
        })
    }
}

impl Host for Guest {
    async fn receive(&mut self) -> wasmtime::Result<Message> {
        self.busy_epochs = 0;
        loop {
            let (due, deadline, handed_on) = {
                let mut pending = self.process.pending.lock();
                let handed_on = pending.advance(Instant::now());
                (pending.take_due(), pending.next_deadline(), handed_on)
            };
            for (reply, kind) in handed_on {
                self.node.router.fail(&reply, kind);
            }
            match due {
                Some(Due::Failed(failure)) => {
                    self.leave_current();
                    return Ok(Message::SendError(self.send_error(*failure)?));
                }
                Some(Due::Timer(timer)) => {
                    self.leave_current();
                    return Ok(Message::Timer(timer));
                }
                Some(Due::Completion { operation, outcome }) => {
                    self.leave_current();
                    return Ok(Message::Completion(Completion { operation, outcome }));
                }
                None => {}
            }
            if let Some(item) = self.process.mailbox.take() {
                return self.message(item);
            }
            let process = self.process.clone();
            match deadline {
                Some(deadline) => drop(tokio::time::timeout_at(deadline.into(), process.mailbox.wait()).await),
                None => process.mailbox.wait().await,
            }
        }
    }

    async fn send_request(&mut self, target: standard::Address, request: Request, context: Option<Vec<u8>>) -> wasmtime::Result<Result<(), SendError>> {
        self.busy_epochs = 0;
        let outgoing = match self.outgoing(&target, request, Then::Receive { context })? {
            Ok(outgoing) => outgoing,
            Err(error) => return Ok(Err(error)),
        };
        match self.send(outgoing).await {
            Ok(()) => Ok(Ok(())),
            Err(unsent) => Ok(Err(self.unsent(unsent)?)),
        }
    }

    async fn send_requests(&mut self, requests: Vec<AddressedRequest>) -> wasmtime::Result<Vec<Result<(), SendError>>> {
        let mut results = Vec::with_capacity(requests.len());
        for AddressedRequest { target, request, context } in requests {
            results.push(self.send_request(target, request, context).await?);
        }
        Ok(results)
    }

    async fn send_and_await_response(&mut self, target: standard::Address, request: Request) -> wasmtime::Result<Result<ReceivedResponse, SendError>> {
        self.busy_epochs = 0;
        let Some(expects) = request.expects_response else {
            let kind = SendErrorKind::TooLarge("expects-response must be given to await a response".into());
            return Ok(Err(SendError { kind, target, request, context: None }));
        };
        let (sender, receiver) = oneshot::channel();
        let outgoing = match self.outgoing(&target, request, Then::Await(sender))? {
            Ok(outgoing) => outgoing,
            Err(error) => return Ok(Err(error)),
        };
        let deadline = Instant::now() + Duration::from_millis(expects.min(86_400_000));
        if let Err(unsent) = self.send(outgoing).await {
            return Ok(Err(self.unsent(unsent)?));
        }
        match await_response(&self.node.router, &self.process, receiver, deadline).await {
            Some(Ok((source, content))) => Ok(Ok(self.received_response(&source, content, None)?)),
            Some(Err(failure)) => Ok(Err(self.send_error(failure)?)),
            None => Err(wasmtime::Error::msg("the process is being ended")),
        }
    }

    async fn send_response(&mut self, response: Response) -> wasmtime::Result<Result<(), ResponseError>> {
        self.busy_epochs = 0;
        let content = self.content(response)?;
        let Some(reply) = self.current.reply.take() else { return Ok(Err(ResponseError::NotExpected)) };
        Ok(self.respond(&reply, content).await)
    }

    fn respond_later(&mut self) -> wasmtime::Result<Option<Resource<Responder>>> {
        let Some(reply) = self.current.reply.take() else { return Ok(None) };
        Ok(Some(self.table.push(Responder(reply))?))
    }

    fn set_lanes(&mut self, target: standard::Address, count: u8) -> wasmtime::Result<()> {
        if let Ok(target) = Address::try_from(&target) {
            self.process.lanes.lock().insert(target, count.max(1));
        }
        Ok(())
    }
}

impl HostResponder for Guest {
    async fn respond(&mut self, this: Resource<Responder>, response: Response) -> wasmtime::Result<Result<(), ResponseError>> {
        self.busy_epochs = 0;
        let content = self.content(response)?;
        let reply = self.table.get(&this)?.0.clone();
        // It answers once.
        if !self.process.owed.lock().contains(&reply) {
            return Ok(Err(ResponseError::NotExpected));
        }
        Ok(Guest::respond(self, &reply, content).await)
    }

    fn drop(&mut self, this: Resource<Responder>) -> wasmtime::Result<()> {
        let Responder(reply) = self.table.delete(this)?;
        self.process.owed.lock().remove(&reply);
        Ok(())
    }
}
