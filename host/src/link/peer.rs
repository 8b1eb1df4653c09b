//! The links of each peer, and what all links of this node share.
//!
//! Two nodes that dial each other at once get two links; either side sends over the older one that it has. `lost` is told once, when the last is gone, and before a new one is used.
//! All who want to send to a peer without a link share one attempt to dial it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, OnceLock, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::buffers::Buffers;
use super::deadlines::Deadlines;
use super::limit::Limits;
use super::places::Places;
use super::protocol::{Code, Frame};
use super::session::{Outgoing, Remote, Session};
use super::tls::Tls;
use super::{Inbound, LinkError, Refusal, dial, driver};
use crate::identity::{Identity, IdentityError};
use crate::message::RequestId;
use crate::peers::{Peer, Peers};

/// Connections of strangers in their handshake at a time: each costs memory and a signature.
const MAX_HANDSHAKES: usize = 64;

type Attempt = SharedFuture<BoxFuture<'static, Result<Arc<Session>, LinkError>>>;

/// What all links of this node share.
pub(super) struct Shared {
    pub(super) peers: Arc<Peers>,
    pub(super) deadlines: Deadlines,
    pub(super) tls: Tls,
    /// Of this run of the node: see `protocol`.
    pub(super) instance: u64,
    pub(super) limits: Limits,
    /// For connections that others open.
    pub(super) places: Arc<Places>,
    /// For the blobs that lanes bring.
    pub(super) buffers: Buffers,
    inbound: OnceLock<Weak<dyn Inbound>>,
    links: Mutex<HashMap<String, Arc<PeerLinks>>>,
    /// No more connections.
    pub(super) stopping: CancellationToken,
    /// No more anything.
    stopped: CancellationToken,
    tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(identity: &Identity, peers: Arc<Peers>, deadlines: Deadlines) -> Result<Self, IdentityError> {
        let places = Places::new(MAX_HANDSHAKES, deadlines.handshake_grace);
        Ok(Self {
            peers,
            deadlines,
            tls: Tls::new(identity.certified_key()?),
            instance: rand::random(),
            limits: Limits::default(),
            places,
            buffers: Buffers::default(),
            inbound: OnceLock::new(),
            links: Mutex::default(),
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    pub(super) fn set_inbound(&self, inbound: Weak<dyn Inbound>) {
        if self.inbound.set(inbound).is_err() {
            tracing::error!("the links were told twice who takes messages; the first stays");
        }
    }

    pub(super) fn inbound(&self) -> Option<Arc<dyn Inbound>> {
        self.inbound.get()?.upgrade()
    }

    pub(super) fn refused(&self, peer: &str, request: Option<RequestId>, why: Refusal) {
        if let Some(inbound) = self.inbound() {
            inbound.refused(peer, request, why);
        }
    }

    /// Starts a task that [`Shared::shutdown`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Starts a task that may wait for a mailbox, and so is cut short by [`Shared::shutdown`].
    pub(super) fn spawn_inbox(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.stopped.clone().run_until_cancelled_owned(task));
    }

    fn links_of(&self, peer: &str) -> Option<Arc<PeerLinks>> {
        self.links.lock().get(peer).cloned()
    }

    /// Tells a peer that its request will not be answered, if there is a link.
    pub(super) fn refuse(&self, peer: &str, request: RequestId, why: Refusal) {
        let Some(session) = self.links_of(peer).and_then(|links| links.live()) else { return };
        self.spawn(async move { session.control(Frame::Refused(request, why)).await });
    }

    /// Takes the limits of all who are linked from their entries.
    pub(super) fn limits_changed(&self) {
        let linked: Vec<String> = self.links.lock().keys().cloned().collect();
        for peer in linked {
            self.limits.set_peer(&peer, self.peers.by_name(&peer).and_then(|entry| entry.limit));
        }
    }

    pub(super) fn connected(&self, peer: &str) -> bool {
        self.links_of(peer).is_some_and(|links| links.live().is_some())
    }

    /// A live link to `peer`: the one there is, or a new one.
    pub(super) async fn session(self: &Arc<Self>, peer: &str) -> Result<Arc<Session>, LinkError> {
        let entry = self.peers.by_name(peer).ok_or_else(|| LinkError::UnknownPeer(peer.into()))?;
        let links = self.links.lock().entry(peer.into()).or_default().clone();
        if let Some(session) = links.live_of(&entry) {
            return Ok(session);
        }
        match links.attempt(self, &entry).await {
            Ok(session) => Ok(session),
            // The peer may have called meanwhile.
            Err(error) => links.live_of(&entry).ok_or(error),
        }
    }

    /// The live link that a lane belongs to.
    pub(super) fn session_of_token(&self, peer: &str, token: &[u8; 16]) -> Option<Arc<Session>> {
        let links = self.links_of(peer)?;
        let sessions = links.sessions.lock();
        sessions.iter().find(|session| session.remote.token == *token && !session.remote.dialled && !session.is_closed()).cloned()
    }

    /// Makes a session known. Links that it shows to be dead end here, and are told as lost before this returns.
    pub(super) fn register(self: &Arc<Self>, remote: Remote) -> (Arc<Session>, Outgoing) {
        let links = self.links.lock().entry(remote.name.to_string()).or_default().clone();
        self.limits.set_peer(&remote.name, self.peers.by_name(&remote.name).and_then(|entry| entry.limit));
        let (session, outgoing) = Session::new(self.clone(), remote);
        let _changing = links.changing.lock();
        let stale: Vec<Arc<Session>> = {
            let sessions = links.sessions.lock();
            let new = &session.remote;
            let is_stale = |old: &Remote| old.instance != new.instance || old.dialled == new.dialled || old.key != new.key;
            sessions.iter().filter(|old| is_stale(&old.remote)).cloned().collect()
        };
        for old in stale {
            old.close("a newer connection took its place", Some(Code::Replaced));
            links.forget(&old);
        }
        links.sessions.lock().push(session.clone());
        if self.stopping.is_cancelled() {
            session.close("the node is ending", Some(Code::Closing));
        }
        tracing::info!(peer = %session.peer, dialled = session.remote.dialled, "linked");
        (session, outgoing)
    }

    /// Drives a registered session to its end.
    pub(super) async fn drive<S>(self: Arc<Self>, session: Arc<Session>, outgoing: Outgoing, stream: S)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    {
        driver::run(session.clone(), outgoing, stream).await;
        self.unregister(&session);
    }

    pub(super) fn unregister(&self, session: &Arc<Session>) {
        session.close("it ended", None);
        if let Some(links) = self.links_of(&session.peer) {
            let _changing = links.changing.lock();
            links.forget(session);
        }
    }

    pub(super) fn disconnect(&self, peer: &str, why: &str) {
        let Some(links) = self.links_of(peer) else { return };
        let sessions = links.sessions.lock().clone();
        for session in sessions {
            session.close(why, Some(Code::Closing));
        }
    }

    pub(super) async fn shutdown(&self) {
        self.stopping.cancel();
        let until = Instant::now() + self.deadlines.drain;
        let links: Vec<Arc<PeerLinks>> = self.links.lock().values().cloned().collect();
        let sessions: Vec<Arc<Session>> = links.iter().flat_map(|links| links.sessions.lock().clone()).collect();
        for session in &sessions {
            loop {
                let quieter = session.quieter.notified();
                tokio::pin!(quieter);
                // From now on no notice is missed.
                quieter.as_mut().enable();
                if session.is_closed() || session.quiet() {
                    break;
                }
                let changed = tokio::select! {
                    changed = timeout_at(until, quieter) => changed.is_ok(),
                    () = session.closed.cancelled() => true,
                };
                if !changed {
                    tracing::info!(peer = %session.peer, "ending the link with messages under way");
                    break;
                }
            }
            session.close("the node is ending", Some(Code::Closing));
        }
        self.stopped.cancel();
        self.tasks.close();
        if timeout(self.deadlines.drain * 2, self.tasks.wait()).await.is_err() {
            tracing::warn!("tasks of links did not end in time");
        }
    }
}

/// The links of one peer.
#[derive(Default)]
pub(super) struct PeerLinks {
    /// The oldest first.
    sessions: Mutex<Vec<Arc<Session>>>,
    attempt: Mutex<Option<Attempt>>,
    /// Held while links come and go, so that `lost` is told before the next one is used. Not needed to look at `sessions`, so that the node may ask about links when it is told.
    changing: Mutex<()>,
}

impl PeerLinks {
    fn live(&self) -> Option<Arc<Session>> {
        self.sessions.lock().iter().find(|session| !session.is_closed()).cloned()
    }

    /// A live link to the node that the peer is now: its entry may have got another key.
    fn live_of(&self, entry: &Peer) -> Option<Arc<Session>> {
        let session = self.live()?;
        if session.remote.key == entry.key {
            return Some(session);
        }
        session.close("it is not this peer's key any more", Some(Code::Closing));
        None
    }

    /// Joins the attempt to dial that is under way, or begins one.
    fn attempt(self: &Arc<Self>, shared: &Arc<Shared>, entry: &Peer) -> Attempt {
        let mut current = self.attempt.lock();
        if let Some(attempt) = current.as_ref() {
            return attempt.clone();
        }
        // One may have succeeded since the caller looked: it was registered before it was forgotten here.
        if let Some(session) = self.live_of(entry) {
            return async move { Ok(session) }.boxed().shared();
        }
        let (links, shared, entry) = (self.clone(), shared.clone(), entry.clone());
        let name = entry.name.clone();
        // A task of its own: who gives up waiting doesn't end it for the others.
        let dialling = shared.clone();
        let task = shared.tasks.spawn(async move {
            let dialled = tokio::select! {
                dialled = dial::link(&dialling, &entry) => dialled,
                () = dialling.stopping.cancelled() => Err(LinkError::Offline("this node is ending".into())),
            };
            *links.attempt.lock() = None;
            dialled
        });
        let attempt = async move { task.await.unwrap_or_else(|error| Err(LinkError::Offline(format!("dialling {name} failed: {error}")))) };
        let attempt: Attempt = attempt.boxed().shared();
        *current = Some(attempt.clone());
        attempt
    }

    /// Removes a closed session, once, and tells the node what that means. `changing` is held.
    fn forget(&self, session: &Arc<Session>) {
        let was_last = {
            let mut sessions = self.sessions.lock();
            let before = sessions.len();
            sessions.retain(|other| !Arc::ptr_eq(other, session));
            if sessions.len() == before {
                return;
            }
            sessions.is_empty()
        };
        let (requests, heads) = (session.windows.close(), session.lanes.close());
        session.quieter.notify_waiters();
        let why = session.why();
        tracing::info!(peer = %session.peer, why, "link ended");
        if was_last {
            if let Some(inbound) = session.shared.inbound() {
                inbound.lost(&session.peer, &why);
            }
            return;
        }
        for request in requests {
            session.shared.refused(&session.peer, Some(request), Refusal::Broken(why.clone()));
        }
        for head in &heads {
            session.doubt(head);
        }
    }
}
