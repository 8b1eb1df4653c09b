//! A worker's conversation: with its parent, with its counterpart on the other side, and with nobody else.
//!
//! [`Session::next`] waits for what matters to the transfer and deals with everything else by itself: it answers pings, acknowledges what the counterpart tells, reports progress, turns away
//! strangers, watches over silence. It ends the transfer (with an error) when the parent cancels, the parent is gone, or the counterpart is gone.
//!
//! The counterpart is known from the start on the side that was asked. On the side that asked it is known when the other node's process has answered; what arrives from that node before is kept
//! until then, since the two answers may overtake each other.
//!
//! [`incoming`] says what a message means, [`end`] how a worker ends.

mod end;
mod incoming;

use std::collections::VecDeque;

use file_transfer_types::errors::from_send;
use file_transfer_types::options::Settings;
use file_transfer_types::protocol::{ChunkRequest, InternalRequest, InternalResponse};
use file_transfer_types::types::{TransferError, TransferState};
use file_transfer_types::worker;
use transship_guest::address::{Address, ProcessId};
use transship_guest::bindings::transship::host::timer;
use transship_guest::debug;
use transship_guest::message::{Blob, Completion, Message, Responder, Response, SendErrorKind, receive};

use crate::claims::{COUNTERPART_PATIENCE, Claims};
use crate::clock::now;
use crate::liveness::{Liveness, Silence};
use crate::pace::{BEGINNING, Pace};
use crate::progress::Progress;
pub(crate) use crate::wire::Context;
use crate::wire::{Ask, acknowledgement, is_question, log_failure, send};

/// How often the session looks after itself, in milliseconds.
const TICK: u64 = 200;
/// How long the parent may take to acknowledge a report, in milliseconds.
const PARENT_PATIENCE: u64 = 10_000;
/// How often the counterpart hears how far it is, in milliseconds: often enough for a bar that moves.
const REPORT_INTERVAL: u64 = 250;
/// How long the counterpart may take to acknowledge the end.
const END_PATIENCE: u64 = 10_000;
/// How many messages are kept for a counterpart that is not known yet.
const STASH: usize = 16;

/// What matters to a transfer.
#[derive(Debug)]
pub(crate) enum Event {
    /// The other node's process has answered the request to start a worker.
    Started(Result<ProcessId, TransferError>),
    /// It could not be asked.
    NotStarted(SendErrorKind),
    /// The counterpart tells or asks. A chunk request is to be answered before the next event; all else has been acknowledged.
    Told(InternalRequest),
    /// The counterpart asks about a tree, and waits for the answer.
    Asked(InternalRequest, Responder),
    /// The answer to the question of this number.
    Answer(u32, InternalResponse, Option<Blob>),
    /// It did not come.
    NoAnswer(u32, SendErrorKind),
    /// A chunk came.
    Chunk(Ask, Result<ChunkRequest, TransferError>, Option<Blob>),
    /// A chunk did not.
    NoChunk(Ask, SendErrorKind),
    /// What was told to the counterpart has arrived.
    Noted(Context),
    /// It has not.
    NotNoted(Context, SendErrorKind),
    /// The transfer that was asked whether it runs: the slot it was thought to have, and the one it uses.
    Claimed(u32, Option<u32>),
    /// An operation that was begun is done.
    Completion(Completion),
    /// Some time has passed.
    Tick,
}

/// See the module.
pub(crate) struct Session {
    /// This worker.
    pub(crate) our: Address,
    /// How the transfer goes about.
    pub(crate) settings: Settings,
    /// The node on the other side.
    pub(crate) node: String,
    /// Chunks are waited for, so their time-outs tell whether the counterpart lives.
    pub(crate) busy: bool,
    /// What the parent is told.
    pub(crate) progress: Progress,
    /// The counterpart said how it ended: it needs not be told.
    pub(crate) told_by_counterpart: bool,
    /// How long the other node took for its first answer, in microseconds: no more than that is the line's delay. None: not known.
    pub(crate) delay: Option<u64>,
    /// The counterpart was told how it ended, and has not said that it knows.
    telling: bool,
    parent: Address,
    counterpart: Option<Address>,
    stash: Vec<(Address, InternalRequest, Option<Responder>)>,
    ready: VecDeque<Event>,
    pace: Pace<worker::ProgressRequest>,
    liveness: Liveness,
    claims: Claims,
    tick: u64,
    last_report: u64,
    started: u64,
}

