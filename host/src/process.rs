//! Processes: who is alive, what each holds, and what it waits for.
//!
//! A [`Process`] is an endpoint for messages with an address, a mailbox and capabilities. Behind most stands a running component ([`run`]); behind a
//! [`crate::node::Client`] stands the program that embeds the node, or its owner's command. Each component runs in one tokio task with one store of its own; nothing here loops over all processes.
//!
//! Order in which a process receives: what failed or fell due, then messages as they came. When a process ends, by whatever cause: its mailbox closes (senders fail, nothing waits for ever),
//! those who wait for its answers are told, its children are ended, its capabilities and all that was made from them end, and then its `on-exit` is carried out.

mod asked;
pub(crate) mod background;
pub(crate) mod mailbox;
pub(crate) mod pending;
pub(crate) mod run;
pub(crate) mod supervisor;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::capability::{Capability, CapabilityError, Kind, MAX_HELD};
use crate::engine::Limits;
use crate::message::{Address, ProcessId};
use crate::turns::Turns;
pub(crate) use asked::{Asked, Need};
use mailbox::Mailbox;
use pending::{Pending, ReplyTo};

/// What a node tells of one of its processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its name.
    pub id: ProcessId,
    /// Who spawned it; none: the node.
    pub parent: Option<ProcessId>,
    /// The name of its component.
    pub component: String,
    /// `running`, or `waiting to restart`.
    pub state: String,
    /// Messages waiting in its mailbox.
    pub mailbox_messages: u64,
    /// Bytes waiting in its mailbox.
    pub mailbox_bytes: u64,
    /// Bytes of WebAssembly memory.
    pub memory: u64,
    /// Messages received since its start.
    pub messages_in: u64,
    /// Messages sent since its start.
    pub messages_out: u64,
    /// When it was started, in milliseconds since 1970.
    pub started: u64,
    /// How often it was started again.
    pub restarts: u64,
}

/// What a process is made with.
pub(crate) struct Birth {
    pub(crate) id: ProcessId,
    pub(crate) parent: Option<ProcessId>,
    pub(crate) component: String,
    pub(crate) public: bool,
    /// Speaks for the node's owner: it may send to every process and to every peer.
    pub(crate) owner: bool,
    /// What it is granted. Each start of the process gets links of its own, which end when it does.
    pub(crate) held: Vec<Capability>,
    /// Bytes of WebAssembly memory it may have.
    pub(crate) memory_limit: u64,
    /// What its manifest says of it; none: another process started it, or it is no component.
    pub(crate) asked: Option<Arc<Asked>>,
}

/// An endpoint for messages.
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    pub(crate) parent: Option<ProcessId>,
    pub(crate) component: String,
    pub(crate) public: bool,
    pub(crate) owner: bool,
    pub(crate) mailbox: Mailbox,
    pub(crate) pending: Mutex<Pending>,
    granted: Vec<Capability>,
    pub(crate) held: Mutex<Vec<Capability>>,
    pub(crate) memory_limit: u64,
    asked: Option<Arc<Asked>>,
    /// Who waits for an answer of this process.
    pub(crate) owed: Mutex<HashSet<ReplyTo>>,
    pub(crate) children: Mutex<HashSet<ProcessId>>,
    /// How many blobs may travel at once to an address; 1 where nothing stands.
    pub(crate) lanes: Mutex<HashMap<Address, u8>>,
    /// Cancelled to end the process.
    pub(crate) stop: CancellationToken,
    /// Cancelled when it has ended and all that follows from its end is done.
    pub(crate) ended: CancellationToken,
    /// Told when the node's owner ends it: if it is to be restarted, it is.
    pub(crate) interrupted: Notify,
    /// What it writes without waiting, once it has run.
    pub(crate) writing: OnceLock<Turns>,
    pub(crate) memory: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) restarts: AtomicU64,
    waiting_to_restart: std::sync::atomic::AtomicBool,
    started: u64,
}

impl Process {
    pub(crate) fn new(birth: Birth, limits: &Limits) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let held = birth.held.iter().map(|capability| capability.passed_on(&birth.id)).collect();
        Self {
            id: birth.id,
            parent: birth.parent,
            component: birth.component,
            public: birth.public,
            owner: birth.owner,
            mailbox: Mailbox::new(limits.mailbox_messages, limits.mailbox_bytes, limits.pending_requests),
            pending: Mutex::default(),
            granted: birth.held,
            held: Mutex::new(held),
            memory_limit: birth.memory_limit,
            asked: birth.asked,
            owed: Mutex::default(),
            children: Mutex::default(),
            lanes: Mutex::default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            interrupted: Notify::new(),
            writing: OnceLock::new(),
            memory: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            waiting_to_restart: false.into(),
            started,
        }
    }

    /// It starts again: what it held ends, and it holds what it was granted.
    pub(crate) fn hold_granted_again(&self) {
        let mut held = self.held.lock();
        for capability in held.drain(..) {
            capability.end();
        }
        held.extend(self.granted.iter().map(|capability| capability.passed_on(&self.id)));
    }

    /// Whether it holds a valid capability that `matches`.
    pub(crate) fn holds(&self, matches: impl Fn(&Kind) -> bool) -> bool {
        self.held.lock().iter().any(|capability| matches(capability.kind()) && capability.valid())
    }

    /// Whether it may exchange messages with other nodes.
    pub(crate) fn may_network(&self) -> bool {
        self.owner || self.holds(|kind| matches!(kind, Kind::Network))
    }

    /// Whether it may send requests to `target`, a process of the same node.
    pub(crate) fn may_message(&self, target: &Process) -> bool {
        self.owner
            || target.public
            || self.id.package() == target.id.package()
            // An endpoint of the owner's takes what those that it asked have to say.
            || target.owner
            || self.holds(|kind| matches!(kind, Kind::Messaging(process) if *process == target.id))
    }

    /// Adds to what it holds.
    pub(crate) fn keep(&self, capability: &Capability) -> Result<(), CapabilityError> {
        if !capability.valid() {
            return Err(CapabilityError::Revoked);
        }
        let mut held = self.held.lock();
        held.retain(Capability::valid);
        if held.iter().any(|other| other.same(capability)) {
            return Ok(());
        }
        if held.len() >= MAX_HELD {
            return Err(CapabilityError::Limit(format!("a process holds at most {MAX_HELD} capabilities")));
        }
        held.push(capability.clone());
        Ok(())
    }

    /// The lanes that blobs to `target` may take at once.
    pub(crate) fn lanes_to(&self, target: &Address) -> u8 {
        self.lanes.lock().get(target).copied().unwrap_or(1)
    }

    pub(crate) fn set_waiting_to_restart(&self, waiting: bool) {
        self.waiting_to_restart.store(waiting, Ordering::Relaxed);
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        let (mailbox_messages, mailbox_bytes) = self.mailbox.waiting();
        ProcessInfo {
            id: self.id.clone(),
            parent: self.parent.clone(),
            component: self.component.clone(),
            state: if self.waiting_to_restart.load(Ordering::Relaxed) { "waiting to restart" } else { "running" }.into(),
            mailbox_messages,
            mailbox_bytes,
            memory: self.memory.load(Ordering::Relaxed),
            messages_in: self.messages_in.load(Ordering::Relaxed),
            messages_out: self.messages_out.load(Ordering::Relaxed),
            started: self.started,
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }
}
