//! A node that runs inside the program that commands it, for as long as it needs one.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::{ControlClient, ControlError, serve_stream};
use crate::home::{Home, HomeLock};
use crate::node::{Node, NodeError, NodeOptions};

/// Bytes in flight between program and node: a segment with room to spare.
const BUFFER: usize = 2 << 20;
/// How long a node may take to end.
const SHUTDOWN_TIME: Duration = Duration::from_secs(10);

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
    _lock: HomeLock,
}

impl Embedded {
    /// Starts the node of `home`, and connects to it.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub async fn start(home: &Home, lock: HomeLock, options: NodeOptions) -> Result<(Self, ControlClient), EmbedError> {
        let node = Node::start(home, options).await?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let served = node.clone();
        let serving = tokio::spawn(async move {
            if let Err(error) = serve_stream(served, theirs).await {
                tracing::debug!(%error, "the connection to the command ended");
            }
        });
        let embedded = Self { node, _serving: AbortOnDropHandle::new(serving), _lock: lock };
        let client = ControlClient::over(ours).await?;
        Ok((embedded, client))
    }

    /// Ends the node.
    pub async fn close(self) {
        if tokio::time::timeout(SHUTDOWN_TIME, self.node.shutdown()).await.is_err() {
            tracing::warn!("the node did not end within {} seconds", SHUTDOWN_TIME.as_secs());
        }
    }
}