impl Session {
    /// Of a worker whose counterpart is on `node`.
    pub(crate) fn new(our: Address, parent: Address, node: String, progress: Progress, settings: Settings) -> Self {
        let started = now();
        let liveness = Liveness::new(settings.timeout, started);
        let (stash, ready) = (Vec::new(), VecDeque::new());
        let tick = timer::set(TICK);
        Self {
            our,
            settings,
            node,
            busy: false,
            progress,
            told_by_counterpart: false,
            delay: None,
            telling: false,
            parent,
            counterpart: None,
            stash,
            ready,
            pace: Pace::new(started),
            liveness,
            claims: Claims::default(),
            tick,
            last_report: 0,
            started,
        }
    }

    /// Milliseconds since the worker began.
    pub(crate) fn elapsed(&self) -> u64 {
        now().saturating_sub(self.started)
    }

    /// The counterpart is this process. What came from it earlier is dealt with now.
    pub(crate) fn set_counterpart(&mut self, counterpart: Address) {
        self.liveness.heard(now());
        for (source, request, responder) in std::mem::take(&mut self.stash) {
            if source == counterpart {
                if is_question(&request) {
                    self.ready.extend(responder.map(|responder| Event::Asked(request, responder)));
                    continue;
                }
                if let (Some(answer), Some(responder)) = (acknowledgement(&request), responder) {
                    log_failure("an acknowledgement", Response::json(&answer).map(|answer| answer.send_to(&responder)));
                }
                self.told(request);
            }
        }
        self.counterpart = Some(counterpart);
    }

    /// The counterpart, once known.
    pub(crate) fn counterpart(&self) -> Option<&Address> {
        self.counterpart.as_ref()
    }

    /// Asks the other node's process to start a worker for us; [`Event::Started`] or [`Event::NotStarted`] follows.
    pub(crate) fn ask_to_start(&mut self, target: &Address, request: &worker::Request) {
        if let Err(kind) = send(target, request, Some((Context::Start, self.settings.timeout))) {
            self.ready.push_back(Event::NotStarted(kind));
        }
    }

    /// Asks for a chunk; [`Event::Chunk`] or [`Event::NoChunk`] follows.
    pub(crate) fn ask_for_chunk(&mut self, name: &str, ask: Ask) {
        let request = InternalRequest::Chunk(ChunkRequest { name: name.into(), offset: ask.offset, length: ask.length });
        if let Err(kind) = self.send(&request, Some((Context::Chunk(ask), self.settings.timeout))) {
            self.ready.push_back(Event::NoChunk(ask, kind));
        }
    }

    /// Asks the counterpart about a tree; [`Event::Answer`] or [`Event::NoAnswer`] with this number follows.
    pub(crate) fn ask(&mut self, number: u32, request: &InternalRequest) {
        if let Err(kind) = self.send(request, Some((Context::Question(number), self.settings.timeout))) {
            self.ready.push_back(Event::NoAnswer(number, kind));
        }
    }

    /// Tells the counterpart; [`Event::Noted`] or [`Event::NotNoted`] with this context follows.
    pub(crate) fn tell(&mut self, request: &InternalRequest, context: Context) {
        if let Err(kind) = self.send(request, Some((context, self.settings.timeout))) {
            self.ready.push_back(Event::NotNoted(context, kind));
        }
    }

    /// Tells the counterpart how far it is, now and then.
    pub(crate) fn report(&mut self) {
        if now().saturating_sub(self.last_report) >= REPORT_INTERVAL {
            self.report_now();
        }
    }

    /// Tells the counterpart where it stands, which its parent should hear; in the beginning only what it must.
    pub(crate) fn report_now(&mut self) {
        if self.elapsed() < BEGINNING && !matches!(self.progress.state, TransferState::Restarted(_)) {
            return;
        }
        self.last_report = now();
        if self.counterpart.is_some() {
            let report = self.progress.for_counterpart();
            // A report that is lost is made up for by the next.
            let _ = self.send(&InternalRequest::Report(report), None);
        }
    }

