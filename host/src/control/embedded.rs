//! A node that runs inside the program that commands it, for as long as it needs one, and as others need it.
//!
//! It has the control socket of its home like a node that is served, so that the commands of one home work at the same time whoever runs the node. What always holds: as long as [`Embedded`] is
//! there, the home is locked; once [`Embedded::unused`] is over, nobody is connected and nobody connects any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{ControlClient, ControlError, Server, serve_stream};
use crate::home::{Home, HomeLock};
use crate::node::{Node, NodeError, NodeOptions};

/// Bytes in flight between program and node: a segment with room to spare.
const BUFFER: usize = 2 << 20;
/// How long a node may take to end.
const SHUTDOWN_TIME: Duration = Duration::from_secs(10);

/// Processes at a time, unless the settings say less: making room for them takes a command that only asks something longer than all else it does.
const PROCESSES: u32 = 2_000;

/// Why a node could not be started for a command.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The node could not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It started, and can't be spoken to.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A node inside this program. It listens nowhere; it reaches others and answers over the links that it opened. [`Embedded::close`] ends it in good order.
#[derive(Debug)]
pub struct Embedded {
    node: Node,
    _serving: AbortOnDropHandle<()>,
    /// None: there could be no socket, and nobody else finds the node.
    shared: Option<Shared>,
    _lock: Arc<HomeLock>,
}

/// The node as others use it.
#[derive(Debug)]
struct Shared {
    connected: watch::Receiver<usize>,
    /// Cancelled when this program needs the node no longer.
    done: CancellationToken,
    serving: AbortOnDropHandle<()>,
}

/// The socket goes before the lock, whichever way it ends: else it could be that of the next node.
struct Locked {
    server: Server,
    _lock: Arc<HomeLock>,
}

impl Shared {
    fn start(locked: Locked, node: Node) -> Self {
        let (connected, done) = (locked.server.connected(), CancellationToken::new());
        let until = done.clone();
        let serving = tokio::spawn(async move {
            let locked = locked;
            locked.server.serve_until_unused(&node, until.cancelled()).await;
        });
        Self { connected, done, serving: AbortOnDropHandle::new(serving) }
    }
}

impl Embedded {
    /// Starts the node of `home`, and connects to it.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub async fn start(home: &Home, lock: HomeLock, mut options: NodeOptions) -> Result<(Self, ControlClient), EmbedError> {
        options.limits.processes = options.limits.processes.min(PROCESSES);
        let node = Node::start(home, options).await?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let served = node.clone();
        let serving = tokio::spawn(async move {
            if let Err(error) = serve_stream(served, theirs).await {
                tracing::debug!(%error, "the connection to the command ended");
            }
        });
        let lock = Arc::new(lock);
        let shared = match Server::bind(home, &lock) {
            Ok(server) => Some(Shared::start(Locked { server, _lock: lock.clone() }, node.clone())),
            // Not every file system has sockets. This program needs none.
            Err(error) => {
                tracing::warn!(%error, "{} can't be made: other commands wait until this one is done", home.control_path().display());
                None
            }
        };
        let embedded = Self { node, _serving: AbortOnDropHandle::new(serving), shared, _lock: lock };
        let client = ControlClient::over(ours).await?;
        Ok((embedded, client))
    }

    /// How many other programs are connected to the node.
    pub fn others(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| *shared.connected.borrow())
    }

    /// This program needs the node no longer: waits until nobody else does. May be called again if it was not waited for.
    pub async fn unused(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.done.cancel();
            // Panicked or not, it serves nobody.
            let _ = (&mut shared.serving).await;
            self.shared = None;
        }
    }

    /// Ends the node. Whoever still uses it is cut off.
    pub async fn close(self) {
        drop(self.shared);
        if tokio::time::timeout(SHUTDOWN_TIME, self.node.shutdown()).await.is_err() {
            tracing::warn!("the node did not end within {} seconds", SHUTDOWN_TIME.as_secs());
        }
    }
}
