//! One link: its state, and what happens with each frame. No sockets: `driver` moves frames between this and a byte stream.
//!
//! A session lives from the greeting until [`Session::close`]; closing is a note of why, and the driver does the rest. Frames leave through three queues, each bounded: `data` (messages, by their
//! bytes), `control` (frames that follow from what tasks did: they wait for room) and `urgent` (answers of the link's reader, which never waits: if there is no room the other side is not reading, and the link is closed).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conversation::Conversations;
use super::inbox::Inboxes;
use super::lane::{Job, Jobs};
use super::lanes::{Lanes, NoLane};
use super::limit::Ways;
use super::peer::Shared;
use super::protocol::{Code, Frame, Goodbye, MAX_FRAME, MAX_INLINE_BLOB, MAX_LANES, Token, Violation, cost};
use super::resident::Resident;
use super::told::Told;
use super::windows::{Closed, Windows};
use super::{Deliver, Head, HeadKind, Refusal};
use crate::blob::{Blob, BlobError};
use crate::identity::PublicKey;
use crate::message::ProcessId;

/// Bytes of messages that wait to be written, all targets together. More than the longest frame.
const QUEUED_BYTES: usize = 4 << 20;
/// What a message counts there beyond its bytes: its names and the queue itself.
const OVERHEAD: usize = 256;
/// Frames in the queue of tasks.
const CONTROL_QUEUE: usize = 1024;
/// Frames in the reader's queue.
const URGENT_QUEUE: usize = 1024;

/// Why and how a session ends.
#[derive(Debug)]
pub(super) struct Ending {
    /// For logs and errors.
    pub(super) why: String,
    /// What the other side is told. None: it is gone or knows.
    pub(super) goodbye: Option<Goodbye>,
}

/// Why a message could not be sent over this session.
#[derive(Debug)]
pub(super) enum SendFailure {
    Closed,
    NoLane(String),
    Blob(BlobError),
}

impl From<Closed> for SendFailure {
    fn from(_: Closed) -> Self {
        SendFailure::Closed
    }
}

/// The ends of a session's queues that the driver reads.
pub(super) struct Outgoing {
    pub(super) urgent: mpsc::Receiver<Frame>,
    pub(super) control: mpsc::Receiver<Frame>,
    /// Bounded by [`QUEUED_BYTES`].
    pub(super) data: mpsc::UnboundedReceiver<(Frame, OwnedSemaphorePermit)>,
}

/// Who is at the other end, and how the link came to be.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) name: Arc<str>,
    pub(super) key: PublicKey,
    pub(super) instance: u64,
    /// Whether this node opened the link, and so opens its lanes.
    pub(super) dialled: bool,
    pub(super) token: Token,
}

/// See the module.
pub(super) struct Session {
    pub(super) peer: Arc<str>,
    pub(super) remote: Remote,
    pub(super) shared: Arc<Shared>,
    pub(super) windows: Windows,
    pub(super) inboxes: Inboxes,
    pub(super) told: Told,
    pub(super) lanes: Lanes,
    conversations: Conversations,
    resident: Resident,
    pub(super) jobs: Arc<Jobs>,
    pub(super) ways: Ways,
    urgent: mpsc::Sender<Frame>,
    control: mpsc::Sender<Frame>,
    data: mpsc::UnboundedSender<(Frame, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    started: Instant,
    heard: AtomicU64,
    ending: OnceLock<Ending>,
    /// Set by [`Session::close`].
    pub(super) closed: CancellationToken,
    /// Something that was under way is not any more.
    pub(super) quieter: Arc<Notify>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, remote: Remote) -> (Arc<Self>, Outgoing) {
        let (urgent, urgent_out) = mpsc::channel(URGENT_QUEUE);
        let (control, control_out) = mpsc::channel(CONTROL_QUEUE);
        let (data, data_out) = mpsc::unbounded_channel();
        let session = Self {
            peer: remote.name.clone(),
            ways: shared.limits.of(&remote.name),
            remote,
            shared,
            windows: Windows::new(),
            inboxes: Inboxes::default(),
            told: Told::default(),
            lanes: Lanes::default(),
            conversations: Conversations::default(),
            resident: Resident::default(),
            jobs: Arc::default(),
            urgent,
            control,
            data,
            room: Arc::new(Semaphore::new(QUEUED_BYTES)),
            started: Instant::now(),
            heard: AtomicU64::new(0),
            ending: OnceLock::new(),
            closed: CancellationToken::new(),
            quieter: Arc::default(),
        };
        (Arc::new(session), Outgoing { urgent: urgent_out, control: control_out, data: data_out })
    }