    /// The counterpart, which sends, is to use so many connections.
    pub(crate) fn want_streams(&mut self, count: u8) {
        debug!("{count} connections from now on");
        // If it is lost, there are as many as before.
        let _ = self.send(&InternalRequest::Streams(count), None);
    }

    /// The link was dropped: whether to try again (when [`may_send`](Self::may_send) says so) or else the error to end with.
    ///
    /// # Errors
    /// If it has been tried.
    pub(crate) fn try_again_after(&mut self, kind: &SendErrorKind, what: &str) -> Result<(), TransferError> {
        match kind {
            SendErrorKind::Timeout => Ok(()),
            SendErrorKind::Offline(_) if self.liveness.dropped(now()) => Ok(()),
            _ => Err(from_send(kind, &self.node, what)),
        }
    }

    /// Whether the pause after a dropped link is over (or there was none).
    pub(crate) fn may_send(&self) -> bool {
        self.liveness.may_send(now())
    }

    /// The progress has changed.
    pub(crate) fn further(&mut self) {
        self.pace.further(self.progress.report());
        self.flush();
    }

    /// The state has changed, which the parent hears: of one that it was to come to, unless all is over at once.
    pub(crate) fn enter(&mut self, state: TransferState) {
        let usual = matches!(state, TransferState::Transferring | TransferState::Verifying);
        self.progress.state = state;
        let report = self.progress.report();
        if usual {
            self.pace.state(report)
        } else {
            self.pace.tell(report, now())
        }
        self.flush();
    }

    /// Makes [`Event::Tick`] come after so many microseconds. Timers that are due come before messages: with 0, these have no turn in between.
    pub(crate) fn tick_after(&mut self, pause: u64) {
        timer::set(pause.div_ceil(1_000));
    }

    /// The slot of a receiver is decided: rivals may hear of it.
    pub(crate) fn decided(&mut self, slot: u32) {
        if self.claims.decided(slot, self.counterpart.is_some()) {
            self.ask_for_claims();
        }
    }

    /// Events that were not for whoever waited: they come again.
    pub(crate) fn put_back(&mut self, events: Vec<Event>) {
        for event in events.into_iter().rev() {
            self.ready.push_front(event);
        }
    }

    fn ask_for_claims(&mut self) {
        if self.send(&InternalRequest::Ping, Some((Context::PingForClaim, COUNTERPART_PATIENCE))).is_err() {
            self.claims.answer();
        }
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// What ends the transfer: cancelled, interrupted, or the counterpart is gone.
    pub(crate) fn next(&mut self) -> Result<Event, TransferError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            match receive() {
                Message::Request(received) => self.request(received)?,
                Message::Response(received) => self.response(received),
                Message::SendError(error) => {
                    let context = error.context.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
                    self.failed(context, error.kind)?;
                }
                Message::Completion(completion) => return Ok(Event::Completion(completion)),
                Message::Timer(number) => {
                    if number == self.tick {
                        self.tick = timer::set(TICK);
                        self.look_after()?;
                    }
                    return Ok(Event::Tick);
                }
            }
        }
    }

    fn look_after(&mut self) -> Result<(), TransferError> {
        self.flush();
        let Some(_) = &self.counterpart else { return Ok(()) };
        match self.liveness.check(now(), self.busy) {
            Silence::Fine => {}
            Silence::Ping => {
                let patience = self.settings.timeout.min(END_PATIENCE);
                if let Err(kind) = self.send(&InternalRequest::Ping, Some((Context::Ping, patience))) {
                    self.failed(Some(Context::Ping), kind)?;
                }
            }
            Silence::Dead(silence) => {
                return Err(TransferError::TimedOut(format!("{} has said nothing for {} s", self.node, silence / 1_000)));
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        if let Some(report) = self.pace.next(now())
            && send(&self.parent, &worker::Request::Progress(report), Some((Context::Progress, PARENT_PATIENCE))).is_err()
        {
            self.pace.taken();
        }
    }

    fn send(&self, request: &InternalRequest, expects: Option<(Context, u64)>) -> Result<(), SendErrorKind> {
        match &self.counterpart {
            Some(counterpart) => send(counterpart, request, expects),
            None => Err(SendErrorKind::NoSuchProcess),
        }
    }
}
