//! The node's side of the control socket: who may connect, and how many.

use std::io;
use std::time::Duration;

use futures::future::{FusedFuture as _, FutureExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::protocol::FrameError;
use super::{session, socket};
use crate::home::{Home, HomeLock};
use crate::node::Node;

/// The most commands that are connected at a time. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// How long to leave the socket alone after the system could not accept, for want of file handles mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// The control socket of a home. Dropping it ends all connections and removes the socket.
#[derive(Debug)]
pub struct Server {
    home: Home,
    listener: UnixListener,
    connected: watch::Sender<usize>,
}

impl Server {
    /// Makes the socket. The lock shows that no other node runs in the home; it must outlive the server.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(home: &Home, lock: &HomeLock) -> io::Result<Self> {
        Ok(Self { home: home.clone(), listener: socket::bind(home, lock)?, connected: watch::Sender::new(0) })
    }

    /// How many commands are connected.
    pub fn connected(&self) -> watch::Receiver<usize> {
        self.connected.subscribe()
    }

    /// Answers in the name of `node` until the future is dropped.
    pub async fn serve(&self, node: &Node) {
        self.serve_until_unused(node, std::future::pending()).await;
    }

    /// Answers in the name of `node` until `done` is over and then no command is connected. None is cut off by that: who was not accepted is told, by its connection being closed
    /// when the server is dropped, that no node runs.
    pub async fn serve_until_unused(&self, node: &Node, done: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut done = std::pin::pin!(done.fuse());
        loop {
            self.connected.send_replace(connections.len());
            if connections.is_empty() && done.is_terminated() {
                return;
            }
            tokio::select! {
                () = &mut done => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(serve_owner(node.clone(), stream))),
                    Err(error) => {
                        tracing::warn!(%error, "the control socket could not accept");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = socket::remove(&self.home) {
            tracing::warn!(%error, "the control socket could not be removed");
        }
    }
}

async fn serve_owner(node: Node, stream: UnixStream) {
    if !socket::is_owner(&stream) {
        tracing::warn!("refused a control connection of another user");
        return;
    }
    if let Err(error) = serve_stream(node, stream).await {
        tracing::debug!(%error, "a control connection ended");
    }
}

/// Answers in the name of `node` on one stream until the other side closes it.
///
/// # Errors
/// A frame that breaks the protocol, or a stream that fails.
pub async fn serve_stream<S: AsyncRead + AsyncWrite>(node: Node, stream: S) -> Result<(), FrameError> {
    session::run(node, stream).await
}