    /// Milliseconds since the session began, never 0: 0 stands for "never" where moments are kept.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// How long ago a moment of [`Session::now`] was.
    pub(super) fn since(&self, moment: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(moment))
    }

    /// Something came over the link.
    pub(super) fn heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// How long the other side has been silent.
    pub(super) fn silence(&self) -> Duration {
        self.since(self.heard.load(Ordering::Relaxed))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Ends the session; the first reason counts.
    pub(super) fn close(&self, why: impl Into<String>, goodbye: Option<Code>) {
        let why = why.into();
        let goodbye = goodbye.map(|code| Goodbye { code, text: why.clone() });
        if self.ending.set(Ending { why, goodbye }).is_ok() {
            self.room.close();
            self.closed.cancel();
        }
    }

    /// Ends it because the other side broke a rule.
    pub(super) fn violated(&self, violation: &Violation) {
        tracing::warn!(peer = %self.peer, %violation, "the other node broke the protocol");
        self.close(format!("violation of the protocol: {violation}"), Some(Code::Violation));
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.get()
    }

    /// Why it ended, for errors.
    pub(super) fn why(&self) -> String {
        self.ending.get().map_or_else(String::new, |ending| ending.why.clone())
    }

    /// Whether nothing that was sent is under way.
    pub(super) fn quiet(&self) -> bool {
        self.windows.quiet() && self.jobs.none()
    }

    /// Sends a message whose blob head is filled in. See [`super::Links::send`].
    pub(super) async fn send(self: &Arc<Self>, head: &Head, blob: Option<&Blob>, lanes: u8) -> Result<(), SendFailure> {
        match blob {
            Some(blob) if blob.length() > MAX_INLINE_BLOB => {
                let room = async {
                    let slot = self.conversations.slot(&head.source, &head.target, lanes).await;
                    self.resident.share(head, blob).await.map(|share| (slot, share))
                };
                let (slot, share) = tokio::select! {
                    room = room => room?,
                    () = self.closed.cancelled() => return Err(SendFailure::Closed),
                };
                self.start(Job::new(self, head.clone(), blob.clone(), slot, share), lanes.into()).await
            }
            blob => self.send_inline(head, blob).await,
        }
    }

    async fn send_inline(&self, head: &Head, blob: Option<&Blob>) -> Result<(), SendFailure> {
        let blob = match blob {
            None => None,
            Some(blob) => match blob.read(0, blob.length()).await {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    self.answer_unreadable(head, &error).await;
                    return Err(SendFailure::Blob(error));
                }
            },
        };
        let bytes = cost(head);
        let place = tokio::select! {
            place = self.windows.reserve(&head.target, bytes) => place?,
            () = self.closed.cancelled() => return Err(SendFailure::Closed),
        };
        let room = u32::try_from((bytes + OVERHEAD).clamp(1, QUEUED_BYTES)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(room).await.map_err(|_| Closed)?;
        let frame = Frame::Message(head.clone(), blob);
        Ok(place.commit(head.kind.awaited(), || self.data.send((frame, room)).map_err(|_| Closed))?)
    }

    /// Gives a blob to a lane, one of `share` that its conversation may use.
    async fn start(self: &Arc<Self>, mut job: Box<Job>, share: usize) -> Result<(), SendFailure> {
        loop {
            let taken = tokio::select! {
                taken = Lanes::take(self, share) => taken,
                () = self.closed.cancelled() => Err(NoLane::Closed),
            };
            match taken {
                Ok(lane) => match lane.start(job) {
                    Ok(()) => return Ok(()),
                    // The lane ended just now.
                    Err(back) => job = back,
                },
                Err(NoLane::Closed) => return Err(SendFailure::Closed),
                Err(NoLane::Failed(text)) => return Err(SendFailure::NoLane(text)),
            }
        }
    }

    /// Sends a blob again whose lane ended.
    pub(super) fn start_again(self: &Arc<Self>, job: Box<Job>) {
        let session = self.clone();
        self.shared.spawn(async move {
            let (head, tries) = (job.head.clone(), job.tries);
            let failure =
                if job.may_try_again() { session.start(job, 1).await.err() } else { Some(SendFailure::NoLane(format!("the connection broke {tries} times"))) };
            match failure {
                None => {}
                Some(SendFailure::NoLane(text)) => session.give_up(&head, Refusal::Broken(text)).await,
                Some(SendFailure::Closed | SendFailure::Blob(_)) => session.doubt(&head),
            }
        });
    }

    /// A message will not be sent after all: whoever waits for an answer to it, or for it as an answer, is told.
    pub(super) async fn give_up(&self, head: &Head, why: Refusal) {
        tracing::warn!(peer = %self.peer, source = %head.source, target = %head.target, %why, "could not send a message");
        match head.kind {
            HeadKind::Request { reply } => self.shared.refused(&self.peer, reply, why),
            HeadKind::Response { to } => self.control(Frame::Refused(to, why)).await,
        }
    }

    async fn answer_unreadable(&self, head: &Head, error: &BlobError) {
        if let HeadKind::Response { to } = head.kind {
            self.control(Frame::Refused(to, Refusal::Unreadable(error.to_string()))).await;
        }
    }

    /// The session ended with this message under way.
    pub(super) fn doubt(&self, head: &Head) {
        if let Some(request) = head.kind.awaited() {
            self.shared.refused(&self.peer, Some(request), Refusal::Broken(self.why()));
        }
    }

    /// Asks the node to take a message.
    pub(super) fn admit(self: &Arc<Self>, head: Head, length: u64) -> futures::future::BoxFuture<'static, Result<Deliver, Refusal>> {
        let session = self.clone();
        Box::pin(async move {
            let Some(inbound) = session.shared.inbound() else { return Err(Refusal::NoSuchProcess) };
            inbound.admit(&session.peer, head, length).await
        })
    }

    /// A message of so many bytes is in its mailbox. The other side hears of it soon.
    pub(super) fn delivered(&self, target: &ProcessId, bytes: usize) {
        if let Some(count) = self.told.note(target, 1, bytes)
            && let Err(TrySendError::Full(_)) = self.control.try_send(Frame::Delivered(target.clone(), count))
        {
            self.told.note_again(target, count);
        }
    }

    /// Queues a frame, waiting for room.
    pub(super) async fn control(&self, frame: Frame) {
        if let Some(permit) = self.control_permit().await {
            permit.send(frame);
        }
    }

    /// Waits for room for a frame; none if the session has ended.
    pub(super) async fn control_permit(&self) -> Option<mpsc::Permit<'_, Frame>> {
        tokio::select! {
            permit = self.control.reserve() => permit.ok(),
            () = self.closed.cancelled() => None,
        }
    }

    /// Queues a frame without waiting.
    pub(super) fn urgent(&self, frame: Frame) {
        match self.urgent.try_send(frame) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => self.close("it does not read what it is sent", None),
        }
    }

    /// A frame came over the link.
    pub(super) fn handle(self: &Arc<Self>, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Message(head, blob) => self.inboxes.push(self, head, blob)?,
            Frame::Delivered(target, count) => {
                self.windows.acknowledge(&target, count)?;
                self.quieter.notify_waiters();
            }
            Frame::Refused(request, why) => self.shared.refused(&self.peer, Some(request), why),
            Frame::WantLanes(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                if !self.remote.dialled || count > MAX_LANES {
                    return Err(Violation(format!("{count} lanes wanted where none can be")));
                }
                Lanes::open_for_other(self, count);
            }
            Frame::NoLanes(count, text) => {
                if self.remote.dialled {
                    return Err(Violation("no-lanes from the side that does not open them".into()));
                }
                Lanes::not_opened(self, usize::try_from(count).unwrap_or(usize::MAX), &text);
            }
            Frame::LaneDelivered(lane, count) => self.lanes.acknowledge(self, lane, count)?,
            Frame::LaneHeld(lane) => self.lanes.held(self, lane),
            Frame::LaneEnded(lane) => Lanes::ended_there(self, lane),
            Frame::Ping(number) => self.urgent(Frame::Pong(number)),
            Frame::Pong(_) => {}
            Frame::Goodbye(goodbye) => {
                tracing::info!(peer = %self.peer, code = ?goodbye.code, text = %goodbye.text, "the other node closed the link");
                self.close(format!("{} closed it: {}", self.peer, goodbye.text), None);
            }
            other @ (Frame::Hello(_) | Frame::Welcome(_) | Frame::LaneMessage(_)) => return Err(Violation(format!("{} on a link", other.name()))),
        }
        Ok(())
    }
}

// A message of the largest size must fit, or its sender would wait for ever.
const _: () = assert!(MAX_FRAME + OVERHEAD <= QUEUED_BYTES && MAX_FRAME <= super::protocol::WINDOW_BYTES);
